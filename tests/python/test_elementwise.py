"""Elementwise functions against SciPy's and NumPy's."""

import pytest
import tme

np = pytest.importorskip("numpy")


def near(x, want, rtol, atol=0.0):
    np.testing.assert_allclose(np.asarray(x), want, rtol=rtol, atol=atol)


def test_erfinv():
    special = pytest.importorskip("scipy.special")
    x = np.concatenate([np.linspace(-1, 1, 1001), 1 - np.logspace(-16, -1, 100), np.logspace(-300, -1, 100)])
    near(tme.erfinv(tme.asarray(x)), special.erfinv(x), 1e-14)
    near(tme.erfinv(tme.asarray(x.astype(np.float32))), special.erfinv(x.astype(np.float32).astype(float)), 5e-7, 1e-45)
    assert np.isnan(tme.erfinv(tme.asarray([1.5, -2.0, np.nan]))).all()


FLOATS = np.concatenate([np.linspace(-30, 30, 241), [0.0, -0.0, 1e-8, -1e-8, 1e-300, np.inf, -np.inf, np.nan]])
UNIT = np.concatenate([np.linspace(0, 1, 101), np.logspace(-300, -1, 50)])
EVERY = {"float64": (1e-13, 1e-15), "float32": (2e-6, 1e-7)}


def tried(f, want, x, *more, rtol=1.0):
    """Our function of the numbers in each precision against another library's of the same numbers in float64."""
    for dtype, (relative, absolute) in EVERY.items():
        rounded = [np.asarray(v, dtype=dtype) for v in (x, *more)]
        with np.errstate(all="ignore"):
            right = want(*(v.astype(np.float64) for v in rounded)).astype(dtype)
            near(f(*map(tme.asarray, rounded)), right, relative * rtol, absolute)


@pytest.mark.parametrize("name", ["digamma", "gamma", "i0", "i1", "i0e", "i1e", "xlogy", "xlog1py", "logit"])
def test_special_functions(name):
    special = pytest.importorskip("scipy.special")
    want = getattr(special, {"gamma": "gamma", "digamma": "digamma"}.get(name, name))
    if name == "logit":
        tried(tme.logit, want, UNIT)
    elif name.startswith("xlog"):
        tried(getattr(tme, name), want, FLOATS[:, None], np.abs(FLOATS))
    else:
        positive = FLOATS[FLOATS > 0] if name in ("gamma", "digamma") else FLOATS[np.isfinite(FLOATS)]
        tried(getattr(tme, name), want, positive, rtol=5)


def test_digamma_below_zero():
    special = pytest.importorskip("scipy.special")
    x = np.linspace(-9.9, -0.1, 50)
    near(tme.digamma(tme.asarray(x)), special.digamma(x), 1e-12, 1e-13)
    assert np.isnan(tme.digamma(tme.asarray([-1.0, -2.0, -np.inf]))).all()


@pytest.mark.parametrize(
    "name", ["sinc", "degrees", "radians", "fmax", "fmin", "fmod", "heaviside", "hypot", "sign", "isposinf", "isneginf"]
)
def test_as_numpy(name):
    f, want = getattr(tme, name), getattr(np, name)
    operands = (FLOATS[:, None], FLOATS) if name in ("fmax", "fmin", "heaviside", "hypot") else (FLOATS,)
    if name == "sinc":
        operands = (np.linspace(-8.3, 8.3, 167),)
    if name == "fmod":
        operands = (FLOATS[:, None], np.array([3, -3, 0.5, np.inf]))
    tried(f, want, *operands)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64", "complex64", "complex128"])
def test_float_power_and_imaginary_parts(dtype):
    x = np.array([1, 2, 3, 4]).astype(dtype)
    for y in (x, np.float32(2.5), np.array([[1j], [2]])):
        got, want = tme.float_power(tme.asarray(x), tme.asarray(y)), np.float_power(x, y)
        assert got.dtype.name == want.dtype.name
        near(got, want, 1e-14)
    z = x + np.array([0, 1j, np.inf, -2j]) if dtype[0] == "c" else x
    for f in ("isreal", "iscomplex"):
        got = getattr(tme, f)(tme.asarray(z))
        assert got.dtype == tme.bool and got.tolist() == getattr(np, f)(np.asarray(tme.asarray(z))).tolist()


def test_sign_of_zero():
    x = np.asarray(tme.sign(tme.asarray([-0.0, 0.0, np.nan, -2.0])))
    assert not np.signbit(x[0]) and np.isnan(x[2]) and x[3] == -1


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("relu6", lambda x: np.clip(x, 0, 6)),
        ("hardtanh", lambda x: np.clip(x, -1, 1)),
        ("hardsigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1)),
        ("hardswish", lambda x: np.where(x < -3, 0 * x, x) * np.clip(x + 3, 0, 6) / 6),
        ("softsign", lambda x: x / (1 + np.abs(x))),
        ("log_sigmoid", lambda x: -np.logaddexp(0, -x)),
        ("mish", lambda x: x * np.tanh(np.logaddexp(0, x))),
        ("selu", lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))),
        ("tanhshrink", lambda x: np.where(np.abs(x) < 1e-3, x**3 / 3 - 2 * x**5 / 15, x - np.tanh(x))),
    ],
)
def test_activations(name, want):
    tried(getattr(tme, name), want, FLOATS[np.isfinite(FLOATS)], rtol=10)


