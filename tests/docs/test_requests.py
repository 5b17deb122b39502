"""docs/requests.md and its JSON schema are made from the model, and the schema agrees with the reader."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own

from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.cascades import Cascades
from cascan.forms.complete_request import POLICY_ANNOTATION, RETRY_ANNOTATION
from cascan.forms.manifest import NO_EFFECT, _Spec
from cascan.model.request import PortScan, ScanRequest
from cascan.model.schedule import SCHEDULE_LABEL
from tests.docs.request_fields import ANNOTATIONS, CASCADES, FIELDS, PORTSCAN, SPEC
from tests.docs.request_reference import DOCUMENT, MANIFEST, SCHEMA, SHORT, document, schema_text
from tests.docs.request_schema import NOT_SUBMITTED, request_schema, short_form

VALIDATOR = Draft202012Validator(request_schema())
TARGETS = {"targets": ["10.0.0.5"]}
SCAN: dict[str, Any] = {
    "apiVersion": "execution.securecodebox.io/v1",
    "kind": "Scan",
    "metadata": {"name": "office"},
    "spec": {"scanType": "nmap", "parameters": ["10.0.0.5"]},
}
OF_OTHER_TYPES: tuple[Any, ...] = (None, True, 1, 1.5, "text", ["text"], [1], {"key": "text"}, {"key": 1}, [], {}, "")
WITH_A_NEEDED_PART = {"scannerBinPath": "nmap"}  # a portscan with any other field needs it


def is_read(request: Any) -> bool:
    try:
        read_request(json.dumps(request))
    except RequestRefused:
        return False
    return True


def names_of(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(
    ("path", "text"), [(DOCUMENT, document()), (SCHEMA, schema_text())], ids=["document", "schema"]
)
def test_it_is_made_from_the_model(path: Any, text: str) -> None:
    assert path.read_text() == text, "write it again: python -m tests.docs.request_reference"


def test_each_field_of_the_model_is_described_and_no_other() -> None:
    assert set(FIELDS) == names_of(ScanRequest) - {*NOT_SUBMITTED}
    assert set(PORTSCAN) == names_of(PortScan)
    assert set(CASCADES) == names_of(Cascades)
    assert {*SPEC, *NO_EFFECT} == names_of(_Spec)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(request_schema())


def with_field(fields: Mapping[str, Any], name: str, value: Any) -> list[dict[str, Any]]:
    """Requests with a field of one of the tables, wherever it belongs."""
    if fields is PORTSCAN:
        return [TARGETS | {"portscan": {**WITH_A_NEEDED_PART, "hasPrivileged": True, name: value}}]
    if fields is CASCADES:
        inner = {"cascades": {name: value}}
        return [TARGETS | inner, SCAN | {"spec": SCAN["spec"] | inner}]
    return [SCAN | {"spec": SCAN["spec"] | {name: value}}] if fields is SPEC else [TARGETS | {name: value}]


def examples() -> Iterator[dict[str, Any]]:
    for fields in (FIELDS, PORTSCAN, CASCADES, SPEC):
        for name, field in fields.items():
            yield from with_field(fields, name, field.example)
    for name, field in ANNOTATIONS.items():
        yield TARGETS | {"annotations": {name: field.example}}
    yield SHORT
    yield yaml.safe_load(MANIFEST)


@pytest.mark.parametrize("request_", [*examples()], ids=lambda request: json.dumps(request)[-70:])
def test_each_example_is_accepted_by_the_schema_and_by_the_reader(request_: dict[str, Any]) -> None:
    VALIDATOR.validate(request_)
    read_request(json.dumps(request_))


WHERE = [(fields, name) for fields in (FIELDS, PORTSCAN, CASCADES, SPEC) for name in fields]
WHERE += [(FIELDS, "origin"), (FIELDS, "unknown"), *((SPEC, name) for name in NO_EFFECT)]


@pytest.mark.parametrize(("fields", "name"), WHERE, ids=[name for _, name in WHERE])
def test_schema_and_reader_accept_the_same_types(fields: Mapping[str, Any], name: str) -> None:
    for value in OF_OTHER_TYPES:
        for request in with_field(fields, name, value):
            assert VALIDATOR.is_valid(request) == is_read(request), request


def bounds(schema: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Values at the limits that a field's schema has, each with one just beyond."""
    if "minimum" in schema:
        yield schema["minimum"], schema["minimum"] - 1
        yield schema["maximum"], schema["maximum"] + 1
    if "maxLength" in schema:
        yield "a" * schema["maxLength"], "a" * (schema["maxLength"] + 1)
    if schema.get("items", {}).get("maxLength") and "-" not in schema["items"]["pattern"]:
        yield ["a" * schema["items"]["maxLength"]], ["a" * (schema["items"]["maxLength"] + 1)]
        yield ["a"], [" "]
    if "propertyNames" in schema:
        most, long = schema["maxProperties"], "a" * schema["propertyNames"]["maxLength"]
        yield {f"{n}": "" for n in range(most)}, {f"{n}": "" for n in range(most + 1)}
        yield {long: long}, {long + "a": long}
        yield {long: long}, {long: long + "a"}
        yield {"a": ""}, {"": "a"}


