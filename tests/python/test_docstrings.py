"""Every operation says what it takes and gives, and shows an example that runs."""

import inspect

import doctests
import pytest
import tme


def module_names():
    return {"tme": tme}


@pytest.mark.parametrize("name", tme._core.operations)
def test_operation(name):
    text = inspect.getdoc(getattr(tme._core, name))
    for heading in ("Parameters", "Returns", "Examples"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in text
    parameters = inspect.signature(getattr(tme._core, name)).parameters
    assert list(parameters) == [line.split(" : ")[0] for line in text.split("\n") if " : " in line]
    assert doctests.run(text, name, module_names()) == 1


@pytest.mark.parametrize("name", [name for name in tme.__all__ if name not in tme._core.operations])
def test_others(name):
    value = getattr(tme, name)
    # A class whose objects have docstrings of their own has none.
    if callable(value) and (not isinstance(value, type) or isinstance(value.__doc__, str)):
        assert inspect.getdoc(value), f"tme.{name} has no docstring"
        doctests.run(inspect.getdoc(value), name, module_names())


@pytest.mark.parametrize("of", [tme.Array, tme.Engine, tme.CompiledFunction, tme.Dtype, tme.Event])
def test_members(of):
    for name in dir(of):
        if not name.startswith("_"):
            assert inspect.getdoc(getattr(of, name)), f"{of.__name__}.{name} has no docstring"


def test_module():
    assert doctests.run(tme.__doc__, "tme", {}) > 0


def test_methods_have_the_same_docstring():
    assert inspect.getdoc(tme.Array.softmax) == inspect.getdoc(tme._core.softmax)


def test_what_raises_is_raised():
    with pytest.raises(TypeError, match="exp: takes floating numbers, not bool"):
        tme.exp(tme.array([True]))
