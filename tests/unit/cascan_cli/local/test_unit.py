"""The systemd unit of the local stack: hardened, without root, and one that systemd itself accepts."""

from __future__ import annotations

import shutil
from configparser import RawConfigParser
from pathlib import Path

import pytest

from cascan_cli.errors import BadInput
from cascan_cli.local.unit import MARK, UnitOrder, install_unit, quote, render_unit
from cascan_cli.local.verify_unit import verify_unit
from cascan_cli.main import main

NMAP = Path("/usr/bin/nmap")
COMMAND = ("/bin/true",)  # systemd-analyze looks whether it can be executed
USER = UnitOrder(COMMAND, Path("/home/a user/50%/cascan"), NMAP)
SYSTEM = UnitOrder(COMMAND, Path("/var/lib/cascan"), NMAP, "daemon")


def read(text: str) -> RawConfigParser:
    parser = RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("order", [USER, SYSTEM], ids=["user", "system"])
def test_systemd_accepts_the_unit(order: UnitOrder) -> None:
    sentence = verify_unit(render_unit(order), system=bool(order.user))
    assert sentence == "systemd-analyze verify finds no fault in the unit"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_a_fault_that_systemd_finds_is_passed_on() -> None:
    faulty = render_unit(SYSTEM).replace("Type=notify", "Type=none")
    assert "Failed to parse service type" in verify_unit(faulty, system=True)


def test_a_machine_without_systemd_says_that_the_unit_was_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert verify_unit("", system=True) == "the unit was not checked: systemd-analyze is not installed"


def test_a_unit_of_the_machine_runs_as_an_ordinary_user_with_the_capabilities_of_raw_scans_alone() -> None:
    service = read(render_unit(SYSTEM))["Service"]
    assert service["User"] == "daemon"
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == "CAP_NET_RAW CAP_NET_BIND_SERVICE"
    assert service["NoNewPrivileges"] == "yes"
    assert (service["StateDirectory"], service["ProtectSystem"]) == ("cascan", "strict")


def test_a_unit_of_a_user_has_no_capabilities_and_needs_no_namespace() -> None:
    service = read(render_unit(USER))["Service"]
    assert not [name for name in service if name.startswith(("Protect", "Private", "Ambient", "User"))]
    assert service["NoNewPrivileges"] == "yes"


def test_the_supervisor_alone_is_asked_to_end() -> None:
    """A second SIGTERM kills a process of the stack at once: systemd must not send one to each of them."""
    assert read(render_unit(USER))["Service"]["KillMode"] == "mixed"


def test_a_folder_of_the_users_choice_is_all_that_may_be_written() -> None:
    order = UnitOrder(COMMAND, Path("/srv/scans of all"), Path("/opt/nmap/bin/nmap"), "daemon")
    service = read(render_unit(order))["Service"]
    assert service["ReadWritePaths"] == '"/srv/scans of all"'
    assert service["Environment"].startswith("PATH=/opt/nmap/bin:")
    assert "StateDirectory" not in service


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("/var/lib/cascan", "/var/lib/cascan"),
        ("a b", '"a b"'),
        ("50%i", '"50%%i"'),
        ("$HOME", "$HOME"),
        ('say "no"\\', '"say \\"no\\"\\\\"'),
        ("a;b", '"a;b"'),
    ],
)
def test_a_path_is_written_so_that_systemd_reads_it_back(word: str, quoted: str) -> None:
    assert quote(word) == quoted


def test_a_dollar_sign_is_doubled_only_where_systemd_replaces_variables() -> None:
    service = read(render_unit(UnitOrder(COMMAND, Path("/srv/$scans"), Path("/opt/$nmap/nmap"), "daemon")))["Service"]
    assert service["ExecStart"].endswith(" --state-dir /srv/$$scans")
    assert service["ReadWritePaths"] == "/srv/$scans"
    assert service["Environment"].startswith("PATH=/opt/$nmap:")


def test_a_path_with_a_line_break_cannot_add_a_line_to_the_unit() -> None:
    with pytest.raises(BadInput, match="not printable"):
        render_unit(UnitOrder(COMMAND, Path("/tmp/a\nExecStartPre=/bin/evil"), NMAP))


def test_an_installed_unit_is_replaced_but_not_a_foreign_one(tmp_path: Path) -> None:
    folder = tmp_path / "systemd" / "user"
    path = install_unit(f"{MARK}: 1\n", folder)
    assert install_unit(f"{MARK}: 2\n", folder) == path
    assert path.read_text() == f"{MARK}: 2\n"
    path.write_text("[Service]\n")
    with pytest.raises(BadInput, match="is not from cascan local unit"):
        install_unit(f"{MARK}: 3\n", folder)
    assert path.read_text() == "[Service]\n"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nmap and without systemd, whose user has a configuration folder of her own."""
    monkeypatch.setattr("shutil.which", {"nmap": str(NMAP)}.get)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    return tmp_path


def test_the_command_prints_the_unit_or_installs_it_and_says_how_it_is_started(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["local", "unit"]) == 0
    printed = capsys.readouterr()
    assert f"local up --foreground --state-dir {machine}/state/cascan" in printed.out
    assert "was not checked" in printed.err
    assert main(["local", "unit", "--install"]) == 0
    installed = capsys.readouterr()
    assert (machine / "systemd/user/cascan.service").read_text() == printed.out
    assert installed.out == ""
    assert "systemctl --user enable --now cascan" in installed.err


@pytest.mark.usefixtures("machine")
def test_a_user_without_a_name_has_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 2**31 - 5)
    assert main(["local", "unit", "--system"]) == 2
    assert "name the user who runs the stack with --run-as" in capsys.readouterr().err


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--run-as", "daemon"], "--run-as is for --system"),
        (["--system", "--run-as", "root"], "as an ordinary user, not as root"),
        (["--system", "--run-as", "nobody-of-this-name"], "this machine has no such user"),
        (["--system", "--run-as", "daemon", "--state-dir", "/nonexistent/x"], "there is no such folder"),
    ],
)
def test_an_impossible_unit_is_refused_with_the_fix(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["local", "unit", *words]) == 2
    refused = capsys.readouterr()
    assert refused.out == ""
    assert problem in refused.err
