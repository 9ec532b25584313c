"""How Sphinx builds the site: `make docs`. Warnings are errors; nothing is fetched, now or when a page is opened.

Formulas are written as code, in plain characters: no script for mathematics, no fonts, no network.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS / "_site"), str(DOCS.parent / "src")]

from altair_scraper import scrape  # noqa: E402
from sphinx_gallery.sorting import FileNameSortKey  # noqa: E402

from clearance import __version__  # noqa: E402

project = "Clearance"
author = "The Clearance authors"
copyright = "The Clearance authors, Apache-2.0"  # noqa: A001
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "reference_pages",
    "repository_links",
]
exclude_patterns = ["_site", "examples", "gallery/*.py", "gallery/*.ipynb", "sg_execution_times.rst"]
suppress_warnings = ["config.cache"]  # the gallery's scraper is a function, which Sphinx cannot keep between builds

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

default_role = "py:obj"
"""A name in a docstring's backticks is a link where the reference has it, and code where it does not."""

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
smartquotes = False  # they would make one dash of the two before a flag
maximum_signature_line_length = 88
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False

nitpicky = True
OUTSIDE = ("torch", "nn", "np", "numpy", "collections", "pathlib", "enum", "os", "scipy", "typing")
"""Packages whose types this site cannot link to: it looks nothing up in a network."""
INSIDE = (r"[A-Z]\w+", r"clearance\.records\.\w+", r"clearance\.runs\.engines\.(Task|Outcome)")
"""Short names that only type checkers resolve, bases of records that nobody calls, and variables of types."""
nitpick_ignore_regex = [("py:obj", "(?s).*"), ("py:class", rf"({'|'.join(OUTSIDE)})\..*|{'|'.join(INSIDE)}")]

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": FileNameSortKey,
    "image_scrapers": (scrape,),
    "capture_repr": (),
    "reset_modules": (),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "abort_on_example_error": False,
    "only_warn_on_example_error": False,
    "plot_gallery": "True",
    "write_computation_times": False,
    "remove_config_comments": True,
}

html_theme = "furo"
html_title = "Clearance"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5fae", "color-brand-content": "#1f5fae"},
    "dark_css_variables": {"color-brand-primary": "#7fb3f5", "color-brand-content": "#7fb3f5"},
    "footer_icons": [],
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"
