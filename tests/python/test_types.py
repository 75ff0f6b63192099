"""The stubs say of each operation what the package has."""

import ast
import inspect
import pathlib

import pytest
import tme

STUB = pathlib.Path(tme.__file__).with_name("_core.pyi")
pytestmark = pytest.mark.skipif(not STUB.exists(), reason="a sanitized build has no stubs")


def functions(body):
    """Names with their signatures as the stub has them; of overloads the first."""
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            positional = [a.arg for a in node.args.args]
            defaults = [ast.literal_eval(value) for value in node.args.defaults]
            found.setdefault(node.name, (positional, defaults))
    return found


def stub_of(name):
    body = ast.parse(STUB.read_text()).body
    if name is None:
        return functions(body)
    return functions(next(node for node in body if isinstance(node, ast.ClassDef) and node.name == name).body)


def signature(function):
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters], [p.default for p in parameters if p.default is not p.empty]


def test_functions():
    stub = stub_of(None)
    for name in tme._core.operations:
        assert stub[name] == signature(getattr(tme._core, name)), name


@pytest.mark.parametrize("of", [tme.Array, tme.Engine])
def test_methods(of):
    stub = stub_of(of.__name__)
    methods = tme._core.operations if of is tme.Engine else set(tme._core.operations) & set(vars(tme.Array))
    for name in methods:
        names, defaults = signature(getattr(tme._core, name))
        if of is tme.Engine:
            names = ["self", *names]
        elif stub[name] != (["self"], []):  # a property
            names = ["self", *names[1:]]
        else:
            names = ["self"]
        assert stub[name] == (names, defaults), name


def test_the_package_has_a_stub_for_all_names():
    stub = ast.parse(STUB.with_name("__init__.pyi").read_text()).body
    names = {alias.asname for node in stub if isinstance(node, ast.ImportFrom) for alias in node.names}
    names |= {node.target.id for node in stub if isinstance(node, ast.AnnAssign)}
    assert set(tme.__all__) <= names
