"""`cascan exposure apply|list|ack|accept|reopen` and `cascan why`, on a stack in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.model.exposure import Exposure
from cascan.recovery.operator_records import restore_records
from cascan_cli.commands import exposures
from cascan_cli.errors import BadInput
from cascan_cli.main import main
from cascan_cli.parser.build_parser import build_parser
from tests.docs.output_shapes import printed, problems
from tests.fakes import MemoryOperatorRecords, MemoryScanTable
from tests.fakes.cascades import MemoryRuleTable
from tests.fakes.message_threads import MemoryMessageThreads
from tests.fakes.schedules import MemoryScheduleTable
from tests.unit.cascan.exposure_updates.conftest import FILE, NOON, Place

UNTIL = "2026-12-31"


@pytest.fixture
def records() -> MemoryOperatorRecords:
    return MemoryOperatorRecords()


@pytest.fixture
def place(
    records: MemoryOperatorRecords,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Place:
    place = Place()
    for hour in range(2):
        place.look(hour, [23, 443])
    stack = SimpleNamespace(table=place.table, bus=place.bus, operator_records=records, submitter="AIDAANN")

    @contextmanager
    def open_stack(_: Any) -> Iterator[Any]:
        yield stack

    monkeypatch.setattr(exposures, "open_stack", open_stack)
    monkeypatch.setattr(exposures, "utc_now", lambda: NOON)
    monkeypatch.chdir(tmp_path)
    Path("exposure.yaml").write_text(FILE)
    assert main(["exposure", "apply"]) == 0
    place.applied = capsys.readouterr().out
    return place


def the_exposure(place: Place) -> Exposure:
    (exposure,) = place.table.exposures.values()
    return exposure


def run_json(line: str, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    assert main([*line.split(), "--json"]) == 0
    printed_value = json.loads(capsys.readouterr().out)
    words = line.split()
    command = " ".join(["cascan", *(words[:2] if words[0] == "exposure" else words[:1])])
    assert list(problems(printed_value, printed()[command])) == [], "describe it in docs/output.md"
    return printed_value


def test_apply_stores_the_file_judges_what_is_stored_and_says_what_it_opened(place: Place) -> None:
    out = place.applied
    exposure = the_exposure(place)
    assert f"opened       {exposure.exposure_id}  HIGH     10.0.0.9 from default: tcp/23 is open" in out
    assert "version 1: 1 entry; 1 host judged, 2 moves" in out
    stored = place.table.expectations()
    assert stored is not None
    assert (stored.text, stored.applied_by) == (FILE, "AIDAANN")
    assert place.table.exposure_day() is not None


def test_the_same_file_again_is_the_same_version(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_json("exposure apply", capsys) == {"version": 1, "entries": 1, "hosts": 1, "moves": []}


def test_a_file_that_now_expects_the_port_resolves_it(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    Path("exposure.yaml").write_text(FILE.replace("[443]", "[23, 443]").replace(" service: https,", ""))
    (move,) = run_json("exposure apply", capsys)["moves"]
    assert (move["event"], move["exposure"]["state"]) == ("ExposureResolved", "resolved")


def test_a_bad_file_is_refused_with_every_error(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    Path("exposure.yaml").write_text("expected:\n  - {who: nobody, ports: [99999]}\n")
    assert main(["exposure", "apply"]) == 2
    err = capsys.readouterr().err
    assert "there is no group 'nobody'" in err
    assert "beyond the last port" in err
    assert place.table.stored_expectations is not None
    assert place.table.stored_expectations.version == 1


def test_the_list_shows_what_is_exposed_now(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (listed,) = run_json("exposure list", capsys)
    assert (listed["state"], listed["owner"], listed["port"]) == ("confirmed", "payments@example.com", 23)
    for line in ("--vantage office", "--host 10.0.0.1", "--state resolved"):
        assert run_json(f"exposure list {line}", capsys) == []
    assert len(run_json("exposure list --host web.example.com", capsys)) == 1
    assert main(["exposure", "list"]) == 0
    assert "confirmed" in capsys.readouterr().out


def test_decisions_are_made_by_a_person_announced_and_recorded(
    place: Place, records: MemoryOperatorRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    exposure_id = the_exposure(place).exposure_id
    assert run_json(f"exposure ack {exposure_id}", capsys)["state"] == "acknowledged"
    assert run_json(f"exposure accept {exposure_id} --until {UNTIL} --why agreed", capsys)["accepted_until"] == UNTIL
    assert "accepted by AIDAANN until 2026-12-31: agreed" in run_json(f"why {exposure_id}", capsys)["reasons"]
    assert run_json(f"exposure reopen {exposure_id}", capsys)["state"] == "confirmed"
    assert place.events == ["Opened", "Confirmed", "Acknowledged", "Accepted", "Reopened"]
    assert f"exposures/{exposure_id}.json" in list(records.names("exposures/"))


def test_the_beginning_of_an_id_is_enough_where_it_means_one(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    exposure = the_exposure(place)
    assert run_json(f"why {exposure.exposure_id[:3]}", capsys)["id"] == exposure.exposure_id
    assert run_json(f"exposure ack {exposure.exposure_id[:3]}", capsys)["state"] == "acknowledged"
    for number in range(8):
        other_id = f"{exposure.exposure_id[:3]}{number}"
        place.table.exposures[other_id] = replace(exposure, exposure_id=other_id)
    with pytest.raises(BadInput, match=r"several exposures begin with '\w{3}': (\w+, ){4}\w+ and others"):
        exposures.run(_parse(["why", exposure.exposure_id[:3]]))
    assert run_json(f"why {exposure.exposure_id}", capsys)["id"] == exposure.exposure_id


def test_decisions_survive_the_loss_of_the_table(place: Place, records: MemoryOperatorRecords) -> None:
    exposure_id = the_exposure(place).exposure_id
    assert main(["exposure", "accept", exposure_id, "--until", UNTIL, "--why", "agreed"]) == 0
    empty = MemoryScanTable()
    restored = restore_records(
        records,
        table=empty,
        rules=MemoryRuleTable(),
        schedules=MemoryScheduleTable(),
        channels=MemoryMessageThreads(),
    )
    assert (restored.expectations, restored.exposures) == (True, 1)
    kept = empty.get_exposure(exposure_id)
    assert kept is not None
    assert kept.acceptance == the_exposure(place).acceptance
    assert empty.expectations() == place.table.expectations()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("exposure ack nosuchexposure", "there is no exposure"),
        ("why 0", "there is no exposure '0'"),
        ("exposure accept ID --until tomorrow --why x", "is not a date"),
        ("exposure accept ID --until 2020-01-01 --why x", "has passed"),
        ("exposure reopen ID", "there is nothing to change"),
    ],
)
def test_a_decision_that_cannot_be_made_says_why(line: str, problem: str, place: Place) -> None:
    words = [the_exposure(place).exposure_id if word == "ID" else word for word in line.split()]
    with pytest.raises(BadInput, match=problem):
        exposures.run(_parse(words))


def _parse(words: list[str]) -> Any:
    return build_parser().parse_args(words)


def test_an_empty_list_says_why_it_is_empty(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exposure", "list", "--host", "10.0.0.1"]) == 0
    assert "no exposure matches" in capsys.readouterr().err
    place.table.exposures.clear()
    assert main(["exposure", "list"]) == 0
    assert "every exposure is resolved" in capsys.readouterr().err
    place.table.stored_expectations = None
    assert main(["exposure", "list"]) == 0
    assert "`cascan exposure apply FILE` stores one" in capsys.readouterr().err


def test_a_narrow_terminal_shows_the_whole_id_state_and_kind(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exposure = the_exposure(place)
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["exposure", "list"]) == 0
    out = capsys.readouterr().out
    assert all(text in out for text in (exposure.exposure_id, "confirmed", "unexpected-open"))
