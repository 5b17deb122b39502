"""functions/requirements.lock is written from wheels: each package once, with the hashes of all its wheels."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "infra" / "lock_packages.py"
specification = importlib.util.spec_from_file_location("lock_packages", SCRIPT)
assert specification is not None
assert specification.loader is not None
lock_packages = importlib.util.module_from_spec(specification)
specification.loader.exec_module(lock_packages)


def test_a_lock_has_each_package_once_with_the_hashes_of_all_its_wheels(tmp_path: Path) -> None:
    names = ("zlib_ng-2.0-cp311-cp311-linux.whl", "Abc-1.1-cp312-cp312-linux.whl", "Abc-1.1-cp311-cp311-linux.whl")
    for name in names:
        (tmp_path / name).write_text(name)
    zlib, *abc = (f"    --hash=sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in names)

    title, *lines = lock_packages.render_lock(tmp_path / name for name in names).splitlines()
    assert title.endswith("Python 3.11 to 3.14. Written by `make lock`.")
    assert lines == ["Abc==1.1 \\", f"{min(abc)} \\", max(abc), "zlib_ng==2.0 \\", zlib]


def test_the_lock_of_the_functions_is_as_the_script_writes_it() -> None:
    lines = (ROOT / "functions" / "requirements.lock").read_text().splitlines()
    packages = [line.partition("==")[0].lower() for line in lines if "==" in line]
    assert lines[0] == lock_packages.TITLE
    assert packages == sorted(packages)
