"""Operations that move, repeat and join elements, and arrays made of numbers: against NumPy."""

import itertools

import pytest
import tme

np = pytest.importorskip("numpy")

DTYPES = ["bool", "uint16", "float32", "complex64"]
SHAPES = [(), (7,), (0,), (3, 4), (0, 3), (2, 1, 3, 2)]


def made(shape, dtype="float32"):
    n = int(np.prod(shape))
    x = (np.arange(n) * 7 % 23 - 5).reshape(shape)
    return (x + 1j * x[::-1] if "complex" in dtype and len(shape) else x).astype(dtype)


def same(got, want):
    want = np.asarray(want)
    assert got.shape == want.shape
    assert got.dtype.name == want.dtype.name
    np.testing.assert_array_equal(np.asarray(got), want)


def both(ours, theirs, *shapes, dtypes=("float32",)):
    for shape, dtype in itertools.product(shapes, dtypes):
        x = made(shape, dtype)
        # of an array that is there, of a view and of what is still to be computed
        for y in (tme.asarray(x), tme.asarray(x.T.copy()).transpose(), tme.asarray(x).flip().flip()):
            same(ours(tme, y), theirs(np, x))


@pytest.mark.parametrize(
    ("least", "f"),
    [
        (1, lambda m, x: m.moveaxis(x, 0, -1)),
        (2, lambda m, x: m.moveaxis(x, (0, 1), (-1, 0))),
        (1, lambda m, x: m.swapaxes(x, 0, -1)),
        (2, lambda m, x: m.diagonal(x)),
        (2, lambda m, x: m.diagonal(x, 1, -1, 0)),
        (2, lambda m, x: m.diagonal(x, -2)),
        (2, lambda m, x: m.diagonal(x, 100)),
        (2, lambda m, x: m.trace(x, -1)),
        (0, lambda m, x: m.ravel(x)),
        (0, lambda m, x: m.atleast_1d(x)),
        (0, lambda m, x: m.atleast_2d(x)),
        (0, lambda m, x: m.atleast_3d(x)),
        (0, lambda m, x: m.roll(x, 3)),
        (1, lambda m, x: m.roll(x, -2, axis=0)),
        (2, lambda m, x: m.roll(x, (1, -7), axis=(0, 1))),
        (2, lambda m, x: m.roll(x, 2, axis=(0, 0, 1))),
        (2, lambda m, x: m.rot90(x)),
        (2, lambda m, x: m.rot90(x, 2, (1, 0))),
        (2, lambda m, x: m.rot90(x, -1, (-1, 0))),
        (0, lambda m, x: m.tile(x, (2,))),
        (0, lambda m, x: m.tile(x, (2, 1, 3))),
        (0, lambda m, x: m.tile(x, (0, 2))),
        (0, lambda m, x: m.repeat(x, 3)),
        (1, lambda m, x: m.repeat(x, 2, axis=0)),
        (1, lambda m, x: m.repeat(x, 0, axis=-1)),
        (2, lambda m, x: m.tril(x)),
        (2, lambda m, x: m.tril(x, k=-1)),
        (2, lambda m, x: m.triu(x, k=2)),
        (2, lambda m, x: m.triu(x, k=-100)),
        (0, lambda m, x: m.diagflat(x, 1)),
        (0, lambda m, x: m.zeros_like(x)),
        (0, lambda m, x: m.ones_like(x)),
        (0, lambda m, x: m.full_like(x, 1)),
        (0, lambda m, x: m.stack([x, x], axis=-1)),
        (0, lambda m, x: m.hstack([x, x])),
        (0, lambda m, x: m.vstack([x, x, x])),
        (0, lambda m, x: m.dstack([x, x])),
        (1, lambda m, x: m.column_stack([x, x])),
    ],
)
def test_moved(least, f):
    both(f, f, *(shape for shape in SHAPES if len(shape) >= least), dtypes=DTYPES)


@pytest.mark.parametrize("k", [0, 1, -1, 3, -7])
def test_diag(k):
    both(lambda m, x: m.diag(x, k), lambda m, x: m.diag(x, k), (5,), (3, 4), (0,), (4, 0), dtypes=DTYPES)


