"""Sorting, searching, sets, counting and quantiles against NumPy."""

import itertools
import warnings

import numpy as np
import pytest
import tme

rng = np.random.default_rng(2)
DTYPES = ["bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]


def some(shape, dtype, few=False):
    """Numbers of both signs where there are such; of floats NaN, infinities and zeros of both signs among them."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(0 if few else limits.min, 10 if few else limits.max, shape, dtype=dtype, endpoint=True)
    x = rng.integers(-5, 5, shape) / 2 if few else rng.standard_normal(shape) * 100
    if dtype.kind == "c":
        x = x + 1j * (rng.integers(-3, 3, shape) / 2 if few else rng.standard_normal(shape))
    x = np.asarray(x).astype(dtype)
    for v in (np.nan, np.inf, -np.inf, 0.0, -0.0):
        x[rng.random(shape) < 0.03] = v
    return x


def same(got, expected):
    got = np.asarray(got)
    assert got.shape == expected.shape and got.dtype == expected.dtype
    assert np.array_equal(got, expected, equal_nan=expected.dtype.kind in "fc")
    if expected.dtype.kind == "f":
        zero = expected == 0
        assert np.array_equal(np.signbit(got[zero]), np.signbit(expected[zero]))


@pytest.mark.parametrize("dtype", DTYPES + COMPLEX)
@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis"), [((300,), 0), ((5, 7, 9), 1), ((40, 3), 0), ((70000,), -1), ((1, 0), 1), ((64, 1000), 1)]
)
def test_sort(dtype, few, shape, axis):
    x = some(shape, dtype, few)
    same(tme.sort(x, axis=axis), np.sort(x, axis=axis, kind="stable"))
    places = np.argsort(x, axis=axis, kind="stable")
    same(tme.argsort(x, axis=axis), places)
    same(tme.sort(tme.array(x), axis=axis), np.take_along_axis(x, places, axis))


@pytest.mark.parametrize("dtype", DTYPES)
def test_descending_is_stable_and_ends_with_nan(dtype):
    x = some(2000, dtype, True)
    numbers = np.where(x != x, -np.inf, x) if x.dtype.kind == "f" else x.astype("float64")
    places = np.array(sorted(range(x.size), key=lambda i: (x[i] != x[i], -numbers[i])))
    same(tme.argsort(x, descending=True), places)
    same(tme.sort(x, descending=True), x[places])
    values, indices = tme.topk(x, 7)
    same(indices, places[:7])
    same(values, x[places[:7]])
    same(tme.topk(x, 1500)[1], places[:1500])
    same(tme.topk(x, 9, largest=False)[1], np.argsort(x, kind="stable")[:9])


def test_sort_without_axis():
    x = some((4, 5), "int32")
    same(tme.sort(x, axis=None), np.sort(x, axis=None))
    same(tme.argsort(x, axis=None), np.argsort(x, axis=None, kind="stable"))


def test_views_are_sorted():
    x = some((60, 50), "float32")
    for v in (x.T, x[::-1, ::2], x[:, 3]):
        same(tme.sort(v, axis=0), np.sort(v, axis=0, kind="stable"))


@pytest.mark.parametrize("n", [1, 2, 47, 48, 49, 1000, 8191, 8192, 40000])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_topk_of_all_lengths(n, dtype):
    x = some(n, dtype)
    order = np.argsort(x, kind="stable")
    for k in {0, 1, min(n, 5), n // 5, n // 2, n}:
        values, indices = tme.topk(x, k, largest=False)
        same(indices, order[:k])
        same(values, x[order[:k]])


def test_topk_along_an_axis():
    x = some((6, 50, 3), "float64")
    values, indices = tme.topk(x, 4, axis=1)
    same(values, np.take_along_axis(x, np.asarray(indices), 1))
    same(indices, np.argsort(-x, axis=1, kind="stable")[:, :4])


def test_partition():
    x = some((5, 60), "float32")
    for kth in (0, 7, -1):
        y = np.asarray(tme.partition(x, kth))
        assert np.array_equal(y[:, kth], np.partition(x, kth)[:, kth], equal_nan=True)
        assert np.array_equal(np.take_along_axis(x, np.asarray(tme.argpartition(x, kth)), 1)[:, kth], y[:, kth], equal_nan=True)
    with pytest.raises(ValueError, match="kth is 60"):
        tme.partition(x, 60)


def test_what_sorts_refuse():
    x = tme.array([1.0, 2.0, 3.0])
    with pytest.raises(IndexError, match="axis 1"):
        tme.sort(x, axis=1)
    with pytest.raises(IndexError, match="no axes"):
        tme.sort(tme.array(1.0))
    with pytest.raises(ValueError, match="k is 4, expected 0 to 3"):
        tme.topk(x, 4)
    with pytest.raises(TypeError, match="topk"):
        tme.topk(tme.array([1j]), 1)


# ---- searching


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(dtype, side):
    for n in (0, 1, 2, 7, 100):
        x, v = some(n, dtype, True), some((13, 5), dtype, True)
        order = np.argsort(x, kind="stable")
        same(tme.searchsorted(x[order], v, side=side), np.searchsorted(x[order], v, side=side))
        same(tme.searchsorted(x, v, side=side, sorter=order), np.searchsorted(x, v, side=side, sorter=order))


def test_searchsorted_refuses():
    x = tme.array([1.0, 2.0])
    with pytest.raises(ValueError, match="vector"):
        tme.searchsorted(tme.zeros((2, 2)), x)
    with pytest.raises(IndexError):
        tme.searchsorted(x, x, sorter=tme.array([0, 2])).eval()
    with pytest.raises(ValueError, match="sorter"):
        tme.searchsorted(x, x, sorter=tme.array([0]))


@pytest.mark.parametrize("right", [False, True])
def test_digitize(right):
    x = some((40, 3), "float64", True)
    for bins in ([-2.0, -1.0, 0.0, 0.5, 2.0], [2.0, 1.0, 1.0, -1.0], [0.5], []):
        same(tme.digitize(x, np.array(bins), right=right), np.digitize(x, np.array(bins), right=right))
    with pytest.raises(ValueError, match="neither rise nor fall"):
        tme.digitize(x, np.array([1.0, 2.0, 1.0])).eval()


# ---- sets


@pytest.mark.parametrize("dtype", DTYPES + COMPLEX)
@pytest.mark.parametrize("shape", [(500,), (6, 7), (0,), (), (40000,)])
def test_unique(dtype, shape):
    x = some(shape or (1,), dtype, True).reshape(shape)
    values, indices, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    for got in (tme.unique_values(x), tme.unique_counts(x).values, tme.unique_inverse(x).values, tme.unique_all(x).values):
        assert np.array_equal(got, values, equal_nan=values.dtype.kind in "fc")
    same(tme.unique_counts(x).counts, counts)
    same(tme.unique_inverse(x).inverse_indices, inverse.reshape(x.shape))
    all_of_it = tme.unique_all(x)
    same(all_of_it.indices, indices)
    same(all_of_it.inverse_indices, inverse.reshape(x.shape))
    same(all_of_it.counts, counts)


def test_unique_keeps_the_sign_of_zero():
    assert np.signbit(tme.unique_values(np.array([1.0, -0.0, 0.0])).tolist()[0])
    assert not np.signbit(tme.unique_values(np.array([1.0, 0.0, -0.0])).tolist()[0])


def test_unique_of_a_size():
    x = tme.array([3, 1, 3, 7])
    assert tme.unique_values(x, size=5).tolist() == [1, 3, 7, 1, 1]
    assert tme.unique_values(x, size=2).tolist() == [1, 3]
    assert [a.tolist() for a in tme.unique_all(x, size=4)] == [[1, 3, 7, 1], [1, 0, 3, 1], [1, 0, 1, 2], [1, 2, 1, 0]]
    assert tme.unique_values(tme.zeros(0), size=2).tolist() == [0, 0]
    f = tme.compile(lambda x: tuple(tme.unique_counts(x, size=4)))
    assert [a.tolist() for a in f(x)] == [[1, 3, 7, 1], [1, 2, 1, 0]]
    for g in (tme.unique_values, tme.bincount, lambda x: tme.union1d(x, x), tme.nonzero):
        with pytest.raises(tme.TraceError, match="size"):
            tme.compile(g)(x)


@pytest.mark.parametrize("dtype", DTYPES + COMPLEX)
def test_sets(dtype):
    x, y = some((20, 3), dtype, True), some(15, dtype, True)
    if x.dtype.kind in "fc":  # NumPy takes all NaN for one there
        x, y = np.nan_to_num(x), np.nan_to_num(y)
    same(tme.isin(x, y), np.isin(x, y))
    same(tme.isin(x, y, invert=True), np.isin(x, y, invert=True))
    for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d"):
        expected = getattr(np, name)(x, y)
        got = getattr(tme, name)(x, y)
        assert np.array_equal(got, expected) and got.dtype.name == expected.dtype.name
        sized = tme.compile(lambda x, y, f=getattr(tme, name): f(x, y, size=90))(tme.array(x), tme.array(y))
        assert np.array_equal(np.asarray(sized)[: expected.size], expected)
        assert np.all(np.asarray(sized)[expected.size :] == (expected[0] if expected.size else 0))


def test_sets_of_nothing_and_of_nan():
    none, x = np.zeros(0), np.array([1.0, np.nan, np.nan])
    for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d"):
        f, g = getattr(tme, name), getattr(np, name)
        for a, b in ((none, none), (none, np.ones(2)), (np.ones(2), none)):
            assert np.array_equal(f(a, b), g(a, b))
    assert tme.isin(x, x).tolist() == [True, False, False]
    assert tme.intersect1d(x, x).tolist() == [1.0]
    assert tme.union1d(x, none).size == 3


# ---- counting


@pytest.mark.parametrize("dtype", DTYPES + COMPLEX)
def test_count_nonzero(dtype):
    x = some((5, 6, 7), dtype, True)
    for axis, keepdims in itertools.product((None, 0, -1, (0, 2)), (False, True)):
        same(tme.count_nonzero(x, axis=axis, keepdims=keepdims), np.asarray(np.count_nonzero(x, axis=axis, keepdims=keepdims)))
    same(tme.flatnonzero(x), np.flatnonzero(x))
    for got, expected in zip(tme.nonzero(x), np.nonzero(x), strict=True):
        same(got, expected)


def test_bincount():
    x = rng.integers(0, 50, 30000)
    same(tme.bincount(x), np.bincount(x))
    same(tme.bincount(x.astype("uint8"), minlength=99), np.bincount(x, minlength=99))
    weights = rng.standard_normal(x.size)
    assert np.allclose(tme.bincount(x, weights), np.bincount(x, weights), rtol=1e-12)
    same(tme.bincount(x, weights=x), np.bincount(x, x).astype("int64"))
    same(tme.bincount(np.zeros(0, "int64"), minlength=3), np.zeros(3, "int64"))
    same(tme.bincount(np.zeros(0, "int64")), np.zeros(0, "int64"))
    same(tme.bincount(x, size=20), np.bincount(x)[:20])
    assert tme.bincount(tme.array([True, False, True])).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"x\[1\] is -1"):
        tme.bincount(tme.array([1, -1])).eval()
    with pytest.raises(ValueError, match=r"x\[0\] is -3"):
        tme.bincount(tme.array([-3])).eval()
    with pytest.raises(TypeError):
        tme.bincount(tme.array([1.5]))
    with pytest.raises(MemoryError):
        tme.bincount(tme.array([2**62])).eval()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
def test_histogram(dtype):
    x = some(50000, dtype, True)
    x = np.nan_to_num(x, posinf=3, neginf=-3)
    edges = {"dtype": "float64"} if dtype == "float64" else {"dtype": "float32"}
    for kwargs in ({}, {"bins": 37}, {"range": (-1, 2), "bins": 6}, {"bins": [-2, 0, 1, 5]}, {"bins": 7, "density": True}):
        hist, at = np.histogram(x, **kwargs)
        got, got_at = tme.histogram(x, **kwargs)
        assert np.allclose(got_at, at, rtol=1e-6, atol=1e-6) and got_at.dtype.name == edges["dtype"]
        assert np.allclose(got, hist, rtol=1e-5) and (got.dtype == tme.int64) == (not kwargs.get("density"))
    weights = rng.standard_normal(x.size)
    assert np.allclose(tme.histogram(x, weights=weights)[0], np.histogram(x, weights=weights)[0])
    assert np.allclose(tme.histogram(x, weights=weights, density=True)[0], np.histogram(x, weights=weights, density=True)[0])


def test_histogram_of_many():
    x = rng.standard_normal(200000)
    hist, at = np.histogram(x, 1000)
    got, got_at = tme.histogram(x, 1000)
    same(got, hist)
    same(got_at, at)
    assert int(tme.sum(got)) == x.size


def test_histogram_refuses():
    x = tme.array([1.0, 2.0])
    for kwargs, words in (
        ({"bins": 0}, "0 bins"),
        ({"bins": [1.0]}, "two or more"),
        ({"bins": [2.0, 1.0]}, "do not rise"),
        ({"range": (2, 1)}, "ascending"),
        ({"weights": [1.0]}, "weights of shape"),
    ):
        with pytest.raises(ValueError, match=words):
            tme.histogram(x, **kwargs)[0].eval()
    with pytest.raises(ValueError, match="finite"):
        tme.histogram(tme.array([1.0, float("nan")]))[0].eval()
    assert tme.histogram(tme.zeros(0), 2)[1].tolist() == [0.0, 0.5, 1.0]


def test_histogram2d():
    x, y = rng.standard_normal((2, 5000))
    for kwargs in ({}, {"bins": (4, 6)}, {"bins": 5, "range": [[-1, 1], [0, 2]]}, {"bins": ([-1, 0, 1], 3), "density": True}):
        for got, expected in zip(tme.histogram2d(x, y, **kwargs), np.histogram2d(x, y, **kwargs), strict=True):
            assert np.allclose(got, expected)


# ---- quantiles

METHODS = [
    "linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
    "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_quantile(method):
    for n in (1, 2, 7, 100, 3000):
        x = rng.standard_normal((n, 3))
        for q in (0.0, 0.25, 0.5, 1.0, 0.3, [0.1, 0.9], [[0.2, 0.4, 0.5], [0.0, 0.75, 1.0]]):
            expected = np.asarray(np.quantile(x, q, axis=0, method=method))
            got = tme.quantile(x, q, axis=0, method=method)
            assert got.shape == expected.shape and np.allclose(got, expected, rtol=1e-12, atol=1e-12)
            got = tme.percentile(x, 100 * np.asarray(q), axis=0, method=method)
            assert np.allclose(got, np.percentile(x, 100 * np.asarray(q), axis=0, method=method), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_median(dtype):
    x = some((9, 10, 4), dtype)
    if x.dtype.kind == "f":
        x = np.nan_to_num(x, posinf=9, neginf=-9)
    for axis, keepdims in itertools.product((None, 1, (0, -1)), (False, True)):
        got, expected = (
            tme.median(x, axis=axis, keepdims=keepdims),
            np.median(x.astype("float64"), axis=axis, keepdims=keepdims),
        )
        assert got.shape == np.shape(expected) and np.allclose(got, expected, rtol=1e-3 if dtype == "float16" else 1e-6)
    assert got.dtype.name == (dtype if dtype.startswith("float") else "float32")


def test_quantiles_and_nan():
    x = rng.standard_normal((40, 5))
    x[3, 1] = x[7, 1] = np.nan
    x[:, 4] = np.nan
    assert np.allclose(tme.median(x, axis=0), np.median(x, axis=0), equal_nan=True)
    assert np.allclose(tme.quantile(x, 0.3, axis=0), np.quantile(x, 0.3, axis=0), equal_nan=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.allclose(tme.nanmedian(x, axis=0), np.nanmedian(x, axis=0), equal_nan=True)
        assert np.allclose(tme.nanquantile(x, [0.2, 0.9], axis=0), np.nanquantile(x, [0.2, 0.9], axis=0), equal_nan=True)
        assert np.allclose(tme.nanpercentile(x, 35, axis=0), np.nanpercentile(x, 35, axis=0), equal_nan=True)


def test_quantiles_of_infinities():
    inf = float("inf")
    assert tme.median(tme.array([inf, inf, 1.0, inf])).item() == inf
    assert tme.quantile(tme.array([-inf, 1.0, inf]), 0.5).item() == 1.0


def test_what_quantiles_refuse():
    x = tme.array([1.0, 2.0])
    with pytest.raises(ValueError, match=r"q is 1.5, expected 0 to 1"):
        tme.quantile(x, 1.5).eval()
    with pytest.raises(ValueError, match="q is nan"):
        tme.percentile(x, float("nan")).eval()
    with pytest.raises(ValueError, match="no elements"):
        tme.median(tme.zeros((0, 3)), axis=0)
    with pytest.raises(ValueError, match="method"):
        tme.quantile(x, 0.5, method="best")
    with pytest.raises(TypeError):
        tme.median(tme.array([1j]))
