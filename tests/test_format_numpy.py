#!/usr/bin/env python3
"""Arrays as text in NumPy's style: random ones, with random options, against NumPy's own array2string."""
import ctypes
import os
import sys

import numpy as np

BUILD = os.environ.get("TME_BUILD_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build"))
with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
    if any(line.startswith("TME_SANITIZE:") and not line.rstrip().endswith("=") for line in cache):
        sys.exit(77)  # a sanitized library needs a sanitized program

COUNT = {"full": 30000, "commit": 2000}.get(os.environ.get("TME_MATRIX", "commit"), 300)
NUMPY_STYLE = 1
POINTER = ctypes.c_void_p
tme = ctypes.CDLL(os.path.join(BUILD, "lib", "libtme.so"))


class Format(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("style", ctypes.c_int), ("precision", ctypes.c_int),
                ("threshold", ctypes.c_int64), ("edge_items", ctypes.c_int64), ("line_width", ctypes.c_int),
                ("indent", ctypes.c_int), ("reserve", ctypes.c_int), ("suppress", ctypes.c_bool),
                ("separator", ctypes.c_char_p)]


for name, result, *arguments in (
        ("tme_engine_new", POINTER, POINTER), ("tme_scope_new", POINTER, POINTER), ("tme_scope_free", None, POINTER),
        ("tme_error", ctypes.c_char_p, POINTER), ("tme_dtype_parse", ctypes.c_int, ctypes.c_char_p),
        ("tme_wrap", POINTER, POINTER, ctypes.c_int, ctypes.c_int, *[POINTER] * 5),
        ("tme_format_init", None, POINTER, ctypes.c_int), ("tme_string_free", None, POINTER),
        ("tme_format_array", POINTER, POINTER, POINTER, POINTER)):
    f = getattr(tme, name)
    f.restype, f.argtypes = result, arguments
engine = tme.tme_engine_new(None)


def as_text(x, **options):
    scope = tme.tme_scope_new(engine)
    shape, strides = (np.array([*extents, 0], np.int64) for extents in (x.shape, x.strides))
    a = tme.tme_wrap(scope, tme.tme_dtype_parse(x.dtype.name.encode()), x.ndim, shape.ctypes.data, strides.ctypes.data,
                     x.ctypes.data, None, None)
    how = Format()
    tme.tme_format_init(ctypes.byref(how), NUMPY_STYLE)
    for key, value in options.items():
        setattr(how, key, value)
    text = tme.tme_format_array(scope, a, ctypes.byref(how))
    assert text, tme.tme_error(scope)
    out = ctypes.string_at(text).decode()
    tme.tme_string_free(text)
    tme.tme_scope_free(scope)
    return out


def floats(rng, dtype, n):
    """Of one kind: near to each other or far, round, powers of two, any bits; some not finite."""
    bits = {2: np.uint16, 4: np.uint32, 8: np.uint64}[dtype.itemsize]
    kind = rng.integers(6)
    if kind == 0:
        x = rng.normal(size=n) * 10.0**rng.integers(-3, 8)
    elif kind == 1:
        x = rng.integers(-1000, 1000, n) / rng.choice([1, 2, 4, 8, 10, 100])
    elif kind == 2:
        x = 10.0**rng.uniform(-10, 10, n) * rng.choice([-1, 1], n)
    elif kind == 3:
        x = 2.0**rng.integers(-30, 30, n)
    elif kind == 4:
        x = rng.integers(0, np.iinfo(bits).max, n, dtype=bits, endpoint=True).view(dtype)
    else:
        x = np.round(rng.normal(size=n) * 100, rng.integers(0, 4))
    strange = rng.choice([0.0, -0.0, np.nan, np.inf, -np.inf], n)
    return np.where(rng.random(n) < rng.choice([0, 0.1, 1], p=[0.6, 0.35, 0.05]), strange, x).astype(dtype)


def elements(rng, dtype, n):
    if dtype.kind == "b":
        return rng.random(n) < rng.random()
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, n, dtype=dtype, endpoint=True) // dtype.type(rng.choice([1, 10, 100]))
    if dtype.kind == "f":
        return floats(rng, dtype, n)
    x = np.empty(n, dtype)
    x.real, x.imag = (floats(rng, x.real.dtype, n) for _ in range(2))
    return x


def random_array(rng):
    dtype = np.dtype(rng.choice(["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                                 "float16", "float32", "float64", "complex64", "complex128"]))
    shape = rng.integers(rng.random() > 0.1, rng.choice([4, 9, 40]), rng.integers(0, 4))
    x = elements(rng, dtype, int(np.prod(shape))).reshape(shape)
    if x.ndim > 1 and rng.random() < 0.3:
        x = x.T
    return x[::-1] if x.ndim and rng.random() < 0.2 else x


def largest_fixed(x):
    """Newer versions of NumPy write numbers with exponents that float16 and float32 do not hold as whole numbers."""
    parts = x.real, x.imag
    return max((np.abs(p[np.isfinite(p)]).max(initial=0) for p in parts if p.dtype.kind == "f"), default=0)


def main():
    rng = np.random.default_rng(12)
    old = "e" not in np.array2string(np.float32([1e7]))
    done = 0
    with np.errstate(all="ignore"):
        while done < COUNT:
            x = random_array(rng)
            if old and x.dtype.name in ("float16", "float32", "complex64") and largest_fixed(x) >= 1000:
                continue
            precision, width = int(rng.choice([8, 0, 1, 3, 5, 16, 17])), int(rng.choice([75, 20, 40, 5, 0, 200]))
            threshold, edge = int(rng.choice([1000, 5, 50])), int(rng.choice([3, 1, 2, 5]))
            indent, reserve = int(rng.choice([0, 6])), int(rng.choice([0, 1, 5]))
            suppress, separator = bool(rng.random() < 0.3), str(rng.choice([" ", ", ", ",", ""]))
            want = np.array2string(x, max_line_width=width, precision=precision, suppress_small=suppress,
                                   separator=separator, prefix=" " * indent, suffix=" " * reserve, threshold=threshold,
                                   edgeitems=edge)
            got = as_text(x, precision=precision, threshold=threshold, edge_items=edge, line_width=width, indent=indent,
                          reserve=reserve, suppress=suppress, separator=separator.encode())
            assert got == want, f"{x.dtype} {x.tolist()}, precision {precision}, line_width {width}, threshold {threshold}, " \
                f"edge_items {edge}, indent {indent}, reserve {reserve}, suppress {suppress}, separator {separator!r}:\n" \
                f"{got}\nNumPy:\n{want}"
            done += 1
    print(f"{done} passed, 0 failed")


main()
