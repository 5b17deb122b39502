"""A scan and its findings from files, for `cascan rules test`: any scanner's scan, findings as anybody writes them."""

from __future__ import annotations

from typing import Any

from msgspec import MsgspecError, json, structs

from cascan.cascades.fill import OURS
from cascan.clock import utc_now
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.cascades import check_cascades
from cascan.forms.document import MAX_DEPTH, read_document
from cascan.forms.manifest import KIND, read_manifest
from cascan.ids import scan_id_of
from cascan.model.request import ScanRequest, ScanType
from cascan.model.scan import Scan, ScanState
from cli.errors import BadInput
from cli.manifests import read_text


def scan_in(name: str) -> tuple[Scan, str]:
    """The scan as it would be when it is completed; and the scan type of one that another scanner did, else nothing.

    Raises: BadInput: the file holds no request.
    """
    try:
        request, scan_type = _request(read_text(name))
    except RequestRefused as exc:
        raise BadInput(f"{name}: {exc}") from exc
    scan = Scan(
        scan_id=scan_id_of(f"file:{request.name}"),
        name=request.name,
        state=ScanState.PARSE_COMPLETED,
        requested_at=utc_now(),
        cause_id="",
        hop=request.origin.hop if request.origin else 0,
        request=request,
    )
    return scan, scan_type


def _request(text: str) -> tuple[ScanRequest, str]:
    """The request, and the scan type of one that another scanner did: rules follow what that found as well.

    Raises: RequestRefused.
    """
    document = read_document(text)
    spec = document.get("spec")
    spec = spec if document.get("kind") == KIND and isinstance(spec, dict) else {}
    scan_type = spec.get("scanType")
    if not isinstance(scan_type, str) or scan_type in OURS:
        return read_request(text).request, ""
    request, _ = read_manifest({**document, "spec": {**spec, "scanType": ScanType.NMAP}})
    if problems := check_cascades(request.cascades):
        raise RequestRefused(problems)
    return structs.replace(request, name=request.name or scan_type), scan_type


def findings_in(name: str) -> list[dict[str, Any]]:
    """secureCodeBox's findings; one without an id is called by its number, null stands for what is not there."""
    text = read_text(name)
    try:
        found = json.decode(text) if text.lstrip().startswith("[") else json.Decoder().decode_lines(text)
    except MsgspecError as exc:
        found = _in_yaml(name, text, exc)
    else:
        if len(found) == 1 and isinstance(found[0], dict) and "findings" in found[0]:
            found = found[0]["findings"]
    if not isinstance(found, list) or not all(isinstance(finding, dict) for finding in found):
        raise BadInput(f"{name}: findings are a JSON array of mappings, or one of them a line")
    return [_whole(name, number, finding) for number, finding in enumerate(found, start=1)]


def _in_yaml(name: str, text: str, why: MsgspecError) -> Any:
    """secureCodeBox's examples keep findings in YAML. Raises: BadInput: that cannot be read either."""
    from cascan.forms.yaml_document import read_yaml  # noqa: PLC0415  findings are JSON, as a rule

    try:
        return read_yaml(text, MAX_DEPTH)
    except RequestRefused:
        raise BadInput(f"{name}: not JSON that can be read: {why}") from why


def _whole(name: str, number: int, finding: dict[str, Any]) -> dict[str, Any]:
    """The finding with an id and attributes. Raises: BadInput: they are there, and of another kind."""
    identity, attributes = finding.get("id") or f"finding-{number}", finding.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise BadInput(f"{name}: finding {number}: attributes are a mapping, not {type(attributes).__name__}")
    return {**finding, "id": str(identity), "attributes": attributes}
