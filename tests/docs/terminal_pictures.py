"""Take pictures of what the command prints in a terminal.

    python -m tests.docs.terminal_pictures [NAME …]     as root, with nmap; pictures.py has the options

It runs in a network namespace of its own, in which services of tests/data listen, and scans these
through the whole pipeline of the local stack. Each command runs in a terminal of the width that
the table PICTURES says. The pictures load nothing, no font either.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from tests.data.speaking_keys import make_keys
from tests.data.speaking_services import start_stand_ins
from tests.docs.pictures import ROOT, open_album

NAMESPACE = ("unshare", "--net", "--mount", sys.executable, "-m", "tests.docs.terminal_pictures", "--inside")
SCAN = ("scan", "127.0.0.1", "--name", "office", "--", "-sV", "-p", "21-23,25,80,443,3306,5900,6379,8080")
SCRIPTS = ("--script", "ssl-cert,http-title,ssh2-enum-algos,ftp-anon,redis-info,http-methods")
ROWS = 60  # of the terminal
FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)  # rich's come from another host
SVG_FONT = re.compile(r"font-family: Fira Code,")
LIVE_LINE = re.compile(r"[^\n]*\r(?!\n)")  # written over by the text after it


class Picture(NamedTuple):
    name: str
    width: int  # of the terminal, in characters
    command: tuple[str, ...]


PICTURES = (
    Picture("terminal-findings-80", 80, ("findings", "latest")),
    Picture("terminal-findings-100", 100, ("findings", "latest")),
    Picture("terminal-findings-160", 160, ("findings", "latest")),
    Picture("terminal-show", 100, ("show", "latest")),
    Picture("terminal-host", 100, ("host", "127.0.0.1")),
    Picture("terminal-scans", 100, ("scans",)),
    Picture("terminal-check", 100, ("check", "10.0.0.0/24", "--", "-sS", "-oN", "x")),
)


def main() -> None:
    is_inside = "--inside" in sys.argv
    if is_inside:
        sys.argv.remove("--inside")
    album = open_album(__doc__, [picture.name for picture in PICTURES])
    if os.geteuid() != 0:
        raise SystemExit("Run it as root: the services need well-known ports in a network namespace of their own.")
    if not is_inside:
        raise SystemExit(subprocess.run([*NAMESPACE, *sys.argv[1:]], check=False).returncode)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state")
        make_keys(Path(folder))
        start_stand_ins(Path(folder))
        try:
            run_in_terminal([*SCAN, *SCRIPTS], 100, state)
            for picture in PICTURES:
                if album.wants(picture.name):
                    shown = run_in_terminal(picture.command, picture.width, state)
                    album.add(f"{picture.name}.svg", draw(picture, shown))
        finally:
            run_in_terminal(("local", "down"), 100, state)


def run_in_terminal(command: Sequence[str], width: int, state: Path) -> str:
    """Run `cascan COMMAND` in a terminal of this width. Returns what it shows, with its colours."""
    terminal, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, width, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(width)}
    environment |= {"XDG_STATE_HOME": str(state), "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cascan_cli.main", *command],
        cwd=ROOT,
        env=environment,
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
    )
    os.close(child)
    shown = bytearray()
    with suppress(OSError):  # the terminal has ended
        while block := os.read(terminal, 65_536):
            shown += block
    process.wait()
    os.close(terminal)
    return LIVE_LINE.sub("", shown.decode().replace("\r\n", "\n"))


def draw(picture: Picture, shown: str) -> bytes:
    """The picture as SVG."""
    console = Console(record=True, width=picture.width, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Text.from_ansi(f"$ cascan {' '.join(picture.command)}", style="bold"))
    console.print(Text.from_ansi(shown.rstrip()), soft_wrap=True)
    svg = console.export_svg(title="cascan", unique_id=picture.name)
    return SVG_FONT.sub("font-family: ", FONT.sub("", svg)).encode()


if __name__ == "__main__":
    if not shutil.which("nmap"):
        raise SystemExit("nmap is not installed")
    main()
