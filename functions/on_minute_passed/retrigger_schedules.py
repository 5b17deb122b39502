"""Trigger schedules with retriggerOnScanTypeChange after a deployment that changed their scan type.

The deployment describes each scan type: the nmap of the express lane, the image of the workers, the
policy profile. All schedules get the same due time, so that a repetition asks for the same scans.
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
    """The scan types of this deployment, and the schedules that use them."""

    made_of: Mapping[str, str]  # scan type → what it consists of, as one text
    schedules: ScheduleTable
    due: RequestQueue  # the schedule queue
    clock: Clock


def retrigger_schedules(context: RetriggerContext) -> int:
    """Trigger the schedules of changed scan types; their number.

    The change is stored before the first schedule is triggered, and marked as done after the last.
    """
    stored = context.schedules.scan_types()
    made_of = dict(context.made_of)
    if stored is None or stored.made_of != made_of:
        stored = _note_change(stored, made_of, context)
        if not context.schedules.put_scan_types(stored):
            return 0  # a concurrent tick stored the change, and triggers the schedules
    if not stored.untold:
        return 0
    from cascan.schedules.due import Kind, ScheduleDue  # noqa: PLC0415 - slow, and rarely needed

    names = list(_find_schedules(stored.untold, context.schedules))
    for name in names:
        due = ScheduleDue(schedule=name, due_at=stored.changed_at, kind=Kind.RETRIGGER)
        context.due.send(due.to_wire())
    done = ScanTypes(
        version=stored.version + 1,
        made_of=stored.made_of,
        changed_at=stored.changed_at,
    )
    context.schedules.put_scan_types(done)
    return len(names)


def _note_change(
    stored: ScanTypes | None,
    made_of: dict[str, str],
    context: RetriggerContext,
) -> ScanTypes:
    """The stored scan types, updated. One that appears for the first time has not changed."""
    previous = stored.made_of if stored else {}
    changed = {name for name in made_of.keys() & previous.keys() if made_of[name] != previous[name]}
    return ScanTypes(
        version=stored.version + 1 if stored else 1,
        made_of=made_of,
        changed_at=context.clock().replace(microsecond=0),
        untold=tuple(sorted(changed.union(stored.untold if stored else ()))),
    )


def _find_schedules(scan_types: tuple[str, ...], schedules: ScheduleTable) -> Iterator[str]:
    """The schedules with the option that use one of the scan types.

    on_schedule_due skips those that are suspended.
    """
    for schedule in schedules.schedules():
        spec = _as_mapping(schedule.document.get("spec"))
        scan_type = _as_mapping(spec.get("scanSpec") or spec.get("request")).get("scanType")
        if spec.get("retriggerOnScanTypeChange") and (scan_type is None or scan_type in scan_types):
            # Without scanType the options decide, so any scan type may be the one
            yield schedule.name


def _as_mapping(value: object) -> dict[str, Any]:
    """Read the stored versions; an empty mapping if the value is damaged.

    A damaged value must not keep the other schedules from being triggered.
    """
    return value if isinstance(value, dict) else {}
