"""The image of the local stack, by its Dockerfile. infra/local/README.md says what was tried when it was built."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.e2e.test_installed import BUILT_FROM, BUILT_FROM_FOLDERS
from tests.template.model import PROJECT

FOLDER = PROJECT / "infra" / "local"
WORKER = (PROJECT / "infra" / "worker" / "Dockerfile").read_text()
TARGETS = ("connect", "raw")


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Each instruction with its arguments, on one line."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def stages(dockerfile: str) -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage, with those of the stages that it is built on."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for word, arguments in instructions(dockerfile):
        if word == "FROM":
            base, _, name = arguments.split()
            found[name] = list(found.get(base, ()))
        elif name:
            found[name].append((word, arguments))
    return found


OURS = (FOLDER / "Dockerfile").read_text()
STAGES = stages(OURS)


def last(stage: str, word: str) -> str:
    return [arguments for name, arguments in STAGES[stage] if name == word][-1]


@pytest.mark.parametrize("target", TARGETS)
def test_a_container_holds_the_stack_in_the_foreground_as_a_user_who_is_not_root(target: str) -> None:
    assert last(target, "USER") == "1001:1001"
    assert last(target, "ENTRYPOINT") == '["cascan"]'
    assert last(target, "CMD") == '["local", "up", "--foreground"]'
    assert last(target, "STOPSIGNAL") == "SIGTERM"


@pytest.mark.parametrize("target", TARGETS)
def test_the_state_is_on_a_volume_of_that_user_and_no_port_is_published(target: str) -> None:
    assert "/var/lib/cascan" in last(target, "VOLUME")
    assert "XDG_STATE_HOME=/var/lib" in shlex.split(last(target, "ENV"))
    made = "install --directory --mode=0700 --owner=1001 --group=1001 /var/lib/cascan"
    assert any(made in arguments for word, arguments in STAGES[target] if word == "RUN")
    assert not [word for word, _ in STAGES[target] if word == "EXPOSE"]


def test_nmap_and_its_capabilities_are_those_of_the_worker_image() -> None:
    for shared in (r"^ARG (?:DEBIAN|NMAP_VERSION)=\S+$", r"setcap \S+ /usr/bin/nmap"):
        assert re.findall(shared, OURS, re.MULTILINE) == re.findall(shared, WORKER, re.MULTILINE) != []
    assert not any("setcap" in arguments for _, arguments in STAGES["connect"])


def test_the_build_sees_what_a_wheel_is_built_from_and_nothing_else() -> None:
    lines = Path(FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == {*BUILT_FROM, *BUILT_FROM_FOLDERS}
