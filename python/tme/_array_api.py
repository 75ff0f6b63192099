"""What the array API standard has beside the operations of the table: other names and arguments for them, and what is made of
several. Nothing is computed here either: the functions apply operations, which are evaluated with all others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from . import _core
from ._info import __array_namespace_info__, can_cast, finfo, iinfo, isdtype, result_type

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence

    from ._core import Array, _ArrayLike, _DtypeLike, _Ints, _Real

__all__ = [
    "__array_namespace_info__", "arange", "astype", "bitwise_left_shift", "bitwise_right_shift", "broadcast_arrays", "can_cast",
    "concat", "empty", "empty_like", "eye", "finfo", "full", "full_like", "iinfo", "isdtype", "linspace",
    "matrix_transpose", "mean", "meshgrid", "moveaxis", "ones", "ones_like", "permute_dims", "prod", "repeat", "reshape", "result_type",
    "roll", "sum", "tensordot", "tile", "tril", "triu", "unstack", "vecdot", "zeros", "zeros_like",
]  # fmt: skip

_Number = bool | int | float | complex


# ---- making arrays


def _placed(x: Array, device: str | None) -> Array:
    return x if device is None else x.to_device(device)


def zeros(shape: _Ints, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of zeros."""
    return _placed(_core.zeros(shape, dtype), device)


