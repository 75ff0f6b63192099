#!/usr/bin/env python3
"""NumPy's arrays in the library, and the library's in NumPy, by DLPack: without a copy, and each let go of."""
import ctypes
import gc
import os
import sys

import numpy as np

BUILD = os.environ.get("TME_BUILD_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build"))
with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
    if any(line.startswith("TME_SANITIZE:") and not line.rstrip().endswith("=") for line in cache):
        sys.exit(77)  # a sanitized library needs a sanitized program

tme = ctypes.CDLL(os.path.join(BUILD, "lib", "libtme.so"))
python = ctypes.pythonapi
POINTER = ctypes.c_void_p


def declare(library, name, result, *arguments):
    f = getattr(library, name)
    f.restype, f.argtypes = result, arguments
    return f


for name, result, *arguments in (
        ("tme_engine_new", POINTER, POINTER), ("tme_scope_new", POINTER, POINTER), ("tme_scope_free", None, POINTER),
        ("tme_error", ctypes.c_char_p, POINTER), ("tme_from_dlpack", POINTER, POINTER, POINTER),
        ("tme_from_dlpack_versioned", POINTER, POINTER, POINTER),
        ("tme_to_dlpack", POINTER, POINTER, POINTER, ctypes.c_uint),
        ("tme_to_dlpack_versioned", POINTER, POINTER, POINTER, ctypes.c_uint),
        ("tme_add", POINTER, POINTER, POINTER, POINTER), ("tme_data", POINTER, POINTER, POINTER)):
    declare(tme, name, result, *arguments)
capsule_new = declare(python, "PyCapsule_New", ctypes.py_object, POINTER, ctypes.c_char_p, POINTER)
capsule_pointer = declare(python, "PyCapsule_GetPointer", POINTER, ctypes.py_object, ctypes.c_char_p)
capsule_is = declare(python, "PyCapsule_IsValid", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
capsule_rename = declare(python, "PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
PLAIN, VERSIONED, USED, USED_VERSIONED = b"dltensor", b"dltensor_versioned", b"used_dltensor", b"used_dltensor_versioned"


def knows_versions():
    try:
        capsule = np.arange(3).__dlpack__(max_version=(1, 0))
    except TypeError:
        return False
    return bool(capsule_is(capsule, VERSIONED))


def take_in(scope, x, versioned):
    capsule = x.__dlpack__(max_version=(1, 0)) if versioned else x.__dlpack__()
    f, name, used = ((tme.tme_from_dlpack_versioned, VERSIONED, USED_VERSIONED) if versioned else
                     (tme.tme_from_dlpack, PLAIN, USED))
    a = f(scope, capsule_pointer(capsule, name))
    assert a, tme.tme_error(scope)
    capsule_rename(capsule, used)
    return a


class Exported:
    """An array of the library, as others take it."""

    def __init__(self, scope, array, versioned, flags=0):
        self.scope, self.array, self.versioned, self.flags = scope, array, versioned, flags

    def __dlpack__(self, **_):
        f = tme.tme_to_dlpack_versioned if self.versioned else tme.tme_to_dlpack
        tensor = f(self.scope, self.array, self.flags)
        assert tensor, tme.tme_error(self.scope)
        return capsule_new(tensor, VERSIONED if self.versioned else PLAIN, None)

    def __dlpack_device__(self):
        return (1, 0)


def round_trip(engine, dtype, versioned):
    x = np.arange(24).reshape(2, 3, 4)
    x = x % 2 == 0 if dtype == "bool" else x.astype(dtype)
    for part in (x, x[:, 1:, ::2], x[:, ::-1], x[0, 0, 0:0], x[1, 2, 3:]):
        scope = tme.tme_scope_new(engine)
        out = np.from_dlpack(Exported(scope, take_in(scope, part, versioned), versioned))
        tme.tme_scope_free(scope)
        assert out.dtype == part.dtype and out.shape == part.shape, (out.dtype, part.dtype, out.shape)
        assert np.array_equal(out, part), dtype
        assert not part.size or out.ctypes.data == part.ctypes.data, "copied"
    if dtype != "bool":
        scope = tme.tme_scope_new(engine)
        a = take_in(scope, x, versioned)
        out = np.from_dlpack(Exported(scope, tme.tme_add(scope, a, a), versioned))
        tme.tme_scope_free(scope)
        assert np.array_equal(out, x + x), dtype


def lets_go(engine, versioned):
    """What was taken in is let go of once nobody needs it."""
    class Owner(np.ndarray):
        pass

    x = np.arange(6.0).view(Owner)
    before = sys.getrefcount(x)
    scope = tme.tme_scope_new(engine)
    a = take_in(scope, x, versioned)
    assert sys.getrefcount(x) == before + 1
    out = np.from_dlpack(Exported(scope, a, versioned))
    tme.tme_scope_free(scope)
    gc.collect()
    assert sys.getrefcount(x) == before + 1
    del out
    gc.collect()
    assert sys.getrefcount(x) == before


def main():
    engine = tme.tme_engine_new(None)
    kinds = "uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64 complex64 complex128".split()
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        kinds.append("bool")  # which older ones do not share
    passed = 0
    for versioned in (False, True) if knows_versions() else (False,):
        for dtype in kinds:
            round_trip(engine, dtype, versioned)
            passed += 1
        lets_go(engine, versioned)
        passed += 1
    print(f"NumPy {np.__version__}")
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
