"""The state of a service is restored when the service is loaded."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cascan_cli.local import restore
from cascan_cli.local.restore import restore_on_import

SERVICE = """
state = []

def load_persisted_state(data):
    if data == "damaged":
        raise ValueError(data)
    state.append(data)
"""
SAVED = {"poller": "queues", "poller_details": "details", "stacks": "templates", "broken": "damaged", "empty": None}


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An emulator with a few services, of which it needs one."""
    package = tmp_path / "services_under_test"
    package.mkdir()
    for name in ("__init__", "poller", "stacks", "broken", "empty", "stateless", "lambda_svc"):
        (package / f"{name}.py").write_text(SERVICE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(restore, "PACKAGE", "services_under_test.")
    monkeypatch.setattr(restore, "NEEDED", ("poller",))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for name in [name for name in sys.modules if name.startswith("services_under_test")]:
        monkeypatch.delitem(sys.modules, name)
    modules = {key: key.partition("_")[0] for key in SAVED}
    return SimpleNamespace(
        _state_map=modules,
        load_state=SAVED.get,
        _get_module=load,
        _load_persisted_state=lambda: pytest.fail("every service is loaded"),
    )


def load(name: str) -> Any:
    return importlib.import_module(f"services_under_test.{name}")


def test_a_start_loads_the_needed_services_and_others_are_restored_when_they_are_used(app: Any) -> None:
    restore_on_import(app)
    app._load_persisted_state()
    assert sys.modules["services_under_test.poller"].state == ["queues", "details"]
    assert "services_under_test.stacks" not in sys.modules
    assert load("stacks").state == ["templates"]
    assert load("stacks").state == ["templates"]
    assert load("empty").state == load("stateless").state == []


def test_a_service_that_was_loaded_before_is_restored_at_once(app: Any) -> None:
    module = load("stacks")
    restore_on_import(app)
    assert module.state == ["templates"]


def test_a_damaged_state_is_logged_as_not_restored(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    restore_on_import(app)
    assert load("broken").state == []
    assert "the saved state of broken cannot be restored" in caplog.text


def test_the_emulator_has_the_parts_that_are_changed() -> None:
    app = importlib.import_module("ministack.app")
    runtime = importlib.import_module("ministack.core.lambda_runtime")
    assert {restore.PACKAGE + name for name in restore.NEEDED} <= {
        restore.PACKAGE + module for module in app._state_map.values()
    }
    assert app._load_persisted_state.__name__ == "_load_persisted_state"
    assert hasattr(app._get_module("lambda_svc"), "_ESM_IDLE_WAKE_GAP_SECONDS")
    assert {"Popen"} <= set(vars(runtime.subprocess))
    assert {"ZipFile"} <= set(vars(runtime.zipfile))
