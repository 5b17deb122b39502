"""The whole pipeline in one process: the real work of every function and of the worker, over gateways in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from json import dumps
from random import Random
from typing import Any
from unittest.mock import patch

from cascan.clock import no_time_limit
from cascan.events import BusEvent, ReportStored, ScanCompleted, ShardQueued, ShardReturned
from cascan.events.control import Action, ControlRequested
from cascan.gateways import ScanGateways
from cascan.ids import ReportKey
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Lane
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.rates import ScanDefaults
from cascan.scans import agenda, close_open_shards
from on_control_requested import control_scan as control_module
from on_control_requested.control_scan import control_scan
from on_minute_passed.run_due_tasks import run_due_tasks
from on_report_stored.record_findings import record_findings
from on_scan_completed.publish import publish
from on_scan_requested.message import Message as RequestMessage
from on_scan_requested.plan_scan import plan_scan
from on_shard_abandoned.close_abandoned_shard import close_abandoned_shard
from on_shard_abandoned.take_back_shard import take_back_shard
from on_shard_queued.delivery import Delivery, Worker
from on_shard_queued.drain import HOLD_S, Drain
from on_shard_queued.heartbeat import Heartbeat
from on_shard_queued.run_shard import run_shard
from tests.fakes import FixedResolver, MemoryEventBus, MemoryOperatorRecords, MemoryReportStore, MemoryScanTable
from tests.fakes.cascades import MemoryIssuedRequests
from tests.simulation.clockwork import NONE, Clockwork, Faults
from tests.simulation.queues import (
    Message,
    Queue,
    SimulatedReturnedShards,
    SimulatedShardQueues,
    SimulatedShardSource,
)
from tests.simulation.scripted_nmap import ScriptedNmap
from tests.simulation.stepping import Call, stepping
from tests.support.builders import NOW
from tests.support.workers import as_worker

SCOPE = Scope.of(["10.0.0.0/8"])
FAULTS_END = timedelta(minutes=40)  # from then on everything works; what was begun has to come to its end
SETTLED = timedelta(hours=2)
WORKERS = 3
LOOK_FOR_WORK_S = 15
IDLE_LOOKS = 4
EXPRESS_LIMIT_S = 60.0
SHARD_LIMIT_S = 300
FUNCTION_S, EXPRESS_S = 360, 90  # visibility


class World:
    """One run of everything under one seed."""

    journal_is_in_order = True  # a call is noted when it takes effect

    def __init__(self, seed: int, faults: Faults | None = None) -> None:
        self.clockwork = clockwork = Clockwork(seed, faults or Faults())
        self.table, self.reports, self.bus = self._table(), MemoryReportStore(), MemoryEventBus()
        self.journal: list[Call] = []  # of the table
        self.house = MemoryOperatorRecords()
        self.nmap = ScriptedNmap(clockwork, Random(seed))  # noqa: S311 - chance, not a secret
        self.most_in_flight: dict[str, int] = {}
        self.requested: dict[str, dict[str, Any]] = {}  # message id → the request
        parked = Queue("parked", clockwork, FUNCTION_S)
        self.parked = parked

        def queue(name: str, handler: Any, visibility_s: float = FUNCTION_S, receives: int = 100) -> Queue:
            return Queue(name, clockwork, visibility_s, receives, parked, handler)

        self.requests = queue("requests", self._plan)
        self.controls = queue("controls", self._control)
        self.dead = queue("dead", self._close_abandoned)
        self.express = Queue("express", clockwork, EXPRESS_S, 25, self.dead, self._run_express)
        self.connect = Queue("connect", clockwork, HOLD_S, 25, self.dead)
        self.stored = queue("reports", self._record)
        self.completed = queue("completed", self._publish)
        self.given_back = queue("returned", self._take_back)
        self.returns = SimulatedReturnedShards(self.given_back, parked)
        self.queues = SimulatedShardQueues({Lane.EXPRESS: self.express, Lane.CONNECT: self.connect})
        self.workers = 0

    def _table(self) -> Any:
        return MemoryScanTable()

    def _stepping_table(self) -> Any:
        return stepping(self.table, "table", self.clockwork, self.journal)

    def scans(self) -> list[Scan]:
        return list(self.table.list_scans(100))

    # ---- the run

    def run(self) -> None:
        """Everything that a person does is on the way from the beginning; then time passes until all is quiet."""
        self._arrange()
        self.clockwork.after(60, self._tick)
        with (
            patch.object(Heartbeat, "alongside", lambda _: nullcontext()),  # a thread would go by another clock
            patch.object(agenda, "LOOK_EVERY_S", 86_400),  # the hourly look would mend what should not break
            patch.object(close_open_shards, "MAX_CLOSED_PER_TRANSACTION", 2),  # so that cancelling takes several turns
            patch.object(control_module, "MAX_CLOSED_PER_TRANSACTION", 3),
        ):
            self.clockwork.run(NOW + FAULTS_END)
            self.clockwork.faults = NONE
            self._calm()
            self.clockwork.run(NOW + SETTLED)
            self.clockwork.end()

    def _arrange(self) -> None:
        random = self.clockwork.random
        for number in range(random.choice((1, 1, 2, 3))):
            addresses = random.choice((1, 2, 6, 12, 24))
            request: dict[str, Any] = {
                "name": f"series-{number}",
                "targets": [f"10.0.{number}.0-{addresses - 1}"],
                "parameters": ["-p", "80"] if random.random() < 0.5 else ["-p", "80", "--max-rate", "10"],  # a slow one
                "hostsPerShard": random.choice((1, 3, 6, 24)),
                "maxParallelShards": random.choice((1, 2, 8)),
                "backoffLimit": random.choice((0, 1, 3, 20)),
            }
            if random.random() < 0.15:
                request["activeDeadlineSeconds"] = random.choice((30, 120, 600))
            if random.random() < 0.1:
                request["suspend"] = True
            if self.nmap.slow_hosts.random() < 0.3:
                request["parameters"] += ["--host-timeout", "60s"]
                request["retryTimedOut"] = self.nmap.slow_hosts.random() < 0.7
            if random.random() < 0.1:
                request["windows"] = ["12:00-12:02", "12:10-12:11", "13:00-14:00"]
            self.clockwork.after(random.uniform(0, 120), partial(self._submit, request))
        for _ in range(random.choice((0, 0, 1, 3, 5))):
            action = random.choice(list(Action))
            self.clockwork.after(random.uniform(20, 1200), partial(self._ask, action))

    def _calm(self) -> None:
        """Whoever interfered lets go of it, and every ten minutes again: what is left has to end."""
        self.clockwork.after(600, self._calm)
        self._ask(Action.LIFT)
        for scan in self.scans():
            if scan.state is ScanState.SUSPENDED:  # resuming another would mend it as well
                self._ask(Action.RESUME, scan.scan_id)

    def _submit(self, request: dict[str, Any]) -> None:
        self.requested[self.requests.send(dumps(request))] = request

    def _ask(self, action: Action, scan_id: str = "") -> None:
        of_the_stack = action in (Action.HALT, Action.LIFT)
        scan_ids = [""] if of_the_stack else [scan_id] if scan_id else sorted(scan.scan_id for scan in self.scans())
        if scan_ids:
            asked = ControlRequested(action=action, scan_id=self.clockwork.random.choice(scan_ids))
            self.clockwork.say(f"somebody asks: {asked.action} {asked.scan_id}")
            self.controls.send(asked.to_wire())

    def _tick(self) -> None:
        self.clockwork.after(60, self._tick)
        for scan in self.scans():
            self.most_in_flight[scan.scan_id] = max(self.most_in_flight.get(scan.scan_id, 0), scan.shards_in_flight)
        self.clockwork.spawn("on_minute_passed", self._keep_house)
        while self.workers < WORKERS and self.connect.messages:
            self.workers += 1
            self.clockwork.spawn(f"worker-{self.clockwork.turns}", self._work)

    # ---- the functions

    def _gateway(self, gateway: object, name: str) -> Any:
        return stepping(gateway, name, self.clockwork)

    def _scan_gateways(self) -> ScanGateways:
        queues, bus = self._gateway(self.queues, "queues"), self._gateway(self, "bus")
        return ScanGateways(self._stepping_table(), queues, bus, self.clockwork.clock)

    def put(self, events: Iterable[BusEvent]) -> None:
        """EventBus: the completion of a scan goes on to its queue, once or twice."""
        for event in events:
            self.bus.put([event])
            if isinstance(event, ScanCompleted):
                self.completed.send(event.to_wire())

    def _plan(self, message: Message) -> None:
        plan_scan(
            RequestMessage(message.message_id, message.body),
            self._scan_gateways(),
            issued=MemoryIssuedRequests(),
            reports=self.reports,
            permissions=Permissions(SCOPE),
            defaults=ScanDefaults(),
        )

    def _control(self, message: Message) -> None:
        reports, house = self._gateway(self.reports, "reports"), self._gateway(self.house, "house")
        gateways = self._scan_gateways()
        asked = ControlRequested.from_wire(message.body)
        control_scan(asked, gateways, reports=reports, operator_records=house, stack_switch=self._stepping_table())

    def _keep_house(self) -> None:
        run_due_tasks(self._scan_gateways(), self._gateway(self.reports, "reports"))

    def _close_abandoned(self, message: Message) -> None:
        close_abandoned_shard(ShardQueued.from_wire(message.body), message.message_id, self._scan_gateways())

    def _take_back(self, message: Message) -> None:
        returned = ShardReturned.from_wire(message.body)
        did = take_back_shard(returned, self._scan_gateways(), deliveries=message.received)
        self.clockwork.say(str(did))

    def _record(self, message: Message) -> None:
        size = len(self.reports.objects.get(message.body, b""))
        stored = ReportStored(key=message.body, bucket="reports", size=size, event_id=message.message_id)
        reports = self._gateway(self.reports, "reports")
        table, gateways = self._stepping_table(), self._scan_gateways()
        recorded = record_findings(
            stored, gateways, scope=SCOPE, reports=reports, results=table, left_s=self._time_left()
        )
        if recorded.after_s is not None:
            self.stored.send(message.body, recorded.after_s)

    def _time_left(self) -> Callable[[], float]:
        """Of the function that records a report."""
        return no_time_limit

    def _publish(self, message: Message) -> None:
        event = ScanCompleted.from_wire(message.body)
        publish(event, table=self._stepping_table(), reports=self._gateway(self.reports, "reports"))

    # ---- the workers

    def put_report(self, key: ReportKey, path: Any, metadata: dict[str, str]) -> None:
        """ReportStore, as a worker sees it: what is stored is announced, once or twice."""
        self.reports.put_report(key, path, metadata)
        for _ in range(2 if self.clockwork.chance(0.05) else 1):
            self.stored.send(str(key))

    def _worker(self, name: str) -> Worker:
        return Worker(
            name=name,
            nmap=("nmap",),
            table=as_worker(self._stepping_table()),
            reports=self._gateway(self, "reports"),
            returns=stepping(self.returns, "returns", self.clockwork, self.journal),
            scope=SCOPE,
            resolver=FixedResolver({}),
            clock=self.clockwork.clock,
            run=self.nmap,
        )

    def _run_express(self, message: Message) -> None:
        delivery = Delivery(message.message_id, time_limit_s=EXPRESS_LIMIT_S, lease_s=EXPRESS_S)
        outcome = run_shard(ShardQueued.from_wire(message.body), delivery, worker=self._worker("express"))
        self.clockwork.say(str(replace(outcome, nmap_s=0.0)))  # real seconds, which differ from run to run

    def _work(self) -> None:
        """A worker's life: it ends when there is nothing to do, when Spot wants it back, or when it crashes."""
        name = f"worker-{self.clockwork.turns}"
        source = SimulatedShardSource(self.connect)
        drain = Drain(self._gateway(source, "source"), self._worker(name), 60, SHARD_LIMIT_S)
        if self.clockwork.faults.crash and self.clockwork.chance(0.3):
            self.clockwork.after(self.clockwork.random.uniform(5, 600), lambda: drain.stop(15, None))
        try:
            idle = 0
            while idle < IDLE_LOOKS and not drain.stopping:
                received = source.receive(0, HOLD_S)
                if received:
                    drain._handle(received)
                    idle = 0
                else:
                    self.clockwork.sleep(LOOK_FOR_WORK_S)
                    idle += 1
        finally:
            self.workers -= 1
