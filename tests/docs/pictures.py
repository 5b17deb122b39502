"""Pictures for the documents: where they go, how large they may be, and how the scripts that take them are called.

    python -m tests.docs.terminal_pictures        what commands print, as SVG; as root, with nmap
    python -m tests.docs.console_pictures         the console in a browser, as PNG
    python -m tests.docs.report_pictures          the HTML report in a browser, as PNG

Each takes `NAME …` for these pictures alone, and `--to FOLDER` in place of docs/pictures.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
MAX_BYTES = 150_000  # of one picture in FOLDER: a repository keeps each for ever


@dataclass(frozen=True)
class Album:
    """`names`: of the pictures to take; empty: all."""

    folder: Path
    names: Collection[str] = ()

    def wants(self, name: str) -> bool:
        return not self.names or name in self.names

    def add(self, file_name: str, picture: bytes) -> None:
        """Store the picture and print its size. Raises: SystemExit: it is too large for the repository."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / file_name
        path.write_bytes(picture)
        sys.stdout.write(f"{path}: {len(picture):,} bytes\n")
        if self.folder == FOLDER and len(picture) > MAX_BYTES:
            raise SystemExit(f"{path} has more than {MAX_BYTES:,} bytes")


def open_album(description: str | None, names: Collection[str]) -> Album:
    """The album that the command line asks for. `names`: of all pictures. Ends the program if it is called wrongly."""
    parser = ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="FOLDER", help="default: docs/pictures")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in names]
    if unknown:
        parser.error(f"no picture is named {unknown[0]}; there are {', '.join(names)}")
    return Album(args.to, args.names)
