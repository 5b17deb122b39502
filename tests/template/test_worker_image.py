"""The worker image, as far as its Dockerfile says it: what each target may do, as whom it runs, which nmap it holds."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.template.model import TASKS, container_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "worker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
TARGETS = ["connect", "raw"]


class Instruction(NamedTuple):
    name: str
    argument: str


def stages() -> dict[str, list[Instruction]]:
    """Each stage of the Dockerfile by name; its FROM comes first."""
    lines = [line.split("  #")[0] for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, list[Instruction]] = {"": []}
    stage = ""
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, argument = line.strip().partition(" ")
        if name == "FROM":
            stage = argument.split(" AS ")[1]
            found[stage] = []
        if name:
            found[stage].append(Instruction(name, argument.strip()))
    return found


def instructions(target: str) -> list[Instruction]:
    """What makes `target`, from its base image on: the stages it stands on come first."""
    own = stages()[target]
    below = own[0].argument.split(" AS ")[0]
    return [*(instructions(below) if below in stages() else []), *own]


def arguments(target: str, name: str) -> list[str]:
    return [argument for instruction, argument in instructions(target) if instruction == name]


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_ends_as_user_1001_and_never_runs_its_process_as_root(target: str) -> None:
    assert arguments(target, "USER") == ["1001:1001"]
    assert any("useradd --uid 1001" in run and "--no-create-home" in run for run in arguments(target, "RUN"))


@pytest.mark.parametrize("target", TARGETS)
def test_the_task_definition_of_each_target_runs_it_as_the_same_user(target: str) -> None:
    container = container_of(TASKS[f"{target.capitalize()}Task"])
    assert container["Image"]["Fn::Sub"][0].endswith(f"-{target}")
    assert container["User"] == "1001"


def test_only_the_raw_target_gives_nmap_capabilities_and_only_two() -> None:
    given = re.findall(r"setcap (\S+) (\S+)", "\n".join(arguments("raw", "RUN")))

    assert given == [("cap_net_raw,cap_net_bind_service+eip", "/usr/bin/nmap")]
    assert "setcap" not in "\n".join(arguments("connect", "RUN"))


def test_net_admin_is_nowhere_since_nmap_would_not_start_on_fargate() -> None:
    assert not re.search("net_?admin", DOCKERFILE, re.IGNORECASE)


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_holds_the_pinned_nmap(target: str) -> None:
    assert arguments(target, "ARG") == ["NMAP_VERSION=7.93+dfsg1-1"]
    installed = [
        package for run in arguments(target, "RUN") for package in re.findall(r"(?<=\s)nmap\S*", run.split("setcap")[0])
    ]
    assert installed == ["nmap=${NMAP_VERSION}", "nmap-common=${NMAP_VERSION}"]


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_starts_the_worker_without_a_shell_and_stops_on_sigterm(target: str) -> None:
    (command,) = arguments(target, "CMD")  # the task definition's Command replaces it
    *python, module = json.loads(command)

    assert python == ["python3", "-m"]
    assert (ROOT / "functions" / Path(*module.split("."))).with_suffix(".py").is_file()
    assert arguments(target, "STOPSIGNAL") == ["SIGTERM"]
    assert not arguments(target, "ENTRYPOINT")


@pytest.mark.parametrize("target", TARGETS)
def test_on_a_read_only_root_each_target_writes_below_tmp_alone(target: str) -> None:
    (declared,) = arguments(target, "VOLUME")
    mounted = {mount["ContainerPath"] for mount in container_of(TASKS[f"{target.capitalize()}Task"])["MountPoints"]}
    assert mounted == set(json.loads(declared)) == {"/tmp"}
    environment = " ".join(arguments(target, "ENV")).split()
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert not [setting for setting in environment if setting.startswith("NMAP_PRIVILEGED")]  # the code's decision


def test_the_build_sees_what_it_copies_and_little_else() -> None:
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    seen = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    copies = [i.argument.split() for stage in stages().values() for i in stage if i.name == "COPY"]
    sources = [source.rstrip("/") for *given, _ in copies if not given[0].startswith("--") for source in given]

    assert ignored[1] == "*"
    assert seen == ["functions"]
    assert sorted(sources) == ["functions", "functions/requirements.lock"]
    assert all((ROOT / source).exists() for source in sources)


def test_the_packages_of_the_image_are_those_of_the_lock_by_their_hashes() -> None:
    (install,) = [i.argument for i in stages()["packages"] if "pip install" in i.argument]
    assert "--require-hashes --requirement /requirements.lock" in install
    assert "--only-binary :all:" in install  # nothing is built, so nothing else is downloaded


def test_the_functions_and_the_image_hold_the_packages_that_the_tests_run_with() -> None:
    lines = (ROOT / "functions" / "requirements.txt").read_text().splitlines()
    pinned = {line for line in lines if not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]

    assert all("==" in line for line in pinned)
    installed = {
        line for line in pinned if version(line.partition("==")[0].partition("[")[0]) == line.partition("==")[2]
    }
    assert pinned == installed  # also what our own dependencies pull in
    assert {line for line in project if line.partition("==")[0] in {pin.partition("==")[0] for pin in pinned}} <= pinned
    assert {"boto3==1.43.106", "botocore==1.43.106"} <= pinned  # of one release: the X-Ray SDK would bring any botocore
