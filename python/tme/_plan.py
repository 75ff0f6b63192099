"""What the compiler makes of arrays that are not computed yet."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from typing import Any


def _arrays(tree: Any) -> list[_core.Array]:
    if isinstance(tree, _core.Array):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif hasattr(tree, "__dataclass_fields__") and not isinstance(tree, type):
        import dataclasses

        tree = [getattr(tree, field.name) for field in dataclasses.fields(tree)]
    elif not isinstance(tree, (list, tuple)):
        return []
    return [array for branch in tree for array in _arrays(branch)]


class Plan:
    """How arrays will be computed: the kernels, what they fuse, and why.

    It prints as text; in a notebook it shows the graph as a picture.
    """

    def __init__(self, *trees: Any) -> None:
        self._roots = _arrays(trees)

    def text(self, *, passes: bool = False, ir: bool = False, source: bool = False, asm: bool = False) -> str:
        """The plan; with the graph after each pass, each kernel's description, its C for people, its machine code."""
        flags = passes * _core.EXPLAIN_PASSES | ir * _core.EXPLAIN_IR | source * _core.EXPLAIN_SOURCE | asm * _core.EXPLAIN_ASM
        return _core.explain_arrays(self._roots, flags)

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        return _core.explain_arrays(self._roots, _core.EXPLAIN_DOT)

    def svg(self) -> str:
        """The graph as a picture, by Graphviz's program `dot` where it is installed."""
        import shutil
        import subprocess

        from . import _picture

        program = shutil.which("dot")
        if program is None:
            return _picture.svg(self.dot())
        done = subprocess.run([program, "-Tsvg"], input=self.dot(), capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def _repr_svg_(self) -> str:
        return self.svg()

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__


def explain(*trees: Any, passes: bool = False, ir: bool = False, source: bool = False, asm: bool = False) -> str:
    """The text of the plan by which the arrays in these trees will be computed; nothing is run."""
    return Plan(*trees).text(passes=passes, ir=ir, source=source, asm=asm)
