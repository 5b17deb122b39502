"""The shapes that docs/output.md describes, and whether a JSON value has one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "output.md"
SHAPE = re.compile(r"\[([^\]]+)\]\(#[^)]+\)")
PLAIN: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "mapping": (dict,),
    "null": (type(None),),
}
Shape = dict[str, str]  # field → type


@cache
def shapes() -> dict[str, Shape]:
    """By name; `shown schedule` has the fields of a schedule, too."""
    sections = DOCUMENT.read_text().split("## The shapes")[1].split("\n### ")[1:]
    found = {}
    for section in sections:
        name, *lines = section.splitlines()
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
        found[name] = {field.strip("`"): kind for field, kind, *_ in cells}
        if also := re.search(r"^An? \[([^\]]+)\]\(#[^)]+\), and$", section, re.MULTILINE):
            found[name] = found[also[1]] | found[name]
    return found


@cache
def printed() -> dict[str, str]:
    """Command, as the first column writes it → what it prints."""
    table = DOCUMENT.read_text().split("## The commands")[1].split("## The shapes")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| `")]
    return {command: kind.strip() for commands, kind in rows for command in re.findall(r"`(cascan [^`]+)`", commands)}


def problems(value: Any, kind: str, path: str = "") -> Iterator[str]:
    """What of the value is not as the document has it: unknown fields, other types."""
    if kind.startswith("list of "):
        if not isinstance(value, list):
            yield f"{path}: {type(value).__name__} is not a list"
            return
        for number, entry in enumerate(value):
            yield from problems(entry, kind.removeprefix("list of "), f"{path}[{number}]")
        return
    kinds = kind.split(" or ")
    if any(_is_plain(value, one) for one in kinds):
        return
    (shape, *_) = [*SHAPE.findall(kind), ""]
    if not shape or not isinstance(value, dict):
        yield f"{path}: {value!r:.60} is not {kind}"
        return
    yield from _field_problems(value, shapes()[shape], path)


def _is_plain(value: Any, kind: str) -> bool:
    if kind not in PLAIN:
        return False
    return isinstance(value, PLAIN[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _field_problems(value: dict[str, Any], shape: Shape, path: str) -> Iterator[str]:
    parents = {field.split(".")[0] for field in shape if "." in field}
    for field, inner in value.items():
        place = f"{path}.{field}".strip(".")
        if field in shape:
            yield from problems(inner, shape[field], place)
        elif field not in parents:
            yield f"{place}: not described"
        elif inner is not None:
            below = {name.split(".", 1)[1]: kind for name, kind in shape.items() if name.startswith(f"{field}.")}
            yield from _field_problems(inner, below, place)


def fields_in(value: Any, kind: str) -> Iterator[tuple[str, str]]:
    """The described fields that the value has: the shape's name, and the field's."""
    if isinstance(value, list):
        for entry in value:
            yield from fields_in(entry, kind.removeprefix("list of "))
    elif isinstance(value, dict) and (names := SHAPE.findall(kind)):
        for field, inner_kind in shapes()[names[0]].items():
            parent, _, name = field.rpartition(".")
            holder = (value.get(parent) or {}) if parent else value
            if name in holder:
                yield names[0], field
                yield from fields_in(holder[name], inner_kind)
