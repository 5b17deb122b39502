"""A stack's table, made again from its bucket: with the function that records reports, run here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.errors import RequestRefused
from cascan.permissions.scope import Scope
from cascan.recovery.operator_records import restore_records
from cascan.recovery.rebuild import NoBus, NoQueues, RebuildResult, rebuild
from cascan_cli.output.text import Progress, pluralize, print_message

if TYPE_CHECKING:
    from cascan.gateways import OperatorRecords, ReportStore, ScanTable
    from cascan_cli.stack.open import StackGateways

# What was recorded was in the scope of its day, and each shard says what it asked.
EVERYWHERE = ("0.0.0.0/0", "::/0", "127.0.0.0/8", "::1")
NOT_KEPT = "what cascades had decided and spent, and the runs of schedules, are not among the records"


def rebuild_table(table: ScanTable, reports: ReportStore) -> RebuildResult:
    """Put every scan of the bucket into the table that is not there. Raises: GatewayUnavailable: to be repeated."""
    from on_report_stored.record_findings import record_findings  # the readers come with it

    record = partial(
        record_findings,
        scope=Scope.of(EVERYWHERE),
        reports=reports,
        table=table,
        queues=NoQueues(),
        bus=NoBus(),
    )
    with Progress() as progress:
        return rebuild(
            table=table,
            reports=reports,
            record=record,
            clock=utc_now,
            tell=lambda done, of: progress.show(f"rebuilding: {done} of {of} reports"),
        )


def restore_operator_records(stack: StackGateways, records: OperatorRecords) -> str:
    """Give the table what the operator decided, and have schedules fire again. What was restored, in a sentence."""
    from cascan.schedules.form import read_schedule  # few stacks have any

    try:
        restored = restore_records(records, table=stack.table, rules=stack.rules, schedules=stack.schedules)
    except ValueError as exc:  # msgspec's errors are: a record of another version, or damaged
        return f"what was decided of rules and schedules cannot be read: {exc}"
    for stored in stack.schedules.schedules():  # all of them: an earlier rebuild may have broken off here
        try:
            schedule = read_schedule(stored.document, is_stored=True)
        except RequestRefused as exc:
            print_message(
                f"schedule {stored.name} was stored by another version and starts nothing; apply it anew: {exc}"
            )
        else:
            stack.scheduler.put(schedule, stored.created_at, utc_now())
    parts = ["the halt"] if restored.halted else []
    parts += [f"{restored.severity_rules} severity rules"] if restored.severity_rules else []
    parts += [f"rule {name}" for name in restored.rules] + [f"schedule {name}" for name in restored.schedules]
    return f"restored: {', '.join(parts)}" if parts else ""


def summarize_rebuild(rebuilt: RebuildResult) -> str:
    said = f"{pluralize(rebuilt.scans, 'scan')} rebuilt from {pluralize(rebuilt.reports, 'report')}"
    said += f"; {rebuilt.open} of them go on"
    if rebuilt.left:
        said += f"; {rebuilt.left} were in the table"
    if rebuilt.unreadable:
        said += f"; {rebuilt.unreadable} scans or reports cannot be read"
    return said
