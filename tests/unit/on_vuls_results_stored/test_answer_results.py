"""Results of Vuls in the bucket: requests once, the answer after the last scan, reasons where one looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cascan.errors import GatewayUnavailable
from cascan.events import ScanCompleted, build_event_fields
from cascan.events.envelopes import VulsResultsStored, parse_vuls_message
from cascan.ids import ReportKey, derive_scan_id, digest_body
from cascan.limits import MAX_VULS_RESULTS_BYTES
from cascan.model.scan import Counts, Outcome, Scan, ScanState
from cascan.model.shard import ShardState
from cascan.permissions.scope import Scope
from on_vuls_results_stored.answer_results import RESULTS_LABEL, VulsContext
from on_vuls_results_stored.vuls_records import VulsRecords
from tests.fakes import MemoryOperatorRecords, MemoryReportStore, MemoryScanTable
from tests.fakes.cascades import MemoryRequestQueue
from tests.support import vuls_report
from tests.support.builders import NOW, a_run, a_scan, a_shard, clock

DATA = Path(__file__).parents[2] / "data" / "vuls"
PATH = "2026-11-29T03:00:00Z/web.json"
CONFIG = b'[servers.web]\nhost = "10.0.0.5"\n'


class World:
    def __init__(self) -> None:
        self.records, self.requests = MemoryOperatorRecords(), MemoryRequestQueue()
        self.table, self.reports = MemoryScanTable(), MemoryReportStore()
        self.context = VulsContext(
            records=VulsRecords(self.records),
            requests=self.requests,
            table=self.table,
            reports=self.reports,
            find_refusal=Scope.of(["10.0.0.0/8", "2001:db8::/32"]).find_address_refusal,
            clock=clock,
        )
        self.records.texts["results/config.toml"] = CONFIG

    def put(self, data: bytes, *, path: str = PATH, event: str = "event", size: int | None = None) -> str:
        self.records.texts[f"results/{path}"] = data
        stored = VulsResultsStored(f"vuls/results/{path}", "bucket", len(data) if size is None else size, event)
        return self.context.request_scans(stored)

    def end(self, body: str, *, message_id: str, hosts: str = "", state: ScanState = ScanState.DONE) -> Scan:
        scan_id = derive_scan_id(message_id)
        ended: dict[str, Any] = {"scan_id": scan_id, "request_digest": digest_body(body), "finished_at": NOW}
        ran = state is ScanState.DONE
        scan = a_scan(**ended, state=state, outcome=Outcome.COMPLETE, shards=int(ran), shards_open=0)
        if self.table.create_scan(scan) and ran:
            self.table.add_shards([a_shard(scan_id=scan_id, state=ShardState.RECORDED, attempt=1, run=a_run())])
            report = f'<?xml version="1.0"?><nmaprun scanner="nmap">{hosts}</nmaprun>'
            self.reports.objects[str(ReportKey(scan_id, 0, 1))] = report.encode()
        return scan

    def note(self, scan: Scan, vuls_id: str) -> str:
        fields = build_event_fields(scan, at=NOW) | {"labels": {RESULTS_LABEL: vuls_id}, "event_id": "e"}
        event = ScanCompleted(
            **fields, state=ScanState.PARSE_COMPLETED, outcome=Outcome.COMPLETE, requested_at=NOW, finished_at=NOW,
            addresses=1, shards=1, shard_outcomes={}, hosts_up=1, findings=Counts(),
        )  # fmt: skip
        return self.context.note_end(event)

    def summary(self, path: str = PATH) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.records.texts[f"summaries/{path}"])
        return document


def host(address: str, kind: str, ports: dict[int, str]) -> str:
    listed = "".join(f'<port protocol="tcp" portid="{n}"><state state="{s}"/></port>' for n, s in ports.items())
    return (
        f'<host><status state="up" reason="user-set"/><address addr="{address}" addrtype="{kind}"/>'
        f"<ports>{listed}</ports></host>"
    )


FOUR = host("10.0.0.5", "ipv4", {22: "open", 80: "closed"}) + host("10.0.0.6", "ipv4", {22: "closed", 80: "closed"})
SIX = host("2001:db8::5", "ipv6", {22: "closed", 80: "closed", 5432: "open"})


@pytest.fixture
def world() -> World:
    return World()


def web() -> bytes:
    return (DATA / "web.json").read_bytes()


def ids(world: World) -> str:
    return str(world.summary()["id"])


def test_results_ask_for_a_scan_of_each_family_with_labels_and_keys(world: World) -> None:
    assert world.put(web()) == "scanning"
    four, six = map(json.loads, world.requests.sent)
    assert (four["targets"], six["parameters"]) == (["10.0.0.5:22,80", "10.0.0.6:22,80,443"], ["-Pn", "-6"])
    assert four["labels"] == {"vuls-server": "web", RESULTS_LABEL: ids(world)}
    assert four["idempotencyKey"] != six["idempotencyKey"]
    assert world.summary() | {"at": "", "id": ""} == {"id": "", "state": "scanning", "at": "", "requests": 2}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1), (1, 1, 0, 0)])
def test_the_answer_is_written_after_the_last_scan_whatever_the_order(world: World, order: tuple[int, ...]) -> None:
    world.put(web())
    scans = [
        world.end(body, message_id=f"m{number}", hosts=hosts)
        for number, (body, hosts) in enumerate(zip(world.requests.sent, (FOUR, SIX), strict=True))
    ]
    ended = set[int]()
    for number in order:
        ended.add(number)
        state = world.note(scans[number], ids(world))
        assert (f"answers/{PATH}" in world.records.texts) == (state == "done") == (len(ended) == 2)
    copy = json.loads(world.records.texts[f"answers/{PATH}"])
    assert "openssh-server 701 sshd: 0.0.0.0:22(◉ Scannable: [10.0.0.5]), [::]:22" in vuls_report.show_processes(copy)
    summary = world.summary()
    assert (summary["state"], summary["complete"]) == ("done", False), "nothing is said of 10.0.0.6:443"
    assert "CVE-2026-1001" in {finding["name"] for finding in summary["findings"]}


def test_a_repeated_event_sends_the_same_requests_and_a_done_one_nothing(world: World) -> None:
    world.put(web())
    first = list(world.requests.sent)
    assert world.put(web()) == "scanning"
    assert world.requests.sent == first * 2
    for number, body in enumerate(first):
        world.note(world.end(body, message_id=f"m{number}"), ids(world))
    assert world.put(web()) == "ignored"
    assert world.summary()["state"] == "done"
    assert world.requests.sent == first * 2


def test_a_crash_at_any_write_leaves_what_the_next_delivery_needs(world: World) -> None:
    def break_once() -> None:
        world.requests.before_write = lambda: None
        raise GatewayUnavailable("once")

    world.requests.before_write = break_once
    with pytest.raises(GatewayUnavailable):
        world.put(web())
    assert world.put(web()) == "scanning"
    assert len(world.requests.sent) == 2


def test_of_two_files_under_one_name_the_later_is_answered(world: World) -> None:
    world.put(web(), event="first")
    first, old = list(world.requests.sent), ids(world)
    world.put(web(), event="second")
    for number, body in enumerate(first):
        state = world.note(world.end(body, message_id=f"m{number}"), old)
    assert state == "superseded"
    assert f"answers/{PATH}" not in world.records.texts


def test_a_scan_that_only_claims_the_label_is_ignored(world: World) -> None:
    world.put(web())
    assert world.note(world.end('{"targets": ["10.0.0.1"]}', message_id="other"), ids(world)) == "ignored"
    assert world.note(world.end("{}", message_id="another"), "../x") == "ignored"
    assert world.note(world.end("{}", message_id="another"), "0" * 32) == "ignored"


def test_a_refused_scan_is_said_and_its_ports_are_not_closed(world: World) -> None:
    world.put(web())
    for number, body in enumerate(world.requests.sent):
        state = world.note(world.end(body, message_id=f"m{number}", state=ScanState.ERRORED), ids(world))
    assert state == "done"
    copy = json.loads(world.records.texts[f"answers/{PATH}"])
    assert copy["packages"]["openssh-server"]["AffectedProcs"][0]["listenPortStats"][0]["portReachableTo"] is None
    assert any("was refused" in warning for warning in copy["warnings"])


def test_results_with_nothing_to_ask_are_answered_at_once(world: World) -> None:
    assert world.put(b'{"serverName": "web", "packages": {}}') == "done"
    assert world.requests.sent == []
    assert world.records.texts[f"answers/{PATH}"] == b'{"serverName":"web","packages":{}}'


def test_addresses_outside_the_scope_are_not_asked(world: World) -> None:
    assert world.put(web().replace(b"10.0.0.", b"8.8.8.")) == "scanning"
    assert [json.loads(body)["targets"] for body in world.requests.sent] == [["[2001:db8::5]:22,80,5432"]]


@pytest.mark.parametrize(
    ("data", "config", "reason"),
    [
        (b"{", CONFIG, "not a results JSON"),
        (b'{"serverName": "db"}', CONFIG, "db is not among the servers"),
        (b'{"serverName": "web"}', None, "there is no config.toml"),
        (b'{"serverName": "web"}', b"\xff", "not a Vuls configuration"),
        (b'{"serverName": "web"}', b"#" * 300_000, "config.toml: 300000 bytes"),
        (b'{"serverName": "web"}', CONFIG + b'portscan = {sourcePort = "x"}\n', "sourcePort: 'x' is not a number"),
    ],
)
def test_what_cannot_be_used_has_its_reasons_in_the_summary(
    world: World, data: bytes, config: bytes | None, reason: str
) -> None:
    world.records.texts = {} if config is None else {"results/config.toml": config}
    assert world.put(data) == "refused"
    assert (world.summary()["state"], world.requests.sent) == ("refused", [])
    assert any(reason in sentence for sentence in world.summary()["reasons"])


def test_a_file_that_is_too_long_is_not_read(world: World) -> None:
    assert world.put(b"", size=MAX_VULS_RESULTS_BYTES + 1) == "refused"
    assert world.summary()["reasons"] == [f"{MAX_VULS_RESULTS_BYTES + 1} bytes are more than {MAX_VULS_RESULTS_BYTES}"]


def test_the_configuration_beside_the_results_comes_before_one_above(world: World) -> None:
    world.records.texts["results/2026-11-29T03:00:00Z/config.toml"] = b"[servers]\n"
    assert world.put(web()) == "refused"


@pytest.mark.parametrize("path", ["config.toml", "run/notes.txt"])
def test_other_files_are_ignored(world: World, path: str) -> None:
    assert world.put(b"x", path=path) == "ignored"


def test_both_kinds_of_messages_are_read() -> None:
    detail = {"bucket": {"name": "b"}, "object": {"key": "vuls/results/a.json", "size": 7}}
    envelope = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail, "id": "i"}
    assert parse_vuls_message(msgspec.json.encode(envelope)) == VulsResultsStored("vuls/results/a.json", "b", 7, "i")
