"""A stack's table, made again from its bucket: with the function that records reports, run here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cascan.clock import utc_now
from cascan.rebuild import NoBus, NoQueues, Rebuilt, rebuild
from cascan.scope import Scope
from cli.show import Progress

if TYPE_CHECKING:
    from cascan.gateways import ReportStore, ScanTable

EVERYWHERE = ("0.0.0.0/0", "::/0")  # what was recorded was in the scope of its day, and each shard says what it asked
NOT_KEPT = "suspensions, a halt, rules of your own and what cascades had spent are not among the records"


def rebuild_table(table: ScanTable, reports: ReportStore) -> Rebuilt:
    """Put every scan of the bucket into the table that is not there. Raises: GatewayUnavailable: to be repeated."""
    from on_report_stored.record_findings import record_findings  # noqa: PLC0415 - the readers come with it

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


def sentence_of(rebuilt: Rebuilt) -> str:
    said = f"{rebuilt.scans} scans rebuilt from {rebuilt.reports} reports; {rebuilt.open} of them go on"
    if rebuilt.left:
        said += f"; {rebuilt.left} were in the table"
    if rebuilt.unreadable:
        said += f"; {rebuilt.unreadable} scans or reports cannot be read"
    return said
