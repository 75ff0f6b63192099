"""What the array API standard asks of a namespace about itself, and of dtypes."""

from __future__ import annotations

from functools import reduce

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from typing import Any

    from ._core import Array, Dtype

__all__ = ["__array_namespace_info__", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]

# As the letters of Dtype.kind.
_KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}
# Numbers of Python from the one that any other takes in to the one that takes in all, with the kinds of dtypes as strong.
_NUMBERS: dict[type, str] = {bool: "b", int: "iu", float: "f", complex: "c"}


def _all_dtypes() -> list[Dtype]:
    return [value for value in vars(_core).values() if isinstance(value, _core.Dtype)]


def _dtype_of(x: Any) -> Dtype:
    return x.dtype if isinstance(x, _core.Array) else _core.Dtype(x)


def _real(dtype: Dtype) -> Dtype:
    """Return the dtype of a complex one's parts."""
    if dtype.kind != "c":
        return dtype
    return next(d for d in _all_dtypes() if d.kind == "f" and d.itemsize * 2 == dtype.itemsize and d.eps == dtype.eps)


class _Limits:
    """Attributes, and a text that shows them."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))


class finfo(_Limits):
    """The limits of a floating dtype, or of an array's; of a complex one those of its parts.

    >>> import tme
    >>> tme.finfo(tme.float16).max
    65504.0
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Dtype

    def __init__(self, type: Dtype | Array, /) -> None:
        dtype = _dtype_of(type)
        if dtype.kind not in "fc":
            raise ValueError(f"finfo: {dtype} is no floating dtype")
        real = _real(dtype)
        super().__init__(
            bits=8 * real.itemsize,
            eps=real.eps,
            max=real.max,
            min=-real.max,
            smallest_normal=real.smallest_normal,
            dtype=real,
        )


class iinfo(_Limits):
    """The limits of an integer dtype, or of an array's.

    >>> import tme
    >>> tme.iinfo(tme.int8)
    iinfo(bits=8, max=127, min=-128, dtype=tme.int8)
    """

    bits: int
    max: int
    min: int
    dtype: Dtype

    def __init__(self, type: Dtype | Array, /) -> None:
        dtype = _dtype_of(type)
        if dtype.kind not in "iu":
            raise ValueError(f"iinfo: {dtype} is no integer dtype")
        bits = 8 * dtype.itemsize
        signed = dtype.kind == "i"
        super().__init__(bits=bits, max=2 ** (bits - signed) - 1, min=-(2 ** (bits - 1)) if signed else 0, dtype=dtype)


def isdtype(dtype: Dtype, kind: Dtype | str | tuple[Dtype | str, ...]) -> bool:
    """Tell whether a dtype is another one, of a kind, or one of several.

    >>> import tme
    >>> tme.isdtype(tme.float16, "real floating"), tme.isdtype(tme.int8, (tme.uint8, "bool"))
    (True, False)
    """
    dtype = _core.Dtype(dtype)
    for one in kind if isinstance(kind, tuple) else (kind,):
        if isinstance(one, str) and one in _KINDS:
            if dtype.kind in _KINDS[one]:
                return True
        elif isinstance(one, str):
            raise ValueError(f"isdtype: {one!r} is no kind, expected one of {', '.join(map(repr, _KINDS))}")
        elif dtype == _core.Dtype(one):
            return True
    return False


def result_type(*arrays_and_dtypes: Array | Dtype | complex) -> Dtype:
    """Return the dtype that operations give what they are given these operands.

    Numbers of Python have none of their own: they count by their kind.

    >>> import tme
    >>> tme.result_type(tme.int8, tme.uint8), tme.result_type(tme.float16, 1.5), tme.result_type(tme.int8, 1.5)
    (tme.int16, tme.float16, tme.float32)
    """
    if not arrays_and_dtypes:
        raise ValueError("result_type: expected at least one array, dtype or number")
    types = list(_NUMBERS)
    weak = max((types.index(type(x)) for x in arrays_and_dtypes if type(x) in types), default=-1)
    dtypes = [_dtype_of(x) for x in arrays_and_dtypes if type(x) not in types]
    if dtypes:
        strong = reduce(_core.promote, dtypes)
        if any(strong.kind in kinds for kinds in list(_NUMBERS.values())[max(weak, 0) :]):
            return strong
        if types[weak] is complex and strong.kind == "f":
            return _core.promote(strong, _core.complex64)
    return _core.asarray(types[weak](0)).dtype


def can_cast(from_: Dtype | Array, to: Dtype, /) -> bool:
    """Tell whether the promotion of dtypes leads from one to the other.

    >>> import tme
    >>> tme.can_cast(tme.int8, tme.int16), tme.can_cast(tme.float64, tme.float32)
    (True, False)
    """
    target = _core.Dtype(to)
    return _core.promote(_dtype_of(from_), target) == target


class _NamespaceInfo:
    """What __array_namespace_info__() returns."""

    def capabilities(self) -> dict[str, bool | int | None]:
        """Return what arrays and indexing can do."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": _core.max_dimensions}

    def default_device(self) -> str:
        """Return the device in whose memory arrays are made."""
        return _core.asarray(0).device

    def devices(self) -> list[str]:
        """Return the devices that arrays can be on."""
        return list(dict.fromkeys([self.default_device(), "cpu"]))

    def default_dtypes(self, *, device: str | None = None) -> dict[str, Dtype]:
        """Return the dtypes of what is made without one."""
        self._check(device)
        default = {kind: _core.asarray(number).dtype for kind, number in (("f", 0.0), ("c", 0j), ("i", 0))}
        return {
            "real floating": default["f"],
            "complex floating": default["c"],
            "integral": default["i"],
            "indexing": default["i"],
        }

    def dtypes(self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None) -> dict[str, Dtype]:
        """Return the standard's dtypes of a kind, or of several, by their names."""
        self._check(device)
        kinds = tuple(_KINDS) if kind is None else kind
        # bfloat16 is none of the standard's, and neither is float16.
        return {d.name: d for d in _all_dtypes() if isdtype(d, kinds) and (d.kind != "f" or d.itemsize >= 4)}

    def _check(self, device: str | None) -> None:
        if device is not None and device not in self.devices():
            raise ValueError(f"device {device!r}, expected one of {', '.join(map(repr, self.devices()))}")


def __array_namespace_info__() -> _NamespaceInfo:
    """Describe the namespace, as the array API standard has it."""
    return _NamespaceInfo()
