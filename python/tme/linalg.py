"""Linear algebra by the names of the array API standard: what the engine has of it."""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING

from . import _core
from ._array_api import matrix_transpose, moveaxis, sum, tensordot, vecdot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._core import Array, _DtypeLike

__all__ = [
    "cross", "diagonal", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "svd",
    "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip

matmul = _core.matmul
svdvals = _core.svdvals

SVDResult = namedtuple("SVDResult", ["U", "S", "Vh"])


def svd(x: Array, /, *, full_matrices: bool = True) -> SVDResult:
    """Factor each matrix as U diag(S) Vh, with falling singular values S.

    >>> import tme
    >>> tme.linalg.svd(tme.eye(2)).S.tolist()
    [1.0, 1.0]
    """
    return SVDResult(*_core.svd(x, full_matrices))


def outer(x1: Array, x2: Array, /) -> Array:
    """Multiply each element of a vector with each of another one."""
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer: takes vectors, not arrays of {x1.ndim} and {x2.ndim} dimensions")
    return _core.expand_dims(x1, 1) * x2


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """Take the diagonal of each matrix, or the one that lies `offset` columns to the right of it.

    >>> import tme
    >>> tme.linalg.diagonal(tme.reshape(tme.arange(4), (2, 2))).tolist()
    [0, 3]
    """
    if x.ndim < 2:
        raise ValueError(f"diagonal: the array has {x.ndim} dimensions, expected at least 2")
    rows, columns = x.shape[-2:]
    first = max(-offset, 0) * columns + max(offset, 0)
    n = max(min(rows - max(-offset, 0), columns - max(offset, 0)), 0)
    flat = _core.reshape(x, (*x.shape[:-2], rows * columns))
    return _core.take(flat, _core.arange(n) * (columns + 1) + (first if n else 0), axis=-1)


def trace(x: Array, /, *, offset: int = 0, dtype: _DtypeLike | None = None) -> Array:
    """Sum up the diagonal of each matrix."""
    return sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Take the cross products of vectors of three elements along an axis.

    >>> import tme
    >>> tme.linalg.cross(tme.array([1, 0, 0]), tme.array([0, 1, 0])).tolist()
    [0, 0, 1]
    """
    if not -min(x1.ndim, x2.ndim) <= axis < 0 and x1.ndim != x2.ndim:
        raise IndexError(f"cross: axis {axis}, expected one from the end that both arrays have: -1, -2, ...")
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(f"cross: {x1.shape[axis]} and {x2.shape[axis]} elements along axis {axis}, expected 3")
    (a, b, c), (u, v, w) = ([moveaxis(x, axis, -1)[..., i] for i in range(3)] for x in (x1, x2))
    return moveaxis(_core.stack([b * w - c * v, c * u - a * w, a * v - b * u], axis=-1), -1, axis)


def _norm(x: Array, ord: Any, axis: int | Sequence[int] | None, keepdims: bool) -> Array:
    size = _core.abs(x)
    if ord == float("inf"):
        return _core.max(size, axis, keepdims)
    if ord == -float("inf"):
        return _core.min(size, axis, keepdims)
    if ord == 0:
        return _core.astype(_core.sum(x != 0, axis, keepdims), size.dtype)
    if ord == 1:
        return _core.sum(size, axis, keepdims)
    if ord == 2:
        return _core.sqrt(_core.sum(size * size, axis, keepdims))
    return _core.pow(_core.sum(_core.pow(size, ord), axis, keepdims), 1 / ord)


def vector_norm(x: Array, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False, ord: float = 2) -> Array:
    """Compute the norm of vectors along axes, of all elements without any.

    >>> import tme
    >>> tme.linalg.vector_norm(tme.array([3.0, 4.0])).item()
    5.0
    """
    return _norm(x, ord, axis, keepdims)


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> Array:
    """Compute the norm of each matrix: 'fro' of its elements, 'nuc', 2 and -2 of its singular values, 1, -1, inf and -inf of its
    columns and rows.
    """
    if ord == "fro" or ord is None:
        return _norm(x, 2, (-2, -1), keepdims)
    if ord in ("nuc", 2, -2):
        s = _core.svdvals(x)
        norm = _core.sum(s, -1) if ord == "nuc" else _core.max(s, -1) if ord == 2 else _core.min(s, -1)
        return _core.reshape(norm, (*norm.shape, 1, 1)) if keepdims else norm
    if ord in (1, -1, float("inf"), -float("inf")):
        summed, left = (-2, -1) if abs(ord) == 1 else (-1, -2)
        sums = _core.sum(_core.abs(x), summed, True)
        norm = (_core.max if ord > 0 else _core.min)(sums, left, True)
        return norm if keepdims else _core.squeeze(norm, (-2, -1))
    raise ValueError(f"matrix_norm: ord is {ord!r}, expected 'fro', 'nuc', 1, 2, inf or one of the numbers with a minus")


def matrix_power(x: Array, n: int, /) -> Array:
    """Multiply each matrix n times with itself; n is not negative."""
    if n < 0:
        raise ValueError(f"matrix_power: to the power {n}, expected 0 or more: there is no inverse")
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"matrix_power: takes square matrices, not {x.shape}")
    power = None
    while n:
        if n % 2:
            power = x if power is None else _core.matmul(power, x)
        n //= 2
        x = _core.matmul(x, x) if n else x
    return _core.broadcast_to(_core.eye(x.shape[-1], dtype=x.dtype), x.shape) if power is None else power


def _cut(s: Array, rtol: float | Array | None, default: float) -> Array:
    """Return the size below which a singular value counts as zero."""
    tolerance = default if rtol is None else rtol
    if isinstance(tolerance, _core.Array):
        tolerance = _core.expand_dims(tolerance, -1)
    return _core.max(s, -1, True) * tolerance


def matrix_rank(x: Array, /, *, rtol: float | Array | None = None) -> Array:
    """Count the singular values of each matrix that are above rtol times the largest."""
    if x.ndim < 2:
        raise ValueError(f"matrix_rank: the array has {x.ndim} dimensions, expected at least 2")
    s = _core.svdvals(x)
    return _core.sum(s > _cut(s, rtol, max(x.shape[-2:]) * s.dtype.eps), -1)


def pinv(x: Array, /, *, rtol: float | Array | None = None) -> Array:
    """Compute the pseudo-inverse of each matrix; singular values below rtol times the largest count as zero."""
    u, s, vt = _core.svd(x, False)
    inverse = _core.where(s > _cut(s, rtol, max(x.shape[-2:]) * s.dtype.eps), 1 / s, 0)
    return _core.matmul(_core.conj(vt).mT * _core.expand_dims(inverse, -2), _core.conj(u).mT)
