"""The command as users install it: source distribution → wheel → an environment without the checkout → a scan."""

from __future__ import annotations

import json
import os
import shutil
import site
import socket
import subprocess
import sys
import tarfile
import venv
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "template.yaml")
BUILT_FROM_FOLDERS = ("functions", "cascan_cli", "infra", "layers")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")
BUILD = "import sys, setuptools.build_meta as b; print(getattr(b, f'build_{sys.argv[1]}')(sys.argv[2]))"
FIRST_SETUPTOOLS = 77  # of pyproject.toml
TIMEOUT_S = 240

pytestmark = pytest.mark.skipif(
    int(version("setuptools").partition(".")[0]) < FIRST_SETUPTOOLS,
    reason=f"setuptools is older than {FIRST_SETUPTOOLS}, which builds the wheel: make setup",
)


def build(kind: str, source: Path, folder: Path) -> Path:
    """What a front end such as pip calls in the folder `source`, without its network."""
    command = [sys.executable, "-c", BUILD, kind, str(folder)]
    result = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    return folder / result.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution: what either lacks is missing in it."""
    folder = tmp_path_factory.mktemp("build")
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in BUILT_FROM:
        shutil.copy2(ROOT / name, checkout)
    for name in BUILT_FROM_FOLDERS:
        shutil.copytree(ROOT / name, checkout / name, ignore=LEFT_OUT)
    with tarfile.open(build("sdist", checkout, folder)) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("cascan-*/")
    return build("wheel", unpacked, folder)


def files_below(folder: Path) -> set[str]:
    paths = (path.relative_to(ROOT) for path in folder.rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in paths
        if path.suffix != ".pyc" and not any(part.endswith(".egg-info") or part.startswith(".") for part in path.parts)
    }


def test_a_wheel_has_every_file_that_a_checkout_deploys(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    bundled = {name.removeprefix("cascan_cli/bundle/") for name in names if name.startswith("cascan_cli/bundle/")}
    deployed = {"template.yaml"}.union(*(files_below(ROOT / name) for name in ("functions", "infra", "layers")))
    assert bundled == deployed
    data = {name.removeprefix("functions/") for name in deployed if name.startswith("functions/cascan/")}
    assert {name for name in data if not name.endswith(".md")} <= names
    assert files_below(ROOT / "cascan_cli") <= names


def test_the_installed_command_scans_without_a_checkout(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # Its dependencies; a .pth in that folder, such as that of an editable cascan, does not count.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--no-compile", str(wheel)], check=True, timeout=TIMEOUT_S)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AWS_"))}
    away = tmp_path / "away"
    away.mkdir()

    def run(*words: str) -> str:
        result = subprocess.run(
            [environment / "bin" / "cascan", *words],
            cwd=away,
            env=variables | {"XDG_STATE_HOME": str(tmp_path / "state")},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert run("--version").startswith("cascan 0.1.0\nnmap ")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        printed = json.loads(run("scan", "127.0.0.1", "--json", "--", "-p", str(port)))
    assert [found["attributes"]["port"] for found in printed["findings"] if found["category"] == "Open Port"] == [port]
    files = subprocess.run([python, "-c", "import cascan; print(cascan.__file__)"], capture_output=True, check=True)
    assert Path(files.stdout.decode().strip()).is_relative_to(packages)
