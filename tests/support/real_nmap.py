"""What the real nmap makes of option lists: each is run in a network of its own, where only loopback is up.

A list is accepted when nmap does its work with it, or is still at work when its time is over; nmap checks its options
before it sends anything. As a program (`python real_nmap.py SECONDS`) it reads lists and writes verdicts, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

ALONE = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
CLEAN = {"PATH": "/usr/bin:/bin", "LANG": "C"}
SIDE_BY_SIDE = 4
SAID_CHARS = 600  # kept of what nmap wrote


class Verdict(msgspec.Struct, frozen=True):
    accepted: bool
    said: str = ""  # the end of what nmap wrote


def may_be_alone() -> bool:
    """Whether this machine lets us make a network namespace."""
    return os.geteuid() == 0 and subprocess.run([*ALONE, "true"], check=False, capture_output=True).returncode == 0


def verdicts(lists: Sequence[Sequence[str]], seconds: float) -> list[Verdict]:
    """What nmap says to each list, in order; `seconds` is the time each may take."""
    command = [*ALONE, sys.executable, str(Path(__file__)), str(seconds)]
    ran = subprocess.run(command, input=json.dumps(list(map(list, lists))), text=True, capture_output=True, check=True)
    return msgspec.json.decode(ran.stdout, type=list[Verdict])


def _verdict(words: Sequence[str], seconds: float) -> Verdict:
    with TemporaryDirectory() as folder:
        process = subprocess.Popen(
            ["nmap", *words],
            cwd=folder,
            env=CLEAN,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Verdict(accepted=True, said="still at work")
        return Verdict(accepted=process.returncode == 0, said=output[-SAID_CHARS:])


if __name__ == "__main__":
    limit_s = float(sys.argv[1])
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:  # most of the time nmap waits for answers
        found = list(pool.map(lambda words: _verdict(words, limit_s), json.load(sys.stdin)))
    sys.stdout.buffer.write(msgspec.json.encode(found))
