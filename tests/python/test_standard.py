"""The functions of the array API standard that are no operations of the table, against NumPy's."""

import itertools
import math

import pytest
import tme

np = pytest.importorskip("numpy")


def numbers(shape, dtype="float64"):
    return (np.arange(np.prod(shape, dtype=int)).reshape(shape) * 7 % 11 - 5).astype(dtype)


def same(ours, theirs, exactly=True):
    theirs = np.asarray(theirs)
    assert (ours.shape, ours.dtype.name) == (theirs.shape, theirs.dtype.name)
    if exactly:
        np.testing.assert_array_equal(np.asarray(ours), theirs)
    else:
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-10, atol=1e-12)


def test_making():
    assert tme.empty((2, 3), dtype=tme.int8).shape == (2, 3)
    x = tme.asarray(numbers((2, 3), "int16"))
    for f, theirs in ((tme.zeros_like, np.zeros_like), (tme.ones_like, np.ones_like)):
        same(f(x), theirs(np.asarray(x)))
        same(f(x, dtype=tme.float64), theirs(np.asarray(x), dtype="float64"))
    same(tme.full_like(x, 7), np.full_like(np.asarray(x), 7))
    same(tme.full((2, 2), 1 + 2j, dtype=tme.complex128), np.full((2, 2), 1 + 2j))
    assert [tme.full(2, v).dtype for v in (True, 1, 1.0, 1j)] == [tme.bool, tme.int64, tme.float32, tme.complex64]
    assert tme.arange(0, step=1.0).dtype == tme.float32
    same(tme.eye(3, 4, k=10**30), np.zeros((3, 4), "float32"))
    same(tme.eye(2, 3, k=1, dtype=tme.int8), np.eye(2, 3, 1, "int8"))
    for f in (tme.zeros, tme.ones, tme.empty):
        assert f(2, device="cpu").device == "cpu"
        with pytest.raises(ValueError, match="gpu7"):
            f(2, device="gpu7")


@pytest.mark.parametrize("shape", [(4, 4), (2, 5), (5, 2), (2, 3, 4), (0, 3)])
def test_triangles(shape):
    x = numbers(shape, "int32")
    for k in (-6, -1, 0, 2, 6):
        same(tme.tril(tme.asarray(x), k=k), np.tril(x, k))
        same(tme.triu(tme.asarray(x), k=k), np.triu(x, k))


def test_meshgrid():
    vectors = [numbers((n,)) for n in (2, 3, 4)]
    for n, indexing in itertools.product(range(4), ("xy", "ij")):
        ours = tme.meshgrid(*map(tme.asarray, vectors[:n]), indexing=indexing)
        theirs = np.meshgrid(*vectors[:n], indexing=indexing)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)


def test_astype():
    x = tme.arange(3)
    assert tme.astype(x, tme.int64, copy=False) is x
    assert tme.astype(x, tme.int64) is not x
    same(tme.astype(x, tme.float64), np.arange(3.0))


def test_shapes():
    x = numbers((2, 3, 4))
    a = tme.asarray(x)
    for ours, theirs in zip(
        tme.broadcast_arrays(a, tme.arange(4), tme.zeros((3, 1))),
        np.broadcast_arrays(x, np.arange(4), x[0, :, :1]),
        strict=True,
    ):
        assert ours.shape == theirs.shape
    same(tme.concat([a, a], axis=-1), np.concatenate([x, x], axis=-1))
    same(tme.concat([a, a[0]], axis=None), np.concatenate([x, x[0]], axis=None))
    same(tme.permute_dims(a, (2, 0, 1)), x.transpose(2, 0, 1))
    same(tme.matrix_transpose(a), x.swapaxes(-1, -2))
    for source, to in ((0, -1), (-1, 0), ((0, 1), (2, 0)), ((2, 0), (0, 1))):
        same(tme.moveaxis(a, source, to), np.moveaxis(x, source, to))
    for axis in (0, -1):
        for ours, theirs in zip(tme.unstack(a, axis=axis), np.moveaxis(x, axis, 0), strict=True):
            same(ours, theirs)
    for shift, axis in ((1, None), (-7, None), (2, 1), ((1, -1), (0, 2)), (100, -1), ((1, 1), (0, 0))):
        same(tme.roll(a, shift, axis=axis), np.roll(x, shift, axis=axis))
    for times in ((2,), (1, 2, 3), (2, 1, 1, 3), (), (0, 2)):
        same(tme.tile(a, times), np.tile(x, times))
    for times, axis in ((2, None), (0, 1), (3, -1)):
        same(tme.repeat(a, times, axis=axis), np.repeat(x, times, axis=axis))
    same(tme.repeat(a, tme.array([2, 0, 1]), axis=1), np.repeat(x, [2, 0, 1], axis=1))
    same(tme.repeat(a, tme.array([3]), axis=1), np.repeat(x, [3], axis=1))
    same(tme.reshape(a, (4, -1), copy=True), x.reshape(4, -1))


