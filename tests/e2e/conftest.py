"""One stack on this machine for the tests of the pipeline, and services for nmap to find."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.cascan_command import ROOT, Cascan, stack_up

SERVE = """
import json, sys
from tests.data.services import services
with services() as ports:
    print(json.dumps(ports), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def lab() -> Iterator[dict[str, int]]:
    """Service → port on 127.0.0.1; in a process of their own, which ends when its standard input does."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as serving:
        assert serving.stdin
        assert serving.stdout
        yield json.loads(serving.stdout.readline())
        serving.stdin.close()


@pytest.fixture(scope="package")
def cascan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cascan]:
    """The command, with its stack up until the last test of this folder: a stack that idles takes a part of a core."""
    with stack_up(Cascan(tmp_path_factory.mktemp("stack"))) as command:
        yield command
