"""`cascan targets`: addresses as nmap would take them, or their exact count."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cascan_cli.main import main
from tests.support.no_hang import no_hang

ROOT = Path(__file__).parents[4]


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["targets", *words]) == 0
    return capsys.readouterr().out


def test_addresses_are_printed_one_a_line_in_nmaps_order(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "10.0.1-2.7,3", "10.0.0.0/30", "--exclude", "10.0.0.1,10.0.2.3")
    assert out.split() == ["10.0.1.3", "10.0.1.7", "10.0.2.7", "10.0.0.0", "10.0.0.2", "10.0.0.3"]
    assert printed(capsys, "-6", "2001:db8::/127").split() == ["2001:db8::", "2001:db8::1"]


def test_expressions_of_ipv6_need_no_option_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "2001:db8::/127", "--exclude", "2001:db8::1", "example.org") == "2001:db8::\nexample.org\n"
    assert printed(capsys, "--count", "2001:DB8::/64") == f"{2**64}\n"
    assert main(["targets", "10.0.0.1", "2001:db8::1"]) == 2
    assert "an IPv4 target in an IPv6 scan" in capsys.readouterr().err


def test_expressions_stand_on_both_sides_of_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "10.0.0.0/31", "--exclude", "10.0.0.1", "10.0.0.4").split() == ["10.0.0.0", "10.0.0.4"]
    with pytest.raises(SystemExit, match="2"):
        main(["targets", "10.0.0.1", "--foo", "10.0.0.2"])
    with pytest.raises(SystemExit, match="2"):
        main(["check", "10.0.0.1", "-sV"])
    assert "unrecognized arguments: -sV; nmap options go after --" in capsys.readouterr().err


def test_the_count_is_exact_and_not_enumerated(capsys: pytest.CaptureFixture[str]) -> None:
    with no_hang():
        assert printed(capsys, "--count", "0.0.0.0/0", "--exclude", "10.0.0.0/8", "--exclude", "*.*.1.1") == (
            f"{2**32 - 2**24 - 2**16 + 2**8}\n"
        )
        assert json.loads(printed(capsys, "--count", "--json", "-6", "2001:db8::/32")) == {"addresses": 2**96}


def test_a_name_is_printed_as_itself_and_counted_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "example.org", "10.0.0.1") == "example.org\n10.0.0.1\n"
    assert printed(capsys, "--count", "example.org", "10.0.0.1") == "2\n"


def test_ports_of_a_target_do_not_matter_for_its_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "10.0.0.5:22,80", "10.0.0.4/31:53/udp") == "10.0.0.5\n10.0.0.4\n"
    assert printed(capsys, "[2001:db8::5]:22") == "2001:db8::5\n"


def test_a_refused_expression_prints_every_reason_and_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "10.0.0.1", "127.1", "0x7f.0.0.1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "'127.1'" in err
    assert "'0x7f.0.0.1'" in err
    assert main(["targets", "10.0.0.1", "--exclude", "example.org"]) == 2
    assert "exclude the address itself" in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_a_long_list_in_silence() -> None:
    command = [sys.executable, "-m", "cascan_cli.main", "targets", "10.0.0.0/8"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as lister:
        assert lister.stdout
        assert lister.stderr
        assert lister.stdout.readline() == b"10.0.0.0\n"
        lister.stdout.close()
        assert lister.stderr.read() == b""
