"""What nmap refuses carries rule `grammar`; what is refused here alone says by its rule whose refusal it is."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.model.refusal import Rule
from cascan.model.request import ScanRequest
from cascan.nmap import nmap_data
from cascan.nmap.options import mac_address
from cascan.nmap.options.arguments import parse_arguments
from cascan.nmap.ports import service_names
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import plan

SERVICES = """tcpmux\t1/tcp\t0.1
tcpmux\t1/udp\t0.1
ssh 22/tcp 0.2
http 80/tcp 0.4 # web
snmp 161/udp 0.3
m2pa 3565/sctp 0
"""
PROTOCOLS = "icmp 1 ICMP\ntcp 6 TCP\n"
VENDORS = "00000C Cisco Systems\n000393 Apple\n"

REFUSED = [
    ("-PB -PA80", Rule.GRAMMAR),
    ("-PB -PB", Rule.GRAMMAR),
    ("-PB -6", Rule.GRAMMAR),
    ("-D ME,ME", Rule.GRAMMAR),
    ("-D RND:0", Rule.GRAMMAR),
    ("-D RND:127", Rule.GRAMMAR),
    ("-D ME,RND:126", Rule.GRAMMAR),
    ("-D RND:2 -6", Rule.GRAMMAR),
    ("-S 127.0.0.1", Rule.OPTION),
    ("--spoof-mac nosuchvendor", Rule.GRAMMAR),
    ("--spoof-mac 00112233445566", Rule.GRAMMAR),
    ("--ip-options 'S " + "127.0.0.1 " * 9 + "'", Rule.GRAMMAR),
    (r"--ip-options '\x83\x07\x04\x0a\x00\x00\x01\x00'", Rule.VALUE),  # a source route whose hop stays hidden
    ("-p nosuch", Rule.GRAMMAR),
    ("-p snmp -sY", Rule.GRAMMAR),
    ("-p [0]", Rule.GRAMMAR),
    ("-p [2-21]", Rule.GRAMMAR),
    ("-p http*", Rule.VALUE),
    ("-p tcp -sO", Rule.LEFT_UNDONE),
    ("-p U:snmp", Rule.LEFT_UNDONE),
    ("-PAnosuch", Rule.GRAMMAR),
    ("-PSsnmp", Rule.GRAMMAR),
    ("-POhttp", Rule.GRAMMAR),
    ("--exclude-ports nosuch", Rule.GRAMMAR),
    ("-vd", Rule.GRAMMAR),
    ("-vvb", Rule.GRAMMAR),
    ("--stats-every 5x", Rule.GRAMMAR),
    ("--max-rtt-timeout 50", Rule.GRAMMAR),
    ("--scan-delay 100", Rule.GRAMMAR),
    ("--host-timeout 10000", Rule.GRAMMAR),
    ("--host-timeout 99h", Rule.VALUE),
    ("--max-retries 99", Rule.VALUE),
    ("--min-parallelism 5 -T1", Rule.GRAMMAR),
    ("--max-hostgroup 5 --min-hostgroup 9 --max-hostgroup 20", Rule.GRAMMAR),
    ("-sX -sX", Rule.GRAMMAR),
    ("-f -sU -PE", Rule.GRAMMAR),
    ("-f -sL", Rule.LEFT_UNDONE),
    ("-sn --top-ports 5", Rule.LEFT_UNDONE),
    ("-n -R", Rule.LEFT_UNDONE),
    ("-4 -6", Rule.GRAMMAR),
    ("-P", Rule.VALUE),
    ("--nosuch", Rule.GRAMMAR),
    ("-oX x", Rule.OPTION),
    ("--script nosuch", Rule.SCRIPT),
]
ACCEPTED = ["-p ssh,http", "-p [1-100]", "-p [22],80", "-PSssh", "-PUsnmp", "-POicmp,6", "-p m2pa -sY", "-sSU -p snmp",
            "--spoof-mac cisco", "--spoof-mac PPLE", "--spoof-mac 0", "--spoof-mac 3C:5A", "-D RND:126", "-D RND:3,ME",
            "--exclude-ports ssh", "--min-parallelism 5 -T1 --max-parallelism 9", "-f -sU -PS", "-f -sU -PP", "-vv",
            "--max-rtt-timeout 49", "--max-rtt-timeout 50s", "--defeat-rst-ratelimit -sA --open",
            "--ip-options 'S " + "127.0.0.1 " * 7 + "127.0.0.1'"]  # fmt: skip


@pytest.fixture(autouse=True)
def nmaps_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few rows in nmap's own files, instead of those of this machine."""
    for name, text in ((nmap_data.SERVICES, SERVICES), (nmap_data.PROTOCOLS, PROTOCOLS), (nmap_data.VENDORS, VENDORS)):
        (tmp_path / name).write_text(f"# a comment\n{text}")
    _look_into(tmp_path, monkeypatch)
    return tmp_path


