"""`cascan exposure apply|list|ack|accept|reopen` and `cascan why`: exposures, and decisions on them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from cascan.clock import to_wire, utc_now
from cascan.exposure.life import accept, acknowledge, reopen
from cascan.exposure_updates.apply_severity_rules import is_suppressed
from cascan.exposure_updates.context import open_context
from cascan.exposure_updates.days import next_day
from cascan.exposure_updates.judge_hosts import JudgedHosts
from cascan.exposure_updates.judge_inventory import judge_inventory, list_vantages
from cascan.exposure_updates.store_moves import announce_moves, change_exposure
from cascan.limits import MAX_EXPOSURE_REASON_CHARS
from cascan.model.exposure import (
    ACTIVE_STATES,
    Acknowledgement,
    Exposure,
    ExposureAcceptance,
    ExposureDay,
    ExposureState,
    StoredExpectations,
)
from cascan.recovery.operator_records import record_expectations, record_exposure
from cascan_cli.errors import BadInput, CliError
from cascan_cli.input.exposure_file import parse_exposure_text, read_exposure_text
from cascan_cli.output.table import print_table
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from cascan.aws.tables.scan_table import DynamoScanTable

COLUMNS = ("ID", "SEVERITY", "STATE", "AGE", "VANTAGE", "HOST", "PORT", "KIND", "OWNER")


def run(args: Namespace) -> int:
    """Exit code 0: done. 2: the file or an option is invalid, and nothing was changed."""
    if args.action == "apply":
        return _apply(args)
    with open_stack(args) as stack:
        if args.action == "list":
            return _list(stack.table, args)
        if args.action == "why":
            return _explain(stack.table, args)
        return _decide(stack, args)


# ---- apply


def _apply(args: Namespace) -> int:
    text = read_exposure_text(args.file)
    file = parse_exposure_text(args.file, text)
    for warning in file.warnings:
        print_message(f"{args.file}: {warning}")
    with open_stack(args) as stack:
        stored = _store_file(text, stack)
        judged = _judge_all(stored, stack)
    if args.json:
        moves = [{"event": kind.value, "exposure": _to_json(exposure, utc_now())} for kind, exposure in judged.moves]
        print_json({"version": stored.version, "entries": len(file.entries), "hosts": judged.hosts, "moves": moves})
        return 0
    for kind, exposure in judged.moves:
        name = kind.value.removeprefix("Exposure").lower()
        print(f"{name:<12} {exposure.exposure_id}  {exposure.severity:<8} {_describe(exposure)}")
    entries, hosts = pluralize(len(file.entries), "entry", "entries"), pluralize(judged.hosts, "host")
    print(f"version {stored.version}: {entries}; {hosts} judged, {pluralize(len(judged.moves), 'move')}")
    return 0


def _store_file(text: str, stack: StackGateways) -> StoredExpectations:
    """Store the file as the next version, unless it is stored already. Raises: CliError."""
    table, now = stack.table, utc_now()
    current = table.expectations()
    if current and current.text == text:
        return current
    version = current.version + 1 if current else 1
    stored = StoredExpectations(version=version, applied_at=now, text=text, applied_by=stack.submitter)
    if not table.put_expectations(stored):
        raise CliError("another file was applied at the same moment; look at what differs with `cascan exposure plan`")
    # From now on reports are judged
    day = table.exposure_day()
    table.put_exposure_day(day or ExposureDay(due_at=next_day(now), done_at=now))
    back_up(record_expectations, stack.operator_records, table)
    return stored


def _judge_all(stored: StoredExpectations, stack: StackGateways) -> JudgedHosts:
    context = open_context(stored, stack.table, stack.bus, utc_now)
    total = JudgedHosts()
    with Progress() as progress:
        for vantage in list_vantages(context):
            judged, _ = judge_inventory(context, vantage, tell=partial(_show, progress, vantage))
            total.add(judged)
    return total


def _show(progress: Progress, vantage: str, judged: JudgedHosts) -> None:
    progress.show(f"judging what {vantage} sees: {pluralize(judged.hosts, 'host')}")


# ---- list


def _list(table: DynamoScanTable, args: Namespace) -> int:
    now = utc_now()
    states = sorted(ACTIVE_STATES) if not args.state else [ExposureState(args.state)]
    exposures = [exposure for state in states for _, exposure in table.list_exposures(state) if _fits(exposure, args)]
    if args.json:
        print_json([_to_json(exposure, now) for exposure in exposures])
        return 0
    print_table(COLUMNS, [_to_row(exposure, now) for exposure in exposures], drop=("OWNER", "VANTAGE"))
    if not exposures:
        print_message("no exposure matches; `cascan exposure apply FILE` stores what is expected")
    return 0


def _fits(exposure: Exposure, args: Namespace) -> bool:
    subject = exposure.subject
    if is_suppressed(exposure) and args.state != ExposureState.ACCEPTED:
        return False
    if args.vantage and args.vantage != subject.vantage:
        return False
    return not args.host or args.host.lower() in (subject.address, exposure.hostname.lower())


def _to_row(exposure: Exposure, now: datetime) -> tuple[object, ...]:
    subject = exposure.subject
    host = f"{subject.address} ({exposure.hostname})" if exposure.hostname else subject.address
    return (
        exposure.exposure_id,
        exposure.severity,
        exposure.state.value,
        _format_age(exposure.first_seen, now),
        subject.vantage,
        host,
        f"{subject.protocol}/{subject.port}",
        subject.kind,
        exposure.owner,
    )


def _format_age(since: datetime | None, now: datetime) -> str:
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _to_json(exposure: Exposure, now: datetime) -> dict[str, Any]:
    subject, acceptance = exposure.subject, exposure.acceptance
    first_seen = exposure.first_seen
    return {
        "id": exposure.exposure_id,
        "kind": subject.kind,
        "state": exposure.state.value,
        "severity": exposure.severity.value,
        "vantage": subject.vantage,
        "address": subject.address,
        "hostname": exposure.hostname,
        "protocol": subject.protocol,
        "port": subject.port,
        "owner": exposure.owner,
        "sentence": exposure.sentence,
        "line": exposure.line,
        "age_seconds": int((now - first_seen).total_seconds()) if first_seen else None,
        "first_seen": to_wire(first_seen) if first_seen else None,
        "last_seen": to_wire(exposure.last_seen) if exposure.last_seen else None,
        "accepted_until": acceptance.until.isoformat() if acceptance else None,
        "severity_rules": list(exposure.severity_rules),
    }


# ---- decisions


def _decide(stack: StackGateways, args: Namespace) -> int:
    exposure, now, by = _find(stack.table, args.id), utc_now(), stack.submitter
    if len(args.why) > MAX_EXPOSURE_REASON_CHARS:
        raise BadInput(f"--why has {len(args.why)} characters, more than {MAX_EXPOSURE_REASON_CHARS}")
    if args.action == "ack":
        acknowledgement = Acknowledgement(by=by, at=now, why=args.why)
        decided = change_exposure(stack.table, exposure, lambda current: acknowledge(current, acknowledgement))
    elif args.action == "accept":
        acceptance = ExposureAcceptance(by=by, at=now, until=_read_date(args.until, now), why=args.why)
        decided = change_exposure(stack.table, exposure, lambda current: accept(current, acceptance))
    else:
        decided = change_exposure(stack.table, exposure, lambda current: reopen(current, by=by, at=now, why=args.why))
    if decided is exposure:
        raise BadInput(f"exposure {args.id} is {exposure.state.value}: there is nothing to change")
    (announced,) = announce_moves(stack.table, stack.bus, [decided])
    back_up(record_exposure, stack.operator_records, announced)
    if args.json:
        print_json(_to_json(announced, now))
    else:
        print(f"{announced.exposure_id} is {announced.state.value}: {_describe(announced)}")
    return 0


def _read_date(text: str, now: datetime) -> date:
    try:
        until = date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--until: {text!r:.40} is not a date; write 2027-03-31") from None
    if until < now.astimezone(UTC).date():
        raise BadInput(f"--until: {until} has passed")
    return until


def _find(table: DynamoScanTable, exposure_id: str) -> Exposure:
    exposure = table.get_exposure(exposure_id)
    if exposure is None:
        raise BadInput(f"there is no exposure {exposure_id!r:.60}; `cascan exposure list` shows them")
    return exposure


def _describe(exposure: Exposure) -> str:
    return f"{exposure.subject.address} from {exposure.subject.vantage}: {exposure.sentence}"


# ---- why


def _explain(table: DynamoScanTable, args: Namespace) -> int:
    exposure = _find(table, args.id)
    if args.json:
        print_json(_to_json(exposure, utc_now()) | {"reasons": list(_list_reasons(exposure))})
        return 0
    print(f"{exposure.exposure_id} is {exposure.state.value}, {exposure.severity}")
    for reason in _list_reasons(exposure):
        print(f"- {reason}")
    return 0


def _list_reasons(exposure: Exposure) -> Iterator[str]:
    """What it is about, and which entry, looks, rules and decisions led to its state and severity."""
    subject = exposure.subject
    yield f"{subject.kind}: {subject.protocol}/{subject.port} of {subject.address}, seen from {subject.vantage}"
    yield exposure.sentence
    if exposure.line:
        owner = f", owner {exposure.owner}" if exposure.owner else ""
        yield f"line {exposure.line} of the file, version {exposure.judged_by}{owner}"
    for look in reversed(exposure.looks):
        shows = "shows it" if look.holds else "does not show it"
        yield f"{to_wire(look.seen_at)} {look.report_key} {shows}"
    if exposure.severity_rules:
        yield f"severity rules that match: {', '.join(exposure.severity_rules)}"
    if exposure.acknowledgement:
        known = exposure.acknowledgement
        yield f"acknowledged by {known.by} at {to_wire(known.at)}: {known.why or 'no reason'}"
    if exposure.acceptance:
        accepted = exposure.acceptance
        until = "without end" if is_suppressed(exposure) else f"until {accepted.until}"
        yield f"accepted by {accepted.by} {until}: {accepted.why}"
