"""What tme.random has besides the operations of the library's table."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from typing import SupportsIndex


def seed(seed: SupportsIndex, /) -> None:
    """Begins the current engine's stream of keys anew, with a whole number; an engine begins with 0."""
    _core.current_engine().seed(seed)
