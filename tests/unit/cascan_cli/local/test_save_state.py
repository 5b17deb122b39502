"""The emulator's state is saved as the emulator itself saves it, without copies."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cascan_cli.local.save_state import save_at_once

app: Any = importlib.import_module("ministack.app")
dynamodb: Any = importlib.import_module("ministack.services.dynamodb")
persistence: Any = importlib.import_module("ministack.core.persistence")
ITEM = {"pk": {"S": "scan#1"}, "sk": {"S": "é\u2028"}, "body": {"B": b"\x00\xff"}, "ports": {"L": [{"N": "22"}]}}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for the state of an emulator with one table."""
    monkeypatch.setattr(persistence, "PERSIST_STATE", True)
    monkeypatch.setattr(persistence, "STATE_DIR", str(tmp_path))
    for module, name in ((app, "save_all"), (persistence, "json"), (dynamodb, "copy")):
        monkeypatch.setattr(module, name, getattr(module, name))
    tables = type(dynamodb._tables)()
    tables.set_scoped("000000000000", "us-east-1", "scans", {"items": {"scan#1": {"é": ITEM}}, "KeySchema": []})
    monkeypatch.setattr(dynamodb, "_tables", tables)
    return tmp_path / "dynamodb.json"


def save(state: Path) -> bytes:
    state.unlink(missing_ok=True)
    app.save_all({"dynamodb": dynamodb.get_state})
    return state.read_bytes()


def test_the_files_are_the_same_byte_for_byte_and_can_be_read_again(state: Path) -> None:
    before = save(state)
    save_at_once(app, persistence)
    assert save(state) == before
    assert b"scan#1" in before
    loaded = persistence.load_state("dynamodb")["tables"]
    assert [table["items"]["scan#1"]["é"] for _, table in loaded.all_items()] == [ITEM]


def test_tables_are_not_copied_while_they_are_saved_and_afterwards_as_before(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any, memo: Any = None) -> Any:
        pytest.fail("a table is copied")

    class Uncopied(dict[str, Any]):
        __deepcopy__: Callable[..., Any] = refuse

    dynamodb._tables.set_scoped("000000000000", "us-east-1", "scans", {"items": Uncopied()})
    save_at_once(app, persistence)
    save(state)
    assert dynamodb.copy is copy


def test_a_failed_save_leaves_the_module_as_it_was() -> None:
    def fail(_: Any) -> None:
        raise KeyError

    app.save_all = fail
    save_at_once(app, persistence)
    with pytest.raises(KeyError):
        app.save_all({})
    assert dynamodb.copy is copy
