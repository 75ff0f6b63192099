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


# Names of which MLX has several, or the older one.
_ALIASES = {
    "power": "pow", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctan2": "atan2",
    "arctanh": "atanh", "conjugate": "conj",
}  # fmt: skip
globals().update({name: getattr(tme, own) for name, own in _ALIASES.items() if hasattr(tme, own) and not hasattr(tme, name)})
