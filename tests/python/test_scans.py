"""Scans, reductions of what is not NaN, differences and comparisons against NumPy's."""

import pytest
import tme

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy warns of NaN
RNG = np.random.default_rng(5)
SHAPES = [(7,), (1300,), (3, 5), (600, 4), (2, 3, 700), (0,), (3, 0, 2), (1,)]


def same(x, want, rtol=0.0, atol=0.0):
    x, want = np.asarray(x), np.asarray(want)
    assert x.dtype == want.dtype, (x.dtype, want.dtype)
    assert x.shape == want.shape
    np.testing.assert_allclose(x, want, rtol=rtol, atol=atol)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint32", "int64", "bool", "complex64", "complex128"])
def test_running_sums_and_products(dtype, shape):
    x = RNG.uniform(0, 3, shape) + (1j * RNG.uniform(0, 1, shape) if dtype.startswith("c") else 0)
    x = x.astype(dtype)
    y = (x / np.abs(x)).astype(dtype) if dtype.startswith("c") else x
    wide = {"float32": np.float64, "complex64": np.complex128}.get(dtype)
    eps = 1e-13 if wide is None else 1e-5
    for axis in range(-1, len(shape)):
        got = tme.cumsum(tme.asarray(x), axis)
        same(got, np.cumsum(x, axis, dtype=wide).astype(got.dtype.name), eps)
        assert got.dtype.name == np.cumsum(x, axis).dtype.name
        if dtype[0] != "f":
            same(tme.cumprod(tme.asarray(y), axis), np.cumprod(y, axis, dtype=wide).astype(np.cumprod(y, axis).dtype), eps)
        for initial in (False, True):
            got = tme.cumulative_sum(tme.asarray(x), axis=axis, include_initial=initial)
            want = np.cumulative_sum(x, axis=axis, include_initial=initial, dtype=wide or got.dtype.name)
            same(got, want.astype(got.dtype.name), eps)
    same(tme.cumsum(tme.asarray(x)), np.cumsum(x, dtype=wide).astype(np.cumsum(x).dtype), eps)


def test_dtypes_of_scans():
    x = tme.asarray([100, 100, 100], dtype=tme.int8)
    assert tme.cumulative_sum(x).tolist() == [100, 200, 300]
    assert tme.cumulative_sum(x, dtype=tme.int8).tolist() == [100, -56, 44]
    assert tme.cumulative_prod(x, dtype=tme.float64, include_initial=True).tolist() == [1.0, 1e2, 1e4, 1e6]
    assert tme.cumulative_sum(tme.asarray([1.5], dtype=tme.float16)).dtype == tme.float16


@pytest.mark.parametrize("shape", [s for s in SHAPES if 0 not in s])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint8", "bool"])
def test_running_extremes(dtype, shape):
    x = RNG.integers(0, 200, shape).astype(dtype)
    if dtype[0] == "f":
        x[RNG.random(shape) < 0.002] = np.nan
    for axis in range(len(shape)):
        for f, want in ((tme.cummax, np.maximum), (tme.cummin, np.minimum)):
            same(f(tme.asarray(x), axis), want.accumulate(x, axis))
            same(f(tme.asarray(x), axis, reverse=True), np.flip(want.accumulate(np.flip(x, axis), axis), axis))
    same(tme.cummax(tme.asarray(x)), np.maximum.accumulate(x.ravel()))


def test_reverse_and_exclusive():
    x = tme.asarray([1.0, 2.0, 3.0])
    assert tme.cumsum(x, reverse=True).tolist() == [6, 5, 3]
    assert tme.cumsum(x, inclusive=False).tolist() == [0, 1, 3]
    assert tme.cumsum(x, reverse=True, inclusive=False).tolist() == [5, 3, 0]
    assert tme.cumprod(x, inclusive=False).tolist() == [1, 1, 2]
    assert tme.cummax(x, inclusive=False).tolist() == [-np.inf, 1, 2]
    assert tme.cummin(tme.asarray([3, 1], dtype=tme.int8), inclusive=False).tolist() == [127, 3]
    assert tme.cumsum(tme.ones((2, 2))).tolist() == [1, 2, 3, 4]
    assert tme.cumsum(tme.asarray(2.0)).tolist() == [2]


