"""The frequencies of the elements of Fourier transforms, with the arguments of the array API standard."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from typing import Literal

    from ._core import Array, _ArrayLike, _DtypeLike, _Ints

    _Norm = Literal["backward", "ortho", "forward"]


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


def fft2(x: _ArrayLike, /, s: _Ints | None = None, axes: _Ints | None = (-2, -1), norm: _Norm = "backward") -> Array:
    """Transform along two axes, the last ones unless told otherwise; with None along all, as fftn.

    >>> import tme
    >>> tme.fft.fft2(tme.ones((2, 2))).real.tolist()
    [[4.0, 0.0], [0.0, 0.0]]
    """
    return (_core.fftn if axes is None else _core.fft2)(x, s, axes, norm)


def ifft2(x: _ArrayLike, /, s: _Ints | None = None, axes: _Ints | None = (-2, -1), norm: _Norm = "backward") -> Array:
    """Invert fft2.

    >>> import tme
    >>> tme.fft.ifft2(tme.ones((2, 2))).real.tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    return (_core.ifftn if axes is None else _core.ifft2)(x, s, axes, norm)


def rfft2(x: _ArrayLike, /, s: _Ints | None = None, axes: _Ints | None = (-2, -1), norm: _Norm = "backward") -> Array:
    """Transform real numbers along two axes, as fft2 does it, without the half that follows from the other.

    >>> import tme
    >>> tme.fft.rfft2(tme.ones((2, 2))).real.tolist()
    [[4.0, 0.0], [0.0, 0.0]]
    """
    return (_core.rfftn if axes is None else _core.rfft2)(x, s, axes, norm)


def irfft2(x: _ArrayLike, /, s: _Ints | None = None, axes: _Ints | None = (-2, -1), norm: _Norm = "backward") -> Array:
    """Invert rfft2: the result is real.

    >>> import tme
    >>> tme.fft.irfft2(tme.ones((2, 2))).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    return (_core.irfftn if axes is None else _core.irfft2)(x, s, axes, norm)
