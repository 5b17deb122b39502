"""Requests in both forms: what becomes of each field, and what is said of what cannot stay."""

import json
import re
import subprocess
import sys
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascan.errors import RequestRefused
from cascan.forms import ReadRequest, read_request
from cascan.limits import MAX_PARAMETERS, MAX_REQUEST_BYTES, MAX_TARGETS
from cascan.model.identity import IdentityKind
from cascan.model.request import ScanRequest, ScanType

MANIFEST = """
apiVersion: "execution.securecodebox.io/v1"
kind: Scan
metadata:
  name: "nmap-office"
  namespace: default
  labels:
    team: network
  annotations:
    cascan/idempotency-key: "change-7"
spec:
  scanType: "nmap-privileged"
  parameters:
    - "--privileged"
    - "-O"
    - office.example.org
  ttlSecondsAfterFinished: 0
  cascades:
    matchLabels:
      securecodebox.io/intensive: light
    matchExpressions:
      - key: securecodebox.io/invasive
        operator: NotIn
        values: [invasive]
"""
SCAN: dict[str, Any] = {
    "apiVersion": "execution.securecodebox.io/v1",
    "kind": "Scan",
    "spec": {"scanType": "nmap", "parameters": ["10.0.0.1"]},
}


def read(document: Any) -> ReadRequest:
    return read_request(json.dumps(document))


def reasons_for(body: str | bytes) -> list[str]:
    with pytest.raises(RequestRefused) as refused:
        read_request(body)
    return list(refused.value.reasons)


def manifest(**spec: Any) -> dict[str, Any]:
    return {**SCAN, "spec": {**SCAN["spec"], **spec}}


def test_the_short_form_is_read_field_for_field() -> None:
    document = {
        "name": "office-lan",
        "targets": ["10.0.0.0/24", "db.example.internal"],
        "exclude": ["10.0.0.13"],
        "parameters": ["-sV", "-p", "22,443"],
        "scanType": "nmap",
        "policyProfile": "safe",
        "labels": {"team": "network"},
        "annotations": {"a": "b"},
        "cascades": {},
        "backoffLimit": 2,
        "activeDeadlineSeconds": 600,
        "ttlSecondsAfterFinished": None,
        "suspend": False,
        "windows": ["Mon-Fri 22:00-06:00 Europe/Berlin"],
        "portscan": None,
        "maxParallelShards": 4,
        "vantage": ["internet", "vpc-a"],
        "identity": "mac",
        "retryTimedOut": True,
        "hostsPerShard": 64,
        "budgetUsd": 5.5,
        "authorization": "CHG-1234",
        "contact": "soc@example.org",
        "idempotencyKey": "k",
        "origin": None,
        "carried": {},
    }
    request, notes = read(document)
    assert notes == ()
    assert json.loads(msgspec.json.encode(request)) == document


def test_a_securecodebox_manifest_becomes_the_same_request_in_yaml_and_json() -> None:
    request, notes = read_request(MANIFEST)
    assert request == ScanRequest(
        name="nmap-office",
        parameters=("--privileged", "-O", "office.example.org"),
        scan_type=ScanType.NMAP_PRIVILEGED,
        labels={"team": "network"},
        annotations={"cascan/idempotency-key": "change-7"},
        cascades={
            "matchLabels": {"securecodebox.io/intensive": "light"},
            "matchExpressions": [{"key": "securecodebox.io/invasive", "operator": "NotIn", "values": ["invasive"]}],
        },
        ttl_seconds_after_finished=0,
        idempotency_key="change-7",
    )
    assert notes == ()
    import yaml  # noqa: PLC0415  only to write the same document as JSON

    assert read(yaml.safe_load(MANIFEST)) == (request, notes)


def test_the_short_form_may_be_yaml() -> None:
    assert read_request("targets: [127.0.0.1]\nparameters: [-p, '22']").request.parameters == ("-p", "22")


