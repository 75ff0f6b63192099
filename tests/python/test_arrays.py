"""Arrays made of Python's objects, and read back."""

import copy
import math
import pickle
import weakref

import numpy as np
import pytest
import tme

NUMPY_DTYPES = [dtype for dtype in tme.dtypes if dtype.name != "bfloat16" and not dtype.name.startswith("float8")]


@pytest.mark.parametrize(
    ("given", "dtype", "shape"),
    [
        (3, "int64", ()),
        (2.5, "float32", ()),
        (True, "bool", ()),
        (1j, "complex64", ()),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        ([[[]]], "float32", (1, 1, 0)),
        ([1, 2], "int64", (2,)),
        ((1, 2.5), "float32", (2,)),
        ([True, 2], "int64", (2,)),
        ([1, 2j], "complex64", (2,)),
        ([2**63], "uint64", (1,)),
        ([[1, 2], (3, 4)], "int64", (2, 2)),
        (b"abc", "uint8", (3,)),
        (np.float32(3), "float32", ()),
        ([np.float32(3), np.float32(4)], "float32", (2,)),
        (np.arange(6).reshape(2, 3).T, "int64", (3, 2)),
    ],
)
def test_made_of_objects(given, dtype, shape):
    a = tme.array(given)
    assert (a.dtype, a.shape) == (dtype, shape)
    expected = list(given) if isinstance(given, bytes) else np.array(given).tolist()
    assert a.tolist() == expected
    assert a.ndim == len(shape) and a.size == math.prod(shape) and a.nbytes == a.size * a.itemsize


def test_of_arrays():
    rows = [tme.array([1, 2]), [3, 4], np.array([5, 6])]
    assert tme.array(rows).tolist() == [[1, 2], [3, 4], [5, 6]]


def test_of_many_arrays():
    rows = tme.arange(400).reshape(20, 20) + 1
    compiled = rows.engine.cache_stats()["compilations"]
    again = tme.array([[rows[i, k] for k in range(20)] for i in range(20)])
    assert again.dtype == "int64" and again.tolist() == rows.tolist()
    assert tme.array([tme.array(i) for i in range(9)] + [2.5]).dtype == "float32"
    assert tme.array([tme.zeros((0, 2))] * 20).shape == (20, 0, 2)
    assert tme.compile(lambda x: tme.array([x[i] for i in range(12)]))(tme.arange(12)).tolist() == list(range(12))
    assert rows.engine.cache_stats()["compilations"] - compiled < 12
    with pytest.raises(ValueError):
        tme.array([tme.zeros(2)] * 10 + [tme.zeros(3)])


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([[1, 2], [3]], ValueError),
        ([1, [2]], ValueError),
        ([[1], 2], ValueError),
        ("abc", TypeError),
        ([None], TypeError),
        ([object()], TypeError),
        ({1: 2}, TypeError),
        (np.array(["a"]), TypeError),
        (np.array([None]), TypeError),
        (np.arange(3, dtype=">i4"), TypeError),
        (2**64, OverflowError),
        ([2**63, -1], OverflowError),
        (-(2**63) - 1, OverflowError),
    ],
)
def test_no_arrays(given, error):
    with pytest.raises(error):
        tme.array(given)


def test_deep_lists():
    nested = 1
    for _ in range(16):
        nested = [nested]
    assert tme.array(nested).ndim == 16
    with pytest.raises(ValueError, match="16"):
        tme.array([nested])
    cyclic = []
    cyclic.append(cyclic)
    with pytest.raises(ValueError, match="16"):
        tme.array(cyclic)


def test_lists_that_change():
    class Trap:
        def __array__(self, *args, **kwargs):
            items.clear()
            return np.array(1)

    items = [Trap(), 1, 2]
    with pytest.raises((ValueError, TypeError, IndexError)):
        tme.array(items + [[1]])
    tme.array([Trap(), 1])


@pytest.mark.parametrize("dtype", tme.dtypes)
def test_dtypes(dtype):
    a = tme.array([0, 1, 1], dtype=dtype)
    assert a.dtype is dtype and a.tolist() == [0, 1, 1]
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert dtype == dtype.name and hash(dtype) == hash(dtype.name)
    assert repr(dtype) == f"tme.{dtype.name}"
    assert pickle.loads(pickle.dumps(a)).tolist() == a.tolist()
    assert tme.zeros(2, dtype=dtype.name).dtype is dtype


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_numpy_round_trip(dtype):
    x = np.arange(24).reshape(2, 3, 4).astype(dtype.name)
    for given in (x, x.T, x[:, ::-2], x[:0], x[0, 0, 0], np.asfortranarray(x)):
        a = tme.array(given)
        assert a.dtype == x.dtype
        back = np.asarray(a)
        assert back.dtype == x.dtype and np.array_equal(back, given)
        assert np.array_equal(np.from_dlpack(a), given)
        assert np.array_equal(memoryview(a).tolist() if x.dtype.kind in "bui" and a.ndim == 1 else np.array(a), given)


