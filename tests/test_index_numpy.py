#!/usr/bin/env python3
"""Random indices against NumPy: what tme_get reads and tme_put writes, and where they refuse.

ctest: timeout=120
"""
import ctypes
import os
import random
import sys
import warnings

import numpy as np

BUILD = os.environ.get("TME_BUILD_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build"))
with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
    if any(line.startswith("TME_SANITIZE:") and not line.rstrip().endswith("=") for line in cache):
        sys.exit(77)  # a sanitized library needs a sanitized program
os.environ["TME_MLX_COMPILE"] = "0"
FULL = os.environ.get("TME_MATRIX", "commit") == "full"

tme = ctypes.CDLL(os.path.join(BUILD, "lib", "libtme.so"))
POINTER, INT, INT64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
INTS = ctypes.POINTER(INT64)
NONE = -2**63
SLICE, WHOLE, NEW_AXIS, ELLIPSIS, ARRAY = range(5)
DTYPES = {"bool": 0, "uint8": 1, "int32": 7, "int64": 8, "float32": 11}


class Index(ctypes.Structure):
    _fields_ = [("kind", INT), ("start", INT64), ("stop", INT64), ("step", INT64), ("array", POINTER)]


for name, result, *arguments in (
        ("tme_engine_new", POINTER, POINTER), ("tme_scope_new", POINTER, POINTER), ("tme_scope_free", None, POINTER),
        ("tme_error", ctypes.c_char_p, POINTER), ("tme_clear_error", None, POINTER),
        ("tme_dtype_name", ctypes.c_char_p, INT), ("tme_from", POINTER, POINTER, INT, INT, INTS, POINTER),
        ("tme_get", POINTER, POINTER, POINTER, ctypes.POINTER(Index), INT), ("tme_data", POINTER, POINTER, POINTER),
        ("tme_put", POINTER, POINTER, POINTER, ctypes.POINTER(Index), INT, POINTER, INT), ("tme_add", POINTER, POINTER, POINTER, POINTER), ("tme_integer", POINTER, POINTER, INT64),
        ("tme_array_rank", INT, POINTER), ("tme_array_shape", INTS, POINTER), ("tme_array_dtype", INT, POINTER)):
    f = getattr(tme, name)
    f.restype, f.argtypes = result, arguments


def to_tme(s, a):
    a = np.ascontiguousarray(a).reshape(a.shape)
    return tme.tme_from(s, DTYPES[a.dtype.name], a.ndim, (INT64 * 16)(*a.shape), a.ctypes.data)


