"""Writes the package's type stubs: stubs.py TEMPLATE FOLDER, with the package just built in PYTHONPATH.

FOLDER/_core.pyi is the template with the library's operations and dtypes in it; FOLDER/__init__.pyi names what the package has,
and where it has it from.
"""

import json
import pathlib
import subprocess
import sys
import types

import tme

TYPES = {
    "array": "_ArrayLike",
    "array?": "_ArrayLike | None",
    "arrays": "Sequence[_ArrayLike]",
    "axis": "SupportsIndex",
    "axis?": "SupportsIndex | None",
    "axes": "_Ints | None",
    "ints": "_Ints",
    "perdim": "_Bounds",
    "int": "SupportsIndex",
    "bool": "builtins.bool",
    "float": "_Real",
    "number": "_Real",
    "dtype": "_DtypeLike",
    "text": "str",
}


def operations():
    program = pathlib.Path(tme._core.__file__).parent / "bin" / "tme"
    out = subprocess.run([program, "ops", "--json"], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def parameter(p):
    kind = p["kind"]
    if kind == "choice":
        words = ", ".join(f'"{word}"' for word in p["choices"].split("|"))
        kind = f"Literal[{words}]"
    elif kind in TYPES:
        kind = TYPES[kind]
    else:
        sys.exit(f"tools/stubs.py knows no type for parameters of the kind {kind}: add it to TYPES")
    if not p["optional"]:
        return f"{p['name']}: {kind}"
    default = p["default"]
    if default is None and not kind.endswith("| None"):
        kind += " | None"
    return f"{p['name']}: {kind} = {json.dumps(default) if isinstance(default, str) else default}"


def result(op):
    return "Array" if op["outputs"] == 1 else f"tuple[{', '.join(['Array'] * op['outputs'])}]"


def function(op):
    return [f"def {op['name']}({', '.join(map(parameter, op['parameters']))}) -> {result(op)}: ..."]


def engine_method(op):
    given = ", ".join(["self", *map(parameter, op["parameters"])])
    return [f"    def {op['name']}({given}) -> {result(op)}: ..."]


def array_method(op):
    first, *others = op["parameters"]
    if first["kind"] != "array":
        return []
    name = op["name"]
    if isinstance(vars(tme.Array)[name].__get__(tme.array(1.0)), tme.Array):
        return ["    @property", f"    def {name}(self) -> Array: ..."]
    given = ", ".join(["self", *map(parameter, others)])
    plain = f"    def {name}({given}) -> {result(op)}: ..."
    if not others or others[0]["kind"] != "ints":
        return [plain]
    # x.reshape(2, 3) and x.reshape([2, 3]) are one.
    loose = f"    def {name}(self, *{others[0]['name']}: SupportsIndex) -> {result(op)}: ..."
    return ["    @overload", plain, "    @overload", loose]


def core(template):
    rows = operations()
    writers = {"operations": function, "operations: Array": array_method, "operations: Engine": engine_method}
    lines = []
    for line in template.split("\n"):
        word = line.strip().removeprefix("# ")
        if line.strip() == "# dtypes":
            lines += [f"{dtype.name}: Final[Dtype]" for dtype in tme.dtypes]
        elif line.strip().startswith("# ") and word in writers:
            lines += [part for op in rows for part in writers[word](op)]
        else:
            lines.append(line)
    return "\n".join(lines)


def imported(name, value):
    """The line by which the package has the name, or its type where it is a constant."""
    own = getattr(value, "__name__", name)
    if own in vars(tme._core) and vars(tme._core)[own] is value:
        return f"from ._core import {own} as {name}"
    if isinstance(value, types.ModuleType):
        return f"from . import {name} as {name}"
    module = getattr(value, "__module__", None) or ""
    if module.startswith("tme."):
        return f"from .{module.removeprefix('tme.')} import {name} as {name}"
    if isinstance(value, tuple) and value and isinstance(value[0], tme.Dtype):
        return f"{name}: Final[tuple[Dtype, ...]]"
    return f"{name}: Final[{type(value).__name__ if value is not None else None}]"


def package(module, *others):
    names = [*module.__all__, *others]
    lines = sorted(
        {imported(name, getattr(module, name)) for name in names}, key=lambda line: (not line.startswith("from"), line)
    )
    return "\n".join(
        ["from typing import Final", "", *lines, "", "__all__ = [", *(f'    "{name}",' for name in module.__all__), "]", ""]
    )


def main():
    template, folder = map(pathlib.Path, sys.argv[1:])
    (folder / "_core.pyi").write_text(core(template.read_text()))
    (folder / "__init__.pyi").write_text(package(tme, "__version__", "__array_api_version__"))
    for name in sorted({place.rpartition(".")[0] for place, _ in tme._core.operations.values()} - {""}):
        (folder / f"{name}.pyi").write_text(package(getattr(tme, name)))


if __name__ == "__main__":
    main()
