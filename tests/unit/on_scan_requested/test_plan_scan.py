"""A request becomes a scan with its shards queued, once; or a refusal that the submitter finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from cascan.cost.budget import CostLimit
from cascan.errors import GatewayUnavailable
from cascan.events import ScanFailed, ScanPlanned
from cascan.gateways import ScanGateways
from cascan.ids import derive_keyed_scan_id, derive_scan_id
from cascan.limits import MAX_REQUEST_BYTES, MAX_TARGETS
from cascan.model.agenda import AgendaEntry, AgendaTask
from cascan.model.identity import IdentityKind, NetworkIdentity, StoredNetworks
from cascan.model.refusal import Rule
from cascan.model.scan import Scan, ScanState
from cascan.model.shard import Lane, TargetSlice
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.rates import ScanDefaults
from on_scan_requested.message import Message
from on_scan_requested.plan_scan import plan_scan
from on_scan_requested.store_refusal import PlanningResult
from tests.fakes import MemoryEventBus, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.fakes.cascades import MemoryIssuedRequests
from tests.support.builders import NOW, body, claim, clock, event_names

MANIFEST = """
apiVersion: execution.securecodebox.io/v1
kind: Scan
metadata:
  name: nmap-localhost
  labels: {team: blue}
spec:
  scanType: nmap
  parameters: ["-p", "22,443", "127.0.0.1"]