def test_limits_of_activations():
    ends = tme.asarray([-np.inf, np.inf, np.nan])
    for name, low, high in (
        ("mish", 0, np.inf), ("hardswish", 0, np.inf), ("softsign", -1, 1), ("log_sigmoid", -np.inf, 0), ("hardsigmoid", 0, 1),
    ):  # fmt: skip
        near(getattr(tme, name)(ends), [low, high, np.nan], 0)


def test_prelu_and_lerp():
    near(tme.prelu(tme.asarray([-2.0, 3.0, -0.5]), tme.asarray([0.5, 0.5, 2.0])), [-1, 3, -1], 0)
    near(tme.lerp(tme.asarray([1.0, 1.0, 1.0]), 5.0, tme.asarray([0.0, 0.25, 1.0])), [1, 2, 5], 0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_binary_fractions(dtype):
    info = np.finfo(dtype)
    x = np.array([1, -0.75, 3e4, info.tiny, info.smallest_subnormal, -info.max, 0, -0.0, np.inf, np.nan], dtype=dtype)
    got, want = tme.frexp(tme.asarray(x)), np.frexp(x)
    for ours, theirs in zip(got, want, strict=True):
        ours = np.asarray(ours)
        finite = np.isfinite(x)
        np.testing.assert_array_equal(ours[finite], theirs[finite])
        assert ours.dtype == theirs.dtype
    back = tme.ldexp(*got)
    np.testing.assert_array_equal(np.asarray(back)[:-2], x[:-2])
    n = np.arange(-2200, 2200, 37, dtype=np.int32)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.asarray(tme.ldexp(tme.asarray(x), tme.asarray(n)[:, None])), np.ldexp(x, n[:, None]))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_whole_numbers(dtype):
    info, rng = np.iinfo(dtype), np.random.default_rng(1)
    edges = np.array([0, 0, 6, info.max, info.min], dtype=dtype)
    x, y = (np.append(rng.integers(info.min, info.max, 200, dtype=dtype, endpoint=True), edges) for _ in "xy")
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.asarray(tme.gcd(tme.asarray(x), tme.asarray(y))), np.gcd(x, y))
        small = x % 11, y % 11  # whose multiples do not overflow
        np.testing.assert_array_equal(np.asarray(tme.lcm(*map(tme.asarray, small))), np.lcm(*small))
        np.testing.assert_array_equal(np.asarray(tme.fmod(tme.asarray(x), tme.asarray(y))), np.fmod(x, y))
        ours, theirs = np.asarray(tme.bitwise_count(tme.asarray(x))), np.bitwise_count(x)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype == np.uint8


PARTS = [0.0, -0.0, 1.0, -1.0, 0.3, -1.25, 2.5, 40.0, -40.0, 1e-9, -1e-9, 1e-200]


@pytest.mark.parametrize("name", ["expm1", "log1p", "log2", "log10"])
@pytest.mark.parametrize("backend", ["cpu", "nojit"])
def test_complex_functions(name, backend):
    # NumPy's log1p of complex numbers is no better than log(1 + z).
    right = pytest.importorskip("scipy.special").log1p if name == "log1p" else getattr(np, name)
    z = np.array([complex(re, im) for re in PARTS for im in PARTS])
    rng = np.random.default_rng(2)
    z = np.concatenate([z, rng.standard_normal(200) + 1j * rng.standard_normal(200)])
    with tme.Engine(backend=backend) as engine, np.errstate(all="ignore"):
        for dtype, eps in ((np.complex128, 4e-16), (np.complex64, 2e-7)):
            x = z.astype(dtype)
            want = right(x.astype(np.complex128))
            got = np.asarray(getattr(engine, name)(tme.asarray(x)))
            assert got.dtype == dtype
            finite = np.isfinite(want)
            assert (np.abs(got - want)[finite] <= 12 * eps * np.abs(want)[finite]).all()
            assert (np.isinf(got.real) == np.isinf(want.real)).all()


def test_complex_expm1_and_log1p_of_small_numbers():
    z = np.array([complex(re, im) for re in (1e-12, -3e-9, 0.0) for im in (1e-13, -2e-10, 1e-5)])
    near(tme.expm1(tme.asarray(z)), z + z * z / 2 + z**3 / 6, 1e-15)
    near(tme.log1p(tme.asarray(z)), z - z * z / 2 + z**3 / 3, 1e-15)
    # On the circle |1 + z| = 1 the logarithm's real part is all cancellation.
    w = np.array([-0.2 + 0.6j, -0.4 - 0.8j])
    exact = [0.5 * np.log1p(2 * -0.2 + 0.04 + 0.36), 0.5 * np.log1p(2 * -0.4 + 0.16 + 0.64)]
    near(np.asarray(tme.log1p(tme.asarray(w))).real, exact, 0, 1e-16)


def test_complex_round():
    z = np.array([1.5 + 2.5j, -0.4 + 0.6j, complex(np.inf, 1.234), complex(2.345, np.nan)])
    np.testing.assert_array_equal(np.asarray(tme.round(tme.asarray(z))), np.round(z))
    np.testing.assert_array_equal(np.asarray(tme.round(tme.asarray(z), 2)), np.round(z, 2))


def test_complex_rsqrt():
    z = np.array([1 + 2j, -3 + 0.5j])
    near(tme.rsqrt(tme.asarray(z)), 1 / np.sqrt(z), 1e-15)


def test_refusals():
    for f, x in ((tme.gcd, (tme.asarray([1.5]), tme.asarray([2]))), (tme.bitwise_count, (tme.asarray([1.5]),))):
        with pytest.raises(TypeError, match=f.__name__):
            f(*x)
    with pytest.raises(TypeError, match="digamma"):
        tme.digamma(tme.asarray([1j]))
