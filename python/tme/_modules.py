"""Where the operations of the library's table are in the package."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def members(module: str) -> dict[str, Callable[..., Any]]:
    """The operations that the package has in a module, by their names there; those of its own for ""."""
    places = {name: place.rpartition(".") for name, (place, _) in _core.operations.items()}
    return {own: getattr(_core, name) for name, (where, _, own) in places.items() if where == module}
