"""Elasticsearch's bulk API with documents of the Elastic Common Schema, as far as an export uses them.

Sources: the field reference of ECS 8.17 (types, allowed values, arrays), and the documentation of the
bulk API (an action a line, an id of at most 512 bytes; `index` replaces the document with the id).
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from ipaddress import ip_address
from typing import Any

KEYWORDS = {
    "cascan.category", "cascan.change", "cascan.finding_name", "cascan.location", "cascan.mitigation", "cascan.owner",
    "cascan.scan_id", "cascan.series", "cascan.severity", "cascan.status", "cascan.vantage", "ecs.version",
    "event.action", "event.dataset", "event.id", "event.kind", "event.module", "event.provider", "event.reason",
    "event.reference", "host.hostname", "host.name", "host.os.full", "network.protocol", "network.transport",
    "observer.name", "observer.product", "observer.type", "observer.vendor", "server.address", "server.domain",
    "service.address", "service.name", "service.state", "service.type", "service.version", "vulnerability.description",
    "vulnerability.enumeration", "vulnerability.id", "vulnerability.reference", "vulnerability.scanner.vendor",
    "vulnerability.severity",
}  # fmt: skip
TEXTS = {"message", "event.reason", "cascan.mitigation", "vulnerability.description"}  # of any length
DATES = {"@timestamp", "event.created", "event.start", "event.end"}
ARRAYS = {"cascan.cves", "event.category", "event.type", "host.ip", "host.mac", "tags", "vulnerability.category"}
REQUIRED = {"@timestamp", "ecs.version", "event.kind", "event.category", "event.dataset"}
KINDS = {"alert", "state"}
TYPES = {"host": {"access", "change", "end", "info", "start"}, "vulnerability": {"info"}}  # of each category
MAC = re.compile(r"[A-F0-9]{2}(-[A-F0-9]{2}){5,}")
MAX_ID_BYTES, MAX_TERM_BYTES = 512, 8_191


class Index:
    """An index that bulk calls are sent to."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    def load(self, lines: bytes) -> None:
        """Raises: AssertionError: the call or a document is not valid."""
        assert lines.endswith(b"\n") or not lines, "a bulk call ends with a line break"
        texts = lines.decode().split("\n")[:-1]
        assert len(texts) % 2 == 0
        for action, document in zip(texts[::2], texts[1::2], strict=True):
            command = json.loads(action)
            assert command.keys() == {"index"}
            assert command["index"].keys() == {"_id"}
            key = command["index"]["_id"]
            assert 0 < len(key.encode()) <= MAX_ID_BYTES
            self.documents[key] = check_document(json.loads(document))


def check_document(document: dict[str, Any]) -> dict[str, Any]:
    """The document. Raises: AssertionError: a field is unknown, or has a value that its type does not allow."""
    fields = dict(_flatten(document))
    assert fields.keys() >= REQUIRED
    for name, value in fields.items():
        _check_field(name, value)
    (category,) = fields["event.category"]
    assert fields["event.kind"] in KINDS
    assert set(fields["event.type"]) <= TYPES[category]
    return document


def _check_field(name: str, value: Any) -> None:
    if name in DATES:
        assert datetime.fromisoformat(value).tzinfo, (name, value)
    elif name == "cascan.covered":
        assert isinstance(value, bool)
    elif name in ("event.severity", "server.port"):
        assert isinstance(value, int)
    elif name == "server.ip":
        ip_address(value)
    elif name in ARRAYS:
        assert isinstance(value, list), name
        assert all(isinstance(text, str) and text for text in value), (name, value)
        assert name != "host.ip" or all(map(ip_address, value))
        assert name != "host.mac" or all(map(MAC.fullmatch, value))
    else:
        assert name in KEYWORDS | TEXTS or name.startswith("labels."), name
        assert isinstance(value, str), (name, value)
        assert value, f"{name} is empty"
        assert name in TEXTS or len(value.encode()) <= MAX_TERM_BYTES, name


def _flatten(document: dict[str, Any], prefix: str = "") -> Any:
    for name, value in document.items():
        assert "." not in name, "a dot makes an object of a field"
        if isinstance(value, dict):
            assert value, f"{prefix}{name} is empty"
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