@pytest.mark.parametrize("shape", [(5,), (2000,), (3, 700), (700, 3)])
def test_logcumsumexp(shape):
    x = RNG.standard_normal(shape) * 300
    for axis in range(len(shape)):
        same(tme.logcumsumexp(tme.asarray(x), axis), np.logaddexp.accumulate(x, axis), 1e-12)
    ends = np.array([-np.inf, -np.inf, 2.0, np.inf, 1.0, np.nan, 3.0])
    same(tme.logcumsumexp(tme.asarray(ends)), np.logaddexp.accumulate(ends))


def test_sums_of_long_vectors_are_exact_enough():
    x = np.full(3_000_000, 0.1, dtype=np.float32)
    want = np.cumsum(x, dtype=np.float64)
    got = np.asarray(tme.cumsum(tme.asarray(x)))
    assert np.max(np.abs(got - want) / want) < 1e-7
    y = RNG.uniform(0, 1, 2_000_000)
    total = float(np.sum(y.astype(np.longdouble)))
    assert abs(tme.cumsum(tme.asarray(y))[-1].item() - total) < 1e-12 * total


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads):
    x = RNG.standard_normal(300_000).astype(np.float32)
    y = RNG.standard_normal((1000, 130))
    with tme.Engine(threads=1):
        want = [
            np.asarray(f(tme.asarray(v), axis)) for f in (tme.cumsum, tme.logcumsumexp) for v, axis in ((x, 0), (y, 0), (y, 1))
        ]
    with tme.Engine(threads=threads):
        got = [
            np.asarray(f(tme.asarray(v), axis)) for f in (tme.cumsum, tme.logcumsumexp) for v, axis in ((x, 0), (y, 0), (y, 1))
        ]
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def test_views_are_scanned_where_they_lie():
    x = np.arange(60.0).reshape(5, 4, 3)
    for view in (x.T, x[::-1, ::2], np.broadcast_to(x[0], (3, 4, 3)), x[:, 1]):
        for axis in range(view.ndim):
            same(tme.cumsum(tme.asarray(view), axis), np.cumsum(view, axis))
        same(tme.cumsum(tme.asarray(view)), np.cumsum(view))


NAN = ["nansum", "nanprod", "nanmin", "nanmax", "nanmean", "nanvar", "nanstd", "nanargmin", "nanargmax"]


@pytest.mark.parametrize("name", NAN)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_what_is_not_nan(name, dtype):
    x = RNG.uniform(-2, 2, (5, 6, 7)).astype(dtype)
    if dtype[0] == "f":
        x[RNG.random(x.shape) < 0.3] = np.nan
        x[..., 0] = 1
    f, want = getattr(tme, name), getattr(np, name)
    eps = 1e-13 if dtype == "float64" else 1e-5
    axes = [None, 0, 1, -1] + ([(0, 2)] if "arg" not in name else [])
    for axis in axes:
        for keepdims in (False, True):
            right = want(x, axis=axis, keepdims=keepdims)
            got = np.asarray(f(tme.asarray(x), axis, keepdims=keepdims))
            assert got.shape == np.shape(right)
            np.testing.assert_allclose(got, right, rtol=eps, atol=eps)
    if name in ("nanvar", "nanstd"):
        np.testing.assert_allclose(np.asarray(f(tme.asarray(x), 0, correction=1)), want(x, 0, ddof=1), rtol=eps, atol=eps)


def test_nothing_but_nan():
    x = tme.asarray([[np.nan, np.nan], [1.0, np.inf]])
    for f, want in (
        (tme.nanmin, [np.nan, 1]), (tme.nanmax, [np.nan, np.inf]), (tme.nansum, [0, np.inf]), (tme.nanmean, [np.nan, np.inf]),
        (tme.nanargmax, [0, 1]), (tme.nanargmin, [0, 0]),
    ):  # fmt: skip
        np.testing.assert_array_equal(np.asarray(f(x, 1)), want)
    assert tme.nanargmin(tme.asarray([np.nan, np.inf])).item() == 1


def test_ptp():
    x = RNG.standard_normal((4, 5, 6))
    for axis in (None, 0, (1, 2)):
        same(tme.ptp(tme.asarray(x), axis), np.ptp(x, axis))


def test_diff():
    x = RNG.integers(0, 50, (4, 5, 6))
    for axis in range(3):
        for n in range(7):
            same(tme.diff(tme.asarray(x), n=n, axis=axis), np.diff(x, n, axis))
        one = x[tuple(slice(0, 1) if d == axis else slice(None) for d in range(3))]
        same(tme.diff(tme.asarray(x), axis=axis, prepend=tme.asarray(one), append=tme.asarray(9)), np.diff(x, 1, axis, one, 9))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int16", "uint8"])
