"""What a deployment is made of: the files that go in, in a fixed order, and a digest of them and the parameters."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cascan_cli.errors import DeployFailed

LEFT_OUT_FOLDERS = ("__pycache__",)
LEFT_OUT_SUFFIXES = (".pyc", ".egg-info")


def list_files(path: Path) -> Iterator[Path]:
    """The files that are packaged, in order of their path; the path itself when it is a file.

    Hidden files, byte code and package metadata stay out. Raises: DeployFailed: there is nothing at the path.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise DeployFailed(f"{path} is not there, and the template names it")
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if _packaged(name))
        for name in sorted(names):
            if _packaged(name):
                yield Path(folder, name)


def compute_fingerprint(root: Path, sources: Iterable[str], parameters: Mapping[str, str]) -> str:
    """A digest of the parameters and of every file of the sources, which are paths relative to `root`."""
    digest = hashlib.sha256(json.dumps(sorted(parameters.items())).encode())
    for source in sources:
        for path in list_files(root / source):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(root)}\0{content}\n".encode())
    return digest.hexdigest()


def _packaged(name: str) -> bool:
    return not name.startswith(".") and name not in LEFT_OUT_FOLDERS and not name.endswith(LEFT_OUT_SUFFIXES)
