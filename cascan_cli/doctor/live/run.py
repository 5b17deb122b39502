"""A live check: asks, scans, and says for each thing whether it passed, failed or was not tried."""

from __future__ import annotations

import sys
import uuid
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cascan.clock import utc_now
from cascan.cost.prices import bundled_prices
from cascan.gateways import Shards
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import ShardState
from cascan_cli.doctor.live.lines import Finding, Line, check_line, failed, not_tried, passed, skip_lines
from cascan_cli.doctor.live.scans import (
    LONG_MINUTES,
    LiveRun,
    LiveScans,
    build_requests,
    cancel_at_end,
    estimate_live_cost,
    find_open_ports,
)
from cascan_cli.doctor.live.tasks import WorkerTask, check_identity, check_start, list_raw_tasks, sum_task_cost
from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.text import pluralize, print_message
from cascan_cli.stack.dead_letters import list_queues
from cascan_cli.stack.permissions import read_permissions, read_scan_defaults, read_stack_shape

if TYPE_CHECKING:
    from cascan.cost.stack_shape import StackShape
    from cascan_cli.stack.open import StackGateways

OpenClient = Callable[[str], Any]  # by the name of the service
LINEAGE, RAW, START, IDENTITY = "report to findings", "raw scan", "worker start", "user and capabilities"
STOP, LONG, CONNTRACK, DLQS, COST = "stopped worker", "30-minute shard", "connection tracking", "dead letters", "cost"
MAX_LINEAGE_S = 120.0  # from the end of nmap to the end of the scan: S3, EventBridge, SQS, two functions
STOP_AFTER_POLLS = 30  # a minute after the shard began, nmap is at work
ON_ONE_MACHINE = "workers are processes on this machine, not Fargate tasks"
ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
COMPLETE = (Outcome.COMPLETE, Outcome.NOTHING_ANSWERED)


@dataclass(frozen=True, slots=True)
class LivePlan:
    """What a live check is going to do."""

    target: str
    requests: LiveScans
    highest_usd: float
    minutes: int
    shape: StackShape


def plan_live(args: Namespace) -> LivePlan:
    """Raises: BadInput: the target is outside the scope, or raw scans are not allowed."""
    on_fargate = bool(args.stack)
    requests = build_requests(args.live, uuid.uuid4().hex[:12], on_fargate=on_fargate, quick=args.quick)
    shape = read_stack_shape(args)
    permissions, defaults = read_permissions(args), read_scan_defaults(args)
    usd = estimate_live_cost(requests, permissions, defaults, prices=bundled_prices(), shape=shape)
    return LivePlan(args.live, requests, usd, args.minutes, shape)


def confirm_live(plan: LivePlan, args: Namespace) -> None:
    """Say what is scanned and what it costs, and ask. Raises: BadInput: the user did not confirm."""
    scans = list(plan.requests.list_all())
    where = f"stack {args.stack}" if args.stack else "the stack on this machine"
    cost = f"for up to {plan.highest_usd:.2f} USD by estimate" if args.stack else "at no cost"
    print_message(f"{pluralize(len(scans), 'SYN scan')} of {plan.target} through {where}, {cost}:")
    for request in scans:
        print_message(f"  {request.command}")
    print_message(f"within {plan.minutes} minutes; what is open then is cancelled")
    if plan.requests.stopped:
        print_message(f"the worker of {plan.requests.stopped.command} is stopped on purpose")
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("a live check scans, and costs money on AWS: confirm with --yes")
    if input(f"May you scan {plan.target}, and shall it begin? [y/N] ").strip().lower() not in ("y", "yes"):
        raise BadInput("nothing was scanned")