def test_arithmetic():
    x = numbers((3, 5), "int16")
    a = tme.asarray(x)
    same(tme.sum(a, axis=0), x.sum(0, dtype="int64"))
    same(tme.sum(a, dtype=tme.int16), x.sum(dtype="int16"))
    same(tme.prod(a, axis=1, dtype=tme.int8, keepdims=True), x.prod(1, dtype="int8", keepdims=True))
    same(tme.sum(a, dtype=tme.float64), x.sum(dtype="float64"))
    same(tme.count_nonzero(a, axis=1), np.count_nonzero(x, axis=1))
    same(tme.count_nonzero(tme.array([0.0, float("nan"), 0.5])), np.int64(2))
    same(tme.bitwise_left_shift(a, 2), x << np.int16(2))
    same(tme.bitwise_right_shift(a, 1), x >> np.int16(1))
    same(tme.diff(a, axis=0, n=2), np.diff(x, axis=0, n=2))
    same(tme.diff(a, prepend=a[:, :1], append=a), np.diff(x, prepend=x[:, :1], append=x))
    same(tme.diff(a, n=9), np.diff(x, n=9))


def test_products():
    x, y = numbers((2, 3, 4)), numbers((4, 3, 5))
    same(tme.tensordot(tme.asarray(x), tme.asarray(y), axes=((2, 1), (0, 1))), np.tensordot(x, y, ((2, 1), (0, 1))))
    same(tme.tensordot(tme.asarray(x), tme.asarray(y), axes=0), np.tensordot(x, y, 0))
    same(tme.tensordot(tme.asarray(x), tme.asarray(x.T), axes=1), np.tensordot(x, x.T, 1))
    z = x + 1j * x[::-1]
    same(tme.vecdot(tme.asarray(z), tme.asarray(x)), (z.conj() * x).sum(-1))
    same(tme.vecdot(tme.asarray(x), tme.asarray(x[0]), axis=-2), (x * x[0]).sum(-2))


def test_linalg():
    x = numbers((2, 3, 3)) + 0.5 + np.eye(3)
    a = tme.asarray(x)
    u, s, vh = tme.linalg.svd(a, full_matrices=False)
    same(tme.matmul(u * tme.expand_dims(s, -2), vh), x, exactly=False)
    same(tme.linalg.outer(a[0, 0], a[0, 1]), np.outer(x[0, 0], x[0, 1]))
    for offset in (-4, -1, 0, 2, 4):
        same(tme.linalg.diagonal(a[:, :2], offset=offset), np.diagonal(x[:, :2], offset, -2, -1))
        same(tme.linalg.trace(a, offset=offset), np.trace(x, offset, -2, -1))
    same(tme.linalg.cross(a, a[::-1]), np.cross(x, x[::-1]))
    same(tme.linalg.cross(a, a[::-1], axis=-2), np.cross(x, x[::-1], axis=-2))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: tme.meshgrid(tme.arange(2), indexing="yx"), ValueError, "'yx'"),
        (lambda: tme.meshgrid(tme.zeros((2, 2))), ValueError, "2 dimensions"),
        (lambda: tme.tril(tme.arange(3)), ValueError, "1 dimension,"),
        (lambda: tme.broadcast_arrays(tme.zeros(2), tme.zeros(3)), ValueError, r"\(2,\), \(3,\)"),
        (lambda: tme.moveaxis(tme.zeros((2, 2)), 2, 0), IndexError, "axis 2"),
        (lambda: tme.moveaxis(tme.zeros((2, 2)), (0, 0), (0, 1)), ValueError, "twice"),
        (lambda: tme.roll(tme.zeros((2, 2)), (1, 2), (0, 1, 1)), ValueError, "2 shifts for 3 axes"),
        (lambda: tme.repeat(tme.arange(3), tme.array([1, 2])), ValueError, "3 elements"),
        (lambda: tme.diff(tme.arange(3), n=-1), ValueError, "n is -1"),
        (lambda: tme.vecdot(tme.zeros(2), tme.zeros(3)), ValueError, "differ"),
        (lambda: tme.vecdot(tme.zeros((2, 2)), tme.zeros(2), axis=-2), IndexError, "axis -2"),
        (lambda: tme.tensordot(tme.zeros((2, 3)), tme.zeros((4, 2)), axes=1), ValueError, "differ in their extents"),
        (lambda: tme.tensordot(tme.zeros(2), tme.zeros(2), axes=2), ValueError, "2 axes"),
        (lambda: tme.linalg.cross(tme.zeros(2), tme.zeros(2)), ValueError, "expected 3"),
    ],
)
def test_what_makes_no_sense(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_tanh_of_infinity(dtype):
    for x in (complex("inf+2j"), complex("inf-2j"), complex("-inf+2j"), complex("-inf-2j")):
        y = tme.tanh(tme.array(x, dtype=dtype)).item()
        assert (
            abs(y.real) == 1
            and y.imag == 0
            and [math.copysign(1, part) for part in (y.real, y.imag)] == [math.copysign(1, part) for part in (x.real, x.imag)]
        )
