"""The indexes of docs/ and docs/decisions/ have every file, and links between documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS, DECISIONS = ROOT / "docs", ROOT / "docs" / "decisions"
LINK = re.compile(r"\[[^\]]*\]\((?P<path>[^)#\s]*)(#(?P<place>[^)\s]*))?\)")
ROW = re.compile(
    r"^\| \[(?P<number>\d+)\]\((?P<file>[^)]+)\) \| (?P<title>[^|]+) \| (?P<line>[^|]+) \| ?(?P<status>.*?) ?\|$"
)
STATUS = re.compile(r"^\*\*Status\.\*\* (?P<kind>Superseded in part|Superseded|Extended) by \[(?P<number>\d+)\]")
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
ADRS = sorted(DECISIONS.glob("[0-9]*.md"))


def rows() -> list[re.Match[str]]:
    return list(filter(None, map(ROW.match, (DECISIONS / "README.md").read_text().splitlines())))


def linked_from(document: Path) -> set[Path]:
    return {(document.parent / link["path"]).resolve() for link in LINK.finditer(document.read_text()) if link["path"]}


def places_in(document: Path) -> set[str]:
    """The anchors of a document's headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_document_is_in_the_index() -> None:
    documents = {path for path in DOCS.iterdir() if path.is_file()} - {DOCS / "README.md"}
    assert documents - linked_from(DOCS / "README.md") == set(), "add a row to docs/README.md"


def test_no_document_is_in_the_index_twice() -> None:
    lines = [line.split("|")[1] for line in (DOCS / "README.md").read_text().splitlines() if line.startswith("| [")]
    assert len(lines) == len(set(lines))


def test_each_decision_is_in_the_index_in_order() -> None:
    assert [row["file"] for row in rows()] == [path.name for path in ADRS], "a row each in docs/decisions/README.md"


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_s_row_has_its_number_its_title_and_its_status(path: Path) -> None:
    row = next((row for row in rows() if row["file"] == path.name), None)
    assert row, f"add a row for {path.name} to docs/decisions/README.md"
    heading, *lines = path.read_text().splitlines()
    status = next(filter(None, map(STATUS.match, lines)), None)
    assert heading == f"# {row['number']}. {row['title']}"
    assert int(path.name[:4]) == int(row["number"])
    assert row["status"].strip("*") == (f"{status['kind'].lower()} by {status['number']}" if status else "")


SUPERSEDES = re.compile(r"\((?P<file>\d{4}-[^)]+\.md)\)[^.]{0,40}\bthis one supersedes")


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_that_is_superseded_says_by_which(path: Path) -> None:
    for found in SUPERSEDES.finditer(path.read_text()):
        status = f"by [{int(path.name[:4])}]({path.name})"
        assert status in (DECISIONS / found["file"]).read_text(), f"give {found['file']} a line **Status.**"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    for link in LINK.finditer(document.read_text()):
        if re.match(r"[a-z]+:", link["path"]):
            continue  # another site
        target = (document.parent / link["path"]).resolve() if link["path"] else document
        assert target.exists(), link[0]
        if link["place"] and target.suffix == ".md":
            assert link["place"] in places_in(target), link[0]


PATH = re.compile(r"`((?:functions|cli|cascan_cli|tests|infra|layers|benchmarks|docs)/[\w./-]+)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_that_a_document_names_exist(document: Path) -> None:
    if document.name != "CHANGELOG.md" and DECISIONS not in document.parents:  # these tell of what was
        assert [path for path in PATH.findall(document.read_text()) if not (ROOT / path).exists()] == []
