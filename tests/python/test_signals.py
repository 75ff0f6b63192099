"""Cosine and sine transforms, windows, convolutions and spectra of parts, against NumPy, SciPy and sums as they are defined."""

import itertools

import pytest
import tme

np = pytest.importorskip("numpy")

NORMS = ("backward", "ortho", "forward")


def random(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def close(got, want, factor=64):
    got = np.asarray(got)
    assert got.shape == want.shape
    if want.size:
        assert np.max(np.abs(got - want)) <= factor * np.finfo(got.dtype).eps * max(np.max(np.abs(want)), 1e-300)


@pytest.mark.parametrize("name", ["dct", "idct", "dst", "idst"])
@pytest.mark.parametrize("type", [1, 2, 3, 4])
def test_cosine_and_sine_transforms(name, type):
    fft = pytest.importorskip("scipy.fft")
    f, theirs = getattr(tme.fft, name), getattr(fft, name)
    for n, norm in itertools.product((2, 3, 4, 5, 8, 9, 30, 67, 128, 1001), NORMS):
        x = random((3, n), seed=n)
        close(f(tme.asarray(x), type=type, norm=norm), theirs(x, type=type, norm=norm))
    for dtype, n in itertools.product(("float32", "complex128", "complex64"), (7, 12)):
        x = random((5, 10), dtype)
        got = f(tme.asarray(x), type=type, n=n, axis=0)
        assert got.dtype.name == dtype
        close(got, theirs(x.astype("complex128" if got.dtype.kind == "c" else "float64"), type=type, n=n, axis=0))
    if (name, type) not in (("dct", 1), ("idct", 1)):
        close(f(tme.asarray([3.0]), type=type), theirs(np.array([3.0]), type=type))


def test_cosine_transform_is_its_sum():
    n = 12
    x, k = random(n), np.arange(n)
    close(tme.fft.dct(tme.asarray(x)), np.array([2 * np.sum(x * np.cos(np.pi * j * (2 * k + 1) / (2 * n))) for j in k]))
    for type in (1, 2, 3, 4):
        close(tme.fft.idst(tme.fft.dst(tme.asarray(x), type=type), type=type), x)
        y = tme.fft.dct(tme.asarray(x), type=type, norm="ortho")
        assert float(tme.sum(y * y)) == pytest.approx(np.sum(x * x), rel=1e-14)


@pytest.mark.parametrize("name", ["hanning", "hamming", "blackman", "bartlett"])
def test_windows(name):
    for n in (0, 1, 2, 3, 8, 51):
        got = getattr(tme, name)(n, dtype=tme.float64)
        assert np.max(np.abs(np.asarray(got) - getattr(np, name)(n)), initial=0) < 1e-15
        if n > 1:
            assert (
                np.max(
                    np.abs(np.asarray(getattr(tme, name)(n, periodic=True, dtype=tme.float64)) - getattr(np, name)(n + 1)[:-1])
                )
                < 1e-15
            )
    assert getattr(tme, name)(4).dtype == tme.asarray(0.5).dtype


def test_kaiser():
    for n, beta in itertools.product((0, 1, 2, 8, 51), (0, 1, 8.6, -5, 100)):
        close(tme.kaiser(n, beta, dtype=tme.float64), np.kaiser(n, beta))
    windows = pytest.importorskip("scipy.signal.windows")
    for n, periodic in itertools.product((1, 2, 9), (False, True)):
        close(tme.kaiser(n, 14, periodic, tme.float64), windows.kaiser(n, 14, not periodic))
        close(tme.cosine_window(n, periodic, tme.float64), windows.cosine(n, not periodic))


@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_convolutions_of_vectors(name):
    f, theirs = getattr(tme, name), getattr(np, name)
    for n, m, mode in itertools.product((1, 2, 5, 8, 200), (1, 2, 7, 8, 201), ("full", "same", "valid")):
        for dtype in ("int64", "uint8", "float64", "complex128"):
            x, y = (random(k, "complex128" if dtype == "complex128" else "float64", k) for k in (n, m))
            x, y = ((9 * v).astype(dtype) if dtype != "uint8" else np.abs(9 * v).astype(dtype) for v in (x, y))
            got = f(tme.asarray(x), tme.asarray(y), mode)
            assert got.dtype.name == dtype
            if dtype in ("int64", "uint8"):
                assert got.tolist() == theirs(x, y, mode).tolist()
            else:
                close(got, theirs(x, y, mode))
    x, y = random(3000, "float32"), random(1500, "float32", 1)
    close(
        f(tme.asarray(x), tme.asarray(y)),
        theirs(x.astype("float64"), y.astype("float64"), mode="full" if name == "convolve" else "valid"),
    )
    assert f(tme.asarray([1, 2, 3]), tme.asarray([0.5])).dtype == tme.asarray(0.5).dtype
    infinite = f(tme.asarray([1.0, 2.0, 3.0]), tme.asarray([0.0, np.inf]), "full")
    assert np.array_equal(
        np.asarray(infinite), theirs(np.array([1.0, 2.0, 3.0]), np.array([0.0, np.inf]), "full"), equal_nan=True
    )
    for bad in (tme.zeros(0), tme.zeros((2, 2)), tme.asarray(1.0)):
        with pytest.raises(ValueError, match=f"{name}: .*expected vectors of one number or more"):
            f(bad, tme.zeros(3))
    with pytest.raises(TypeError, match="not bool"):
        f(tme.asarray([True]), tme.asarray([True]))
    with pytest.raises(ValueError, match="mode is 'wrap'"):
        f(tme.zeros(3), tme.zeros(3), "wrap")


def test_fftconvolve():
    for n, m, mode in itertools.product((1, 5, 8, 100), (1, 4, 7, 30), ("full", "valid")):
        x, y = random(n), random(m, seed=1)
        close(tme.fftconvolve(tme.asarray(x), tme.asarray(y), mode), np.convolve(x, y, mode), 256)
    signal = pytest.importorskip("scipy.signal")
    for mode in ("full", "same", "valid"):
        for shapes in (((6, 9), (3, 4)), ((3, 4), (6, 9)), ((6, 4), (3, 3))):
            for dtype in ("float64", "complex128"):
                x, y = (random(shape, dtype, i) for i, shape in enumerate(shapes))
                close(tme.fftconvolve(tme.asarray(x), tme.asarray(y), mode), signal.fftconvolve(x, y, mode), 256)
        x, y = random((2, 9, 3)), random((2, 4, 1))
        close(tme.fftconvolve(tme.asarray(x), tme.asarray(y), mode, 1), signal.fftconvolve(x, y, mode, axes=1), 256)
    assert tme.fftconvolve(tme.asarray([1, 2]), tme.asarray([1, 1])).dtype == tme.asarray(0.5).dtype
    with pytest.raises(ValueError, match="as many dimensions"):
        tme.fftconvolve(tme.zeros((2, 2)), tme.zeros(2))
    with pytest.raises(ValueError, match="neither lies within"):
        tme.fftconvolve(tme.zeros((2, 5)), tme.zeros((3, 4)), "valid")
    with pytest.raises(ValueError, match="do not broadcast"):
        tme.fftconvolve(tme.zeros((2, 5)), tme.zeros((3, 4)), axes=1)
    with pytest.raises(ValueError, match="nothing along axis 1"):
        tme.fftconvolve(tme.zeros((2, 0)), tme.zeros((3, 4)))


def parts(x, n, hop, window, center):
    if center:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(n // 2, n // 2)], mode="reflect")
    return np.stack([np.fft.rfft(x[..., i : i + n] * window) for i in range(0, x.shape[-1] - n + 1, hop)], axis=-1)


@pytest.mark.parametrize("center", [False, True])
def test_stft(center):
    for n, hop in ((16, 4), (15, 4), (16, 16), (1, 1), (7, 3)):
        x, window = random((2, 100)), np.hanning(n + 2)[1:-1]
        got = tme.stft(tme.asarray(x), n, hop, tme.asarray(window), center)
        close(got, parts(x, n, hop, window, center))
        close(tme.stft(tme.asarray(x[0]), n, hop, center=center), parts(x[0], n, hop, 1, center))
        if center or hop == n:
            back = np.asarray(tme.istft(got, n, hop, tme.asarray(window), center))
            close(back, x[:, : back.shape[-1]], 256)
            assert tme.istft(got, n, hop, tme.asarray(window), center, length=120).shape == (2, 120)
    assert tme.stft(tme.zeros(64), 16, center=center).shape == (9, 17 if center else 13)


def test_stft_of_what_fits_not():
    x = tme.zeros(20)
    for kw, message in (
        ({"n_fft": 0}, "n_fft is 0"),
        ({"n_fft": 40}, "cannot be reflected"),
        ({"n_fft": 21, "center": False}, "more than the 20 numbers"),
        ({"n_fft": 8, "hop": 0}, "hop is 0"),
        ({"n_fft": 8, "window": tme.zeros(7)}, r"window of shape \(7,\), expected \(8,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            tme.stft(x, **kw)
    with pytest.raises(TypeError, match="real numbers"):
        tme.stft(tme.zeros(20, dtype=tme.complex64), 4)
    with pytest.raises(ValueError, match="frequencies"):
        tme.istft(tme.zeros((5, 3), dtype=tme.complex64), 16)


def test_bad_input():
    for name in ("dct", "idst"):
        f = getattr(tme.fft, name)
        with pytest.raises(ValueError, match=f"{name}: type is 5"):
            f(tme.zeros(4), type=5)
        with pytest.raises(ValueError, match="transform of 0 numbers"):
            f(tme.zeros(4), n=0)
        with pytest.raises(IndexError, match="axis 1"):
            f(tme.zeros(4), axis=1)
    with pytest.raises(ValueError, match="transform of 1 numbers, expected 2"):
        tme.fft.dct(tme.zeros(1), type=1)
    for make in (tme.hanning, lambda n, **kw: tme.kaiser(n, 2, **kw)):
        with pytest.raises(ValueError, match="n is -1"):
            make(-1)
        with pytest.raises(TypeError, match="int8"):
            make(3, dtype=tme.int8)
    with pytest.raises(ValueError, match="kaiser: beta is not finite"):
        tme.kaiser(3, float("inf"))
