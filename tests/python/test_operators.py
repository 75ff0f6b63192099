"""Python's operators, with arrays, numbers, lists and NumPy's arrays."""

import operator

import numpy as np
import pytest
import tme

BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
    operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge,
]  # fmt: skip
BITS = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]


@pytest.mark.parametrize("op", BINARY + BITS)
def test_binary(op):
    a, b = np.array([7, 1, 5]), np.array([2, 3, 5])
    kinds = [np.int32] if op in BITS else [np.int32, np.float32]
    for kind in kinds:
        x, y = a.astype(kind), b.astype(kind)
        for left, right in ((tme.array(x), tme.array(y)), (tme.array(x), y), (x, tme.array(y)), (tme.array(x), b.tolist())):
            made = op(left, right)
            assert isinstance(made, tme.Array)
            assert np.allclose(np.asarray(made), op(x, y))
    number = op(tme.array(a.astype(np.int32)), 2)
    assert number.tolist() == pytest.approx(op(a, 2).tolist())
    assert op(2, tme.array(b.astype(np.int32))).tolist() == pytest.approx(op(2, b).tolist())


def test_unary():
    x = tme.array([1, -2])
    assert (-x).tolist() == [-1, 2] and (+x).tolist() == [1, -2] and abs(x).tolist() == [1, 2] and (~x).tolist() == [-2, 1]


def test_others():
    x = tme.array([7, 8])
    assert [part.tolist() for part in divmod(x, 3)] == [[2, 2], [1, 2]]
    assert (tme.eye(2) @ [1, 2]).tolist() == [1, 2]
    assert (2 ** tme.array([1, 2])).tolist() == [2, 4]
    with pytest.raises(TypeError):
        pow(x, 2, 3)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "bfloat16", "float32", "float64"])
def test_numbers_are_weak(dtype):
    x = tme.array([1, 2], dtype=dtype)
    assert (x + 1).dtype == dtype
    assert (x * True).dtype == dtype
    if x.dtype.kind == "f":
        assert (x + 1.5).dtype == dtype and (1.5 + x).dtype == dtype
    else:
        assert (x + 1.5).dtype == "float32"


def test_numbers_that_do_not_fit():
    x = tme.array([0, 200], dtype="uint8")
    with pytest.raises(ValueError, match="300 does not fit in uint8"):
        x + 300
    assert (x < 300).tolist() == [True, True] and (x == -1).tolist() == [False, False]
    with pytest.raises(OverflowError):
        x + 2**64


def test_no_operands():
    x = tme.array([1, 2])
    for other in ("a", None, object(), {}):
        with pytest.raises(TypeError):
            x + other
        with pytest.raises(TypeError):
            other + x
        assert (x == other) is False and (x != other) is True


def test_in_place():
    x = y = tme.array([1.0, 2.0])
    y += 1
    assert x is y and x.tolist() == [2, 3]
    z = tme.array([1, 2], dtype="int32")
    z *= tme.array([2, 3], dtype="int8")
    assert z.dtype == "int32" and z.tolist() == [2, 6]
    with pytest.raises(TypeError, match="float32"):
        z += 1.5
    with pytest.raises(ValueError, match="shape"):
        z += tme.zeros((3, 2), dtype="int32")
    assert z.tolist() == [2, 6]
    z **= 2
    z //= 3
    z <<= 1
    assert z.tolist() == [2, 24]


def test_engines_meet_by_values():
    other = tme.Engine(precision="float64")
    with other:
        x = tme.array([1.0, 2.0])
    assert x.dtype == "float64" and x.engine is other
    assert (tme.array([1.0, 1.0]) + x).engine is tme.current_engine()


def test_functions():
    assert tme.add(1, 2).item() == 3
    assert tme.sum(tme.arange(6).reshape(2, 3), axis=(0, 1)).item() == 15
    assert tme.concatenate([tme.arange(2), [7]]).tolist() == [0, 1, 7]
    u, s, vt = tme.svd(tme.eye(3))
    assert s.tolist() == [1, 1, 1]
    for bad in (lambda: tme.sum(), lambda: tme.sum(1, 2, 3, 4), lambda: tme.sum(x=1, axes=2), lambda: tme.sum(1, x=2),
                lambda: tme.concatenate(tme.arange(2)), lambda: tme.zeros("a"), lambda: tme.zeros(2, dtype=object)):  # fmt: skip
        with pytest.raises(TypeError):
            bad()
    for bad in (lambda: tme.zeros(-1), lambda: tme.zeros([1] * 17), lambda: tme.sum(tme.arange(3), axis=1),
                lambda: tme.matmul(tme.arange(3), tme.arange(2))):  # fmt: skip
        with pytest.raises(ValueError):
            bad()
    with pytest.raises(MemoryError):
        tme.zeros((2**40, 2**40))


def test_hostile_numbers():
    class Broken:
        def __index__(self):
            raise RuntimeError("broken")

    class Text:
        def __index__(self):
            return "a"

    for bad in (Broken(), Text()):
        with pytest.raises((RuntimeError, TypeError)):
            tme.zeros(bad)
        with pytest.raises((RuntimeError, TypeError)):
            tme.sum(tme.arange(3), axis=bad)
        with pytest.raises((RuntimeError, TypeError)):
            tme.arange(3)[bad]
    with pytest.raises(OverflowError):
        tme.zeros(2**70)


def test_lists_keep_their_digits():
    third = [1 / 3, 2 / 3]
    x, y = tme.zeros(2, dtype="float64"), tme.zeros(2)
    for made in (
        x + third,
        third + x,
        tme.add(x, third),
        tme.concatenate([x, third])[2:],
        x.at[:].set(third),
        third @ tme.eye(2, dtype="float64"),
    ):
        assert made.dtype == "float64" and made.tolist() == third
    x[:] = third
    assert x.tolist() == third
    assert (y + third).dtype == "float32" and tme.add([0.1], [0.2]).dtype == "float32"
    assert ([1j / 3] + tme.zeros(1, dtype="complex128")).tolist() == [1j / 3]


def test_numpy_functions():
    x = tme.array([0.0, 1.0])
    assert isinstance(np.exp(x), np.ndarray) and np.exp(x).dtype == np.float32
    assert np.allclose(np.exp(x), [1, np.e]) and np.isnan(x).tolist() == [False, False] and np.concatenate([x, x]).shape == (4,)
    n = np.zeros(2)
    assert isinstance(n * x, tme.Array) and isinstance(n < x, tme.Array) and isinstance(np.float64(2) * x, tme.Array)


def test_complex_numbers_keep_their_digits():
    x = tme.array([1j, 2], dtype="complex128")
    for y in (x * 0 + 1e-5j, tme.add(x * 0, 1e-5j), x.at[:].set(1e-5j), tme.array(0.0, dtype="float64") + 1e-5j):
        assert y.dtype == tme.complex128 and np.all(np.asarray(y) == 1e-5j)
    x[x == 2] = 3.5e38j
    assert x.tolist() == [1j, 3.5e38j]
    assert (tme.array([1.0], dtype="float32") + 1j).dtype == tme.complex64
    assert tme.array(1j).dtype == tme.complex64
    with pytest.raises(ValueError, match="does not fit in complex64"):
        tme.array([1j], dtype="complex64") + 3.5e38j
