"""Whether what is deployed is still what the files hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cascan_cli.local import deployment
from cascan_cli.local.deployment import find_current_outputs
from cascan_cli.local.fingerprint import compute_fingerprint
from cascan_cli.local.state import Deployment, StateDir

PARAMETERS = {"AllowedTargets": "127.0.0.1"}
OUTPUTS = {"Queue": "http://queue"}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "template.yaml"
    (path.parent / "functions").mkdir(parents=True)
    path.write_text("a template")
    (path.parent / "functions" / "app.py").write_text("one = 1")
    return path


@pytest.fixture
def state(tmp_path: Path, template: Path) -> StateDir:
    """A directory in which these files are deployed."""
    state = StateDir(tmp_path / "state")
    sources = ("functions", "template.yaml")
    fingerprint = compute_fingerprint(template.parent, sources, PARAMETERS)
    state.write_deployment(Deployment(fingerprint, sources, PARAMETERS, OUTPUTS))
    return state


def test_files_are_read_once_while_none_of_them_is_written(
    state: StateDir, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_current_outputs(state, template, PARAMETERS) == OUTPUTS
    monkeypatch.setattr(deployment, "compute_fingerprint", lambda *_: pytest.fail("the files are read"))
    assert find_current_outputs(state, template, PARAMETERS) == OUTPUTS


def test_a_change_of_the_same_size_and_time_is_noticed(state: StateDir, template: Path) -> None:
    assert find_current_outputs(state, template, PARAMETERS) == OUTPUTS
    module = template.parent / "functions" / "app.py"
    status = module.stat()
    module.write_text("two = 2")
    os.utime(module, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert find_current_outputs(state, template, PARAMETERS) is None
    module.write_text("one = 1")
    assert find_current_outputs(state, template, PARAMETERS) == OUTPUTS


def test_other_parameters_and_missing_files_are_not_current(state: StateDir, template: Path) -> None:
    assert find_current_outputs(state, template, PARAMETERS) == OUTPUTS
    assert find_current_outputs(state, template, {"AllowedTargets": "10.0.0.1"}) is None
    template.unlink()
    assert find_current_outputs(state, template, PARAMETERS) is None


def test_a_damaged_stamp_only_costs_time(state: StateDir, template: Path) -> None:
    (state.root / "stamp.json").write_text("{")
    assert find_current_outputs(state, template, PARAMETERS) == OUTPUTS