def test_gradient(dtype, order):
    y = RNG.uniform(0, 50, (4, 5, 6)).astype(dtype)
    wide = np.float32 if dtype == "float32" else np.promote_types(dtype, np.float64)
    eps = 1e-4 if dtype == "float32" else 1e-12
    places = [np.sort(RNG.uniform(0, 1, n) + np.arange(n)) for n in y.shape]
    with tme.Engine(precision="float64"):
        a = tme.asarray(y)
        for given in ((), (0.25,), (0.25, 2, 3.0), places, (0.5, places[1], np.float64(2))):
            got, want = tme.gradient(a, *given, edge_order=order), np.gradient(y.astype(wide), *given, edge_order=order)
            assert len(got) == 3
            for g, w in zip(got, want, strict=True):
                same(tme.astype(g, wide.__name__ if isinstance(wide, type) else wide.name), w.astype(wide), eps, eps)
        for axis in (0, -1):
            want = np.gradient(y.astype(wide), 0.5, axis=axis, edge_order=order)
            same(tme.gradient(a, 0.5, axis=axis, edge_order=order), want, eps, eps)
        got, want = (
            tme.gradient(a, places[2], places[0], axis=(2, 0)),
            np.gradient(y.astype(wide), places[2], places[0], axis=(2, 0)),
        )
        np.testing.assert_allclose(np.asarray(got[1]), want[1], rtol=eps, atol=eps)
    assert tme.gradient(tme.asarray([1.0, 3.0])).tolist() == [2, 2]


def test_dtype_of_sums():
    x = RNG.integers(0, 100, (9, 7)).astype("uint8")
    a = tme.asarray(x)
    for dtype in ("uint8", "int16", "float32", "float64", "complex64", "bool"):
        same(tme.sum(a, axis=0, dtype=dtype), x.sum(0, dtype=dtype))
        same(a.prod(1, True, dtype), x.prod(1, dtype, keepdims=True), 1e-6)
    same(a.mean(0, dtype=tme.float64), x.mean(0, dtype="float64"), 1e-15)
    same(tme.mean(a, dtype="float16"), x.mean(dtype="float16"), 1e-2)
    same(tme.sum(tme.asarray([1.75, 2.5]), dtype="int32"), np.array([1.75, 2.5]).sum(dtype="int32"))


def test_trapezoid():
    y, x = RNG.standard_normal((4, 9)), np.sort(RNG.standard_normal((4, 9)))
    same(tme.trapezoid(tme.asarray(y)), np.trapezoid(y), 1e-13)
    same(tme.trapezoid(tme.asarray(y), dx=0.25, axis=0), np.trapezoid(y, dx=0.25, axis=0), 1e-13, 1e-15)
    same(tme.trapezoid(tme.asarray(y), tme.asarray(x)), np.trapezoid(y, x), 1e-13)
    same(tme.trapezoid(tme.asarray(y), tme.asarray(x[0])), np.trapezoid(y, x[0]), 1e-13)
    same(tme.trapezoid(tme.asarray(y), tme.asarray(x[:, 0]), axis=0), np.trapezoid(y, x[:, 0], axis=0), 1e-13, 1e-14)
    assert tme.trapezoid(tme.asarray([1.0])).item() == 0 and tme.trapezoid(tme.zeros(0)).item() == 0


