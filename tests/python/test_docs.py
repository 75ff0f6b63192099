"""What the documentation shows is run, block by block: Python's code as it is, sessions with what they print."""

import pathlib
import re

import doctests
import pytest
import tme

SOURCE = pathlib.Path(__file__).parents[2]
BLOCK = re.compile(r"^```(?:python|pycon|\{plan-picture\})\n(.*?)^```$", re.M | re.S)
PAGES = [page for page in [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))] if BLOCK.search(page.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page):
    names = {"tme": tme}
    for text in BLOCK.findall(page.read_text()):
        if text.startswith(">>>"):
            doctests.run(text, page.name, names)
        else:
            exec(compile(text, page.name, "exec"), names)


def test_pages_are_there():
    assert {"quickstart", "concepts", "coming-from", "engine"} <= {page.stem for page in PAGES}
