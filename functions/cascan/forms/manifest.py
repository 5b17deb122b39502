"""A secureCodeBox `Scan` manifest → ScanRequest.

Source: the Scan resource of execution.securecodebox.io/v1.

Every field of a Scan is accepted. A field that only Kubernetes uses gives a note; none is dropped
in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cascan.errors import RequestRefused
from cascan.forms.fields import build_refusal, find_unknown_fields, read_struct
from cascan.model.request import ScanRequest, ScanType, Seconds

API_VERSION = "execution.securecodebox.io/v1"
KIND = "Scan"
TOP_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")
OTHER_KINDS = {
    "ScheduledScan": "it describes when scans start; store it with cascan apply -f",
    "CascadingRule": "it describes which scans follow from findings; store it with cascan apply -f",
    "ScanType": f"it describes a scanner, and nmap and nmap-privileged are built in; send a {KIND}",
    "List": "it holds several manifests; cascan apply -f takes them all",
    "ScanList": "it holds several manifests; cascan apply -f takes them all",
}
ENVIRONMENT = "nmap runs with an environment of its own"
KUBERNETES = "workers run on AWS, not in Kubernetes"
NO_EFFECT = {
    "resourceMode": KUBERNETES,
    "hookSelector": "what follows a scan is chosen by rules on the event bus",
    "env": ENVIRONMENT,
    "volumes": "workers have no volumes",
    "volumeMounts": "workers have no volumes",
    "initContainers": "workers run nmap alone",
    "nodeSelector": KUBERNETES,
    "affinity": KUBERNETES,
    "tolerations": KUBERNETES,
    "resources": "the worker's size is a parameter of the template",
    "imagePullSecrets": KUBERNETES,
}
CARRIED = (
    "env",
    "volumes",
    "volumeMounts",
    "initContainers",
    "hookSelector",
    "affinity",
    "tolerations",
    "resourceMode",
)
SHORT_FORM_ONLY = "the short form of a request has it"
TARGETS = "put targets among spec.parameters"


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    scan_type: ScanType
    parameters: tuple[str, ...]
    cascades: dict[str, Any] | None = None
    ttl_seconds_after_finished: Seconds | None = None
    suspend: bool = False
    resource_mode: str = ""
    hook_selector: dict[str, Any] = {}
    env: list[dict[str, Any]] = []
    volumes: list[dict[str, Any]] = []
    volume_mounts: list[dict[str, Any]] = []
    init_containers: list[dict[str, Any]] = []
    node_selector: dict[str, str] = {}
    affinity: dict[str, Any] = {}
    tolerations: list[dict[str, Any]] = []
    resources: dict[str, Any] = {}
    image_pull_secrets: list[dict[str, Any]] = []


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """The fields of Kubernetes' metadata that have a meaning here."""

    name: str = ""
    generate_name: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


def read_manifest(document: Mapping[str, Any]) -> tuple[ScanRequest, tuple[str, ...]]:
    """The request, and a note for each field that has no effect here.

    Raises: RequestRefused: another kind; or all unknown fields and wrong types together.
    """
    _check_kind(document)
    problems = find_unknown_fields(document, TOP_FIELDS, "")
    sections: list[Any] = []
    for kind, name, hints in ((_Metadata, "metadata", {}), (_Spec, "spec", _hints())):
        try:
            sections.append(_read_section(kind, document, name, hints))
        except RequestRefused as exc:
            problems += exc.reasons
    if problems:
        raise build_refusal(problems)
    metadata, spec = sections
    request = ScanRequest(
        name=metadata.name or metadata.generate_name.rstrip("-."),
        parameters=spec.parameters,
        scan_type=spec.scan_type,
        labels=metadata.labels,
        annotations=metadata.annotations,
        cascades=spec.cascades,
        ttl_seconds_after_finished=spec.ttl_seconds_after_finished,
        suspend=spec.suspend,
        carried=_select_carried(document["spec"]),
    )
    return request, _notes(document["spec"])


def _check_kind(document: Mapping[str, Any]) -> None:
    kind, version = document.get("kind"), document.get("apiVersion")
    if kind != KIND:
        why = OTHER_KINDS.get(str(kind), f"cascan does not know it; send a {KIND}")
        raise build_refusal([f"kind: {kind!r:.80} does not belong on the request queue: {why}"])
    if version != API_VERSION:
        raise build_refusal([f"apiVersion: {version!r:.80} is not {API_VERSION}"])


def _read_section(
    kind: type[_Metadata | _Spec], document: Mapping[str, Any], name: str, hints: Mapping[str, str]
) -> Any:
    fields = document.get(name)
    if fields is None:
        fields = {}
    if not isinstance(fields, dict):
        raise build_refusal([f"{name}: expected a mapping, got {type(fields).__name__}"])
    # null is absent, as in Kubernetes
    fields = {key: value for key, value in fields.items() if value is not None}
    if kind is _Metadata:
        names = {field.encode_name for field in msgspec.structs.fields(kind)}
        fields = {key: value for key, value in fields.items() if key in names}
    return read_struct(kind, fields, f"{name}.", hints)


def _select_carried(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: spec[name] for name in CARRIED if spec.get(name) is not None}


def _hints() -> dict[str, str]:
    """Hints on fields of the short form, which a Scan does not have."""
    fields = msgspec.structs.fields(ScanRequest)
    short_form = {field.encode_name: SHORT_FORM_ONLY for field in fields}
    return {**short_form, "target": TARGETS, "targets": TARGETS, "name": "put it under metadata"}


def _notes(spec: Mapping[str, Any]) -> tuple[str, ...]:
    ignored = [(name, why) for name, why in NO_EFFECT.items() if spec.get(name)]
    return tuple(f"spec.{name} has no effect here: {why}" for name, why in ignored)
