"""`cascan search`, over a table in memory, with the index on this machine and without."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.ids import derive_scan_id
from cascan.model.finding import Finding, HostFindings, Severity
from cascan.model.scan import Counts, Outcome, ScanState
from cascan.queries.finding_query import FindingQuery
from cascan.queries.search import SearchText
from cascan_cli.commands import rebuild, search
from cascan_cli.local import search_index
from cascan_cli.local.lock import hold_lock
from cascan_cli.main import main
from tests.fakes import MemoryReportStore, MemoryScanTable
from tests.support.builders import NOW, a_scan

ENDED: dict[str, Any] = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE, "shards_open": 0, "finished_at": NOW}


class Machine:
    """A table and a state folder, with a stack that is local or not."""

    def __init__(self, folder: Path) -> None:
        self.table = MemoryScanTable()
        self.reports = MemoryReportStore()
        self.folder = folder
        self.path = folder / "search.sqlite"
        self.is_local = True
        self.read: list[str] = []  # scans whose findings were read
        read = self.table.findings

        def note(scan_id: str) -> Iterator[Finding]:
            self.read.append(scan_id)
            return read(scan_id)

        self.table.findings = note  # type: ignore[method-assign]

    def scan(self, name: str, *findings: Finding, hours: int = 0, **fields: Any) -> str:
        scan_id = derive_scan_id(name)
        at = NOW + timedelta(hours=hours)
        severities = {finding.severity.value: 1 for finding in findings}
        categories = {finding.category: 1 for finding in findings}
        counts = Counts(count=len(findings), severities=severities, categories=categories)
        scan = a_scan(**{"scan_id": scan_id, "name": name, "requested_at": at, "findings": counts} | ENDED | fields)
        self.table.create_scan(scan)
        self.put(scan_id, *findings)
        return scan_id

    def put(self, scan_id: str, *findings: Finding) -> None:
        by_address: dict[str, list[Finding]] = {}
        for finding in findings:
            by_address.setdefault(finding.attributes["ip_addresses"][0], []).append(finding)
        self.table.put_findings(scan_id, [HostFindings(*host) for host in by_address.items()])

    def search(self, *words: str) -> list[dict[str, Any]]:
        assert main(["search", *words, "--json", "--state-dir", str(self.folder)]) == 0
        results: list[dict[str, Any]] = json.loads(self.capsys.readouterr().out)
        return results

    def names(self, *words: str) -> list[str]:
        return [result["name"] for result in self.search(*words)]

    capsys: pytest.CaptureFixture[str]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Machine:
    made = Machine(tmp_path / "state")
    made.capsys = capsys

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=made.table, reports=made.reports, operator_records=None, is_local=made.is_local)

    monkeypatch.setattr(search, "open_stack", access)
    monkeypatch.setattr(rebuild, "open_stack", access)
    return made


def a_finding(name: str, address: str = "10.0.0.1", port: int | None = 22, **fields: Any) -> Finding:
    attributes = {"ip_addresses": [address], "port": port, "protocol": "tcp"} | fields.pop("attributes", {})
    plain: dict[str, Any] = {
        "id": f"{name} {address} {port}",
        "fingerprint": "f" * 32,
        "parsed_at": NOW,
        "name": name,
        "description": "",
        "category": "Open Port",
        "severity": Severity.INFORMATIONAL,
        "osi_layer": "NETWORK",
        "location": f"tcp://{address}:{port}",
    }
    return Finding(**plain | fields, attributes=attributes)


def a_banner(text: str, address: str = "10.0.0.1", port: int = 22, **fields: Any) -> Finding:
    return a_finding(text, address, port, attributes={"scripts": {"banner": text}}, **fields)


@pytest.fixture(params=["index", "table"])
def either(request: pytest.FixtureRequest, machine: Machine) -> Machine:
    machine.is_local = request.param == "index"
    return machine


def test_a_digit_at_the_end_of_an_address_is_a_whole_word(either: Machine) -> None:
    either.scan("lan", a_banner("one", "10.0.1.7"), a_banner("seventeen", "10.0.17.1"), a_banner("long", "10.0.0.12"))
    assert either.names("10.0.1") == ["one"]
    assert either.names("10.0.0.1") == []
    assert sorted(either.names("10.0.1", "7")) == ["one"]
    assert either.names("10.0.17") == ["seventeen"]
    assert either.names("10.0.0.12") == either.names("10.0.0") == ["long"]


def test_results_name_scan_address_port_severity_and_time(either: Machine) -> None:
    finding = a_finding(
        "Log4Shell",
        "10.0.0.7",
        8080,
        description="CVE-2021-44228 in the header",
        severity=Severity.HIGH,
        category="Vulnerability",
        attributes={"hostname": "db.lan", "service": "http"},
    )
    scan_id = either.scan("lan", a_finding("Open Port: 22"), finding)
    assert either.search("cve-2021-44228") == [
        {
            "scan": scan_id,
            "scanName": "lan",
            "requestedAt": "2026-03-01T12:00:00Z",
            "parsedAt": "2026-03-01T12:00:00Z",
            "address": "10.0.0.7",
            "hostname": "db.lan",
            "protocol": "tcp",
            "port": 8080,
            "service": "http",
            "severity": "HIGH",
            "category": "Vulnerability",
            "name": "Log4Shell",
            "location": "tcp://10.0.0.7:8080",
        }
    ]


def test_the_newest_scan_comes_first_and_within_it_the_order_of_addresses(either: Machine) -> None:
    for hours, name in ((2, "newest"), (0, "oldest"), (1, "between")):
        either.scan(name, a_banner("x", "10.0.0.1"), a_banner("x", "10.0.0.2"), hours=hours)
        if either.is_local:
            either.search("x")  # so that they are not added in order of age
    found = [(result["scanName"], result["address"]) for result in either.search("x")]
    assert found == [(name, f"10.0.0.{n}") for name in ("newest", "between", "oldest") for n in (1, 2)]


def test_words_match_without_case_and_accents_and_the_last_one_as_a_beginning(either: Machine) -> None:
    either.scan("lan", a_banner("OpenSSH 8.9p1 Ubuntu", port=1), a_banner("Caf\u00e9 \u0130stanbul", port=2))
    assert either.names("openssh 8.9") == ["OpenSSH 8.9p1 Ubuntu"]
    assert either.names("ubuntu", "openssh") == ["OpenSSH 8.9p1 Ubuntu"]
    assert either.names("ubuntu openssh") == []  # not one after the other
    assert either.names("penssh") == []
    assert either.names("CAFE") == either.names("istanbul") == ["Caf\u00e9 \u0130stanbul"]


def test_a_single_letter_or_digit_counts_as_a_whole_word(either: Machine) -> None:
    either.scan("lan", a_banner("nginx q.25.3", port=1), a_banner("release qu of x", port=2))
    assert either.names("q") == ["nginx q.25.3"]
    assert either.names("qu") == ["release qu of x"]
    assert either.names("release q") == ["release qu of x"]  # after another word, any beginning counts


def test_a_text_of_any_script_is_found_by_itself(either: Machine) -> None:
    texts = [
        "Stra\u00dfe 5",
        "\ufb01le",
        "\u4e2d\u6587",
        "a\x00b",
        "x_y",
        "\u0130\u0131",
        "\u0967\u0968",
        "e\u0301t\u00e9",
        "\U0001d400\U0001d401",
    ]
    either.scan("lan", *(a_finding(text, port=port) for port, text in enumerate(texts, 1)))
    assert [either.names(text) for text in texts] == [[text] for text in texts]
    assert either.names("strasse") == ["Stra\u00dfe 5"]


def test_filters_select_as_those_of_findings_do(either: Machine) -> None:
    either.scan(
        "lan",
        a_banner("nginx a", "10.0.0.1", 80, severity=Severity.LOW),
        a_banner("nginx b", "10.0.1.1", 443, category="HTTP"),
        a_finding("nginx c", "2001:db8::5", 80, attributes={"hostname": "Web.lan", "service": "http"}),
        a_finding("nginx d", "10.9.0.1", 80, attributes={"suppressed": "known"}),
    )
    everything = ["nginx a", "nginx b", "nginx d", "nginx c"]
    assert sorted(either.names("nginx")) == sorted(everything)
    for filters, names in (
        (["--severity", "low"], "a"),
        (["--host", "10.0.1.0/24"], "b"),
        (["--host", "10.0.0.0/15"], "ab"),
        (["--host", "10.0.0.1-3"], "a"),
        (["--host", "0.0.0.0/0"], "abd"),
        (["--host", "web.lan"], "c"),
        (["--host", "2001:db8::/64"], "c"),
        (["--port", "443"], "b"),
        (["--service", "http"], "c"),
        (["--category", "http"], "b"),
        (["--port", "80", "--severity", "informational"], "c"),
    ):
        assert sorted(either.names("nginx", *filters)) == [f"nginx {name}" for name in names], filters


def test_a_suppressed_finding_is_shown_as_such(machine: Machine) -> None:
    machine.scan("lan", a_finding("x", attributes={"suppressed": "known"}))
    assert [result["severity"] for result in machine.search("x", "--severity", "suppressed")] == ["(suppressed)"]


@pytest.mark.parametrize(
    "text",
    ['x" OR "y', "x AND", "body : y", "NEAR(x y)", "y*", "x'; DROP TABLE scans; --", '"', "^y", "{marks} : x"],
)
def test_what_is_sought_is_never_syntax(either: Machine, text: str) -> None:
    """Only letters and digits of it count, so none of these finds the finding."""
    either.scan("lan", a_banner("something y else"))
    code = main(["search", text, "--json", "--state-dir", str(either.folder)])
    out, err = either.capsys.readouterr()
    if text in ("y*", "^y"):
        assert [result["name"] for result in json.loads(out)] == ["something y else"]
    elif text == '"':
        assert code == 2
        assert "has no letter or digit" in err
    else:
        assert (code, json.loads(out)) == (0, [])


def test_hostile_text_reaches_no_terminal(machine: Machine) -> None:
    machine.scan("lan", a_banner("evil \x1b]0;title\x07 \u202e name"))
    assert main(["search", "evil", "--state-dir", str(machine.folder)]) == 0
    out = machine.capsys.readouterr().out
    assert "evil" in out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_limit_is_kept_and_says_that_there_are_more(either: Machine) -> None:
    either.scan("lan", *(a_banner("x", port=port) for port in range(1, 6)))
    assert main(["search", "x", "--limit", "3", "--state-dir", str(either.folder)]) == 0
    out, err = either.capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert "only the first 3 are listed" in err
    assert main(["search", "x", "--limit", "5", "--state-dir", str(either.folder)]) == 0
    assert "listed" not in either.capsys.readouterr().err
    assert main(["search", "x", "--limit", "0", "--state-dir", str(either.folder)]) == 2


def test_a_scan_of_members_adds_only_what_compares_them(either: Machine) -> None:
    member = either.scan("a member", a_banner("x"))
    either.scan("all", members=(member,), findings=Counts(count=1, categories={"Open Port": 1}))
    assert [result["scanName"] for result in either.search("x")] == ["a member"]


def test_a_running_scan_is_searched_once_it_has_ended(machine: Machine) -> None:
    scan_id = machine.scan("lan", a_banner("x"), state=ScanState.SCANNING, shards_open=1)
    assert machine.names("x") == []
    machine.table.scans[scan_id] = replace(machine.table.scans[scan_id], **ENDED)
    assert machine.names("x") == ["x"]


def test_without_an_index_the_scans_to_read_are_counted_first(machine: Machine) -> None:
    machine.is_local = False
    machine.scan("one", a_banner("x", severity=Severity.HIGH))
    machine.scan("other", a_banner("x"), hours=1)
    assert main(["search", "x", "--severity", "high"]) == 0
    assert "reading all findings of 1 scan, 1 finding" in machine.capsys.readouterr().err
    assert machine.read == [derive_scan_id("one")]
    assert not machine.path.exists()


# ---- the index


def test_a_scan_is_read_once(machine: Machine) -> None:
    first = machine.scan("first", a_banner("x"))
    machine.search("x")
    second = machine.scan("second", a_banner("x"), hours=1)
    machine.search("x")
    machine.search("y")
    assert machine.read == [first, second]


def test_a_removed_scan_is_no_longer_found(machine: Machine) -> None:
    scan_id = machine.scan("first", a_banner("x one"))
    machine.scan("second", a_banner("x two"))
    assert len(machine.names("x")) == 2
    assert machine.table.remove_scan(scan_id, 100)
    assert machine.names("x") == ["x two"]


def test_findings_that_were_made_anew_take_the_place_of_the_earlier_ones(machine: Machine) -> None:
    scan_id = machine.scan("lan", a_banner("x before"))
    assert machine.names("x") == ["x before"]
    replacement = machine.table.replace_findings(scan_id)
    replacement.put([HostFindings("10.0.0.1", [a_banner("x after", port=23)])])
    replacement.remove_others()
    assert machine.table.recount_findings(scan_id, machine.table.scans[scan_id].findings)  # the same counts
    assert machine.names("x") == ["x after"]
    assert machine.names("before") == []


def test_an_index_of_mostly_removed_findings_is_made_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "MIN_REMOVED", 2)
    scan_id = machine.scan("lan", *(a_banner("secret", port=port) for port in range(1, 9)))
    machine.scan("other", a_banner("kept"))
    machine.search("x")
    assert b"secret" in machine.path.read_bytes()
    assert machine.table.remove_scan(scan_id, 100)
    assert machine.names("kept") == ["kept"]
    assert b"secret" not in machine.path.read_bytes()


def test_only_the_owner_can_read_the_index(machine: Machine) -> None:
    machine.scan("lan", a_banner("x"))
    machine.search("x")
    machine.path.chmod(0o644)
    machine.search("x")
    assert stat.S_IMODE(machine.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(machine.folder.stat().st_mode) == 0o700


def damage(path: Path) -> None:
    """Overwrite all pages behind the head."""
    data = path.read_bytes()
    path.write_bytes(data[:1024] + b"\xff" * (len(data) - 1024))


def make_foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE scans (number)")
        connection.commit()


def make_older(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 0")


def drop_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE findings")


def write_a_text(path: Path) -> None:
    path.write_text("not a database, but a text" * 9)


@pytest.mark.parametrize(
    "spoil",
    [
        damage,
        make_foreign,
        make_older,
        drop_a_table,
        write_a_text,
    ],
    ids=["damaged", "of another program", "older", "without a table", "a text"],
)
def test_an_index_that_cannot_be_used_is_made_again_with_a_note(machine: Machine, spoil: Any) -> None:
    scan_id = machine.scan("lan", a_banner("x"))
    machine.search("x")
    spoil(machine.path)
    assert main(["search", "x", "--json", "--state-dir", str(machine.folder)]) == 0
    out, err = machine.capsys.readouterr()
    assert [result["name"] for result in json.loads(out)] == ["x"]
    assert f"the search index {machine.path} is made again" in err
    assert machine.read == [scan_id, scan_id]


def test_an_empty_file_becomes_an_index(machine: Machine) -> None:
    machine.scan("lan", a_banner("x"))
    machine.folder.mkdir(parents=True)
    machine.path.touch()
    assert machine.names("x") == ["x"]


def test_a_scan_that_cannot_be_read_to_its_end_is_not_in_the_index(machine: Machine) -> None:
    machine.scan("lan", a_banner("x"))
    machine.search("x")
    broken = machine.scan("broken", hours=1)
    read = machine.table.findings

    def fail(scan_id: str) -> Iterator[Finding]:
        if scan_id == broken:
            yield a_banner("x of the broken one")
            raise KeyboardInterrupt
        yield from read(scan_id)

    machine.table.findings = fail  # type: ignore[method-assign]
    assert main(["search", "x", "--state-dir", str(machine.folder)]) == 130
    machine.table.findings = read  # type: ignore[method-assign]
    machine.capsys.readouterr()
    assert machine.names("x") == ["x"]


def test_a_full_disk_is_an_error_that_names_the_file(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = search_index._prepare

    def limit(connection: sqlite3.Connection) -> None:
        prepare(connection)
        connection.execute("PRAGMA max_page_count = 1")  # as large as it is now

    monkeypatch.setattr(search_index, "_prepare", limit)
    machine.scan("lan", *(a_banner(f"x {port} {'text ' * 50}", port=port) for port in range(1, 500)))
    assert main(["search", "x", "--state-dir", str(machine.folder)]) == 3
    assert f"the disk is full: the search index {machine.path}" in machine.capsys.readouterr().err
    monkeypatch.undo()


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(machine: Machine) -> None:
    machine.path.mkdir(parents=True)
    assert main(["search", "x", "--state-dir", str(machine.folder)]) == 3
    assert f"the search index {machine.path} cannot be" in machine.capsys.readouterr().err


def test_a_search_waits_for_another_that_uses_the_index(machine: Machine) -> None:
    """Two threads with connections of their own, the second while the first reads a scan."""
    machine.scan("lan", a_banner("x"))
    read, entered, go_on = machine.table.findings, threading.Event(), threading.Event()

    def wait(scan_id: str) -> Iterator[Finding]:
        entered.set()
        assert go_on.wait(30)
        yield from read(scan_id)

    machine.table.findings = wait  # type: ignore[method-assign]
    results: list[list[str]] = []

    def search_in_index() -> None:
        query = search_index.Search(SearchText.parse(["x"]), FindingQuery(), 10)
        found = search_index.search_findings(
            machine.path, machine.table, query, show=lambda _: None, say=lambda _: None
        )
        results.append([each.result.name for each in found])

    machine.folder.mkdir(parents=True)
    threads = [threading.Thread(target=search_in_index) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert entered.wait(30)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert results == [["x"], ["x"]]
    assert len(machine.read) == 1  # the second found it in the index


def test_a_locked_index_is_an_error_and_stays(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "LOCK_TIMEOUT_S", 0.0)
    machine.scan("lan", a_banner("x"))
    machine.search("x")
    with hold_lock(machine.path.with_suffix(".lock"), 0.0):
        assert main(["search", "x", "--state-dir", str(machine.folder)]) == 3
    assert "another process holds" in machine.capsys.readouterr().err
    assert machine.names("x") == ["x"]


def test_an_index_that_another_program_writes_is_left_alone(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "BUSY_TIMEOUT_S", 0.0)
    machine.scan("lan", a_banner("x"))
    machine.search("x")
    machine.scan("next", a_banner("x"), hours=1)
    with closing(sqlite3.connect(machine.path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert main(["search", "x", "--state-dir", str(machine.folder)]) == 3
        connection.execute("ROLLBACK")
    assert f"{machine.path} cannot be used: database is locked" in machine.capsys.readouterr().err
    assert machine.names("x") == ["x", "x"]


def test_rebuild_removes_the_index(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    scan_id = machine.scan("lan", a_banner("x"))
    machine.search("x")
    monkeypatch.setattr(rebuild, "restore_operator_records", lambda *_: "")
    assert main(["rebuild", "--yes", "--state-dir", str(machine.folder)]) == 0
    assert not machine.path.exists()
    machine.capsys.readouterr()
    assert machine.names("x") == ["x"]
    assert machine.read == [scan_id, scan_id]