def _look_into(folder: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmap_data, "find_data_folder", lambda: folder)
    monkeypatch.setattr(service_names, "read_services", nmap_data.read_services.__wrapped__)
    monkeypatch.setattr(mac_address, "read_vendors", nmap_data.read_vendors.__wrapped__)


def refusals(line: str) -> set[Rule]:
    try:
        parse_arguments(shlex.split(line)).check("raw", PolicyProfile.EVERYTHING)
    except RequestRefused as refused:
        return {refusal.rule for refusal in refused.refusals}
    return set()


@pytest.mark.parametrize(("line", "rule"), REFUSED)
def test_a_refusal_says_whose_it_is(line: str, rule: Rule) -> None:
    assert refusals(line) == {rule}


@pytest.mark.parametrize("line", ACCEPTED)
def test_what_nmap_takes_is_taken(line: str) -> None:
    assert refusals(line) == set()


@pytest.mark.parametrize("line", ["-p nosuch", "-PAnosuch", "-p [0]", "--exclude-ports nosuch", "--spoof-mac nosuch"])
def test_without_nmaps_lists_names_are_not_checked_and_a_note_says_so(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _look_into(None, monkeypatch)
    checked = parse_arguments(shlex.split(line)).check("raw", PolicyProfile.EVERYTHING)
    assert any("not checked here" in note for note in checked.notes)
    assert not parse_arguments(["-p", "22"]).check("raw").notes


def test_the_data_is_that_of_the_nmap_on_the_path(nmaps_lists: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = nmaps_lists / "bin" / "nmap"
    data = nmaps_lists / "share" / "nmap"
    program.parent.mkdir()
    program.touch(mode=0o755)
    data.mkdir(parents=True)
    (data / nmap_data.SERVICES).touch()
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(program.parent))
    assert nmap_data.find_data_folder.__wrapped__() == data


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("-D", "10.0.0.9,169.254.169.254", "never scanned"),
        ("-D", "10.9.0.1", "DeniedTargets"),
        ("-D", "224.0.0.1", "multicast"),
        ("--ip-options", "L 8.8.8.8", "outside AllowedTargets"),
        ("--ip-options", "S 10.0.0.9 10.9.0.1", "DeniedTargets"),
    ],
)
def test_addresses_in_packets_are_judged_by_the_scope(option: str, value: str, why: str) -> None:
    permit = Permissions(Scope.of(["10.0.0.0/8"], ["10.9.0.0/16"]), PolicyProfile.EVERYTHING)
    with pytest.raises(RequestRefused) as refused:
        plan(ScanRequest(targets=("10.0.0.1",), parameters=(option, value)), permit)
    assert {refusal.rule for refusal in refused.value.refusals} == {Rule.SCOPE}
    assert why in str(refused.value)
    plan(ScanRequest(targets=("10.0.0.1",), parameters=("-D", "8.8.8.8,ME", "--ip-options", "L 10.0.0.9")), permit)
