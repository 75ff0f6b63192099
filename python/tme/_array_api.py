"""What the array API standard has beside the operations of the table: other names and arguments for them, and what is made of
several. Nothing is computed here either: the functions apply operations, which are evaluated with all others.
"""

from __future__ import annotations

from . import _core
from ._info import __array_namespace_info__, can_cast, finfo, iinfo, isdtype, result_type

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence
    from typing import Any, overload

    from ._core import Array, _ArrayLike, _DtypeLike, _Ints, _Real

__all__ = [
    "__array_namespace_info__", "arange", "array_split", "astype", "atleast_1d", "atleast_2d", "atleast_3d", "bitwise_left_shift", "bitwise_right_shift",
    "broadcast_arrays", "can_cast", "choose", "compress", "concat", "einsum", "einsum_path", "empty", "empty_like", "extract", "eye",
    "finfo", "full", "full_like", "gradient", "iinfo", "isdtype", "linspace", "meshgrid", "ones", "ones_like", "pad", "permute_dims",
    "repeat", "reshape", "result_type", "select", "split", "take", "tensordot", "unstack", "zeros",
    "zeros_like",
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
    start: _Real,
    stop: _Real,
    /,
    num: int = 50,
    endpoint: bool = True,
    dtype: _DtypeLike | None = None,
    device: str | None = None,
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


def _like(x: _ArrayLike, value: _Number, dtype: _DtypeLike | None, device: str | None) -> Array:
    x = _core.asarray(x)
    return full(x.shape, value, dtype=x.dtype if dtype is None else dtype, device=device)


def empty_like(x: Array, /, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of the shape and dtype of another one, of any values."""
    return _like(x, 0, dtype, device)


def zeros_like(x: _ArrayLike, /, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of the shape and dtype of another one, of zeros."""
    return _placed(_core.zeros_like(x, dtype), device)


def ones_like(x: _ArrayLike, /, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
    """Make an array of the shape and dtype of another one, of ones."""
    return _placed(_core.ones_like(x, dtype), device)


def full_like(x: _ArrayLike, /, fill_value: _Number, dtype: _DtypeLike | None = None, device: str | None = None) -> Array:
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
    return _core.concatenate(arrays, axis)


def _each(f: Callable[[_ArrayLike], Array], arrays: tuple[_ArrayLike, ...]) -> Array | tuple[Array, ...]:
    """Return the result for one array, a tuple of those for several."""
    return f(arrays[0]) if len(arrays) == 1 else tuple(map(f, arrays))


if TYPE_CHECKING:

    @overload
    def atleast_1d(x: _ArrayLike, /) -> Array: ...
    @overload
    def atleast_1d(x: _ArrayLike, y: _ArrayLike, /, *others: _ArrayLike) -> tuple[Array, ...]: ...


def atleast_1d(*arrays: _ArrayLike) -> Array | tuple[Array, ...]:
    """Make of a number a vector of one element; others stay as they are. Of several arrays a tuple.

    >>> import tme
    >>> tme.atleast_1d(3).tolist()
    [3]
    """
    return _each(_core.atleast_1d, arrays)


if TYPE_CHECKING:

    @overload
    def atleast_2d(x: _ArrayLike, /) -> Array: ...
    @overload
    def atleast_2d(x: _ArrayLike, y: _ArrayLike, /, *others: _ArrayLike) -> tuple[Array, ...]: ...


def atleast_2d(*arrays: _ArrayLike) -> Array | tuple[Array, ...]:
    """Make of a number or a vector a matrix of one row; others stay as they are. Of several arrays a tuple.

    >>> import tme
    >>> [x.shape for x in tme.atleast_2d(3, tme.arange(4))]
    [(1, 1), (1, 4)]
    """
    return _each(_core.atleast_2d, arrays)


if TYPE_CHECKING:

    @overload
    def atleast_3d(x: _ArrayLike, /) -> Array: ...
    @overload
    def atleast_3d(x: _ArrayLike, y: _ArrayLike, /, *others: _ArrayLike) -> tuple[Array, ...]: ...


def atleast_3d(*arrays: _ArrayLike) -> Array | tuple[Array, ...]:
    """Give an array three axes at least: a vector of n elements has the shape (1, n, 1), a matrix one more axis at its end. Of
    several arrays a tuple.

    >>> import tme
    >>> tme.atleast_3d(tme.arange(4)).shape
    (1, 4, 1)
    """
    return _each(_core.atleast_3d, arrays)


def pad(
    x: _ArrayLike,
    pad_width: int | Sequence[int] | Sequence[Sequence[int]],
    after: Sequence[int] | str | None = None,
    value: _Real = 0,
    mode: str = "constant",
    *,
    constant_values: _Real | None = None,
) -> Array:
    """Give an array a border. Its width is one number, a pair (before, after) for all axes, or a pair for each; or one list of what
    comes before each axis and one of what comes after. Its elements are the value, or those of the modes "edge", "reflect",
    "symmetric" and "wrap". NumPy's order of arguments is taken, too: the mode after the width.

    >>> import tme
    >>> tme.pad(tme.arange(3), (2, 1), "reflect").tolist()
    [2, 1, 0, 1, 2, 1]
    """
    given: Any = pad_width
    how: Any = mode
    if isinstance(after, str):
        how, after = after, None
    if constant_values is not None:
        value = constant_values
    if after is not None:
        return _core.pad(x, given, after, value, how)
    x = _core.asarray(x)
    widths = [given] if hasattr(given, "__index__") else list(given)
    if widths and all(hasattr(n, "__index__") for n in widths):
        widths = [widths]  # of all axes
    pairs = [2 * tuple(pair) if len(pair) == 1 else tuple(pair) for pair in widths]
    pairs = pairs * x.ndim if len(pairs) == 1 else pairs
    if len(pairs) != x.ndim or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"pad: the width {pad_width} is no number, pair, or pair for each of {x.ndim} dimensions")
    return _core.pad(x, [before for before, _ in pairs], [after for _, after in pairs], value, how)


def permute_dims(x: Array, /, axes: Sequence[int]) -> Array:
    """Put the axes in another order."""
    return _core.transpose(x, axes)


def _axis(axis: int, rank: int, what: str) -> int:
    if not -rank <= axis < rank:
        raise _core.AxisError(f"{what}: axis {axis} of an array of {rank} dimensions")
    return axis % rank


def _part(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    """Return the slice [start, stop) of one axis, which is not negative."""
    key: list[Any] = [slice(None)] * axis
    return x[(*key, slice(start, stop))]


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """Take an array apart along an axis.

    >>> import tme
    >>> [row.tolist() for row in tme.unstack(tme.reshape(tme.arange(4), (2, 2)))]
    [[0, 1], [2, 3]]
    """
    rows = _core.moveaxis(x, axis, 0)
    return tuple(rows[i] for i in range(rows.shape[0]))


def _split(x: Array, parts: int | Sequence[int], axis: int, what: str, even: builtins.bool) -> list[Array]:
    axis = _axis(axis, x.ndim, what)
    n = x.shape[axis]
    if isinstance(parts, int):
        if parts < 1:
            raise ValueError(f"{what}: into {parts} parts, expected 1 or more")
        if even and n % parts:
            raise ValueError(f"{what}: {n} elements along axis {axis} are not {parts} equal parts")
        short, longer = divmod(n, parts)
        parts = [i * short + min(i, longer) for i in range(1, parts)]
    ends = [*parts, None]
    return [_part(x, axis, start, stop) for start, stop in zip([0, *parts], ends, strict=True)]


def split(x: Array, parts: int | Sequence[int], /, axis: int = 0) -> list[Array]:
    """Take an array apart along an axis: into so many equal parts, or at these places.

    >>> import tme
    >>> [part.tolist() for part in tme.split(tme.arange(5), [2, 3])]
    [[0, 1], [2], [3, 4]]
    """
    return _split(x, parts, axis, "split", True)


def array_split(x: Array, parts: int | Sequence[int], /, axis: int = 0) -> list[Array]:
    """Take an array apart as split does; parts that cannot be equal are longer at the beginning.

    >>> import tme
    >>> [part.tolist() for part in tme.array_split(tme.arange(5), 2)]
    [[0, 1, 2], [3, 4]]
    """
    return _split(x, parts, axis, "array_split", False)


def repeat(x: Array, repeats: int | Array, /, *, axis: int | None = None) -> Array:
    """Repeat each element along an axis, all as often or each as often as an array says. Without an axis, all in their order.

    >>> import tme
    >>> tme.repeat(tme.arange(3), 2).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    if isinstance(repeats, int) or repeats.size == 1:
        return _core.repeat(x, int(repeats), axis)
    if axis is None:
        x, axis = _core.ravel(x), 0
    n = x.shape[_axis(axis, x.ndim, "repeat")]
    if repeats.shape != (n,):
        raise ValueError(f"repeat: {repeats.shape} repeats for {n} elements")
    counts = repeats.tolist()
    if any(times < 0 for times in counts):
        raise ValueError("repeat: a number of repetitions is negative")
    places = [i for i, times in enumerate(counts) for _ in range(times)]
    return _core.take(x, _core.asarray(places, dtype=_core.int64), axis=axis)


# ---- choosing


def select(conditions: Sequence[Array], choices: Sequence[_ArrayLike], default: _ArrayLike = 0) -> Array:
    """Take each element of the first of the choices whose condition is true there, of none the default.

    >>> import tme
    >>> x = tme.arange(4)
    >>> tme.select([x < 1, x < 3], [x + 10, x + 20], -1).tolist()
    [10, 21, 22, -1]
    """
    if len(conditions) != len(choices) or not choices:
        raise ValueError(f"select: {len(conditions)} conditions and {len(choices)} choices, expected as many, one or more")
    y = default
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        y = _core.where(condition, choice, y)
    return _core.asarray(y)


def choose(x: Array, choices: Sequence[_ArrayLike], /, mode: str = "raise") -> Array:
    """Take each element of that one of the choices, which broadcast to each other, whose number x holds.

    >>> import tme
    >>> tme.choose(tme.array([0, 1, 1]), [tme.arange(3), tme.arange(3) + 10]).tolist()
    [0, 11, 12]
    """
    parts = broadcast_arrays(x, *(_core.asarray(choice) for choice in choices))
    numbers, all_choices = parts[0], _core.stack(parts[1:])
    return _core.take_along_axis(all_choices, _core.expand_dims(_places(numbers, len(choices), mode), 0), axis=0)[0]


def _places(indices: Array, n: int, mode: str) -> Array:
    """Return the indices, brought into range as the mode says."""
    if mode == "raise":
        return indices
    if mode == "wrap":
        return _core.remainder(_core.astype(indices, _core.int64), n)
    if mode == "clip":
        return _core.clip(_core.astype(indices, _core.int64), 0, n - 1)
    raise ValueError(f"mode is {mode!r}, expected 'raise', 'wrap' or 'clip'")


def take(x: _ArrayLike, indices: _ArrayLike, axis: int | None = None, mode: str = "raise") -> Array:
    """Take the elements with these numbers along an axis, without one of all in their order. Negative numbers count from the end;
    others out of range are an error, or with mode "wrap" begin again, with "clip" are the nearest.

    >>> import tme
    >>> tme.take(tme.arange(5) * 10, tme.array([-1, 7, 2]), mode="wrap").tolist()
    [40, 20, 20]
    """
    if mode != "raise":
        x = _core.asarray(x)
        n = x.size if axis is None else x.shape[_axis(axis, x.ndim, "take")]
        indices = _places(_core.asarray(indices), n, mode)
    return _core.take(x, indices, axis)


def compress(condition: Array, x: Array, /, axis: int | None = None) -> Array:
    """Take what stands where the vector of conditions is true along an axis, without one of all elements in their order.

    >>> import tme
    >>> tme.compress(tme.array([True, False, True]), tme.arange(4)).tolist()
    [0, 2]
    """
    places = _core.argwhere(condition)
    if condition.ndim != 1:
        raise ValueError(f"compress: the condition has {condition.ndim} dimensions, expected 1")
    return _core.take(x, places[:, 0], axis)


def extract(condition: Array, x: Array, /) -> Array:
    """Take the elements where the condition is true, as a vector.

    >>> import tme
    >>> tme.extract(tme.arange(6) % 2 == 1, tme.arange(6)).tolist()
    [1, 3, 5]
    """
    return compress(_core.ravel(condition), x)


# ---- arithmetic


def bitwise_left_shift(x1: Array | int, x2: Array | int, /) -> Array:
    """Shift bits towards the higher ones."""
    return _core.left_shift(x1, x2)


def bitwise_right_shift(x1: Array | int, x2: Array | int, /) -> Array:
    """Shift bits towards the lower ones, with the sign."""
    return _core.right_shift(x1, x2)


def _is_number(x: object) -> builtins.bool:
    return isinstance(x, (int, float)) or getattr(x, "ndim", 1) == 0


def gradient(
    y: _ArrayLike, /, *spacing: float | _ArrayLike, axis: int | Sequence[int] | None = None, edge_order: int = 1
) -> Array | tuple[Array, ...]:
    """Find the derivatives along the axes, along all without any: an array, or of several axes one for each. The spacing is the
    distance of neighbours, or for each axis its own, or the vector of its places.

    >>> import tme
    >>> tme.gradient(tme.array([1.0, 2.0, 4.0, 7.0]), 0.5).tolist()
    [2.0, 3.0, 5.0, 6.0]
    """
    y = _core.asarray(y)
    axes = tuple(range(y.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if not spacing or (len(spacing) == 1 and _is_number(spacing[0])):
        spacing = (spacing or (1.0,)) * len(axes)
    if len(spacing) != len(axes):
        raise TypeError(f"gradient: {len(spacing)} spacings for {len(axes)} axes")
    found = tuple(
        _core.gradient(y, None, float(_core.asarray(step)), d, edge_order)
        if _is_number(step)
        else _core.gradient(y, step, 1.0, d, edge_order)
        for d, step in zip(axes, spacing, strict=True)
    )
    return found[0] if len(found) == 1 else found


# ---- products


def tensordot(x1: Array, x2: Array, /, *, axes: int | tuple[_Ints, _Ints] = 2) -> Array:
    """Sum up products over axes of both: over the last ones of the first and the first ones of the second, or over those given.

    >>> import tme
    >>> tme.tensordot(tme.ones((2, 3, 4)), tme.ones((3, 4, 5))).shape
    (2, 5)
    """
    if isinstance(axes, int):
        return _core.tensordot(x1, x2, axes)
    return _core.tensordot(x1, x2, x_axes=axes[0], y_axes=axes[1])


def einsum(subscripts: str | Sequence[_ArrayLike], /, *operands: Any) -> Array:
    """Sum up products as the subscripts say it, in the order of pairs that takes the fewest multiplications. The operands may also
    stand in front of the subscripts, in one list.

    >>> import tme
    >>> tme.einsum("ij,jk->ik", tme.ones((2, 3)), tme.ones((3, 4))).shape
    (2, 4)
    """
    if isinstance(subscripts, str):
        return _core.einsum(operands, subscripts)
    return _core.einsum(subscripts, *operands)


def einsum_path(subscripts: str | Sequence[_ArrayLike], /, *operands: Any) -> tuple[list[Any], str]:
    """Tell in which order einsum multiplies: a list as NumPy's, of the places of each pair among the operands that are left, whose
    product becomes the last of them; and the same in words. The shapes of the operands decide alone.

    >>> import tme
    >>> tme.einsum_path("ij,jk,kl->il", tme.ones((9, 2)), tme.ones((2, 9)), tme.ones((9, 2)))[0]
    ['einsum_path', (1, 2), (0, 1)]
    """
    arrays, text = (operands, subscripts) if isinstance(subscripts, str) else (subscripts, *operands)
    pairs = [tuple(pair) for pair in _core.einsum_order(arrays, text).tolist()] or [(0,)]
    lines = [f"{i}. operands {' and '.join(map(str, pair))} of {len(arrays) - i}" for i, pair in enumerate(pairs)]
    return ["einsum_path", *pairs], "\n".join([f"einsum {text!r}:", *lines])
