"""S6: a scan type that has changed is told to the schedules that wish to know, once, under one time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from cascan.errors import GatewayUnavailable
from cascan.schedules.due import Kind, ScheduleDue
from on_minute_passed.retrigger_schedules import RetriggerContext, retrigger_schedules
from tests.fakes.cascades import MemoryRequestQueue
from tests.fakes.schedules import MemoryScheduleTable
from tests.support.builders import NOW

BEFORE = {"nmap": "layer:1 1.0 safe", "nmap-privileged": "1.0 safe"}
NEW_LAYER = BEFORE | {"nmap": "layer:2 1.0 safe"}
NEW_IMAGE = {"nmap": "layer:1 1.1 safe", "nmap-privileged": "1.1 safe"}


@dataclass
class House:
    """A stack whose clock and scan types the test sets."""

    now: datetime = NOW
    schedules: MemoryScheduleTable = field(default_factory=MemoryScheduleTable)
    queue: MemoryRequestQueue = field(default_factory=MemoryRequestQueue)

    def apply(self, name: str, *, flag: bool = True, scan_type: str = "nmap", **spec: Any) -> None:
        plain = {"retriggerOnScanTypeChange": flag, "scanSpec": {"scanType": scan_type, "parameters": []}}
        self.schedules.put_schedule(name, {"spec": plain | spec})

    def tick(self, made_of: dict[str, str]) -> int:
        self.now += timedelta(seconds=60.5)
        return retrigger_schedules(RetriggerContext(made_of, self.schedules, self.queue, lambda: self.now))

    def breaks_after(self, messages: int) -> None:
        def broken() -> None:
            if len(self.queue.sent) >= messages:
                raise GatewayUnavailable("schedule queue")

        self.queue.before_write = broken

    def told(self) -> list[ScheduleDue | None]:
        return [ScheduleDue.from_wire(body, NOW) for body in self.queue.sent]

    def names(self) -> list[str]:
        return [due.schedule for due in self.told() if due]


@pytest.fixture
def house() -> House:
    house = House()
    house.apply("nightly")
    assert house.tick(BEFORE) == 0  # what is seen for the first time has not changed
    return house


def test_s6_a_schedule_is_told_of_a_changed_scan_type_once_and_not_of_one_that_stayed(house: House) -> None:
    assert house.tick(BEFORE) == 0
    assert house.tick(NEW_LAYER) == 1
    changed_at = house.now.replace(microsecond=0)
    assert house.tick(NEW_LAYER) == 0
    assert house.told() == [ScheduleDue(schedule="nightly", due_at=changed_at, kind=Kind.RETRIGGER)]


def test_s6_each_change_counts_also_the_one_that_takes_the_last_one_back(house: House) -> None:
    assert [house.tick(made_of) for made_of in (NEW_LAYER, BEFORE, BEFORE)] == [1, 1, 0]
    assert len({due.due_at for due in house.told() if due}) == 2


def test_s6_only_schedules_of_the_scan_type_with_the_flag_are_told(house: House) -> None:
    house.apply("raw", scan_type="nmap-privileged")
    house.apply("unasked", flag=False)
    house.apply("either", scanSpec=None, request={"targets": ["127.0.0.1"]})
    house.apply("short", scanSpec=None, request={"scanType": "nmap-privileged"})
    house.tick(NEW_LAYER)
    assert house.names() == ["either", "nightly"]
    house.queue.sent.clear()
    house.tick(NEW_IMAGE)
    assert house.names() == ["either", "nightly", "raw", "short"]


def test_s6_who_breaks_off_tells_the_same_time_again(house: House) -> None:
    house.apply("weekly")
    house.breaks_after(1)
    with pytest.raises(GatewayUnavailable):
        house.tick(NEW_LAYER)
    house.breaks_after(99)
    assert house.tick(NEW_LAYER) == 2
    assert house.tick(NEW_LAYER) == 0
    assert house.names() == ["nightly", "nightly", "weekly"]
    assert len({due.due_at for due in house.told() if due}) == 1


def test_s6_a_change_that_was_not_told_yet_is_told_with_the_next_one(house: House) -> None:
    house.apply("raw", scan_type="nmap-privileged")
    house.breaks_after(0)
    with pytest.raises(GatewayUnavailable):
        house.tick({**BEFORE, "nmap-privileged": "1.1 safe"})
    house.breaks_after(99)
    house.tick({**NEW_LAYER, "nmap-privileged": "1.1 safe"})
    assert house.names() == ["nightly", "raw"]


def test_s6_of_two_ticks_at_once_one_tells(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.schedules, "put_scan_types", lambda _: False)
    assert house.tick(NEW_LAYER) == 0
    assert house.queue.sent == []
