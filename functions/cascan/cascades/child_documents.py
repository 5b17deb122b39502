"""A child as the two things it is made for: a request on our queue, and a Scan manifest for everybody else."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from cascan.cascades.decision import Child
from cascan.forms.complete_request import to_slug
from cascan.limits import MAX_NAME_CHARS
from cascan.model.request import Origin, ScanRequest, ScanType
from cascan.model.scan import Scan

NAME_DIGEST_CHARS = 8


def build_child_request(child: Child, scan: Scan, root_scan: str, cause_id: str) -> ScanRequest:
    """The request for a child of ours. What it does not say itself is its parent's: excludes, permission."""
    parent = scan.request or ScanRequest()
    origin = Origin(
        parent_scan=scan.scan_id,
        root_scan=root_scan,
        rule=_rule_of(child),
        cause_id=cause_id,
        hop=scan.hop + 1,
    )
    return msgspec.structs.replace(
        parent,
        name=child.name,
        targets=child.targets,
        parameters=child.parameters,
        scan_type=ScanType(child.scan_type),
        portscan=None,
        labels=child.labels,
        annotations=child.annotations,
        carried=child.carried,
        ttl_seconds_after_finished=parent.ttl_seconds_after_finished
        if child.ttl_seconds_after_finished is None
        else child.ttl_seconds_after_finished,
        suspend=child.suspend,
        idempotency_key=f"cascade/{scan.scan_id}/{child.key}",
        origin=origin,
    )


def build_child_manifest(child: Child, scan: Scan) -> dict[str, Any]:
    """The child as a Scan of secureCodeBox."""
    cascades = scan.request.cascades if scan.request else None
    ttl = child.ttl_seconds_after_finished
    return {
        "apiVersion": "execution.securecodebox.io/v1",
        "kind": "Scan",
        "metadata": {
            "generateName": f"{child.name}-",
            "labels": child.labels,
            "annotations": child.annotations,
            "ownerReferences": [
                {
                    "apiVersion": "execution.securecodebox.io/v1",
                    "kind": "Scan",
                    "name": scan.name,
                    "uid": scan.scan_id,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "scanType": child.scan_type,
            "parameters": [*child.parameters, *child.targets],
            "cascades": cascades,
            **child.carried,
            **({} if ttl is None else {"ttlSecondsAfterFinished": ttl}),
            **({"suspend": True} if child.suspend else {}),
        },
    }


def build_child_name(parent_name: str, parent_type: str, child_type: str, rule: str) -> str:
    """`<parent>-<rule>`; a parent that is named after its scan type makes a child named after its own."""
    prefix = child_type + parent_name.removeprefix(parent_type) if parent_name.startswith(parent_type) else parent_name
    name = to_slug(f"{prefix}-{rule}") if len(prefix) + len(rule) < MAX_NAME_CHARS else f"{prefix}-{rule}"
    if len(name) <= MAX_NAME_CHARS - len("-"):  # a manifest's generateName ends with one
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:NAME_DIGEST_CHARS]
    return f"{to_slug(name[: MAX_NAME_CHARS - NAME_DIGEST_CHARS - 2])}-{digest}"


def _rule_of(child: Child) -> str:
    return child.key.partition("/")[0]
