"""How Sphinx builds the documentation: ``make docs``."""

from __future__ import annotations

import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[1]

project = "hopsml-flows"
author = "the hopsml-flows contributors"
copyright = author
release = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.mermaid",
]

# Markdown. Headings have the anchors that GitHub gives them, so that a link works in both.
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

# The reference comes from docstrings. Types stand in the signatures, as in the code.
autodoc_member_order = "alphabetical"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"hopsml-flows {release}"
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}

# `$` and `>>>` are not copied.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Addresses of examples, and of servers that a reader starts.
linkcheck_ignore = [r"http://(localhost|127\.0\.0\.1)[:/]", r"https://github\.com/me/"]
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]
linkcheck_timeout = 30
