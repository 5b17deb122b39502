"""A `ScheduledScan` manifest → Schedule. Source: secureCodeBox, execution.securecodebox.io/v1.

`spec` has these fields besides secureCodeBox's: timeZone, windows, blackoutDates, flexibleMinutes,
and, instead of scanSpec, `request`: a request in the short form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from cascan.errors import RequestRefused
from cascan.forms.complete_request import (
    POLICY_ANNOTATION,
    RETRY_ANNOTATION,
    WINDOWS_ANNOTATION,
    is_valid_name,
)
from cascan.forms.fields import build_refusal, find_unknown_fields, read_struct
from cascan.forms.manifest import API_VERSION, TOP_FIELDS
from cascan.forms.read_request import read_request
from cascan.limits import (
    MAX_BLACKOUT_DATES,
    MAX_FLEXIBLE_MINUTES,
    MAX_HISTORY,
    MAX_INTERVAL_MINUTES,
    MAX_SCHEDULE_NAME_CHARS,
    MAX_TIME_CHARS,
)
from cascan.model.schedule import Concurrency, Schedule
from cascan.schedules.due import build_run_request, parse_blackout
from cascan.timing.cron import Cron, split_zone

KIND = "ScheduledScan"
EVERY = "@every"
DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
RESERVED_FIELDS = {  # of the request, which the schedule sets itself
    "name": "the scans have the schedule's name",
    "idempotencyKey": "it is derived from the time",
    "origin": "only cascades set it",
    "labels": "put them under metadata",
    "annotations": "put them under metadata",
}
COPIED_ANNOTATIONS = (
    POLICY_ANNOTATION,
    WINDOWS_ANNOTATION,
    RETRY_ANNOTATION,
)  # they say how to scan
History = Annotated[int, Meta(ge=0, le=MAX_HISTORY)]


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    scan_spec: dict[str, Any] | None = None
    request: dict[str, Any] | None = None
    interval: str = ""
    schedule: str = ""
    time_zone: str = ""
    windows: tuple[str, ...] = ()
    blackout_dates: tuple[str, ...] = ()
    flexible_minutes: Annotated[int, Meta(ge=0, le=MAX_FLEXIBLE_MINUTES)] = 0
    suspend: bool = False
    concurrency_policy: Concurrency = Concurrency.ALLOW
    successful_jobs_history_limit: History = 3
    failed_jobs_history_limit: History = 3
    retrigger_on_scan_type_change: bool = False


class _Metadata(msgspec.Struct, frozen=True):
    name: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


def read_schedule(document: Mapping[str, Any], *, is_stored: bool = False) -> Schedule:
    """The schedule, with notes on the parts of it that have no effect.

    `is_stored`: the manifest was accepted when it was applied, perhaps by another version. So
    unknown fields are ignored, and its scans are not checked here: a request that is refused is
    reported when it is sent.

    Raises: RequestRefused: unknown fields, wrong types, no time to start at, or scans that would be
    refused.
    """
    if (document.get("apiVersion"), document.get("kind")) != (API_VERSION, KIND):
        raise build_refusal([f"kind: a schedule is a {KIND} of {API_VERSION}"])
    problems = [] if is_stored else find_unknown_fields(document, TOP_FIELDS, "")
    try:
        spec_fields = _drop_nulls(document.get("spec"), "spec")
        spec = read_struct(_Spec, spec_fields, "spec.", ignore_unknown=is_stored)
        metadata = _read_metadata(document)
    except RequestRefused as exc:
        raise build_refusal([*problems, *exc.reasons]) from exc
    problems += [*_check_name(metadata.name), *_check_times(spec), *_check_request_fields(spec)]
    if problems:
        raise build_refusal(problems)
    schedule = _build_schedule(metadata, spec)
    scan_notes = () if is_stored else _check_scan(schedule)
    return replace(schedule, notes=(*_find_ignored_fields(spec), *scan_notes))


def _read_metadata(document: Mapping[str, Any]) -> _Metadata:
    """The metadata. Fields that only Kubernetes uses are ignored."""
    fields = _drop_nulls(document.get("metadata"), "metadata")
    names = [name for name in _Metadata.__struct_fields__ if name in fields]
    return read_struct(_Metadata, {name: fields[name] for name in names}, "metadata.")


def _build_schedule(metadata: _Metadata, spec: _Spec) -> Schedule:
    zone, cron = split_zone(spec.schedule)
    every = parse_every(cron)
    interval = every or (0 if cron else parse_interval(spec.interval))
    return Schedule(
        name=metadata.name,
        scan=spec.scan_spec if spec.scan_spec is not None else spec.request or {},
        is_manifest=spec.scan_spec is not None,
        cron="" if every else cron,
        interval_minutes=interval,
        starts_at_once=not every,
        time_zone=zone or spec.time_zone or "UTC",
        windows=spec.windows,
        blackout_dates=spec.blackout_dates,
        flexible_minutes=spec.flexible_minutes,
        suspend=spec.suspend,
        retrigger=spec.retrigger_on_scan_type_change,
        concurrency=spec.concurrency_policy,
        successful_limit=spec.successful_jobs_history_limit,
        failed_limit=spec.failed_jobs_history_limit,
        labels=metadata.labels,
        annotations=_copy_annotations(metadata.annotations),
    )


def _find_ignored_fields(spec: _Spec) -> Iterator[str]:
    """Notes on fields that have no effect beside others."""
    zone, cron = split_zone(spec.schedule)
    if cron and spec.interval:
        yield "spec.interval has no effect here: spec.schedule takes precedence"
    if zone and spec.time_zone not in ("", zone):
        yield f"spec.timeZone has no effect here: the zone {zone} in spec.schedule takes precedence"


def parse_every(cron: str) -> int:
    """`@every 1h30m` → 90. 0: another expression.

    Raises: ValueError: no duration, or not whole minutes.
    """
    name, _, duration = cron.partition(" ")
    return parse_interval(duration.strip()) if name == EVERY else 0


def parse_interval(text: str) -> int:
    """A duration of Go, such as `12h` or `1h30m`, in minutes.

    Raises: ValueError: one sentence, with the fix.
    """
    amounts = DURATION.findall(text[: MAX_TIME_CHARS + 1])
    if not text or "".join(number + unit for number, unit in amounts) != text:
        raise ValueError(f"{text[:40]!r} is not a duration: write it as 12h or 1h30m; hours are the largest unit")
    seconds = sum(float(number) * SECONDS[unit] for number, unit in amounts)
    minutes = round(seconds / 60)
    if minutes < 1 or abs(seconds - minutes * 60) > 1e-6:  # noqa: PLR2004  # of a second
        raise ValueError(f"{text[:40]!r} is not a whole number of minutes")
    if minutes > MAX_INTERVAL_MINUTES:
        raise ValueError(f"{text[:40]!r} is longer than {MAX_INTERVAL_MINUTES // 60}h")
    return minutes


def _drop_nulls(fields: Any, path: str) -> dict[str, Any]:
    """The fields that have a value: in Kubernetes a field that is null counts as absent."""
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise build_refusal([f"{path}: expected a mapping, got {type(fields).__name__}"])
    return {key: value for key, value in fields.items() if value is not None}


def _copy_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """The annotations that scans get. Like secureCodeBox, it does not copy those of other tools."""
    return {
        key: value
        for key, value in annotations.items()
        if key.split("/")[0].endswith("securecodebox.io") or key in COPIED_ANNOTATIONS
    }


def _check_name(name: str) -> Iterator[str]:
    if not is_valid_name(name) or len(name) > MAX_SCHEDULE_NAME_CHARS:
        yield (
            f"metadata.name: {name[:80]!r} is not a schedule's name: use 1 to {MAX_SCHEDULE_NAME_CHARS} of a-z, 0-9, "
            "'.' and '-', with a letter or digit at both ends"
        )


def _check_times(spec: _Spec) -> Iterator[str]:
    zone, cron = split_zone(spec.schedule)
    yield from _check_starts(spec, cron)
    yield from _check_zone(zone or spec.time_zone or "UTC")
    yield from _check_blackout_dates(spec)


def _check_starts(spec: _Spec, cron: str) -> Iterator[str]:
    if not cron and not spec.interval:
        yield "spec.interval: neither interval nor schedule is there; write interval: 24h, or schedule: '30 2 * * *'"
    try:
        if cron and not parse_every(cron):
            Cron.parse(cron)
    except ValueError as exc:
        yield f"spec.schedule: {exc}"
    try:
        if spec.interval and not cron:
            parse_interval(spec.interval)
    except ValueError as exc:
        yield f"spec.interval: {exc}"


def _check_zone(zone: str) -> Iterator[str]:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        yield f"spec.timeZone: {zone[:40]!r} is not a time zone; use a name of IANA such as Europe/Berlin"


def _check_blackout_dates(spec: _Spec) -> Iterator[str]:
    if len(spec.blackout_dates) > MAX_BLACKOUT_DATES:
        yield f"spec.blackoutDates: {len(spec.blackout_dates)} entries are more than {MAX_BLACKOUT_DATES}; write ranges"
    for number, dates in enumerate(spec.blackout_dates[:MAX_BLACKOUT_DATES]):
        try:
            parse_blackout(dates)
        except ValueError as exc:
            yield f"spec.blackoutDates[{number}]: {exc}"


def _check_request_fields(spec: _Spec) -> Iterator[str]:
    if (spec.scan_spec is None) == (spec.request is None):
        yield "spec.scanSpec: give exactly one of scanSpec and request"
    for name, reason in RESERVED_FIELDS.items():
        if spec.request and name in spec.request:
            yield f"spec.request.{name}: leave it out, {reason}"


def _check_scan(schedule: Schedule) -> tuple[str, ...]:
    """The notes that the scans will have. Raises: RequestRefused: they would be refused."""
    field = "spec.scanSpec" if schedule.is_manifest else "spec.request"
    try:
        request = json.dumps(build_run_request(schedule, datetime(2026, 1, 1, tzinfo=UTC)))
        return read_request(request, is_issued=True).notes
    except RequestRefused as exc:
        reasons = [reason.removeprefix("spec.") for reason in exc.reasons]
        raise build_refusal([f"{field}.{reason}" for reason in reasons]) from exc
