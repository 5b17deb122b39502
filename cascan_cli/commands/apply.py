"""`cascan apply`: apply manifests from files. All are checked before the first one is applied."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from cascan.cascades.rule import KIND as RULE_KIND
from cascan.cascades.rule import read_rule
from cascan.clock import to_wire, utc_now
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.manifest import KIND as SCAN_KIND
from cascan.model.schedule import Schedule
from cascan.planning.plan import plan
from cascan.recovery.operator_records import record_rule
from cascan.schedules.due import build_run_request, next_times
from cascan.schedules.form import KIND as SCHEDULE_KIND
from cascan.schedules.form import read_schedule
from cascan_cli.commands.schedule import NEXT_SHOWN
from cascan_cli.errors import BadInput
from cascan_cli.input.manifests import read_manifests
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_message
from cascan_cli.stack.backup import back_up
from cascan_cli.stack.open import StackGateways, open_stack
from cascan_cli.stack.permissions import read_permissions
from cascan_cli.stack.scan_ids import expected_scan_id
from cascan_cli.stack.schedules import store_schedule

Applied = dict[str, Any]
Apply = Callable[[StackGateways], Applied]


def run(args: Namespace) -> int:
    manifests = read_manifests(args.file)
    applications: list[Apply] = []
    problems: list[str] = []
    for name, document in manifests:
        try:
            applications.append(_prepare(document, args))
        except RequestRefused as exc:
            problems += (f"{name}: {_name_prefix(document)}{reason}" for reason in exc.reasons)
    if problems:
        raise BadInput("\n".join(problems))
    with open_stack(args) as stack:
        applied = [apply(stack) for apply in applications]
    if args.json:
        print_json(applied)
    else:
        rows = ((result["kind"], result["name"], result["result"]) for result in applied)
        print_table(("KIND", "NAME", "RESULT"), rows)
    return 0


def _prepare(document: dict[str, Any], args: Namespace) -> Apply:
    """Check a manifest. Returns the function that applies it.

    Raises: RequestRefused: every problem of the manifest.
    """
    kind = str(document.get("kind"))
    if kind not in KINDS:
        raise RequestRefused([f"kind: {kind!r:.60} cannot be applied; use {', '.join(KINDS)}"])
    return KINDS[kind](document, args)


def _prepare_rule(document: dict[str, Any], _: Namespace) -> Apply:
    """Raises: RequestRefused: every problem of the rule."""
    rule = read_rule(document)

    def apply(stack: StackGateways) -> Applied:
        stored = stack.rules.put_rule(rule.name, document)
        back_up(record_rule, stack.operator_records, stored)
        for note in rule.notes:
            print_message(f"{rule.name}: {note}")
        return {
            "kind": RULE_KIND,
            "name": rule.name,
            "result": f"version {stored.version}",
            "version": stored.version,
            "notes": rule.notes,
        }

    return apply


def _prepare_scan(document: dict[str, Any], _: Namespace) -> Apply:
    """Raises: RequestRefused: every problem of the request."""
    body = json.dumps(document)
    request, notes = read_request(body)

    def apply(stack: StackGateways) -> Applied:
        message_id = stack.request_queue.send(body)
        for note in notes:
            print_message(f"{request.name}: {note}")
        scan_id = expected_scan_id(body, message_id, stack)
        return {
            "kind": SCAN_KIND,
            "name": request.name,
            "result": f"submitted as {scan_id}",
            "id": scan_id,
            "notes": notes,
        }

    return apply


def _prepare_schedule(document: dict[str, Any], args: Namespace) -> Apply:
    """Raises: RequestRefused: every problem of the schedule and its scans."""
    schedule = read_schedule(document)
    notes = (*schedule.notes, *_refused_today(schedule, args))

    def apply(stack: StackGateways) -> Applied:
        stored = store_schedule(document, schedule, stack)
        next_moments = islice(next_times(schedule, stored.created_at, utc_now()), NEXT_SHOWN)
        times = [to_wire(moment) for moment in next_moments]
        for note in notes:
            print_message(f"{schedule.name}: {note}")
        next_time = f"next {times[0]}" if times else "it has no further time"
        return {
            "kind": SCHEDULE_KIND,
            "name": schedule.name,
            "result": f"version {stored.version}, {'suspended' if schedule.suspend else next_time}",
            "version": stored.version,
            "nextTimes": [] if schedule.suspend else times,
            "notes": notes,
        }

    return apply


def _refused_today(schedule: Schedule, args: Namespace) -> Iterator[str]:
    """Notes on why its scans would be refused today.

    Scope and policy may have changed when it is due.
    """
    request = read_request(json.dumps(build_run_request(schedule, utc_now())), is_issued=True).request
    try:
        plan(request, read_permissions(args))
    except RequestRefused as refused:
        yield from (f"its scans would be refused: {reason}" for reason in refused.reasons)


KINDS: Mapping[str, Callable[[dict[str, Any], Namespace], Apply]] = {
    RULE_KIND: _prepare_rule,
    SCAN_KIND: _prepare_scan,
    SCHEDULE_KIND: _prepare_schedule,
}


def _name_prefix(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{name}: " if isinstance(name, str) else ""