"""

SCOPE = Scope.of(["127.0.0.0/8", "10.0.0.0/8", "8.8.8.0/24"])


@dataclass
class Desk:
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    reports: MemoryReportStore = field(default_factory=MemoryReportStore)
    queues: MemoryShardQueues = field(default_factory=MemoryShardQueues)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)
    permissions: Permissions = field(default_factory=lambda: Permissions(SCOPE))
    defaults: ScanDefaults = field(default_factory=ScanDefaults)
    cost_limit: CostLimit = field(default_factory=CostLimit)

    issued: MemoryIssuedRequests = field(default_factory=MemoryIssuedRequests)

    def submit(
        self, text: str, message_id: str = "m-1", sender: str = "alice", *, last: bool = False
    ) -> PlanningResult:
        return plan_scan(
            Message(message_id, text, sender),
            ScanGateways(self.table, self.queues, self.bus, clock),
            is_last_delivery=last,
            issued=self.issued,
            reports=self.reports,
            permissions=self.permissions,
            defaults=self.defaults,
            cost_limit=self.cost_limit,
        )

    def scan(self, planned: PlanningResult) -> Scan:
        return self.table.scans[planned.scan_id]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_request_becomes_a_scan_its_shards_and_an_event(desk: Desk) -> None:
    text = body(name="lan", targets=["10.0.0.0/23"], parameters=["-sV"], labels={"team": "blue"}, hostsPerShard=256)
    planned = desk.submit(text)

    scan, shards = desk.scan(planned), list(desk.table.shards(planned.scan_id))
    assert planned.scan_id == derive_scan_id("m-1")
    assert (scan.state, scan.shards, scan.shards_open, scan.addresses) == (ScanState.SCANNING, 2, 2, 512)
    assert [shard.slices for shard in shards] == [
        (TargetSlice("10.0.0.0/23", 0, 256),),
        (TargetSlice("10.0.0.0/23", 256, 512),),
    ]
    assert shards[0].arguments == ("-sV", "-n")
    assert [message.shard for message in desk.queues.sent[Lane.CONNECT]] == [0, 1]
    (event,) = desk.bus.events
    assert isinstance(event, ScanPlanned)
    assert (event.name, event.labels, event.lanes, event.hop) == ("lan", {"team": "blue"}, {"connect": 2}, 0)


def test_a_secure_code_box_manifest_becomes_the_same_scan_as_the_short_form(desk: Desk) -> None:
    by_manifest = desk.submit(MANIFEST, "m-1")
    short = body(name="nmap-localhost", labels={"team": "blue"}, parameters=["-p", "22,443", "127.0.0.1"])
    by_short_form = desk.submit(short, "m-2")
    first, second = (next(desk.table.shards(p.scan_id)) for p in (by_manifest, by_short_form))
    assert (first.slices, first.arguments, first.lane) == (second.slices, second.arguments, second.lane)
    assert desk.scan(by_manifest).name == "nmap-localhost"
    assert desk.scan(by_manifest).labels == {"team": "blue"}


def test_a_message_delivered_twice_makes_one_scan(desk: Desk) -> None:
    text = body(targets=["127.0.0.1"])
    desk.submit(text)
    first = (dict(desk.table.scans), dict(desk.table.shards_by_key), len(desk.queues.sent[Lane.EXPRESS]))
    desk.submit(text)
    assert (dict(desk.table.scans), dict(desk.table.shards_by_key), len(desk.queues.sent[Lane.EXPRESS])) == first


@pytest.mark.parametrize("broken", ["queues", "bus"])
def test_a_delivery_that_broke_off_is_finished_by_the_next(desk: Desk, broken: str) -> None:
    text = body(targets=["127.0.0.1"])
    getattr(desk, broken).down = True
    with pytest.raises(GatewayUnavailable):
        desk.submit(text)
    getattr(desk, broken).down = False
    planned = desk.submit(text)
    assert desk.scan(planned).state is ScanState.SCANNING
    assert desk.queues.sent[Lane.EXPRESS]
    assert event_names(desk.bus) == ["ScanPlanned"]


def test_a_repeat_never_puts_a_shard_back_that_is_being_worked_on(desk: Desk) -> None:
    text = body(targets=["127.0.0.1"])
    planned = desk.submit(text)
    claim(desk.table, scan_id=planned.scan_id)
    desk.submit(text)
    assert desk.table.shards_by_key[planned.scan_id, 0].worker == "worker"


def test_two_messages_with_one_idempotency_key_are_one_scan(desk: Desk) -> None:
    text = body(targets=["127.0.0.1"], idempotencyKey="CHG-7")
    assert desk.submit(text, "m-1").scan_id == desk.submit(text, "m-2").scan_id
    assert list(desk.table.scans) == [derive_keyed_scan_id("alice", "CHG-7")]


def test_an_idempotency_key_used_for_another_request_is_refused_and_the_first_scan_stays(desk: Desk) -> None:
    first = desk.submit(body(targets=["127.0.0.1"], idempotencyKey="CHG-7"), "m-1")
    second = desk.submit(body(targets=["127.0.0.2"], idempotencyKey="CHG-7"), "m-2")
    assert first.scan_id in second.refused
    assert desk.scan(second).state is ScanState.ERRORED
    assert desk.scan(first).state is ScanState.SCANNING


def test_a_suspended_request_is_stored_and_not_started(desk: Desk) -> None:
    planned = desk.submit(body(targets=["127.0.0.1"], suspend=True))
    assert desk.scan(planned).state is ScanState.SUSPENDED
    assert len(list(desk.table.shards(planned.scan_id))) == 1
    assert not desk.queues.sent


def test_what_has_no_effect_here_is_noted_on_the_scan(desk: Desk) -> None:
    planned = desk.submit(MANIFEST + "  volumes: [{name: data}]\n  affinity: {}\n", "m-1")
    assert not planned.refused
    assert any("volumes" in note for note in desk.scan(planned).notes)


LANES: list[tuple[dict[str, Any], Lane]] = [
    ({"targets": ["127.0.0.1"]}, Lane.EXPRESS),
    ({"targets": ["127.0.0.1"], "parameters": ["-p-"]}, Lane.CONNECT),
    ({"targets": ["127.0.0.1"], "parameters": ["-T1"]}, Lane.CONNECT),
    ({"targets": ["127.0.0.1", "127.0.0.2"], "parameters": ["-sV"]}, Lane.CONNECT),
    ({"targets": ["127.0.0.1"], "parameters": ["-sV", "-p", "22"]}, Lane.EXPRESS),
    ({"targets": ["10.0.0.0/24"]}, Lane.CONNECT),
    ({"targets": ["127.0.0.1"], "scanType": "nmap-privileged"}, Lane.RAW),
    ({"targets": ["127.0.0.1"], "parameters": ["-sS"]}, Lane.RAW),  # chosen, since nothing was
    ({"targets": ["127.0.0.1"], "parameters": ["-A"]}, Lane.EXPRESS),  # works on both
    ({"targets": ["127.0.0.1"], "parameters": ["-sT"], "scanType": "nmap-privileged"}, Lane.RAW),
    (
        {"targets": ["10.0.0.0/24"], "exclude": ["10.0.0.0-255", "10.0.0.0/25"], "parameters": ["-p22", "10.0.1.1"]},
        Lane.EXPRESS,
    ),
]


@pytest.mark.parametrize(("request_", "lane"), LANES)
def test_small_connect_scans_take_the_express_lane(desk: Desk, request_: dict[str, Any], lane: Lane) -> None:
    assert desk.submit(body(**request_)).lane == lane


@pytest.mark.parametrize(("target", "lane"), [("10.0.0.1", Lane.CONNECT), ("8.8.8.8", Lane.EXPRESS)])
def test_a_lambda_outside_the_network_is_not_asked_about_private_addresses(target: str, lane: Lane) -> None:
    assert (
        Desk(permissions=Permissions(SCOPE, express_reaches_private=False)).submit(body(targets=[target])).lane == lane
    )


REFUSED: list[tuple[str, str]] = [
    (body(targets=["127.0.0.1"], tragets=[]), "tragets"),
    (body(targets="127.0.0.1"), "targets"),
    (body(targets=["127.0.0.1"], backoffLimit="3"), "backoffLimit"),
    (body(targets=[]), "no target"),
    (body(name="lan"), "no target"),
    ("{", "JSON"),
    ("kind: Scan\nspec: [", "YAML"),
    (MANIFEST.replace("scanType: nmap", "scanType: nikto"), "nikto"),
    (MANIFEST.replace("  parameters", "  paramters"), "paramters"),
    (body(targets=["127.0.0.1"], annotations={"x": "y" * MAX_REQUEST_BYTES}), str(MAX_REQUEST_BYTES)),
    (body(targets=[f"10.{n >> 8 & 255}.{n & 255}.1" for n in range(10_000)]), str(MAX_TARGETS)),
    (body(targets=["192.0.2.1"]), "192.0.2.1 is outside AllowedTargets"),
    (body(targets=["10.0.0.0/7"]), "is outside AllowedTargets"),
    (body(targets=["169.254.169.254"]), "169.254.169.254"),
    (body(targets=["127.1"]), "127.1"),
    (body(targets=["10.0.0.0/8", "127.0.0.0/8"]), "addresses"),
    (body(targets=["127.0.0.1"], parameters=["-oN", "/tmp/x"]), "-oN"),
    (body(targets=["127.0.0.1"], parameters=["-no/tmp/x"]), "-o"),
    (body(targets=["127.0.0.1"], parameters=["-iL", "/etc/passwd"]), "-iL"),
    (body(targets=["127.0.0.1"], parameters=["--script", "/tmp/x.nse"]), "--script"),
    (body(targets=["127.0.0.1"], parameters=["--datad", "/tmp"]), "--datadir"),
    (body(targets=["127.0.0.1"], parameters=["--frobnicate"]), "unrecognized option"),
    (body(targets=["127.0.0.1"], parameters=["-sS"], scanType="nmap"), "nmap-privileged"),
    (body(targets=["127.0.0.0/24"], exclude=["127.0.0.0/8"]), "all targets are excluded"),
    ("", "empty"),
    ("[1, 2]", "not a mapping"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_a_request_that_can_never_succeed_is_stored_as_errored_with_its_reason(
    desk: Desk, text: str, reason: str
) -> None:
    planned = desk.submit(text)
    scan = desk.scan(planned)
    assert reason in planned.refused
    assert (scan.state, scan.shards, scan.error_description) == (ScanState.ERRORED, 0, planned.refused)
    assert not desk.queues.sent
    (event,) = desk.bus.events
    assert isinstance(event, ScanFailed)
    assert (event.refused, event.reason) == (True, planned.refused)


def test_a_refusal_delivered_twice_is_stored_and_announced_once(desk: Desk) -> None:
    desk.submit("{")
    desk.submit("{")
    assert event_names(desk.bus) == ["ScanFailed"]
    assert len(desk.table.scans) == 1


def test_a_refusal_keeps_the_request_as_far_as_it_was_read(desk: Desk) -> None:
    scan = desk.scan(desk.submit(body(name="lan", targets=["192.0.2.1"], authorization="CHG-1")))
    assert scan.request
    assert (scan.name, scan.request.authorization) == ("lan", "CHG-1")


def test_every_reason_is_told_together(desk: Desk) -> None:
    planned = desk.submit(body(targets=["127.0.0.1"], parameters=["-oN", "x", "-iR", "9", "--nope"]))
    assert all(option in planned.refused for option in ("-oN", "-iR", "--nope"))


@pytest.mark.parametrize(
    "fields", [{"parameters": ["-sSV", "-O"]}, {"scanType": "nmap-privileged"}, {"parameters": ["-sU", "127.0.0.2"]}]
)
def test_where_raw_scans_are_disabled_what_needs_them_is_refused_naming_the_parameter(fields: dict[str, Any]) -> None:
    desk = Desk(permissions=Permissions(SCOPE, raw_scans=False))
    assert "RawScans" in desk.submit(body(targets=["127.0.0.1"], **fields)).refused
    assert not desk.submit(body(targets=["127.0.0.1"], parameters=["-sV"]), "m-2").refused


def test_a_scan_type_that_was_asked_for_is_never_exchanged(desk: Desk) -> None:
    assert "-sS" in desk.submit(body(targets=["127.0.0.1"], parameters=["-sS"], scanType="nmap")).refused
    planned = desk.submit(body(targets=["127.0.0.1"], parameters=["-sS"]), "m-2")
    assert [event.scan_type for event in desk.bus.events if isinstance(event, ScanPlanned)] == ["nmap-privileged"]
    request = desk.scan(planned).request
    assert request
    assert request.scan_type is None


def test_the_address_count_is_exact_and_no_two_shards_hold_one_address(desk: Desk) -> None:
    planned = desk.submit(body(targets=["10.0.0.0/24", "10.0.0.128/24", "10.0.0.7"], exclude=["10.0.0.9"]))
    shards = list(desk.table.shards(planned.scan_id))
    assert (planned.addresses, sum(shard.addresses for shard in shards)) == (255, 255)


def test_refusals_are_stored_as_data(desk: Desk) -> None:
    text = body(targets=["192.0.2.1", "127.1"], exclude=["x.org"], parameters=["-oN", "x", "--nope", "--script=/x"])
    refusals = desk.scan(desk.submit(text)).refusals
    assert [(refusal.what, refusal.rule) for refusal in refusals] == [
        ("--nope", "grammar"),
        ("-oN", "option"),
        ("/x", "script"),
        ("x.org", "target-syntax"),
        ("127.1", "target-syntax"),
    ]
    outside = desk.scan(desk.submit(body(targets=["192.0.2.1"]), "m-2")).refusals
    assert [(refusal.what, refusal.rule) for refusal in outside] == [("192.0.2.1", "scope")]
    field = desk.scan(desk.submit(body(tragets=[], name=3), "m-3")).refusals
    assert [(refusal.what, refusal.rule) for refusal in field] == [("tragets", "field"), ("name", "field")]


def test_an_empty_scope_refuses_everything() -> None:
    desk = Desk(permissions=Permissions(Scope.of([])))
    assert "is outside AllowedTargets" in desk.submit(body(targets=["127.0.0.1"])).refused


def test_a_scan_keeps_by_what_the_hosts_of_networks_are_known_unless_its_request_says_it(desk: Desk) -> None:
    lan = NetworkIdentity(network="10.0.0.0/24", identity=IdentityKind.MAC)
    desk.table.put_network_identities(StoredNetworks(version=1, stored_at=NOW, networks=(lan,)))
    assert desk.scan(desk.submit(body(targets=["10.0.0.1"]))).identities == (lan,)
    assert desk.scan(desk.submit(body(targets=["10.0.0.2"], identity="address"), "m-2")).identities == ()


class TestIdentitiesThatReportsLack:
    """The scan is accepted, with a note."""

    @pytest.mark.parametrize(
        ("identity", "parameters", "targets", "begins"),
        [
            ("mac", ["-sT"], ["10.0.0.1"], "identity: mac has no effect: a scan without raw sockets"),
            ("name", ["-n"], ["10.0.0.1", "localhost"], "identity: name: with -n no names are looked up"),
            ("mac", ["-sS"], ["10.0.0.1"], ""),
            ("name", [], ["10.0.0.1"], ""),
            ("name", ["-n"], ["localhost"], ""),
            ("address", ["-n"], ["10.0.0.1"], ""),
        ],
    )
    def test_a_note_says_so(
        self, desk: Desk, identity: str, parameters: list[str], targets: list[str], begins: str
    ) -> None:
        desk.permissions = Permissions(Scope.of(["10.0.0.0/8", "localhost"]), raw_scans=True)
        planned = desk.submit(body(targets=targets, parameters=parameters, identity=identity))
        notes = [note for note in desk.scan(planned).notes if note.startswith("identity")]
        assert [note[: len(begins)] for note in notes] == ([begins] if begins else [])

    @pytest.mark.parametrize(
        ("parameters", "targets", "networks"),
        [
            (["-sT"], ["10.0.0.7", "10.9.0.0/24"], ["10.0.0.0/24"]),
            (["-sT", "-n"], ["10.0.0.0/15"], ["10.0.0.0/24", "10.1.0.0/16"]),
            (["-sT"], ["10.0.1.0/24"], []),  # another network
            (["-sT"], ["localhost"], []),
            (["-sS"], ["10.0.0.7"], []),
        ],
    )
    def test_a_note_names_the_networks_whose_hosts_are_known_by_it(
        self, desk: Desk, parameters: list[str], targets: list[str], networks: list[str]
    ) -> None:
        lan = NetworkIdentity(network="10.0.0.0/24", identity=IdentityKind.MAC)
        named = NetworkIdentity(network="10.1.0.0/16", identity=IdentityKind.NAME)
        desk.table.put_network_identities(StoredNetworks(version=1, stored_at=NOW, networks=(lan, named)))
        desk.permissions = Permissions(Scope.of(["10.0.0.0/8", "localhost"]), raw_scans=True)
        planned = desk.submit(body(targets=targets, parameters=parameters))
        notes = [note for note in desk.scan(planned).notes if note.startswith("identity: hosts of ")]
        assert [note.split()[3] for note in notes] == networks


class TestPace:
    """How much of a scan starts at once, and when."""

    def test_only_as_many_shards_as_the_ceiling_are_queued_and_the_others_wait(self, desk: Desk) -> None:
        desk.defaults = ScanDefaults(shards_per_scan=3)
        planned = desk.submit(body(targets=["10.0.0.0/24"], hostsPerShard=32))
        scan = desk.scan(planned)
        assert (scan.shards, scan.shards_in_flight, scan.shards_waiting, scan.parallel) == (8, 3, 5, 3)
        assert [message.shard for message in desk.queues.sent[Lane.CONNECT]] == [0, 1, 2]
        states = [shard.state.value for shard in desk.table.shards(scan.scan_id)]
        assert states == ["queued"] * 3 + ["waiting"] * 5
        (event,) = desk.bus.events
        assert isinstance(event, ScanPlanned)
        assert event.lanes == {"connect": 3}

    @pytest.mark.parametrize(("asked", "parallel"), [(2, 2), (100, 3)])
    def test_a_request_may_ask_for_fewer_at_once_and_never_for_more(
        self, desk: Desk, asked: int, parallel: int
    ) -> None:
        desk.defaults = ScanDefaults(shards_per_scan=3)
        planned = desk.submit(body(targets=["10.0.0.0/24"], hostsPerShard=32, maxParallelShards=asked))
        assert desk.scan(planned).parallel == parallel

    @pytest.mark.parametrize(("limit", "is_asked"), [(["--host-timeout", "1m"], True), (["-T5"], True), ([], False)])
    def test_timed_out_hosts_are_asked_again_where_a_request_says_so_and_they_have_a_limit(
        self, desk: Desk, limit: list[str], is_asked: bool
    ) -> None:
        planned = desk.submit(body(targets=["10.0.0.0/24"], parameters=limit, retryTimedOut=True, hostsPerShard=32))
        assert {shard.retry_timed_out for shard in desk.table.shards(planned.scan_id)} == {is_asked}
        assert any("retryTimedOut has no effect" in note for note in desk.scan(planned).notes) is not is_asked

    def test_a_rate_that_one_nmap_can_use_is_given_whole_to_one_shard_after_the_other(self, desk: Desk) -> None:
        parameters = ["--max-rate", "100", "--min-rate", "2"]
        fields = {"targets": ["10.0.0.0/24"], "hostsPerShard": 32, "maxParallelShards": 2, "parameters": parameters}
        planned = desk.submit(body(**fields))
        scan = desk.scan(planned)
        assert (scan.parallel, scan.shards_in_flight, scan.shards_waiting) == (1, 1, 7)
        assert {shard.arguments for shard in desk.table.shards(planned.scan_id)} == {tuple(parameters)}
        assert scan.notes == ()

    @pytest.mark.parametrize(("rate", "parallel"), [("1000", 1), ("1001", 2), ("3500", 4), ("100000", 8), ("0.001", 1)])
    def test_a_rate_is_the_scans_and_is_shared_by_as_few_shards_as_can_use_it(
        self, desk: Desk, rate: str, parallel: int
    ) -> None:
        planned = desk.submit(body(targets=["10.0.0.0/24"], hostsPerShard=32, parameters=["--max-rate", rate]))
        assert desk.scan(planned).parallel == parallel
        ((_, share),) = {shard.arguments for shard in desk.table.shards(planned.scan_id)}
        assert float(rate) * 0.999 <= float(share) * parallel <= float(rate)
        assert ("each of up to" in "".join(desk.scan(planned).notes)) is (parallel > 1)

    def test_a_repeat_shares_a_rate_as_the_first_delivery_did_whatever_the_defaults_are_by_then(
        self, desk: Desk
    ) -> None:
        text = body(targets=["10.0.0.0/24"], hostsPerShard=32, parameters=["--max-rate", "4000"])
        planned = desk.submit(text)
        before = list(desk.table.shards(planned.scan_id))
        desk.table.shards_by_key.clear()
        desk.defaults = ScanDefaults(shards_per_scan=2)
        assert desk.submit(text).scan_id == planned.scan_id
        assert list(desk.table.shards(planned.scan_id)) == before
        assert desk.scan(planned).parallel == 4

    def test_the_rate_of_a_scan_of_one_shard_stays_as_it_is(self, desk: Desk) -> None:
        planned = desk.submit(body(targets=["10.0.0.1"], parameters=["--max-rate", "100"]))
        (shard,) = desk.table.shards(planned.scan_id)
        assert shard.arguments == ("--max-rate", "100")
        assert desk.scan(planned).notes == ()

    def test_outside_its_windows_a_scan_is_accepted_and_waits_until_one_opens(self, desk: Desk) -> None:
        planned = desk.submit(body(targets=["10.0.0.0/22"], windows=["13:00-14:00"]))  # it is 12:00
        scan = desk.scan(planned)
        assert (scan.state, scan.shards_waiting) == (ScanState.SCANNING, scan.shards)
        assert desk.queues.sent[Lane.CONNECT] == []
        assert AgendaEntry(NOW + timedelta(hours=1), scan.scan_id, AgendaTask.RELEASE) in desk.table.agenda

    def test_inside_its_window_a_scan_starts_and_is_looked_at_when_it_closes(self, desk: Desk) -> None:
        planned = desk.submit(body(targets=["10.0.0.0/22"], windows=["11:00-14:00"]))
        assert len(desk.queues.sent[Lane.CONNECT]) == desk.scan(planned).shards
        assert AgendaEntry(NOW + timedelta(hours=2), planned.scan_id, AgendaTask.RELEASE) in desk.table.agenda

    def test_the_deadline_of_a_scan_is_on_the_agenda(self, desk: Desk) -> None:
        planned = desk.submit(body(targets=["10.0.0.1"], activeDeadlineSeconds=90))
        assert desk.table.agenda == {AgendaEntry(NOW + timedelta(seconds=90), planned.scan_id, AgendaTask.DEADLINE)}

    def test_an_express_scan_leaves_nothing_on_the_agenda_and_a_wider_one_a_look(self, desk: Desk) -> None:
        desk.submit(body(targets=["10.0.0.1"]))
        assert desk.table.agenda == set()
        wide = desk.submit(body(targets=["10.0.0.0/16"]), "m-2")
        assert desk.table.agenda == {AgendaEntry(NOW + timedelta(hours=1), wide.scan_id, AgendaTask.LOOK)}

    @pytest.mark.parametrize(
        ("ttl_s", "asked", "expires_after_s"), [(-1, None, None), (-1, 0, 0), (3600, None, 3600), (3600, 60, 60)]
    )
    def test_a_scan_is_kept_as_long_as_it_says_or_else_as_the_operator_says(
        self, desk: Desk, ttl_s: int, asked: int | None, expires_after_s: int | None
    ) -> None:
        desk.defaults = ScanDefaults(ttl_s=ttl_s)
        planned = desk.submit(body(targets=["10.0.0.1"], ttlSecondsAfterFinished=asked))
        assert desk.scan(planned).expires_after_s == expires_after_s

    @pytest.mark.parametrize(("asked", "limit"), [({}, 5), ({"backoffLimit": 0}, 0)])
    def test_as_many_attempts_may_fail_as_the_request_says_or_else_the_operator(
        self, desk: Desk, asked: dict[str, int], limit: int
    ) -> None:
        desk.defaults = ScanDefaults(backoff_limit=5)
        planned = desk.submit(body(targets=["10.0.0.1"], **asked))
        assert [shard.backoff_limit for shard in desk.table.shards(planned.scan_id)] == [limit]

    def test_a_refused_request_expires_like_any_scan_that_ended(self, desk: Desk) -> None:
        desk.defaults = ScanDefaults(ttl_s=60)
        planned = desk.submit(body(targets=["192.0.2.1"]))
        assert desk.table.agenda == {AgendaEntry(NOW + timedelta(seconds=60), planned.scan_id, AgendaTask.EXPIRE)}

    def test_a_scan_cancelled_before_its_shards_were_stored_ends_when_they_are(self, desk: Desk) -> None:
        planned = desk.submit(text := body(targets=["10.0.0.1"]))
        desk.table.shards_by_key.clear()  # the function died before it stored them
        desk.table.advance_scan(planned.scan_id, ScanState.CANCELLED, expected=[ScanState.SCANNING])
        desk.submit(text)
        assert (desk.scan(planned).shards_open, desk.scan(planned).finished_at) == (0, NOW)


def test_a_scan_that_may_cost_more_than_its_budget_is_refused_with_the_estimate_and_the_limit(desk: Desk) -> None:
    refused = desk.submit(body(targets=["10.0.0.0/16"], parameters=["-p-"], budgetUsd=5))
    scan = desk.scan(refused)
    assert scan.state is ScanState.ERRORED
    (refusal,) = scan.refusals
    assert (refusal.what, refusal.rule) == ("budgetUsd", Rule.LIMIT)
    assert "more than the 5.00 USD of the request's budgetUsd" in refusal.reason
    assert "ask for fewer addresses or ports" in refusal.reason
    assert not desk.queues.sent


def test_a_scan_within_its_budget_is_planned(desk: Desk) -> None:
    planned = desk.submit(body(targets=["10.0.0.0/24"], parameters=["-p", "22"], budgetUsd=5))
    assert desk.scan(planned).state is ScanState.SCANNING


def test_the_limit_of_the_stack_holds_for_a_request_with_a_higher_budget(desk: Desk) -> None:
    desk.cost_limit = CostLimit(max_scan_usd=0.5)
    text = body(targets=["10.0.0.0/20"], parameters=["-p", "1-1000"], budgetUsd=1_000)
    (refusal,) = desk.scan(desk.submit(text)).refusals
    assert refusal.what == "MaxScanCostUsd"
    assert "more than the 0.50 USD of the stack's MaxScanCostUsd" in refusal.reason


def test_a_stack_without_a_limit_plans_a_scan_of_any_cost(desk: Desk) -> None:
    planned = desk.submit(body(targets=["10.0.0.0/8"], parameters=["-p-"]))
    assert not desk.scan(planned).refusals
