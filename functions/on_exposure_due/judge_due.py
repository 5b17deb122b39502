"""One message of the exposure queue: judge as far as there is time, and send the rest on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cascan.clock import Clock, TimeLeft, no_time_limit
from cascan.errors import MalformedMessage
from cascan.exposure_updates.confirm import ConfirmationGateways, request_confirmations
from cascan.exposure_updates.context import ShardTable, WatchContext, open_context
from cascan.exposure_updates.judge_day import judge_day
from cascan.exposure_updates.judge_shard import judge_shard
from cascan.exposure_updates.work import ExposureWork, WorkKind, continue_work
from cascan.gateways import EventBus, RequestQueue
from cascan.ids import ReportKey
from cascan.log_context import add_log_context
from cascan.model.exposure import MoveKind


@dataclass(frozen=True, slots=True)
class DueGateways:
    table: ShardTable
    bus: EventBus
    confirmations: ConfirmationGateways
    queue: RequestQueue  # where the message goes that is to be continued
    clock: Clock


@dataclass(frozen=True, slots=True)
class DueOutcome:
    """What was judged, for the log."""

    kind: str
    hosts: int = 0
    ports: int = 0
    ports_left: int = 0  # of hosts with too many ports
    moves: dict[str, int] = field(default_factory=dict)  # by event
    confirmations: int = 0  # that were requested
    is_continued: bool = False

    @property
    def opened(self) -> int:
        return self.moves.get(MoveKind.OPENED.value, 0)


def judge_due(work: ExposureWork, gateways: DueGateways, *, left_s: TimeLeft = no_time_limit) -> DueOutcome:
    """Raises: MalformedMessage: a shard that was not planned. GatewayUnavailable: try again."""
    stored = gateways.table.expectations()
    if stored is None:
        return DueOutcome(kind=work.kind)
    context = open_context(stored, gateways.table, gateways.bus, gateways.clock)
    if work.kind is WorkKind.DAY:
        return _judge_day(work, context, gateways, left_s)
    return _judge_shard(work, context, gateways, left_s)


def _judge_shard(work: ExposureWork, context: WatchContext, gateways: DueGateways, left_s: TimeLeft) -> DueOutcome:
    add_log_context(scan_id=work.scan_id, shard=work.shard)
    report = ReportKey.parse(work.report_key)
    table = gateways.table
    scan, shard = table.get_scan(work.scan_id), table.get_shard(work.scan_id, work.shard)
    if scan is None:  # it was removed; its looks are judged with the next report
        return DueOutcome(kind=work.kind)
    if shard is None:
        raise MalformedMessage(f"scan {work.scan_id} has no shard {work.shard}")
    add_log_context(trace_id=scan.trace_id)
    outcome = judge_shard(scan, shard, report, context, table, after=work.after, left_s=left_s)
    judged, requested = outcome.judged, 0
    if context.settings.confirm:
        requested = request_confirmations(judged.opened, scan, report, gateways.confirmations)
    if outcome.continue_after:
        gateways.queue.send(continue_work(work, after=outcome.continue_after).to_wire())
    return DueOutcome(
        kind=work.kind,
        hosts=judged.hosts,
        ports=judged.ports,
        ports_left=judged.ports_left,
        moves=dict(Counter(kind.value for kind, _ in judged.moves)),
        confirmations=requested,
        is_continued=bool(outcome.continue_after),
    )


def _judge_day(work: ExposureWork, context: WatchContext, gateways: DueGateways, left_s: TimeLeft) -> DueOutcome:
    vantage, after = judge_day(context, vantage=work.vantage, after=work.after, left_s=left_s)
    if after:
        gateways.queue.send(continue_work(work, after=after, vantage=vantage).to_wire())
    return DueOutcome(kind=work.kind, is_continued=bool(after))
