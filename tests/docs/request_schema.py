"""The JSON schema of a request: types and bounds from the model, limits of texts and lists from cascan.limits.

It describes what a submitter may send, in both forms, and says all that a schema can say: whether a target is in the
scope and an option is allowed is for `cascan check`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from cascan.forms.cascades import (
    LENIENT,
    SCOPE_PREFIX,
    SINGLE_EXPRESSION,
    Cascades,
    ScopeLimiter,
    ScopeOperator,
    SelectorOperator,
)
from cascan.forms.complete_request import (
    LIST_LIMITS,
    NAME,
    POLICY_ANNOTATION,
    RETRY_ANNOTATION,
    TEXT_FIELDS,
)
from cascan.forms.manifest import API_VERSION, KIND, _Metadata, _Spec
from cascan.forms.portscan import TECHNIQUES
from cascan.forms.read_request import MANIFEST_FIELDS
from cascan.limits import (
    MAX_LABEL_CHARS,
    MAX_LABELS,
    MAX_NAME_CHARS,
    MAX_REQUIREMENT_VALUES,
    MAX_REQUIREMENTS,
    MAX_VANTAGES_PER_SCAN,
    MAX_WINDOW_CHARS,
    MAX_WINDOWS,
)
from cascan.model.identity import IdentityKind
from cascan.model.policy_profile import PolicyProfile
from cascan.model.request import PortScan, ScanRequest, ScanType
from cascan.model.schedule import SCHEDULE_LABEL
from cascan.model.vantage import NAME as VANTAGE_NAME
from cascan.timing.windows import WINDOW_PATTERN
from tests.docs.request_fields import CASCADES, FIELDS, PORTSCAN, SPEC, Field

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
NOT_SUBMITTED = ("origin",)  # cascan's own requests have it; in any other it is refused
LINK = re.compile(r"; see \[below\]\([^)]*\)")  # of the document, which the schema is without
ENUMS = (IdentityKind, PolicyProfile, ScanType, SelectorOperator, ScopeOperator)


def _entries(max_entries: int, max_chars: int) -> Schema:
    return {"maxItems": max_entries, "items": {"type": "string", "maxLength": max_chars, "pattern": r"\S"}}


def _unnamed(pattern: str) -> str:
    """The pattern with plain groups: not all dialects of regular expressions name groups as Python does."""
    return re.sub(r"\(\?P<[a-z]+>", "(", pattern)


def _any_case(name: str) -> str:
    return "".join(f"[{letter.lower()}{letter.upper()}]" for letter in name)


NONE: Schema = {"default": None}
TEXT: Schema = {"maxLength": MAX_LABEL_CHARS}
TEXTS: Schema = {
    "maxProperties": MAX_LABELS,
    "propertyNames": {"minLength": 1, "maxLength": MAX_LABEL_CHARS},
    "additionalProperties": {"type": "string", **TEXT},
}
NAMED: Schema = {"maxLength": MAX_NAME_CHARS, "pattern": f"^({NAME})?$"}
LABELS: Schema = {**TEXTS, "properties": {SCHEDULE_LABEL: False}}
ANNOTATIONS: Schema = {
    **TEXTS,
    "properties": {
        POLICY_ANNOTATION: {"enum": ["", *PolicyProfile]},
        RETRY_ANNOTATION: {"enum": ["", "true", "false"]},
    },
}
PARAMETERS: Schema = _entries(LIST_LIMITS["parameters"].entries, LIST_LIMITS["parameters"].chars)
REQUEST_LIMITS: Mapping[str, Schema] = {
    "name": NAMED,
    **{name: _entries(limit.entries, limit.chars) for name, limit in LIST_LIMITS.items()},
    "labels": LABELS,
    "annotations": ANNOTATIONS,
    "vantage": {
        "maxItems": MAX_VANTAGES_PER_SCAN,
        "uniqueItems": True,
        "items": {"type": "string", "pattern": f"^{VANTAGE_NAME}$"},
    },
    "windows": {
        "maxItems": MAX_WINDOWS,
        "items": {"type": "string", "maxLength": MAX_WINDOW_CHARS, "pattern": rf"^\s*{_unnamed(WINDOW_PATTERN)}\s*$"},
    },
    **dict.fromkeys(TEXT_FIELDS.values(), TEXT),
}
PORTSCAN_LIMITS: Mapping[str, Schema] = {
    "scanTechniques": {
        "maxItems": 1,
        "items": {"type": "string", "pattern": f"^({'|'.join(map(_any_case, TECHNIQUES.values()))})$"},
    },
    "sourcePort": {"pattern": "^[0-9]{0,5}$"},
    "scannerBinPath": {"pattern": r"^$|(^|/)nmap(/\.?)*$"},
}


def request_schema() -> Schema:
    """The schema of a request in either form; as for the reader, a manifest's fields make a document a manifest."""
    return {
        "$schema": DIALECT,
        "title": "A scan request of cascan",
        "description": "The short form, or a Scan manifest of secureCodeBox. docs/requests.md describes each field.",
        "type": "object",
        "if": {"anyOf": [{"required": [name]} for name in sorted(MANIFEST_FIELDS)]},
        "then": {"$ref": "#/$defs/manifest"},
        "else": {"$ref": "#/$defs/shortForm"},
        "$defs": {"shortForm": short_form(), "manifest": manifest(), "cascades": cascades()},
    }


