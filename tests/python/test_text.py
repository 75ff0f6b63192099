"""Arrays as text."""

import contextvars

import pytest
import tme


def test_repr_and_str():
    x = tme.array([[1, 2], [3, 4]], dtype=tme.float32)
    assert repr(x) == "array([[1., 2.],\n       [3., 4.]], dtype=float32)"
    assert str(x) == "[[1. 2.]\n [3. 4.]]"
    assert repr(tme.arange(3)) == "array([0, 1, 2])"
    assert repr(tme.array([True])) == "array([ True])"
    assert repr(tme.zeros((0, 3))) == "array([], shape=(0, 3), dtype=float32)"
    assert (repr(tme.array(1.5)), str(tme.array(1.5)), str(tme.array(2.0))) == ("array(1.5, dtype=float32)", "1.5", "2.0")
    assert f"{tme.array([1, 2])}" == "[1 2]"


def test_dtype_on_a_line_of_its_own():
    text = repr(tme.arange(10, dtype=tme.int16) * 1111)
    assert text.splitlines()[-1] == "      dtype=int16)"
    assert max(map(len, text.splitlines())) <= 75


def test_options():
    x = tme.array([1 / 3, 1e-9], dtype=tme.float64)
    before = tme.get_printoptions()
    with tme.printoptions(precision=3, suppress=True) as options:
        assert (options["precision"], options["suppress"]) == (3, True)
        assert str(x) == "[0.333 0.   ]"
    assert tme.get_printoptions() == before
    assert str(x) == "[3.33333333e-01 1.00000000e-09]"
    with tme.printoptions(threshold=5, edgeitems=1):
        assert repr(tme.arange(6)) == "array([0, ..., 5], shape=(6,))"
    with tme.printoptions(linewidth=10):
        assert str(tme.arange(8)) == "[0 1 2 3\n 4 5 6 7]"
    with tme.printoptions(threshold=float("inf"), precision=10**30, linewidth=10**30):
        assert "..." not in str(tme.arange(2000))


def test_options_of_another_context_are_others():
    contextvars.copy_context().run(tme.set_printoptions, precision=1)
    assert tme.get_printoptions()["precision"] == 8


@pytest.mark.parametrize(
    ("option", "error"),
    [({"precision": -1}, ValueError), ({"edgeitems": -2}, ValueError), ({"linewidth": 1.5}, TypeError),
     ({"threshold": "many"}, TypeError), ({"precison": 3}, TypeError)],
)  # fmt: skip
def test_wrong_options(option, error):
    before = tme.get_printoptions()
    with pytest.raises(error):
        tme.set_printoptions(**option)
    assert tme.get_printoptions() == before


def test_while_tracing():
    seen = []
    tme.compile(lambda x: (seen.append(repr(x)), x + 1)[1])(tme.arange(3))
    assert seen == ["<array without a value: int64, shape (3,)>"]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64", "complex64", "complex128"])
def test_as_numpy(dtype):
    np = pytest.importorskip("numpy")
    rng = np.random.default_rng(5)
    for shape in [(), (1,), (7,), (3, 4), (2, 3, 2), (40, 30)]:
        x = np.asarray(np.round(rng.uniform(0, 9, shape), 2)).astype(dtype)
        y = tme.asarray(x)
        ours, theirs = repr(y), repr(x)
        if x.size > 1000:  # earlier versions of NumPy leave the shape out
            ours, theirs = ours.split("]]")[0], theirs.split("]]")[0]
        if dtype in ("float64", "complex128"):
            ours = ours.replace(f", dtype={dtype}", "").replace(f",\n      dtype={dtype}", "")
        assert ours == theirs
        if shape:
            assert str(y) == str(x)


def test_format():
    assert f"{tme.array(0.35487):.1f}" == "0.4" and f"{tme.arange(3)[2]:4d}" == "   2"
    assert f"{tme.arange(3)}" == "[0 1 2]"
    with pytest.raises(TypeError, match="'.2f'"):
        format(tme.arange(3), ".2f")
