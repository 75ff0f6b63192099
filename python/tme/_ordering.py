"""What the array API standard and NumPy have of sorting, sets and counting beside the operations of the table: other names and
arguments for them.
"""

from __future__ import annotations

from collections import namedtuple

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Sequence

    from ._core import Array, _ArrayLike, _Ints

__all__ = [
    "argsort", "histogram", "histogram2d", "nanpercentile", "nanquantile", "nonzero", "percentile", "quantile", "sort",
    "unique_all", "unique_counts", "unique_inverse", "where",
]  # fmt: skip


UniqueAll = namedtuple("UniqueAll", ["values", "indices", "inverse_indices", "counts"])
UniqueCounts = namedtuple("UniqueCounts", ["values", "counts"])
UniqueInverse = namedtuple("UniqueInverse", ["values", "inverse_indices"])


def sort(x: _ArrayLike, /, axis: int | None = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Array:
    """Sort each line along an axis, all elements without one; NaN is last. Every sort is stable.

    >>> import tme
    >>> tme.sort(tme.array([3, 1, 2]), descending=True).tolist()
    [3, 2, 1]
    """
    return _core.sort(x, axis, descending)


def argsort(x: _ArrayLike, /, axis: int | None = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Array:
    """Find the indices that sort each line along an axis, all elements without one. Equal elements keep their order.

    >>> import tme
    >>> tme.argsort(tme.array([3, 1, 2])).tolist()
    [1, 2, 0]
    """
    return _core.argsort(x, axis, descending)


def unique_all(x: _ArrayLike, /, size: int = -1) -> UniqueAll:
    """Find the values of x, each once, ascending, the index of the first such element, the index of each element's value, and
    how often each value is there.

    >>> import tme
    >>> tme.unique_all(tme.array([3, 1, 3])).inverse_indices.tolist()
    [1, 0, 1]
    """
    return UniqueAll(*_core.unique_all(x, size))


def unique_counts(x: _ArrayLike, /, size: int = -1) -> UniqueCounts:
    """Find the values of x, each once, ascending, and how often each one is there.

    >>> import tme
    >>> tme.unique_counts(tme.array([3, 1, 3])).counts.tolist()
    [1, 2]
    """
    return UniqueCounts(*_core.unique_counts(x, size))


def unique_inverse(x: _ArrayLike, /, size: int = -1) -> UniqueInverse:
    """Find the values of x, each once, ascending, and the index of each element's value.

    >>> import tme
    >>> tme.unique_inverse(tme.array([3, 1, 3])).inverse_indices.tolist()
    [1, 0, 1]
    """
    return UniqueInverse(*_core.unique_inverse(x, size))


def nonzero(x: _ArrayLike, /, size: int = -1) -> tuple[Array, ...]:
    """Find the indices of the elements that are not zero: an array for each axis.

    >>> import tme
    >>> [axis.tolist() for axis in tme.nonzero(tme.array([[0, 3], [4, 0]]))]
    [[0, 1], [1, 0]]
    """
    places = _core.argwhere(x, size)
    if not places.shape[1]:
        raise ValueError("nonzero: the array has no axes, and so no indices")
    return tuple(places[:, axis] for axis in range(places.shape[1]))


def where(condition: _ArrayLike, x: _ArrayLike | None = None, y: _ArrayLike | None = None, /) -> Array | tuple[Array, ...]:
    """Take x where the condition is true, else y; of a condition alone, find where it is true, as nonzero does.

    >>> import tme
    >>> tme.where(tme.array([True, False]), 1, 2).tolist()
    [1, 2]
    """
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise TypeError("where: takes x and y both or none")
    return _core.where(condition, x, y)


_Range = tuple[float, float] | None


def histogram(
    x: _ArrayLike,
    /,
    bins: int | _ArrayLike = 10,
    range: _Range = None,
    density: builtins.bool = False,
    weights: _ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Count the elements, or add up their weights, in bins of one width or between edges; the counts and the edges.

    >>> import tme
    >>> [part.tolist() for part in tme.histogram(tme.array([1.0, 2.0, 2.0, 5.0]), bins=2)]
    [[3, 1], [1.0, 3.0, 5.0]]
    """
    low, high = range or (None, None)
    count, edges = (bins, None) if isinstance(bins, int) else (10, bins)
    return _core.histogram(x, count, edges, low, high, density, weights)


def histogram2d(
    x: _ArrayLike,
    y: _ArrayLike,
    /,
    bins: int | Sequence[int | _ArrayLike] = 10,
    range: Sequence[_Range] | None = None,
    density: builtins.bool = False,
    weights: _ArrayLike | None = None,
) -> tuple[Array, Array, Array]:
    """Count the points (x, y) in the fields of a grid, a row for each bin of x; the counts and the edges of both.

    >>> import tme
    >>> tme.histogram2d(tme.array([0.0, 1.0]), tme.array([0.0, 1.0]), bins=2)[0].tolist()
    [[1, 0], [0, 1]]
    """
    xbins, ybins = (bins, bins) if isinstance(bins, int) else bins
    xcount, xedges = (xbins, None) if isinstance(xbins, int) else (10, xbins)
    ycount, yedges = (ybins, None) if isinstance(ybins, int) else (10, ybins)
    (xlow, xhigh), (ylow, yhigh) = (r or (None, None) for r in range or (None, None))
    return _core.histogram2d(x, y, xcount, ycount, xedges, yedges, xlow, xhigh, ylow, yhigh, density, weights)


def _exactly(f: Callable[..., Array], x: _ArrayLike, q: _ArrayLike, *rest: object) -> Array:
    """Apply f with the numbers q as they are, not rounded to the engine's precision."""
    return f(x, q if isinstance(q, (int, float, _core.Array)) else _core.asarray(q, dtype=_core.float64), *rest)


def quantile(
    x: _ArrayLike, q: _ArrayLike, axis: _Ints | None = None, keepdims: builtins.bool = False, method: str = "linear"
) -> Array:
    """Find below what a part q of the elements lies, 0 to 1, by one of NumPy's methods; NaN if there is one.

    >>> import tme
    >>> tme.quantile(tme.array([1.0, 2.0, 5.0]), [0.25, 0.5]).tolist()
    [1.5, 2.0]
    """
    return _exactly(_core.quantile, x, q, axis, keepdims, method)


def percentile(
    x: _ArrayLike, q: _ArrayLike, axis: _Ints | None = None, keepdims: builtins.bool = False, method: str = "linear"
) -> Array:
    """Find below what q of 100 parts of the elements lie; NaN if there is one.

    >>> import tme
    >>> tme.percentile(tme.array([1.0, 2.0, 5.0]), 50).item()
    2.0
    """
    return _exactly(_core.percentile, x, q, axis, keepdims, method)


def nanquantile(
    x: _ArrayLike, q: _ArrayLike, axis: _Ints | None = None, keepdims: builtins.bool = False, method: str = "linear"
) -> Array:
    """Find quantiles of the elements that are not NaN.

    >>> import tme
    >>> tme.nanquantile(tme.array([1.0, tme.nan, 5.0]), 0.5).item()
    3.0
    """
    return _exactly(_core.nanquantile, x, q, axis, keepdims, method)


def nanpercentile(
    x: _ArrayLike, q: _ArrayLike, axis: _Ints | None = None, keepdims: builtins.bool = False, method: str = "linear"
) -> Array:
    """Find percentiles of the elements that are not NaN.

    >>> import tme
    >>> tme.nanpercentile(tme.array([1.0, tme.nan, 5.0]), 50).item()
    3.0
    """
    return _exactly(_core.nanpercentile, x, q, axis, keepdims, method)
