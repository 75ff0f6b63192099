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