def short_form() -> Schema:
    form = _struct(ScanRequest, FIELDS, REQUEST_LIMITS)
    properties = form["properties"]
    for name in NOT_SUBMITTED:
        properties[name] = {"type": "null", "description": "Requests that cascan itself sends have it."}
    properties["portscan"] = _nullable(portscan()) | _described(FIELDS["portscan"]) | NONE
    properties["cascades"] = _cascades_or_null()
    return form | {"anyOf": [_not_empty("targets"), _not_empty("parameters")]}


def portscan() -> Schema:
    """Without any setting, or with the path that Vuls asks for."""
    fields = _struct(PortScan, PORTSCAN, PORTSCAN_LIMITS)
    empty = {"properties": {name: {"const": field["default"]} for name, field in fields["properties"].items()}}
    with_path = {"required": ["scannerBinPath"], "properties": {"scannerBinPath": {"minLength": 1}}}
    return fields | {"anyOf": [empty, with_path]}


def manifest() -> Schema:
    metadata = _struct(_Metadata, {}, {"name": NAMED, "labels": LABELS, "annotations": ANNOTATIONS})
    spec = _struct(_Spec, SPEC, {"parameters": PARAMETERS | {"minItems": 1}})
    spec["properties"]["cascades"] = _cascades_or_null()
    return {
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": KIND},
            "metadata": _nullable(_null_is_absent(metadata) | {"additionalProperties": True}),
            "spec": _null_is_absent(spec),
            "status": {"description": "What a cluster wrote. It is not read."},
        },
        "required": ["apiVersion", "kind", "spec"],
        "additionalProperties": False,
    }


def cascades() -> Schema:
    """Null is absent everywhere in it, as in Kubernetes."""
    fields = _struct(Cascades, CASCADES, {"scopeLimiterAliases": {"maxProperties": MAX_LABELS}})
    properties = fields["properties"]
    _limit_requirements(properties["matchExpressions"], {})
    limiter = _struct(ScopeLimiter, {}, {})
    for name in ("allOf", "anyOf", "noneOf"):
        needed: dict[str, Schema] = {"key": {"pattern": f"^{re.escape(SCOPE_PREFIX)}"}, "values": {"minItems": 1}}
        _limit_requirements(limiter["properties"][name], needed)
    properties["scopeLimiter"] = _nullable(_null_is_absent(limiter)) | _described(CASCADES["scopeLimiter"]) | NONE
    properties[SINGLE_EXPRESSION] = properties["matchExpressions"]["items"]
    properties[LENIENT] = limiter["properties"][LENIENT]
    return _null_is_absent(fields)


def _limit_requirements(entries: Schema, more: Mapping[str, Schema]) -> None:
    """Bounds for a list of requirements: its length, that of their values, and `more` for fields of an entry."""
    entries["maxItems"] = MAX_REQUIREMENTS
    properties = entries["items"]["properties"]
    properties["values"]["maxItems"] = MAX_REQUIREMENT_VALUES
    for name, limits in more.items():
        properties[name] |= limits
    entries["items"] = _null_is_absent(entries["items"])


def _cascades_or_null() -> Schema:
    return _nullable({"$ref": "#/$defs/cascades"}) | _described(FIELDS["cascades"]) | NONE


def _not_empty(name: str) -> Schema:
    return {"required": [name], "properties": {name: {"minItems": 1}}}


def _struct(kind: type[msgspec.Struct], words: Mapping[str, Field], limits: Mapping[str, Schema]) -> Schema:
    """The schema of a struct as people write it, with what `words` and `limits` add to its fields."""
    generated = msgspec.json.schema(kind)
    schema: Schema = _inlined(generated["$defs"][kind.__name__], generated["$defs"])
    for name, field in schema["properties"].items():
        schema["properties"][name] = _described(words.get(name)) | field | limits.get(name, {})
    return schema


def _inlined(schema: Any, definitions: Mapping[str, Schema]) -> Any:
    """Without references, without names of our classes, and closed: the reader refuses unknown fields."""
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return {"enum": next(list(one) for one in ENUMS if {*one} == {*schema["enum"]})}
    if "anyOf" in schema:
        (inner,) = (_inlined(one, definitions) for one in schema["anyOf"] if one != {"type": "null"})
        return _nullable(inner) | NONE
    inlined = {
        name: {key: _inlined(one, definitions) for key, one in value.items()} if name == "properties" else value
        for name, value in schema.items()
        if name not in ("title", "description", "default")
    }
    if "items" in schema:
        inlined["items"] = _inlined(schema["items"], definitions)
    if "properties" in schema:
        inlined["additionalProperties"] = False
    return inlined | ({"default": schema["default"]} if "default" in schema else {})


def _nullable(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    return schema | {"type": [schema["type"], "null"]} if isinstance(schema.get("type"), str) else schema


def _null_is_absent(schema: Schema) -> Schema:
    """The same mapping, with null allowed for each field that is not required."""
    required = schema.get("required", [])
    fields = {n: field if n in required else _nullable(field) for n, field in schema["properties"].items()}
    return schema | {"properties": fields}


def _described(field: Field | None) -> Schema:
    return {"description": LINK.sub("", field.effect)} if field else {}
