"""The worker image of this tree, built with podman on a base made with debootstrap. No registry is asked.

The packages come from where this machine's apt and pip get theirs. What was built stays with podman, so that the next
run takes seconds: `podman rmi -a` drops it. Tests that run side by side build it once: the others wait.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from cascan.model.shard import Lane
from tests.support.fargate import DOCKERFILE, Rights

ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
BASE = f"localhost/cascan-test-base:{SUITE}"
NEEDS = ("podman", "runc", "debootstrap")
PODMAN = ("podman", "--runtime", "runc")  # crun does not run on every kernel that runc runs on
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")  # podman asks for more than some may have
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LOCK = Path(tempfile.gettempdir()) / f"cascan-test-images-{os.geteuid()}.lock"
LANES = (Lane.CONNECT, Lane.RAW)


def podman(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PODMAN, *words], input=stdin, capture_output=True, text=True, check=False, cwd=ROOT)


def worker_images() -> dict[Lane, str]:
    """The image of each target of the Dockerfile. The test is skipped where none can be built."""
    if os.geteuid() != 0:
        pytest.skip("making a base image needs root")
    missing = [program for program in NEEDS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: ./.ci/install {' '.join(missing)}")
    tried = podman("info")
    if tried.returncode:
        pytest.skip(f"podman does not run here: {tried.stderr.strip()[-300:]}")
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if podman("image", "exists", BASE).returncode:
            with tempfile.TemporaryDirectory() as folder:
                _make_base(Path(folder) / "root")
        return {lane: _build(lane) for lane in LANES}


def _make_base(root: Path) -> None:
    """A minimal Debian that trusts the certificates that this machine trusts."""
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", SUITE, str(root)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"debootstrap does not reach a mirror: {(made.stdout + made.stderr).strip()[-300:]}")
    if CERTIFICATES.exists():
        (root / "etc/ssl").mkdir(exist_ok=True)
        shutil.copy(CERTIFICATES, root / "etc/ssl/machine.pem")
        (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/machine.pem\n")
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as packed:
        imported = subprocess.run(
            [*PODMAN, "import", "-", BASE], stdin=packed.stdout, capture_output=True, text=True, check=False
        )
    assert imported.returncode == 0, imported.stderr


def _build(lane: Lane) -> str:
    name = f"localhost/cascan-test-worker:{lane.value}"
    ignored = ("--ignorefile", f"{DOCKERFILE}.dockerignore")  # docker finds it by its name; podman needs the option
    source = ("--build-arg", f"DEBIAN={BASE}", "--network", "host", "-f", str(DOCKERFILE), *ignored)
    built = podman("build", *LIMITS, *source, "--target", lane.value, "-t", name, ".")
    assert built.returncode == 0, (built.stdout + built.stderr)[-3000:]
    return name


def run_as_task(
    image: str,
    rights: Rights,
    *words: str,
    network: str = "none",
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    mounts: Mapping[Path, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `words` in a container that has what the task definition gives it, and nothing of podman's defaults.

    `mounts`: path on this machine → path in the container, read-only.
    """
    rights_given = [f"--cap-add={name}" for name in rights.capabilities]
    rights_given += [f"--tmpfs={path}:mode=1777" for path in rights.writable]
    if rights.read_only:
        rights_given += ["--read-only", "--read-only-tmpfs=false"]
    volumes = [f"--volume={source}:{target}:ro" for source, target in (mounts or {}).items()]
    variables = [f"--env={name}={value}" for name, value in (environment or {}).items()]
    place = [*LIMITS, f"--user={rights.user}", f"--network={network}", *volumes, *variables, image, *words]
    return podman("run", "--rm", "-i", "--cap-drop=ALL", *rights_given, *place, stdin=stdin)
