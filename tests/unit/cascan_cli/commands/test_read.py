"""`cascan read`: any report of nmap becomes findings, hosts, CSV or XML; what is damaged is saved as far as it goes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import XML, Element

import msgspec
import pytest

from cascan.formats.csv_lines import COLUMNS, escape_formula
from cascan.model.host import Host
from cascan.nmap.report.decode import repair_utf8, replace_forbidden
from cascan.nmap.report.read import read_report
from cascan_cli.main import main
from tests.data.reports import FOLDER, ODDITIES, REAL, WHOLE, hosts, report

ROOT = Path(__file__).parents[4]
DTD = Path("/usr/share/nmap/nmap.dtd")
VALID = tuple(
    name for name in REAL if name != "osclass"
)  # --deprecated-xml-osclass writes what nmap's DTD does not know
PATHS = {name: str(FOLDER / f"{name}.xml") for name in REAL}

Read = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def read(capfdbinary: pytest.CaptureFixture[bytes]) -> Read:
    """Runs the command: its exit code, what it printed, what it said."""

    def run(*words: str) -> tuple[int, bytes, str]:
        code = main(["read", *words])
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return run


def command(*words: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
    argv = [sys.executable, "-m", "cascan_cli.main", "read", *words]
    return subprocess.run(argv, env=environment, capture_output=True, timeout=250, check=False, **more)


class TestFindings:
    def test_every_line_is_a_finding_in_secure_code_boxs_format(self, read: Read) -> None:
        code, out, err = read(PATHS["versions"])
        findings = [json.loads(line) for line in out.splitlines()]
        required = {"id", "name", "description", "category", "severity", "location", "osi_layer", "attributes"}
        assert (code, err) == (0, "")
        assert all(required <= finding.keys() for finding in findings)
        assert [f["category"] for f in findings].count("Open Port") == 3

    def test_the_same_report_gives_the_same_lines_and_another_gives_other_ids(self, read: Read) -> None:
        first, again, other = read(PATHS["hosts"])[1], read(PATHS["hosts"])[1], read(PATHS["killed"])[1]
        assert first == again
        assert not {json.loads(line)["id"] for line in first.splitlines()} & {
            json.loads(line)["id"] for line in other.splitlines()
        }

    def test_findings_are_dated_by_the_report(self, read: Read) -> None:
        assert json.loads(read(PATHS["connect"])[1].splitlines()[0])["parsed_at"] == "2026-11-21T09:43:43Z"


class TestHosts:
    @pytest.mark.parametrize("name", WHOLE)
    def test_every_host_is_printed_with_all_its_details(self, read: Read, name: str) -> None:
        out = read(PATHS[name], "--as", "hosts")[1]
        assert [msgspec.json.decode(line, type=Host) for line in out.splitlines()] == hosts(name)


def without_layout(element: Element) -> object:
    """Everything that the element says: attributes (empty ones too), text and children in order."""
    texts = [repair_utf8(text or "").strip() for text in (element.text, element.tail)]
    attributes = {name: repair_utf8(value) for name, value in element.attrib.items()}
    return element.tag, attributes, texts, [without_layout(child) for child in element]


class TestXml:
    @pytest.mark.skipif(not (DTD.exists() and shutil.which("xmllint")), reason="needs xmllint, and nmap's DTD")
    @pytest.mark.parametrize(
        "names",
        [("hosts",), ("killed",), ("scripts",), ("os", "killed", "arguments"), VALID],
        ids=["whole", "cut short", "scripts", "several", "all"],
    )
    def test_what_comes_out_is_valid_by_nmaps_own_dtd(self, read: Read, names: tuple[str, ...], tmp_path: Path) -> None:
        (tmp_path / "out.xml").write_bytes(read(*(PATHS[name] for name in names), "--as", "xml")[1])
        argv = ["xmllint", "--noout", "--dtdvalid", str(DTD), str(tmp_path / "out.xml")]
        assert subprocess.run(argv, capture_output=True, text=True, check=False).stderr == ""

    def test_a_report_cut_short_ends_and_says_how_much_it_has(self, read: Read, tmp_path: Path) -> None:
        code, out, err = read(PATHS["killed"], "--as", "xml")
        (tmp_path / "saved.xml").write_bytes(out)
        assert (code, "cut short" in err) == (1, True)
        assert b'exit="error"' in out
        assert b'<hosts up="3" down="0" total="3"/>' in out
        assert read(str(tmp_path / "saved.xml"))[0] == 0

    @pytest.mark.skipif(not (DTD.exists() and shutil.which("xmllint")), reason="needs xmllint, and nmap's DTD")
    def test_reports_that_stand_one_behind_the_other_become_one(self, read: Read, tmp_path: Path) -> None:
        (tmp_path / "both.xml").write_bytes(report("hosts") + report("hosts"))
        code, out, _ = read(str(tmp_path / "both.xml"), "--as", "xml")
        (tmp_path / "one.xml").write_bytes(out)
        argv = ["xmllint", "--noout", "--dtdvalid", str(DTD), str(tmp_path / "one.xml")]
        assert subprocess.run(argv, capture_output=True, text=True, check=False).stderr == ""
        assert code == 1
        assert (out.count(b"</host>"), out.count(b"<runstats>")) == (6, 1)
        whole, twice = read_report(io.BytesIO(report("hosts"))), read_report(io.BytesIO(out))
        assert len(list(whole)) * 2 == len(list(twice)) == 6
        assert twice.hosts_total == (whole.hosts_total or 0) * 2

    def test_names_beyond_ascii_are_written_as_they_came(self, read: Read, tmp_path: Path) -> None:
        (tmp_path / "odd.xml").write_bytes(
            report("connect").replace(b"<times", "<zeiträume/><times größe='1'".encode())
        )
        code, out, _ = read(str(tmp_path / "odd.xml"), "--as", "xml")
        assert code == 0
        assert "größe" in out.decode()
        assert "<zeiträume/>" in out.decode()

    def test_several_reports_become_one_with_every_host(self, read: Read, tmp_path: Path) -> None:
        code, out, err = read(PATHS["connect"], PATHS["ipv6"], "--as", "xml")
        (tmp_path / "merged.xml").write_bytes(out)
        assert (code, err) == (0, "")
        lines = read(str(tmp_path / "merged.xml"), "--as", "hosts")[1].splitlines()
        assert [msgspec.json.decode(line, type=Host) for line in lines] == [*hosts("connect"), *hosts("ipv6")]

    @pytest.mark.parametrize("name", ["latin1", "padded-reference", "comment-first", "hop-space"])
    def test_a_report_that_is_read_alone_is_read_beside_others(self, read: Read, name: str, tmp_path: Path) -> None:
        odd, plain = str(FOLDER / f"oddities/{name}.xml"), str(FOLDER / "oddities/plain.xml")
        for files in ((odd, plain), (plain, odd)):
            code, out, err = read(*files, "--as", "xml")
            (tmp_path / "merged.xml").write_bytes(out)
            alone = [read(file, "--as", "hosts") for file in files]
            assert code == 0
            assert all(warnings in err for _, _, warnings in alone)
            assert read(str(tmp_path / "merged.xml"), "--as", "hosts")[1] == b"".join(lines for _, lines, _ in alone)

    @pytest.mark.parametrize("name", [*WHOLE, *ODDITIES])
    def test_what_comes_out_is_the_report_element_by_element(self, read: Read, name: str) -> None:
        data = report(name)
        out = read(str(FOLDER / f"{name}.xml"), "--as", "xml")[1]
        assert without_layout(XML(out)) == without_layout(XML(replace_forbidden(data.decode())))

    def test_of_several_reports_the_damaged_ones_are_counted(self, read: Read) -> None:
        code, _, err = read(PATHS["connect"], PATHS["killed"], "--as", "xml")
        assert (code, "1 of 2 files are damaged" in err) == (1, True)
        assert read("README.md", "README.md", "--as", "xml")[0] == 2


class TestCsv:
    def test_one_header_and_a_line_for_each_finding_of_every_file(self, read: Read) -> None:
        code, out, _ = read(PATHS["versions"], PATHS["ipv6"], "--as", "csv")
        rows = list(csv.DictReader(io.StringIO(out.decode())))
        assert code == 0
        assert tuple(rows[0]) == COLUMNS
        assert len(rows) == len(out.splitlines()) - 1 == 6
        ports = [row for row in rows if row["category"] == "Open Port"]
        assert {(row["service"], row["tunnel"], row["application_protocol"]) for row in ports} >= {
            ("http", "none", "http"),
            ("http", "ssl", "https"),
            ("ftp", "none", "ftp"),
        }
        assert rows[-1]["address"] == "::1"

    @pytest.mark.parametrize(
        "text",
        ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\n@x", "\uff1d1", "\x00=1", "=cmd|' /C calc'!A0"],
    )
    def test_no_cell_begins_as_a_formula_does(self, text: str) -> None:
        assert escape_formula(text)[0] not in "=+-@\uff1d\t\r\n "

    @pytest.mark.parametrize("text", ["a;=1+1", "a; -1", 'a;"=1"', "a;b;\uff1d1", "a;\t@x"])
    def test_no_cell_begins_as_a_formula_where_semicolons_separate_cells(self, text: str) -> None:
        line = next(csv.reader([escape_formula(text)], delimiter=";"))
        assert len(line) > 1
        assert not [cell for cell in line if re.match(r"[\s\"]*[=+@\uff1d-]", cell)]

    def test_a_hostile_banner_stays_in_its_cell_and_on_its_line(self, read: Read, tmp_path: Path) -> None:
        evil = '=HYPERLINK("http://x","y"),"&#xa;@second&#x2028;line'.replace('"', "&quot;")
        path = tmp_path / "evil.xml"
        path.write_text(
            '<nmaprun version="7"><host><status state="up"/><address addr="10.0.0.1" addrtype="ipv4"/><hostnames>'
            f'<hostname name="{evil}" type="user"/></hostnames><ports><port protocol="tcp" portid="80"><state '
            f'state="open"/><service name="http" product="{evil}"/></port></ports></host></nmaprun>'
        )
        (port, _) = csv.DictReader(io.StringIO(read(str(path), "--as", "csv")[1].decode()))
        assert port["product"].startswith("'=HYPERLINK(")
        assert port["hostname"] == port["product"]
        assert "\\n@second\\u2028line" in port["product"]


class TestPacked:
    @pytest.mark.parametrize("form", ["findings", "hosts", "xml", "csv"])
    def test_gzip_is_known_by_its_first_bytes_whatever_the_name(self, read: Read, form: str, tmp_path: Path) -> None:
        (tmp_path / "report.xml").write_bytes(gzip.compress(report("hosts")))
        assert read(str(tmp_path / "report.xml"), "--as", form) == read(PATHS["hosts"], "--as", form)

    @pytest.mark.parametrize("damage", ["cut short", "mangled"])
    def test_a_damaged_archive_is_read_as_far_as_it_goes(self, read: Read, damage: str, tmp_path: Path) -> None:
        data = report("hosts")
        host = data[data.index(b"<host ") : data.index(b"</host>") + 7]
        noise = b"<!-- %s -->" % os.urandom(30_000).hex().encode()
        packed = bytearray(gzip.compress(data.replace(b"<host ", host * 5 + noise + b"<host ", 1)))
        packed[-len(packed) // 8 :] = b"" if damage == "cut short" else b"\xff" * 100
        (tmp_path / "report.gz").write_bytes(packed)
        code, out, err = read(str(tmp_path / "report.gz"), "--as", "hosts")
        assert (code, "gzip stream is damaged or cut short" in err) == (1, True)
        assert len(out.splitlines()) == 5

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
    @pytest.mark.parametrize("packed", [False, True])
    def test_a_report_in_another_encoding_is_read_as_if_it_were_in_nmaps(
        self, read: Read, encoding: str, packed: bool, tmp_path: Path
    ) -> None:
        data = report("hosts").decode().replace("\n", "\r\n").encode(encoding)
        (tmp_path / "saved.xml").write_bytes(gzip.compress(data) if packed else data)
        assert read(str(tmp_path / "saved.xml"), "--jobs", "2") == read(PATHS["hosts"])

    def test_half_a_character_at_the_end_is_a_report_cut_short(self, read: Read, tmp_path: Path) -> None:
        data = report("hosts").decode().encode("utf-16")
        (tmp_path / "cut.xml").write_bytes(data[: len(data) // 2 | 1])
        code, out, err = read(str(tmp_path / "cut.xml"))
        assert (code, len(out) > 0) == (1, True)
        assert "cut short" in err

    def test_warnings_in_front_of_a_report_are_skipped_with_a_remark(self, read: Read, tmp_path: Path) -> None:
        file, warning = tmp_path / "both.xml", b"Warning: <host> is no report, nmap <nothing>\n" * 5_000
        file.write_bytes(warning + report("hosts"))
        code, out, err = read(str(file))
        assert (code, out) == (1, read(PATHS["hosts"])[1])
        assert "There is other text before the report." in err
        code, _, err = read(str(file), PATHS["connect"], "--as", "xml")
        assert (code, err) == (1, f"cascan: {file}: There is other text before the report.\n")
        file.write_bytes(b" \r\n\n" + report("hosts"))
        assert read(str(file)) == read(PATHS["hosts"])

    def test_an_archive_of_something_else_is_no_report(self, read: Read, tmp_path: Path) -> None:
        (tmp_path / "x.gz").write_bytes(gzip.compress(b"hello"))
        assert read(str(tmp_path / "x.gz"))[0] == 2


class TestWhatIsWrong:
    def test_a_damaged_report_gives_its_whole_hosts_and_exit_code_1(self, read: Read) -> None:
        code, out, err = read(PATHS["killed"], "--as", "hosts")
        assert (code, len(out.splitlines())) == (1, 3)
        assert err == f"cascan: {PATHS['killed']}: The report is cut short.\n"

    @pytest.mark.parametrize("name", ["oddities/script-help", "oddities/entities"])
    def test_what_is_no_report_is_refused_with_exit_code_2(self, read: Read, name: str) -> None:
        code, out, err = read(str(FOLDER / f"{name}.xml"))
        assert (code, out) == (2, b"")
        assert err.startswith("cascan: ")

    @pytest.mark.parametrize("path", ["no-such-file", "tests"])
    def test_a_file_that_cannot_be_read_is_named(self, read: Read, path: str) -> None:
        code, out, err = read(path)
        assert (code, out) == (2, b"")
        assert "cascan: " in err

    def test_the_worst_of_several_files_is_the_exit_code_and_the_others_are_read(self, read: Read) -> None:
        code, out, _ = read(PATHS["killed"], str(FOLDER / "README.md"), PATHS["hosts"], "--as", "hosts")
        assert (code, len(out.splitlines())) == (2, 6)


def _die(_reader: object, _part: object) -> None:
    os._exit(1)


# A background job of a shell begins with SIGINT ignored, and its children with it.
READS_UNTIL_CTRL_C = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from cascan_cli.main import main
sys.exit(main(sys.argv[1:]))
"""


