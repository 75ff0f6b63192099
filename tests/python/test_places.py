"""Elements by their numbers along an axis, and the places of what is not zero."""

import numpy as np
import pytest
import tme

rng = np.random.default_rng(1)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_along_axis(axis):
    x = rng.standard_normal((4, 5, 6)).astype("float32")
    shape = list(x.shape)
    shape[axis] = 3
    k = rng.integers(-x.shape[axis], x.shape[axis], shape)
    assert np.array_equal(tme.take_along_axis(x, k, axis=axis), np.take_along_axis(x, k, axis))
    v, expected = rng.standard_normal(shape).astype("float32"), x.copy()
    np.put_along_axis(expected, k, v, axis)
    assert np.array_equal(tme.put_along_axis(x, k, v, axis=axis), expected)
    with pytest.raises(IndexError):
        tme.take_along_axis(x, k + 7, axis=axis).eval()


def test_sorted_rows():
    x = tme.array([[3, 1], [2, 5]])
    assert tme.take_along_axis(x, tme.argmax(x, axis=1, keepdims=True), axis=1).tolist() == [[3], [5]]


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 0, 3), (), (2, 3, 4)])
def test_argwhere(shape):
    x = rng.integers(0, 2, shape)
    expected = np.argwhere(x).reshape(np.count_nonzero(x), x.ndim)
    assert np.array_equal(tme.argwhere(x), expected)
    assert tme.argwhere(x, size=2).shape == (2, x.ndim)
    if x.ndim:
        assert [list(a) for a in np.nonzero(x)] == [a.tolist() for a in tme.nonzero(x)]


def test_size_of_traced():
    with pytest.raises(tme.TraceError, match="size"):
        tme.compile(lambda x: tme.argwhere(x))(tme.array([1]))
    assert tme.compile(lambda x: tme.argwhere(x, size=1))(tme.array([0, 1])).tolist() == [[1]]
