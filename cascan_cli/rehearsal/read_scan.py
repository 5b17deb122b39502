"""A scan from a file, for `cascan rules test`: a request, or any scanner's Scan manifest."""

from __future__ import annotations

import json

from msgspec import structs

from cascan.cascades.scan_proposal import NMAP_SCAN_TYPES
from cascan.clock import utc_now
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.cascades import check_cascades
from cascan.forms.documents import read_documents
from cascan.forms.manifest import KIND, read_manifest
from cascan.ids import derive_scan_id
from cascan.model.request import ScanRequest, ScanType
from cascan.model.scan import Scan, ScanState
from cascan_cli.errors import BadInput
from cascan_cli.input.manifests import read_text


def read_scan(name: str) -> tuple[Scan, str]:
    """The scan as if its reports were parsed, and its scan type if that is of another scanner.

    Raises: BadInput: the file does not hold a request.
    """
    try:
        request, scan_type = _read_request(read_text(name))
    except RequestRefused as exc:
        raise BadInput(f"{name}: {exc}") from exc
    scan = Scan(
        scan_id=derive_scan_id(f"file:{request.name}"),
        name=request.name,
        state=ScanState.PARSE_COMPLETED,
        requested_at=utc_now(),
        cause_id="",
        hop=request.origin.hop if request.origin else 0,
        request=request,
    )
    return scan, scan_type


def _read_request(text: str) -> tuple[ScanRequest, str]:
    """The request, and the scan type if it is for another scanner.

    Of another scanner's manifest only the fields that matter to cascades are checked.

    Raises: RequestRefused.
    """
    documents = read_documents(text)
    if len(documents) != 1:
        problem = f"there are {len(documents)} documents; the findings belong to one scan: keep one document"
        raise RequestRefused([problem])
    (document,) = documents
    spec = document.get("spec")
    if document.get("kind") != KIND or not isinstance(spec, dict):
        return read_request(json.dumps(document)).request, ""
    scan_type = spec.get("scanType")
    if not isinstance(scan_type, str) or scan_type in NMAP_SCAN_TYPES:
        scan_type = ""
    if scan_type:
        document = {**document, "spec": {**spec, "scanType": ScanType.NMAP}}
    request, _ = read_manifest(document)
    if problems := check_cascades(request.cascades):
        raise RequestRefused(problems)
    return structs.replace(request, name=request.name or scan_type or ScanType.NMAP), scan_type
