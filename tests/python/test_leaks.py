"""Neither references nor memory stay behind, in what succeeds and in what fails."""

import gc
import sys

import numpy as np
import pytest
import tme


def fails(error, f):
    with pytest.raises(error):
        f()


x, n = tme.arange(6).reshape(2, 3), np.arange(6.0)
compiled = tme.compile(lambda a, b: {"sum": a + b, "list": [a]})


def raising(a):
    raise KeyError


CASES = {
    "operators": lambda: (x + 1, 1 - x, x @ x.T, divmod(x, 2), x == 1, -x),
    "no operand": lambda: fails(TypeError, lambda: x + "a"),
    "functions": lambda: (tme.sum(x, axis=(0, 1)), tme.concatenate([x, x], axis=1), tme.svd(tme.eye(2)), tme.zeros((2, 3))),
    "refused": lambda: (fails(TypeError, lambda: tme.sum(x, axes=1)), fails(ValueError, lambda: tme.sum(x, axis=7)),
                        fails(TypeError, lambda: tme.concatenate([x, object()]))),
    "methods": lambda: (x.sum(axis=0), x.reshape(3, 2), x.T, x.shape, x.real),
    "lists": lambda: (tme.array([[1, 2], [3, 4]]), tme.array([x, x]), fails(ValueError, lambda: tme.array([[1], 2]))),
    "buffers": lambda: (tme.array(n), tme.asarray(n, copy=False), memoryview(x), np.asarray(x), tme.array(n[::2])),
    "dlpack": lambda: (tme.from_dlpack(n), np.from_dlpack(x), x.__dlpack__(), x.__dlpack__(max_version=(1, 0))),
    "indices": lambda: (x[0], x[:, None], x[[0, 1]], x[x > 2], fails(IndexError, lambda: x[9])),
    "assignment": lambda: (x.at[0].set(1), x.at[[0, 1]].add([1, 2, 3]), fails(ValueError, lambda: x.at[0].set([1, 2]))),
    "values": lambda: (x.tolist(), float(x[0, 1]), x.sum().item(), list(x), f"{x[0, 0]:d}"),
    "compiled": lambda: (compiled(x, x), compiled(x[0], 2)),
    "traces": lambda: tme.compile(lambda a: a + 1)(x),
    "traces that fail": lambda: (fails(KeyError, lambda: tme.compile(raising)(x)),
                                 fails(tme.TraceError, lambda: tme.compile(lambda a: float(a))(x[0, 0]))),
    "engines": lambda: tme.Engine("float64").ones(3).eval(),
    "contexts": lambda: tme.Engine("float64").__enter__().__exit__(None, None, None),
    "events": lambda: tme.async_eval(x + 1, [x * 2]).wait(),
    "text": lambda: (repr(x), str(x), format(x)),
    "explain": lambda: (tme.explain(x + 1), str(tme.Plan(x * 2))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_references(name):
    case = CASES[name]
    watched = [x, n, None, True, tme.float32, x.engine, tme.Array, tme.Engine, "axis", int, ValueError, compiled]
    few = 20

    def counts():
        gc.collect()
        return [sys.getrefcount(o) for o in watched]

    for _ in range(3):
        case()
    before = counts()
    for _ in range(few):
        case()
    after = counts()
    grown = [(o, b - a) for o, a, b in zip(watched, before, after) if abs(b - a) >= few]
    assert not grown, grown
    # What is cached at first stops to grow; a leak goes on.
    for _ in range(20):
        blocks = sys.getallocatedblocks()
        for _ in range(few):
            case()
        gc.collect()
        if sys.getallocatedblocks() - blocks < few:
            return
    raise AssertionError("every call leaves memory behind")


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("name", ["operators", "compiled", "buffers", "dlpack", "indices", "lists", "refused"])
def test_memory(name):
    case = CASES[name]
    for _ in range(300):
        case()
    gc.collect()
    before = resident()
    for _ in range(1500):
        case()
    gc.collect()
    assert resident() - before < 4 << 20
