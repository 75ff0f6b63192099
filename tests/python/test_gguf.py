"""GGUF: files written down with struct and NumPy, and those of the package gguf where it is installed."""

import io
import struct

import numpy as np
import pytest
import tme

# Code, elements and bytes of a block.
TYPES = {"Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q8_0": (8, 32, 34), "Q4_K": (12, 256, 144), "Q6_K": (14, 256, 210)}
PLAIN = {0: "float32", 1: "float16", 24: "int8", 25: "int16", 26: "int32", 27: "int64", 28: "float64", 30: "bfloat16"}


def _text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def _file(arrays, keys=(), *, alignment=32, version=3, counts=None):
    """Of {name: (dims from the fastest on, code, bytes)} and [(key, type, bytes)]."""
    head, data = b"", b""
    for key, kind, value in keys:
        head += _text(key) + struct.pack("<I", kind) + value
    for name, (dims, code, elements) in arrays.items():
        head += _text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, code, len(data))
        data += elements + bytes(-len(elements) % alignment)
    n = counts or (len(arrays), len(keys))
    head = b"GGUF" + struct.pack("<IQQ", version, *n) + head
    return head + bytes(-len(head) % alignment) + data


def _blocks(kind, n, seed=0):
    """Random blocks, whose float16 are finite."""
    rng = np.random.default_rng(seed)
    _, _, size = TYPES[kind]
    b = rng.integers(0, 256, (n, size), dtype=np.uint8)
    places = {"Q4_0": [0], "Q4_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q6_K": [208]}[kind]
    for at in places:
        b[:, at : at + 2] = (rng.normal(size=n) * 0.1).astype(np.float16)[:, None].view(np.uint8)
    return b


def _f16(b, at):
    return b[:, at : at + 2].copy().view(np.float16).astype(np.float32)


def _nibbles(b):
    return np.concatenate([b & 15, b >> 4], axis=1).astype(np.float32)


