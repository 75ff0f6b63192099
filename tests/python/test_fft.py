"""Fourier transforms against NumPy in float64."""

import itertools

import pytest
import tme

np = pytest.importorskip("numpy")

LENGTHS = [*range(1, 66), 97, 100, 121, 127, 128, 134, 200, 243, 256, 509, 1000, 1009, 1024, 4096, 8190, 10007, 32768, 65537]
NORMS = ("backward", "ortho", "forward")


def eps(x):
    return np.finfo(x.dtype).eps


def random(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


def close(got, want, n):
    """An error of a few eps log2(n) of the spectrum's root mean square."""
    got = np.asarray(got)
    assert got.shape == want.shape
    if want.size:
        size = np.sqrt(np.mean(np.abs(want) ** 2))
        assert np.max(np.abs(got - want)) <= (4 + 2 * np.log2(n + 1)) * eps(got) * size, got.dtype


def wide(x):
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("axis", [0, -1])
def test_rows(dtype, axis):
    for n, norm in zip(LENGTHS, itertools.cycle(NORMS)):
        shape = (n, 3) if axis == 0 else (9 if n < 2000 else 1, n)
        x = random(shape, dtype, n)
        real = np.ascontiguousarray(x.real)
        half = np.ascontiguousarray(np.take(x, range(n // 2 + 1), axis))
        for name, operand, kw in (
            ("fft", x, {}),
            ("ifft", x, {}),
            ("rfft", real, {}),
            ("ihfft", real, {}),
            ("irfft", half, {"n": n}),
            ("hfft", half, {"n": n}),
        ):
            got = getattr(tme.fft, name)(tme.asarray(operand), axis=axis, norm=norm, **kw)
            assert got.dtype.itemsize == np.dtype(dtype).itemsize // (2 if name in ("irfft", "hfft") else 1)
            close(got, getattr(np.fft, name)(wide(operand), axis=axis, norm=norm, **kw), n)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_cut_off_or_followed_by_zeros(name):
    for extent, n in itertools.product((2, 5, 16, 40, 67), (1, 2, 3, 7, 16, 41, 100, 134)):
        x = random((2, extent), "float64" if name in ("rfft", "ihfft") else "complex128")
        close(getattr(tme.fft, name)(tme.asarray(x), n=n), getattr(np.fft, name)(x, n=n), n)
        close(getattr(tme.fft, name)(tme.asarray(x.T), n=n, axis=0), getattr(np.fft, name)(x, n=n).T, n)


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"])
def test_several_axes(name):
    x = random((4, 5, 6), "float64" if name in ("rfftn", "rfft2") else "complex128")
    for kw in ({}, {"axes": (0, 2)}, {"axes": (-1,)}, {"s": (3, 8), "axes": (-2, -1)}, {"s": (7, -1), "axes": (1, 0)}):
        for norm in NORMS:
            close(getattr(tme.fft, name)(tme.asarray(x), norm=norm, **kw), getattr(np.fft, name)(x, norm=norm, **kw), 120)
    close(tme.fft.fftn(tme.asarray(x), s=(3, 8)), np.fft.fftn(x, s=(3, 8), axes=(-2, -1)), 24)


def test_layouts_give_the_same_bits():
    for n in (12, 31, 48, 67, 250, 1000, 8200):
        x = tme.asarray(random((9, n), "complex64", n))
        want = np.asarray(tme.fft.fft(x))
        columns = tme.asarray(np.ascontiguousarray(np.asarray(x).T))
        assert np.array_equal(np.asarray(tme.fft.fft(columns, axis=0)).T, want)
        assert np.array_equal(np.asarray(tme.fft.fft(columns.T)), want)
        assert np.array_equal(np.asarray(tme.fft.fft(x[4])), want[4])
        assert np.array_equal(np.asarray(tme.fft.fft(tme.flip(x, axis=0))), want[::-1])


def test_long_rows():
    for n in (1 << 18, 3 * 5 * 7 * 11 * 13 * 17, 100003, 200006):
        x = random(n, "complex128", n)
        spectrum = tme.fft.fft(tme.asarray(x))
        close(spectrum, np.fft.fft(x), n)
        close(tme.fft.ifft(spectrum), x, n)
        close(tme.fft.irfft(tme.fft.rfft(tme.asarray(x.real.copy())), n=n), x.real, n)
        assert np.isclose(float(tme.sum(tme.abs(spectrum) ** 2)) / n, np.sum(np.abs(x) ** 2), rtol=1e-13)


@pytest.mark.parametrize("dtype", tme.dtypes)
def test_dtypes(dtype):
    x = tme.asarray(np.arange(12).reshape(3, 4) % 5).astype(dtype)
    double = dtype.name in ("float64", "complex128")
    assert tme.fft.fft(x).dtype.name == ("complex128" if double else "complex64")
    assert tme.fft.irfft(x).dtype.name == ("float64" if double else "float32")
    close(tme.fft.fft(x), np.fft.fft(np.asarray(x.astype(tme.complex128))), 4)
    if dtype.kind == "c":
        for name in ("rfft", "rfftn", "rfft2", "ihfft"):
            with pytest.raises(TypeError, match=f"{name}: takes real numbers, not {dtype.name}"):
                getattr(tme.fft, name)(x)
    else:
        assert tme.fft.rfft(x).dtype.name == ("complex128" if double else "complex64")


def test_empty():
    assert tme.fft.fft(tme.zeros((0, 4))).shape == (0, 4)
    assert tme.fft.fft(tme.zeros((2, 0)), n=3).tolist() == [[0, 0, 0]] * 2
    assert tme.fft.irfft(tme.zeros((2, 0)), n=3).tolist() == [[0, 0, 0]] * 2
    assert tme.fft.rfftn(tme.zeros((4, 0, 6)), axes=(0, 2)).shape == (4, 0, 4)
    assert tme.fft.fftn(tme.asarray(2.0)).tolist() == 2


def test_not_a_number_stays_in_its_row():
    x = random((9, 40), "float32")
    x[3, 5], x[4, 0] = np.nan, np.inf
    for name in ("fft", "rfft", "ihfft"):
        nan = np.isnan(np.asarray(getattr(tme.fft, name)(tme.asarray(x)))).any(axis=1)
        assert nan.tolist() == [i in (3, 4) for i in range(9)]


def test_bad_input():
    x = tme.zeros((3, 4))
    for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
        f = getattr(tme.fft, name)
        for n in (0, -2):
            with pytest.raises(ValueError, match=f"{name}: a transform of {n} numbers, expected 1 or more"):
                f(x, n=n)
        with pytest.raises(IndexError, match="axis 2"):
            f(x, axis=2)
        with pytest.raises(IndexError, match="no axes"):
            f(tme.asarray(1.0))
        with pytest.raises(ValueError, match="norm is 'unit'"):
            f(x, norm="unit")
        with pytest.raises(ValueError, match="transform of 0"):
            f(tme.zeros((3, 0 if name not in ("irfft", "hfft") else 1)))
        with pytest.raises((MemoryError, ValueError)):
            f(x, n=1 << 62).eval()
    for name in ("fftn", "ifftn", "rfftn", "irfftn", "fft2"):
        f = getattr(tme.fft, name)
        with pytest.raises(ValueError, match=f"{name}: axis 1 is given twice"):
            f(x, axes=(1, -1))
        with pytest.raises(IndexError, match="axis 2"):
            f(x, axes=(0, 2))
        with pytest.raises(ValueError, match="s has 1 extents? for 2 axes"):
            f(x, s=(3,), axes=(0, 1))
        with pytest.raises(ValueError, match="transform of 0 numbers along axis 0"):
            f(x, s=(0, 3))
    for name in ("rfftn", "irfftn"):
        with pytest.raises(ValueError, match="one axis or more"):
            getattr(tme.fft, name)(x, axes=())
    for name in ("fftshift", "ifftshift"):
        with pytest.raises(ValueError, match="twice"):
            getattr(tme.fft, name)(x, axes=(0, 0))
    for name in ("fftfreq", "rfftfreq"):
        with pytest.raises(ValueError, match=f"{name}: n is 0, expected 1 or more"):
            getattr(tme.fft, name)(0)
        with pytest.raises(TypeError, match="int8"):
            getattr(tme.fft, name)(4, dtype=tme.int8)


def test_frequencies_and_shifts():
    for n, d in itertools.product((1, 2, 5, 8, 31), (1.0, 0.3)):
        for name in ("fftfreq", "rfftfreq"):
            got = getattr(tme.fft, name)(n, d=d, dtype=tme.float64)
            assert got.tolist() == pytest.approx(getattr(np.fft, name)(n, d).tolist(), rel=1e-15)
    assert tme.fft.fftfreq(3).dtype == tme.asarray(0.5).dtype
    x = np.arange(60).reshape(3, 4, 5)
    for name, axes in itertools.product(("fftshift", "ifftshift"), (None, 0, -1, (0, 2))):
        assert np.array_equal(
            np.asarray(getattr(tme.fft, name)(tme.asarray(x), axes=axes)), getattr(np.fft, name)(x, axes=axes)
        )


def test_methods():
    x = tme.arange(4.0)
    assert x.fft().tolist() == tme.fft.fft(x).tolist() and x.rfft(n=2).shape == (2,)


@pytest.mark.parametrize("name", ["fft2", "ifft2", "rfft2", "irfft2"])
def test_two_axes_or_all(name):
    x = (np.arange(24).reshape(2, 3, 4) * 7 % 11).astype("float64")
    for given in (
        {},
        {"axes": None},
        {"axes": (0, 2)},
        {"s": (4, 2)},
        {"s": (4, 2), "axes": (1, 0)},
        {"norm": "ortho", "axes": None},
    ):
        np.testing.assert_allclose(
            getattr(tme.fft, name)(tme.asarray(x), **given), getattr(np.fft, name)(x, **given), atol=1e-12
        )
