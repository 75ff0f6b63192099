"""Places of elements."""

from __future__ import annotations

from . import _core


def nonzero(x: _core.Array, /) -> tuple[_core.Array, ...]:
    """The indices of the elements that are not zero: one array of int64 for each axis. Evaluates x.

    >>> [axis.tolist() for axis in tme.nonzero(tme.array([[0, 3], [4, 0]]))]
    [[0, 1], [1, 0]]
    """
    if x.ndim == 0:
        raise ValueError("nonzero: the array has no axes, and so no indices")
    places = _core.argwhere(x)
    return tuple(places[:, axis] for axis in range(x.ndim))
