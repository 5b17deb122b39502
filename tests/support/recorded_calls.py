"""What each function and task calls, as its tests record it: a line for each kind of call in recorded-calls.txt.

A line has a role, an action, a resource, and the values of the condition keys that a policy of the role names. Ids are
replaced by `*`.

Three checks keep the file true. A call that is not in it fails the test that makes the call. A line that no test of
tests/integration/handlers makes fails a run of all of them, at its end. tests/template/test_recorded_calls.py compares
the file with the roles, both ways. `CASCAN_RECORD_CALLS=1 pytest tests/integration/handlers` writes it; a run of some
of these tests adds their lines.

It does not see calls of AWS services on behalf of a role (Lambda reading its queue, ECS pulling an image), nor calls
that only the end-to-end tests make: there the emulator's authorisation refuses what a role does not allow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.policies import Permission

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "template" / "recorded-calls.txt"
FOLDER = "tests/integration/handlers"
IS_RECORDING = bool(os.environ.get("CASCAN_RECORD_CALLS"))
COMMAND = f"CASCAN_RECORD_CALLS=1 .venv/bin/python -m pytest {FOLDER}"
IDS = (
    (re.compile(r"(Storage/ReportBucket\.Arn/(?:vuls/)?\w+)/.*"), r"\1/*"),
    (re.compile(r"(.*:task-definition/.+):[^:]*"), r"\1:*"),
    (re.compile(r"(.*:task/Workers/Cluster)/.*"), r"\1/*"),
)
LEADING_KEY = re.compile(r"([^/]+)/.*")

_seen: set[str] = set()  # of this process, and at the end of a run of several processes of all


def to_lines(role: str, permission: Permission, judged_keys: Collection[str]) -> Iterator[str]:
    """A line for each leading key, or one. Of other keys than the judged ones the line says nothing."""
    resource = permission.resource
    for ids, replacement in IDS:
        resource = ids.sub(replacement, resource)
    context = {key: values for key, values in permission.context.items() if key in judged_keys}
    leading_keys = context.pop("dynamodb:leadingkeys", ())
    words = [role, permission.action, resource, *(f"{key}={values[0]}" for key, values in sorted(context.items()))]
    if not leading_keys:
        yield " ".join(words)
    for key in leading_keys:
        pattern = LEADING_KEY.sub(r"\1/*", key)
        yield " ".join([*words, f"dynamodb:leadingkeys={pattern}"])


def parse_line(line: str) -> tuple[str, Permission]:
    """The role, and what it needs."""
    role, action, resource, *keys = line.split()
    context = dict(key.split("=", 1) for key in keys)
    return role, Permission(action, resource, {name: (value,) for name, value in context.items()})


@cache
def read_lines() -> tuple[str, ...]:
    return tuple(FILE.read_text(encoding="utf-8").splitlines()) if FILE.exists() else ()


def note(role: str, permissions: Iterable[Permission], judged_keys: Collection[str]) -> list[str]:
    """Remember what was called. Returns the lines that the file does not have, unless it is being written."""
    lines = {line for permission in permissions for line in to_lines(role, permission, judged_keys)}
    _seen.update(lines)
    return [] if IS_RECORDING else sorted(lines.difference(read_lines()))


def hand_over(config: Any) -> None:
    """At the end of a process of pytest-xdist: give the controller what was seen."""
    if hasattr(config, "workeroutput"):
        config.workeroutput["recorded_calls"] = sorted(_seen)


def take_over(node: Any) -> None:
    """In the controller, at the end of a process."""
    _seen.update(getattr(node, "workeroutput", {}).get("recorded_calls", ()))


def is_complete(config: Any, passed: Iterable[str]) -> bool:
    """Whether the run had every test that records calls. `passed`: the ids of the tests that passed."""
    options = config.option
    is_selection = bool(options.keyword or options.markexpr or any("::" in argument for argument in config.args))
    ran = {node_id.partition("::")[0] for node_id in passed}
    return not is_selection and {f"{FOLDER}/{path.name}" for path in (ROOT / FOLDER).glob("test_*.py")} <= ran


def finish(*, complete: bool) -> list[str]:
    """At the end of a run. Returns the lines of the file that no test made, if all of them ran.

    If that was asked for, the file is written: a complete run replaces its lines, another one adds to them.
    """
    if IS_RECORDING:
        lines = _seen if complete else _seen.union(read_lines())
        FILE.write_text("".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8")
    if IS_RECORDING or not complete:
        return []
    return [line for line in read_lines() if line not in _seen]
