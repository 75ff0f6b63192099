"""Arrays in files: .npy, .npz, .safetensors and .gguf."""

# What few calls need is imported by them: it would double the time of `import tme`.

from __future__ import annotations

import os
from collections.abc import Mapping

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from typing_extensions import TypeIs

_SIGNATURES = ((b"\x93NUMPY", ".npy"), (b"PK\x03\x04", ".npz"), (b"PK\x05\x06", ".npz"), (b"GGUF", ".gguf"))


def _is_path(file: Any) -> TypeIs[str | bytes | os.PathLike[str]]:
    return isinstance(file, (str, bytes, os.PathLike))


def _expect(what: str, file: Any, method: str) -> None:
    if not hasattr(file, method):
        raise TypeError(f"{what}: the file is {type(file)}, expected a path or an object with a method {method}()")


def _ending_of(start: bytes) -> str:
    return next((ending for signature, ending in _SIGNATURES if start.startswith(signature)), ".safetensors")


def load(file: str | os.PathLike[str] | BinaryIO, *, copy: bool = False, quantized: bool = False) -> Any:
    """The array of an .npy file, or all arrays of an .npz, .safetensors or .gguf file as a dict.

    A file that is given by its path is mapped, and must not be truncated while its arrays live; copy=True reads it instead.
    What a file object gives is always read. Numbers of a few bits in .gguf become float32; with quantized=True those of Q8_0, Q4_0
    and Q4_1 stay as they are, as NAME.weight, NAME.scales and NAME.biases in groups of 32, which quantized_matmul takes.
    """
    if _is_path(file):
        return _core.load_path(file, copy=copy, quantized=quantized)
    _expect("load", file, "read")
    start = file.read(8)
    if not isinstance(start, bytes):
        raise TypeError(f"load: the file gives {type(start)}, expected bytes: it is to be opened in binary mode")
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "arrays" + _ending_of(start))
        with open(path, "wb") as out:
            out.write(start)
            shutil.copyfileobj(file, out)
        return _core.load_path(path, copy=True, quantized=quantized)


def _write(file: str | os.PathLike[str] | BinaryIO, ending: str, arrays: Mapping[str, Any]) -> None:
    if _is_path(file):
        path = os.fspath(file)
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        _core.save_named(path if path.endswith(ending) else path + ending, dict(arrays))
        return
    _expect("save", file, "write")
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "arrays" + ending)
        _core.save_named(path, dict(arrays))
        with open(path, "rb") as made:
            shutil.copyfileobj(made, file)


def save(file: str | os.PathLike[str] | BinaryIO, array: Any) -> None:
    """Writes one array as .npy; the ending is added to a path that lacks it. The old file stays if this fails."""
    _write(file, ".npy", {"arr_0": array})


def savez(file: str | os.PathLike[str] | BinaryIO, *arrays: Any, **named: Any) -> None:
    """Writes several arrays as .npz: those without a name are called arr_0, arr_1, ..."""
    for number, array in enumerate(arrays):
        name = f"arr_{number}"
        if name in named:
            raise ValueError(f"savez: two arrays are called {name}")
        named[name] = array
    _write(file, ".npz", named)


def save_safetensors(file: str | os.PathLike[str] | BinaryIO, arrays: Mapping[str, Any]) -> None:
    """Writes a dict of arrays as .safetensors."""
    _write(file, ".safetensors", arrays)


def save_gguf(file: str | os.PathLike[str] | BinaryIO, arrays: Mapping[str, Any]) -> None:
    """Writes a dict of arrays as .gguf: floats, signed integers, and what load(quantized=True) gives, or quantize of float16.

    Words of 4 or 8 bits in groups of 32 are written as Q4_0, Q4_1 or Q8_0 with their scales and biases.
    """
    _write(file, ".gguf", arrays)
