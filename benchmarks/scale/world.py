"""One simulated stack: the project's functions between queues, workers and quotas."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random

from benchmarks.scale.clock import VirtualClock
from benchmarks.scale.event_source import Account, EventSource
from benchmarks.scale.fleet import QuotaFleet
from benchmarks.scale.lean_table import LeanScanTable
from benchmarks.scale.load import (
    build_express_request,
    build_small_request,
    build_wide_request,
    find_scan_id,
)
from benchmarks.scale.setting import Setting
from benchmarks.scale.write_meter import WriteMeter, Writes
from cascan.events import BusEvent, ScanCancelled, ScanCompleted, ScanFailed, ScanPlanned, ShardQueued, WorkersWanted
from cascan.gateways import ScanGateways
from cascan.model.scan import Outcome
from cascan.model.shard import Lane, NmapRun, ShardClosing, ShardState
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.rates import ScanDefaults
from cascan.scans.close import close_shard
from on_scan_requested.message import Message
from on_scan_requested.plan_scan import plan_scan
from on_shards_waiting.launch_workers import launch_workers
from tests.fakes import MemoryReportStore
from tests.fakes.cascades import MemoryIssuedRequests

PERMISSIONS = Permissions(Scope.of(["10.0.0.0/8"]))
TICK_S, SAMPLE_S = 60.0, 15.0
WORKER_START_S = (30.0, 90.0)  # of a Fargate task
EXPRESS_START_S = (1.0, 5.0)  # of a Lambda
HEARTBEAT_S = 15.0
# Model of OnScanRequested
PLANNING_S = 1.0  # beside its writes
PLANNER_TIMEOUT_S, REQUEST_VISIBILITY_S, REQUEST_RECEIVES = 60.0, 360.0, 5
SHARDS_PER_TRANSACTION = 100
# Model of OnReportStored
NOTICE_S = 1.0  # S3 → EventBridge → SQS
RECORDING_S = 1.0
HOSTS_UP, FINDINGS = 2, 6  # of one shard
# Write units of one shard's results, by partition; `{}` is the scan, or its network
RESULT_WRITES = {
    "findings/{scan}": 2 * HOSTS_UP,
    "host/{shard}": 4 * HOSTS_UP,  # a record and its changes, in one transaction
    "network/{network}": 4 * HOSTS_UP,
    "looks/{network}": 2,
}


@dataclass(slots=True)
class ScanTimes:
    """Seconds since the beginning."""

    requested: float
    planned: float = 0.0
    first_claimed: float | None = None
    ended: float | None = None


@dataclass(slots=True, eq=False)
class SimulatedWorker:
    lane: Lane
    provider: str
    free_slots: int
    idle_since: float = 0.0


class SimulatedQueues:
    """ShardQueues. What is sent stays in `outbox` until the sender's writes have been taken."""

    def __init__(self) -> None:
        self.outbox: list[tuple[Lane, ShardQueued]] = []
        self.visible: defaultdict[Lane, deque[ShardQueued]] = defaultdict(deque)
        self.in_flight: Counter[Lane] = Counter()

    def send(
        self,
        lane: Lane,
        messages: Iterable[ShardQueued],
        *,
        delay_s: int = 0,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        self.outbox.extend((lane, message) for message in messages)

    def waiting(self, lane: Lane) -> int:
        return len(self.visible[lane])

    def held(self, lane: Lane) -> int:
        return self.in_flight[lane]


class SimulatedBus:
    """EventBus. Events stay in `outbox` like the messages of the queues."""

    def __init__(self) -> None:
        self.outbox: list[BusEvent] = []

    def put(self, events: Iterable[BusEvent]) -> None:
        self.outbox.extend(events)


class DiscardedRecords(MemoryReportStore):
    """ReportStore that keeps no plan: nothing reads them here."""

    def put_record(self, scan_id: str, name: str, body: Iterable[bytes]) -> None:
        for _ in body:
            pass


class World:
    """One run of one setting. `times` and the counters of its parts are the result."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.clock = VirtualClock()
        self.meter = WriteMeter(setting.table_writes_per_s)
        self.table, self.queues, self.bus = LeanScanTable(), SimulatedQueues(), SimulatedBus()
        self.fleet = QuotaFleet(setting, lambda: self.clock.now, self._start_worker)
        account = Account()
        self.planners = EventSource(self.clock, account, self._plan, setting.planners)
        self.recorders = EventSource(self.clock, account, self._record)
        self.express = EventSource(self.clock, account, self._run_express, setting.express_concurrency)
        self.gateways = ScanGateways(self.table, self.queues, self.bus, self.clock.datetime)
        self.times: dict[str, ScanTimes] = {}
        self.refused: list[str] = []  # scans that were given up
        self.planner_timeouts = 0
        self.closed = 0  # shards
        self.binding: Counter[str] = Counter()  # samples, by what held the work up
        self._planning = 0  # requests that are not planned yet
        self._scans_open = 0
        self._idle: defaultdict[Lane, deque[SimulatedWorker]] = defaultdict(deque)
        self._random = Random(setting.seed)  # noqa: S311 - chance, not a secret
        self._wakeups = count()
        self._waited_before: dict[str, float] = {}

    def run(self) -> None:
        for number in range(self.setting.scans):
            self._request(build_wide_request(number, self.setting.shards), self.setting.shards)
        self.clock.after(TICK_S, self._tick)
        self.clock.after(SAMPLE_S, self._sample)
        self.clock.run(lambda: not self._scans_open)
        self.meter.finish()

    # ---- requests

    def _request(self, message: Message, shards: int) -> None:
        self.times[find_scan_id(message)] = ScanTimes(self.clock.now)
        self._scans_open += 1
        self._planning += 1
        self.planners.send((message, shards, 1))

    def _plan(self, request: tuple[Message, int, int], done: Callable[[], None]) -> None:
        """OnScanRequested: the shards are written in transactions, then the scan is there."""
        started_at = self.clock.now
        message, shards, receives = request
        scan_id = find_scan_id(message)
        queued = min(shards, self.setting.shards_per_scan)

        def write(first: int) -> None:
            if self.clock.now - started_at > PLANNER_TIMEOUT_S:
                self.planner_timeouts += 1
                again_at = started_at + REQUEST_VISIBILITY_S
                self.clock.at(again_at, partial(self._receive_again, message, shards, receives + 1))
                done()
                return
            if first >= shards:
                self._finish_planning(message, done)
                return
            after_last = min(shards, first + SHARDS_PER_TRANSACTION)
            waiting = max(0, after_last - max(first, queued))
            writes = {f"shard/{scan_id}": 2 * (after_last - first), f"index waiting/{scan_id}": waiting}
            self.clock.at(self.meter.admit(writes, self.clock.now), partial(write, after_last))

        self.clock.after(PLANNING_S, partial(write, 0))

    def _receive_again(self, message: Message, shards: int, receives: int) -> None:
        if receives <= REQUEST_RECEIVES:
            self.planners.send((message, shards, receives))
            return
        self.refused.append(message.message_id)
        self._planning -= 1
        self._scans_open -= 1

    def _finish_planning(self, message: Message, done: Callable[[], None]) -> None:
        def plan() -> None:
            plan_scan(
                message,
                self.gateways,
                issued=MemoryIssuedRequests(),
                reports=DiscardedRecords(),
                permissions=PERMISSIONS,
                defaults=ScanDefaults(shards_per_scan=self.setting.shards_per_scan),
            )

        def finish() -> None:
            self._planning -= 1
            self.times[find_scan_id(message)].planned = self.clock.now
            done()

        self._call(plan, finish)

    def _call(self, work: Callable[[], object], then: Callable[[], None]) -> None:
        """Run a function now. What it sends arrives once its writes have been taken."""
        work()
        messages, self.queues.outbox = self.queues.outbox, []
        events, self.bus.outbox = self.bus.outbox, []

        def arrive() -> None:
            for lane, message in messages:
                self._deliver(lane, message)
            for event in events:
                self._hear(event)
            then()

        self.clock.at(self.meter.admit(self.table.take_writes(), self.clock.now), arrive)

    def _hear(self, event: BusEvent) -> None:
        if isinstance(event, ScanPlanned) and Lane.EXPRESS not in event.lanes:
            self._wake_launcher(WorkersWanted(id=event.event_id, planned=event.lanes))
        if isinstance(event, ScanCompleted | ScanFailed | ScanCancelled):
            self.times[event.scan_id].ended = self.clock.now
            self._scans_open -= 1

    # ---- workers

    def _tick(self) -> None:
        self._wake_launcher(WorkersWanted(id=f"tick-{next(self._wakeups)}"))
        self.clock.after(TICK_S, self._tick)

    def _wake_launcher(self, wakeup: WorkersWanted) -> None:
        """OnShardsWaiting."""
        launch_workers(
            wakeup,
            stack_switch=self.table,
            queues=self.queues,
            fleet=self.fleet,
            max_workers=self.setting.max_workers,
            shards_per_worker=self.setting.shards_per_worker,
            worker_slots=self.setting.worker_slots,
        )

    def _start_worker(self, lane: Lane, provider: str, launched_at: float) -> None:
        worker = SimulatedWorker(lane, provider, self.setting.worker_slots)
        starts_at = launched_at + self._random.uniform(*WORKER_START_S)
        self.clock.at(starts_at, partial(self._look_for_work, worker))

    def _look_for_work(self, worker: SimulatedWorker) -> None:
        queue = self.queues.visible[worker.lane]
        while queue and worker.free_slots:
            self._claim(worker, queue.popleft())
        if worker.free_slots and worker not in self._idle[worker.lane]:
            self._idle[worker.lane].append(worker)
        if worker.free_slots == self.setting.worker_slots:
            worker.idle_since = self.clock.now
            self.clock.after(self.setting.idle_exit_s, partial(self._exit_if_idle, worker, self.clock.now))

    def _exit_if_idle(self, worker: SimulatedWorker, idle_since: float) -> None:
        is_idle = worker.free_slots == self.setting.worker_slots and worker.idle_since == idle_since
        if not is_idle or worker not in self._idle[worker.lane]:
            return
        self._idle[worker.lane].remove(worker)
        self.fleet.stop(worker.lane, worker.provider)
        self._wake_launcher(WorkersWanted(id=f"stopped-{next(self._wakeups)}"))

    def _deliver(self, lane: Lane, message: ShardQueued) -> None:
        if lane is Lane.EXPRESS:
            self.express.send(message)
            return
        self.queues.visible[lane].append(message)
        if self._idle[lane]:
            self._look_for_work(self._idle[lane].popleft())

    def _claim(self, worker: SimulatedWorker, message: ShardQueued) -> None:
        worker.free_slots -= 1
        self.queues.in_flight[worker.lane] += 1

        def finish() -> None:
            worker.free_slots += 1
            self.queues.in_flight[worker.lane] -= 1
            self._look_for_work(worker)

        self._run_shard(message, finish)

    def _run_express(self, message: ShardQueued, done: Callable[[], None]) -> None:
        start_s = self._random.uniform(*EXPRESS_START_S)
        self.clock.after(start_s, partial(self._run_shard, message, done, nmap_s=1.0))

    def _run_shard(self, message: ShardQueued, done: Callable[[], None], *, nmap_s: float | None = None) -> None:
        """A worker with a message: it claims the shard, runs nmap, reports."""
        scan_id, number, now = message.scan_id, message.shard, self.clock.datetime()
        shard = self.table.claim_shard(scan_id, number, worker="", message_id="", lease_until=now, now=now)
        if shard is None:
            raise AssertionError(f"two messages for shard {number} of scan {scan_id}")
        times = self.times[scan_id]
        if times.first_claimed is None:
            times.first_claimed = self.clock.now
        duration_s = nmap_s or self.setting.shard_s * self._random.uniform(0.5, 1.5)
        claimed_at = self.meter.admit(self.table.take_writes(), self.clock.now)

        def report() -> None:
            self.table.report_shard(scan_id, number, shard.attempt, NmapRun())
            self.table.writes[f"shard/{scan_id}"] += int(duration_s / HEARTBEAT_S)
            reported_at = self.meter.admit(self.table.take_writes(), self.clock.now)
            self.clock.at(reported_at + NOTICE_S, partial(self.recorders.send, (scan_id, number)))
            self.clock.at(reported_at, done)

        self.clock.at(claimed_at + duration_s, report)

    # ---- reports

    def _record(self, report: tuple[str, int], done: Callable[[], None]) -> None:
        """OnReportStored: the results are written, then the shard is closed, and others released."""
        scan_id, number = report
        recorded_at = self.meter.admit(self._result_writes(scan_id, number), self.clock.now)
        closing = ShardClosing(
            state=ShardState.RECORDED, outcome=Outcome.COMPLETE, findings=FINDINGS, hosts_up=HOSTS_UP
        )

        def close() -> None:
            self._call(partial(close_shard, scan_id, number, closing, self.gateways), done)
            self.closed += 1
            if self.closed == self.setting.scans * self.setting.shards // 2:
                self._request(build_small_request(), 4)
                self._request(build_express_request(), 1)

        self.clock.at(recorded_at + RECORDING_S, close)

    def _result_writes(self, scan_id: str, number: int) -> Writes:
        names = {"scan": scan_id, "shard": f"{scan_id}/{number}", "network": scan_id}
        return {partition.format(**names): units for partition, units in RESULT_WRITES.items()}

    # ---- what binds

    def _sample(self) -> None:
        self.binding[self._find_binding()] += 1
        self._waited_before = dict(self.meter.waited_s)
        self.clock.after(SAMPLE_S, self._sample)

    def _find_binding(self) -> str:
        """What holds the work up now."""
        before = self._waited_before
        throttled = {name: waited_s - before.get(name, 0) for name, waited_s in self.meter.waited_s.items()}
        slowest = max(throttled, key=lambda name: throttled[name], default="")
        is_throttled = bool(slowest) and throttled[slowest] > SAMPLE_S  # together: many may wait at once
        if self.queues.waiting(Lane.CONNECT):
            if self.fleet.size >= self.setting.max_workers:
                return "MaxWorkers"
            return self.fleet.refused_by or "the start of workers"
        if self._planning and not self.table.waiting:
            return slowest if is_throttled else "planning"
        if not self.table.waiting:
            return "the last shards"
        if self.recorders.waiting:
            return "Lambda concurrency"
        return slowest if is_throttled else "ShardsPerScan"


class PlanningWorld(World):
    """The planners alone: their writes, their timeouts, their repeats. No plan is made."""

    def _finish_planning(self, message: Message, done: Callable[[], None]) -> None:
        self.times[find_scan_id(message)].planned = self.clock.now
        self._planning -= 1
        self._scans_open -= 1
        done()
