"""Rebuild the table of a stack from its bucket, with the code of on_report_stored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.errors import RequestRefused
from cascan.permissions.scope import Scope
from cascan.recovery.operator_records import restore_records
from cascan.recovery.rebuild import RebuildResult, rebuild
from cascan_cli.output.text import Progress, pluralize, print_message

if TYPE_CHECKING:
    from cascan.gateways import OperatorRecords, ReportStore, ScanTable
    from cascan_cli.stack.open import StackGateways

# Recorded reports were in scope when they were scanned; a rebuild does not check the scope again.
EVERYWHERE = ("0.0.0.0/0", "::/0", "127.0.0.0/8", "::1")
NOT_REBUILT = "decisions and budgets of cascades and the runs of schedules are not backed up, and were not rebuilt"


def rebuild_table(table: ScanTable, reports: ReportStore) -> RebuildResult:
    """Rebuild every scan of the bucket that is missing in the table.

    Raises: GatewayUnavailable: the stack failed to answer; repeat the rebuild.
    """
    from on_report_stored.record_findings import record_findings  # imports all report readers

    record = partial(
        record_findings,
        scope=Scope.of(EVERYWHERE),
        reports=reports,
        results=table,
        is_rebuild=True,
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
    """Restore rules, schedules and the halt, and register the schedules again.

    Returns a summary in one sentence.
    """
    from cascan.schedules.form import read_schedule  # imported here: few stacks have schedules

    try:
        restored = restore_records(
            records, table=stack.table, rules=stack.rules, schedules=stack.schedules, channels=stack.messages
        )
    except ValueError as exc:  # from msgspec: the record is damaged, or of another version
        return f"the backup of rules and schedules cannot be read: {exc}"
    # All of them: an earlier rebuild may have been interrupted here.
    for stored in stack.schedules.schedules():
        try:
            schedule = read_schedule(stored.document, is_stored=True)
        except RequestRefused as exc:
            print_message(
                f"schedule {stored.name} is from another version of cascan and starts no scans; apply it again: {exc}"
            )
        else:
            stack.scheduler.put(schedule, stored.created_at, utc_now())
    _restore_mutes(stack)
    items = ["the halt"] if restored.halted else []
    items += [f"{restored.severity_rules} severity rules"] if restored.severity_rules else []
    items += [pluralize(restored.networks, "network")] if restored.networks else []
    items += ["the channels of messages"] if restored.channels else []
    items += [f"rule {name}" for name in restored.rules]
    items += [f"schedule {name}" for name in restored.schedules]
    items += [f"vantage {name}" for name in restored.vantages]
    return f"restored: {', '.join(items)}" if items else ""


def _restore_mutes(stack: StackGateways) -> None:
    """The mutes of the file of channels. Those that commands have set are not recorded."""
    from cascan.messages.file_mutes import store_file_mutes
    from cascan.messages.read_channels import read_channels

    stored = stack.messages.channels()
    if stored is None:
        return
    try:
        file = read_channels(stored.text)
    except RequestRefused as exc:
        print_message(f"the file of channels is from another version of cascan; store it again: {exc}")
        return
    store_file_mutes(file.mutes, stack.mutes, utc_now(), by=stored.stored_by)


def summarize_rebuild(rebuilt: RebuildResult) -> str:
    """What a rebuild did, in one sentence."""
    scans, reports = pluralize(rebuilt.scans, "scan"), pluralize(rebuilt.reports, "report")
    sentence = f"{scans} rebuilt from {reports}; {rebuilt.open} of them go on"
    if rebuilt.left:
        sentence += f"; {rebuilt.left} were still in the table"
    if rebuilt.unreadable:
        sentence += f"; {rebuilt.unreadable} scans or reports are unreadable"
    return sentence
