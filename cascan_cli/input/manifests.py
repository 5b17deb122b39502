"""The manifests in files and folders that the command line names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cascan.errors import RequestRefused
from cascan.forms.documents import read_documents
from cascan.limits import MAX_APPLIED, MAX_REQUEST_BYTES
from cascan_cli.errors import BadInput
from cascan_cli.input.text_file import read_text_file

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = MAX_REQUEST_BYTES * 16


def read_manifests(names: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    """Each manifest with the name of its file.

    Raises: BadInput: every problem, with the name of its file.
    """
    manifests: list[tuple[str, dict[str, Any]]] = []
    problems: list[str] = []
    for name, text in _read_files(names):
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
    """The text of the file; `-` reads standard input.

    Raises: BadInput: it cannot be read, is too long, or is not UTF-8.
    """
    return read_text_file(name, MAX_FILE_BYTES)


def _read_files(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name and text of each file, and of each manifest file in a folder."""
    for name in names:
        if name != "-" and Path(name).is_dir():
            files = (path for path in Path(name).iterdir() if path.is_file())
            paths = sorted(path for path in files if path.suffix in SUFFIXES)
            if len(paths) > MAX_APPLIED:
                raise BadInput(f"{name} has {len(paths)} files, more than {MAX_APPLIED}")
            for path in paths:
                yield str(path), read_text(str(path))
        else:
            yield name, read_text(name)
