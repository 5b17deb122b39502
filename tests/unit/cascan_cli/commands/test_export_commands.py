"""`--as FORMAT -o FILE`: every command that selects writes its selection in every format."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from cascan.errors import GatewayUnavailable
from cascan.formats.registry import FORMATS
from cascan.ids import derive_scan_id
from cascan.model.scan import Outcome, ScanState
from cascan.nmap.report.read import read_report
from cascan_cli.commands import diff, export_findings, findings, inventory, report
from cascan_cli.errors import BadInput
from cascan_cli.main import main
from cascan_cli.output.export_file import write_document
from tests.data.reports import FOLDER as REPORTS
from tests.support.command_world import open_world
from tests.support.defectdojo import read_import
from tests.support.scanned_network import World, at, xml

SELECTIONS = (
    ["findings", "latest"],
    ["findings", "latest", "--severity", "informational", "--port", "22"],
    ["findings", "latest", "--changes"],
    ["findings", "--now"],
    ["report", "latest"],
    ["findings", "--series", "lan"],
    ["diff"],
    ["diff", "latest", derive_scan_id("scan at 0"), "--all"],
    ["diff", "--since", "2026-03-01T12:30Z", "--until", "2026-03-01T13:30Z"],
    ["inventory", "--all"],
    ["read", str(REPORTS / "versions.xml"), str(REPORTS / "ipv6.xml")],
)


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two scans of a /29: port 80 closed and 23 opened, one host is gone and one came."""
    world = World(tmp_path)

    open_world(monkeypatch, world, diff, inventory, findings, export_findings, report)
    for hour, hosts in enumerate(
        ({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}, {"10.0.0.1": (22, 23), "10.0.0.3": (22,)})
    ):
        world.scan(hour, xml(hosts))
        scan_id = derive_scan_id(f"scan at {hour}")
        scan = world.table.scans[scan_id]
        done = replace(scan, state=ScanState.DONE, outcome=Outcome.COMPLETE, finished_at=at(hour))
        world.table.scans[scan_id] = done
    return world


def export(tmp_path: Path, *words: str) -> bytes:
    file = tmp_path / "export"
    assert main([*words, "-o", str(file)]) == 0
    return file.read_bytes()


@pytest.mark.parametrize("selection", SELECTIONS, ids=lambda words: " ".join(words)[:40])
def test_every_selection_is_written_in_every_format(selection: list[str], tmp_path: Path) -> None:
    """One test for all formats: what takes time is to scan."""
    sizes = {form: len(export(tmp_path, *selection, "--as", form)) for form in FORMATS}
    assert min(sizes.values()) > 100, sizes


def test_every_selection_of_a_stack_gives_the_same_place_the_same_id(tmp_path: Path) -> None:
    ids: dict[str, set[str]] = {}
    for selection in SELECTIONS[:-1]:
        for line in export(tmp_path, *selection, "--as", "jsonl").splitlines():
            document = json.loads(line)
            ids.setdefault(document["location"], set()).add(document["record"]["uid"])
    assert {place: len(found) for place, found in ids.items()} == dict.fromkeys(ids, 1)
    assert {"tcp://10.0.0.1:23", "tcp://10.0.0.1:80", "10.0.0.2"} <= ids.keys()


@pytest.mark.parametrize("selection", [["diff"], ["findings", "latest", "--changes"]])
def test_changes_are_what_came_and_what_is_gone(selection: list[str], tmp_path: Path) -> None:
    lines = export(tmp_path, *selection, "--as", "jsonl").splitlines()
    changes = {(line["location"], line["record"]["status"]) for line in map(json.loads, lines)}
    assert {("tcp://10.0.0.1:23", "open"), ("tcp://10.0.0.1:80", "gone"), ("10.0.0.2", "gone")} <= changes
    assert ("tcp://10.0.0.1:22", "open") not in changes


def test_a_series_without_a_scan_that_is_done_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", "--series", "other", "--as", "csv"]) == 2
    assert "no scan of series 'other' is Done" in capsys.readouterr().err


def test_a_filter_selects_what_is_exported(tmp_path: Path) -> None:
    text = export(tmp_path, "findings", "latest", "--port", "23", "--as", "csv").decode()
    assert [row["port"] for row in csv.DictReader(io.StringIO(text))] == ["23"]


def test_an_export_says_since_when_a_port_is_open(tmp_path: Path) -> None:
    selection = ("findings", "latest", "--port", "22", "--host", "10.0.0.1", "--as")
    text = export(tmp_path, *selection, "csv").decode()
    assert [row["first_seen"] for row in csv.DictReader(io.StringIO(text))] == ["2026-03-01T12:00:00.000Z"]
    lines = export(tmp_path, *selection, "jsonl").splitlines()
    assert [json.loads(line)["record"]["first_seen"] for line in lines] == ["2026-03-01T12:00:00Z"]
    (document,) = json.loads(export(tmp_path, *selection, "json"))
    assert document["record"]["first_seen"] == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize("command", ["findings", "report"])
def test_the_reports_of_a_scan_are_exported_as_one(command: str, tmp_path: Path) -> None:
    hosts = list(read_report(io.BytesIO(export(tmp_path, command, "latest", "--as", "xml"))))
    assert [host.address for host in hosts] == ["10.0.0.1", "10.0.0.3"]


