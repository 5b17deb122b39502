"""The saved table answers reads as the emulator does, and is read only while nothing has run since."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascan_cli.local import save_table as save_module
from cascan_cli.local.save_table import EMULATOR_FILE, NotSaved, save_table
from cascan_cli.local.saved_table import SavedTable, open_saved_table
from cascan_cli.local.state import StateDir
from tests.support.emulated_table import EmulatedTable

TABLE = "scan-table"
TEXTS = ("a", "a/", "a/b", "a/b/c", "b", "é", "퟿", "\ue000", "\U0010ffff", "a\U0010ffffz", "z")
CONDITIONS = (
    "{sort} {operator} :value",
    "begins_with({sort}, :prefix)",
    "{sort} BETWEEN :low AND :high",
)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatedTable, SavedTable]]:
    """A table of the emulator with some items, and what is saved of it."""
    table = EmulatedTable(TABLE)
    table.put(build_item(pk, sk) for pk in TEXTS for sk in TEXTS)
    saved = SavedTable(save(table, tmp_path_factory.mktemp("state")))
    yield table, saved
    saved.close()


def build_item(pk: str, sk: str) -> dict[str, Any]:
    item = {"pk": {"S": pk}, "sk": {"S": sk}, "state": {"S": "open"}, "body": {"B": "AAEC"}, "count": {"N": "12"}}
    if sk in ("a", "b", "z"):  # of a listing, in which several items have one place
        item |= {"listing": {"S": "scans" if sk == "a" else "others"}, "listed_at": {"S": pk[:1]}}
    return item


def save(table: EmulatedTable, folder: Path, *, within_s: float = 60.0) -> Path:
    state = folder / "emulator"
    state.mkdir(exist_ok=True)
    (state / EMULATOR_FILE).write_text("{}")
    save_table(table.tables, None, state, folder / "table.sqlite", time.monotonic() + within_s)
    return folder / "table.sqlite"


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    """A query as the gateways send them, of the table or of its index."""
    is_index = draw(st.booleans())
    partition, sort = ("listing", "listed_at") if is_index else ("pk", "sk")
    texts = st.sampled_from(TEXTS)
    low, high = sorted((draw(texts), draw(texts)))
    bounds = {":value": low, ":prefix": low, ":low": low, ":high": high}
    condition = draw(st.sampled_from(("", *CONDITIONS)))
    condition = condition.format(sort=sort, operator=draw(st.sampled_from(("<", "<=", ">", ">=", "="))))
    used = {name: {"S": text} for name, text in bounds.items() if name in condition}
    chosen = draw(st.sampled_from(("scans", "others", "none"))) if is_index else draw(texts)
    query: dict[str, Any] = {
        "TableName": TABLE,
        "KeyConditionExpression": f"{partition} = :partition" + (f" AND {condition}" if condition else ""),
        "ExpressionAttributeValues": {":partition": {"S": chosen}} | used,
        "ScanIndexForward": draw(st.booleans()),
    }
    if is_index:
        query["IndexName"] = "listing"
    else:
        query["ConsistentRead"] = True
    if draw(st.booleans()):
        query["Limit"] = draw(st.integers(1, 4))
    if draw(st.booleans()):
        query |= {"ProjectionExpression": "pk, #state, #absent"}
        query |= {"ExpressionAttributeNames": {"#state": "state", "#absent": "absent"}}
    return query


@given(queries())
def test_the_pages_of_a_query_are_those_of_the_emulator(
    emulated: tuple[EmulatedTable, SavedTable], query: dict[str, Any]
) -> None:
    table, saved = emulated
    for _ in range(len(TEXTS) ** 2):
        page = answer(saved, "Query", query)
        assert page == table.call("Query", query)
        if "LastEvaluatedKey" not in page:
            return
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    pytest.fail("the pages do not end")


@given(st.lists(st.tuples(*[st.sampled_from((*TEXTS, "absent"))] * 2), min_size=1, max_size=8, unique=True))
def test_items_read_by_key_are_those_of_the_emulator(
    emulated: tuple[EmulatedTable, SavedTable], keys: list[tuple[str, str]]
) -> None:
    table, saved = emulated
    wire = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys]
    batch = {"RequestItems": {TABLE: {"Keys": wire, "ConsistentRead": True}}}
    assert answer(saved, "BatchGetItem", batch) == table.call("BatchGetItem", batch)
    get: dict[str, Any] = {"TableName": TABLE, "Key": wire[0], "ConsistentRead": True}
    assert answer(saved, "GetItem", get) == table.call("GetItem", get)
    get |= {"ProjectionExpression": "#pk, #count", "ExpressionAttributeNames": {"#pk": "pk", "#count": "count"}}
    assert answer(saved, "GetItem", get) == table.call("GetItem", get)


def answer(saved: SavedTable, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    content = saved.answer(operation, json.dumps(request).encode())
    assert content is not None, request
    read: dict[str, Any] = json.loads(content)
    return read


KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
QUERY = {
    "TableName": TABLE,
    "KeyConditionExpression": "pk = :pk",
    "ExpressionAttributeValues": {":pk": {"S": "a"}},
}


@pytest.mark.parametrize(
    ("operation", "request_body"),
    [
        ("PutItem", {"TableName": TABLE, "Item": KEY}),
        ("Scan", {"TableName": TABLE}),
        ("TransactWriteItems", {"TransactItems": []}),
        ("GetItem", {"TableName": "another", "Key": KEY}),
        ("GetItem", {"TableName": TABLE, "Key": KEY, "AttributesToGet": ["pk"]}),
        ("GetItem", {"TableName": TABLE, "Key": KEY, "ProjectionExpression": "a.b"}),
        ("BatchGetItem", {"RequestItems": {TABLE: {"Keys": [KEY], "ProjectionExpression": "pk"}}}),
        ("BatchGetItem", {"RequestItems": {TABLE: {"Keys": [KEY]}, "another": {"Keys": [KEY]}}}),
        ("Query", QUERY | {"FilterExpression": "attribute_exists(pk)"}),
        ("Query", QUERY | {"Select": "COUNT"}),
        ("Query", QUERY | {"IndexName": "another"}),
        ("Query", QUERY | {"KeyConditionExpression": "sk = :pk"}),
        ("Query", QUERY | {"KeyConditionExpression": "pk = :pk AND state = :pk"}),
        ("Query", QUERY | {"KeyConditionExpression": "pk = :pk OR pk = :pk"}),
        ("Query", QUERY | {"ExpressionAttributeValues": {":pk": {"N": "1"}}}),
    ],
)
def test_what_it_does_not_understand_is_left_to_the_stack(
    emulated: tuple[EmulatedTable, SavedTable], operation: str, request_body: dict[str, Any]
) -> None:
    assert emulated[1].answer(operation, json.dumps(request_body).encode()) is None


def test_pages_without_a_limit_end_after_a_megabyte(tmp_path: Path) -> None:
    table = EmulatedTable(TABLE)
    large = {"text": {"S": "x" * 300_000}}
    table.put(build_item("large", str(number)) | large for number in range(7))
    saved = SavedTable(save(table, tmp_path))
    query = QUERY | {"ExpressionAttributeValues": {":pk": {"S": "large"}}}
    pages = [answer(saved, "Query", query)]
    while "LastEvaluatedKey" in pages[-1]:
        pages.append(answer(saved, "Query", query | {"ExclusiveStartKey": pages[-1]["LastEvaluatedKey"]}))
    saved.close()
    assert [[item["sk"]["S"] for item in page["Items"]] for page in pages] == [list("0123"), list("456")]


# ---- when it is read


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """Of a stack that has ended in order, and saved its table for reading."""
    state = StateDir(tmp_path / "state")
    table = EmulatedTable(TABLE)
    table.put([build_item("a", "a"), build_item("a", "b")])
    (state.emulator_state / EMULATOR_FILE).write_text("{}")
    save_table(table.tables, None, state.emulator_state, state.saved_table, time.monotonic() + 60)
    state.exit_status.write_text("0")
    return state


def opens(state: StateDir) -> bool:
    saved = open_saved_table(state)
    if saved is None:
        return False
    saved.close()
    return True


def test_it_is_read_after_a_stack_has_ended_in_order(state: StateDir) -> None:
    saved = open_saved_table(state)
    assert saved is not None
    assert saved.name == TABLE
    assert saved.scan_states == {"open"}
    assert abs(saved.saved_at.timestamp() - time.time()) < 60
    assert state.saved_table.stat().st_mode & 0o777 == 0o600
    saved.close()


def test_it_is_not_read_once_a_stack_has_begun_to_start(state: StateDir) -> None:
    saved = open_saved_table(state)
    assert saved is not None
    state.begin_run()
    assert not opens(state)
    # A command that began before goes on with what it opened
    assert answer(saved, "GetItem", {"TableName": TABLE, "Key": KEY})["Item"]["sk"] == {"S": "b"}
    saved.close()


def damage_format(state: StateDir) -> None:
    with sqlite3.connect(state.saved_table) as file:
        file.execute("UPDATE about SET value = '0' WHERE name = 'format'")
    file.close()


def cut_off(state: StateDir) -> None:
    os.truncate(state.saved_table, 5_000)


def save_again(state: StateDir) -> None:
    """As a version of cascan does that does not know the file."""
    draft = state.emulator_state / "draft"
    draft.write_text("{}")
    draft.replace(state.emulator_state / EMULATOR_FILE)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda state: state.exit_status.write_text("137"), id="the emulator was killed at its end"),
        pytest.param(lambda state: state.exit_status.unlink(), id="the emulator has not ended"),
        pytest.param(lambda state: state.deploying.touch(), id="a deployment was cut off"),
        pytest.param(lambda state: (state.root / "rebuild").touch(), id="the tables are to be rebuilt"),
        pytest.param(save_again, id="another stack has saved its state since"),
        pytest.param(lambda state: (state.emulator_state / EMULATOR_FILE).unlink(), id="the saved state is removed"),
        pytest.param(damage_format, id="another version wrote it"),
        pytest.param(cut_off, id="it is cut off"),
        pytest.param(lambda state: state.saved_table.write_text("no database"), id="it is something else"),
        pytest.param(lambda state: state.saved_table.write_text(""), id="it is empty"),
        pytest.param(lambda state: state.saved_table.unlink(), id="there is none"),
    ],
)
def test_it_is_not_read_in_doubt(state: StateDir, change: Any) -> None:
    change(state)
    assert not opens(state)


# ---- when it is written


@pytest.mark.parametrize(("limit", "value"), [("MAX_ITEMS", 1), ("MAX_ITEM_BYTES", 10)])
def test_a_table_beyond_a_limit_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(save_module, limit, value)
    refuse_to_save(tmp_path, within_s=60)


def test_a_table_that_takes_too_long_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save_module, "CHECK_EVERY", 1)
    refuse_to_save(tmp_path, within_s=-1)


def refuse_to_save(folder: Path, *, within_s: float) -> None:
    table = EmulatedTable(TABLE)
    table.put([build_item("a", "a"), build_item("a", "b")])
    with pytest.raises(NotSaved):
        save(table, folder, within_s=within_s)
    assert [path.name for path in folder.iterdir()] == ["emulator"]


def test_of_two_tables_none_is_saved(tmp_path: Path) -> None:
    table = EmulatedTable(TABLE)
    table.create("another")
    with pytest.raises(NotSaved, match="2 tables"):
        save(table, tmp_path)


def test_an_emulator_without_a_table_saves_none(tmp_path: Path) -> None:
    """Such as one whose deployment failed."""
    table = EmulatedTable(TABLE)
    table.tables.clear()
    with pytest.raises(NotSaved, match="0 tables"):
        save(table, tmp_path)


@pytest.mark.parametrize("step", ["_build_rows", "_sync", "identify"])
def test_a_kill_while_it_is_written_leaves_nothing_that_is_read(tmp_path: Path, step: str) -> None:
    state = StateDir(tmp_path)
    table = EmulatedTable(TABLE)
    table.put([build_item("a", "a")])
    state.exit_status.write_text("0")  # as if it were the last thing that was missing
    pid = os.fork()
    if pid == 0:
        try:
            vars(save_module)[step] = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
            (state.emulator_state / EMULATOR_FILE).write_text("{}")
            save_table(table.tables, None, state.emulator_state, state.saved_table, time.monotonic() + 60)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert not opens(state)
    assert [path.name.rpartition(".")[0] for path in tmp_path.glob("table.sqlite*")] == [f"table.sqlite.{pid}"]
    state.begin_run()
    assert list(tmp_path.glob("table.sqlite*")) == []


def test_the_next_message_of_the_queues_is_the_one_that_can_be_received_first() -> None:
    sqs: Any = importlib.import_module("ministack.services.sqs")
    queues, sqs._queues = sqs._queues, type(sqs._queues)()
    try:
        assert save_module.find_next_message(sqs._queues) is None
        for name, delay_s in (("first", 0), ("second", 600)):
            url = call_sqs(sqs, "CreateQueue", {"QueueName": name})["QueueUrl"]
            call_sqs(sqs, "SendMessage", {"QueueUrl": url, "MessageBody": "x", "DelaySeconds": delay_s})
        assert abs((save_module.find_next_message(sqs._queues) or 0) - time.time()) < 60
        url = call_sqs(sqs, "GetQueueUrl", {"QueueName": "first"})["QueueUrl"]
        call_sqs(sqs, "ReceiveMessage", {"QueueUrl": url, "VisibilityTimeout": 300})
        assert abs((save_module.find_next_message(sqs._queues) or 0) - time.time() - 300) < 60
    finally:
        sqs._queues = queues


def call_sqs(sqs: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    headers = {"x-amz-target": f"AmazonSQS.{operation}", "content-type": "application/x-amz-json-1.0"}
    status, _, body = asyncio.run(sqs.handle_request("POST", "/", headers, json.dumps(request).encode(), {}))
    assert status == 200, body
    answer: dict[str, Any] = json.loads(body)
    return answer