def test_rows_beside_numpys():
    x = made((2, 3, 4))
    y = tme.asarray(x)
    same(y.flatten(), x.ravel())
    same(y.flatten(1), x.reshape(2, 12))
    same(y.flatten(0, -2), x.reshape(6, 4))
    same(tme.flatten(tme.asarray(2.0)), np.full(1, 2.0, "float32"))
    same(tme.unflatten(y, -1, (2, -1)), x.reshape(2, 3, 2, 2))
    same(y.matrix_transpose(), np.swapaxes(x, 1, 2))
    for where in ((0, 1, 2), (3,)):
        same(tme.repeat(y, tme.asarray(where), axis=1), np.repeat(x, where, axis=1))
    for parts in (1, 3, [1], [0, 2, 2], [-1, 9]):
        ours, theirs = tme.split(y, parts, axis=1), np.split(x, parts, axis=1)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
    for a, b in zip(tme.array_split(y, 3, axis=2), np.array_split(x, 3, axis=2), strict=True):
        same(a, b)
    for a, b in zip(tme.unstack(y, axis=1), (x[:, i] for i in range(3)), strict=True):
        same(a, b)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), (1, 1)])
@pytest.mark.parametrize("shape", [(5, 6), (7, 3), (2, 2)])
def test_sliding_window_view(shape, axis):
    from numpy.lib.stride_tricks import sliding_window_view

    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    for window in itertools.product((1, 2), repeat=len(axes)):
        if axis == (1, 1) and sum(window) - 1 > shape[1]:
            continue
        arguments = (window if axis != 0 and axis != -1 else window[0], axis)
        both(
            lambda m, x: tme.sliding_window_view(x, *arguments),
            lambda m, x: sliding_window_view(x, *arguments),
            shape,
            dtypes=DTYPES,
        )


def test_as_strided():
    x = np.arange(24, dtype="float32").reshape(4, 6)
    for shape, strides, offset in [((3, 5, 2), (6, -1, 4), 4), ((4, 4), (0, 1), 20), ((), (), 23), ((0, 9), (99, 99), 77)]:
        at = np.full(shape, offset)
        for d, step in enumerate(strides):
            at = at + step * np.arange(shape[d]).reshape([-1 if i == d else 1 for i in range(len(shape))])
        both(
            lambda m, y: tme.as_strided(y, shape, strides, offset),
            lambda m, y: y.ravel()[at] if at.size else np.zeros(shape, y.dtype),
            (4, 6),
        )
    same(tme.as_strided(tme.asarray(x), offset=0), x)
    for bad in [
        ((4, 7), None, 0),
        ((4, 6), (6, 1), 1),
        ((2,), (-1,), 0),
        ((2,), (2**62,), 0),
        ((3,), (2**62,), 2**62),
        ((), (), 24),
    ]:
        with pytest.raises(IndexError, match="beyond"):
            tme.as_strided(tme.asarray(x), *bad)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("before, after", [((1, 2), (0, 3)), ((0, 0), (2, 0)), ((9, 0), (11, 4))])
def test_pad(mode, before, after):
    width = list(zip(before, after, strict=True))
    for shape in ((3, 4), (1, 5), (2, 1)):
        both(lambda m, x: tme.pad(x, before, after, mode=mode), lambda m, x: np.pad(x, width, mode=mode), shape, dtypes=DTYPES)


def test_pad_by_numpys_arguments():
    x = made((2, 3), "int32")
    y = tme.asarray(x)
    for width in (2, (2,), (1, 2), [(1, 2)], ((1, 2), (0, 3)), np.int64(1)):
        same(tme.pad(y, width), np.pad(x, width))
        same(tme.pad(y, width, "edge"), np.pad(x, width, "edge"))
        same(tme.pad(y, width, mode="constant", constant_values=7), np.pad(x, width, constant_values=7))
    same(tme.pad(tme.asarray(5), ()), np.asarray(5))
    for width in ((1, 2, 3), [(1, 2)] * 3, [(1, 2, 3), (1, 2, 3)]):
        with pytest.raises(ValueError, match="pair for each of 2"):
            tme.pad(y, width)


def test_pad_refuses():
    x = tme.zeros((2, 0))
    same(tme.pad(x, (1, 0), (0, 0), mode="edge"), np.zeros((3, 0), "float32"))
    with pytest.raises(ValueError, match="no elements"):
        tme.pad(x, (0, 1), (0, 0), mode="wrap")
    with pytest.raises(ValueError, match="edge|expected one of"):
        tme.pad(x, (0, 1), (0, 0), mode="mirror")
    with pytest.raises(ValueError, match="expected 0 or more"):
        tme.pad(x, (0, -1), (0, 0), mode="wrap")


