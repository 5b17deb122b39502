"""Text → one JSON or YAML mapping, as plain data.

Duplicate keys are refused: parsers differ on which value wins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from cascan.errors import RequestRefused
from cascan.limits import MAX_DOCUMENT_VALUES
from cascan.model.refusal import Rule
from cascan.patterns import compile_pattern

MAX_DEPTH = 32
# a mapping in braces whose keys have no quotes is YAML
JSON = r"""\s*([\["]|\{\s*(["}]|$))"""
REQUEST = '{"targets": ["10.0.0.0/24"]}'


def read_document(
    text: str,
    subject: str = "the request",
    example: str = REQUEST,
    max_values: int = MAX_DOCUMENT_VALUES,
) -> dict[str, Any]:
    """The mapping in the text. Text that does not begin like JSON is read as YAML.

    `subject`: what the text is, for messages. `example`: one of it, for messages. `max_values`: its
    limit.

    Raises: RequestRefused: neither JSON nor YAML, several documents, duplicate keys, too many
        values, or text that is not valid Unicode and cannot be stored.
    """
    if not text.strip():
        raise RequestRefused([f"{subject} is empty"])
    try:
        is_json = compile_pattern(JSON).match(text)
        document = _read_json(text, subject) if is_json else _read_yaml(text, subject, max_values)
    except RecursionError as exc:
        raise RequestRefused([f"{subject} is nested deeper than {MAX_DEPTH} levels"]) from exc
    if not isinstance(document, dict):
        raise RequestRefused([f"{subject} is not a mapping of fields, as in {example}"])
    _check(document, subject, max_values)
    return document


def too_many_values(subject: str, max_values: int) -> RequestRefused:
    """The refusal of a document with more values than any limit of its fields allows."""
    problem = f"{subject} holds more than {max_values} values; write lists as ranges"
    return RequestRefused([problem], Rule.LIMIT)


def _read_json(text: str, subject: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_mapping, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        place = f"in line {exc.lineno}, column {exc.colno}"
        raise RequestRefused([f"{subject} is not JSON: {exc.msg} {place}"]) from exc
    except ValueError as exc:
        problem = f"{subject} is not JSON that can be read: a number in it is too long"
        raise RequestRefused([problem]) from exc


def _read_yaml(text: str, subject: str, max_values: int) -> Any:
    from cascan.forms.yaml_document import read_yaml  # noqa: PLC0415 - most requests are JSON

    return read_yaml(text, MAX_DEPTH, subject, max_values)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise RequestRefused([f"duplicate key {key!r} in one mapping"])
        mapping[key] = value
    return mapping


def _refuse_constant(name: str) -> NoReturn:
    raise RequestRefused([f"{name} is not a JSON value"])


def _check(document: dict[str, Any], subject: str, max_values: int) -> None:
    """Check depth, size, and that UTF-8 can encode the text: JSON can express half of a surrogate
    pair.
    """
    depth, values, level = 0, 0, [document]
    while level:
        depth, values = depth + 1, values + len(level)
        if depth > MAX_DEPTH:
            raise RequestRefused([f"{subject} is nested deeper than {MAX_DEPTH} levels"])
        if values > max_values:
            raise too_many_values(subject, max_values)
        level = [inner for value in level for inner in _inner_values(value, subject)]


def _inner_values(value: Any, subject: str) -> Iterable[Any]:
    """The values of a mapping or a list.

    Raises: RequestRefused: a text or a key that is not valid Unicode.
    """
    if isinstance(value, dict):
        for key in value:
            _check_text(key, subject)
        return value.values()
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        _check_text(value, subject)
    return ()


def _check_text(text: str, subject: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        problem = f"{subject} holds half of a surrogate pair, which is not a character"
        raise RequestRefused([problem]) from exc
