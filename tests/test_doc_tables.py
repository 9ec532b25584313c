"""The parts of documents that are written anew, between two marks."""

from pathlib import Path

from doc_tables import part, rewrite


def test_an_empty_part_is_filled_and_the_next_one_stays(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("".join(f"<!-- from {name}: make -->\n<!-- end -->\n" for name in ("one", "two")))
    rewrite(page, "one: make", "first\n")
    assert part(page, "one: make") == "first\n" and part(page, "two: make") == ""
    rewrite(page, "one: make", "again\n")
    assert part(page, "one: make") == "again\n" and page.read_text().count("<!-- end -->") == 2
