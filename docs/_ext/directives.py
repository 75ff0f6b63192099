"""Directives of the documentation: what is made of the package, of its examples and of measured tables."""

import ast
import pathlib
import re

import pictures
import tme
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

DOCS = pathlib.Path(__file__).parents[1]
OWN_MEMBERS = re.compile(r"[a-zA-Z]\w*$|__call__$")


class Written(SphinxDirective):
    """A directive that is Markdown written by its method `lines`."""

    optional_arguments = 1
    has_content = True

    def run(self):
        return self.parsed(self.lines(*self.arguments))

    def parsed(self, lines):
        node = nodes.container()
        self.state.nested_parse(StringList(list(lines), self.get_source_info()[0]), self.content_offset, node)
        return node.children


def rst(*lines):
    return ["```{eval-rst}", *lines, "```", ""]


class Operations(Written):
    """All operations, a section for each chapter."""

    def run(self):
        chapters = {}
        for place, chapter in tme._core.operations.values():
            chapters.setdefault(chapter, []).append(place)
        sections = []
        for chapter, places in chapters.items():
            section = nodes.section(ids=[nodes.make_id(chapter)])
            section += nodes.title(text=chapter)
            section += self.parsed(line for place in sorted(places) for line in rst(f".. autofunction:: tme.{place}"))
            sections.append(section)
        return sections


class Others(Written):
    """The functions of the package that are no operations."""

    def lines(self):
        functions = [
            name
            for name in sorted(tme.__all__)
            if name not in tme._core.operations
            and callable(getattr(tme, name))
            and not isinstance(getattr(tme, name), (type, tme.Dtype))
        ]
        return [line for name in functions for line in rst(f".. autofunction:: tme.{name}")]


class Members(Written):
    """A class with its members that are no operations."""

    def lines(self, name):
        found = [
            member
            for member in sorted(vars(getattr(tme, name)))
            if OWN_MEMBERS.match(member) and member not in tme._core.operations
        ]
        return rst(f".. autoclass:: tme.{name}", "   :no-index-entry:" if not found else f"   :members: {', '.join(found)}")


class Example(Written):
    """A file of examples/python: what it says of itself, and its code."""

    def lines(self, name):
        path = DOCS.parent / "examples" / "python" / f"{name}.py"
        self.env.note_dependency(str(path))
        source = path.read_text()
        module = ast.parse(source)
        code = "\n".join(source.split("\n")[module.body[0].end_lineno :]).strip("\n")
        return [*ast.get_docstring(module).split("\n"), "", "````python", *code.split("\n"), "````", ""]


class Picture(SphinxDirective):
    has_content = True

    def run(self):
        return [nodes.raw("", f'<div class="picture">{self.svg()}</div>', format="html")]


class PlanPicture(Picture):
    """The plan of `result`, which the code makes."""

    def svg(self):
        names = {"tme": tme}
        exec("\n".join(self.content), names)
        return pictures.graph(tme.Plan(names["result"]).dot())


class SpeedPicture(Picture):
    """The first table of docs/benchmarks.md."""

    def svg(self):
        path = DOCS / "benchmarks.md"
        self.env.note_dependency(str(path))
        return pictures.speeds(path.read_text())


def plain(app, what, name, of, options, lines):
    """What a row says of its operation is no reStructuredText: "|x|" names nothing, "*" begins nothing."""
    if name.removeprefix("tme.") not in {place for place, _ in tme._core.operations.values()}:
        return
    end = lines.index("Parameters") if "Parameters" in lines else len(lines)
    lines[:end] = [re.sub(r"([*|`\\_])", r"\\\1", line) for line in lines[:end]]


def setup(app):
    for name, directive in {
        "operations": Operations,
        "others": Others,
        "members": Members,
        "example": Example,
        "plan-picture": PlanPicture,
        "speed-picture": SpeedPicture,
    }.items():
        app.add_directive(name, directive)
    app.connect("autodoc-process-docstring", plain, priority=100)
    return {"parallel_read_safe": True}