def test_some_hosts_of_the_reports_are_exported(tmp_path: Path) -> None:
    data = export(tmp_path, "findings", "latest", "--host", "10.0.0.3", "--as", "xml")
    assert [host.address for host in read_report(io.BytesIO(data))] == ["10.0.0.3"]


def test_the_export_of_a_report_is_valid_and_of_several_files_at_once(tmp_path: Path) -> None:
    text = export(tmp_path, *SELECTIONS[-1], "--as", "defectdojo")
    assert len({finding["unique_id_from_tool"] for finding in read_import(text)}) > 3


class TestFile:
    def test_a_new_file_is_private_and_an_earlier_one_keeps_its_mode(self, tmp_path: Path) -> None:
        file = tmp_path / "out.json"
        write_document([b"1"], str(file))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.chmod(0o644)
        write_document([b"2"], str(file))
        assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"2", 0o644)

    def test_an_export_that_fails_leaves_the_earlier_file_and_nothing_else(self, tmp_path: Path) -> None:
        file = tmp_path / "out.json"
        file.write_bytes(b"earlier")

        def fail() -> Iterator[bytes]:
            yield b"half"
            raise GatewayUnavailable("the table")

        with pytest.raises(GatewayUnavailable):
            write_document(fail(), str(file))
        assert {path.name: path.read_bytes() for path in tmp_path.glob("*out*")} == {"out.json": b"earlier"}

    def test_a_link_stays_and_its_target_is_replaced(self, tmp_path: Path) -> None:
        target, link = tmp_path / "target", tmp_path / "link"
        link.symlink_to(target)
        write_document([b"x"], str(link))
        assert (link.is_symlink(), target.read_bytes()) == (True, b"x")

    def test_a_dash_is_standard_output(self, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
        write_document([b"a", b"b"], "-")
        assert capsysbinary.readouterr().out == b"ab"

    def test_a_file_that_cannot_be_written_is_named(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert main(["inventory", "--as", "csv", "-o", str(tmp_path / "none" / "out.csv")]) == 2
        assert "none/out.csv: No such file or directory" in capsys.readouterr().err

    def test_a_link_to_itself_is_refused_with_a_sentence(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        link = tmp_path / "link"
        link.symlink_to(link)
        assert main(["findings", "latest", "--as", "csv", "-o", str(link)]) == 2
        assert capsys.readouterr().err == f"cascan: {link}: a symbolic link that leads back to itself\n"

    def test_such_a_link_is_refused_where_python_resolves_it_to_itself(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """From Python 3.13 on."""
        link = tmp_path / "link"
        link.symlink_to(link)
        monkeypatch.setattr(Path, "resolve", lambda path: path)
        with pytest.raises(BadInput, match="leads back to itself"):
            write_document([b"a"], str(link))
        assert link.is_symlink()

    def test_a_file_that_is_no_report_leaves_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("no report")
        assert main(["read", str(tmp_path / "text"), "--as", "md", "-o", str(tmp_path / "out.md")]) == 2
        assert not (tmp_path / "out.md").exists()


class TestOptions:
    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["findings", "latest", "--as", "pdf"], "'jsonl', 'csv', 'md', 'sarif'"),
            (["findings", "latest", "-o", "x"], "-o needs --as FORMAT"),
            (["findings", "latest", "--as", "html"], "cascan report SCAN --as html -o FILE"),
            (["report", "latest", "--xml", "-o", "x"], "--xml prints on standard output"),
            (["inventory", "--with-secrets"], "--with-secrets needs --as FORMAT"),
            (["diff", "--json", "--as", "md"], "--json and --as md contradict each other"),
            (["findings", "latest", "--as-targets", "--as", "md"], "--as-targets and --as md contradict"),
            (["findings", "--series", "lan"], "--series lan needs --as FORMAT"),
            (["findings", "latest", "--changes"], "give SCAN and --as FORMAT"),
            (["findings", "--now", "--changes", "--as", "md"], "give SCAN and --as FORMAT"),
            (["findings", "latest", "--as", "xml", "--port", "22"], "so --port cannot select a part of them"),
            (["findings", "--now", "--as", "xml"], "--as xml is the report of one scan"),
            (["inventory", "--as", "xml"], "'jsonl', 'csv', 'md', 'sarif'"),
            (["read", str(REPORTS / "versions.xml"), "--with-secrets"], "leaves nothing out"),
        ],
    )
    def test_what_cannot_be_is_refused_with_the_reason(
        self, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        try:
            code = main(words)
        except SystemExit as exc:  # of the parser of arguments
            code = int(exc.code or 0)
        assert (code, sentence in capsys.readouterr().err) == (2, True)


def test_asff_of_a_stack_on_aws_names_its_account_and_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = {"StackId": "arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/prod/1"}
    monkeypatch.setattr(export_findings, "describe_stack", lambda _: stack)
    documents = json.loads(export(tmp_path, "findings", "latest", "--as", "asff", "--stack", "prod"))
    accounts = {(document["AwsAccountId"], document["ProductArn"].split(":product/")[0]) for document in documents}
    assert accounts == {("123456789012", "arn:aws-cn:securityhub:cn-north-1:123456789012")}
