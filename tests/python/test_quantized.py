"""Weights of a few bits: against the format written down with NumPy, and against MLX where it is installed."""

import numpy as np
import pytest
import tme

BITS = (2, 3, 4, 5, 6, 8)


def _pack(q, bits):
    """The numbers one behind the other, the first one lowest, as words of 32 bits."""
    every = (q[..., None].astype(np.uint32) >> np.arange(bits, dtype=np.uint32)) & 1
    words = every.reshape(*q.shape[:-1], -1, 32).astype(np.uint64)
    return (words << np.arange(32, dtype=np.uint64)).sum(-1).astype(np.uint32)


def _unpack(words, bits):
    every = (words[..., None] >> np.arange(32, dtype=np.uint32)) & 1
    q = every.reshape(*words.shape[:-1], -1, bits).astype(np.uint32)
    return (q << np.arange(bits, dtype=np.uint32)).sum(-1)


def _dequantize(words, scales, biases, group_size, bits):
    q = _unpack(words, bits)
    q = q.reshape(*q.shape[:-1], -1, group_size)
    w = q * scales[..., None].astype(np.float64) + biases[..., None].astype(np.float64)
    return w.reshape(*w.shape[:-2], -1)


def _random(rng, shape, group_size, bits):
    q = rng.integers(0, 2**bits, shape)
    groups = (*shape[:-1], shape[-1] // group_size)
    scales, biases = (rng.normal(size=groups).astype(np.float32) for _ in range(2))
    return _pack(q, bits), scales, biases


@pytest.mark.parametrize("group_size", [32, 64, 128])
@pytest.mark.parametrize("bits", BITS)
def test_quantize(bits, group_size):
    rng = np.random.default_rng(bits)
    w = rng.normal(size=(3, 2, 256)).astype(np.float32)
    w[0, 0, :128] = 0
    w[1] += 9
    w[2] -= 9
    words, scales, biases = (np.asarray(a) for a in tme.quantize(w, group_size=group_size, bits=bits))
    assert words.dtype == np.uint32 and words.shape == (3, 2, 8 * bits)
    assert scales.dtype == np.float32 and scales.shape == biases.shape == (3, 2, 256 // group_size)
    got = _dequantize(words, scales, biases, group_size, bits)
    step = np.repeat(np.abs(scales), group_size, -1)
    assert (np.abs(got - w) <= step * 1.01 + 1e-6).all() and (got[0, 0, :128] == 0).all()
    # The edge that is farther from 0 is met.
    groups, exact = w.reshape(-1, group_size), got.reshape(-1, group_size)
    far = np.abs(groups).argmax(-1)[:, None]
    np.testing.assert_allclose(np.take_along_axis(exact, far, 1), np.take_along_axis(groups, far, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64", "float8_e4m3", "int16"])
def test_dtypes(dtype):
    w = (tme.arange(128.0) - 60).reshape(2, 64).astype(dtype)
    words, scales, biases = tme.quantize(w)
    kept = dtype if dtype != "int16" else "float32"
    assert words.dtype == "uint32" and scales.dtype == biases.dtype == kept
    y = tme.dequantize(words, scales, biases)
    assert y.dtype == kept and y.shape == (2, 64)
    assert np.abs(np.asarray(y.astype("float64") - w.astype("float64"))).max() < (9 if "float8" in dtype else 4)


@pytest.mark.parametrize("group_size", [32, 64, 128])
@pytest.mark.parametrize("bits", BITS)
def test_dequantize(bits, group_size):
    rng = np.random.default_rng(bits)
    words, scales, biases = _random(rng, (5, 256), group_size, bits)
    want = _dequantize(words, scales, biases, group_size, bits)
    got = np.asarray(tme.dequantize(words, scales, biases, group_size=group_size, bits=bits))
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)
    part = np.asarray(tme.dequantize(words[::-2], scales[::-2], biases[::-2], group_size=group_size, bits=bits))
    np.testing.assert_array_equal(part, got[::-2])


@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("rows", [None, 1, 3, 40])
def test_product(rows, bits, transpose):
    rng = np.random.default_rng(bits)
    words, scales, biases = _random(rng, (192, 128), 64, bits)
    w = _dequantize(words, scales, biases, 64, bits)
    w = w.T if transpose else w
    x = rng.normal(size=(*(() if rows is None else (2, rows)), w.shape[0])).astype(np.float32)
    got = np.asarray(tme.quantized_matmul(x, words, scales, biases, transpose=transpose, bits=bits))
    bound = 1e-5 * (np.abs(x).astype(np.float64) @ np.abs(w))
    assert got.dtype == np.float32 and (np.abs(got - x.astype(np.float64) @ w) <= bound).all()


def test_product_dtypes():
    words, scales, biases = tme.quantize(tme.linspace(-1, 1, 640).reshape(10, 64).astype("float16"))
    x = tme.ones((3, 64), dtype="float16")
    y = tme.quantized_matmul(x, words, scales, biases)
    assert y.dtype == "float16" and tme.quantized_matmul(x, words, scales.astype("float32"), biases).dtype == "float32"
    want = np.asarray(x) @ np.asarray(tme.dequantize(words, scales, biases)).T
    np.testing.assert_allclose(np.asarray(y), want, atol=0.1)


@pytest.mark.parametrize("transpose", [True, False])
def test_gather(transpose):
    rng = np.random.default_rng(3)
    words, scales, biases = _random(rng, (2, 2, 64, 128), 64, 4)
    w = _dequantize(words, scales, biases, 64, 4)
    w = w.reshape(4, *w.shape[-2:])
    w = w.swapaxes(-1, -2) if transpose else w
    x = rng.normal(size=(3, 5, w.shape[-2])).astype(np.float32)
    left, right = np.array([[0, 2], [1, 1]]), np.array([3, 0])
    for lhs, rhs in ((left, right), (None, np.array([3, 0, 1])), (left, None), (left[:, :1], right)):
        got = np.asarray(tme.gather_qmm(x, words, scales, biases, lhs, rhs, transpose=transpose))
        every = w.reshape(2, 2, *w.shape[-2:]) if rhs is None else w[rhs]
        want = (x if lhs is None else x[lhs]).astype(np.float64) @ every
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("group_size", [32, 64, 128])
@pytest.mark.parametrize("bits", BITS)
def test_as_mlx(bits, group_size):
    mx = pytest.importorskip("mlx.core")
    mx.set_default_device(mx.cpu)
    rng = np.random.default_rng(bits)
    for scale in (1, 1e-3, 100):
        w = (scale * (rng.normal(size=(40, 256)) + rng.normal(size=(40, 1)))).astype(np.float32)
        ours = tme.quantize(w, group_size=group_size, bits=bits)
        theirs = mx.quantize(mx.array(w), group_size=group_size, bits=bits)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(np.asarray(a), np.array(b))
        got = tme.dequantize(*ours, group_size=group_size, bits=bits)
        want = mx.dequantize(*theirs, group_size=group_size, bits=bits)
        np.testing.assert_allclose(np.asarray(got), np.array(want), rtol=1e-6, atol=1e-5 * scale)
        x = rng.normal(size=(6, 256)).astype(np.float32)
        got = tme.quantized_matmul(x, *ours, group_size=group_size, bits=bits)
        want = mx.quantized_matmul(mx.array(x), *theirs, group_size=group_size, bits=bits)
        np.testing.assert_allclose(np.asarray(got), np.array(want), rtol=1e-4, atol=1e-3 * scale)


def test_nothing():
    words, scales, biases = tme.quantize(tme.zeros((0, 64)))
    assert words.shape == (0, 8) and scales.shape == (0, 1)
    assert tme.dequantize(words, scales, biases).shape == (0, 64)
    assert tme.quantized_matmul(tme.ones((2, 64)), words, scales, biases).shape == (2, 0)
    words, scales, biases = tme.quantize(tme.zeros((3, 0)))
    assert tme.quantized_matmul(tme.ones((2, 0)), words, scales, biases).tolist() == [[0, 0, 0]] * 2


def test_bad_input():
    words, scales, biases = tme.quantize(tme.ones((2, 64)))
    for call, kind, says in (
        (lambda: tme.quantize(tme.ones((2, 60))), ValueError, r"\(2, 60\) is no multiple of group_size 64"),
        (lambda: tme.quantize(tme.ones(())), ValueError, "no multiple"),
        (lambda: tme.quantize(tme.ones((2, 64)), bits=7), ValueError, "bits is 7"),
        (lambda: tme.quantize(tme.ones((2, 64)), group_size=48), ValueError, "group_size is 48"),
        (lambda: tme.quantize(tme.ones((2, 64), dtype="complex64")), TypeError, "complex64"),
        (lambda: tme.dequantize(words, scales, biases, bits=8), ValueError, "no numbers of 8 bits"),
        (lambda: tme.dequantize(words, scales, biases, group_size=32), ValueError, "groups of 32"),
        (lambda: tme.dequantize(words.astype("int64"), scales, biases), TypeError, "int64, expected uint32"),
        (lambda: tme.dequantize(words, scales, biases[0]), ValueError, r"biases \(1,\)"),
        (lambda: tme.dequantize(words, scales.astype("int32"), biases.astype("int32")), TypeError, "real floating"),
        (lambda: tme.quantized_matmul(tme.ones((2, 32)), words, scales, biases), ValueError, "inner dimensions"),
        (lambda: tme.quantized_matmul(tme.ones((2, 64)), words, scales, biases, transpose=False), ValueError, "inner"),
        (lambda: tme.quantized_matmul(tme.ones(()), words, scales, biases), ValueError, "inner dimensions"),
        (lambda: tme.quantized_matmul(tme.ones((2, 64), dtype="complex64"), words, scales, biases), TypeError, "complex64"),
        (lambda: tme.gather_qmm(tme.ones(64), words, scales, biases), ValueError, "gather_qmm"),
        (lambda: tme.gather_qmm(tme.ones((2, 64)), words, scales, biases, [0.5]), TypeError, "integers"),
        (lambda: tme.gather_qmm(tme.ones((3, 2, 64)), words, scales, biases, None, [0, 0]), ValueError, "broadcast"),
        (lambda: tme.gather_qmm(tme.ones((2, 64)), words, scales, biases, [0], [1]).eval(), IndexError, "1"),
    ):
        with pytest.raises(kind, match=says):
            call()
