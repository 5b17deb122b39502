"""The bytes of a message → a ScanRequest and notes on what of it has no effect here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cascan.errors import RequestRefused
from cascan.forms.complete import completed
from cascan.forms.document import read_document
from cascan.forms.manifest import read_manifest
from cascan.forms.short import read_short_form
from cascan.limits import MAX_REQUEST_BYTES
from cascan.model.refusal import Rule
from cascan.model.request import ScanRequest

MANIFEST_FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec"})


class ReadRequest(NamedTuple):
    request: ScanRequest
    notes: tuple[str, ...] = ()


def read_request(body: str | bytes) -> ReadRequest:
    """The request in its full form: every limit is kept, it has a target, and its series has a name.

    Raises: RequestRefused: with every reason that can be told together, naming fields by their path.
    """
    document = read_document(_text(body))
    if MANIFEST_FIELDS & document.keys():
        request, notes = read_manifest(document)
    else:
        request, notes = read_short_form(document), ()
    request = completed(request)
    return ReadRequest(request, (*notes, *_scope_notes(request)))


def _scope_notes(request: ScanRequest) -> Iterator[str]:
    if request.cascades and request.cascades.get("scopeLimiter"):
        from cascan.forms.cascades import scope_notes  # noqa: PLC0415 - as in completed()

        yield from scope_notes(request.cascades)


def _text(body: str | bytes) -> str:
    size = len(body) if isinstance(body, bytes) else len(body.encode(errors="surrogatepass"))
    if size > MAX_REQUEST_BYTES:
        fix = "write targets as ranges, or as several requests"
        raise RequestRefused([f"the request has {size} bytes, more than {MAX_REQUEST_BYTES}: {fix}"], Rule.LIMIT)
    try:
        return body.decode() if isinstance(body, bytes) else body
    except UnicodeDecodeError as exc:
        raise RequestRefused([f"the request is not UTF-8 text: byte {exc.start} cannot be read"]) from exc
