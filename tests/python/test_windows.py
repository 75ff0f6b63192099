"""Windows, convolutions and poolings against loops over NumPy's arrays."""

import itertools

import numpy as np
import pytest
import tme

RNG = np.random.default_rng(7)


def number_for_each(v, n):
    return (v,) * n if isinstance(v, int) else tuple(v)


def pairs(padding, n):
    """A before and an after for each axis."""
    padding = number_for_each(padding, n)
    return [(p, p) for p in padding] if len(padding) == n else list(zip(padding[::2], padding[1::2], strict=True))


def convolve(x, w, stride=1, padding=0, dilation=1, spread=1, groups=1, flip=False):
    """x (batch, spatial..., channels), w (out, window..., channels / groups): one sum for each element of the result."""
    n = x.ndim - 2
    stride, dilation, spread = (number_for_each(v, n) for v in (stride, dilation, spread))
    apart = np.zeros((x.shape[0], *((e - 1) * s + 1 for e, s in zip(x.shape[1:-1], spread, strict=True)), x.shape[-1]), x.dtype)
    apart[(slice(None), *(slice(None, None, s) for s in spread))] = x
    x = np.pad(apart, [(0, 0), *pairs(padding, n), (0, 0)])
    if flip:
        w = np.flip(w, tuple(range(1, n + 1)))
    span = [(k - 1) * d + 1 for k, d in zip(w.shape[1:-1], dilation, strict=True)]
    extents = [(e - r) // s + 1 for e, r, s in zip(x.shape[1:-1], span, stride, strict=True)]
    y = np.zeros((x.shape[0], *extents, w.shape[0]), np.result_type(x, w))
    per_in, per_out = x.shape[-1] // groups, w.shape[0] // groups
    for at in itertools.product(*map(range, extents)):
        cut = tuple(slice(i * s, i * s + r, d) for i, s, r, d in zip(at, stride, span, dilation, strict=True))
        for o in range(w.shape[0]):
            first = o // per_out * per_in
            part = x[(slice(None), *cut, slice(first, first + per_in))]
            y[(slice(None), *at, o)] = (part * w[o]).sum(axis=tuple(range(1, n + 2)))
    return y


def transpose(x, w, stride=1, padding=0, dilation=1, output_padding=0, groups=1):
    """Every element of x times the weight, added where its window lies."""
    n = x.ndim - 2
    stride, dilation, more = (number_for_each(v, n) for v in (stride, dilation, output_padding))
    span = [(k - 1) * d + 1 for k, d in zip(w.shape[1:-1], dilation, strict=True)]
    full = [(e - 1) * s + r + m for e, s, r, m in zip(x.shape[1:-1], stride, span, more, strict=True)]
    y = np.zeros((x.shape[0], *full, w.shape[0]))
    per_in, per_out = x.shape[-1] // groups, w.shape[0] // groups
    for at in itertools.product(*map(range, x.shape[1:-1])):
        cut = tuple(slice(i * s, i * s + r, d) for i, s, r, d in zip(at, stride, span, dilation, strict=True))
        for o in range(w.shape[0]):
            first = o // per_out * per_in
            one = x[(slice(None), *at, slice(first, first + per_in))]
            y[(slice(None), *cut, o)] += np.tensordot(one, w[o], axes=(1, n))
    return y[(slice(None), *(slice(b, e - a) for (b, a), e in zip(pairs(padding, n), full, strict=True)))]


def first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def check(got, want, tolerance=1e-4):
    got = np.asarray(got.astype(tme.float64)) if got.dtype != tme.complex64 else np.asarray(got)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * max(1, np.abs(want).max(initial=0)))


