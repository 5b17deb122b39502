"""Findings in a file: a JSON array, one finding per line, `{"findings": […]}`, or YAML."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from msgspec import MsgspecError, json

from cascan.errors import RequestRefused
from cascan_cli.errors import BadInput

# Of a file that is read at once, because it does not have one finding per line.
MAX_WHOLE_BYTES = 1024**3
MAX_DEPTH = 32
YAML_DIVIDER = b"---"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DECODER = json.Decoder()
NO_FINDINGS = "findings are a JSON array of objects, or one JSON object per line"


def read_findings(name: str) -> Iterator[dict[str, Any]]:
    """The findings in the file; `-` reads standard input.

    Each gets an id (`finding-N` if it has none) and attributes. A missing value is null.

    Raises: BadInput: the file cannot be read, or does not hold findings.
    """
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            for number, finding in enumerate(_decode_findings(name, file), start=1):
                yield _check_finding(name, number, finding)
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc


def _decode_findings(name: str, file: IO[bytes]) -> Iterator[Any]:
    """Read line by line if the first line is a finding, otherwise the whole file at once."""
    start = _read_first_line(file)
    first_value = _decode_or_none(start.removeprefix(BYTE_ORDER_MARK))
    if isinstance(first_value, dict) and "findings" not in first_value:
        yield first_value
        yield from _decode_lines(name, file)
        return
    data = start + file.read(MAX_WHOLE_BYTES + 1)
    if len(data) > MAX_WHOLE_BYTES:
        raise BadInput(f"{name} is longer than {MAX_WHOLE_BYTES} bytes; write one finding per line")
    data = data.removeprefix(BYTE_ORDER_MARK)
    findings = _unwrap_findings(_decode_document(name, data)) if data.strip() else []
    if not isinstance(findings, list):
        raise BadInput(f"{name}: {NO_FINDINGS}")
    yield from findings


def _read_first_line(file: IO[bytes]) -> bytes:
    """The file up to the end of its first line that is not blank."""
    start = b""
    for line in file:
        start += line
        if line.strip(BYTE_ORDER_MARK + b" \t\r\n"):
            break
    return start


def _decode_or_none(data: bytes) -> Any:
    try:
        return DECODER.decode(data) if data.strip() else None
    except MsgspecError:
        return None


def _decode_lines(name: str, file: IO[bytes]) -> Iterator[Any]:
    for line in file:
        if not line.strip() or line.strip() == YAML_DIVIDER:
            continue
        try:
            value = DECODER.decode(line)
        except MsgspecError as exc:
            raise BadInput(f"{name}: invalid JSON: {exc}: {line[:60]!r}") from exc
        yield from value if isinstance(value, list) else [value]


def _decode_document(name: str, data: bytes) -> Any:
    """The file as one JSON document, or else as YAML."""
    try:
        return DECODER.decode(data)
    except MsgspecError as exc:
        try:
            return _decode_yaml(data.decode())
        except (RequestRefused, UnicodeDecodeError):
            raise BadInput(f"{name}: invalid JSON: {exc}") from exc


def _decode_yaml(text: str) -> Any:
    """One YAML document, or the findings of several."""
    from cascan.forms.documents import split_documents  # JSON does not need the YAML library
    from cascan.forms.yaml_document import read_yaml

    documents = [read_yaml(document, MAX_DEPTH) for document in split_documents(text)]
    if len(documents) == 1:
        return documents[0]
    findings = []
    for document in documents:
        value = _unwrap_findings(document)
        findings += value if isinstance(value, list) else [value]
    return findings


def _unwrap_findings(document: Any) -> Any:
    """The list in `{"findings": […]}`; any other document unchanged."""
    return document.get("findings", document) if isinstance(document, dict) else document


def _check_finding(name: str, number: int, finding: Any) -> dict[str, Any]:
    """Raises: BadInput: the finding or its attributes are not a JSON object."""
    if not isinstance(finding, dict):
        raise BadInput(f"{name}: {NO_FINDINGS}")
    finding_id = finding.get("id") or f"finding-{number}"
    attributes = finding.get("attributes") or {}
    if not isinstance(attributes, dict):
        kind = type(attributes).__name__
        raise BadInput(f"{name}: finding {number}: `attributes` must be an object, not {kind}")
    return {**finding, "id": str(finding_id), "attributes": attributes}
