"""Objects that raise, lie, or change things while they are read: an exception each, never a crash."""

import copy
import ctypes
import dataclasses
import gc
import io
import logging
import operator
import pickle
import random
import sys
import threading
import time
import types
import weakref
from typing import ClassVar

import numpy as np
import pytest
import tme


class Mine(Exception):
    """What no code but that of these tests raises."""


def raising(*args, **kwargs):
    raise Mine


class Raises:
    """Every method that a conversion may ask for raises."""

    __index__ = __float__ = __bool__ = __len__ = __iter__ = __getitem__ = __hash__ = __array__ = __dlpack__ = raising
    name = property(raising)


x = tme.arange(3.0)

READERS = {
    "array": tme.array,
    "asarray": lambda o: tme.asarray(o, copy=False),
    "list": lambda o: tme.array([1, o]),
    "operand": lambda o: x + o,
    "dtype": lambda o: tme.zeros(2, dtype=o),
    "shape": tme.zeros,
    "extent": lambda o: tme.zeros([2, o]),
    "axis": lambda o: tme.sum(x, axis=o),
    "bool": lambda o: tme.sum(x, keepdims=o),
    "float": lambda o: tme.layer_norm(x, eps=o),
    "number": lambda o: tme.full(2, o),
    "arrays": tme.concatenate,
    "index": lambda o: x[o],
    "slice": lambda o: x[o:],
    "value": lambda o: x.at[0].set(o),
    "copy": lambda o: tme.array(1, copy=o),
    "dlpack": tme.from_dlpack,
    "dlpack copy": lambda o: tme.from_dlpack(np.arange(3.0), copy=o),
    "compiled": lambda o: tme.compile(lambda a: a)(o),
    "file": lambda o: tme.savez("unused", a=o),
}


@pytest.mark.parametrize("name", READERS)
def test_what_it_raises_is_raised(name):
    with pytest.raises(Mine):
        READERS[name](Raises())


def test_numbers_of_arrays():
    assert tme.full(2, tme.array(1.5)).tolist() == [1.5, 1.5]
    assert tme.full(2, tme.array(7)).tolist() == [7, 7]
    with pytest.raises(TypeError):
        tme.full(2, "1")


def test_numbers_of_thousands_of_digits():
    huge = 10**5000
    for call in (lambda: tme.array(huge), lambda: tme.array([-huge]), lambda: x + huge, lambda: tme.full(2, huge)):
        with pytest.raises(OverflowError, match="."):
            call()
    with pytest.raises(IndexError, match="digits"):
        x[huge]
    assert x[-huge:huge].tolist() == x.tolist()


def test_lists_dropped_while_they_are_read():
    rows = []

    class Clears(int):
        def __float__(self):
            rows.clear()
            # The lists that are kept for later are used up: the row is freed.
            kept.extend([] for _ in range(1000))
            return 1.0

    kept = []
    rows.extend([[Clears(1), 2.0, 3.0], [4.0, 5.0, 6.0]])
    with pytest.raises((ValueError, IndexError)):
        tme.array(rows)

    class Grows(int):
        def __float__(self):
            row.append(1.0)
            return 1.0

    row = [Grows(1), 2.0]
    assert tme.array(row, dtype="float32").tolist() == [1, 2]


def test_arrays_of_ctypes():
    numbers = (ctypes.c_int * 3)(1, 2, 3)
    shared = tme.asarray(numbers, copy=False)
    assert shared.tolist() == tme.array(numbers).tolist() == [1, 2, 3] and shared.dtype == "int32"
    matrix = ((ctypes.c_double * 2) * 3)((1, 2), (3, 4), (5, 6))
    assert tme.asarray(matrix, copy=False).tolist() == [[1, 2], [3, 4], [5, 6]]


def test_engines_that_nothing_else_holds():
    class Fleeting(list):
        def __iter__(self):
            yield tme.Engine("float32").ones(3) + 1

    tme.eval(Fleeting([1]))
    tme.async_eval(Fleeting([1])).wait()


def is_collected(make):
    class Watched:
        pass

    watched = Watched()
    gone = weakref.ref(watched)
    make(watched)
    del watched
    gc.collect()
    return gone() is None


def test_cycles_are_collected():
    def place(o):
        key = [o]
        key.append(x.at[key])

    def constant_result(o):
        o.f = tme.compile(lambda a: (a, o))
        o.f(x)

    def constant_argument(o):
        o.f = tme.compile(lambda a, b: a)
        o.f(x, o)

    def function(o):
        o.f = tme.compile(lambda a: a + len(str(o)))
        o.f(x)

    for make in (place, constant_result, constant_argument, function):
        assert is_collected(make), make


def test_traces_made_while_others_are_looked_for():
    armed = False

    class Constant:
        def __init__(self, number):
            self.number = number

        def __hash__(self):
            return 1

        def __eq__(self, other):
            nonlocal armed
            if armed:
                armed = False
                f(x, Constant(self.number))
            return self.number == other.number

    f = tme.compile(lambda a, b: a + b.number)
    for i in range(270):
        armed = i % 16 == 1
        assert f(x, Constant(i)).tolist() == [i, i + 1, i + 2]
    assert f.stats()["entries"] <= 256


