"""tme under the names of mlx.core: what MLX's own tests import, where their import is changed.

Nothing is computed here. What stands here is spelled otherwise in the two packages, or is a notion of MLX's (streams and devices
that a call chooses) of which there is one of a kind here; all else is tme's own.
"""

import numpy
import tme

globals().update({name: getattr(tme, name) for name in tme.__all__})

__version__ = tme.__version__


class _ArrayClass(type):
    def __instancecheck__(cls, x):
        return isinstance(x, tme.Array)

    def __getattr__(cls, name):
        return getattr(tme.Array, name)


class array(metaclass=_ArrayClass):
    """MLX's class of arrays is called to make one."""

    def __new__(cls, value=0.0, dtype=None):
        return tme.array(value, dtype=dtype)


class _DtypeClass(type):
    def __instancecheck__(cls, x):
        return isinstance(x, tme.Dtype)


class Dtype(metaclass=_DtypeClass):
    pass


tme.Dtype.size = tme.Dtype.itemsize
bool_ = tme.bool
cpu, gpu = "cpu", "gpu"


class _Absent:
    """A device that is not there."""

    @staticmethod
    def is_available():
        return False


metal = cuda = _Absent


def is_available(device):
    return device == cpu


def default_device():
    return cpu


def set_default_device(device):
    if device != cpu:
        raise ValueError(f"there is no device {device}")


def synchronize(*unused):
    pass


def clear_streams():
    pass


def broadcast_shapes(*shapes):
    return numpy.broadcast_shapes(*shapes)


def _named(function, **names):
    """Call a function by MLX's names of parameters, and leave those out that have no counterpart."""

    def call(*values, **given):
        given = {names.get(name, name): value for name, value in given.items()}
        given.pop(None, None)
        return function(*values, **given)

    return call


clip = _named(tme.clip, a_min="min", a_max="max")
full = _named(tme.full, vals="fill_value")
softmax = _named(tme.softmax, precise=None)  # it always is
gather_qmm = _named(tme.gather_qmm, sorted_indices=None)  # a hint


def contiguous(x, allow_col_major=False):
    """Arrays are values here: of what lies how in memory nothing is seen."""
    return x


def to_fp8(x):
    return x.astype(tme.float8_e4m3)


def from_fp8(x, dtype=tme.bfloat16):
    return x.astype(dtype)


# Names of which MLX has several, or the older one.
_ALIASES = {
    "power": "pow", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctan2": "atan2",
    "arctanh": "atanh", "conjugate": "conj",
}  # fmt: skip
globals().update({name: getattr(tme, own) for name, own in _ALIASES.items() if hasattr(tme, own) and not hasattr(tme, name)})