def test_range_of_integers():
    for dtype in tme.dtypes:
        if dtype.kind not in "ui":
            continue
        info = np.iinfo(dtype.name)
        assert tme.array([info.min, info.max], dtype=dtype).tolist() == [info.min, info.max]
        for beyond in (info.min - 1, info.max + 1):
            with pytest.raises(OverflowError):
                tme.array([beyond], dtype=dtype)


def test_copies():
    x = tme.array([1, 2, 3])
    for y in (copy.copy(x), copy.deepcopy(x), x.copy()):
        assert y is not x and y.tolist() == [1, 2, 3]
    assert tme.asarray(x).tolist() == [1, 2, 3]


def test_copy_semantics():
    x = np.arange(4.0)
    copied, shared = tme.asarray(x), tme.asarray(x, copy=False)
    x[0] = 7
    assert copied.tolist()[0] == 0 and shared.tolist()[0] == 7
    x.flags.writeable = False
    assert tme.asarray(x).tolist() == x.tolist()
    for unshareable in ([1, 2], 1.5):
        with pytest.raises(ValueError):
            tme.asarray(unshareable, copy=False)
    with pytest.raises(ValueError):
        tme.asarray(x, dtype=tme.float32, copy=False)


def test_one_value():
    assert float(tme.array([1.5])) == 1.5 and int(tme.array(3)) == 3 and complex(tme.array(1j)) == 1j
    assert tme.array([[7]]).item() == 7 and tme.array([1, 2]).item(1) == 2 and tme.array([[1, 2]]).item(0, 1) == 2
    assert [10, 20][tme.array(1)] == 20 and bool(tme.array([0])) is False
    assert f"{tme.array(3.14159):.2f}" == "3.14"
    for bad in (lambda: float(tme.array([1, 2])), lambda: bool(tme.array([1, 2])), lambda: bool(tme.array([])),
                lambda: tme.array([]).item()):  # fmt: skip
        with pytest.raises(ValueError):
            bad()
    for bad in (lambda: [1][tme.array(0.0)], lambda: [1][tme.array([0])], lambda: len(tme.array(1)),
                lambda: iter(tme.array(1)), lambda: float(tme.array(1j))):  # fmt: skip
        with pytest.raises(TypeError):
            bad()


def test_hash_is_identity():
    x = tme.array([1])
    assert {x: 1}[x] == 1 and hash(x) != hash(x.copy())


def test_arrays_are_made_by_functions():
    with pytest.raises(TypeError):
        tme.Array()
    with pytest.raises(TypeError):
        type("Sub", (tme.Array,), {})


def test_array_attributes():
    x = tme.arange(6).reshape(2, 3)
    assert x.T.shape == (3, 2) and tme.zeros((2, 3, 4)).mT.shape == (2, 4, 3)
    assert x.device == "cpu" and x.engine is tme.current_engine()
    assert x.sum(axis=0).tolist() == [3, 5, 7] and x.reshape(3, 2).shape == x.reshape((3, 2)).shape == (3, 2)
    assert x.astype(float).dtype == "float32"
    with pytest.raises(ValueError):
        tme.arange(3).mT


def test_html():
    made = tme.array([[1.5, 2], [3, float("nan")]])._repr_html_()
    assert made.count("<tr>") == 2 and "<td>1.5</td>" in made and "<td>nan</td>" in made and "float32" in made
    assert tme.arange(3)._repr_html_().count("<td>") == 3
    large = tme.zeros((2000, 3000))._repr_html_()
    assert large.count("<tr>") == 7 and large.count("<td>") == 49
    assert tme.zeros((2, 2, 2))._repr_html_().startswith("<pre>") and tme.array(1)._repr_html_().startswith("<pre>")
    tme.compile(lambda x: [x * 2] if "value" in x._repr_html_() else None)(tme.arange(3))


@pytest.mark.parametrize("read", [lambda x: x.tolist()[0], lambda x: x[0].item(), lambda x: float(x[0]), str])
def test_narrow_floats_are_rounded_before_they_are_read(read):
    a, b = (tme.array([v, 1], dtype=tme.float16) for v in (1e-7, 0.1))
    computed = a * b
    tme.eval(computed)
    assert read(a * b) == read(computed)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min", "all", "any", "argmax", "argmin"])
def test_numpy_functions_call_methods(name):
    x = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(np.asarray(getattr(np, name)(tme.array(x))), getattr(np, name)(x))
    assert np.array_equal(np.asarray(getattr(np, name)(tme.array(x), axis=1)), getattr(np, name)(x, axis=1))
    with pytest.raises(TypeError):
        getattr(np, name)(tme.array(x), out=np.zeros(()))


def test_weak_references():
    x = tme.array([1, 2])
    seen, forgotten = weakref.ref(x), []
    weakref.finalize(x, forgotten.append, 1)
    assert seen() is x
    del x
    assert seen() is None and forgotten == [1]
