"""Vuls' results: the files of one run, and the folder that the copies go to.

Vuls keeps a folder for each run, named by its time, and `current`, a link to the newest. The copies
get the same names below another folder, so that `vuls report -results-dir FOLDER` reads them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cascan.limits import MAX_VULS_RESULTS_BYTES
from cascan_cli.errors import BadInput

RUN = re.compile(r"\d{4}-\d\d-\d\dT\d\d[:-]?\d\d[:-]?\d\d(Z|[+-]\d\d[:-]?\d\d)")
NEWEST = "current"
DEFAULT_FOLDER = Path("cascan-results")


class ResultsFile(NamedTuple):
    path: Path
    run: str  # the name of its run's folder; empty: it is in none

    def copy_path(self, folder: Path) -> Path:
        return folder / self.run / self.path.name

    def read(self) -> bytes:
        """The bytes; of a file that is too long, as many as show that it is."""
        with self.path.open("rb") as file:
            return file.read(MAX_VULS_RESULTS_BYTES + 1)


def find_results(path: Path) -> list[ResultsFile]:
    """The results of the file; or of a folder: its own, or those of its newest run.

    Raises: BadInput: there are none.
    """
    if path.is_file():
        return [_to_results(path)]
    if not path.is_dir():
        raise BadInput(f"{path}: there is no such file or folder")
    for folder in _list_folders(path):
        files = sorted(file for file in folder.iterdir() if file.suffix == ".json" and file.is_file())
        if files:
            return [_to_results(file) for file in files]
    raise BadInput(f"{path} has no results: neither *.json, nor a folder of a run with some")


def _list_folders(path: Path) -> Iterator[Path]:
    """The folder, if it is one of a run; its `current`; its newest run; else the folder itself."""
    if (path / NEWEST).is_dir():
        yield (path / NEWEST).resolve()
    runs = [folder for folder in path.iterdir() if RUN.fullmatch(folder.name) and folder.is_dir()]
    if runs:
        yield max(runs, key=lambda folder: folder.name)
    yield path


def _to_results(path: Path) -> ResultsFile:
    run = path.resolve().parent.name
    return ResultsFile(path, run if RUN.fullmatch(run) else "")


def write_copy(data: bytes, original: Path, copy: Path) -> None:
    """Write the copy; a reader gets an earlier copy or this one, and never a part.

    Raises: BadInput: the copy would replace its original.
    """
    if copy.exists() and copy.samefile(original):
        raise BadInput(f"{copy} is the original, which is never changed; name another folder with -o")
    copy.parent.mkdir(parents=True, exist_ok=True)
    draft = copy.with_name(f".{copy.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(copy)
    finally:
        draft.unlink(missing_ok=True)
