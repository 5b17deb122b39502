"""The bytes of a message → a ScanRequest: the short form, or a secureCodeBox manifest in JSON or
YAML.
"""

from cascan.forms.read_request import (
    ReadRequest,
    find_idempotency_key,
    parse_request,
    read_request,
    read_request_document,
)

__all__ = [
    "ReadRequest",
    "find_idempotency_key",
    "parse_request",
    "read_request",
    "read_request_document",
]
