"""A child as a request for our own queue, and as a Scan manifest for other scanners."""

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
    """The request for a child that cascan runs.

    What the child does not set comes from its parent, such as excludes.
    """
    parent = scan.request or ScanRequest()
    ttl = child.ttl_seconds_after_finished
    origin = Origin(
        parent_scan=scan.scan_id,
        root_scan=root_scan,
        rule=child.key.partition("/")[0],
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
        ttl_seconds_after_finished=parent.ttl_seconds_after_finished if ttl is None else ttl,
        suspend=child.suspend,
        idempotency_key=f"cascade/{scan.scan_id}/{child.key}",
        origin=origin,
    )


def build_child_manifest(child: Child, scan: Scan) -> dict[str, Any]:
    """The child as a `Scan` manifest of secureCodeBox."""
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
    """`<parent>-<rule>`.

    Where the parent's name begins with its scan type, the child's begins with its own.

    A name that is too long is cut, and ends with a digest.
    """
    prefix = parent_name
    if parent_name.startswith(parent_type):
        prefix = child_type + parent_name.removeprefix(parent_type)
    name = f"{prefix}-{rule}"
    if len(name) <= MAX_NAME_CHARS:
        name = to_slug(name)
    if len(name) <= MAX_NAME_CHARS - len("-"):  # of the hyphen that ends a manifest's generateName
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:NAME_DIGEST_CHARS]
    return f"{to_slug(name[: MAX_NAME_CHARS - NAME_DIGEST_CHARS - 2])}-{digest}"
