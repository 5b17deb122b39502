"""YAML text → plain data, as JSON could express it.

No anchors, tags, dates or merges; one document.
"""

from __future__ import annotations

from typing import Any

import yaml

from cascan.errors import RequestRefused
from cascan.limits import MAX_DOCUMENT_VALUES, MAX_NUMBER_CHARS
from cascan.model.refusal import Rule

# libyaml's when it was built in
Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DATE = "tag:yaml.org,2002:timestamp"


class _PlainLoader(Loader):  # type: ignore[misc, valid-type]  # one of the two, at run time
    """Reads mappings with text keys, without duplicates."""


def read_yaml(
    text: str,
    max_depth: int,
    subject: str = "the request",
    max_values: int = MAX_DOCUMENT_VALUES,
) -> Any:
    """Raises: RequestRefused: not YAML, or not plain data, or beyond a limit."""
    try:
        _check_events(text, max_depth, subject, max_values)
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a safe loader, restricted
    except (yaml.YAMLError, ValueError) as exc:  # ValueError: a number that cannot be read
        complaint = _complaint(exc, lines=len(text.splitlines()))
        raise RequestRefused([f"{subject} is not YAML that can be read: {complaint}"]) from exc


def _complaint(exc: Exception, lines: int) -> str:
    """The error with its line.

    A text that ends too early has the error in its last line, not after it.
    """
    if isinstance(exc, yaml.MarkedYAMLError):
        place = ""
        if exc.problem_mark:
            place = f" in line {min(exc.problem_mark.line + 1, max(lines, 1))}"
        return f"{exc.problem or exc.context}{place}"
    return str(exc).splitlines()[0]


def _check_events(text: str, max_depth: int, subject: str, max_values: int) -> None:
    """Check the events of the text one by one, before any value is built."""
    depth = documents = nodes = 0
    for event in yaml.parse(text, Loader=Loader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            problem = "anchors and aliases are not read; write the value out"
            raise RequestRefused([f"line {line}: {problem}"])
        if tag := getattr(event, "tag", None):
            raise RequestRefused([f"line {line}: tags are not read ({tag}); write plain values"])
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                problem = "a second document begins; send one request a message"
                raise RequestRefused([f"line {line}: {problem}"])
        nodes += isinstance(event, yaml.NodeEvent)
        if nodes > 2 * max_values:  # a key is a node as well
            raise RequestRefused(
                [f"{subject} holds more than {max_values} values; write lists as ranges"],
                Rule.LIMIT,
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > max_depth:
            raise RequestRefused([f"line {line}: nested deeper than {max_depth} levels"])


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        is_scalar = isinstance(key_node, yaml.ScalarNode)
        key = loader.construct_object(key_node, deep=True) if is_scalar else None
        if not isinstance(key, str):
            raise RequestRefused([f"line {line}: a key has to be text; put it in quotes"])
        if key in mapping:
            raise RequestRefused([f"line {line}: duplicate key {key!r} in one mapping"])
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    _check_number(node)
    return loader.construct_yaml_int(node)


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    _check_number(node)
    return loader.construct_yaml_float(node)


def _check_number(node: yaml.ScalarNode) -> None:
    """YAML's numbers of base 60 take time that grows with the square of their length."""
    if len(node.value) > MAX_NUMBER_CHARS:
        line = node.start_mark.line + 1
        problem = f"a number of more than {MAX_NUMBER_CHARS} digits; put it in quotes"
        raise RequestRefused([f"line {line}: {problem}"])


_PlainLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
_PlainLoader.add_constructor("tag:yaml.org,2002:int", _integer)
_PlainLoader.add_constructor("tag:yaml.org,2002:float", _float)
_PlainLoader.add_constructor(DATE, _text)  # 2026-01-31 is text, as it is in JSON
_PlainLoader.add_constructor("tag:yaml.org,2002:value", _text)  # a lone = likewise
