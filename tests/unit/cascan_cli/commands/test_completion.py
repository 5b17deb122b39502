"""`cascan completion`: the scripts, in the shells that are on this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cascan_cli.main import main

pytest.importorskip("shtab", reason="shtab, a dependency of cascan, is not installed: make setup")
COMPLETE = """
set -u
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { :; }
_shtab_cascan
printf '%s\\n' "${COMPREPLY[@]:-}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("completion") / "cascan"
    with pytest.MonkeyPatch.context() as patch, path.open("w") as output:
        patch.setattr("sys.stdout", output)
        assert main(["completion", "bash"]) == 0
    return path


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("cascan sca", {"scan", "scans"}),
        ("cascan scan --fail", {"--fail-on"}),
        ("cascan scan --fail-on ", {"new", "high", "open", "changed"}),
        ("cascan scan 10.0.0.1 --policy-profile in", {"intrusive"}),
        ("cascan schedule p", {"pause"}),
        ("cascan local ", {"up", "down", "status", "unit"}),
        ("cascan completion ", {"bash", "zsh", "fish"}),
        ("cascan scan --nosuch", {""}),
    ],
)
def test_bash_completes_commands_options_and_choices(typed: str, completed: set[str], script: Path) -> None:
    result = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", script, *typed.split(" ")], capture_output=True, text=True, check=True
    )
    assert set(result.stdout.removesuffix("\n").split("\n")) == completed
    assert result.stderr == ""


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_is_one_that_the_shell_can_read(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    path = tmp_path / "cascan"
    path.write_text(capsys.readouterr().out)
    assert "schedule" in path.read_text()
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", path], check=True)


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])
    assert ended.value.code == 2
    assert "tcsh" in capsys.readouterr().err
