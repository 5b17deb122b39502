"""docs/data-model.md has every key of the table and the bucket: those in the code, and those that versions stored."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "data-model.md"
AWS = ROOT / "functions" / "cascan" / "aws"
STATES = sorted(path for path in (ROOT / "tests" / "data" / "states").iterdir() if (path / "items.jsonl").exists())
CODE = re.compile(r"`([^`]+)`")


class Row(NamedTuple):
    pk: str
    sk: str
    attributes: frozenset[str]

    def describes(self, item: dict[str, Any]) -> bool:
        keys = zip((self.pk, self.sk), (item["pk"]["S"], item["sk"]["S"]), strict=True)
        return all(pattern_of(key).fullmatch(value) for key, value in keys)


def pattern_of(key: str) -> re.Pattern[str]:
    """`scan/<scan id>` → what such a key looks like."""
    parts = re.split(r"(<[^>]+>)", key)
    return re.compile("".join(_part(part) for part in parts))


def _part(part: str) -> str:
    if not part.startswith("<"):
        return re.escape(part)
    return ".+" if part.endswith("/>") else "[^/]+"


def cells_of(line: str) -> list[list[str]]:
    return [CODE.findall(cell) for cell in line.strip("|").split("|")]


@cache
def rows() -> list[Row]:
    """The rows of the table's items: a name, a pk, an sk, attributes."""
    table = DOCUMENT.read_text().split("## The bucket")[0]
    cells = [cells_of(line) for line in table.splitlines() if line.startswith("| ")]
    return [Row(pk[0], sk[0], frozenset(more[0])) for _, pk, sk, *more in cells if pk and sk]


@cache
def object_keys() -> list[str]:
    bucket = DOCUMENT.read_text().split("## The bucket")[1].split("\n## ")[0]
    return [line.split("`")[1] for line in bucket.splitlines() if line.startswith("| `")]


def lines_of(state: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (state / name).read_text().splitlines()]


@pytest.mark.parametrize("state", STATES, ids=lambda path: path.name)
def test_each_item_that_a_version_stored_is_described_with_its_attributes(state: Path) -> None:
    for item in lines_of(state, "items.jsonl"):
        described = [row for row in rows() if row.describes(item)]
        assert described, item
        assert item.keys() - {"pk", "sk"} <= frozenset.union(*(row.attributes for row in described)), item


@pytest.mark.parametrize("state", STATES, ids=lambda path: path.name)
def test_each_object_that_a_version_stored_is_described(state: Path) -> None:
    for stored in lines_of(state, "objects.jsonl"):
        assert [key for key in object_keys() if pattern_of(key).fullmatch(stored["key"])], stored["key"]


def texts_in(path: Path) -> Iterator[str]:
    """The strings of a module, `<>` in place of what is filled in."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "<>" for part in node.values)


KEY = re.compile(r"[a-z-]+(/[a-z-]*)*/<>[a-z0-9/<>.-]*")


def test_each_key_in_the_code_is_described() -> None:
    """What looks like a key in the modules that store: `word/<>`, with more of either behind it."""
    described = [re.sub(r"<[^>]+>", "<>", key) for row in rows() for key in (row.pk, row.sk)]
    described += [re.sub(r"<[^>]+>", "<>", key) for key in object_keys()]
    described += ["waiting/<>", "cascan/<>"]  # a key of the index; who started a task
    found = {text for path in AWS.rglob("*.py") for text in texts_in(path) if KEY.fullmatch(text)}
    assert len(found) > 20
    unknown = {text for text in found if not any(fits(text, key) for key in described)}
    assert not unknown, "describe it in docs/data-model.md"


def fits(text: str, key: str) -> bool:
    """Whether it is the key or the beginning of it; one `<>` in the code may stand for several parts, or share one."""
    text = re.sub(r"<>(\.<>)+", "<>", text.rstrip("/"))
    pattern = re.escape(text).replace("<>", r"<>(?:[/.-]?(?:<>|[a-z]+))*?")
    return re.match(pattern + r"(?:$|[/.-]|<>)", key) is not None


def test_no_key_is_described_twice() -> None:
    assert len({(row.pk, row.sk) for row in rows()}) == len(rows())
    assert len(set(object_keys())) == len(object_keys())
