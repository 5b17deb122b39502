"""The bytes of a message → a ScanRequest: the short form, or a secureCodeBox manifest in JSON or YAML."""

from cascan.forms.read import ReadRequest, idempotency_key_in, read_request, request_document, request_in

__all__ = ["ReadRequest", "idempotency_key_in", "read_request", "request_document", "request_in"]
