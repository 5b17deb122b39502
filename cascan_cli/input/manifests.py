"""Files on the command line → the manifests in them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cascan.errors import RequestRefused
from cascan.forms.documents import read_documents
from cascan.limits import MAX_APPLIED, MAX_REQUEST_BYTES
from cascan_cli.errors import BadInput

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = MAX_REQUEST_BYTES * 16


def read_manifests(names: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    """Each manifest with the file it stands in. Raises: BadInput: every problem, with the name of its file."""
    manifests: list[tuple[str, dict[str, Any]]] = []
    problems: list[str] = []
    for name, text in _texts(names):
        try:
            manifests += ((name, document) for document in read_documents(text))
        except RequestRefused as exc:
            problems += (f"{name}: {reason}" for reason in exc.reasons)
    if problems:
        raise BadInput("; ".join(problems))
    if not manifests:
        raise BadInput(f"there is no manifest in {', '.join(names)}")
    return manifests


def read_text(name: str) -> str:
    """Raises: BadInput: it cannot be read, is too long, or is not UTF-8."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise BadInput(f"{name} is longer than {MAX_FILE_BYTES} bytes; split it")
        return data.decode("utf-8-sig")  # what Windows writes begins with a mark
    except OSError as exc:
        raise BadInput(f"{name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{name} is not UTF-8 text: {exc.reason} at byte {exc.start}") from exc


def _texts(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        if name != "-" and Path(name).is_dir():
            paths = sorted(path for path in Path(name).iterdir() if path.suffix in SUFFIXES and path.is_file())
            if len(paths) > MAX_APPLIED:
                raise BadInput(f"{name} has {len(paths)} files, more than {MAX_APPLIED}")
            for path in paths:
                yield str(path), read_text(str(path))
        else:
            yield name, read_text(name)
