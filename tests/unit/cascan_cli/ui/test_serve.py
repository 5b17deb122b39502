"""Where the console listens, and what its command accepts."""

from __future__ import annotations

import socket
import stat
import webbrowser
from pathlib import Path

import pytest

from cascan_cli.errors import BadInput
from cascan_cli.main import main
from cascan_cli.parser.build_parser import build_parser
from cascan_cli.ui.serve import listen, open_browser


def test_the_console_listens_on_this_machine_alone() -> None:
    with listen(None) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_named_and_without_a_port_another_one_is_used() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"--port {port}: another program uses it"):
            listen(port)
    with listen(None) as first, listen(None) as second:
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
    for wrong in (["--port", "0"], ["--port", "x"], ["--role", "king"]):
        with pytest.raises(SystemExit):
            main(["ui", *wrong])
    assert "must be a number from 1 to 65535" in capsys.readouterr().err
