"""What the real nmap takes and says nothing of, and leaves undone: the reason why it is refused, or noted."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from cascan.errors import RequestRefused
from cascan.nmap.options.arguments import parse_arguments
from tests.data.services import services

pytestmark = pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed")
REFUSED = [  # the words, and the same without what is left undone; {http} is a web server's port
    ("-sn -sV", "-sn"),
    ("-sL -sV", "-sL"),
    ("-sL --script address-info", "-sL"),
    ("-sn --script http-title", "-sn"),
    ("-sn --top-ports 3", "-sn"),
    ("-sn --exclude-ports {http}", "-sn"),
    ("-F --top-ports 3", "--top-ports 3"),
    ("-p {http} -n -R", "-p {http} -n"),
]
NOTED = [
    ("-p {http} --version-all", "-p {http}"),
    ("-p {http} --script-args http.useragent=x", "-p {http}"),
    ("-p {http} -Pn -PS1", "-p {http} -Pn"),
    ("-sn --open", "-sn"),
    ("-p {http} -T2 -T4", "-p {http} -T4"),
]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with services() as ports:
        yield ports["http"]


def answer(words: list[str]) -> str:
    """nmap's XML without what changes from run to run and from word to word: times and the command line."""
    argv = ["nmap", "--unprivileged", *words, "127.0.0.1", "-oX", "-"]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=250, check=True)
    assert not ran.stderr  # it says nothing of what it leaves out
    body = re.sub(r"<!--.*?-->|<nmaprun [^>]*>|<runstats>.*|<times [^>]*>", "", ran.stdout, flags=re.DOTALL)
    return re.sub(r' (starttime|endtime)="[0-9]+"', "", body)


@pytest.mark.parametrize(("line", "without"), REFUSED)
def test_what_nmap_silently_leaves_undone_is_refused(line: str, without: str, port: int) -> None:
    words = line.format(http=port).split()
    assert answer(words) == answer(without.format(http=port).split())
    with pytest.raises(RequestRefused):
        parse_arguments(words).check("connect")


@pytest.mark.parametrize(("line", "without"), NOTED)
def test_what_only_tunes_something_that_is_not_done_runs_with_a_note(line: str, without: str, port: int) -> None:
    words = line.format(http=port).split()
    assert answer(words) == answer(without.format(http=port).split())
    (note,) = parse_arguments(words).check("connect").notes
    assert "no effect" in note or "takes the last" in note
    assert parse_arguments(without.format(http=port).split()).check("connect").notes == ()
