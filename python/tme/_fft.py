"""The frequencies of the elements of Fourier transforms, with the arguments of the array API standard."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from ._core import Array, _DtypeLike


def fftfreq(n: int, /, *, d: float = 1.0, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make the frequencies of the elements of fft, of samples at distances d: 0, 1, ..., then the negative ones, over n d.

    >>> import tme
    >>> tme.fft.fftfreq(4).tolist()
    [0.0, 0.25, -0.5, -0.25]
    """
    numbers = _core.fftfreq(n, d, dtype)
    return numbers if device is None else numbers.to_device(device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make the frequencies of the elements of rfft, of samples at distances d: 0, 1, ... up to n / 2, over n d.

    >>> import tme
    >>> tme.fft.rfftfreq(4).tolist()
    [0.0, 0.25, 0.5]
    """
    numbers = _core.rfftfreq(n, d, dtype)
    return numbers if device is None else numbers.to_device(device)
