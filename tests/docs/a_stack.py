"""A stack in memory with something for every command to print."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from cascan.events.control import ControlRequested
from cascan.exposure.life import add_looks, start_exposure
from cascan.gateways import ScanGateways
from cascan.ids import derive_keyed_scan_id, derive_scan_id, digest_body
from cascan.model.cascade import CascadeLine, CascadeRecord, StoredChild
from cascan.model.exposure import ExposureSubject, JudgedLook
from cascan.model.finding import Finding, HostFindings, Severity
from cascan.model.identity import IdentityKind, NetworkIdentity, StoredNetworks
from cascan.model.inventory import UP, ChangeKind, Place
from cascan.model.reason import Reason, ReasonCode, Reasons
from cascan.model.refusal import Refusal, Rule
from cascan.model.request import Origin
from cascan.model.scan import Counts, Outcome, ScanState, Suspension
from cascan.model.schedule import LatestResult, ScheduledRun, ScheduleStatus
from cascan.model.usage import ScanCost
from cascan.model.vantage import Vantage
from cascan_cli import commands
from cascan_cli.stack import open as access
from on_control_requested.control_scan import control_scan
from tests.fakes import MemoryEventBus, MemoryOperatorRecords, MemoryShardQueues
from tests.fakes.cascades import MemoryCascadeTable, MemoryRequestQueue, MemoryRuleTable
from tests.fakes.message_threads import MemoryMessageThreads
from tests.fakes.mutes import MemoryMutes
from tests.fakes.operator_queue import MemoryOperatorQueue
from tests.fakes.schedules import MemoryScheduleTable
from tests.support.builders import NOW, SCAN_ID, a_request, a_scan, a_shard, clock
from tests.support.cascading import rule_document
from tests.support.scanned_network import Hosts, World, xml

SUBMITTER = "me"
MESSAGE = "message"  # the id of every message
KEY = "k"  # the idempotency key of requests that tests send
REASONS = Reasons.of([Reason.of(ReasonCode.NAME_NOT_FOUND, "db", "no such name")]).at_shard(0)
SCHEDULE = {
    "apiVersion": "execution.securecodebox.io/v1",
    "kind": "ScheduledScan",
    "metadata": {"name": "nightly"},
    "spec": {"schedule": "30 2 * * *", "scanSpec": {"scanType": "nmap", "parameters": ["127.0.0.1"]}},
}
UNREADABLE = {**SCHEDULE, "metadata": {"name": "strange"}, "spec": {"schedule": "never"}}


def detailed(hosts: Hosts) -> bytes:
    """A report in which hosts have a name and a route, and services all that nmap knows of them."""
    named = b'<hostnames><hostname name="db" type="PTR"/></hostnames><ports>'
    service = (
        b'<service name="ssh" product="OpenSSH" version="9.2" extrainfo="protocol 2.0" tunnel="ssl" method="probed"'
        b' conf="10"><cpe>cpe:/a:openbsd:openssh:9.2</cpe></service>'
    )
    bare = b'<service name="ssh" method="probed" conf="10"/>'
    hop = b'<hop ttl="1" ipaddr="10.9.0.1" rtt="0.31" host="gate.example"/>'
    route = b'</ports><trace port="22" proto="tcp">' + hop + b"</trace>"
    return xml(hosts).replace(b"<ports>", named).replace(bare, service).replace(b"</ports>", route)


class Stack:
    """Two scans of a network with changes in between, a refused one and a running one, a cascade, rules, schedules."""

    stays_up, is_local, own_port, submitter = True, False, None, SUBMITTER
    outputs: ClassVar = {"CascadingRules": "enabled"}

    def __init__(self, folder: Path) -> None:
        world = World(folder)
        self.table, self.reports = world.table, world.reports
        self.operator_records, self.rules, self.cascades = (
            MemoryOperatorRecords(),
            MemoryRuleTable(),
            MemoryCascadeTable(),
        )
        self.schedules, self.scheduler = MemoryScheduleTable(), Scheduler()
        self.messages, self.mutes = MemoryMessageThreads(), MemoryMutes()
        self.request_queue, self.schedule_queue, self.control_queue = (
            Requests(self),
            MemoryRequestQueue(),
            Controls(self),
        )
        world.scan(0, detailed({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}))
        world.scan(1, detailed({"10.0.0.1": (22, 23), "10.0.0.3": (22,)}))
        self._move_a_host()
        for scan_id, scan in self.table.scans.items():
            ended: dict[str, Any] = {
                "state": ScanState.DONE,
                "outcome": Outcome.PARTIAL,
                "finished_at": NOW,
                "reasons": REASONS,
            }
            ended["cost"] = ScanCost(usd=0.01, parts={"lambda": 0.01}, estimate_usd=(0.01, 0.1))
            ended["suspension"] = Suspension(at=NOW, by="ada", reason="night work", sender="AIDAEXAMPLE")
            self.table.scans[scan_id] = replace(scan, **ended)
        self.scanned = list(self.table.scans)[-1]
        self.table.create_scan(a_scan())
        self.table.add_shards([a_shard()])
        refusal = Refusal("8.8.8.8", Rule.SCOPE, "8.8.8.8 is outside AllowedTargets")
        refused = {"scan_id": "b" * 16, "state": ScanState.ERRORED, "shards": 0, "refusals": (refusal,)}
        self.table.create_scan(a_scan(**refused, notes=("spec.env has no effect here",), name="refused"))
        for name in ("house", "lab"):
            self.table.put_vantage(Vantage(name=name, queues={"raw": "https://sqs.test/raw"}, stored_at=NOW))
        networks = tuple(NetworkIdentity(network=f"10.{n}.0.0/16", identity=IdentityKind.NAME) for n in (8, 9))
        self.table.put_network_identities(StoredNetworks(version=1, stored_at=NOW, networks=networks))
        done = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE, "shards_open": 0, "finished_at": NOW}
        self.table.create_scan(a_scan(scan_id="e" * 16, members=("f" * 16,), vantage="", **done))
        self._grow_cascade()
        self._add_findings()
        self._add_schedules()
        self.rules.put_rule("follow", rule_document())
        self.queues: dict[str, MemoryOperatorQueue] = {}
        self.parked = self.queue("ControlDLQ").put('{"action": "cancel", "scanId": "x"}', {"reason": "no scan"})

    def _move_a_host(self) -> None:
        hosts, changes, identity = self.table.hosts_by_address, self.table.changes_by_key, "mac:52:54:00:12:34:56"
        record = hosts["10.0.0.3"] = replace(hosts["10.0.0.3"], identity=identity)
        place = Place(address=record.address, seen_at=record.last_seen, scan_id=record.latest.scan_id)
        hosts[identity] = replace(record, places=(place,))
        # No scan has looked at its earlier address since
        earlier = hosts["10.0.0.2"]
        hosts["10.0.0.2"] = replace(earlier, identity=identity, latest=replace(earlier.latest, state=UP))
        key = next(reversed(changes))
        move = replace(changes[key][0], kind=ChangeKind.HOST_MOVED, identity=identity, previous_address="10.0.0.2")
        changes[key] = (*changes[key], move)

    def queue(self, name: str) -> MemoryOperatorQueue:
        return self.queues.setdefault(name, MemoryOperatorQueue())

    queue_at = queue

    def uri(self, key: str) -> str:
        return f"s3://bucket/{key}"

    def _grow_cascade(self) -> None:
        line = CascadeLine(kind="capped", rule="follow", reason="too many", cap="scans")
        self.cascades.records[self.scanned] = CascadeRecord(rules={"follow": 1}, lines=(line,), more=1)
        there, reserved, elsewhere = (
            StoredChild(key=f"follow/{number}", rule="follow", scan_id=scan_id, name="next", scan_type="nmap")
            for number, scan_id in enumerate((SCAN_ID, "c" * 16, ""))
        )
        self.cascades.stored[self.scanned] = {child.key: child for child in (there, reserved, elsewhere)}

    def _add_findings(self) -> None:
        """A finding that a script made and rules changed, an exposure, and a scan of a cascade."""
        self.port_22 = next(
            finding.id for finding in self.table.findings(self.scanned) if finding.name.endswith("22 (ssh)")
        )
        address = {"ip_addresses": ["10.0.0.1"], "hostname": "db", "script": "ssl-cert"}
        marks = {"severity_rules": ["known"], "original_severity": "HIGH", "suppressed": "known"}
        finding = Finding(
            id="5c0ffee0-0000-5000-8000-000000000000",
            fingerprint="5c0ffee0",
            parsed_at=NOW,
            name="Expired Certificate",
            description="Port 22: the certificate has expired",
            category="Invalid Certificate",
            severity=Severity.LOW,
            osi_layer="NETWORK",
            location="tcp://10.0.0.1:22",
            attributes=address | marks | {"scripts": {"ssl-cert": "Subject: commonName=db"}},
        )
        self.script_finding = finding.id
        self.table.put_findings(self.scanned, [HostFindings("10.0.0.1", [finding], place=1)])
        subject = ExposureSubject(
            vantage="default", address="10.0.0.1", protocol="tcp", port=23, kind="unexpected-open"
        )
        look = JudgedLook(seen_at=NOW, report_key="a run", holds=True)
        assert self.table.put_exposure(replace(add_looks(start_exposure(subject), [look], NOW), revision=1))
        origin = Origin(parent_scan=self.scanned, root_scan="e" * 16, rule="follow", cause_id="an event", hop=1)
        self.child = "7" * 16
        self.table.create_scan(a_scan(scan_id=self.child, name="next", request=a_request(origin=origin)))

    def _add_schedules(self) -> None:
        for document in (SCHEDULE, UNREADABLE):
            self.schedules.put_schedule(document["metadata"]["name"], document)  # type: ignore[index]
        for scan_id, due_at in ((self.scanned, NOW), ("d" * 16, NOW.replace(hour=13))):
            run = ScheduledRun(schedule="nightly", due_at=due_at, scan_id=scan_id, asked_at=NOW, body="{}")
            self.schedules.runs_by_key["nightly", due_at] = run
        result = LatestResult(scan_id=self.scanned, finished_at=NOW, findings=Counts(count=1))
        self.schedules.statuses["nightly"] = ScheduleStatus(last_schedule_time=NOW, last_result=result)


class Scheduler:
    """EventBridge Scheduler that takes everything."""

    def put(self, *_: Any) -> None: ...
    def delete(self, *_: Any) -> None: ...


class Requests:
    """A request queue whose requests are scans that ended as the newest one did."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def send(self, body: str) -> str:
        table = self._stack.table
        ended = replace(table.scans[self._stack.scanned], request_digest=digest_body(body), cause_id=MESSAGE)
        for scan_id in (derive_keyed_scan_id(SUBMITTER, KEY), derive_scan_id(MESSAGE)):
            table.scans[scan_id] = replace(ended, scan_id=scan_id)
        return MESSAGE


class Controls:
    """A control queue that is handled as soon as it is written to."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def send(self, body: str) -> str:
        stack = self._stack
        control_scan(
            ControlRequested.from_wire(body),
            ScanGateways(stack.table, MemoryShardQueues(), MemoryEventBus(), clock),
            reports=stack.reports,
            operator_records=stack.operator_records,
            stack_switch=stack.table,
        )
        return MESSAGE


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stack that every command talks to."""
    stack, real = Stack(tmp_path), access.open_stack

    @contextmanager
    def open_it(_: Any) -> Iterator[Any]:
        yield stack

    for command in pkgutil.iter_modules(commands.__path__, f"{commands.__name__}."):
        import_module(command.name)
    package = commands.__name__.partition(".")[0]
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{package}.") and getattr(module, "open_stack", None) is real:
            monkeypatch.setattr(module, "open_stack", open_it)
    return stack
