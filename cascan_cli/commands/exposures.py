"""`cascan exposure apply|list|ack|accept|reopen` and `cascan why`: exposures, and decisions on them."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.exposure_updates.apply_severity_rules import is_suppressed
from cascan.exposure_updates.context import open_context
from cascan.exposure_updates.days import next_day
from cascan.exposure_updates.judge_hosts import JudgedHosts
from cascan.exposure_updates.judge_inventory import judge_inventory, list_vantages
from cascan.model.exposure import (
    ACTIVE_STATES,
    Exposure,
    ExposureDay,
    ExposureState,
    StoredExpectations,
)
from cascan.recovery.operator_records import record_expectations
from cascan_cli.errors import CliError
from cascan_cli.input.exposure_file import parse_exposure_text, read_exposure_text
from cascan_cli.output.exposures import exposure_to_json, format_age, list_reasons
from cascan_cli.output.listing import Listing, print_listing
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.decide_exposure import Decision, decide_exposure, find_exposure
from cascan_cli.stack.open import StackGateways, open_stack

if TYPE_CHECKING:
    from cascan.aws.tables.scan_table import DynamoScanTable

COLUMNS = ("ID", "SEVERITY", "STATE", "AGE", "VANTAGE", "HOST", "PORT", "KIND", "OWNER")
DROPPED = ("OWNER", "VANTAGE", "AGE")  # where the terminal is narrow


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
        now = utc_now()
        moves = [{"event": kind.value, "exposure": exposure_to_json(moved, now)} for kind, moved in judged.moves]
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
    listing = Listing(
        title="exposures",
        unit="exposure",
        items=exposures,
        columns=COLUMNS,
        to_row=partial(_to_row, now=now),
        to_json=partial(exposure_to_json, now=now),
        drop=DROPPED,
        whole=("ID", "STATE", "AGE"),
        comfort={"KIND": 15},
    )
    print_listing(listing, args)
    if not exposures and not args.json:
        print_message(_describe_none(table, args))
    return 0


def _describe_none(table: DynamoScanTable, args: Namespace) -> str:
    if not table.expectations():
        return "no file of expected exposure is stored; `cascan exposure apply FILE` stores one"
    return "no exposure matches" if args.state or args.host or args.vantage else "every exposure is resolved"


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
        format_age(exposure.first_seen, now),
        subject.vantage,
        host,
        f"{subject.protocol}/{subject.port}",
        subject.kind,
        exposure.owner,
    )


# ---- decisions


def _decide(stack: StackGateways, args: Namespace) -> int:
    now = utc_now()
    decision = Decision(args.action, by=stack.submitter, at=now, why=args.why, until=getattr(args, "until", ""))
    announced = decide_exposure(stack, args.id, decision)
    if args.json:
        print_json(exposure_to_json(announced, now))
    else:
        print(f"{announced.exposure_id} is {announced.state.value}: {_describe(announced)}")
    return 0


def _describe(exposure: Exposure) -> str:
    return f"{exposure.subject.address} from {exposure.subject.vantage}: {exposure.sentence}"


# ---- why


def _explain(table: DynamoScanTable, args: Namespace) -> int:
    exposure = find_exposure(table, args.id)
    if args.json:
        print_json(exposure_to_json(exposure, utc_now()) | {"reasons": list(list_reasons(exposure))})
        return 0
    print(f"{exposure.exposure_id} is {exposure.state.value}, {exposure.severity}")
    for reason in list_reasons(exposure):
        print(f"- {reason}")
    return 0
