"""Indices in all forms, as NumPy has them."""

import numpy as np
import pytest
import tme

N = np.arange(2 * 3 * 4).reshape(2, 3, 4)
MASK = N % 3 == 0

KEYS = [
    0, -1, (0, 1), (0, 1, 2), slice(None), slice(1, None), (slice(None), slice(None, None, -1)), (..., 1), (0, ...), ...,
    None, (None, 0), (0, None, ..., None), (slice(None), 1), (slice(0, 0),), (slice(5, 100),), (slice(None), slice(-2, None)),
    [0, 1], [[0, 1], [1, 0]], (slice(None), [0, 2]), ([0, 1], [1, 2]), ([0, 1], slice(None), [1, 3]), (0, slice(None), [1, 3]),
    (np.array([[0], [1]]), np.array([[0, 1]])), ([1], 2, [3]), [], np.array(1), True, False, (True, 0), MASK,
    (slice(None), MASK[0]), (0, MASK[0, :, 0]), ([True, False],), (MASK[:, :, 0], slice(1, 3)), np.zeros((2, 3), bool),
    (np.array([0, 1], dtype=np.uint8), -1), (..., [0, 1]), (None, [0, 1]), ([0], None, [0]),
]  # fmt: skip


def key_of(key):
    """With tme's arrays in place of NumPy's."""
    if isinstance(key, tuple):
        return tuple(key_of(k) for k in key)
    return tme.array(key) if isinstance(key, np.ndarray) else key


def nkey(key):
    if key == []:
        return np.array([], dtype=int)
    return key


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_get(key):
    expected = N[nkey(key) if isinstance(key, list) else key]
    for k in (key, key_of(key)):
        got = tme.array(N)[k]
        assert got.shape == expected.shape and np.array_equal(np.asarray(got), expected)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_set(key):
    expected, x = N.copy(), tme.array(N)
    place = nkey(key) if isinstance(key, list) else key
    values = -1 - np.arange(expected[place].size).reshape(expected[place].shape)
    expected[place] = values
    x[key_of(key)] = tme.array(values)
    assert np.array_equal(np.asarray(x), expected)
    x[key] = 5
    expected[place] = 5
    assert np.array_equal(np.asarray(x), expected)


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("name", ["add", "multiply", "min", "max"])
def test_at(key, name):
    ufunc = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}[name]
    expected, x = N.copy(), tme.array(N)
    ufunc.at(expected, nkey(key) if isinstance(key, list) else key, 7)
    assert np.array_equal(np.asarray(getattr(x.at[key_of(key)], name)(7)), expected)
    assert np.array_equal(np.asarray(x), N)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (2, IndexError), (-3, IndexError), ((0, 3), IndexError), ((0, 0, 0, 0), IndexError), ((..., ...), IndexError),
        ("a", IndexError), (1.5, IndexError), (np.array([1.5]), IndexError), (10**30, IndexError), (np.ones(5, bool), IndexError),
        (slice(None, None, 0), ValueError), (slice("a"), TypeError), ([5], IndexError), ([[0, 1], [0, 1, 2]], ValueError),
        (([0, 1], [0, 1, 2]), (IndexError, ValueError)), ((0,) * 70, IndexError),
    ],
    ids=str,
)  # fmt: skip
def test_refused(key, error):
    x = tme.array(N)
    with pytest.raises(error):
        x[key_of(key)].tolist()
    with pytest.raises(error):
        x[key_of(key)] = 1
        x.tolist()


def test_assignment():
    x = tme.zeros(3)
    before = x
    kept = x + 0
    x[1] = 2.5
    x[0] = [7]
    assert x is before and x.tolist() == [7, 2.5, 0] and kept.tolist() == [0, 0, 0]
    x[tme.array([True, False, True])] = tme.array([1, 2])
    assert x.tolist() == [1, 2.5, 2]
    x[0] += 1
    assert x.tolist() == [2, 2.5, 2]
    with pytest.raises(TypeError):
        del x[0]
    with pytest.raises(ValueError):
        x[:2] = [1, 2, 3]
    small = tme.array([1, 2], dtype="uint8")
    with pytest.raises(ValueError, match="300"):
        small[0] = 300
    small[0] = tme.array(7.9)
    assert small.dtype == "uint8" and small.tolist() == [7, 2]


def test_repeated_indices():
    x = tme.zeros(3)
    assert x.at[[0, 0, 2]].add(1).tolist() == [2, 0, 1]
    assert x.at[[0, 0]].set([1, 2]).tolist() == [2, 0, 0]
    assert x.at[1].get().item() == 0
    with pytest.raises(TypeError):
        x.at.set(1)
    with pytest.raises(TypeError):
        x.at[0][1]


def test_iteration():
    x = tme.array(N)
    assert [row.tolist() for row in x] == N.tolist()
    assert len(x) == 2 and 5 in tme.arange(6) and 7 not in tme.arange(6)
    assert sum(tme.arange(4)).item() == 6
    first, second = x
    assert second.tolist() == N[1].tolist()


def test_mask_of_extent_0():
    x = tme.ones((2, 1, 3))
    assert x[tme.zeros((2, 0), dtype="bool")].shape == (0, 3)
    assert x[tme.zeros((0,), dtype="bool")].shape == (0, 1, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: tme.expand_dims(x, 4), lambda x: tme.sum(x, axis=4), lambda x: tme.permute_dims(x, (0, 1, 4)),
        lambda x: tme.moveaxis(x, 0, 4),
    ],
)  # fmt: skip
def test_axis_out_of_range(call):
    with pytest.raises(tme.AxisError, match="axis 4") as e:
        call(tme.array(N))
    assert isinstance(e.value, ValueError) and isinstance(e.value, IndexError)
