"""Random numbers: distributions against SciPy's, keys, shapes, dtypes, bad input."""

import numpy as np
import pytest
import tme
from tme import random

KEY = random.key(20260)
N = 50_000


def drawn(name, *args, **kwargs):
    return np.asarray(getattr(random, name)(*args, key=KEY, **kwargs)).astype(np.float64).ravel()


CONTINUOUS = {
    "uniform": ((-2.0, 5.0, [N]), lambda s: s.uniform(-2, 7)),
    "normal": (([N], 1.5, 2.0), lambda s: s.norm(1.5, 2)),
    "truncated_normal": ((-0.5, 1.25, [N]), lambda s: s.truncnorm(-0.5, 1.25)),
    "truncated_normal far": ((3.0, 6.0, [N]), lambda s: s.truncnorm(3, 6)),
    "laplace": (([N], -1.0, 0.5), lambda s: s.laplace(-1, 0.5)),
    "logistic": (([N], 2.0, 3.0), lambda s: s.logistic(2, 3)),
    "cauchy": (([N], 2.0, 3.0), lambda s: s.cauchy(2, 3)),
    "gumbel": (([N], 2.0, 3.0), lambda s: s.gumbel_r(2, 3)),
    "exponential": (([N], 3.0), lambda s: s.expon(0, 3)),
    "gamma": ((0.3, [N], 2.0), lambda s: s.gamma(0.3, scale=2)),
    "gamma large": ((40.0, [N]), lambda s: s.gamma(40)),
    "beta": ((0.7, 3.5, [N]), lambda s: s.beta(0.7, 3.5)),
    "beta small": ((0.01, 0.02, [N]), lambda s: s.beta(0.01, 0.02)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CONTINUOUS)
def test_continuous(case, dtype):
    stats = pytest.importorskip("scipy.stats")
    args, of = CONTINUOUS[case]
    x = drawn(case.split()[0], *args, dtype=dtype)
    if case == "beta small":  # what rounds to 0 or 1 is tied there
        x = x[(x > 1e-6) & (x < 1 - 1e-6)]
        cdf = of(stats).cdf
        low, high = cdf(1e-6), cdf(1 - 1e-6)
        assert stats.kstest(x, lambda v: (cdf(v) - low) / (high - low)).pvalue > 1e-3
        return
    assert stats.kstest(x, of(stats).cdf).pvalue > 1e-3


DISCRETE = {
    "integers": ((-3, 9, [N]), lambda s: s.randint(-3, 9)),
    "poisson": ((3.5, [N]), lambda s: s.poisson(3.5)),
    "poisson large": ((77.25, [N]), lambda s: s.poisson(77.25)),
    "binomial": ((20, 0.3, [N]), lambda s: s.binom(20, 0.3)),
    "binomial large": ((500, 0.85, [N]), lambda s: s.binom(500, 0.85)),
    "bernoulli": ((0.3, [N]), lambda s: s.bernoulli(0.3)),
}


@pytest.mark.parametrize("case", DISCRETE)
def test_discrete(case):
    stats = pytest.importorskip("scipy.stats")
    args, of = DISCRETE[case]
    x, law = drawn(case.split()[0], *args), of(stats)
    values = np.arange(x.min(), x.max() + 1)
    expected, found = law.pmf(values) * N, np.array([(x == v).sum() for v in values])
    enough = expected >= 5
    assert abs(expected.sum() - N) < 20
    square = ((found - expected)[enough] ** 2 / expected[enough]).sum()
    assert stats.chi2.sf(square, enough.sum() - 1) > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quantiles_of_normal(dtype):
    """The number of each block of bits is the quantile, far out too."""
    special = pytest.importorskip("scipy.special")
    n = 1_000_000
    z = np.asarray(random.normal([n], dtype=dtype, key=KEY)).astype(np.float64)
    bits = np.asarray(random.bits([n], width=8 if dtype == "float64" else 4, key=KEY))
    if dtype == "float32":
        f = (bits | 1).astype(np.int32).astype(np.float32) * np.float32(2.0**-31)
    else:
        high, low = (bits >> 32).astype(np.uint32).astype(np.int32), ((bits & 0xFFFFFFFF) >> 10) | 1
        f = (high.astype(np.float64) * 2.0**22 + low.astype(np.float64)) * 2.0**-53
    want = -special.ndtri(np.abs(f).astype(np.float64) / 2) * np.sign(f)
    assert np.abs(z - want).max() < (2e-6 if dtype == "float32" else 1e-12)
    assert abs(z).max() > 4.5


def test_moments_of_normal():
    z = np.asarray(random.normal([2_000_000], key=KEY)).astype(np.float64)
    assert abs(z.mean()) < 3e-3
    assert abs(z.var() - 1) < 4e-3
    assert abs((z**3).mean()) < 9e-3
    assert abs((z**4).mean() - 3) < 3e-2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_uniform_is_below_high(dtype):
    for low, high in ((0.0, 1.0), (1000.0, 1001.0), (-1.0, 0.0)):
        x = random.uniform(low, high, [200_000], dtype=dtype, key=KEY).astype("float64")
        assert float(x.min()) >= low
        assert float(x.max()) < high
    assert random.uniform(3.0, 3.0, key=KEY) == 3
    bad = random.uniform(tme.array([1.0, 0.0]), tme.array([0.0, 1.0]), key=KEY)
    assert bool(tme.isnan(bad)[0]) and not bool(tme.isnan(bad)[1])


def test_shapes_and_dtypes():
    assert random.normal(key=KEY).shape == ()
    assert random.normal([2, 0, 3], key=KEY).shape == (2, 0, 3)
    assert random.normal(loc=tme.zeros((4, 1)), scale=tme.ones((3,)), key=KEY).shape == (4, 3)
    assert random.normal([5, 4, 3], loc=tme.zeros((4, 1)), key=KEY).shape == (5, 4, 3)
    assert random.normal([2], key=KEY).dtype == tme.float32
    assert random.normal(loc=tme.zeros((2,), dtype="float64"), key=KEY).dtype == tme.float64
    assert random.normal(loc=tme.zeros((2,), dtype="int32"), key=KEY).dtype == tme.float32
    assert random.integers(5, key=KEY).dtype == tme.int64
    assert random.randint(0, 200, [9], dtype="uint8", key=KEY).dtype == tme.uint8
    assert random.poisson(5.0, [3], dtype="float32", key=KEY).dtype == tme.float32
    assert random.bernoulli(key=KEY).dtype == tme.bool
    assert [random.bits(width=w, key=KEY).dtype for w in (1, 2, 4, 8)] == [tme.uint8, tme.uint16, tme.uint32, tme.uint64]
    # Elements do not depend on the shape, nor on what is computed with them.
    flat, square = random.normal([12], key=KEY), random.normal([3, 4], key=KEY)
    assert np.array_equal(np.asarray(flat).reshape(3, 4), np.asarray(square))
    assert np.array_equal(np.asarray(square.T * 2), np.asarray(square).T * 2)


def test_keys():
    a, b = random.split(KEY)
    assert not np.array_equal(np.asarray(a), np.asarray(b))
    assert np.array_equal(np.asarray(random.split(KEY, 5)[:2]), np.asarray(random.split(KEY)))
    assert np.asarray(random.key(2**40 + 3)).tolist() == [256, 3]
    assert np.asarray(random.key(2**64 - 1)).tolist() == [2**32 - 1] * 2
    # Keys of seeds next to each other are as good as others.
    rows = np.stack([np.asarray(random.normal([1000], key=random.key(i))) for i in range(20)])
    assert np.abs(np.corrcoef(rows) - np.eye(20)).max() < 0.16


def test_stream():
    random.seed(7)
    first = [np.asarray(random.normal([3])) for _ in range(2)]
    random.seed(7)
    again = [np.asarray(random.normal([3])) for _ in range(2)]
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    keys = random.split(random.key(7), 2)
    assert np.array_equal(first[1], np.asarray(random.normal([3], key=keys[1])))
    engine = tme.Engine("float32", threads=1)
    engine.seed(7)
    assert np.array_equal(first[0], np.asarray(engine.random_normal([3])))


def test_compiled():
    @tme.compile
    def noisy(x):
        return x + random.normal([4])

    @tme.compile
    def keyed(x, key):
        return x + random.normal([4], key=key)

    x = tme.zeros((4,))
    random.seed(1)
    a, b = np.asarray(noisy(x)), np.asarray(noisy(x))
    assert not np.array_equal(a, b)
    assert np.array_equal(np.asarray(keyed(x, KEY)), np.asarray(random.normal([4], key=KEY)))
    other = random.key(9)
    assert np.array_equal(np.asarray(keyed(x, other)), np.asarray(random.normal([4], key=other)))


def test_one_kernel():
    plan = str(tme.explain(tme.exp(random.normal([1000, 1000], 1.0, 2.0, key=KEY)).sum(axis=1)))
    assert plan.count("step ") == 1


def test_categorical():
    logits = np.log(np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 1e-30]]))
    k = np.asarray(random.categorical(tme.array(logits), num_samples=40_000, key=KEY))
    assert k.shape == (2, 40_000)
    assert np.abs(np.bincount(k[0], minlength=3) / 40_000 - [0.1, 0.2, 0.7]).max() < 0.01
    assert np.abs(np.bincount(k[1], minlength=3) / 40_000 - [0.5, 0.5, 0]).max() < 0.01
    assert random.categorical(tme.array(logits), axis=0, key=KEY).shape == (3,)
    assert random.categorical(tme.array(logits), shape=[5, 2], key=KEY).shape == (5, 2)


