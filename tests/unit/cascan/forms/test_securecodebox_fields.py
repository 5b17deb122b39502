"""Every field of secureCodeBox's three definitions is accepted: it has an effect, or a note says that it has none."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from cascan.cascades.rule import read_rule
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.cascades import read_cascades
from cascan.forms.documents import read_documents
from cascan.schedules.form import read_schedule

FILES = Path(__file__).parents[3] / "data" / "securecodebox"
EXECUTION, CASCADING = "execution.securecodebox.io/v1", "cascading.securecodebox.io/v1"
SCAN_SPEC: dict[str, Any] = {"scanType": "nmap", "parameters": ["-p", "22", "127.0.0.1"]}
SPECS: dict[str, dict[str, Any]] = {
    "Scan": SCAN_SPEC,
    "ScheduledScan": {"interval": "24h", "scanSpec": SCAN_SPEC},
    "CascadingRule": {"matches": {"anyOf": [{"category": "Host"}]}, "scanSpec": SCAN_SPEC},
}
REQUIREMENT = {"key": "scope.cascading.securecodebox.io/lan", "operator": "In", "values": ["{{attributes.hostname}}"]}
SAMPLES: dict[str, Any] = {  # by the last name of a path, or the last two; else by type
    "scanType": "nmap-privileged",
    "parameters": ["-p", "80", "127.0.0.1"],
    "matchExpressions": [{"key": "team", "operator": "Exists"}],
    "matchExpressions[].operator": "NotIn",
    "allOf": [REQUIREMENT],
    "anyOf": [REQUIREMENT],
    "noneOf": [REQUIREMENT],
    "matches.anyOf": [{"category": "SMB"}],
    "matches": {"anyOf": [{"category": "SMB"}]},
    "operator": "Contains",
    "values": ["other"],
    "key": "scope.cascading.securecodebox.io/other",
    "interval": "12h",
    "schedule": "30 2 * * *",
    "scanSpec": SCAN_SPEC | {"parameters": ["-p", "443", "127.0.0.1"]},
    "env": [{"name": "HTTP_PROXY", "value": "http://proxy.example"}],
    "initContainers": [{"name": "fetch", "image": "bash"}],
    "tolerations": [{"key": "scanners", "operator": "Exists"}],
    "volumes": [{"name": "lists", "emptyDir": {}}],
    "volumeMounts": [{"name": "lists", "mountPath": "/lists"}],
    "resources": {"limits": {"memory": "1Gi"}},
    "affinity": {"nodeAffinity": {}},
    "attributes": {"port": 445},
    "cascades": {"inheritLabels": False},
    "scopeLimiter": {"validOnMissingRender": True},
}
BY_TYPE: dict[str, Any] = {"object": {"key": "value"}, "string": "text", "integer": 7}
ENTRIES = {"matchExpressions": {"key": "team", "operator": "In", "values": ["red"]}}
LIMITER = ("allOf", "anyOf", "noneOf")


class Field(NamedTuple):
    kind: str
    path: str
    type: str
    values: str

    @property
    def sample(self) -> Any:
        """A value that is another than what is there without it."""
        names = self.path.split(".")
        if names[-1] == "*":
            return "text"
        if self.type == "boolean":
            return not self._default
        if self.values:
            return self.values.split("|")[-1]
        return SAMPLES.get(".".join(names[-2:]), SAMPLES.get(names[-1], BY_TYPE.get(self.type)))

    @property
    def _default(self) -> bool:
        return self.path.rpartition(".")[2] in ("inheritLabels", "inheritAnnotations", "inheritAffinity",
                                                "inheritTolerations")  # fmt: skip


def fields() -> list[Field]:
    with (FILES / "fields.csv").open(newline="") as file:
        return [Field(**row) for row in csv.DictReader(file)]


def manifest(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    version = CASCADING if kind == "CascadingRule" else EXECUTION
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "walked"}, "spec": spec}


def with_field(spec: dict[str, Any], field: Field) -> dict[str, Any]:
    """A copy of the spec with the field in it, and what has to stand around it."""
    spec = json.loads(json.dumps(spec))
    place: Any = spec
    *above, last = field.path.split(".")
    for name in above:
        place = _entry(place, name.removesuffix("[]")) if name.endswith("[]") else place.setdefault(name, {})
    place["key" if last == "*" else last] = field.sample
    return spec


def _entry(place: dict[str, Any], name: str) -> dict[str, Any]:
    if name not in place:
        place[name] = [dict(ENTRIES.get(name, REQUIREMENT if name in LIMITER else {}))]
    entry: dict[str, Any] = place[name][0]
    return entry


def read(document: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """What is made of it, and the notes."""
    match document["kind"]:
        case "Scan":
            request, notes = read_request(json.dumps(document))
            return msgspec.structs.replace(request, carried={}), notes  # what is carried is for others
        case "ScheduledScan":
            schedule = read_schedule(document)
            return msgspec.structs.replace(schedule, notes=()), schedule.notes
        case _:
            rule = read_rule(document)
            return msgspec.structs.replace(rule, notes=()), rule.notes


@pytest.mark.parametrize("field", fields(), ids=lambda field: f"{field.kind}-{field.path}")
def test_c1_each_field_has_an_effect_or_a_note_that_it_has_none(field: Field) -> None:
    plain, _ = read(manifest(field.kind, SPECS[field.kind]))
    walked, notes = read(manifest(field.kind, with_field(SPECS[field.kind], field)))
    top = field.path.split(".")[0].removesuffix("[]")
    named = top if top != "scanSpec" or field.path == top else field.path.split(".")[1].removesuffix("[]")
    has_note = any(f"{named} has no effect" in note for note in notes)
    assert walked != plain or has_note, f"{field.path} is accepted, and that is all"


def test_c1_the_list_has_every_field_of_the_three_definitions() -> None:
    assert len(fields()) == len(set(fields())) == 172


@pytest.mark.parametrize("kind", sorted(SPECS))
def test_c1_a_manifest_with_all_of_them_is_accepted(kind: str) -> None:
    spec = SPECS[kind]
    for field in fields():
        if field.kind == kind and field.path not in ("scanSpec", "matches", "cascades", "scanSpec.cascades"):
            spec = with_field(spec, field) if not _has(spec, field) else spec
    read(manifest(kind, spec))


def _has(spec: dict[str, Any], field: Field) -> bool:
    place: Any = spec
    for name in field.path.split("."):
        inner = place.get(name.removesuffix("[]")) if isinstance(place, dict) else None
        place = inner[0] if name.endswith("[]") and inner else inner
    return place is not None


@pytest.mark.parametrize("name", ["scan-suspend", "scheduled-scanspec-suspend", "rule-scanspec-suspend"])
def test_c1_suspend_is_accepted_wherever_a_scan_is_described(name: str) -> None:
    (document,) = read_documents((FILES / f"{name}.yaml").read_text())
    _, notes = read(document)
    assert notes == ()


def test_c1_a_suspended_scan_is_created_and_does_not_start() -> None:
    assert read_request((FILES / "scan-suspend.yaml").read_bytes()).request.suspend


def test_an_unknown_field_in_the_cascades_of_a_rule_is_told() -> None:
    spec = {**SPECS["CascadingRule"], "scanSpec": SCAN_SPEC | {"cascades": {"matchLabel": {"a": "b"}}}}
    _, notes = read(manifest("CascadingRule", spec))
    assert any("spec.scanSpec.cascades.matchLabel is not a field here" in note for note in notes)


def test_an_unknown_field_in_the_cascades_of_a_scan_is_refused() -> None:
    with pytest.raises(RequestRefused, match="did you mean matchLabels"):
        read_cascades({"matchLabel": {"a": "b"}})