def test_closeness():
    x = np.array([1.0, 1.0, np.nan, np.inf, np.inf, -np.inf, 1e-9, 0.0, 5.0])
    y = np.array([1.0 + 1e-6, 1.1, np.nan, np.inf, -np.inf, 1.0, 0.0, -0.0, np.inf])
    for dtype in ("float64", "float32", "complex128"):
        a, b = x.astype(dtype), y.astype(dtype)
        for equal_nan in (False, True):
            same(tme.isclose(tme.asarray(a), tme.asarray(b), equal_nan=equal_nan), np.isclose(a, b, equal_nan=equal_nan))
            assert tme.allclose(tme.asarray(a), tme.asarray(b), equal_nan=equal_nan).item() is False
    same(tme.isclose(tme.asarray([10, 12]), tme.asarray([11, 11]), atol=1.5), [True, True])
    assert tme.allclose(tme.asarray([1, 2]), tme.asarray([1.0, 2.0])).item() is True
    assert tme.array_equal(tme.asarray([1, 2]), tme.asarray([1.0, 2.0])).item() is True
    assert tme.array_equal(tme.zeros((2, 1)), tme.zeros(2)).item() is False
    assert tme.array_equal(tme.asarray(x), tme.asarray(x)).item() is False
    assert tme.array_equal(tme.asarray(x), tme.asarray(x), equal_nan=True).item() is True


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "int32"])
def test_nan_to_num(dtype):
    x = np.array([1, 0, -3]).astype(dtype)
    if dtype[0] != "i":
        x = np.append(x, np.array([np.nan, np.inf, -np.inf]).astype(dtype))
    if dtype[0] == "c":
        x = np.append(x, np.array([complex(1, np.nan), complex(-np.inf, np.inf)]).astype(dtype))
    same(tme.nan_to_num(tme.asarray(x)), np.nan_to_num(x))
    same(tme.nan_to_num(tme.asarray(x), 7, 8, -9), np.nan_to_num(x, nan=7, posinf=8, neginf=-9))


def test_activations_with_numbers():
    x = np.array([-3.0, -0.5, -0.25, 0.0, 0.25, 0.5, 3.0, np.inf, np.nan])
    a = tme.asarray(x)
    same(tme.leaky_relu(a, 0.1), np.where(x < 0, 0.1 * x, x), 1e-15)
    same(tme.elu(a, 2), np.where(x < 0, 2 * np.expm1(x), x), 1e-15)
    same(tme.celu(a, 2), np.where(x < 0, 2 * np.expm1(x / 2), x), 1e-15)
    same(tme.hardshrink(a), np.where(np.abs(x) <= 0.5, 0, x))
    same(tme.softshrink(a, 0.25), np.where(np.abs(x) <= 0.25, 0, x - np.sign(x) * 0.25))
    same(tme.threshold(a, 0.25, -1), np.where(x <= 0.25, -1, x))


def test_mean_with_a_dtype():
    x = tme.asarray([1, 2, 4], dtype=tme.int8)
    assert tme.mean(x, dtype=tme.float64).dtype == tme.float64 and tme.mean(x, dtype=tme.float64).item() == 7 / 3


def test_refusals():
    x = tme.zeros((2, 3))
    with pytest.raises(ValueError, match="cumulative_sum: which axis"):
        tme.cumulative_sum(x)
    with pytest.raises(IndexError, match="cumsum: axis 2 is out of range"):
        tme.cumsum(x, 2)
    with pytest.raises(ValueError, match="cummax: takes one axis"):
        tme.cummax(x, (0, 1))
    with pytest.raises(TypeError, match="cummax: takes real numbers"):
        tme.cummax(tme.zeros(2, dtype=tme.complex64))
    with pytest.raises(TypeError, match="cumsum: of complex64 in float32"):
        tme.cumsum(tme.zeros(2, dtype=tme.complex64), dtype=tme.float32)
    with pytest.raises(ValueError, match="nanmax: axis 0 of shape"):
        tme.nanmax(tme.zeros((0, 2)), 0)
    with pytest.raises(ValueError, match="ptp: axis 1"):
        tme.ptp(tme.zeros((2, 0)), 1)
    with pytest.raises(ValueError, match="diff: n is -1"):
        tme.diff(x, -1)
    with pytest.raises(ValueError, match="diff: prepend of shape"):
        tme.diff(x, prepend=tme.zeros((3, 1)))
    with pytest.raises(ValueError, match="gradient: axis 1 has 2 elements, expected at least 3"):
        tme.gradient(x[:, :2], axis=1, edge_order=2)
    with pytest.raises(ValueError, match="gradient: edge_order is 3"):
        tme.gradient(x, axis=0, edge_order=3)
    with pytest.raises(ValueError, match="gradient: x of shape"):
        tme.gradient(x, tme.zeros(5), axis=0)
    with pytest.raises(TypeError, match="gradient: 3 spacings for 2 axes"):
        tme.gradient(x, 1, 2, 3)
    with pytest.raises(ValueError, match="trapezoid: x of shape"):
        tme.trapezoid(x, tme.zeros(2))
    with pytest.raises(ValueError, match="isclose: shapes"):
        tme.isclose(x, tme.zeros(2))