def test_vectors():
    mean, cov = np.array([1.0, -2.0, 0.5]), np.array([[2.0, 0.8, 0], [0.8, 1.0, 0], [0, 0, 0]])
    x = np.asarray(random.multivariate_normal(tme.array(mean), tme.array(cov), [N], key=KEY))
    assert x.shape == (N, 3)
    assert np.abs(x.mean(axis=0) - mean).max() < 0.03
    assert np.abs(np.cov(x.T) - cov).max() < 0.05
    alpha = np.array([0.5, 2.0, 4.0])
    d = np.asarray(random.dirichlet(tme.array(alpha), [N], dtype="float64", key=KEY))
    assert np.abs(d.sum(axis=1) - 1).max() < 1e-14
    assert np.abs(d.mean(axis=0) - alpha / alpha.sum()).max() < 0.01
    p = np.array([0.2, 0.0, 0.5, 0.3])
    m = np.asarray(random.multinomial(30, tme.array(p), [N], key=KEY))
    assert (m.sum(axis=1) == 30).all() and (m[:, 1] == 0).all()
    assert np.abs(m.mean(axis=0) - 30 * p).max() < 0.1
    assert np.abs(np.cov(m.T) - 30 * (np.diag(p) - np.outer(p, p))).max() < 0.3


def test_choice():
    p = np.array([0.1, 0.0, 0.6, 0.3])
    x = np.asarray(random.choice(tme.array([10.0, 20, 30, 40]), [N], p=tme.array(p), key=KEY))
    assert np.abs(np.array([(x == v).mean() for v in (10, 20, 30, 40)]) - p).max() < 0.01
    assert sorted(np.asarray(random.permutation(100, key=KEY)).tolist()) == list(range(100))
    assert len(set(np.asarray(random.choice(1000, [300], replace=False, key=KEY)).tolist())) == 300
    rows = np.asarray(random.permutation(tme.reshape(tme.arange(12), (4, 3)), key=KEY))
    assert sorted(rows[:, 0].tolist()) == [0, 3, 6, 9] and (rows[:, 1] == rows[:, 0] + 1).all()
    # All orders are alike likely; without replacement the first ones have the probabilities.
    keys = np.asarray(random.split(KEY, 6000))
    orders = [tuple(np.asarray(random.indices(3, replace=False, key=tme.array(k))).tolist()) for k in keys]
    counts = [orders.count(o) for o in set(orders)]
    assert len(counts) == 6 and min(counts) > 880 and max(counts) < 1120
    chosen = np.array([np.asarray(random.indices(4, [2], replace=False, p=tme.array(p), key=tme.array(k))) for k in keys])
    assert (chosen[:, 0] != chosen[:, 1]).all() and not (chosen == 1).any()
    assert np.abs(np.bincount(chosen[:, 0], minlength=4) / 6000 - p).max() < 0.025
    second = 0.6 * 0.3 / 0.4 + 0.1 * 0.3 / 0.9
    assert abs((chosen[:, 1] == 3).mean() - second) < 0.03


