"""Files, by path and as objects."""

import io
import pathlib

import numpy as np
import pytest
import tme


def test_npy(tmp_path):
    x = tme.linspace(0, 1, 6).reshape(2, 3)
    for path in (tmp_path / "x.npy", str(tmp_path / "y.npy"), str(tmp_path / "z").encode()):
        tme.save(path, x)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.npy", "y.npy", "z.npy"]
    assert np.array_equal(np.load(tmp_path / "z.npy"), x)
    for copy in (False, True):
        assert tme.load(tmp_path / "x.npy", copy=copy).tolist() == x.tolist()


def test_several(tmp_path):
    x, y = tme.arange(3), [[1.5, 2.0]]
    tme.savez(tmp_path / "a", x, y, named=x + 1)
    loaded = tme.load(tmp_path / "a.npz")
    assert sorted(loaded) == ["arr_0", "arr_1", "named"] and loaded["named"].tolist() == [1, 2, 3]
    assert sorted(np.load(tmp_path / "a.npz")) == sorted(loaded)
    tme.save_safetensors(tmp_path / "m.safetensors", {"w": x.astype("bfloat16"), "b": y})
    loaded = tme.load(tmp_path / "m.safetensors")
    assert loaded["w"].dtype == "bfloat16" and loaded["b"].shape == (1, 2)


@pytest.mark.parametrize("dtype", ["float8_e4m3", "float8_e5m2"])
def test_bytes_of_floats(tmp_path, dtype):
    path, x = tmp_path / "m.safetensors", tme.array([[1, -2.5, 0.1], [448, 1e-9, tme.nan]], dtype=dtype)
    tme.save_safetensors(path, {"w": x, "v": tme.ones(2)})
    assert f'"F8_{dtype[7:].upper()}"'.encode() in path.read_bytes()
    y = tme.load(path)["w"]
    assert y.dtype == dtype and y.tolist()[0] == x.tolist()[0]
    assert bytes(np.from_dlpack(y.astype("float32"))) == bytes(np.from_dlpack(x.astype("float32")))
    with pytest.raises(TypeError, match=dtype):
        tme.save(tmp_path / "x.npy", x)


def test_file_objects(tmp_path):
    x = tme.arange(4)
    for write, read in ((tme.save, lambda a: a), (tme.savez, lambda a: a["arr_0"])):
        file = io.BytesIO()
        write(file, x)
        file.seek(0)
        assert read(tme.load(file)).tolist() == [0, 1, 2, 3]
    file = io.BytesIO()
    tme.save_safetensors(file, {"x": x})
    file.seek(0)
    assert tme.load(file)["x"].tolist() == [0, 1, 2, 3]
    with open(tmp_path / "x.npy", "wb") as out:
        tme.save(out, x)
    with open(tmp_path / "x.npy", "rb") as source:
        assert tme.load(source).tolist() == [0, 1, 2, 3]


def test_failures(tmp_path):
    with pytest.raises(tme.FileError) as error:
        tme.load(tmp_path / "none.npy")
    assert isinstance(error.value, OSError) and isinstance(error.value, tme.Error)
    with pytest.raises(tme.FileError):
        tme.save(tmp_path / "none" / "x.npy", 1)
    for name in ("\udce9.npy", "é" * 300 + ".npy", "x" + "é" * 300 + ".npy"):
        with pytest.raises(tme.FileError):
            tme.load(tmp_path / name)
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY nonsense")
    with pytest.raises((ValueError, tme.Error)):
        tme.load(tmp_path / "bad.npy")
    for bad in (
        lambda: tme.load(3),
        lambda: tme.save_safetensors(tmp_path / "a", {1: 2}),
        lambda: tme.save(tmp_path / "a", "x"),
    ):
        with pytest.raises((TypeError, AttributeError)):
            bad()
    with pytest.raises(ValueError):
        tme.savez(tmp_path / "a", 1, arr_0=2)
    with pytest.raises(ValueError):
        tme.load("a\0b.npy")
    kept = pathlib.Path(tmp_path / "kept.npy")
    tme.save(kept, [1])
    with pytest.raises((ValueError, TypeError, IndexError)):
        tme.save(kept, tme.take(tme.arange(3), 7))
    assert tme.load(kept).tolist() == [1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.npy", "kept.npy"]
