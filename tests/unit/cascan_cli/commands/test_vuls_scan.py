"""`cascan vuls scan` against a stack in memory: what is sent, the copies, the output and the exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cascan.ids import ReportKey, derive_scan_id, digest_body
from cascan.model.scan import Outcome, ScanState
from cascan.model.shard import ShardState
from cascan_cli.commands import vuls
from cascan_cli.main import main
from tests.docs.output_shapes import printed, problems
from tests.fakes import MemoryReportStore, MemoryScanTable
from tests.support import vuls_report
from tests.support.builders import NOW, a_run, a_scan, a_shard

DATA = Path(__file__).parents[3] / "data" / "vuls"
RUN = "2026-11-29T03:00:00Z"
CONFIG = '[servers.web]\nhost = "10.0.0.5"\n[servers.old]\nhost = "10.0.0.9"\n'
OPEN = {"10.0.0.5": {22: "open", 80: "closed"}, "10.0.0.6": {22: "filtered", 80: "closed", 443: "open"}}


class Stack:
    """Every request is a scan that has ended when it is sent; `answers` says what its report holds."""

    stays_up, is_local, own_port = True, False, None

    def __init__(self) -> None:
        self.table, self.reports, self.request_queue = MemoryScanTable(), MemoryReportStore(), self
        self.sent: list[dict[str, Any]] = []
        self.answers: Mapping[str, Mapping[int, str]] = OPEN
        self.refused = False

    def send(self, body: str) -> str:
        message_id = f"message-{len(self.sent)}"
        self.sent.append(json.loads(body))
        scan_id = derive_scan_id(message_id)
        ended: dict[str, Any] = {"scan_id": scan_id, "request_digest": digest_body(body), "finished_at": NOW}
        if self.refused:
            self.table.create_scan(a_scan(**ended, state=ScanState.ERRORED, shards=0, error_description="no"))
            return message_id
        self.table.create_scan(a_scan(**ended, state=ScanState.DONE, outcome=Outcome.COMPLETE, shards=1, shards_open=0))
        self.table.add_shards([a_shard(scan_id=scan_id, state=ShardState.RECORDED, attempt=1, run=a_run())])
        self.reports.objects[str(ReportKey(scan_id, 0, 1))] = self._report()
        return message_id

    def _report(self) -> bytes:
        hosts = "".join(
            f'<host><status state="up" reason="user-set"/><address addr="{address}" addrtype="ipv4"/><ports>'
            + "".join(f'<port protocol="tcp" portid="{n}"><state state="{s}"/></port>' for n, s in ports.items())
            + "</ports></host>"
            for address, ports in self.answers.items()
        )
        return f'<?xml version="1.0"?><nmaprun scanner="nmap">{hosts}</nmaprun>'.encode()


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """In a folder with config.toml, and with results of `web` in a run."""
    stack = Stack()

    @contextmanager
    def open_it(_: Any) -> Iterator[Any]:
        yield stack

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # no policy of this machine's own stack
    monkeypatch.setattr(vuls, "open_stack", open_it)
    Path("config.toml").write_text(CONFIG)
    put("web.json")
    return stack


def put(*names: str, run: str = RUN) -> None:
    folder = Path("results", run)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(DATA / name, folder)


def scan(*options: str) -> int:
    return main(["vuls", "scan", "--config", "config.toml", "--results", "results", *options])


def copy_of(name: str, folder: str = "cascan-results") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(folder, RUN, name).read_bytes())
    return document


def test_the_copy_shows_in_vuls_report_what_was_open_and_the_original_stays(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan("--server", "web") == 1, "nothing answered at the IPv6 address"
    assert [request["targets"] for request in stack.sent] == [["10.0.0.5:22,80", "10.0.0.6:22,80,443"]], (
        "the IPv6 address is outside the scope of this machine's stack"
    )
    assert "openssh-server 701 sshd: 0.0.0.0:22(◉ Scannable: [10.0.0.5]), [::]:22" in vuls_report.show_processes(
        copy_of("web.json")
    )
    assert Path("results", RUN, "web.json").read_bytes() == (DATA / "web.json").read_bytes()
    output = capsys.readouterr()
    rows = [line.split("\t") for line in output.out.splitlines()]
    ports = "10.0.0.6:443(◉ Scannable: [10.0.0.6]) *:80(unknown: [[2001:db8::5]])"
    assert ["web", "nginx", "yes", "801 nginx: master", ports] in rows
    assert ["web", "CVE-2026-1001", "8.1", "openssh-server", "A race in the login of the shell server"] in rows
    assert "2 CVEs whose process answers; 1 copy of the results in cascan-results" in output.err


def test_all_answered_is_done_and_json_has_findings(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    text = (DATA / "web.json").read_text().replace('["2001:db8::5"]', "[]").replace("[2001:db8::5]", "10.0.0.5")
    Path("results", RUN, "web.json").write_text(text.replace('"[::]"', '"10.0.0.5"'))
    stack.answers = {"10.0.0.5": {22: "open", 80: "closed", 5432: "closed"}, "10.0.0.6": OPEN["10.0.0.6"]}
    assert scan("--server", "web", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    (server,) = document["servers"]
    assert (document["complete"], server["complete"], server["warnings"]) == (True, True, [])
    assert list(problems(document, printed()["cascan vuls scan"])) == [], "describe it in docs/output.md"
    assert [finding["name"] for finding in server["findings"]] == ["CVE-2026-1001", "CVE-2026-1003"]
    assert server["copy"] == str(Path("cascan-results", RUN, "web.json"))
    assert server["scans"] == [derive_scan_id("message-0")]


def test_the_newest_run_is_read_and_containers_are_their_servers(stack: Stack) -> None:
    put("old.json", run="2026-11-28T03:00:00Z")
    put("shop@web.json")
    assert scan("--server", "web", "-o", "elsewhere") == 1
    assert [request["labels"]["vuls-server"] for request in stack.sent] == ["shop@web", "web"]
    assert sorted(file.name for file in Path("elsewhere", RUN).iterdir()) == ["shop@web.json", "web.json"]


def test_the_link_current_names_the_newest_run(stack: Stack) -> None:
    put("old.json", run="2026-11-30T03:00:00Z")
    Path("results", "current").symlink_to(RUN)
    scan("--server", "web")
    assert copy_of("web.json")["serverName"] == "web"


def test_what_is_missing_is_said_and_is_not_closed(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.toml").write_text('[servers.other]\nhost = "10.0.0.7"\n')
    put("damaged.json")
    Path("results", RUN, "broken.json").write_text("{")
    assert scan() == 1
    assert stack.sent == []
    output = capsys.readouterr().err
    assert "other: there are no results of this server" in output
    assert "broken.json: not a results JSON of Vuls" in output
    copy = copy_of("web.json")
    entries = copy["packages"]["openssh-server"]["AffectedProcs"][0]["listenPortStats"]
    assert [entry["portReachableTo"] for entry in entries] == [None, None]
    assert any("web is not among the servers of the configuration" in warning for warning in copy["warnings"])


def test_a_server_whose_requests_are_all_refused_is_refused(stack: Stack) -> None:
    stack.refused = True
    assert scan("--server", "web") == 2
    assert any("was refused: no" in warning for warning in copy_of("web.json")["warnings"])


def test_a_server_that_does_not_answer_is_not_closed(stack: Stack) -> None:
    stack.answers = {"10.0.0.5": {22: "filtered", 80: "filtered"}}
    assert scan("--server", "web") == 1
    entries = copy_of("web.json")["packages"]["openssh-server"]["AffectedProcs"][0]["listenPortStats"]
    assert entries[0]["portReachableTo"] is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--results", "nowhere"], "no such file or folder"),
        (["--results", "."], "has no results"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["--server", "wep"], "did you mean web?"),
        (["--server", "old"], "there is nothing to ask"),
        (["-o", "results"], "is the original"),
    ],
)
def test_bad_input_is_said_and_nothing_is_written(
    options: list[str], reason: str, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan(*options) == 2
    assert reason in capsys.readouterr().err
    assert not Path("cascan-results").exists()
    assert Path("results", RUN, "web.json").read_bytes() == (DATA / "web.json").read_bytes()


def test_all_problems_of_the_configuration_are_said_at_once(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.toml").write_text(
        '[default.portscan]\nsourcePort = "0"\n[servers.web]\nhost = "a"\n[servers.old]\nscanModules = ["port"]\n'
    )
    assert scan() == 2
    output = capsys.readouterr().err
    assert "servers.web.portscan.scannerBinPath" in output
    assert "servers.web.portscan.sourcePort" in output
    assert "servers.old" in output
