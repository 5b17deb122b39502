"""The worker image, built from its Dockerfile and started as the task definitions start it. No registry is asked.

The base image is made with debootstrap; the packages come from where this machine's apt and pip get theirs. What was
built stays with podman, so that the next run takes seconds: `podman rmi -a` drops it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cascan.model.shard import Lane
from tests.lab import ROOT, Lab
from tests.support.fargate import DOCKERFILE, Rights, rights_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
SUITE = "bookworm"
BASE = f"localhost/cascan-test-base:{SUITE}"
NEEDS = ("podman", "runc", "debootstrap")
PODMAN = ("podman", "--runtime", "runc")  # crun is not to be had on every kernel that runc is
LIMITS = (
    "--ulimit",
    "nofile=1024:1024",
    "--ulimit",
    "nproc=1024:1024",
)  # podman asks for more than some may have
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
Ran = subprocess.CompletedProcess[str]
LANES = pytest.mark.parametrize("lane", [Lane.CONNECT, Lane.RAW])


def podman(*words: str, stdin: str = "") -> Ran:
    return subprocess.run([*PODMAN, *words], input=stdin, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A minimal Debian that trusts whom this machine trusts."""
    if os.geteuid() != 0:
        pytest.skip("making a base image needs root")
    missing = [program for program in NEEDS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: ./.ci/install {' '.join(missing)}")
    tried = podman("info")
    if tried.returncode:
        pytest.skip(f"podman does not run here: {tried.stderr.strip()[-300:]}")
    if podman("image", "exists", BASE).returncode:
        _make_base(tmp_path_factory.mktemp("base") / "root")
    return BASE


def _make_base(root: Path) -> None:
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", SUITE, str(root)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"debootstrap has no way to a mirror: {(made.stdout + made.stderr).strip()[-300:]}")
    if CERTIFICATES.exists():
        (root / "etc/ssl").mkdir(exist_ok=True)
        shutil.copy(CERTIFICATES, root / "etc/ssl/machine.pem")
        (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/machine.pem\n")
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as packed:
        imported = subprocess.run(
            [*PODMAN, "import", "-", BASE], stdin=packed.stdout, capture_output=True, text=True, check=False
        )
    assert imported.returncode == 0, imported.stderr
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def images(base: str) -> dict[Lane, str]:
    """Both targets of the Dockerfile, built."""
    names = {lane: f"localhost/cascan-test-worker:{lane.value}" for lane in (Lane.CONNECT, Lane.RAW)}
    for lane, name in names.items():
        ignored = ("--ignorefile", f"{DOCKERFILE}.dockerignore")  # docker finds it by its name, podman is told
        source = ("--build-arg", f"DEBIAN={base}", "--network", "host", "-f", str(DOCKERFILE), *ignored)
        built = podman("build", *LIMITS, *source, "--target", lane.value, "-t", name, ".")
        assert built.returncode == 0, (built.stdout + built.stderr)[-3000:]
    return names


def started(image: str, rights: Rights, *words: str, network: str = "none", stdin: str = "") -> Ran:
    """`words` in a container that has what the task definition gives it, and nothing of podman's defaults."""
    given = [f"--cap-add={name}" for name in rights.capabilities]
    writable = [f"--tmpfs={path}:mode=1777" for path in rights.writable]
    read_only = ["--read-only", "--read-only-tmpfs=false"] if rights.read_only else []
    tests = [f"--volume={ROOT / name}:/opt/tried/{name}:ro" for name in ("tests", "cascan_cli")]
    environment = ["--env=PYTHONPATH=/app:/opt/python:/opt/tried", "--env=AWS_SECRET_ACCESS_KEY=a-secret"]
    rest = [*LIMITS, f"--user={rights.user}", f"--network={network}", *tests, *environment, image, *words]
    return podman("run", "--rm", "-i", "--cap-drop=ALL", *given, *read_only, *writable, *rest, stdin=stdin)


@LANES
def test_the_image_runs_as_its_user_and_starts_the_worker_which_names_what_it_is_not_told(
    images: dict[Lane, str], lane: Lane
) -> None:
    (image,) = json.loads(podman("image", "inspect", images[lane]).stdout)
    assert image["Config"]["User"] == "1001:1001"
    worker = started(images[lane], rights_of(lane))
    assert worker.returncode == 1
    assert "SHARD_QUEUE_URL is not set" in worker.stderr  # all of its code and packages were imported by then


@LANES
def test_the_image_writes_nowhere_but_to_tmp(images: dict[Lane, str], lane: Lane) -> None:
    places = ["/", "/app", "/etc", "/opt/python", "/usr/bin", "/tmp"]
    tried = started(images[lane], rights_of(lane), "touch", *(f"{place}/written" for place in places))

    assert [line.rpartition(": ")[2] for line in tried.stderr.splitlines()] == ["Read-only file system"] * 5


@pytest.mark.parametrize(
    ("lane", "parameters"), [(Lane.CONNECT, "-sT -n -sV -p 22,80"), (Lane.RAW, "-sS -sU -O -n -p T:22,80,U:53")]
)
def test_the_image_scans_a_host_of_the_lab_with_the_rights_of_its_task(
    images: dict[Lane, str], network_lab: Lab, lane: Lane, parameters: str
) -> None:
    request = json.dumps({"targets": [network_lab.address("web")], "parameters": parameters.split()})
    network = f"ns:/proc/{network_lab.pid}/ns/net"
    worked = started(
        images[lane], rights_of(lane), "python3", "-m", "tests.lab.one_shard", network=network, stdin=request
    )
    assert worked.returncode == 0, worked.stderr
    answer = json.loads(worked.stdout)

    assert (answer["did"], answer["run"]["exit_code"], answer["run"]["stderr"]) == ("reported", 0, "")
    assert answer["rights"]["Uid"].split() == ["1001"] * 4
    assert '<port protocol="tcp" portid="80"><state state="open"' in answer["report"]
    assert ("<os>" in answer["report"]) == (lane is Lane.RAW)
