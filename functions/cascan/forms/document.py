"""Text → one JSON or YAML mapping, as data and nothing else. Duplicate keys are refused: readers differ on who wins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from cascan.errors import RequestRefused
from cascan.limits import MAX_DOCUMENT_VALUES
from cascan.model.refusal import Rule

MAX_DEPTH = 32
JSON = re.compile(r"""\s*([\["]|\{\s*(["}]|$))""")  # a mapping in braces whose keys have no quotes is YAML
REQUEST = '{"targets": ["10.0.0.0/24"]}'


def read_document(
    text: str, what: str = "the request", example: str = REQUEST, most_values: int = MAX_DOCUMENT_VALUES
) -> dict[str, Any]:
    """The mapping the text holds; YAML is tried when the text does not begin as JSON does.

    `what` the text is called in refusals, and an `example` of it.

    Raises: RequestRefused: neither form, several documents, duplicate keys, more values than `most_values`, or text
        that no table can store.
    """
    if not text.strip():
        raise RequestRefused([f"{what} is empty"])
    try:
        document = _read_json(text, what) if JSON.match(text) else _read_yaml(text, what, most_values)
    except RecursionError as exc:
        raise RequestRefused([f"{what} is nested deeper than {MAX_DEPTH} levels"]) from exc
    if not isinstance(document, dict):
        raise RequestRefused([f"{what} is not a mapping of fields, as in {example}"])
    _check(document, what, most_values)
    return document


def too_many_values(what: str, most_values: int) -> RequestRefused:
    """The refusal of a document with more values than any limit of its fields allows."""
    return RequestRefused([f"{what} holds more than {most_values} values; write lists as ranges"], Rule.LIMIT)


def _read_json(text: str, what: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_mapping, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        raise RequestRefused([f"{what} is not JSON: {exc.msg} in line {exc.lineno}, column {exc.colno}"]) from exc
    except ValueError as exc:
        raise RequestRefused([f"{what} is not JSON that can be read: a number in it is too long"]) from exc


def _read_yaml(text: str, what: str, most_values: int) -> Any:
    from cascan.forms.yaml_document import read_yaml  # noqa: PLC0415  most requests are JSON: PyYAML is loaded when asked

    return read_yaml(text, MAX_DEPTH, what, most_values)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise RequestRefused([f"the key {key!r} stands twice in one mapping"])
        mapping[key] = value
    return mapping


def _refuse_constant(name: str) -> NoReturn:
    raise RequestRefused([f"{name} is no JSON value"])


def _check(document: dict[str, Any], what: str, most_values: int) -> None:
    """Depth, size, and text that UTF-8 can carry: JSON may spell half of a surrogate pair."""
    depth, values, level = 0, 0, [document]
    while level:
        depth, values = depth + 1, values + len(level)
        if depth > MAX_DEPTH:
            raise RequestRefused([f"{what} is nested deeper than {MAX_DEPTH} levels"])
        if values > most_values:
            raise too_many_values(what, most_values)
        level = [inner for value in level for inner in _inner_values(value, what)]


def _inner_values(value: Any, what: str) -> Iterable[Any]:
    """The values of a mapping or a list. Raises: RequestRefused: a text, or a key, that is none."""
    if isinstance(value, dict):
        for key in value:
            _check_text(key, what)
        return value.values()
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        _check_text(value, what)
    return ()


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise RequestRefused([f"{what} holds half of a surrogate pair, which is no character"]) from exc
