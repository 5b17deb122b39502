"""A report that takes longer than the function may run: recorded in turns, it leaves what one delivery would."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import IO, Any

import pytest

from cascan.errors import GatewayUnavailable
from cascan.events import HostChange
from cascan.ids import ReportKey
from cascan.limits import REPORT_GRACE_S
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import ShardClosing, ShardState
from cascan.scans.close_open_shards import is_in_progress
from on_report_stored import checkpoints, publish_changes
from on_report_stored.checkpoints import CHECKPOINT_EVERY_S, RESERVE_S, RETRY_DELAY_S, RecordingStatus
from on_report_stored.record_findings import NEXT_TURN, RecordingOutcome
from tests.support.builders import NOW
from tests.support.scanned_network import World, xml

ADDRESSES = 1_024
NETWORK: dict[str, Any] = {"target": "10.0.0.0/22", "count": ADDRESSES}
SILENT = "10.0.3.255"  # known from the first scan, and in no later report
PORTS: tuple[int, ...] = tuple(range(1, 21))
HOSTS = {f"10.0.{number // 256}.{number % 256}": PORTS[: 1 + number % 8] for number in range(ADDRESSES - 1)}
KNOWN: dict[str, tuple[int, ...]] = dict.fromkeys([*list(HOSTS)[:40], SILENT], (22,))
BEFORE = xml(KNOWN, total=ADDRESSES)
REPORT = xml(HOSTS, total=ADDRESSES)  # almost 1 MB: every turn that ends at once has a tenth of it


def hurried() -> float:
    """So little time that every turn ends as soon as it can."""
    return RESERVE_S - 1


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.scan(0, BEFORE, **NETWORK)
    return world


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """What is there after a single delivery."""
    world = World(tmp_path_factory.mktemp("at_once"))
    world.scan(0, BEFORE, **NETWORK)
    world.scan(1, REPORT, **NETWORK)
    return world.outline()


def turns(world: World, key: str) -> list[RecordingOutcome]:
    """Deliver for as long as the message is sent again."""
    recorded = [world.deliver(key, hurried)]
    while recorded[-1].after_s is not None:
        recorded.append(world.deliver(key, hurried))
        assert len(recorded) < 100
    return recorded


def test_many_turns_leave_what_one_delivery_does(world: World, at_once: tuple[Any, ...]) -> None:
    key = world.stored(1, REPORT, **NETWORK)
    recorded = turns(world, key)
    assert len(recorded) > 5
    assert {one.outcome for one in recorded[:-1]} == {RecordingStatus.CONTINUE}
    assert recorded[-1].hosts == len(HOSTS)
    assert world.outline() == at_once
    assert not world.table.hosts_by_address[SILENT].is_up


def test_a_turn_that_leaves_something_renews_the_lease_so_that_the_scans_deadline_waits_for_the_next(
    world: World,
) -> None:
    key = world.stored(1, REPORT, **NETWORK)
    assert world.deliver(key, hurried).after_s is not None
    shard = next(shard for shard in world.table.shards_by_key.values() if shard.state is ShardState.REPORTED)
    assert shard.lease_until == NOW + NEXT_TURN
    assert is_in_progress(shard, NOW + NEXT_TURN + timedelta(seconds=REPORT_GRACE_S - 1))
    assert not is_in_progress(shard, NOW + NEXT_TURN + timedelta(seconds=REPORT_GRACE_S))


def test_a_turn_reads_on_where_the_last_one_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    starts, open_report = list[int](), world.reports.open_report

    def opened(key: ReportKey, start: int = 0) -> IO[bytes]:
        starts.append(start)
        return open_report(key, start)

    monkeypatch.setattr(world.reports, "open_report", opened)
    recorded = turns(world, world.stored(1, REPORT, **NETWORK))
    assert len(starts) == len({one.hosts for one in recorded}), "only the changes were told after that"
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert all(REPORT[:start].endswith(b"</host>") for start in starts[1:])


def test_a_delivery_with_time_enough_notes_nothing(world: World) -> None:
    world.scan(1, REPORT, **NETWORK)
    assert world.table.recordings == {}


@pytest.mark.parametrize("dies_at", range(1, 9))
def test_a_turn_that_dies_goes_on_from_its_last_note(
    world: World, at_once: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    key, clock = world.stored(1, REPORT, **NETWORK), count(10_000, -CHECKPOINT_EVERY_S)
    save, saves = world.table.save_hosts, count(1)

    def dies(*args: Any, **options: Any) -> list[str]:
        if next(saves) == dies_at:
            raise GatewayUnavailable("it died")
        return save(*args, **options)

    monkeypatch.setattr(world.table, "save_hosts", dies)
    with pytest.raises(GatewayUnavailable):
        world.deliver(key, lambda: next(clock))
    assert len(world.table.recordings) == (dies_at > 1)
    assert turns(world, key)[-1].after_s is None
    assert world.outline() == at_once


def test_of_two_deliveries_at_once_the_one_behind_gives_way_and_looks_again_later(
    world: World, at_once: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, note, others = world.stored(1, REPORT, **NETWORK), world.table.store_recording, list[RecordingOutcome]()

    def overtaken(*args: Any) -> bool:
        monkeypatch.setattr(world.table, "store_recording", note)
        others.extend(world.deliver(key, hurried) for _ in range(2))
        return note(*args)

    monkeypatch.setattr(world.table, "store_recording", overtaken)
    behind = world.deliver(key, hurried)
    assert (behind.outcome, behind.after_s) == (RecordingStatus.SUPERSEDED, RETRY_DELAY_S)
    assert all(other.after_s == 0 for other in others)
    turns(world, key)
    assert world.outline() == at_once


def test_a_message_that_comes_late_finds_the_shard_closed(world: World, at_once: tuple[Any, ...]) -> None:
    key = world.stored(1, REPORT, **NETWORK)
    turns(world, key)
    late = world.deliver(key, hurried)
    assert (late.after_s, late.outcome) == (None, Outcome.COMPLETE)
    assert world.outline() == at_once


def test_a_shard_that_was_closed_between_two_turns_is_left_alone(world: World) -> None:
    key = world.stored(1, REPORT, **NETWORK)
    recorded = world.deliver(key, hurried)
    closing = ShardClosing(state=ShardState.CANCELLED, outcome=Outcome.FAILED, error_description="cancelled")
    assert world.table.close_shard(recorded.scan_id, 0, closing)
    assert world.deliver(key, hurried).after_s is None
    assert world.table.scans[recorded.scan_id].findings.count == 0


def test_a_report_that_takes_too_many_turns_is_recorded_in_part_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_RECORDING_TURNS", 3)
    recorded = turns(world, world.stored(1, REPORT, **NETWORK))
    scan = world.table.scans[recorded[-1].scan_id]
    assert len({one.hosts for one in recorded}) == 3
    assert (scan.state, scan.shard_outcomes) == (ScanState.PARSE_COMPLETED, {"partial": 1})
    shard = world.table.get_shard(scan.scan_id, 0)
    assert shard
    assert "the report is too large: it took more than 3 turns" in shard.error_description
    assert 0 < scan.findings.count == len(list(world.table.findings(scan.scan_id)))
    assert world.table.hosts_by_address[SILENT].is_up, "nobody knows whether it was in the rest"


def test_a_host_that_comes_again_in_another_turn_is_counted_once(world: World) -> None:
    again = dict.fromkeys(list(HOSTS)[:50], PORTS)
    body, end = REPORT.split(b"<runstats>")
    twice = body + xml(again).split(b"/>", 1)[1].split(b"<runstats>")[0] + b"<runstats>" + end
    recorded = turns(world, world.stored(1, twice, **NETWORK))
    scan = world.table.scans[recorded[-1].scan_id]
    assert recorded[-1].hosts == len(HOSTS) + 50
    assert scan.findings.count == sum(len(ports) + 1 for ports in HOSTS.values())


def test_damage_in_an_early_turn_is_known_in_the_last(world: World) -> None:
    damaged = REPORT.replace(b"</ports></host>", b"</host>", 1)
    recorded = turns(world, world.stored(1, damaged, **NETWORK))
    assert (recorded[-1].hosts, recorded[-1].outcome) == (len(HOSTS) - 1, Outcome.PARTIAL)
    assert world.table.hosts_by_address[SILENT].is_up


def test_hosts_that_are_kept_out_are_counted_over_all_turns(world: World) -> None:
    narrow = NETWORK | {"target": "10.0.0.0/23", "count": 512}
    recorded = turns(world, world.stored(1, REPORT, **narrow))
    assert (recorded[-1].hosts, recorded[-1].quarantined) == (512, len(HOSTS) - 512)
    events = [event for event in world.bus.events if type(event).__name__ == "HostQuarantined"]
    assert [len(event.addresses) for event in events] == [100]  # type: ignore[attr-defined]


def test_changes_are_told_in_turns_as_they_are_in_one(
    world: World, at_once: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_changes, "CHANGES_PER_BATCH", 250)
    monkeypatch.setattr(publish_changes, "MAX_CHANGE_EVENTS_PER_REPORT", 700)
    recorded = turns(world, world.stored(1, REPORT, **NETWORK))
    telling = [one for one in recorded if one.hosts == len(HOSTS)]
    assert len(telling) > 20
    assert [one.after_s for one in telling] == [0] * (len(telling) - 1) + [None]
    hosts, changes, _, events, scans, _ = world.outline()
    assert (hosts, changes) == at_once[:2]
    assert scans == at_once[4]
    assert len([event for event in events.values() if isinstance(event, HostChange)]) == 700
    assert world.summed.changes.announced == 700
    assert len(world.bus.events) == len(events), "nothing was told twice"


def test_a_turn_that_dies_while_it_tells_goes_on_from_its_last_note(
    world: World, at_once: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_changes, "CHANGES_PER_BATCH", 50)
    key, clock, put, puts = (
        world.stored(1, REPORT, **NETWORK),
        count(10_000, -CHECKPOINT_EVERY_S),
        world.bus.put,
        count(1),
    )

    def dies(events: Any) -> None:
        put(events)
        if next(puts) == 4:
            raise GatewayUnavailable("it died after it had told")

    monkeypatch.setattr(world.bus, "put", dies)
    with pytest.raises(GatewayUnavailable):
        world.deliver(key, lambda: next(clock))
    opened = list[str]()
    monkeypatch.setattr(world.reports, "open_report", lambda *_: opened.append("read again"))
    assert world.deliver(key).after_s is None
    assert world.outline() == at_once
    assert opened == []


def test_a_report_that_was_given_up_stays_so_while_its_changes_are_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_RECORDING_TURNS", 3)
    monkeypatch.setattr(publish_changes, "CHANGES_PER_BATCH", 4)
    recorded = turns(world, world.stored(1, REPORT, **NETWORK))
    shard = world.table.get_shard(recorded[-1].scan_id, 0)
    assert shard
    assert len(recorded) == 6, "as many turns again, and then the end"
    assert "it took more than 3 turns" in shard.error_description
