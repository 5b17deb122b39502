"""Make the reports of scripts/ again: real nmap with named scripts, against services of our own on loopback.

    sudo python -m tests.data.make_scripts [NAME …]    # root: a network namespace, and well-known ports in it

Writes one XML file per run, as nmap wrote it, and scripts/README.md: the exact commands and nmap's version.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.data.leaky_services import start_leaky_services
from tests.data.leaky_web import start_leaky_web
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
    Run("snmp-brute", "a community string that was guessed", "-sU --script snmp-brute -p 161 127.0.0.1"),
    Run("databases", "databases, some of them open to anyone",
        "-sT -v --script mysql-info,mysql-empty-password,mongodb-info,mongodb-databases,redis-info,memcached-info"
        " -p 3306,6379,6380,11211,27017 127.0.0.1"),
    Run("open", "services that ask nobody who they are", "-sT --script vnc-info,x11-access,rsync-list-modules"
        " -p 873,5900,6000 127.0.0.1"),
    Run("backdoors", "backdoors, and an ident server that lies", "-sT --script"
        " +ftp-proftpd-backdoor,netbus-auth-bypass,netbus-info,auth-spoof -p 113,2121,12345 127.0.0.1"),
    Run("strange-mail", "a mail server where none is expected",
        "-sT -sV --script smtp-strangeport,unusual-port -p 2525 127.0.0.1"),
    Run("mail", "a mail server that relays for anyone and knows its users",
        "-sT --script smtp-open-relay,smtp-enum-users -p 25 127.0.0.1"),
    Run("dns", "a name server that hands out its zone, and lets anyone change it",
        "-sT -sU --script dns-zone-transfer,dns-recursion,dns-update,dns-cache-snoop --script-args"
        " dns-zone-transfer.domain=fixture.example,dns-update.hostname=x.fixture.example,dns-update.ip=192.0.2.9"
        " -p T:53,U:53 127.0.0.1"),
    Run("datagrams", "services on UDP that answer anyone",
        "-sU --script tftp-enum,ntp-monlist,upnp-info,nat-pmp-info -p 69,123,1900,5351 127.0.0.1"),
    Run("unauthenticated", "services on TCP that answer anyone", "-sT --script telnet-encryption,gopher-ls,finger,"
        "rpcinfo,ldap-rootdse,ldap-search,socks-auth-info,mqtt-subscribe,dicom-ping,epmd-info,hddtemp-info"
        " -p 23,70,79,111,389,1080,1883,4242,4369,7634 127.0.0.1"),
    Run("shares", "an SMB share that is open to anyone", "-sT --script smb-enum-shares,smb-enum-users,smb-os-discovery"
        " -p 445 127.0.0.1"),
    Run("host-keys", "host keys of SSH, one of them too short", "-sT --script +ssh-hostkey -p 22,2200,2222 127.0.0.1"),
    Run("web", "a shop that trusts whatever it is sent", "-sT --script http-passwd,http-vuln-cve2010-0738,"
        "http-unsafe-output-escaping,http-backup-finder,http-trace,http-cookie-flags,http-cors,http-aspnet-debug,"
        "http-webdav-scan,http-userdir-enum,http-apache-server-status,http-enum,+http-sql-injection,+http-csrf,"
        "+http-dombased-xss,+http-put --script-args http-put.url=/up.txt,http-put.file=/etc/hostname"
        " -p 8180 127.0.0.1"),
    Run("web-folders", "a listing of files; a password asked for without TLS; databases without one",
        "-sT --script http-ls,http-auth,+couchdb-databases,+couchdb-stats -p 5984,7080,8088 127.0.0.1"),
    Run("safe", "the same services and others, where nothing is wrong", "-sT --script telnet-encryption,http-passwd,"
        "http-config-backup,http-sql-injection,http-csrf,http-dombased-xss,http-stored-xss,http-vuln-cve2010-0738,http-trace,ftp-proftpd-backdoor"
        " -p 21,80,8000 127.0.0.1"),
]  # fmt: skip


def main() -> None:
    if os.geteuid() != 0:
        raise SystemExit("Run it as root: the services need well-known ports in a network namespace of their own.")
    if "--inside" not in sys.argv:
        raise SystemExit(subprocess.run([*NAMESPACE, *sys.argv[1:]], check=False).returncode)
    names = [argument for argument in sys.argv[1:] if argument != "--inside"]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)  # sshd wants /run/sshd, and no other may
    Path("/run/sshd").mkdir(mode=0o755)
    FOLDER.mkdir(exist_ok=True)
    for signing in ("auto", "mandatory"):
        _make_all([run for run in RUNS if run.signing == signing and (not names or run.name in names)], signing)
    write_readme()


def write_readme() -> None:
    version = subprocess.run(["nmap", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    rows = [f"| {run.name}.xml | {run.shows} | `{shlex.join(_command(run))}` |\n" for run in RUNS]
    (FOLDER / "README.md").write_text(
        "# Reports with scripts\n\n"
        f"Real output of {version}, made by `sudo python -m tests.data.make_scripts`\n"
        "from services of our own (`speaking_services.py`, `leaky_services.py`, `leaky_web.py`) in a network\n"
        "namespace without any other network. `table.csv` says what comes of each of nmap's scripts.\n\n"
        f"{TABLE}{''.join(sorted(rows))}"
    )


def _make_all(runs: list[Run], signing: str) -> None:
    if not runs:
        return
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        if signing == "auto":
            make_keys(Path(folder))
            start_leaky_services()
            start_leaky_web()
        with speaking_services(Path(folder), signing, smb_only=signing != "auto"):
            for run in runs:
                _make(run)


def _command(run: Run) -> list[str]:
    return [*ALWAYS, *shlex.split(run.arguments)]


def _make(run: Run) -> None:
    ended = subprocess.run(_command(run), check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (FOLDER / f"{run.name}.xml").write_bytes(ended.stdout)


if __name__ == "__main__":
    main()
