"""The worker image, built from its Dockerfile and started as the task definitions start it."""

from __future__ import annotations

import json
import subprocess

import pytest

from cascan.model.shard import Lane
from tests.lab import ROOT, Lab
from tests.support.fargate import Rights, rights_of
from tests.support.worker_images import podman, run_as_task, worker_images

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
LANES = pytest.mark.parametrize("lane", [Lane.CONNECT, Lane.RAW])


@pytest.fixture(scope="module")
def images() -> dict[Lane, str]:
    """Both targets of the Dockerfile, built."""
    return worker_images()


def started(
    image: str, rights: Rights, *words: str, network: str = "none", stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """`words` in a container as a task, with the tests at hand."""
    mounts = {ROOT / name: f"/opt/tried/{name}" for name in ("tests", "cascan_cli")}
    environment = {"PYTHONPATH": "/app:/opt/python:/opt/tried", "AWS_SECRET_ACCESS_KEY": "a-secret"}
    return run_as_task(image, rights, *words, network=network, stdin=stdin, environment=environment, mounts=mounts)


@LANES
def test_the_image_runs_as_its_user_and_starts_the_worker_which_names_what_it_is_not_told(
    images: dict[Lane, str], lane: Lane
) -> None:
    (image,) = json.loads(podman("image", "inspect", images[lane]).stdout)
    assert image["Config"]["User"] == "1001:1001"
    worker = started(images[lane], rights_of(lane))
    assert worker.returncode == 1
    assert (
        "SHARD_QUEUE_URL is not set" in worker.stdout
    )  # in its log; all of its code and packages were imported by then


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