def test_threads_that_change_what_is_converted():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    arrays = [tme.arange(12).reshape(3, 4) for _ in range(4)]
    rows, unexpected = [[1.0, 2.0]], []

    class Yields(int):
        def __float__(self):
            time.sleep(0)
            return 1.0

    def change(r):
        rows[:] = [[Yields(1)] * 2 for _ in range(r.randrange(1, 5))]
        arrays[r.randrange(4)][r.randrange(3)] = r.randrange(9)
        arrays[r.randrange(4)] = tme.arange(12).reshape(3, 4)

    def read(r):
        a = arrays[r.randrange(4)]
        a += 1
        memoryview(a).tolist(), a.tolist(), a[a > 5].eval(), (tme.asarray(np.arange(9.0), copy=False) * 2).eval()
        try:
            tme.array(rows, dtype="float64")
        except (ValueError, IndexError):
            pass

    def work(seed):
        r = random.Random(seed)
        try:
            for _ in range(150):
                r.choice((change, read))(r)
        except BaseException as error:
            unexpected.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    sys.setswitchinterval(interval)
    assert not unexpected


def test_handlers_that_raise(monkeypatch):
    class Handler(logging.Handler):
        def emit(self, record):
            raise Mine

    seen = []
    monkeypatch.setattr("sys.unraisablehook", lambda u: seen.append(u.exc_type))
    logger, handler = logging.getLogger("tme"), Handler()
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        engine = tme.Engine("float32", log="debug")
        for i in range(5):
            assert (engine.ones(3 + i) * 2).tolist() == [2.0] * (3 + i)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert seen and set(seen) == {Mine}


def test_copies_that_others_do_not_make():
    class Old:
        """A protocol that knows no copies."""

        def __init__(self, numbers):
            self.numbers = numbers

        def __dlpack__(self, stream=None):
            return self.numbers.__dlpack__()

        def __dlpack_device__(self):
            return self.numbers.__dlpack_device__()

    numbers = np.arange(3.0)
    old = Old(numbers)
    copies = tme.array(old), tme.asarray(old), tme.from_dlpack(old, copy=True), tme.ones(3, dtype="float64") * old
    shared = tme.from_dlpack(old), tme.asarray(old, copy=False)
    numbers[:] = 7
    for a in copies:
        assert a.tolist() == [0, 1, 2]
    for a in shared:
        assert a.tolist() == [7, 7, 7]


@dataclasses.dataclass
class Plain:
    a: tme.Array
    step: dataclasses.InitVar[int]
    shared: ClassVar[list] = []

    def __post_init__(self, step):
        self.a = self.a + step


@dataclasses.dataclass(slots=True)
class Slots:
    a: tme.Array


def test_dataclasses_without_a_dict_or_with_more_than_fields():
    for o in (Plain(x, 1), Slots(x + 1)):
        tme.eval(o)
        made = tme.compile(lambda t: dataclasses.replace(t, a=t.a * 2) if isinstance(t, Slots) else t)(o)
        assert type(made) is type(o) and made.a.tolist() in ([1, 2, 3], [2, 4, 6])
        assert "add" in tme.explain(type(o)(x, 1) if isinstance(o, Plain) else o.__class__(x + 1))


class Reads:
    def __init__(self, *parts):
        self.parts = list(parts)

    def read(self, size=-1):
        return self.parts.pop(0) if self.parts else b""


def test_files():
    for bad in (5, None, io.StringIO("text"), Reads("text")):
        with pytest.raises(TypeError, match="load"):
            tme.load(bad)
    with pytest.raises(TypeError, match="save"):
        tme.save(5, x)
    with pytest.raises(Mine):
        tme.load(types.SimpleNamespace(read=raising))
    with pytest.raises(Mine):
        tme.save(types.SimpleNamespace(write=raising), x)
    for broken in (Reads(), Reads(b"x"), Reads(b"PK\x03\x04"), Reads(b"\x93NUMPY\1\0")):
        with pytest.raises(ValueError, match="load"):
            tme.load(broken)
    with pytest.raises(ValueError, match="null"):
        tme.save_safetensors("unused", {"a\0b": x, "a": x})
    file = io.BytesIO()
    tme.save(file, x)
    # From where it stands, also of what cannot be sought in.
    assert tme.load(Reads(file.getvalue()[:8], file.getvalue()[8:])).tolist() == x.tolist()


def test_pickles():
    for f in (tme.exp, pickle.loads(pickle.dumps(tme.exp))):
        assert f(tme.zeros(2)).tolist() == [1, 1]
    assert pickle.loads(pickle.dumps(x.sum))().item() == 3
    for o in (x.at, x.at[0], tme.current_engine(), tme.async_eval(x), tme.compile(len)):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises((TypeError, pickle.PicklingError)):
                pickle.loads(pickle.dumps(o, protocol))
        with pytest.raises(TypeError):
            copy.copy(o)


def test_sequences():
    assert [v.item() for v in reversed(x)] == [2, 1, 0]
    assert 2 in x and operator.indexOf(x, 1) == 1


def test_what_cannot_be_made():
    for t in (tme.Array, tme.Event, tme.CompiledFunction, type(x.at), type(tme.exp.__self__)):
        for make in (t, lambda t=t: object.__new__(t), lambda t=t: type("Derived", (t,), {})):
            with pytest.raises(TypeError):
                make()
    with pytest.raises(TypeError):
        x.__class__ = tme.Engine