def test_sobol():
    qmc = pytest.importorskip("scipy.stats").qmc
    want = qmc.Sobol(64, scramble=False).random(512)
    assert np.array_equal(np.asarray(random.sobol(512, 64, dtype="float64")), want)
    s = np.asarray(random.sobol(4096, 5, scramble=KEY, dtype="float64"))
    for d in range(5):  # one point in each of as many parts
        assert np.array_equal(np.sort((s[:, d] * 4096).astype(int)), np.arange(4096))
    assert qmc.discrepancy(s[:256, :2]) < 1e-4
    assert random.sobol(8, 2).dtype == tme.float32


def test_bad_input():
    for call, words in (
        (lambda: random.uniform(1.0, 0.0), "low is 1 and high is 0"),
        (lambda: random.truncated_normal(2.0, 1.0), "lower is 2"),
        (lambda: random.normal(scale=-1.0), "scale is -1"),
        (lambda: random.bernoulli(1.5), "p is 1.5"),
        (lambda: random.integers(5, 5), "low is 5 and high is 5"),
        (lambda: random.integers(0), "no whole numbers"),
        (lambda: random.integers(0, 300, dtype="uint8"), "299 does not fit"),
        (lambda: random.integers(-1, 3, dtype="uint8"), "-1 does not fit"),
        (lambda: random.bits(width=3), "1, 2, 4 or 8"),
        (lambda: random.split(KEY, -1), "num is -1"),
        (lambda: random.normal([-2]), "negative"),
        (lambda: random.normal([2], loc=tme.zeros((3,))), "does not broadcast"),
        (lambda: random.normal([2], key=tme.zeros((3,), dtype="uint32")), "expected uint32 (2,)"),
        (lambda: random.categorical(tme.zeros((2, 0))), "nothing to choose from"),
        (lambda: random.categorical(tme.zeros((2, 3)), shape=[2], num_samples=3), "one of them"),
        (lambda: random.multivariate_normal(tme.zeros((2,)), tme.zeros((3, 3))), "expected (..., n) and (..., n, n)"),
        (lambda: random.indices(3, [4], replace=False), "4 out of 3"),
        (lambda: random.choice(-4), "expected 0 or more"),
        (lambda: random.choice(3, p=tme.array([0.5, 0.5])), "p has shape (2,)"),
        (lambda: random.sobol(4, 65), "expected 1 to 64"),
        (lambda: tme.eval(random.gamma(-1.0)), "a is -1"),
        (lambda: tme.eval(random.beta(0.0, 1.0)), "a is 0"),
        (lambda: tme.eval(random.poisson(tme.array([1.0, -2.0]))), "lam is -2"),
        (lambda: tme.eval(random.poisson(float("nan"))), "lam is "),
        (lambda: tme.eval(random.binomial(3, 1.25)), "p is 1.25"),
        (lambda: tme.eval(random.binomial(2.5, 0.5)), "n is 2.5"),
        (lambda: tme.eval(random.binomial(tme.zeros((0, 3), dtype="int64"), 1.25)), "p is 1.25"),
        (lambda: tme.eval(random.dirichlet(tme.array([1.0, 0.0]))), "alpha is 0"),
        (lambda: tme.eval(random.multinomial(3, tme.array([0.5, 0.6]))), "add up to 1.1"),
        (lambda: tme.eval(random.choice(2, [3], p=tme.array([1.5, -0.5]))), "probability of 1 is -0.5"),
        (lambda: tme.eval(random.choice(2, [2], p=tme.array([1.0, 0.0]), replace=False)), "1 have a probability"),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        assert words in str(caught.value)
    for call in (
        lambda: random.normal(dtype="int32"),
        lambda: random.normal(loc=1j),
        lambda: random.integers(1.5),
        lambda: random.integers(3, dtype="float32"),
        lambda: random.normal(key=42),
        lambda: random.poisson(1.0, dtype="bool"),
    ):
        with pytest.raises(TypeError):
            call()