def bounded() -> Iterator[Any]:
    for name, schema in short_form()["properties"].items():
        for number, (within, beyond) in enumerate(bounds(schema)):
            yield pytest.param(TARGETS | {name: within}, TARGETS | {name: beyond}, id=f"{name} {number}")
    for name, most, one in (
        ("targets", 5_000, "10.0.0.5"),
        ("exclude", 5_000, "10.0.0.5"),
        ("parameters", 256, "-sV"),
        ("windows", 16, "22:00-06:00"),
    ):
        yield pytest.param(TARGETS | {name: [one] * most}, TARGETS | {name: [one] * (most + 1)}, id=f"{name} entries")


@pytest.mark.parametrize(("within", "beyond"), [*bounded()])
def test_schema_and_reader_have_the_same_limits(within: Any, beyond: Any) -> None:
    assert VALIDATOR.is_valid(within)
    assert is_read(within)
    assert not VALIDATOR.is_valid(beyond)
    assert not is_read(beyond)


REQUIREMENT = {"key": "scope.cascading.securecodebox.io/cidr", "operator": "InCIDR", "values": ["10.0.0.0/8"]}
OTHER_KEY = REQUIREMENT | {"key": "a"}
REFUSED = {
    "no target": {},
    "no target among empty lists": {"targets": [], "parameters": []},
    "an unknown field": TARGETS | {"target": "10.0.0.5"},
    "a name with a space": TARGETS | {"name": "office lan"},
    "a name that ends in a dot": TARGETS | {"name": "office."},
    "a window without an end": TARGETS | {"windows": ["22:00"]},
    "another policy profile": TARGETS | {"policyProfile": "gentle"},
    "another policy profile in an annotation": TARGETS | {"annotations": {POLICY_ANNOTATION: "gentle"}},
    "an annotation that is neither true nor false": TARGETS | {"annotations": {RETRY_ANNOTATION: "yes"}},
    "the label of a schedule": TARGETS | {"labels": {SCHEDULE_LABEL: "nightly"}},
    "an origin": TARGETS | {"origin": {"parentScan": "a", "rootScan": "a", "rule": "r", "causeId": "c", "hop": 1}},
    "another technique": TARGETS | {"portscan": {**WITH_A_NEEDED_PART, "scanTechniques": ["sU"]}},
    "two techniques": TARGETS | {"portscan": {**WITH_A_NEEDED_PART, "scanTechniques": ["sT", "sT"]}},
    "another scanner": TARGETS | {"portscan": {"scannerBinPath": "/usr/bin/masscan"}},
    "a port that is none": TARGETS | {"portscan": {**WITH_A_NEEDED_PART, "sourcePort": "https"}},
    "an unknown field of portscan": TARGETS | {"portscan": {**WITH_A_NEEDED_PART, "path": "nmap"}},
    "an operator of the other kind": TARGETS
    | {"cascades": {"matchExpressions": [{"key": "a", "operator": "InCIDR", "values": ["b"]}]}},
    "a limiter without values": TARGETS | {"cascades": {"scopeLimiter": {"allOf": [REQUIREMENT | {"values": []}]}}},
    "a limiter of another annotation": TARGETS | {"cascades": {"scopeLimiter": {"allOf": [OTHER_KEY]}}},
    "too many conditions": TARGETS | {"cascades": {"scopeLimiter": {"allOf": [REQUIREMENT] * 101}}},
    "too many values": TARGETS | {"cascades": {"scopeLimiter": {"allOf": [REQUIREMENT | {"values": ["b"] * 101}]}}},
    "another kind": SCAN | {"kind": "ScanType"},
    "another version": SCAN | {"apiVersion": "v1"},
    "fields of both forms": SCAN | TARGETS,
    "a manifest without a spec": {name: value for name, value in SCAN.items() if name != "spec"},
    "a manifest without a scan type": SCAN | {"spec": {"parameters": ["10.0.0.5"]}},
    "a manifest without a target": SCAN | {"spec": {"scanType": "nmap", "parameters": []}},
    "a manifest with a field of the short form": SCAN | {"spec": {**SCAN["spec"], "hostsPerShard": 1}},
}
ACCEPTED = {
    "an empty name": TARGETS | {"name": ""},
    "targets among parameters": {"parameters": ["-sV", "10.0.0.5"]},
    "techniques in any case": TARGETS | {"portscan": {**WITH_A_NEEDED_PART, "scanTechniques": ["ST"]}},
    "a path to nmap": TARGETS | {"portscan": {"scannerBinPath": "/opt/nmap/bin/nmap"}},
    "windows with spaces": TARGETS | {"windows": [" Mon,Tue-Thu  22:00 - 6:00  UTC "]},
    "one expression under its singular": TARGETS
    | {"cascades": {"matchExpression": {"key": "a", "operator": "Exists", "values": None}}},
    "a limiter's leniency one level above": TARGETS
    | {"cascades": {"validOnMissingRender": True, "scopeLimiter": {"anyOf": [REQUIREMENT], "noneOf": None}}},
    "nulls in a manifest": SCAN | {"metadata": {"name": None, "labels": None}, "status": {"state": "Done"}},
    "no metadata": SCAN | {"metadata": None},
    "other metadata": SCAN | {"metadata": {"namespace": "default", "uid": 7}},
}


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
def test_the_schema_rejects_what_the_reader_refuses(request_: dict[str, Any]) -> None:
    assert not is_read(request_)
    assert not VALIDATOR.is_valid(request_)


@pytest.mark.parametrize("request_", ACCEPTED.values(), ids=ACCEPTED)
def test_the_schema_accepts_what_the_reader_reads(request_: dict[str, Any]) -> None:
    read_request(json.dumps(request_))
    VALIDATOR.validate(request_)
