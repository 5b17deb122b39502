"""Make the reports of scripts/ again: real nmap with named scripts, against services of our own on loopback.

    sudo python -m tests.data.make_scripts    # root: a network namespace of its own, and well-known ports in it

Writes one XML file per run, as nmap wrote it, and scripts/README.md: the exact command, nmap's version, the date.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.data.speaking_keys import make_keys
from tests.data.speaking_services import speaking_services

FOLDER = Path(__file__).parent / "scripts"
ALWAYS = ["nmap", "-n", "-Pn", "--no-stylesheet", "-oX", "-"]
NAMESPACE = ("unshare", "--net", "--mount", sys.executable, "-m", "tests.data.make_scripts", "--inside")
TABLE = "| File | Shows | Command |\n|---|---|---|\n"


@dataclass(frozen=True)
class Run:
    name: str
    shows: str
    arguments: str
    signing: str = "auto"  # of the SMB server


RUNS = [
    Run("tls", "certificates good, old and of tomorrow; old versions and weak ciphers",
        "-sT -sV --version-intensity 2 --script ssl-cert,ssl-enum-ciphers -p 443,8443,9443 127.0.0.1"),
    Run("tls-named", "a certificate asked for by another name", "-sT -sV --script ssl-cert -p 443 localhost"),
    Run("dh", "a small Diffie-Hellman group: two reports of the vulns library, one without a CVE",
        "-sT -sV --script ssl-dh-params -p 4433 127.0.0.1"),
    Run("ssh", "algorithms, old and new; methods of authentication",
        "-sT -v --script ssh2-enum-algos,ssh-auth-methods -p 22,2222 127.0.0.1"),
    Run("smb", "an SMB server that does not insist on signing",
        "-sT --script smb-protocols,smb-security-mode,smb2-security-mode -p 445 127.0.0.1"),
    Run("smb-signed", "an SMB server that insists on signing",
        "-sT --script smb-protocols,smb-security-mode,smb2-security-mode -p 445 127.0.0.1", signing="mandatory"),
    Run("ftp", "an FTP server that lets anyone in", "-sT --script banner,ftp-anon -p 21 127.0.0.1"),
    Run("http", "methods, title, headers, a repository, without TLS and within",
        "-sT -v --script http-methods,http-title,http-server-header,http-headers,http-security-headers,http-git"
        " -p 80,443 127.0.0.1"),
    Run("http-accounts", "a default account", "-sT --script http-default-accounts -p 8080 127.0.0.1"),
    Run("vulns", "reports of the vulns library: with a CVE alone; with a score, a risk, and proof",
        "-sT --script http-vuln-cve2015-1635,distcc-cve2004-2687 -p 3632,8000 127.0.0.1"),
    Run("not-vulnerable", "reports of the vulns library, all of them that nothing was found",
        "-sT --script http-vuln-cve2015-1635,http-vuln-cve2011-3192 --script-args vulns.showall -p 80 127.0.0.1"),
    Run("snmp", "an SNMP agent that answers to `public`", "-sU --script snmp-info,snmp-sysdescr -p 161 127.0.0.1"),
    Run("databases", "databases, some of them open to anyone",
        "-sT -v --script mysql-info,mysql-empty-password,mongodb-info,mongodb-databases,redis-info,memcached-info"
        " -p 3306,6379,6380,11211,27017 127.0.0.1"),
    Run("open", "services that ask nobody who they are", "-sT --script vnc-info,x11-access,rsync-list-modules"
        " -p 873,5900,6000 127.0.0.1"),
]  # fmt: skip


def main() -> None:
    if os.geteuid() != 0:
        raise SystemExit("Run it as root: the services need well-known ports in a network namespace of their own.")
    if "--inside" not in sys.argv:
        raise SystemExit(subprocess.run(NAMESPACE, check=False).returncode)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)  # sshd wants /run/sshd, and no other may
    Path("/run/sshd").mkdir(mode=0o755)
    FOLDER.mkdir(exist_ok=True)
    version = subprocess.run(["nmap", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    rows = [row for signing in ("auto", "mandatory") for row in _made(signing)]
    (FOLDER / "README.md").write_text(
        "# Reports with scripts\n\n"
        f"Real output of {version}, {datetime.now(UTC):%Y-%m-%d}, made by `sudo python -m tests.data.make_scripts`\n"
        "from services of our own (`speaking_services.py`) in a network namespace without any other network.\n\n"
        f"{TABLE}{''.join(sorted(rows))}"
    )


def _made(signing: str) -> list[str]:
    wanted = [run for run in RUNS if run.signing == signing]
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        if signing == "auto":
            make_keys(Path(folder))
        with speaking_services(Path(folder), signing, smb_only=signing != "auto"):
            return [_make(run) for run in wanted]


def _make(run: Run) -> str:
    command = [*ALWAYS, *shlex.split(run.arguments)]
    ended = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (FOLDER / f"{run.name}.xml").write_bytes(ended.stdout)
    return f"| {run.name}.xml | {run.shows} | `{shlex.join(command)}` |\n"


if __name__ == "__main__":
    main()
