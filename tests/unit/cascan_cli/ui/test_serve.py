"""Where the console listens, and what its command accepts."""

from __future__ import annotations

import errno
import socket
import stat
import sys
import webbrowser
from ipaddress import ip_address
from pathlib import Path

import pytest

from cascan_cli.errors import BadInput
from cascan_cli.main import main
from cascan_cli.parser.build_parser import build_parser
from cascan_cli.ui.address import SHARED, choose_address, listen
from cascan_cli.ui.serve import open_browser


def test_the_console_listens_on_this_machine_alone() -> None:
    with listen(choose_address("a stack"), None) as listener:
        assert ip_address(listener.getsockname()[0]).is_loopback


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all addresses of 127.0.0.0/8")
def test_each_stack_has_an_address_of_its_own_that_stays_the_same() -> None:
    addresses = {stack: choose_address(stack) for stack in ("one", "two", "three")}
    assert len(set(addresses.values())) == 3
    assert "127.0.0.1" not in addresses.values()
    assert choose_address("one") == addresses["one"]


def test_where_there_is_no_other_address_it_is_127_0_0_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    release = tmp_path / "osrelease"
    release.write_text("5.15.0-microsoft-standard-WSL2")
    monkeypatch.setattr("cascan_cli.ui.address.KERNEL_RELEASE", release)
    assert choose_address("one") == SHARED
    release.write_text("6.1")
    monkeypatch.setattr("cascan_cli.ui.address._bind", raise_not_available)
    assert choose_address("one") == SHARED


def raise_not_available(*_: object) -> None:
    raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")


def test_a_port_that_is_taken_is_named_and_without_a_port_another_one_is_used() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"--port {port}: another program uses it"):
            listen(SHARED, port)
    with listen(SHARED, None) as first, listen(SHARED, None) as second:
        assert first.getsockname()[1] != second.getsockname()[1]


def test_the_link_reaches_the_browser_by_a_private_file_and_not_by_a_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    with open_browser("http://127.0.0.1:8822/?token=secret"):
        (address,) = opened
        assert "secret" not in address
        page = Path(address.removeprefix("file://"))
        assert "token=secret" in page.read_text()
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert not page.exists()


def test_the_command_takes_a_role_and_a_port(capsys: pytest.CaptureFixture[str]) -> None:
    args = build_parser().parse_args(["ui", "--role", "reader", "--port", "9000", "--no-browser"])
    assert (args.role, args.port, args.no_browser, args.stack) == ("reader", 9000, True, None)
    for wrong in (["--port", "0"], ["--port", "x"], ["--role", "king"], ["--address", "10.0.0.1"], ["--address", "x"]):
        with pytest.raises(SystemExit):
            main(["ui", *wrong])
    err = capsys.readouterr().err
    assert "must be a number from 1 to 65535" in err
    assert "must be an address of 127.0.0.0/8" in err
