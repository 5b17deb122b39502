"""The messages that functions exchange, and how they are written and read.

On the bus an event is `{"Source": "cascan", "DetailType": <class name>, "Detail": <the fields
below>}`; on a queue the fields are the body. Fields may be added within a version; `version`
changes when one is renamed or removed, or when its meaning changes. Each carries `scan_id`,
`cause_id` (the id of the message or event that led to it) and `hop` (0 for a person's request).
docs/events.md shows one of each.
"""

from __future__ import annotations

from cascan.events.cascades import CascadeCapped, CascadeRefused, CascadeRequested
from cascan.events.changes import (
    ChangeCounts,
    HostAppeared,
    HostChange,
    HostGone,
    HostMoved,
    PortChange,
    PortClosed,
    PortOpened,
    ServiceChanged,
    build_change_event,
)
from cascan.events.envelopes import ReportStored, WorkersWanted, parse_end_event, parse_event
from cascan.events.exposures import (
    ExposureAccepted,
    ExposureAcknowledged,
    ExposureConfirmed,
    ExposureEvent,
    ExposureExpiring,
    ExposureOpened,
    ExposureReopened,
    ExposureResolved,
    ExposureWithdrawn,
    build_expiring_entry_event,
    build_exposure_event,
)
from cascan.events.message import (
    SOURCE,
    BusEvent,
    Message,
    ShardQueued,
    ShardReturned,
    build_event_fields,
    detail_type,
)
from cascan.events.messages import MessageReady
from cascan.events.scans import (
    FindingsRecorded,
    HostQuarantined,
    ScanCancelled,
    ScanCompleted,
    ScanFailed,
    ScanPlanned,
    ScanResumed,
    ScanSuspended,
    ScheduleSkipped,
)

BUS_EVENTS: tuple[type[BusEvent], ...] = (
    ScanPlanned,
    HostQuarantined,
    HostAppeared,
    HostGone,
    HostMoved,
    PortOpened,
    PortClosed,
    ServiceChanged,
    FindingsRecorded,
    ScanCompleted,
    CascadeRequested,
    CascadeCapped,
    CascadeRefused,
    ScanFailed,
    ScanSuspended,
    ScanResumed,
    ScanCancelled,
    ScheduleSkipped,
    ExposureOpened,
    ExposureConfirmed,
    ExposureAcknowledged,
    ExposureAccepted,
    ExposureResolved,
    ExposureWithdrawn,
    ExposureReopened,
    ExposureExpiring,
    MessageReady,
)

__all__ = [
    "BUS_EVENTS",
    "SOURCE",
    "BusEvent",
    "CascadeCapped",
    "CascadeRefused",
    "CascadeRequested",
    "ChangeCounts",
    "ExposureAccepted",
    "ExposureAcknowledged",
    "ExposureConfirmed",
    "ExposureEvent",
    "ExposureExpiring",
    "ExposureOpened",
    "ExposureReopened",
    "ExposureResolved",
    "ExposureWithdrawn",
    "FindingsRecorded",
    "HostAppeared",
    "HostChange",
    "HostGone",
    "HostMoved",
    "HostQuarantined",
    "Message",
    "MessageReady",
    "PortChange",
    "PortClosed",
    "PortOpened",
    "ReportStored",
    "ScanCancelled",
    "ScanCompleted",
    "ScanFailed",
    "ScanPlanned",
    "ScanResumed",
    "ScanSuspended",
    "ScheduleSkipped",
    "ServiceChanged",
    "ShardQueued",
    "ShardReturned",
    "WorkersWanted",
    "build_change_event",
    "build_event_fields",
    "build_expiring_entry_event",
    "build_exposure_event",
    "detail_type",
    "parse_end_event",
    "parse_event",
]