FORMS = [
    {},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": 2},
    {"groups": 2, "stride": 3},
    {"groups": 4, "padding": 1},
]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("form", FORMS)
def test_convolution(n, form):
    x = RNG.standard_normal((2, *(8, 7, 5)[:n], 4)).astype(np.float32)
    w = RNG.standard_normal((8, *(3, 2, 2)[:n], 4 // form.get("groups", 1))).astype(np.float32)
    conv = getattr(tme, f"conv{n}d")
    want = convolve(x, w, **form)
    check(conv(x, w, **form), want)
    check(conv(first(x), first(w), layout="channels_first", **form), first(want))
    general = {"kernel_dilation" if k == "dilation" else k: v for k, v in form.items()}
    check(tme.conv_general(x, w, flip=True, **general), convolve(x, w, flip=True, **form))
    check(tme.conv_general(x, w, input_dilation=2, **general), convolve(x, w, spread=2, **form))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("form", [*FORMS, {"stride": 2, "output_padding": 1}, {"stride": 3, "dilation": 2, "padding": 1}])
def test_transpose(n, form):
    groups = form.get("groups", 1)
    x = RNG.standard_normal((2, *(5, 4, 3)[:n], 4)).astype(np.float32)
    w = RNG.standard_normal((8, *(3, 3, 3)[:n], 4 // groups)).astype(np.float32)
    conv = getattr(tme, f"conv_transpose{n}d")
    want = transpose(x, w, **form)
    check(conv(x, w, **form), want)
    apart = first(w).reshape(groups, 8 // groups, 4 // groups, *w.shape[1:-1])
    of_channels = np.swapaxes(apart, 1, 2).reshape(4, 8 // groups, *w.shape[1:-1])
    check(conv(first(x), of_channels, layout="channels_first", **form), first(want))


def test_is_the_transpose():
    """<A x, y> = <x, A' y>."""
    x, y = RNG.standard_normal((1, 9, 8, 3)), RNG.standard_normal((1, 5, 4, 5))
    w = RNG.standard_normal((5, 3, 2, 3))
    ax = np.asarray(tme.conv2d(x, w, stride=2, padding=[1, 0]))
    ay = np.asarray(tme.conv_transpose2d(y, np.swapaxes(w, 0, -1), stride=2, padding=[1, 0]))
    np.testing.assert_allclose((ax * y).sum(), (x * ay).sum(), rtol=1e-12)


@pytest.mark.parametrize("padding", [[1, 2], [1, 0, 2, 3], 1])
def test_paddings(padding):
    x, w = RNG.standard_normal((1, 6, 7, 2)), RNG.standard_normal((3, 2, 3, 2))
    check(tme.conv2d(x, w, padding=padding), convolve(x, w, padding=padding), 1e-12)


@pytest.mark.parametrize(
    ("extent", "window", "stride", "around"), [(7, 3, 1, (1, 1)), (7, 4, 1, (1, 2)), (8, 3, 2, (0, 1)), (9, 2, 4, (0, 1))]
)
def test_same(extent, window, stride, around):
    x, w = RNG.standard_normal((2, extent, 3)), RNG.standard_normal((2, window, 3))
    y = tme.conv1d(x, w, stride=stride, same=True)
    assert y.shape == (2, -(-extent // stride), 2)
    check(y, convolve(x, w, stride=stride, padding=around), 1e-12)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "float16", "bfloat16", "float64", "complex64"])
def test_dtypes(dtype):
    t = getattr(tme, dtype)
    x, w = RNG.integers(-4, 5, (1, 6, 6, 4)), RNG.integers(-4, 5, (4, 3, 3, 4))
    want = convolve(x, w, padding=1)
    if dtype.startswith("uint"):
        x, w = abs(x), abs(w)
        want = convolve(x, w, padding=1) % 256
    if dtype == "int8":
        want = want.astype(np.int8)
    got = tme.conv2d(tme.asarray(x).astype(t), tme.asarray(w).astype(t), padding=1)
    assert got.dtype == t
    check(got, want, 1 / 128 if dtype == "bfloat16" else 1e-3)


def test_narrow_sums_are_wide():
    """1024 + 1 + 1 + ... in float16 would stay 1024 from 2048 on."""
    x = tme.ones((1, 5000, 1), dtype=tme.float16)
    w = tme.ones((1, 4000, 1), dtype=tme.float16)
    assert float(tme.conv1d(x, w)[0, 0, 0]) == 4000


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(("window", "stride", "padding"), [(2, None, 0), (3, 2, 1), (3, 1, [1, 0]), (2, 3, 0)])
def test_pooling(n, window, stride, padding):
    x = RNG.standard_normal((2, *(9, 8, 7)[:n], 3)).astype(np.float32)
    padding = padding if isinstance(padding, int) else padding * n  # a before and an after for each
    given = {"stride": stride} if stride else {}
    stride = stride or window

    def pooled(of, value):
        p = np.pad(x, [(0, 0), *pairs(padding, n), (0, 0)], constant_values=value)
        extents = [(e - window) // stride + 1 for e in p.shape[1:-1]]
        y = np.empty((2, *extents, 3))
        for at in itertools.product(*map(range, extents)):
            part = p[(slice(None), *(slice(i * stride, i * stride + window) for i in at))]
            y[(slice(None), *at)] = of(part, axis=tuple(range(1, n + 1)))
        return y

    check(tme.max_pool(x, window, padding=padding, **given), pooled(np.max, -np.inf))
    check(tme.avg_pool(x, window, padding=padding, **given), pooled(np.mean, 0))
    check(tme.avg_pool(x, window, padding=padding, count_padding=False, **given), pooled(np.nanmean, np.nan))
    last = tme.max_pool(first(x), window, padding=padding, layout="channels_first", **given)
    check(last, first(pooled(np.max, -np.inf)))


def test_pooling_of_extremes():
    x = np.array([-128, -128, 3, 4], np.int8).reshape(1, 4, 1)
    assert np.asarray(tme.max_pool(x, 2, stride=1, padding=1)).ravel().tolist() == [-128, -128, 3, 4, 4]
    nan = np.array([1, np.nan, 3, -np.inf, -np.inf]).reshape(1, 5, 1)
    np.testing.assert_array_equal(np.asarray(tme.max_pool(nan, 2, stride=1)).ravel(), [np.nan, np.nan, 3, -np.inf])
    assert tme.avg_pool(x, 2).dtype == tme.float32


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, [4, 9]])
def test_adaptive_pooling(size):
    x = RNG.standard_normal((2, 7, 9, 3))
    m = number_for_each(size, 2)

    def pooled(of):
        y = np.empty((2, *m, 3))
        for i, j in itertools.product(*map(range, m)):
            rows = slice(i * 7 // m[0], -(-(i + 1) * 7 // m[0]))
            columns = slice(j * 9 // m[1], -(-(j + 1) * 9 // m[1]))
            y[:, i, j] = of(x[:, rows, columns], axis=(1, 2))
        return y

    check(tme.adaptive_avg_pool(x, size), pooled(np.mean), 1e-12)
    check(tme.adaptive_max_pool(x, size), pooled(np.max), 0)
    check(tme.adaptive_max_pool(first(x), size, layout="channels_first"), first(pooled(np.max)), 0)


def test_sliding_window_view():
    x = np.arange(60).reshape(5, 12)
    view = np.lib.stride_tricks.sliding_window_view
    for window, axis in [((2, 3), None), (4, 1), ((2, 3), (1, 1)), ((2, 5), (-1, 0))]:
        got = np.asarray(tme.sliding_window_view(x, window, axis=axis))
        np.testing.assert_array_equal(got, view(x, window, axis))
    got = tme.sliding_window_view(tme.asarray(x) * 2, 3, axis=1, stride=2, dilation=3)
    np.testing.assert_array_equal(np.asarray(got), 2 * view(x, 7, 1)[:, ::2, ::3])
    computed = tme.asarray(x)
    np.testing.assert_array_equal(np.asarray(tme.sliding_window_view(computed, 12, axis=1)), view(x, 12, 1))


X, W = np.ones((1, 5, 5, 4)), np.ones((2, 3, 3, 4))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tme.conv2d(X[0], W), "expected a batch|both need 4 dimensions"),
        (lambda: tme.conv2d(X, W[..., :3]), "the weight is for 3 channels, expected 4"),
        (lambda: tme.conv2d(X, W, groups=3), "cannot be cut into 3 groups"),
        (lambda: tme.conv2d(X, W, groups=0), "0 groups"),
        (lambda: tme.conv2d(X, W, stride=0), "stride is 0"),
        (lambda: tme.conv2d(X, W, stride=[1, 2, 3]), "stride has 3 entries"),
        (lambda: tme.conv2d(X, W, padding=-1), "padding is -1"),
        (lambda: tme.conv2d(X, W, padding=1, same=True), "to be chosen"),
        (lambda: tme.conv2d(X, W, dilation=3), "does not fit into axis 1"),
        (lambda: tme.conv2d(X, W[:, :0]), "empty"),
        (lambda: tme.conv2d(X > 0, W > 0), "bool"),
        (lambda: tme.conv2d(X, W, dilation=2**62), "overflow"),
        (lambda: tme.conv_general(X, W, input_dilation=2**62), "overflow"),
        (lambda: tme.conv_transpose2d(X, W, padding=9), "leaves nothing of axis 1"),
        (lambda: tme.conv_transpose2d(X, W, stride=2**62), "overflow"),
        (lambda: tme.conv_general(X[0, 0], W), "one to five spatial axes"),
        (lambda: tme.max_pool(X, 6), "does not fit into axis 1"),
        (lambda: tme.max_pool(X, 0), "window is 0"),
        (lambda: tme.max_pool(X, 2, padding=2), "padding is 2 beside a window of 2"),
        (lambda: tme.max_pool(X[0, 0], 2), "one to five spatial axes"),
        (lambda: tme.avg_pool(X > 0, 2), "bool"),
        (lambda: tme.adaptive_avg_pool(X, 0), "size is 0"),
        (lambda: tme.adaptive_avg_pool(X[:, :0], 2), "axis 1 has no elements"),
        (lambda: tme.sliding_window_view(X, 3), "1 extents of windows for 4 axes"),
        (lambda: tme.sliding_window_view(X, 6, axis=1), "does not fit into axis 1"),
        (lambda: tme.sliding_window_view(X, 2, axis=4), "out of range"),
        (lambda: tme.sliding_window_view(np.ones((1,) * 16), 1, axis=0), "more than the 16 dimensions"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises((tme.Error, ValueError, TypeError, IndexError, MemoryError), match=words):
        call()
