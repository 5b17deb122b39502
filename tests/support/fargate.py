"""What Fargate gives a container, and what a lane's task definition and image leave of it: read from infra/."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from cascan.model.shard import Lane
from tests.template.model import PROJECT, TASKS, container_of

# What a container on Fargate starts with, as listed in aws/containers-roadmap#409; it equals Docker's default set.
FARGATE_GIVES = frozenset(
    {
        *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE"),
        *("NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP"),
    }
)
# CPU units → MiB of memory; Amazon ECS developer guide, task definition parameters for Fargate.
FARGATE_SIZES = {
    256: {512, 1024, 2048},
    512: set(range(1024, 4096 + 1, 1024)),
    1024: set(range(2048, 8192 + 1, 1024)),
    2048: set(range(4096, 16384 + 1, 1024)),
    4096: set(range(8192, 30720 + 1, 1024)),
}
PYTHON = str(Path(sys.executable).resolve())  # a virtual environment's links lead out of the container
DOCKERFILE = PROJECT / "infra" / "worker" / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Rights:
    """How a worker of a lane runs."""

    user: str
    capabilities: tuple[str, ...]  # the bounding set: nothing in the container can get more
    nmap_capabilities: str  # of the file, as setcap takes them; empty: none
    read_only: bool
    writable: tuple[str, ...]  # paths with a volume


def rights_of(lane: Lane) -> Rights:
    container = container_of(TASKS[f"{lane.value.capitalize()}Task"])
    dropped = container["LinuxParameters"]["Capabilities"]["Drop"]
    return Rights(
        user=container["User"],
        capabilities=() if dropped == ["ALL"] else tuple(sorted(FARGATE_GIVES - set(dropped))),
        nmap_capabilities=_setcap_in_stage(lane.value),
        read_only=container["ReadonlyRootFilesystem"],
        writable=tuple(mount["ContainerPath"] for mount in container["MountPoints"] if not mount.get("ReadOnly")),
    )


def as_a_task(rights: Rights, *command: str) -> tuple[str, ...]:
    """The command line that runs `command` with these rights, of root; `PYTHON` is Python in there."""
    alone = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=SIGKILL")
    return (*alone, sys.executable, "-m", "tests.lab.container", json.dumps(asdict(rights)), *command)


def _setcap_in_stage(target: str) -> str:
    """What the target's own stage sets on nmap; the stages below it set nothing, as a test of the image asserts."""
    (stage,) = re.findall(
        rf"^FROM \S+ AS {target}$(.*?)(?=^FROM |\Z)", DOCKERFILE.read_text(), re.MULTILINE | re.DOTALL
    )
    found: list[str] = re.findall(r"setcap (\S+) /usr/bin/nmap", stage)
    return found[0] if found else ""