class TestJobs:
    @pytest.mark.parametrize("form", ["findings", "hosts", "csv"])
    @pytest.mark.parametrize("name", ["hosts", "killed", "list"])
    def test_several_processes_print_what_one_does(self, read: Read, form: str, name: str) -> None:
        assert read(PATHS[name], "--as", form, "--jobs", "3") == read(PATHS[name], "--as", form)

    def test_ctrl_c_ends_all_processes_with_exit_code_130(self, tmp_path: Path) -> None:
        data = report("hosts")
        start, end = data.index(b"<host "), data.rindex(b"</host>") + 7
        (tmp_path / "long.xml").write_bytes(data[:start] + data[start:end] * 2_000 + data[end:])
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
        argv = [sys.executable, "-c", READS_UNTIL_CTRL_C, "read", str(tmp_path / "long.xml"), "--jobs", "2"]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdout=pipe, stderr=pipe, env=environment, start_new_session=True) as process:
            assert process.stdout
            assert process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate()
        assert (process.returncode, errors) == (130, b"cascan: interrupted\n")

    def test_a_process_that_dies_is_reported_with_the_file(self, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cascan.nmap.report.parallel._RangeReader.read", _die)
        code, _, err = read(PATHS["hosts"], "--jobs", "2")
        assert code == 3
        assert f"{PATHS['hosts']}: A process that read the report ended unexpectedly" in err

    @pytest.mark.parametrize("jobs", ["0", "65", "two", "-1"])
    def test_a_number_of_jobs_that_makes_no_sense_is_refused(self, read: Read, jobs: str) -> None:
        with pytest.raises(SystemExit, match="2"):
            read(PATHS["hosts"], "--jobs", jobs)


class TestAsACommand:
    def test_a_named_pipe_is_read_once_with_any_number_of_jobs(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        argv = ["sh", "-c", f"cat {PATHS['hosts']} > {tmp_path / 'pipe'}"]
        with subprocess.Popen(argv):
            piped = command(str(tmp_path / "pipe"), "--jobs", "2")
        assert (piped.returncode, piped.stdout) == (0, command(PATHS["hosts"]).stdout)

    def test_standard_input_is_read_packed_or_plain(self) -> None:
        plain, packed = command("-", input=report("hosts")), command("-", input=gzip.compress(report("hosts")))
        assert (plain.returncode, plain.stderr) == (0, b"")
        assert plain.stdout == packed.stdout == command(PATHS["hosts"]).stdout

    def test_a_pipe_that_is_closed_early_is_no_traceback(self, tmp_path: Path) -> None:
        data = report("scripts")
        start, end = data.index(b"<host "), data.index(b"</host>") + 7
        (tmp_path / "long.xml").write_bytes(data[:start] + data[start:end] * 500 + data[end:])
        line = f"{sys.executable} -m cascan_cli.main read {tmp_path / 'long.xml'} | head -1 | wc -l"
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
        ran = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, timeout=250, check=False)
        assert (ran.stdout.strip(), ran.stderr) == (b"1", b"")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
    def test_a_full_disk_is_reported_without_a_traceback(self) -> None:
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
        with Path("/dev/full").open("wb") as full:
            argv = [sys.executable, "-m", "cascan_cli.main", "read", PATHS["hosts"]]
            done = subprocess.run(argv, env=environment, stdout=full, stderr=subprocess.PIPE, timeout=250, check=False)
        assert done.returncode == 3
        assert done.stderr == b"cascan: reading or writing failed: No space left on device\n"

    def test_no_aws_library_is_loaded(self) -> None:
        code = (
            "import sys; from cascan_cli.main import main; "
            f"main(['read', {PATHS['scripts']!r}]); "
            "sys.exit(bool({'boto3', 'botocore', 'aws_lambda_powertools', 'yaml', 'rich'} & set(sys.modules)))"
        )
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
        ran = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, timeout=250, check=False
        )
        assert ran.returncode == 0, ran.stderr

    def test_memory_does_not_grow_with_the_report(self, tmp_path: Path) -> None:
        data = report("scripts")
        start, end = data.index(b"<host "), data.index(b"</host>") + 7
        grown = []
        for count in (200, 4_000):
            path = tmp_path / f"{count}.xml"
            path.write_bytes(data[:start] + data[start:end] * count + data[end:])
            code = (
                "import re, sys; from pathlib import Path; from cascan_cli.main import main; "
                f"main(['read', {str(path)!r}]); "
                "print(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1], file=sys.stderr)"
            )
            environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
            ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
            grown.append(int(ran.stderr))
        assert grown[1] < grown[0] + 4_000  # KB; the report is 21 MB


def test_findings_are_judged_by_a_file_of_severity_rules(read: Read, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{matches: {anyOf: [{category: Open Port}]}, override: {severity: HIGH}}]")
    code, out, _ = read(PATHS["connect"], "--severity", str(rules))
    judged = {(finding["category"], finding["severity"]) for finding in map(json.loads, out.splitlines())}
    assert (code, judged) == (0, {("Open Port", "HIGH"), ("Filtered Port", "INFORMATIONAL"), ("Host", "INFORMATIONAL")})
    _, table, _ = read(PATHS["connect"], "--as", "csv", "--severity", str(rules))
    assert table.count(b"HIGH") == out.count(b'"HIGH"') == 3


def test_severity_rules_that_are_none_and_a_form_without_findings_are_refused(read: Read, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{}]")
    code, out, err = read(PATHS["connect"], "--severity", str(rules))
    assert (code, out) == (2, b"")
    assert "rules[0].matches is missing" in err
    code, out, err = read(PATHS["connect"], "--as", "hosts", "--severity", str(rules))
    assert (code, out, "--as hosts has no findings" in err) == (2, b"", True)
