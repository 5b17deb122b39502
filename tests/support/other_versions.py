"""What another version might have written: a value's JSON with one unknown field more, or one optional field less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec

UNKNOWN = "fieldOfAnotherVersion"


def variants(kind: Any, value: Any) -> Iterator[Any]:
    """The value, as JSON, once for each struct in it with an unknown field, and once without each optional field."""
    struct = _struct_in(kind, value)
    if struct:
        yield value | {UNKNOWN: {"nested": [1]}}
        for field in msgspec.structs.fields(struct):
            if field.encode_name not in value:
                continue
            if not field.required:
                yield {name: inner for name, inner in value.items() if name != field.encode_name}
            for inner in variants(field.type, value[field.encode_name]):
                yield value | {field.encode_name: inner}
    elif isinstance(value, list) and value:
        for element in get_args(kind):
            for inner in variants(element, value[0]):
                yield [inner, *value[1:]]


def _struct_in(kind: Any, value: Any) -> type[msgspec.Struct] | None:
    if not isinstance(value, dict):
        return None
    kinds = [kind, *get_args(kind)]
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)
