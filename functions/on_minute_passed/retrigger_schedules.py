"""Tell schedules with retriggerOnScanTypeChange that they are due where their scan type is another one than before.

What a scan type is made of is told by the deployment: the nmap of the express lane, the image of the workers, what
scripts may do. All schedules are told the same time, so that telling them again asks for the same scans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cascan.clock import Clock
from cascan.gateways import RequestQueue, ScheduleTable
from cascan.model.schedule import ScanTypes


@dataclass(frozen=True, slots=True)
class RetriggerContext:
    """The scan types of this deployment, and whom their change concerns."""

    made_of: Mapping[str, str]
    schedules: ScheduleTable
    due: RequestQueue  # the schedule queue
    clock: Clock


def retrigger_schedules(deployed: RetriggerContext) -> int:
    """How many schedules were told; a change is noted before the first is told, and forgotten after the last."""
    seen = deployed.schedules.scan_types()
    made_of = dict(deployed.made_of)
    if seen is None or seen.made_of != made_of:
        seen = _next(seen, made_of, deployed)
        if not deployed.schedules.put_scan_types(seen):
            return 0  # another tick was faster, and tells them
    if not seen.untold:
        return 0
    from cascan.schedules.due import Kind, ScheduleDue  # noqa: PLC0415 - seldom, and slow

    names = list(_concerned(seen.untold, deployed.schedules))
    for name in names:
        deployed.due.send(ScheduleDue(schedule=name, due_at=seen.changed_at, kind=Kind.RETRIGGER).to_wire())
    told = ScanTypes(version=seen.version + 1, made_of=seen.made_of, changed_at=seen.changed_at)
    deployed.schedules.put_scan_types(told)
    return len(names)


def _next(seen: ScanTypes | None, made_of: dict[str, str], deployed: RetriggerContext) -> ScanTypes:
    """What is seen for the first time has not changed."""
    before = seen.made_of if seen else {}
    changed = {name for name in made_of.keys() & before.keys() if made_of[name] != before[name]}
    return ScanTypes(
        version=seen.version + 1 if seen else 1,
        made_of=made_of,
        changed_at=deployed.clock().replace(microsecond=0),
        untold=tuple(sorted(changed.union(seen.untold if seen else ()))),
    )


def _concerned(scan_types: tuple[str, ...], schedules: ScheduleTable) -> Iterator[str]:
    """Schedules that wish it; whether one is suspended is judged where it is due."""
    for stored in schedules.schedules():
        spec = _mapping(stored.document.get("spec"))
        scan_type = _mapping(spec.get("scanSpec") or spec.get("request")).get("scanType")
        if spec.get("retriggerOnScanTypeChange") and (scan_type is None or scan_type in scan_types):
            yield stored.name  # without a scan type its options choose one, and either may have changed


def _mapping(value: object) -> dict[str, Any]:
    """What is stored may be damaged: that is no reason to tell no other schedule."""
    return value if isinstance(value, dict) else {}
