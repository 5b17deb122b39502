"""Findings in a file, as anybody writes them: a JSON array, one a line, `{"findings": […]}`, or YAML."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from msgspec import MsgspecError, json

from cascan.errors import RequestRefused
from cascan_cli.errors import BadInput

MAX_WHOLE_BYTES = 1024**3  # of what is not one finding a line, and so is read at once
MAX_DEPTH = 32
DIVIDER = b"---"  # of documents, each on one line
DECODER = json.Decoder()


def read_findings(name: str) -> Iterator[dict[str, Any]]:
    """Each with an id, its number if it has none, and attributes; null stands for what is not there.

    `-` reads standard input. Raises: BadInput: it holds no findings.
    """
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            for number, finding in enumerate(_findings(name, file), start=1):
                yield _whole(name, number, finding)
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc


def _findings(name: str, file: IO[bytes]) -> Iterator[Any]:
    """What stands one a line is read so; else the whole file at once."""
    start = b""
    for line in file:
        start += line
        if line.strip(b"\xef\xbb\xbf \t\r\n"):
            break
    try:
        first = DECODER.decode(start.removeprefix(b"\xef\xbb\xbf")) if start.strip() else None
    except MsgspecError:
        first = None
    if isinstance(first, dict) and "findings" not in first:
        yield first
        yield from _lines(name, file)
        return
    data = start + file.read(MAX_WHOLE_BYTES + 1)
    if len(data) > MAX_WHOLE_BYTES:
        raise BadInput(f"{name} is longer than {MAX_WHOLE_BYTES} bytes; write one finding a line")
    found = _document(name, data.removeprefix(b"\xef\xbb\xbf")) if data.strip() else []
    found = found.get("findings") if isinstance(found, dict) and "findings" in found else found
    if not isinstance(found, list):
        raise BadInput(f"{name}: findings are a JSON array of mappings, or one of them a line")
    yield from found


def _lines(name: str, file: IO[bytes]) -> Iterator[Any]:
    for line in file:
        if line.strip() and line.strip() != DIVIDER:
            try:
                found = DECODER.decode(line)
                yield from found if isinstance(found, list) else [found]
            except MsgspecError as exc:
                raise BadInput(f"{name}: not JSON that can be read: {exc}: {line[:60]!r}") from exc


def _document(name: str, data: bytes) -> Any:
    try:
        return DECODER.decode(data)
    except MsgspecError as exc:
        try:
            return _stream(data.decode())
        except (RequestRefused, UnicodeDecodeError):
            raise BadInput(f"{name}: not JSON that can be read: {exc}") from exc


def _stream(text: str) -> Any:
    """YAML: one document, or the findings of several."""
    from cascan.forms.documents import split_documents  # who reads JSON needs no YAML
    from cascan.forms.yaml_document import read_yaml

    documents = [read_yaml(part, MAX_DEPTH) for part in split_documents(text)]
    if len(documents) == 1:
        return documents[0]
    found = []
    for document in documents:
        inner = document.get("findings", document) if isinstance(document, dict) else document
        found += inner if isinstance(inner, list) else [inner]
    return found


def _whole(name: str, number: int, finding: Any) -> dict[str, Any]:
    """Raises: BadInput: no mapping, or with attributes that are none."""
    if not isinstance(finding, dict):
        raise BadInput(f"{name}: findings are a JSON array of mappings, or one of them a line")
    identity, attributes = finding.get("id") or f"finding-{number}", finding.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise BadInput(f"{name}: finding {number}: attributes are a mapping, not {type(attributes).__name__}")
    return {**finding, "id": str(identity), "attributes": attributes}
