"""The documentation: tests/docs builds it, with the package of a build folder in PYTHONPATH."""

import pathlib
import sys

import tme

sys.path.insert(0, str(pathlib.Path(__file__).parent / "_ext"))

project = "T-Mathematics Engine"
release = version = tme.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "directives"]
exclude_patterns = ["_ext"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# Pages that are also read in the sources lead to files beside the documentation.
suppress_warnings = ["myst.xref_missing"]
smartquotes = False  # docstrings hold code
autodoc_typehints = "none"
napoleon_google_docstring = False
nitpicky = False
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tme.css"]
html_title = project
html_copy_source = False