@dataclass(slots=True)
class LiveCheck:
    """A live check of one stack. `open_client` is None on one machine."""

    stack: StackGateways
    plan: LivePlan
    run: LiveRun
    open_client: OpenClient | None
    now: Callable[[], datetime] = utc_now
    _began_at: datetime = field(init=False)
    _syn: Scan | None = None

    def __post_init__(self) -> None:
        self._began_at = self.now()

    def check(self) -> Iterator[Line]:
        """The lines, each as soon as it is known."""
        with cancel_at_end(self.run):
            yield check_line(RAW, self._check_raw)
            yield check_line(LINEAGE, self._check_lineage)
            yield check_line(CONNTRACK, self._check_connection_tracking)
            if self.open_client is None:
                yield from skip_lines((START, IDENTITY, STOP, LONG), ON_ONE_MACHINE)
            else:
                yield check_line(STOP, self._check_stop)
                yield check_line(LONG, self._check_long)
                yield check_line(START, lambda: check_start(self._list_tasks()))
                yield check_line(IDENTITY, self._check_identity)
        yield check_line(DLQS, self._check_dead_letters)
        yield check_line(COST, self._check_cost)

    def _check_raw(self) -> Finding:
        """A SYN scan came back whole."""
        scan = self.run.wait_for_end(self.run.send(self.plan.requests.syn))
        self._syn = scan
        if scan.state is not ScanState.DONE or scan.outcome not in COMPLETE:
            return failed(f"scan {scan.scan_id} is {scan.state}: {scan.error_description or scan.reasons.sentence}")
        addresses = pluralize(scan.total_addresses, "address", "addresses")
        return passed(f"scan {scan.scan_id}: {scan.hosts_up} of {addresses} up, {scan.findings.count} findings")

    def _check_lineage(self) -> Finding:
        """The report went through S3, EventBridge and SQS to findings in the table."""
        scan = self._syn
        if scan is None or scan.state is not ScanState.DONE:
            return not_tried("the raw scan did not end")
        shards = list(self.stack.table.shards(scan.scan_id))
        stored = set(self.stack.reports.report_keys(scan.scan_id))
        ends = [shard.run.finished_at for shard in shards if shard.run and shard.run.finished_at]
        found = sum(1 for _ in self.stack.table.findings(scan.scan_id))
        if len(stored) < len(shards):
            return failed(f"{len(stored)} reports of {len(shards)} shards are in the bucket")
        if found != scan.findings.count:
            return failed(f"the table has {found} findings, and the scan counts {scan.findings.count}")
        if not (ends and scan.finished_at):
            return not_tried("the workers did not say when they ended")
        took_s = (scan.finished_at - max(ends)).total_seconds()
        sentence = f"{found} findings {took_s:.0f} s after nmap ended"
        return (
            passed(sentence) if took_s <= MAX_LINEAGE_S else failed(f"{sentence}; {MAX_LINEAGE_S:.0f} s are expected")
        )

    def _check_connection_tracking(self) -> Finding:
        """A second SYN scan of a /24 finds the same open ports."""
        if self.plan.requests.repeated is None:
            return not_tried(f"{self.plan.target} is not a /24")
        if self._syn is None or self._syn.state is not ScanState.DONE:
            return not_tried("the raw scan did not end")
        again = self.run.wait_for_end(self.run.send(self.plan.requests.repeated))
        if again.state is not ScanState.DONE:
            return failed(f"scan {again.scan_id} is {again.state}: {again.error_description}")
        before = find_open_ports(self.stack.table.findings(self._syn.scan_id))
        after = find_open_ports(self.stack.table.findings(again.scan_id))
        if not before | after:
            return not_tried("no port is open in the network, so nothing shows whether answers are lost")
        different = before ^ after
        if different:
            return failed(f"{len(different)} of {len(before | after)} open ports were found by one scan alone")
        return passed(f"two scans found the same {pluralize(len(before), 'open port')}; no other load was tried")

    def _check_stop(self) -> Finding:
        """The shard of a worker that is stopped goes on elsewhere."""
        if self.plan.requests.stopped is None:
            return not_tried("left out by --quick")
        stopper = WorkerStopper(self.stack.table, self._client("ecs"), self.stack.outputs["ClusterName"])
        scan_id = self.run.send(self.plan.requests.stopped)
        scan = self.run.wait_for_end(scan_id, lambda: stopper.look(scan_id))
        if not stopper.stopped:
            return not_tried(stopper.obstacle or "the scan ended before its worker could be stopped")
        shards = list(self.stack.table.shards(scan_id))
        went_on = len(shards) > 1 or any(shard.attempt > 1 for shard in shards)
        if scan.state is not ScanState.DONE or scan.outcome not in COMPLETE or not went_on:
            return failed(f"scan {scan_id} is {scan.state}, {scan.outcome}: {scan.error_description}")
        return passed("stopped by StopTask, and the scan is complete; a stop by Spot itself cannot be ordered")

    def _check_long(self) -> Finding:
        """A shard that runs for 30 minutes is reported whole."""
        if self.plan.requests.long is None:
            return not_tried("left out by --quick")
        scan = self.run.wait_for_end(self.run.send(self.plan.requests.long))
        runs = [shard.run for shard in self.stack.table.shards(scan.scan_id) if shard.run]
        took_s = sum(
            (run.finished_at - run.started_at).total_seconds() for run in runs if run.started_at and run.finished_at
        )
        sentence = f"scan {scan.scan_id} is {scan.state}, {scan.outcome}, after {took_s / 60:.0f} minutes of nmap"
        if scan.state is not ScanState.DONE or scan.outcome not in COMPLETE:
            return failed(f"{sentence}: {scan.error_description}")
        if took_s < LONG_MINUTES * 60:
            return not_tried(f"{sentence}: it ended too early to show it")
        return passed(sentence)

    def _check_identity(self) -> Finding:
        return check_identity(self._client("ecs"), self._client("logs"), self._list_tasks())

    def _check_dead_letters(self) -> Finding:
        queues = list_queues(self.stack.outputs)
        counts = {queue.name: self.stack.queue(queue.name).count() for queue in queues}
        full = {name: count for name, count in counts.items() if count}
        if full:
            described = ", ".join(f"{name} {count}" for name, count in full.items())
            return failed(f"messages in {described}: cascan redrive list")
        return passed(f"all {len(counts)} queues are empty")

    def _check_cost(self) -> Finding:
        if self.open_client is None:
            return not_tried("nothing of it costs money on this machine")
        tasks = self._list_tasks()
        usd = sum_task_cost(tasks, self.now(), bundled_prices().prices, self.plan.shape)
        sentence = (
            f"{usd:.4f} USD for {pluralize(len(tasks), 'worker')} by their times, estimated up to "
            f"{self.plan.highest_usd:.2f}; the bill has it a day later"
        )
        return passed(sentence) if usd <= self.plan.highest_usd else failed(sentence)

    def _list_tasks(self) -> list[WorkerTask]:
        return list_raw_tasks(self._client("ecs"), self.stack.outputs["ClusterName"], self._began_at)

    def _client(self, service: str) -> Any:
        if self.open_client is None:
            raise CliError(ON_ONE_MACHINE)
        return self.open_client(service)


@dataclass(slots=True)
class WorkerStopper:
    """Stops the only raw worker while it runs the shard of a scan. With more of them it stops none."""

    table: Shards
    ecs: Any
    cluster: str
    stopped: bool = False
    obstacle: str = ""
    _polls: int = 0

    def look(self, scan_id: str) -> None:
        """Called at each poll; acts STOP_AFTER_POLLS after the shard began to run."""
        if self.stopped or self.obstacle:
            return
        if not any(shard.state is ShardState.RUNNING for shard in self.table.shards(scan_id)):
            return
        self._polls += 1
        if self._polls < STOP_AFTER_POLLS:
            return
        running = [task for task in list_raw_tasks(self.ecs, self.cluster, ANY_TIME) if task.is_running]
        if len(running) != 1:
            self.obstacle = f"{pluralize(len(running), 'raw worker')} run: only one that is alone is stopped"
            return
        self.ecs.stop_task(cluster=self.cluster, task=running[0].arn, reason="cascan doctor --live")
        self.stopped = True
