"""Weighted means, moments, covariances: against NumPy and SciPy."""

import numpy as np
import pytest
import tme

RNG = np.random.default_rng(3)
X = RNG.normal(2, 3, (5, 40))


def close(got, want, tolerance=1e-12):
    got = np.asarray(got)
    assert got.shape == np.shape(want)
    assert np.allclose(got, want, rtol=tolerance, atol=tolerance, equal_nan=True)


def test_average():
    w, along = RNG.random((5, 40)), RNG.random(40)
    close(tme.average(tme.array(X), tme.array(w)), np.average(X, weights=w))
    close(tme.average(tme.array(X), tme.array(w), axis=0), np.average(X, weights=w, axis=0))
    close(tme.average(tme.array(X), tme.array(along), axis=1), np.average(X, weights=along, axis=1))
    close(
        tme.average(tme.array(X), tme.array(along[:5]), axis=0, keepdims=True), np.average(X, weights=along[:5], axis=0)[None]
    )
    close(tme.average(tme.array(X), axis=1), X.mean(axis=1))
    assert tme.average(tme.array([1, 2, 4], dtype="int32")).dtype == tme.float32


def test_moments():
    stats = pytest.importorskip("scipy.stats")
    for axis in (0, 1, None):
        for order in range(6):
            want = stats.moment(X, order, axis=axis)
            close(tme.moment(tme.array(X), order, axis=axis), want if order != 1 else np.zeros(np.shape(want)), 1e-9)
        close(tme.skew(tme.array(X), axis=axis), stats.skew(X, axis=axis))
        close(tme.kurtosis(tme.array(X), axis=axis), stats.kurtosis(X, axis=axis))
    assert bool(tme.isnan(tme.skew(tme.ones((4,)))))
    assert tme.skew(tme.array(X), keepdims=True).shape == (1, 1)


def test_covariance():
    y, w = RNG.normal(0, 1, (2, 40)), RNG.random(40)
    close(tme.cov(tme.array(X)), np.cov(X))
    close(tme.cov(tme.array(X), tme.array(y)), np.cov(X, y))
    close(tme.cov(tme.array(X.T), rowvar=False, correction=0), np.cov(X.T, rowvar=False, bias=True))
    close(tme.cov(tme.array(X), weights=tme.array(w)), np.cov(X, aweights=w))
    close(tme.cov(tme.array(X[0])), np.cov(X[0]))
    close(tme.cov(tme.array(X[0]), tme.array(y[0])), np.cov(X[0], y[0]))
    close(tme.corrcoef(tme.array(X)), np.corrcoef(X))
    close(tme.corrcoef(tme.array(X.T), rowvar=False), np.corrcoef(X.T, rowvar=False))
    z = X[:3] + 1j * X[2:]
    close(tme.cov(tme.array(z)), np.cov(z))
    close(tme.corrcoef(tme.array(z)), np.corrcoef(z))
    assert bool(tme.isnan(tme.corrcoef(tme.array([[1.0, 1.0], [1.0, 2.0]]))[0, 1]))


def test_bad_input():
    x = tme.array(X)
    for call, words in (
        (lambda: tme.average(x, tme.ones((3,))), "weights of shape (3,)"),
        (lambda: tme.average(x, tme.ones((5,)), axis=1), "weights of shape (5,)"),
        (lambda: tme.moment(x, 17), "expected 0 to 16"),
        (lambda: tme.cov(tme.zeros((2, 2, 2))), "at most two dimensions"),
        (lambda: tme.cov(x, tme.zeros((2, 3))), "as many observations as x"),
        (lambda: tme.cov(x, weights=tme.ones((3,))), "one for each observation"),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        assert words in str(caught.value)
    with pytest.raises(TypeError):
        tme.skew(tme.array([1j]))


@pytest.mark.parametrize("method", ["sobol", "plain"])
def test_integrate(method):
    key = tme.random.key(8)
    one = tme.integrate(lambda x: tme.exp(-x * x), 0, 2, method=method, key=key)
    want = 0.882081390762421680
    assert abs(one[0] - want) < 6 * one[1]
    assert one[1] < (1e-6 if method == "sobol" else 4e-3)
    box = tme.integrate(lambda x: tme.prod(tme.cos(x), axis=1), [0, 0, -1], [1, 2, 1], method=method, key=key)
    want = np.sin(1) * np.sin(2) * 2 * np.sin(1)
    assert abs(box[0] - want) < 6 * box[1]
    assert box[1] < (1e-4 if method == "sobol" else 1e-2)
    assert box == tme.integrate(lambda x: tme.prod(tme.cos(x), axis=1), [0, 0, -1], [1, 2, 1], method=method, key=key)
    assert tme.integrate(lambda x: x, 1, 0, method=method)[0] == pytest.approx(-0.5, abs=0.02)


def test_integrate_bad_input():
    for call, words in (
        (lambda: tme.integrate(tme.exp, 0, [1, 2]), "expected two numbers or two points"),
        (lambda: tme.integrate(tme.exp, 0, 1, n=1), "n is 1"),
        (lambda: tme.integrate(tme.exp, 0, 1, method="simpson"), "'simpson'"),
        (lambda: tme.integrate(tme.sum, 0, 1), "f gives ()"),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        assert words in str(caught.value)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_variance_of_complex_numbers(dtype):
    x = (np.arange(24) * 7 % 23 + 1j * (np.arange(24) * 5 % 17)).reshape(4, 6).astype(dtype)
    y = tme.asarray(x)
    for axis in (None, 0, (0, 1)):
        for name in ("var", "std"):
            for given in ({}, {"correction": 1}, {"ddof": 1, "keepdims": True}):
                ours = getattr(tme, name)(y, axis, **given)
                theirs = getattr(np, name)(x, axis, **({"ddof": given["correction"]} if "correction" in given else given))
                assert ours.dtype.name == theirs.dtype.name and ours.shape == theirs.shape
                np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-6)
    np.testing.assert_allclose(np.std(y, ddof=1), np.std(x, ddof=1), rtol=1e-6)


def test_two_words_for_the_correction():
    with pytest.raises(TypeError, match="two values"):
        tme.var(tme.arange(3), correction=1, ddof=1)