def ones(shape: _Ints, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of ones."""
    return _placed(_core.ones(shape, dtype), device)


def arange(
    start: _Real, /, stop: _Real | None = None, step: _Real = 1, dtype: _DtypeLike | None = None, device: str | None = None
) -> Array:
    """Make a vector of start, start + step, ... before stop; of 0, 1, ... before start, if that is all.

    >>> import tme
    >>> tme.arange(2, 10, 3).tolist()
    [2, 5, 8]
    """
    if dtype is None and any(isinstance(v, float) for v in (start, stop, step)):
        dtype = _core.asarray(0.0).dtype
    return _placed(_core.arange(start, stop, step, dtype), device)


def linspace(
    start: _Real, stop: _Real, /, num: int, endpoint: bool = True, dtype: _DtypeLike | None = None, device: str | None = None
) -> Array:
    """Make a vector of num numbers at equal distances, from start to stop, or to the place before it.

    >>> import tme
    >>> tme.linspace(0, 1, 3).tolist()
    [0.0, 0.5, 1.0]
    """
    return _placed(_core.linspace(start, stop, num, endpoint, dtype), device)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    k: int = 0,
    dtype: _DtypeLike | None = None,
    device: str | None = None,
) -> Array:
    """Make a matrix with ones on its k-th diagonal, and zeros elsewhere.

    >>> import tme
    >>> tme.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    columns = n_rows if n_cols is None else n_cols
    # What lies outside lies outside by however much.
    return _placed(_core.eye(n_rows, columns, max(min(k, columns), -n_rows), dtype), device)


def full(
    shape: _Ints,
    fill_value: _Number,
    dtype: _DtypeLike | None = None,
    device: str | None = None,
) -> Array:
    """Make an array with one value everywhere; without a dtype that of the value.

    >>> import tme
    >>> tme.full((2, 2), 7).tolist()
    [[7, 7], [7, 7]]
    """
    return _core.broadcast_to(_core.asarray(fill_value, dtype=dtype, device=device), shape)


def empty(shape: _Ints, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of any values, which are zeros: nothing can be written into them."""
    return zeros(shape, dtype, device)


def _like(x: Array, value: _Number, dtype: _DtypeLike | None, device: str | None) -> Array:
    return full(x.shape, value, dtype=x.dtype if dtype is None else dtype, device=device)


def empty_like(x: Array, /, *, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of the shape and dtype of another one, of any values."""
    return _like(x, 0, dtype, device)


def zeros_like(x: Array, /, *, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of the shape and dtype of another one, of zeros."""
    return _like(x, 0, dtype, device)


def ones_like(x: Array, /, *, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of the shape and dtype of another one, of ones."""
    return _like(x, 1, dtype, device)


def full_like(x: Array, /, fill_value: _Number, *, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of the shape and dtype of another one, of one value."""
    return _like(x, fill_value, dtype, device)


def meshgrid(*arrays: Array, indexing: str = "xy") -> list[Array]:
    """Make of the vectors of coordinates along each axis the coordinates of all points of the grid.

    >>> import tme
    >>> [x.tolist() for x in tme.meshgrid(tme.arange(2), tme.arange(3), indexing="ij")]
    [[[0, 0, 0], [1, 1, 1]], [[0, 1, 2], [0, 1, 2]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is {indexing!r}, expected 'xy' or 'ij'")
    for x in arrays:
        if x.ndim != 1:
            raise ValueError(f"meshgrid: takes vectors, not an array of {x.ndim} dimensions")
    n = len(arrays)
    axes = [1, 0, *range(2, n)][:n] if indexing == "xy" and n > 1 else list(range(n))
    lines = [_core.reshape(x, [-1 if d == axis else 1 for d in range(n)]) for x, axis in zip(arrays, axes, strict=True)]
    return broadcast_arrays(*lines)


def _triangle(x: Array, k: int, lower: bool) -> Array:
    if x.ndim < 2:
        raise ValueError(f"{'tril' if lower else 'triu'}: the array has {x.ndim} dimensions, expected at least 2")
    rows = _core.reshape(_core.arange(x.shape[-2]), (-1, 1)) + k
    columns = _core.arange(x.shape[-1])
    return _core.where(columns <= rows if lower else columns >= rows, x, zeros_like(x))


def tril(x: Array, /, *, k: int = 0) -> Array:
    """Put zeros above the k-th diagonal of each matrix.

    >>> import tme
    >>> tme.tril(tme.ones((2, 3))).tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    return _triangle(x, k, True)


def triu(x: Array, /, *, k: int = 0) -> Array:
    """Put zeros below the k-th diagonal of each matrix."""
    return _triangle(x, k, False)


# ---- dtypes and shapes


def astype(x: Array, dtype: _DtypeLike, /, *, copy: bool = True, device: str | None = None) -> Array:
    """Convert the elements. With copy=False an array of that dtype is returned as it is."""
    if device is not None:
        x = x.to_device(device)
    return _core.astype(x, dtype) if copy or x.dtype != dtype else x


def _broadcast_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    out = [1] * max(map(len, shapes))
    for shape in shapes:
        for d, n in enumerate(reversed(shape), 1):
            if n != 1 != out[-d] and n != out[-d]:
                raise ValueError(f"broadcast_arrays: the shapes {', '.join(map(str, shapes))} do not fit")
            out[-d] = n if out[-d] == 1 else out[-d]
    return tuple(out)


def broadcast_arrays(*arrays: Array) -> list[Array]:
    """Repeat arrays along axes of extent 1, or that are not there, so that all have one shape.

    >>> import tme
    >>> [x.shape for x in tme.broadcast_arrays(tme.zeros((3, 1)), tme.zeros(2))]
    [(3, 2), (3, 2)]
    """
    shape = _broadcast_shape([x.shape for x in arrays]) if arrays else ()
    return [_core.broadcast_to(x, shape) for x in arrays]


def reshape(x: _ArrayLike, /, shape: _Ints, *, copy: bool | None = None) -> Array:
    """Give the elements, in their order, another shape; one extent may be -1.

    >>> import tme
    >>> tme.reshape(tme.arange(6), (2, -1)).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    return _core.reshape(x, shape)


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    """Join arrays along an axis; without one, all their elements.

    >>> import tme
    >>> tme.concat([tme.arange(2), tme.arange(3)]).tolist()
    [0, 1, 0, 1, 2]
    """
    if axis is None:
        return _core.concatenate([_core.reshape(x, (-1,)) for x in arrays])
    return _core.concatenate(arrays, axis=axis)


def permute_dims(x: Array, /, axes: Sequence[int]) -> Array:
    """Put the axes in another order."""
    return _core.transpose(x, axes)


def matrix_transpose(x: Array, /) -> Array:
    """Change the last two axes over."""
    return x.mT


def _axis(axis: int, rank: int, what: str) -> int:
    if not -rank <= axis < rank:
        raise _core.AxisError(f"{what}: axis {axis} of an array of {rank} dimensions")
    return axis % rank


def _axes(axes: int | Sequence[int], rank: int, what: str) -> list[int]:
    return [_axis(axis, rank, what) for axis in ((axes,) if isinstance(axes, int) else axes)]


def moveaxis(x: Array, source: int | Sequence[int], destination: int | Sequence[int], /) -> Array:
    """Move axes to other places; the others keep their order.

    >>> import tme
    >>> tme.moveaxis(tme.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    before, after = (_axes(axes, x.ndim, "moveaxis") for axes in (source, destination))
    if len(before) != len(after) or len(set(before)) != len(before) or len(set(after)) != len(after):
        raise ValueError(f"moveaxis: from {source} to {destination}, expected as many axes, each once")
    order = [axis for axis in range(x.ndim) if axis not in before]
    for place, axis in sorted(zip(after, before, strict=True)):
        order.insert(place, axis)
    return _core.transpose(x, order)


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """Take an array apart along an axis.

    >>> import tme
    >>> [row.tolist() for row in tme.unstack(tme.reshape(tme.arange(4), (2, 2)))]
    [[0, 1], [2, 3]]
    """
    rows = moveaxis(x, axis, 0)
    return tuple(rows[i] for i in range(rows.shape[0]))


def _part(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    """Return the slice [start, stop) of one axis, which is not negative."""
    key: list[Any] = [slice(None)] * axis
    return x[(*key, slice(start, stop))]


def roll(x: Array, /, shift: int | Sequence[int], *, axis: int | Sequence[int] | None = None) -> Array:
    """Move elements along an axis; those that leave it come in again at its other end. Without an axis, all in their order.

    >>> import tme
    >>> tme.roll(tme.arange(5), 2).tolist()
    [3, 4, 0, 1, 2]
    """
    if axis is None:
        if not isinstance(shift, int):
            raise ValueError("roll: several shifts, but no axes")
        return _core.reshape(roll(_core.reshape(x, (-1,)), shift, axis=0), x.shape)
    axes = _axes(axis, x.ndim, "roll")
    shifts = [shift] * len(axes) if isinstance(shift, int) else list(shift)
    for by, along in zip(shifts, axes, strict=True):
        n = x.shape[along]
        if n and by % n:
            x = _core.concatenate([_part(x, along, -(by % n), None), _part(x, along, None, -(by % n))], axis=along)
    return x


def tile(x: Array, repetitions: Sequence[int], /) -> Array:
    """Repeat an array along each axis.

    >>> import tme
    >>> tme.tile(tme.arange(2), (2, 2)).tolist()
    [[0, 1, 0, 1], [0, 1, 0, 1]]
    """
    rank = max(x.ndim, len(repetitions))
    shape = (1,) * (rank - x.ndim) + x.shape
    times = (1,) * (rank - len(repetitions)) + tuple(repetitions)
    for axis, n in enumerate(times):
        if n != 1:
            # A new axis before this one, along which the array is repeated.
            before, after = shape[:axis], shape[axis:]
            x = _core.broadcast_to(_core.reshape(x, (*before, 1, *after)), (*before, n, *after))
            shape = (*before, n * after[0], *after[1:])
        x = _core.reshape(x, shape)
    return x


def repeat(x: Array, repeats: int | Array, /, *, axis: int | None = None) -> Array:
    """Repeat each element along an axis, all as often or each as often as an array says. Without an axis, all in their order.

    >>> import tme
    >>> tme.repeat(tme.arange(3), 2).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    if axis is None:
        return repeat(_core.reshape(x, (-1,)), repeats, axis=0)
    axis = _axis(axis, x.ndim, "repeat")
    n = x.shape[axis]
    if isinstance(repeats, int) or repeats.size == 1:
        times = int(repeats)
        return _core.take(x, _core.arange(n * times) // max(times, 1), axis=axis)
    if repeats.shape != (n,):
        raise ValueError(f"repeat: {repeats.shape} repeats for {n} elements")
    places = [i for i, times in enumerate(repeats.tolist()) for _ in range(times)]
    return _core.take(x, _core.asarray(places, dtype=_core.int64), axis=axis)


# ---- arithmetic


def _reduced(f: Callable[..., Array], x: _ArrayLike, axis: Any, keepdims: builtins.bool, dtype: _DtypeLike | None) -> Array:
    """Reduce in a dtype, also in one that small integers would leave."""
    if dtype is None:
        return f(x, axis, keepdims)
    return astype(f(_core.astype(x, dtype), axis, keepdims), dtype, copy=False)


def bitwise_left_shift(x1: Array | int, x2: Array | int, /) -> Array:
    """Shift bits towards the higher ones."""
    return _core.left_shift(x1, x2)


def bitwise_right_shift(x1: Array | int, x2: Array | int, /) -> Array:
    """Shift bits towards the lower ones, with the sign."""
    return _core.right_shift(x1, x2)


def sum(
    x: _ArrayLike,
    /,
    axis: _Ints | None = None,
    keepdims: builtins.bool = False,
    dtype: _DtypeLike | None = None,
) -> Array:
    """Add up over the axes, over all without any. With a dtype the elements are converted first.

    >>> import tme
    >>> tme.sum(tme.ones((2, 3)), axis=0).tolist()
    [2.0, 2.0, 2.0]
    """
    return _reduced(_core.sum, x, axis, keepdims, dtype)


def prod(
    x: _ArrayLike,
    /,
    axis: _Ints | None = None,
    keepdims: builtins.bool = False,
    dtype: _DtypeLike | None = None,
) -> Array:
    """Multiply over the axes, over all without any. With a dtype the elements are converted first."""
    return _reduced(_core.prod, x, axis, keepdims, dtype)


def mean(
    x: _ArrayLike,
    /,
    axis: _Ints | None = None,
    keepdims: builtins.bool = False,
    dtype: _DtypeLike | None = None,
) -> Array:
    """Average over the axes, over all without any. With a dtype the elements are converted first."""
    return _reduced(_core.mean, x, axis, keepdims, dtype)


# ---- products


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Sum up products along an axis, of complex numbers with the first one conjugated.

    >>> import tme
    >>> tme.vecdot(tme.array([1, 2]), tme.array([3, 4])).item()
    11
    """
    if not -min(x1.ndim, x2.ndim) <= axis < 0:
        raise IndexError(f"vecdot: axis {axis}, expected one from the end that both arrays have: -1, -2, ...")
    n, m = x1.shape[axis], x2.shape[axis]
    if n != m:
        raise ValueError(f"vecdot: {n} elements and {m} along axis {axis}")
    x1, x2 = (_core.expand_dims(moveaxis(x, axis, -1), side) for x, side in ((x1, -2), (x2, -1)))
    product = _core.matmul(_core.conj(x1) if x1.dtype.kind == "c" else x1, x2)
    return product[..., 0, 0]


def tensordot(x1: Array, x2: Array, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Array:
    """Sum up products over axes of both: over the last ones of the first and the first ones of the second, or over those given.

    >>> import tme
    >>> tme.tensordot(tme.ones((2, 3, 4)), tme.ones((3, 4, 5))).shape
    (2, 5)
    """
    if isinstance(axes, int):
        if not 0 <= axes <= min(x1.ndim, x2.ndim):
            raise ValueError(f"tensordot: {axes} axes of arrays of {x1.ndim} and {x2.ndim} dimensions")
        left, right = list(range(x1.ndim - axes, x1.ndim)), list(range(axes))
    else:
        left, right = _axes(axes[0], x1.ndim, "tensordot"), _axes(axes[1], x2.ndim, "tensordot")
    if [x1.shape[a] for a in left] != [x2.shape[a] for a in right]:
        raise ValueError(f"tensordot: axes {left} of {x1.shape} and {right} of {x2.shape} differ in extents")
    rows, columns = ([a for a in range(x.ndim) if a not in used] for x, used in ((x1, left), (x2, right)))
    shape = [x1.shape[a] for a in rows], [x2.shape[a] for a in columns]
    m, n, k = math.prod(shape[0]), math.prod(shape[1]), math.prod(x1.shape[a] for a in left)
    first = _core.reshape(_core.transpose(x1, rows + left), (m, k))
    second = _core.reshape(_core.transpose(x2, right + columns), (k, n))
    return _core.reshape(_core.matmul(first, second), shape[0] + shape[1])