def test_json_is_read_without_loading_yaml() -> None:
    code = """import sys; from cascan.forms import read_request
read_request('{"targets": ["a"]}'); print('yaml' in sys.modules)"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": "functions"}
    )
    assert run.stdout == "False\n"


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"targets": ["10.0.0.0/24"]}, "10.0.0.0-net24"),
        ({"targets": ["10.0.0.0-24"]}, "10.0.0.0-24"),
        ({"targets": ["10.0.0.1,24"]}, "10.0.0.1-and-24"),
        ({"targets": ["10.0.*.1"]}, "10.0.all.1"),
        ({"targets": ["127.0.0.1"]}, "127.0.0.1"),
        ({"targets": ["example.org/24"]}, "example.org-net24"),
        ({"targets": ["::1"], "parameters": ["-6"]}, "ip6-0-0-0-0-0-0-0-1"),
        ({"targets": ["2001:DB8:0::1/64"], "parameters": ["-6"]}, "ip6-2001-db8-0-0-0-0-0-1-net64"),
        ({"targets": ["fe80::1%eth0"], "parameters": ["-6"]}, "ip6-fe80-0-0-0-0-0-0-1-eth0"),
        ({"parameters": ["-p", "22", "Host.Example"]}, "host.example"),
        ({"targets": ["2001:db8::1"]}, "ip6-2001-db8-0-0-0-0-0-1"),
        ({"targets": ["-"]}, "scan"),
        ({**SCAN, "metadata": {"generateName": "nmap-"}}, "nmap"),
        ({**SCAN, "metadata": {"name": "a", "generateName": "nmap-"}}, "a"),
    ],
)
def test_a_series_without_a_name_is_named_after_its_first_target(document: dict[str, Any], name: str) -> None:
    assert read(document).request.name == name


def test_fields_that_mean_something_to_kubernetes_alone_give_a_note_each() -> None:
    fields: dict[str, Any] = {
        "resourceMode": "clusterWide",
        "hookSelector": {"matchLabels": {}},
        "env": [{"name": "A", "value": "b"}],
        "volumes": [{"name": "x"}],
        "volumeMounts": [{"name": "x"}],
        "initContainers": [{"name": "x"}],
        "nodeSelector": {"a": "b"},
        "affinity": {"nodeAffinity": {}},
        "tolerations": [{"key": "a"}],
        "resources": {"limits": {}},
    }
    notes = read(manifest(**fields)).notes
    assert [note.split(" has no effect here: ")[0] for note in notes] == [f"spec.{name}" for name in fields]
    assert read(manifest(**dict.fromkeys(fields))).notes == ()


def test_what_kubernetes_adds_to_an_object_is_let_be() -> None:
    metadata: dict[str, Any] = {
        "name": "a",
        "uid": "x",
        "creationTimestamp": None,
        "managedFields": [{}],
        "labels": None,
    }
    assert read({**SCAN, "metadata": metadata, "status": {"state": "Done"}}).request.name == "a"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"targts": ["a"]}, "targts is not a field here; did you mean targets?"),
        ({"targets": ["a"], "scan_type": "nmap"}, "scan_type is not a field here; did you mean scanType?"),
        ({"targets": "a"}, "targets: expected array, got str"),
        ({"targets": ["a", 1]}, "targets[1]: expected str, got int; put it in quotes"),
        ({"targets": ["a"], "name": None}, "name: expected str, got null"),
        ({"targets": ["a"], "suspend": "no"}, "suspend: expected bool, got str"),
        ({"targets": ["a"], "labels": {"a": 1}}, "labels[...]: expected str, got int; put it in quotes"),
        ({"targets": ["a"], "scanType": "zap"}, "scanType: 'zap' is not known here; nmap, nmap-privileged are"),  # N26
        ({"targets": ["a"], "backoffLimit": -1}, "backoffLimit: expected int >= 0"),
        ({"targets": ["a"], "hostsPerShard": 0}, "hostsPerShard: expected int >= 1"),
        ({"targets": ["a"], "budgetUsd": 0}, "budgetUsd: expected float >= 0.01"),
        ({"targets": ["a"], "budgetUsd": "5"}, "budgetUsd: expected float | null, got str"),
        ({"targets": ["a"], "activeDeadlineSeconds": 0}, "activeDeadlineSeconds: expected int >= 1"),
        ({"targets": ["a"], "ttlSecondsAfterFinished": 10**12}, "ttlSecondsAfterFinished: expected int <= 316224000"),
        ({"targets": ["a"], "name": "Office LAN"}, "name: 'Office LAN' is no name"),
        ({"targets": ["a"], "name": "-a"}, "name: '-a' is no name"),
        ({"targets": ["a"], "name": "a" * 254}, "1 to 253"),
        ({}, "no target"),
        ({"parameters": ["-p", "22"]}, "no target"),  # 22 is the value of -p
        ({"targets": [""]}, "targets[0]: empty"),
        ({"targets": ["a"] * 10_000}, f"targets: 10000 entries are more than {MAX_TARGETS}"),
        ({"targets": ["a" * 1025]}, "targets[0]: 1025 characters are more than 1024"),
        ({"targets": ["a"], "exclude": ["a" * 1025]}, "exclude[0]: 1025 characters"),
        ({"targets": ["a"], "parameters": ["-n"] * 257}, f"257 entries are more than {MAX_PARAMETERS}"),
        ({"targets": ["a"], "labels": {str(n): "" for n in range(65)}}, "labels: 65 entries are more than 64"),
        ({"targets": ["a"], "labels": {"": "x"}}, "labels: a key is empty"),
        ({"targets": ["a"], "annotations": {"x": "y" * 1025}}, "annotations['x']: more than 1024"),
        ({"targets": ["a"], "windows": ["22:00-06:00", "at night"]}, "windows[1]: 'at night' is not a window"),
        ({"targets": ["a"], "windows": ["22:00-06:00"] * 17}, "windows: 17 entries are more than 16"),
        ({"targets": ["a"], "annotations": {"cascan/windows": "Mo 22:00-06:00"}}, "windows[0]: 'Mo 22:00-06:00'"),
        (
            {"targets": ["a"], "annotations": {"cascan/retry-timed-out": "yes"}},
            "annotations['cascan/retry-timed-out']: 'yes' is neither 'true' nor 'false'",
        ),
        ({"targets": ["a"], "contact": "y" * 1025}, "contact: 1025 characters"),
        ({"targets": ["a"], "cascades": {"matchLables": {}}}, "cascades.matchLables is not a field here; did you mean"),
        ({"targets": ["a"], "cascades": []}, "cascades: expected object"),
        (  # C2
            {"targets": ["a"], "cascades": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
            "cascades.matchExpressions[0].operator: 'Is' is not known here; In, NotIn, Exists, DoesNotExist are",
        ),
        (
            {"targets": ["a"], "cascades": {"scopeLimiter": {"allOf": [{"key": "a", "operator": "In"}]}}},
            "cascades.scopeLimiter.allOf[0].values is missing",
        ),
        (manifest(scanType="zap-baseline"), "spec.scanType: 'zap-baseline' is not known here"),
        (manifest(parameters=None), "spec.parameters is missing"),
        (manifest(parameters=["a", 22]), "spec.parameters[1]: expected str, got int; put it in quotes"),
        (manifest(paramters=[]), "spec.paramters is not a field here; did you mean parameters?"),
        (manifest(targets=["a"]), "spec.targets is not a field here; put targets among spec.parameters"),
        (manifest(exclude=["a"]), "spec.exclude is not a field here; the short form of a request has it"),
        (manifest(suspend="yes"), "spec.suspend: expected bool, got str"),
        (manifest(volumes="x"), "spec.volumes: expected array, got str"),
        (manifest(env=["A=b"]), "spec.env[0]: expected object, got str"),
        ({**SCAN, "metadata": []}, "metadata: expected a mapping, got list"),
        (
            {**SCAN, "metadata": {"labels": {"a": True}}},
            "metadata.labels[...]: expected str, got bool; put it in quotes",
        ),
        ({**SCAN, "spec": None}, "spec.scanType is missing"),
        ({**SCAN, "sepc": {}}, "sepc is not a field here; did you mean spec?"),
        (
            {**SCAN, "kind": "ScheduledScan"},
            "kind: 'ScheduledScan' does not belong on the request queue: it describes when scans start; "
            "store it with cascan apply -f",
        ),
        ({**SCAN, "kind": "CascadingRule"}, "store it with cascan apply -f"),
        ({**SCAN, "kind": "List", "items": []}, "cascan apply -f takes them all"),
        ({**SCAN, "kind": "ScanType"}, "nmap and nmap-privileged are built in; send a Scan"),
        ({**SCAN, "kind": "Pod"}, "cascan does not know it; send a Scan"),
        ({**SCAN, "kind": None}, "kind: None does not belong"),
        ({**SCAN, "apiVersion": "v1"}, "apiVersion: 'v1' is not execution.securecodebox.io/v1"),
        ({"spec": {}}, "kind: None does not belong"),
    ],
)
def test_a_field_that_cannot_stay_is_named_by_its_path(document: dict[str, Any], reason: str) -> None:
    assert any(reason in said for said in reasons_for(json.dumps(document)))


def test_the_problems_of_its_cascades_are_told_together_each_by_its_path() -> None:
    scope = {"allOf": [{"key": "cidr", "operator": "In", "values": ["a"]}], "anyOf": {}, "everyOf": []}
    cascades = {"matchExpressions": [{"key": "a", "operator": "Is"}, None], "scopeLimiter": scope, "inheritLabel": True}
    told = [re.split("[: ]", reason)[0] for reason in reasons_for(json.dumps({"targets": ["a"], "cascades": cascades}))]
    assert sorted(told) == [
        "cascades.inheritLabel",
        "cascades.matchExpressions[0].operator",
        "cascades.matchExpressions[1]",
        "cascades.scopeLimiter.allOf[0].key",
        "cascades.scopeLimiter.anyOf",
        "cascades.scopeLimiter.everyOf",
    ]


def test_the_problems_of_a_request_are_told_together() -> None:
    document = {"targts": [], "name": 3, "suspend": "no", "scanType": "zap"}
    assert len(reasons_for(json.dumps(document))) == 4
    assert len(reasons_for(json.dumps({"name": "A", "targets": [], "labels": {"": "x"}}))) == 3
    both = {**manifest(volumes=1, x=1), "metadata": {"name": 1}}
    assert len(reasons_for(json.dumps(both))) == 3


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "the request is empty"),
        (" \n", "the request is empty"),
        ("{", "is not JSON"),
        ('{"targets": ["a"],}', "is not JSON"),
        ('{"targets": ["a"]} {}', "is not JSON"),
        ('{"targets": ["a"], "targets": ["b"]}', "duplicate key 'targets'"),
        ('{"labels": {"a": "1", "a": "2"}}', "duplicate key 'a'"),
        ('{"backoffLimit": NaN}', "NaN is not a JSON value"),
        ('{"backoffLimit": ' + "9" * 5000 + "}", "a number in it is too long"),
        ('{"targets": ["\\ud800"]}', "half of a surrogate pair"),
        ('{"\\udfff": 1}', "half of a surrogate pair"),
        ("[" * 100_000, "nested deeper"),
        ('{"cascades": ' + '{"a": ' * 40 + "1" + "}" * 41, "nested deeper"),
        ("[]", "not a mapping"),
        ('"text"', "not a mapping"),
        ("just words", "not a mapping"),
        ("<xml/>", "not a mapping"),
        (b"\xff\xfe", "not UTF-8"),
        ("a: [", "is not YAML"),
        ("a: b: c", "is not YAML"),
        ("\ta: b", "is not YAML"),
        ("targets: \x01", "is not YAML"),
        ("targets: &a [x]\nexclude: *a", "anchors and aliases"),
        ("a: &a [x]", "anchors and aliases"),
        ("targets: [a]\n---\ntargets: [b]", "a second document"),
        ("targets: [a]\ntargets: [b]", "line 2: duplicate key 'targets'"),
        ("targets: !!python/object/apply:os.system [id]", "tags are not read"),
        ("targets: !!set {a}", "tags are not read"),
        ("<<: {targets: [a]}", "is not YAML"),
        ("1: a", "a key has to be text"),
        ("yes: a", "a key has to be text"),
        ("? [a]\n: b", "a key has to be text"),
        ("a: " + "{a: " * 40_000, "nested deeper"),
        ("- " * 50_000 + "a", "nested deeper"),
        ("name: 2026-01-31\nttl: 1", "ttl is not a field here"),
        ("{" + " " * MAX_REQUEST_BYTES + "}", f"more than {MAX_REQUEST_BYTES}"),
    ],
)
def test_a_body_that_is_no_request_is_refused_with_the_reason(body: str | bytes, reason: str) -> None:
    assert any(reason in said for said in reasons_for(body)), reasons_for(body)


def test_a_date_in_yaml_is_text_as_it_is_in_json() -> None:
    assert read_request("targets: [a]\nlabels: {since: 2026-01-31}").request.labels == {"since": "2026-01-31"}


@pytest.mark.parametrize(
    "body",
    ["targets: [a]\nlabels: {on: 12}", "targets: [a]\nlabels: {answer: yes}", "targets: [a]\nlabels: {port: 22:22}"],
)
def test_what_yaml_takes_for_something_else_is_asked_to_be_quoted(body: str) -> None:
    assert reasons_for(body)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_body_ends_in_anything_but_a_request_or_a_refusal(body: str | bytes) -> None:
    with suppress(RequestRefused):
        assert isinstance(read_request(body).request, ScanRequest)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["targets", "parameters", "name", "labels", "cascades", "scanType", "kind", "apiVersion", "spec", "metadata"]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, max_size=5))
def test_no_document_ends_in_anything_but_a_request_or_a_refusal(document: dict[str, Any]) -> None:
    with suppress(RequestRefused):
        assert isinstance(read(document).request, ScanRequest)
    with suppress(RequestRefused):
        assert isinstance(read(manifest(**document)).request, ScanRequest)


def test_a_manifest_asks_for_timed_out_hosts_again_in_an_annotation() -> None:
    manifest = MANIFEST.replace('change-7"', 'change-7"\n    cascan/retry-timed-out: "true"')
    assert read_request(manifest).request.retry_timed_out
    assert not read_request(MANIFEST).request.retry_timed_out


def test_a_manifest_says_by_what_hosts_are_known_in_an_annotation() -> None:
    manifest = MANIFEST.replace('change-7"', 'change-7"\n    cascan/identity: name')
    assert read_request(manifest).request.identity is IdentityKind.NAME
    assert read_request(MANIFEST).request.identity is None
    for value, reason in (("serial", "is none of address, mac, name, instance"), ("instance", "use mac or name")):
        with pytest.raises(RequestRefused, match=reason):
            read_request(manifest.replace("identity: name", f"identity: {value}"))
    with pytest.raises(RequestRefused, match="identity: instance is not supported"):
        read({"targets": ["10.0.0.1"], "identity": "instance"})


def test_windows_stand_in_a_field_or_for_a_manifest_in_an_annotation() -> None:
    nights, weekends = "Mon-Fri 22:00-06:00 Europe/Berlin", "Sat,Sun 00:00-24:00"
    manifest = MANIFEST.replace('change-7"', f'change-7"\n    cascan/windows: {nights}; {weekends}')
    assert read_request(manifest).request.windows == (nights, weekends)
    assert read_request(json.dumps({"targets": ["a"], "windows": [nights]})).request.windows == (nights,)