def _numbers(kind, b):
    if kind == "Q4_0":
        return (_nibbles(b[:, 2:]) - 8) * _f16(b, 0)
    if kind == "Q4_1":
        return _nibbles(b[:, 4:]) * _f16(b, 0) + _f16(b, 2)
    if kind == "Q8_0":
        return b[:, 2:].view(np.int8).astype(np.float32) * _f16(b, 0)
    if kind == "Q4_K":
        p = b[:, 4:16].astype(int)
        scales = np.concatenate([p[:, :4] & 63, (p[:, 8:] & 15) | (p[:, :4] >> 6) << 4], 1).astype(np.float32)
        least = np.concatenate([p[:, 4:8] & 63, p[:, 8:] >> 4 | (p[:, 4:8] >> 6) << 4], 1).astype(np.float32)
        q = b[:, 16:].reshape(-1, 4, 32)
        q = np.stack([q & 15, q >> 4], axis=2).reshape(-1, 8, 32).astype(np.float32)
        return ((_f16(b, 0) * scales)[..., None] * q - (_f16(b, 2) * least)[..., None]).reshape(-1, 256)
    low, high = b[:, :128].reshape(-1, 2, 2, 32), b[:, 128:192].reshape(-1, 2, 1, 32)
    low = np.concatenate([low & 15, low >> 4], axis=2)
    high = high >> np.array([0, 2, 4, 6], dtype=np.uint8)[:, None] & 3
    q = (low | high << 4).astype(np.float32).reshape(-1, 16, 16) - 32
    return ((_f16(b, 208) * b[:, 192:208].view(np.int8).astype(np.float32))[..., None] * q).reshape(-1, 256)


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_blocks(tmp_path, kind, copy):
    code, elements, _ = TYPES[kind]
    b = _blocks(kind, 12)
    (tmp_path / "x.gguf").write_bytes(_file({"a.weight": ((2 * elements, 3, 2), code, b.tobytes())}))
    x = tme.load(tmp_path / "x.gguf", copy=copy)["a.weight"]
    assert x.dtype == "float32" and x.shape == (2, 3, 2 * elements)
    np.testing.assert_array_equal(np.asarray(x), _numbers(kind, b).reshape(2, 3, -1))


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0"])
def test_kept_quantized(tmp_path, kind):
    code, bits = TYPES[kind][0], 8 if kind == "Q8_0" else 4
    b = _blocks(kind, 30)
    given = {"a.weight": ((96, 10), code, b.tobytes()), "b": ((32, 30), code, b.tobytes()), "c": ((2,), 0, bytes(8))}
    (tmp_path / "x.gguf").write_bytes(_file(given))
    a = tme.load(tmp_path / "x.gguf", quantized=True)
    assert set(a) == {"a.weight", "a.scales", "a.biases", "b", "b.scales", "b.biases", "c"}
    assert a["a.weight"].dtype == "uint32" and a["a.weight"].shape == (10, 12 * bits // 4)
    assert a["a.scales"].dtype == a["a.biases"].dtype == "float16" and a["a.scales"].shape == (10, 3)
    parts = [a["a.weight"], a["a.scales"].astype("float32"), a["a.biases"].astype("float32")]
    w = _numbers(kind, b).reshape(10, 96)
    got = tme.dequantize(*parts, group_size=32, bits=bits)
    np.testing.assert_allclose(np.asarray(got), w, rtol=1e-5, atol=1e-6)
    y = tme.quantized_matmul(np.ones((2, 96), np.float32), *parts, group_size=32, bits=bits)
    np.testing.assert_allclose(np.asarray(y), np.ones((2, 96)) @ w.T, rtol=1e-4, atol=1e-4)
    # Saved, it is what it was.
    tme.save_gguf(tmp_path / "y", a)
    again = tme.load(tmp_path / "y.gguf")
    np.testing.assert_array_equal(np.asarray(again["a.weight"]), w)
    assert set(again) == {"a.weight", "b", "c"} and b.tobytes() in (tmp_path / "y.gguf").read_bytes()


def test_quantized_here(tmp_path):
    w = tme.array(np.random.default_rng(1).normal(size=(4, 64)).astype(np.float16))
    words, scales, biases = tme.quantize(w, group_size=32)
    tme.save_gguf(tmp_path / "q.gguf", {"w": words, "w.scales": scales, "w.biases": biases})
    got = tme.load(tmp_path / "q.gguf")["w"]
    want = tme.dequantize(words, scales.astype("float32"), biases.astype("float32"), group_size=32)
    np.testing.assert_array_equal(np.asarray(got), np.asarray(want))


@pytest.mark.parametrize("dtype", PLAIN.values())
def test_plain(tmp_path, dtype):
    x = tme.arange(24.0).reshape(2, 3, 4).astype(dtype)
    arrays = {"x": x, "scalar": tme.ones((), dtype=dtype), "none": tme.zeros((0, 3), dtype=dtype), "µ": x[0] + 1}
    tme.save_gguf(tmp_path / "x.gguf", arrays)
    again = tme.load(tmp_path / "x.gguf")
    for name, a in arrays.items():
        assert again[name].dtype == dtype and again[name].shape == a.shape and again[name].tolist() == a.tolist()
    file = io.BytesIO()
    tme.save_gguf(file, arrays)
    file.seek(0)
    assert tme.load(file)["x"].tolist() == x.tolist() and file.getvalue() == (tmp_path / "x.gguf").read_bytes()


def test_keys_and_alignment(tmp_path):
    keys = [
        ("general.name", 8, _text("it")),
        ("list", 9, struct.pack("<IQ", 8, 2) + _text("a") + _text("")),
        ("numbers", 9, struct.pack("<IQ", 4, 3) + bytes(12)),
        ("lists", 9, struct.pack("<IQIQ", 9, 1, 0, 2) + bytes(2)),
        ("general.alignment", 4, struct.pack("<I", 64)),
        ("float", 12, bytes(8)),
    ]
    x = {"a": ((3,), 0, np.arange(3, dtype="f4").tobytes()), "b": ((1,), 0, np.ones(1, "f4").tobytes())}
    for version in (2, 3):
        (tmp_path / "x.gguf").write_bytes(_file(x, keys, alignment=64, version=version))
        got = tme.load(tmp_path / "x.gguf")
        assert got["a"].tolist() == [0, 1, 2] and got["b"].tolist() == [1]


def _bad():
    q = _blocks("Q4_0", 1).tobytes()
    one = {"a": ((3,), 0, bytes(12))}
    whole = _file(one)
    yield b"GGUX" + whole[4:], "does not begin with GGUF"
    yield _file(one, version=1), "version 1"
    yield _file(one, version=1 << 24), "version 16777216"
    yield _file(one, counts=(1 << 60, 0)), "ends in|bad|offset|UTF-8|dimensions"
    yield _file(one, counts=(1, 1 << 60)), "bad .gguf"
    yield _file(one, [("k", 13, b"")]), "type 13"
    yield _file(one, [("k", 8, struct.pack("<Q", 1 << 63))]), "ends in a text"
    yield _file(one, [("k", 9, struct.pack("<IQ", 4, 1 << 62))]), "ends in a list"
    yield _file(one, [("k", 9, struct.pack("<IQ", 9, 1) * 8 + bytes(12))]), "lists in lists"
    for bad in (0, 12, 1 << 30):
        yield _file(one, [("general.alignment", 4, struct.pack("<I", bad))]), "general.alignment"
    yield _file(one, [("general.alignment", 10, struct.pack("<Q", 32))]), "general.alignment"
    yield _file({"a": ((33,), 2, q)}), "no blocks of Q4_0"
    yield _file({"a": ((), 2, q)}), "no blocks of Q4_0"
    yield _file({"a": ((64,), 2, q)}), "not within"
    yield _file({"a": ((1 << 62, 1 << 62), 0, b"")}), "not within"
    yield _file({"a": ((1 << 63,), 0, b"")}), "not within"
    yield _file({"a": ((1 << 60,), 2, b"")}), "not within"
    yield _file({"a": ((1,) * 17, 0, bytes(4))}), "17 dimensions"
    yield _file({b"a\0b": ((1,), 0, bytes(4))}), "UTF-8"
    yield _file({b"\xff": ((1,), 0, bytes(4))}), "UTF-8"
    place = whole.index(struct.pack("<QIQ", 3, 0, 0)) + 12
    yield whole[:place] + struct.pack("<Q", 8) + whole[place + 8 :], "no multiple of 32"
    yield whole[:place] + struct.pack("<Q", (1 << 64) - 32) + whole[place + 8 :], "not within"
    two = _file({"a": ((9,), 0, bytes(36)), "b": ((3,), 0, bytes(12))})
    yield two.replace(struct.pack("<QIQ", 3, 0, 64), struct.pack("<QIQ", 3, 0, 32)), "overlap"
    yield two.replace(_text("b"), _text("a")), "duplicate"
    yield _file({"a": ((3,), 19, bytes(12))}), "type 19"


@pytest.mark.parametrize(("data", "says"), list(_bad()))
def test_bad_files(tmp_path, data, says):
    (tmp_path / "x.gguf").write_bytes(data)
    for quantized in (False, True):
        with pytest.raises((ValueError, OSError, TypeError, NotImplementedError, tme.Error), match=says):
            tme.load(tmp_path / "x.gguf", quantized=quantized)


def test_cut_off(tmp_path):
    whole = _file({"a": ((32, 2), 8, bytes(68))}, [("k", 9, struct.pack("<IQ", 8, 1) + _text("it"))])
    for n in range(len(whole) - 28):
        (tmp_path / "x.gguf").write_bytes(whole[:n])
        with pytest.raises((ValueError, OSError, tme.Error)):
            tme.load(tmp_path / "x.gguf", quantized=True)


def test_unknown_types_are_left_out(tmp_path):
    (tmp_path / "x.gguf").write_bytes(_file({"a": ((3,), 19, bytes(12)), "b": ((1,), 0, bytes(4))}))
    assert list(tme.load(tmp_path / "x.gguf")) == ["b"]


def test_refused(tmp_path):
    x = tme.ones((2, 2))
    words, scales, biases = tme.quantize(tme.ones((2, 64), dtype="float16"), group_size=32, bits=8)
    for arrays, kind, says in (
        ({"x": x.astype("complex64")}, TypeError, "no complex64"),
        ({"x": x.astype("uint8")}, TypeError, "no uint8"),
        ({"x": x.astype("uint32")}, TypeError, "no uint32"),
        ({"x": words, "x.scales": scales}, TypeError, "no uint32"),
        ({"x": words, "x.scales": scales[:1], "x.biases": biases}, TypeError, "no uint32"),
        ({"x": words, "x.scales": scales, "x.biases": biases}, Exception, "-128 times"),
        ({"x": tme.ones((1,) * 5)}, Exception, "5 dimensions"),
        ({"x" * 65: x}, ValueError, "64 bytes"),
    ):
        with pytest.raises(kind, match=says):
            tme.save_gguf(tmp_path / "x.gguf", arrays)
    assert not (tmp_path / "x.gguf").exists()
    (tmp_path / "x.gguf").write_bytes(_file({"a": ((32,), 8, np.float16(60000).tobytes() + bytes(32))}))
    assert tme.load(tmp_path / "x.gguf")["a"].tolist() == [0] * 32
    with pytest.raises(Exception, match="too large"):
        tme.load(tmp_path / "x.gguf", quantized=True)


@pytest.mark.parametrize("kind", TYPES)
def test_package(tmp_path, kind):
    gguf = pytest.importorskip("gguf")
    code, elements, _ = TYPES[kind]
    b = _blocks(kind, 8, seed=5)
    want = gguf.dequantize(b.reshape(2, -1), gguf.GGMLQuantizationType(code))
    w = gguf.GGUFWriter(tmp_path / "x.gguf", "none")
    w.add_string("some.key", "value")
    w.add_array("some.list", ["a", "b"])
    w.add_tensor("a", b.reshape(2, -1), raw_dtype=gguf.GGMLQuantizationType(code))
    w.add_tensor("b", np.arange(6, dtype=np.float32).reshape(2, 3))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    got = tme.load(tmp_path / "x.gguf")
    np.testing.assert_array_equal(np.asarray(got["a"]), want)
    assert got["b"].tolist() == [[0, 1, 2], [3, 4, 5]]
    kept = tme.load(tmp_path / "x.gguf", quantized=True)
    tme.save_gguf(tmp_path / "y.gguf", kept)
    for tensor in gguf.GGUFReader(tmp_path / "y.gguf").tensors:
        if tensor.name == "b":
            np.testing.assert_array_equal(tensor.data.reshape(2, 3), got["b"].tolist())
        else:
            np.testing.assert_array_equal(gguf.dequantize(tensor.data, tensor.tensor_type).reshape(2, -1), want)
