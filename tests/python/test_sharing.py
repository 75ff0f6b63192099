"""Memory shared by DLPack and the buffer protocol; hostile capsules."""

import ctypes
import gc
import weakref

import numpy as np
import pytest
import tme


def test_no_copies():
    n = np.arange(12.0).reshape(3, 4)
    x = tme.from_dlpack(n)
    n[0, 0] = 5
    assert x[0, 0].item() == 5
    y = tme.arange(4).eval()
    a, b = np.from_dlpack(y), np.asarray(y)
    assert a.ctypes.data == b.ctypes.data and not a.flags.writeable and not b.flags.writeable
    assert tme.from_dlpack(n.T).tolist() == n.T.tolist()
    assert y.__dlpack_device__() == (1, 0)


def test_memory_lives_as_long_as_it_is_needed():
    class Owned(np.ndarray):
        pass

    n = np.arange(4.0).view(Owned)
    gone = weakref.ref(n)
    x = tme.from_dlpack(n)
    y = x[1:]
    del n, x
    gc.collect()
    assert gone() is not None and y.tolist() == [1, 2, 3]
    del y
    gc.collect()
    assert gone() is None


def test_views_of_assigned_arrays():
    x = tme.arange(4)
    view = memoryview(x)
    x[0] = 9
    assert view.tolist() == [0, 1, 2, 3] and x.tolist() == [9, 1, 2, 3]
    with pytest.raises(TypeError):
        ctypes.c_char.from_buffer(x)
    with pytest.raises(TypeError):
        view[0] = 1
    del x
    assert view.tolist() == [0, 1, 2, 3]


def test_all_kinds_of_buffers():
    """CPython's own exporter and consumer, which asks for any part of what there is to know of a buffer."""
    buffers = pytest.importorskip("_testbuffer")
    x = tme.arange(6.0).reshape(2, 3)
    # It does not get along with a format of what has no shape.
    names = {name for name in dir(buffers) if name.startswith("PyBUF_")} - {"PyBUF_FORMAT", "PyBUF_READ", "PyBUF_WRITE"}
    for name in names:
        for array in (x, tme.zeros((0, 3)), tme.array(1.0), x.T):
            try:
                got = buffers.ndarray(array, getbuf=getattr(buffers, name)).tolist()
            except (BufferError, ValueError):
                continue
            assert got in (array.tolist(), array.reshape(-1).tolist()), name
    numbers = range(6)
    for flags in (0, buffers.ND_FORTRAN, buffers.ND_WRITABLE, buffers.ND_REDIRECT):
        for letter in "bBhHiIqQefd":
            given = buffers.ndarray(list(numbers), shape=[2, 3], format=letter, flags=flags)
            assert tme.array(given).tolist() == tme.asarray(given, copy=False).tolist() == given.tolist()
    suboffsets = buffers.ndarray(list(numbers), shape=[2, 3], format="i", flags=buffers.ND_PIL)
    with pytest.raises(BufferError):
        tme.array(suboffsets)


def test_released_buffers():
    m = memoryview(bytearray(b"abcd"))
    m.release()
    with pytest.raises(ValueError):
        tme.array(m)


def test_overlapping_memory():
    n = np.lib.stride_tricks.as_strided(np.arange(4.0), (3, 2), (8, 8), writeable=False)
    assert tme.array(n).tolist() == n.tolist() and (tme.from_dlpack(np.broadcast_to(np.arange(3.0), (2, 3))) + 1).tolist()


def test_array_method():
    x = tme.array([1.5, 2], dtype="bfloat16")
    assert np.asarray(x).dtype == np.float32 and np.asarray(x).tolist() == [1.5, 2]
    y = tme.arange(3).eval()
    assert y.__array__().ctypes.data == np.asarray(y).ctypes.data and y.__array__("float32").dtype == np.float32
    assert y.__array__(copy=True).flags.writeable
    with pytest.raises(ValueError):
        x.__array__(copy=False)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3", "float8_e5m2"])
def test_what_numpy_lacks(name):
    x = tme.array([1.5], dtype=name)
    with pytest.raises(BufferError, match=name):
        memoryview(x)
    assert tme.from_dlpack(x).dtype == name and np.asarray(x).dtype == np.float32


def test_capsules():
    class Holder:
        def __init__(self, capsule):
            self.capsule = capsule

        def __dlpack__(self, **kwargs):
            return self.capsule

        def __dlpack_device__(self):
            return (1, 0)

    for version in (None, (1, 0), (0, 8), (2, 0)):
        capsule = tme.arange(3).__dlpack__(max_version=version)
        assert tme.from_dlpack(Holder(capsule)).tolist() == [0, 1, 2]
        with pytest.raises(ValueError, match="used"):
            tme.from_dlpack(Holder(capsule))
    for bad in (None, 3, "capsule"):
        with pytest.raises(TypeError):
            tme.from_dlpack(Holder(bad))
    with pytest.raises((TypeError, AttributeError)):
        tme.from_dlpack(3)
    x = tme.arange(3)
    for kwargs in ({"stream": 1}, {"dl_device": (2, 0)}):
        with pytest.raises(BufferError):
            x.__dlpack__(**kwargs)
    for kwargs in ({"max_version": 1}, {"dl_device": "cpu"}):
        with pytest.raises(TypeError):
            x.__dlpack__(**kwargs)
    copied = np.from_dlpack(x, copy=True) if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else None
    if copied is not None:
        assert copied.flags.writeable and copied.tolist() == [0, 1, 2]


def test_unused_capsules_are_freed():
    before = tme.current_engine().cache_stats()["pool_bytes_used"]
    for _ in range(50):
        tme.zeros(10000).__dlpack__()
        tme.zeros(10000).__dlpack__(max_version=(1, 0))
    gc.collect()
    assert tme.current_engine().cache_stats()["pool_bytes_used"] <= before + 100000
