"""functions/requirements.txt → functions/requirements.lock, with the hashes of the wheels for each Python of Lambda.

    make lock        in functions/; downloads the wheels with pip, and needs nothing else

Functions and worker images install what the lock names, and nothing whose hash differs.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parents[1] / "functions"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")  # of the template's PythonRuntime; the worker image has the first
TITLE = (
    "# What requirements.txt needs, with the hashes of its wheels for x86-64 Linux and Python "
    f"{PYTHONS[0]} to {PYTHONS[-1]}. Written by `make lock`."
)


def download(python: str, folder: Path) -> None:
    """Raises: CalledProcessError: a package has no wheel for this Python; pip has printed which."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--only-binary", ":all:", "--platform", "manylinux2014_x86_64", "--implementation", "cp"),
            *("--python-version", python, "--dest", str(folder)),
            *("--requirement", str(FUNCTIONS / "requirements.txt")),
        ],
        check=True,
    )


def render_lock(wheels: Iterable[Path]) -> str:
    """The lock file: each package with its version and the hashes of its wheels, in alphabetical order."""
    hashes: dict[str, set[str]] = {}
    for wheel in wheels:
        name, version, *_ = wheel.name.split("-")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        hashes.setdefault(f"{name}=={version}", set()).add(f"    --hash=sha256:{digest}")
    entries = [" \\\n".join([package, *sorted(hashes[package])]) for package in sorted(hashes, key=str.lower)]
    return "\n".join([TITLE, *entries, ""])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for python in PYTHONS:
            download(python, Path(folder))
        text = render_lock(Path(folder).glob("*.whl"))
    (FUNCTIONS / "requirements.lock").write_text(text)


if __name__ == "__main__":
    main()
