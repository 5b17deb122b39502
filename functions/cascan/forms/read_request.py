"""The bytes of a message → a ScanRequest, and notes on fields that have no effect here.

The short form is one flat mapping, with the fields of a ScanRequest; manifest.py reads a
secureCodeBox manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cascan.errors import RequestRefused
from cascan.forms.complete_request import IDEMPOTENCY_ANNOTATION, complete_request
from cascan.forms.document import read_document
from cascan.forms.fields import read_struct
from cascan.forms.manifest import read_manifest
from cascan.limits import MAX_LABEL_CHARS, MAX_REQUEST_BYTES
from cascan.model.refusal import Rule
from cascan.model.request import ScanRequest

MANIFEST_FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec"})


class ReadRequest(NamedTuple):
    request: ScanRequest
    notes: tuple[str, ...] = ()


def read_request(body: str | bytes, *, is_issued: bool = False) -> ReadRequest:
    """The complete request: within every limit, with a target and the name of a series.

    `is_issued`: cascan itself sent it, for a schedule or a cascade.

    Raises: RequestRefused: with all reasons, which name fields by their path.
    """
    return parse_request(read_request_document(body), is_issued=is_issued)


def read_request_document(body: str | bytes) -> dict[str, Any]:
    """The mapping in a message. Raises: RequestRefused: too long, or not a mapping."""
    return read_document(_decode(body))


def parse_request(document: Mapping[str, Any], *, is_issued: bool = False) -> ReadRequest:
    """As read_request, for a mapping."""
    if MANIFEST_FIELDS & document.keys():
        request, notes = read_manifest(document)
    else:
        request, notes = read_short_form(document, is_issued=is_issued), ()
    request = complete_request(request, is_issued=is_issued)
    return ReadRequest(request, (*notes, *_scope_notes(request)))


def read_short_form(document: Mapping[str, Any], *, is_issued: bool = False) -> ScanRequest:
    """`is_issued`: another version of cascan may have written it, with fields that this one does
    not know.

    Raises: RequestRefused: unknown fields, wrong types.
    """
    return read_struct(ScanRequest, document, ignore_unknown=is_issued)


def _scope_notes(request: ScanRequest) -> Iterator[str]:
    if request.cascades and request.cascades.get("scopeLimiter"):
        from cascan.forms.cascades import find_scope_notes  # noqa: PLC0415 - most have none

        yield from find_scope_notes(request.cascades)


def find_idempotency_key(document: Mapping[str, Any]) -> str:
    """The key of a request, also of one that will be refused.

    Empty: it has none, or none that can be read.
    """
    metadata = document.get("metadata")
    holder = metadata if isinstance(metadata, dict) else document
    annotations = holder.get("annotations")
    annotated = annotations.get(IDEMPOTENCY_ANNOTATION) if isinstance(annotations, dict) else None
    key = document.get("idempotencyKey") or annotated
    return key if isinstance(key, str) and len(key) <= MAX_LABEL_CHARS else ""


def _decode(body: str | bytes) -> str:
    size = len(body) if isinstance(body, bytes) else len(body.encode(errors="surrogatepass"))
    if size > MAX_REQUEST_BYTES:
        fix = "write targets as ranges, or as several requests"
        problem = f"the request has {size} bytes, more than {MAX_REQUEST_BYTES}: {fix}"
        raise RequestRefused([problem], Rule.LIMIT)
    try:
        return body.decode() if isinstance(body, bytes) else body
    except UnicodeDecodeError as exc:
        problem = f"the request is not UTF-8 text: byte {exc.start} cannot be read"
        raise RequestRefused([problem]) from exc