def test_made_of_numbers():
    for n, m, k in [(4, None, 0), (3, 7, 2), (5, 2, -3), (0, 3, 0), (3, 3, 2**62), (3, 3, -(2**62))]:
        same(tme.tri(n, -1 if m is None else m, k, "float32"), np.tri(n, m, max(min(k, 99), -99), "float32"))
    same(tme.identity(5, "int32"), np.identity(5, "int32"))
    for endpoint in (True, False):
        for n in (0, 1, 2, 9):
            for ours, theirs in [
                (tme.logspace(-1, 3, n, endpoint, 2, "float64"), np.logspace(-1, 3, n, endpoint, 2)),
                (tme.geomspace(2, 500, n, endpoint, "float64"), np.geomspace(2, 500, n, endpoint)),
                (tme.geomspace(-2, -0.25, n, endpoint, "float64"), np.geomspace(-2, -0.25, n, endpoint)),
            ]:
                assert ours.dtype == tme.float64 and ours.shape == theirs.shape
                np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-14)
    for dtype in ("int64", "float64", "complex128"):
        x = made((5,), dtype)
        same(tme.vander(tme.asarray(x)), np.vander(x))
        same(tme.vander(tme.asarray(x), 3, True), np.vander(x, 3, True))
        same(tme.vander(tme.asarray(x), 0), np.vander(x, 0))
    x = tme.asarray(made((2, 3), "int16"))
    assert tme.zeros_like(x, dtype="float64").dtype == tme.float64
    same(tme.full_like(x, 7), np.full((2, 3), 7, "int16"))


def test_choosing():
    x = made((4, 5), "int32")
    y = tme.asarray(x)
    same(tme.select([y < 0, y > 5], [y, y * 2], -1), np.select([x < 0, x > 5], [x, x * 2], -1).astype("int32"))
    numbers = np.array([[0, 1, 2, 1, 0]])
    same(tme.choose(tme.asarray(numbers), [y, y + 100, y * 0]), np.choose(numbers, [x, x + 100, x * 0]))
    for mode in ("wrap", "clip"):
        far = np.array([[-7, 4, 2], [9, 0, -1]])
        for axis in (None, 0, 1):
            same(tme.take(y, tme.asarray(far), axis, mode), np.take(x, far, axis, mode=mode))
        same(tme.choose(tme.asarray(far), [1, 2, 3], mode).astype("int64"), np.choose(far, [1, 2, 3], mode=mode))
    keep = np.array([True, False, True])
    for axis in (None, 0, 1):
        same(tme.compress(tme.asarray(keep), y, axis), np.compress(keep, x, axis))
    same(tme.extract(y % 3 == 0, y), np.extract(x % 3 == 0, x))
    y[y > 5] = 0
    same(y, np.where(x > 5, 0, x).astype("int32"))
    with pytest.raises(ValueError, match="as many"):
        tme.select([y < 0], [y, y])
    with pytest.raises(ValueError, match="'clamp'"):
        tme.take(y, tme.asarray([0]), 0, "clamp")


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (IndexError, "axis 2", lambda x: tme.moveaxis(x, 2, 0)),
        (ValueError, "twice", lambda x: tme.moveaxis(x, (0, -2), (0, 1))),
        (ValueError, "as many", lambda x: tme.moveaxis(x, (0, 1), 0)),
        (IndexError, "axis 5", lambda x: tme.swapaxes(x, 0, 5)),
        (ValueError, "at least 2", lambda x: tme.diagonal(x[0])),
        (ValueError, "twice", lambda x: tme.trace(x, 0, 1, 1)),
        (ValueError, "at least 2", lambda x: tme.matrix_transpose(x[0])),
        (ValueError, "at least 2", lambda x: tme.tril(x[0])),
        (ValueError, "ascending", lambda x: tme.flatten(x, 1, 0)),
        (ValueError, "cannot hold", lambda x: tme.unflatten(x, 1, (3, 2))),
        (ValueError, "shifts", lambda x: tme.roll(x, (1, 2), axis=(0, 1, 1))),
        (ValueError, "given twice", lambda x: tme.expand_dims(x, (0, -4))),
        (IndexError, "axis 4", lambda x: tme.expand_dims(x, (0, 4))),
        (ValueError, "no whole ones", lambda x: x.view("complex64")),
        (ValueError, "there is none", lambda x: x[0, 0].view("int16")),
        (TypeError, "whole number", lambda x: tme.fft.fft(x, axis=None)),
        (ValueError, "expected 2", lambda x: tme.rot90(x, 1, (0,))),
        (ValueError, "twice", lambda x: tme.rot90(x, 1, (0, -2))),
        (ValueError, "expected 0 or more", lambda x: tme.tile(x, (-1,))),
        (ValueError, "expected 0 or more", lambda x: tme.repeat(x, -1)),
        (ValueError, "negative", lambda x: tme.repeat(x, tme.asarray([1, -1]), axis=0)),
        (ValueError, "vector or a matrix", lambda x: tme.diag(tme.stack([x, x]))),
        (ValueError, "does not fit", lambda x: tme.hstack([x, x[:1]])),
        (ValueError, "equal parts", lambda x: tme.split(x, 2, axis=1)),
        (ValueError, "one sign", lambda x: tme.geomspace(-1, 2, 3)),
        (ValueError, "above 0", lambda x: tme.logspace(0, 2, 3, base=-1.0)),
        (ValueError, "num is -1", lambda x: tme.logspace(0, 2, -1)),
        (ValueError, "-1 rows", lambda x: tme.identity(-1)),
        (ValueError, "takes a vector", lambda x: tme.vander(x)),
        (OverflowError, "300", lambda x: tme.full_like(x.astype("uint8"), 300)),
    ],
)
def test_refused(error, match, call):
    with pytest.raises(error, match=match):
        call(tme.zeros((2, 3)))


