"""tme.compile: tracing, trees of arrays, replay."""

import collections
import dataclasses
import functools
import inspect
import xml.etree.ElementTree

import numpy as np
import pytest
import tme
from tme import _picture

Pair = collections.namedtuple("Pair", "a b")


@dataclasses.dataclass
class Layer:
    weight: object
    scale: float = 2.0


def test_replay():
    runs = []

    @tme.compile
    def f(x, y):
        "What it does."
        runs.append(1)
        return tme.tanh(x * y) + 1

    x = tme.linspace(-1, 1, 5)
    first, second = f(x, x), f(x + 0, x)
    assert len(runs) == 1 and f.stats()["traces"] == 1 and f.stats()["calls"] == 2
    assert np.allclose(first, np.tanh(np.linspace(-1, 1, 5) ** 2) + 1) and np.allclose(first, second)
    f(x.astype("float64"), x)
    f(x[:3], x[:3])
    assert len(runs) == 3
    assert f.__name__ == "f" and f.__doc__ == "What it does." and str(inspect.signature(f)) == "(x, y)"


def test_trees():
    @tme.compile
    def f(model, *rest, flag, name="a"):
        assert isinstance(model["layer"], Layer) and isinstance(rest[0], Pair)
        y = model["layer"].weight * model["layer"].scale + rest[0].a
        return {"y": y, "pair": Pair(y + 1, rest[0].b), "list": [None, flag, (y, name)], "layer": Layer(y, 3.0)}

    x = tme.arange(3)
    for flag in (True, 1, "x"):
        out = f({"layer": Layer(x)}, Pair(x, x), flag=flag)
        assert out["y"].tolist() == [0, 3, 6] and isinstance(out["pair"], Pair) and out["pair"].b.tolist() == [0, 1, 2]
        assert out["list"][1] is flag and out["list"][2][1] == "a" and isinstance(out["layer"], Layer)
    assert f.stats()["traces"] == 3


def test_constants_are_told_apart_by_type():
    @tme.compile
    def f(x, c):
        return x * c

    x = tme.array([1, 2])
    assert f(x, 2).dtype == "int64" and f(x, 2.0).dtype == "float32" and f(x, True).dtype == "int64"


def test_results_that_are_not_computed():
    constant = tme.array([7.0]).eval()

    @tme.compile
    def f(x):
        return x, constant, x + 1, 3, None

    x = tme.array([1.0])
    a, b, c, d, e = f(x)
    assert (a.tolist(), b.tolist(), c.tolist(), d, e) == ([1], [7], [2], 3, None)
    assert tme.compile(lambda: tme.zeros(2) + 1)().tolist() == [1, 1]
    assert tme.compile(lambda x: x)(x).tolist() == [1]
    assert tme.compile(lambda x: None)(x) is None
    same = tme.compile(lambda x: [x + 1] * 3)(x)
    assert [s.tolist() for s in same] == [[2]] * 3


def test_values_are_not_known():
    lines = []

    def f(x):
        lines.append(inspect.currentframe().f_lineno + 1)
        return x * 2 if x > 0 else x

    with pytest.raises(tme.TraceError, match="test_compile.py:") as error:
        tme.compile(f)(tme.array(1.0))
    assert str(lines[0]) in str(error.value)
    for bad in (lambda x: x.tolist(), lambda x: float(x), lambda x: np.asarray(x), lambda x: x[x > 0], lambda x: [1, 2][x]):
        with pytest.raises((tme.TraceError, TypeError)):
            tme.compile(bad)(tme.array(1))


def test_leaked_placeholder():
    kept = []
    tme.compile(lambda x: kept.append(x + 1) or x * 2)(tme.array([1.0]))
    with pytest.raises(tme.TraceError):
        kept[0].tolist()
    del kept[0]


def test_errors_leave_nothing_behind():
    @tme.compile
    def f(x, fail):
        y = x + 1
        if fail:
            raise KeyError("inside")
        return y

    x = tme.array([1.0])
    for _ in range(3):
        with pytest.raises(KeyError, match="inside"):
            f(x, True)
    assert f(x, False).tolist() == [2]
    with pytest.raises(TypeError, match="hash"):
        f(x, set())
    with pytest.raises(TypeError):
        tme.compile(3)


def test_nested_and_assignment():
    @tme.compile
    def inner(x):
        x[0] = 5
        x += 1
        return x

    @tme.compile
    def outer(x):
        return inner(x) * 2

    x = tme.zeros(3)
    assert outer(x).tolist() == [12, 2, 2] and x.tolist() == [0, 0, 0]
    assert inner(x).tolist() == [6, 1, 1] and x.tolist() == [0, 0, 0]


def test_methods_and_partial():
    class Model:
        def __init__(self, w):
            self.w = w

        @tme.compile
        def __call__(self, x):
            return x * self.w

    assert Model(3)(tme.array([1, 2])).tolist() == [3, 6]
    assert tme.compile(functools.partial(lambda a, b: a - b, 10))(tme.array([1])).tolist() == [9]


def test_numpy_arguments_become_arrays():
    f = tme.compile(lambda x: x * 2)
    assert f(np.arange(3)).tolist() == [0, 2, 4] and f(np.arange(3) + 1).tolist() == [2, 4, 6]
    assert f.stats()["traces"] == 1


def test_many_traces_are_bounded():
    f = tme.compile(lambda x, c: x + c)
    x = tme.array([1])
    for c in range(300):
        assert f(x, c).item() == 1 + c
    stats = f.stats()
    assert stats["entries"] <= 256 and stats["evictions"] == 300 - stats["entries"]


def test_engines():
    f = tme.compile(lambda: tme.ones(2) / 3)
    assert f().dtype == "float32"
    with tme.Engine(precision="float64"):
        assert f().dtype == "float64"
    assert f.stats()["traces"] == 2
    with tme.Engine(precision="float64") as e:
        x = tme.ones(2)
    with pytest.raises(ValueError, match="engine"):
        tme.compile(lambda a, b: a + b)(x, tme.ones(2))
    assert x.engine is e


def test_plans():
    f = tme.compile(lambda x: tme.tanh(x @ x) + 1)
    plan = f.lower(tme.eye(4))
    assert "matmul" in str(plan) and "digraph" in plan.dot() and "step 0" in f.explain(tme.eye(4)).text()
    assert "tanh" in tme.explain(tme.tanh(tme.eye(4)), ir=True)
    assert "<svg" in plan.svg()
    xml.etree.ElementTree.fromstring(_picture.svg(plan.dot()))
    own = _picture.svg(tme.Plan(tme.softmax(tme.eye(4) @ tme.eye(4)), tme.eye(2) < 3).dot())
    boxes = [node for node in xml.etree.ElementTree.fromstring(own) if node.tag.endswith("rect")]
    assert len(boxes) >= 6 and len({(box.get("x"), box.get("y")) for box in boxes}) == len(boxes)
    assert f.stats()["traces"] == 0


def test_numeric_failures():
    f = tme.compile(lambda x: tme.svdvals(x))
    with pytest.raises(tme.NumericError):
        f(tme.full((3, 3), float("nan")))
    assert f(tme.eye(3)).tolist() == [1, 1, 1]
