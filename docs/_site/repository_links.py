"""Documents at the root of the repository are pages of the site, and links between the two lead there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT_PAGES = {
    "README": "index",
    "CONTRIBUTING": "contributing",
    "CHANGELOG": "changelog",
    "RELEASING": "releasing",
    "SECURITY": "security",
    "VISION": "vision",
}
"""Document at the root of the repository -> its page. All but the first show the document itself."""


def lead_to_pages(app: Sphinx, name: str, source: list[str]) -> None:
    """Fill the pages of documents of the root, and put pages in the place of documents in every link."""
    documents = {page: document for document, page in ROOT_PAGES.items() if page != "index"}
    if name in documents:
        file = Path(app.srcdir).parent / f"{documents[name]}.md"
        app.env.note_dependency(str(file))
        source[0] = from_root(file.read_text())
    source[0] = re.sub(r"\]\(((?:\.\./)+)([A-Z]+)\.md\b", _page_of, source[0])


def from_root(text: str) -> str:
    """A document of the root, with its links as they are from the folder of the pages.

    >>> from_root("[a](docs/a.md) [b](VISION.md) [c](LICENSE) [d](https://d.org) [e](#f)")
    '[a](a.md) [b](../VISION.md) [c](../LICENSE) [d](https://d.org) [e](#f)'
    """
    outside = re.sub(r"\]\((?!docs/|#|[a-z]+:)", "](../", text)
    return outside.replace("](docs/", "](")


def _page_of(link: re.Match[str]) -> str:
    up, document = link.groups()
    return f"]({up.removeprefix('../')}{ROOT_PAGES[document]}.md" if document in ROOT_PAGES else link[0]


def name_levels(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Say the level of the sidebar's headings, which readers of a screen aloud need."""
    tree = str(context.get("furo_navigation_tree", ""))
    context["furo_navigation_tree"] = tree.replace(
        'class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"'
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", lead_to_pages)
    app.connect("html-page-context", name_levels, priority=900)
    return {"parallel_read_safe": True}
