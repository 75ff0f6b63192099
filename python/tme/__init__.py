"""Lazily evaluated arrays, compiled for the machine at hand: a thin door to the library of the T-Mathematics Engine.

>>> import tme
>>> x = tme.linspace(0, 1, 5)
>>> (x * x).tolist()
[0.0, 0.0625, 0.25, 0.5625, 1.0]
"""

import math as _math

from . import _core, fft, linalg, random
from ._array_api import *  # noqa: F403
from ._array_api import __all__ as _array_api_names
from ._core import (
    Array,
    AxisError,
    CompiledFunction,
    Dtype,
    Engine,
    Error,
    Event,
    FileError,
    NumericError,
    TraceError,
    __version__,
    array,
    asarray,
    async_eval,
    compile,
    current_engine,
    eval,
    from_dlpack,
)
from ._engine import attention as _attention
from ._engine import benchmark as _benchmark
from ._engine import mul as _mul
from ._files import load, save, save_gguf, save_safetensors, savez
from ._integrate import integrate
from ._modules import members
from ._ordering import *  # noqa: F403
from ._ordering import __all__ as _ordering_names
from ._plan import Plan, explain
from ._text import get_printoptions, printoptions, set_printoptions

Engine.attention = _attention
Engine.benchmark = _benchmark
Engine.mul = _mul

# Every operation of the library's table, and every dtype.
dtypes = tuple(value for value in vars(_core).values() if isinstance(value, Dtype))
_operations = members("")
globals().update({name: f for name, f in _operations.items() if name not in {*_array_api_names, *_ordering_names}})
globals().update({dtype.name: dtype for dtype in dtypes})

pi = _math.pi
e = _math.e
inf = _math.inf
nan = _math.nan
newaxis = None

__array_api_version__ = "2024.12"

__all__ = sorted(
    {
        "Array", "AxisError", "CompiledFunction", "Dtype", "Engine", "Error", "Event", "FileError", "NumericError", "Plan", "TraceError",
        "array", "asarray", "async_eval", "compile", "current_engine", "dtypes", "e", "eval", "explain", "fft", "from_dlpack", "get_printoptions",
        "inf", "integrate", "linalg", "load", "nan", "newaxis", "pi", "printoptions", "random", "save", "save_gguf", "save_safetensors", "savez", "set_printoptions",
    }
    | set(_operations)
    | set(_array_api_names)
    | set(_ordering_names)
    | {dtype.name for dtype in dtypes}
)  # fmt: skip
