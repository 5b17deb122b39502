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
    """The scan as it would be when it is completed; and the scan type of one that another scanner did, else nothing.

    Raises: BadInput: the file holds no request.
    """
    try:
        request, scan_type = _request(read_text(name))
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


def _request(text: str) -> tuple[ScanRequest, str]:
    """The request, and the scan type of one that another scanner did: rules follow what that found as well.

    Of a manifest only what cascades go by is checked: its targets may lie in a file that is not here.

    Raises: RequestRefused.
    """
    documents = read_documents(text)
    if len(documents) != 1:
        raise RequestRefused([f"{len(documents)} documents are there; the findings are of one scan: leave one of them"])
    (document,) = documents
    spec = document.get("spec")
    if document.get("kind") != KIND or not isinstance(spec, dict):
        return read_request(json.dumps(document)).request, ""
    said = spec.get("scanType")
    scan_type = said if isinstance(said, str) and said not in NMAP_SCAN_TYPES else ""
    request, _ = read_manifest({**document, "spec": {**spec, "scanType": ScanType.NMAP}} if scan_type else document)
    if problems := check_cascades(request.cascades):
        raise RequestRefused(problems)
    return structs.replace(request, name=request.name or scan_type or ScanType.NMAP), scan_type
