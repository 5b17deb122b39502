"""nmap's version scripts follow a redirect to a neighbour in the domain of the target's reverse name, unless -n.

In a network and a list of hosts of its own, made by unshare: 127.0.0.2 is a.evil.test, and sends every visitor to
b.evil.test, which is 127.0.0.3. It might as well be the address of a metadata service.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cascan.model.policy_profile import PolicyProfile
from cascan.nmap.options.arguments import parse_arguments

TRAP = """
import http.server, json, subprocess, sys, threading
visits = []
class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.server.server_address[0] == "127.0.0.3":
            visits.append(self.path)
            self.send_response(200)
        else:
            self.send_response(302)
            self.send_header("Location", "http://b.evil.test:8080/secret")
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_POST = do_GET
    def log_message(self, *_): pass
for address in ("127.0.0.2", "127.0.0.3"):
    site = http.server.ThreadingHTTPServer((address, 8080), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
ran = subprocess.run(["nmap", *sys.argv[1:], "-p", "8080", "127.0.0.2", "-oX", "-"], capture_output=True, check=True)
print(json.dumps({"visits": visits, "ports": ran.stdout.count(b'portid="8080"')}))
"""
INSIDE = 'ip link set lo up && mount --bind "$1" /etc/hosts && shift && exec "$@"'
HOSTS = "127.0.0.1 localhost\n127.0.0.2 a.evil.test\n127.0.0.3 b.evil.test\n"


def may_unshare() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "-n", "-m", "true"], check=False).returncode == 0


pytestmark = [
    pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed"),
    pytest.mark.skipif(not may_unshare(), reason="namespaces need root"),
]


def visits_next_door(folder: Path, words: tuple[str, ...]) -> list[str]:
    hosts = folder / "hosts"
    hosts.write_text(HOSTS)
    argv = ["unshare", "-n", "-m", "sh", "-c", INSIDE, "sh", str(hosts), sys.executable, "-c", TRAP, *words]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=250, check=False)
    assert not ran.returncode, ran.stderr
    said = json.loads(ran.stdout)
    assert said["ports"] == 1  # the target itself was asked
    return list(said["visits"])


def test_sv_alone_would_leave_its_target(tmp_path: Path) -> None:
    assert visits_next_door(tmp_path, ("-sV",)) == ["/secret"]


def test_what_safe_makes_of_sv_stays_there(tmp_path: Path) -> None:
    options = parse_arguments(["-sV"]).check("connect", PolicyProfile.SAFE).options
    assert visits_next_door(tmp_path, options) == []


def test_a_name_that_scripts_are_given_to_say_is_none_whose_domain_they_follow(tmp_path: Path) -> None:
    said = "http.host=a.evil.test,tls.servername=a.evil.test"
    words = ("-n", "-sV", "--script", "http-title", "--script-args", said)
    assert visits_next_door(tmp_path, words) == []
