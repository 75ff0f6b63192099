"""How arrays are printed: as NumPy prints them, with options of the same names."""

from __future__ import annotations

import contextlib
import contextvars

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_options: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar(
    "tme.printoptions",
    default={"precision": 8, "threshold": 1000, "edgeitems": 3, "linewidth": 75, "suppress": False},
)


def _checked(name: str, value: Any) -> Any:
    if name == "suppress":
        return bool(value)
    if name == "threshold" and value == float("inf"):
        return 2**63 - 1
    try:
        number = value.__index__()
    except (AttributeError, TypeError):
        raise TypeError(f"set_printoptions: {name} is {value!r}, expected a whole number") from None
    if number < 0 and name != "threshold":
        raise ValueError(f"set_printoptions: {name} is {number}, expected 0 or more")
    return max(min(number, 2**63 - 1), -1)


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    suppress: bool | None = None,
) -> None:
    """Change how arrays are printed in this thread or task; what is not given stays.

    `precision` is the most digits behind the point, `threshold` the number of elements above which the middle of an array is
    left out, `edgeitems` what is then shown of it at both ends of an axis, `linewidth` the columns of a line, and with
    `suppress` small numbers are not written with exponents.
    """
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
        "suppress": suppress,
    }
    _options.set(_options.get() | {name: _checked(name, value) for name, value in given.items() if value is not None})


def get_printoptions() -> dict[str, Any]:
    """Return how arrays are printed, as set_printoptions() takes it."""
    return dict(_options.get())


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[dict[str, Any]]:
    """Print arrays in other ways in a block.

    >>> import tme
    >>> with tme.printoptions(precision=3):
    ...     print(tme.array([1 / 3, 2 / 3]))
    [0.333 0.667]
    """
    before = _options.get()
    set_printoptions(**options)
    try:
        yield get_printoptions()
    finally:
        _options.set(before)


def _without_value(x: _core.Array) -> str:
    return f"<array without a value: {x.dtype}, shape {x.shape}>"


def array_str(x: _core.Array) -> str:
    try:
        text = _core.format_array(x, separator=" ", indent=0, reserve=0, **_options.get())
    except _core.TraceError:
        return _without_value(x)
    return text + "0" if not x.ndim and text.endswith(".") else text


def array_repr(x: _core.Array) -> str:
    options = _options.get()
    begin = "array("
    try:
        text = _core.format_array(x, separator=", ", indent=len(begin), reserve=1, **options)
    except _core.TraceError:
        return _without_value(x)
    about = []
    if x.size > options["threshold"] or (x.size == 0 and x.shape != (0,)):
        about.append(f"shape={x.shape}")
    # Lists of whole numbers and of truth values have their dtype whatever the precision is.
    if x.size == 0 or x.dtype.name not in ("bool", "int64"):
        about.append(f"dtype={x.dtype}")
    if not about:
        return begin + text + ")"
    end = ", ".join(about) + ")"
    column = len(begin + text) + 1 - ((begin + text).rfind("\n") + 1)
    space = " " if column + len(end) + 1 <= options["linewidth"] else "\n" + " " * len(begin)
    return begin + text + "," + space + end


def _shown(extent: int, shorten: bool, edge: int) -> list[int | None]:
    """The places that are shown along an axis; None where some are left out."""
    if not shorten or extent <= 2 * edge:
        return list(range(extent))
    return [*range(edge), None, *range(extent - edge, extent)]


def _cell(value: Any, precision: int) -> str:
    if isinstance(value, (bool, int)):
        return str(value)
    return f"{value:.{min(precision, 17)}g}"


def array_html(x: _core.Array) -> str:
    """A table for notebooks; of more than two dimensions the text."""
    import html  # which `import tme` need not wait for

    about = html.escape(f"{x.dtype}, shape {x.shape}")
    options = _options.get()
    if x.ndim not in (1, 2) or not x.size:
        return f"<pre>{html.escape(array_repr(x))}</pre>"
    shorten, edge, precision = x.size > options["threshold"], options["edgeitems"], options["precision"]
    matrix = x if x.ndim == 2 else x.reshape(1, x.size)
    rows, columns = (_shown(extent, shorten, edge) for extent in matrix.shape)
    kept = [column for column in columns if column is not None]
    try:
        values = {row: iter(matrix[row, kept].tolist()) for row in rows if row is not None}
    except _core.TraceError:
        return f"<pre>{html.escape(_without_value(x))}</pre>"
    lines = []
    for row in rows:
        cells = (
            "&#8942;" if row is None else "&hellip;" if c is None else _cell(next(values[row]), precision) for c in columns
        )
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table><caption>{about}</caption>{''.join(lines)}</table>"
