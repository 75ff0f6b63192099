"""Writes the inputs that libFuzzer starts from: fuzz_seeds.py FOLDER makes FOLDER/io and FOLDER/parser."""
import io
import json
import struct
import sys
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])


def npy(descr, shape, data, order="False"):
    header = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def npz(members, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return out.getvalue()


def safetensors(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def gguf(arrays, *, alignment=32):
    keys = {"general.alignment": struct.pack("<II", 4, alignment), "name": struct.pack("<IQ", 8, 2) + b"it",
            "list": struct.pack("<IIQ", 9, 8, 2) + 2 * (struct.pack("<Q", 1) + b"x")}
    text = lambda s: struct.pack("<Q", len(s)) + s.encode()
    head, data = b"GGUF" + struct.pack("<IQQ", 3, len(arrays), len(keys)), b""
    head += b"".join(text(k) + v for k, v in keys.items())
    for name, (dims, code, elements) in arrays.items():
        head += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, code, len(data))
        data += elements + bytes(-len(elements) % alignment)
    return head + bytes(-len(head) % alignment) + data


vector, matrix = npy("<f4", "(3,)", bytes(12)), npy("<i8", "(2, 2)", bytes(32), "True")
two = {"a.npy": vector, "b.npy": matrix}
tensors = {
    "a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
    "b": {"dtype": "I64", "shape": [2, 2], "data_offsets": [12, 44]},
    "__metadata__": {"made": "here"},
}
# As tests/fuzz_io.c reads them: the format, whether one name is wanted, the file.
readers = [
    b"\0\0" + vector,
    b"\0\0" + matrix,
    b"\1\0" + npz(two, zipfile.ZIP_STORED),
    b"\1\1" + npz(two, zipfile.ZIP_DEFLATED),
    b"\2\0" + safetensors(tensors, bytes(44)),
    b"\2\1" + safetensors({"a": tensors["a"]}, bytes(12)),
    b"\3\0" + gguf({"a": ((3, 2), 0, bytes(24)), "b": ((64,), 2, bytes(36)), "c": ((32, 2), 8, bytes(68))}),
    b"\3\4" + gguf({"a.weight": ((32, 2), 3, bytes(40)), "b": ((256,), 12, bytes(144)), "c": ((256,), 14, bytes(210))}),
]
programs = [
    b"softmax(x @ w.T, axis=-1)[..., ::2, None]",
    b"a, b = svd(x)[:2]; s = sum(a ** -2, keepdims=true)\nmean(s) // 3 << 1",
    b"where(x > 1e-3 and not y, [[1, 2.5], [0x1f, -9223372036854775808]], none)",
    b"x[1:, -1, ...] @ ~m | m & 7 ^ 3 != 4 # words",
    b"astype(full((2, 3), 7), float16).T.shape",
]
for name, seeds in (("io", readers), ("parser", programs)):
    (folder / name).mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds):
        (folder / name / f"seed-{i}").write_bytes(seed)