def to_numpy(s, x):
    shape = tuple(tme.tme_array_shape(x)[:tme.tme_array_rank(x)])
    dtype = np.dtype(tme.tme_dtype_name(tme.tme_array_dtype(x)).decode())
    data = tme.tme_data(s, x)
    assert data, tme.tme_error(s)
    return np.frombuffer(ctypes.string_at(data, int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)


def entry(s, i):
    """The entry of the C library's index for one of NumPy's."""
    if isinstance(i, slice):
        bounds = [NONE if b is None else b for b in (i.start, i.stop, i.step)]
        return Index(SLICE, *bounds)
    if i is None:
        return Index(NEW_AXIS)
    if i is Ellipsis:
        return Index(ELLIPSIS)
    return Index(ARRAY, array=to_tme(s, i)) if isinstance(i, np.ndarray) else Index(WHOLE, start=i)


def random_bound(r, n):
    return r.choice([None, None, r.randint(-n - 2, n + 2), r.choice((-2**63 + 1, 2**63 - 1))])


def random_places(r, n, shapes):
    """Whole numbers, now and then one that is out of range."""
    shape = r.choice(shapes)
    low, high = (-n, n - 1) if n else (0, 0)
    if r.random() < 0.03:
        low, high = -n - 1, n
    a = np.array([r.randint(low, high) for _ in range(int(np.prod(shape)))], r.choice(("int64", "int32"))).reshape(shape)
    return a.astype("uint8") if a.size and a.min() >= 0 and r.random() < 0.3 else a


def random_index(r, shape):
    index, axis, ellipsis = [], 0, False
    shapes = r.choice(([(2,)], [(2,), (1,), (3, 2)], [()], [(0,)], [(2,), (3,)], [(3, 1), (2,), ()]))
    arrays = r.random() < 0.7
    while axis <= len(shape) and len(index) < 9:
        n = shape[axis] if axis < len(shape) else r.randint(0, 3)
        kind = r.random()
        if kind < 0.05:
            break
        if kind < 0.15:
            index.append(None)
        elif kind < 0.22 and (not ellipsis or r.random() < 0.1):
            ellipsis = True
            index.append(Ellipsis)
            axis += r.randint(0, max(0, len(shape) - axis))
        elif axis == len(shape) and r.random() < 0.9:
            break
        elif kind < 0.5:
            step = r.choice((None, 1, 2, -1, -2, -3, 2**63 - 1, -2**63 + 1))
            index.append(slice(random_bound(r, n), random_bound(r, n), step))
            axis += 1
        elif kind < 0.65 or not arrays:
            index.append(r.randint(-n, n - 1) if n and r.random() < 0.97 else r.randint(-n - 1, n))
            axis += 1
        elif kind < 0.9:
            index.append(random_places(r, n, shapes))
            axis += 1
        else:
            rank = min(r.randint(0, 3), len(shape) - axis)
            extents = [e + (r.random() < 0.02) for e in shape[axis:axis + rank]]
            mask = np.array([r.random() < 0.4 for _ in range(int(np.prod(extents)))], bool).reshape(extents)
            index.append(mask)
            axis += rank
    return tuple(index)


def plain(i):
    return f"array({i.tolist()}, {i.dtype})" if isinstance(i, np.ndarray) else repr(i)


def numpy_get(x, index):
    """NumPy's answer, None if it refuses."""
    try:
        return x[index]
    except IndexError:
        return None


MODES = (None, np.add, np.multiply, np.minimum, np.maximum)


def random_values(r, x, index):
    """What broadcasts to the part of x, or does not."""
    part = numpy_get(x, index)
    shape = list(part.shape) if part is not None else []
    shape = shape[r.randint(0, len(shape)):] if r.random() < 0.3 else shape
    shape = [1 if r.random() < 0.2 else n for n in shape]
    if shape and r.random() < 0.1:
        shape[r.randrange(len(shape))] += 1
    if r.random() < 0.1:
        shape.insert(0, 1)
    return np.array([r.randint(-9, 9) for _ in range(int(np.prod(shape)))], "int32").reshape(shape)


def numpy_put(x, index, values, mode):
    """NumPy's answer, None if it refuses."""
    y = x.copy()
    try:
        more = max(0, values.ndim - np.ndim(x[index]))
        if any(n != 1 for n in values.shape[:more]):
            return None
        values = values.reshape(values.shape[more:])  # as masks take no ones in front
        y[index] = values  # which refuses what the functions below do not
        if MODES[mode]:
            y = x.copy()
            MODES[mode].at(y, index, values)
    except (IndexError, ValueError):
        return None
    return y


class Tally:
    passed = failed = refused = 0

    def compare(self, text, s, got, want, part):
        if want is None or got is None:
            # NumPy does not look at numbers that name nothing together.
            late = part is not None and part.size == 0 and b" out of " in tme.tme_error(s)
            right = got is None and (want is None or late)
            self.refused += right
        else:
            right = got.shape == want.shape and (got == want).all()
        if right:
            self.passed += 1
            return
        self.failed += 1
        print(f"{text}\n  {got}\n  {tme.tme_error(s)}\n  expected {want}")


def one_case(r, e, tally, text):
    shape = tuple(r.choice((0, 1, 2, 3, 4, 5)) if r.random() < 0.2 else r.randint(1, 4) for _ in range(r.randint(0, 5)))
    x = np.arange(int(np.prod(shape)), dtype="int32").reshape(shape)
    index = random_index(r, shape)
    text = f"{text}: shape {shape} [{', '.join(map(plain, index))}]"
    s = tme.tme_scope_new(e)
    a = to_tme(s, x)
    if r.random() < 0.3:  # not computed
        a = tme.tme_add(s, a, tme.tme_integer(s, 1))
        x = np.asarray(x + 1, "int32")
    entries = (Index * len(index))(*[entry(s, i) for i in index])
    y = tme.tme_get(s, a, entries, len(index))
    part = numpy_get(x, index)
    tally.compare(text, s, to_numpy(s, y) if y else None, part, part)
    tme.tme_clear_error(s)
    values, mode = random_values(r, x, index), r.randrange(5)
    y = tme.tme_put(s, a, entries, len(index), to_tme(s, values), mode)
    text = f"{text} mode {mode} {plain(values)}"
    tally.compare(text, s, to_numpy(s, y) if y else None, numpy_put(x, index, values, mode), part)
    tme.tme_scope_free(s)


def main():
    warnings.simplefilter("ignore")
    tally, r = Tally(), random.Random(1)
    mlx = os.path.exists(os.path.join(BUILD, "lib", "libtme-mlx.so"))
    for backend, count in (("reference", 40000 if FULL else 5000), ("cpu", 400 if FULL else 40), ("mlx", 100 if mlx else 0)):
        if not count:
            continue
        os.environ["TME_BACKEND"] = backend
        e = tme.tme_engine_new(None)
        for _ in range(count):
            one_case(r, e, tally, backend)
    print(f"{tally.refused} refused by both")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or tally.refused < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
