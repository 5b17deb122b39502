"""The bytes of a message → a ScanRequest: the short form, or a secureCodeBox manifest in JSON or YAML."""

from cascan.forms.read import ReadRequest, read_request

__all__ = ["ReadRequest", "read_request"]