def test_without_an_axis():
    x = made((3, 4), "float32")
    y = tme.asarray(x)
    places = np.array([5, -1, 0, 5])
    for made_by in (tme, None):

        def call(name, *arguments, **keywords):
            return getattr(made_by, name)(y, *arguments, **keywords) if made_by else getattr(y, name)(*arguments, **keywords)

        same(call("sort", axis=None), np.sort(x, None))
        same(call("argsort", axis=None), np.argsort(x, None))
        same(call("partition", 3, axis=None), np.sort(x, None))
        same(call("topk", 2, axis=None)[0], np.sort(x, None)[:-3:-1])
        same(call("take", tme.asarray(places)), np.take(x, places))
        same(call("take_along_axis", tme.asarray(places), axis=None), np.take_along_axis(x, places, None))
        put = x.copy()
        np.put_along_axis(put, places[1:3], np.float32(9), None)
        same(call("put_along_axis", tme.asarray(places[1:3]), 9, axis=None), put)
        same(call("scatter", tme.asarray(places[1:3]), 9, axis=None), put)
    same(tme.concatenate([y, y[:, :2]], axis=None), np.concatenate([x, x[:, :2]], axis=None))
    same(tme.concatenate([y] * 20, axis=None), np.concatenate([x] * 20, axis=None))
    with pytest.raises(ValueError, match="do not fit"):
        tme.take_along_axis(y, tme.zeros((3, 1), dtype="int64"), axis=None)


def test_axes_of_methods():
    x = made((2, 3, 4), "int16")
    y = tme.asarray(x)
    same(y.moveaxis(0, 2), np.moveaxis(x, 0, 2))
    same(y.roll(1, 0), np.roll(x, 1, 0))
    same(y.transpose(2, 0, 1), x.transpose(2, 0, 1))
    same(y.expand_dims((0, -1)), np.expand_dims(x, (0, -1)))
    same(tme.expand_dims(y, ()), x)
    for shift, axis in [((1, 2), 0), ((3, -5, 1), None), (2, (0, 0)), ((1, 2), (2, 2)), ((), None)]:
        same(tme.roll(y, shift, axis), np.roll(x, shift, axis) if shift else x)


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint16", "float16", "int32", "float32", "complex64", "float64", "complex128"]
)
def test_view(dtype):
    x = made((3, 4), dtype)
    for layout in (x, x[:, ::-1], np.broadcast_to(x, (2, 3, 4))):
        for to in ("uint8", "int16", "float32", "int64", "complex64", "float16"):
            if layout.shape[-1] * layout.itemsize % np.dtype(to).itemsize == 0:
                ours = np.asarray(tme.asarray(layout).view(to))
                assert ours.dtype == to and ours.tobytes() == np.ascontiguousarray(layout).view(to).tobytes()
    assert tme.asarray(x).view(bool).tolist() == (np.ascontiguousarray(x).view("uint8") != 0).tolist()


def test_atleast_of_several():
    arrays = [3, [1, 2], [[1], [2]], np.zeros((1, 2, 3, 4))]
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        ours, theirs = getattr(tme, name)(*map(tme.asarray, arrays)), getattr(np, name)(*arrays)
        assert type(ours) is tuple
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)


def test_linspace_of_whole_numbers():
    for start, stop, n, endpoint in [(0, 10, 5, True), (0, 10, 3, False), (-7, 2.5, 8, True), (3, 3, 4, True), (0, 1, 0, True)]:
        for dtype in ("int8", "int32", "int64"):
            want = np.linspace(start, stop, n, endpoint=endpoint, dtype=dtype)
            same(tme.linspace(start, stop, n, endpoint, dtype), want)
    assert tme.linspace(0, 1).shape == (50,)
