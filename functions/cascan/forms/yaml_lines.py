"""YAML text → the line of each value, by its path as messages write it: `rules[2].matches`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml

from cascan.forms.yaml_document import Loader

FIRST_LINE = 1
LAST_STEP = re.compile(r"(\.[^.\[\]]*|\[[0-9]+\]|^[^.\[\]]+)$")


def find_lines(text: str) -> dict[str, int]:
    """The lines of all keys and list items. `text`: read_yaml has read it without an error."""
    root = yaml.compose(text, Loader=Loader)
    return dict(_walk(root, "")) if root else {}


def _walk(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}" if path else str(key.value)
            yield inner, key.start_mark.line + 1
            yield from _walk(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            inner = f"{path}[{index}]"
            yield inner, value.start_mark.line + 1
            yield from _walk(value, inner)


def find_line(lines: Mapping[str, int], path: str) -> int:
    """The line of the path, or of the nearest value around it that the text has."""
    while path and path not in lines:
        path, count = LAST_STEP.subn("", path)
        if not count:
            break
    return lines.get(path, FIRST_LINE)
