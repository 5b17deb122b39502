"""Lists of targets: from a file or standard input into a request, and out of findings and the inventory."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.limits import MAX_TARGET_CHARS
from cascan.model.scan import Outcome, ScanState
from cascan.nmap.targets.own_ports import find_family, parse_target_with_ports
from cascan_cli.commands import findings, inventory
from cascan_cli.errors import BadInput
from cascan_cli.input.target_lists import collect_targets
from cascan_cli.main import main
from cascan_cli.output.targets import format_targets
from tests.support.command_world import open_world
from tests.support.scanned_network import World, xml


def collected(*targets: str, file: str | None = None) -> list[str]:
    return collect_targets(Namespace(targets=list(targets), targets_file=file))


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_text(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return set_text


def test_a_list_holds_words_and_comments_as_nmaps_own(tmp_path: Path, stdin: Any) -> None:
    stdin("10.0.0.5:22,443\n10.0.0.6\t10.0.0.7:53/udp # a comment 10.9.9.9\n\n#10.9.9.9\r\n[2001:db8::5]:443\r\n")
    assert collected("10.0.0.1", "-") == [
        "10.0.0.1",
        "10.0.0.5:22,443",
        "10.0.0.6",
        "10.0.0.7:53/udp",
        "[2001:db8::5]:443",
    ]
    file = tmp_path / "hosts"
    file.write_text("10.0.0.8:80\n")
    assert collected("10.0.0.1", file=str(file)) == ["10.0.0.1", "10.0.0.8:80"]


def test_an_unreadable_list_an_empty_one_and_a_second_standard_input_are_refused(tmp_path: Path, stdin: Any) -> None:
    with pytest.raises(BadInput, match="No such file"):
        collected(file=str(tmp_path / "missing"))
    stdin("# nothing\n")
    with pytest.raises(BadInput, match="standard input names no target"):
        collected("-")
    with pytest.raises(BadInput, match="only once"):
        collected("-", file="-")
    stdin("10.0.0.1:22\n" * 5_001)
    with pytest.raises(BadInput, match="5001 targets are more than the 5000 of one request"):
        collected("-")


def test_check_reads_targets_from_standard_input_and_lists_the_sets_of_ports(
    stdin: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin("10.0.0.5:22\n10.0.0.6:80,81\n")
    assert main(["check", "-"]) == 0
    out = capsys.readouterr().out
    assert "ports 22\t1\t1\n" in out
    assert "ports 80-81\t1\t1\n" in out
    assert main(["scan"]) == 2
    assert "name a target" in capsys.readouterr().err


def test_open_ports_are_printed_as_targets_that_a_request_takes() -> None:
    ports = [("10.0.0.10", "tcp", 80), ("10.0.0.9", "udp", 53), ("10.0.0.9", "tcp", 22), ("2001:db8::5", "tcp", 443)]
    lines = list(format_targets([*ports, ("10.0.0.9", "ip", 1), ("10.0.0.9", "tcp", 22)]))
    assert lines == ["10.0.0.9:22,53/udp", "10.0.0.10:80", "[2001:db8::5]:443"]
    many = list(format_targets(("10.0.0.9", "udp", port) for port in range(1, 65_536)))
    assert max(map(len, many)) <= MAX_TARGET_CHARS
    found = [parse_target_with_ports(line, find_family(line))[1] for line in many]
    assert sum(own.count for own in found if own) == 65_535


def test_findings_and_inventory_print_what_is_open_as_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(tmp_path)

    open_world(monkeypatch, world, findings, inventory)
    world.scan(0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}), name="lan")
    for scan_id, scan in world.table.scans.items():
        world.table.scans[scan_id] = replace(scan, state=ScanState.DONE, outcome=Outcome.COMPLETE)
    expected = "10.0.0.1:22,80\n10.0.0.2:22\n"
    assert main(["findings", "latest", "--as-targets"]) == 0
    assert capsys.readouterr().out == expected
    assert main(["inventory", "--as-targets"]) == 0
    assert capsys.readouterr().out == expected
    assert main(["inventory", "--port", "80", "--as-targets"]) == 0
    assert capsys.readouterr().out == "10.0.0.1:80\n"
    assert main(["inventory", "--as-targets", "--json"]) == 2
    assert main(["findings", "latest", "--as-targets", "--json"]) == 2


def test_targets_come_in_order_of_addresses_each_once() -> None:
    addresses = ["10.0.1.0", "10.0.0.255", "9.255.255.255", "fe80::2%eth0", "fe80::2", "2001:db8::1", "2001:db8:0:1::"]
    ports = [(address, protocol, 65_535) for protocol in ("udp", "sctp", "tcp") for address in addresses]
    assert [line.partition(":65535")[0] for line in format_targets(ports)] == [
        "9.255.255.255",
        "10.0.0.255",
        "10.0.1.0",
        "[2001:db8::1]",
        "[2001:db8:0:1::]",
        "[fe80::2]",
        "[fe80::2%eth0]",
    ]
    assert next(format_targets(ports)) == "9.255.255.255:65535/sctp,65535,65535/udp"
