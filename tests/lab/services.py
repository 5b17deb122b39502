"""What the lab's hosts offer: servers of Debian packages, configured for it alone, none as a system service.

The desk's are stand-ins of our own, which need no package.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab import stand_ins
from tests.lab.network import FAR, HOSTS

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  server {{ {server} root {folder}; }}
}}
"""
SSHD = "HostKey {folder}/key\nPidFile none\nUsePAM no\nPasswordAuthentication no\n"
VSFTPD = """listen=YES
background=NO
anonymous_enable=YES
anon_root={folder}/public
secure_chroot_dir={folder}/empty
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
"""
SMB = """[global]
server role = standalone
server min protocol = NT1
smb ports = 139 445
map to guest = Bad User
disable spoolss = yes
log file = {folder}/log
lock directory = {folder}
state directory = {folder}
cache directory = {folder}
private directory = {folder}
pid directory = {folder}
ncalrpc dir = {folder}
[public]
path = {folder}/public
guest ok = yes
"""
SNMPD = "rocommunity public\nsysLocation lab\n"
SNMP_GET = bytes.fromhex(  # sysDescr.0, version 2c, community "public"
    "302902010104067075626c6963a01c02040000000102010002010030 0e300c06082b060102010101000500"
)
ROOT = Path(__file__).parents[2]
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Service:
    """One server on one host: `files` are made in its folder, and `{folder}` stands for that in all of it."""

    host: str
    address: str
    ports: tuple[int, ...]
    program: str
    package: str
    arguments: str
    files: dict[str, str]
    folders: tuple[str, ...] = ()
    before: tuple[str, ...] = ()  # a command that completes the folder
    udp: bytes = b""  # what a UDP service answers to

    @property
    def is_installed(self) -> bool:
        return Path(self.program).exists()

    def start(self, folder: Path) -> None:
        folder.mkdir(mode=0o755)
        for name in self.folders:
            (folder / name).mkdir(mode=0o755)
        for name, text in self.files.items():
            (folder / name).write_text(text.format(folder=folder))
        if self.before:
            subprocess.run([word.format(folder=folder) for word in self.before], check=True, capture_output=True)
        words = [self.program, *self.arguments.format(folder=folder).split()]
        with (folder / "said").open("wb") as said:
            subprocess.Popen(
                ["ip", "netns", "exec", self.host, *words],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=folder,
                start_new_session=True,
            )

    def wait(self, deadline: float) -> None:
        """Until it answers on each port. Raises: TimeoutError: it does not."""
        for port in self.ports:
            while not (self._answers(port) if self.udp else _accepts(self.address, port)):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.program} does not answer on port {port} of {self.host}")
                time.sleep(POLL_S)

    def _answers(self, port: int) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            try:
                asking.connect((self.address, port))
                asking.send(self.udp)
                return bool(asking.recv(2048))
            except OSError:
                return False


def _accepts(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def _nginx(host: str, address: str, ports: tuple[int, ...], server: str, before: tuple[str, ...] = ()) -> Service:
    page = f"<html><head><title>The lab's {host}</title></head></html>"
    listens = "".join(f"listen {port}{' ssl' if before else ''}; " for port in ports)
    conf = NGINX.replace("{server}", listens + server)
    return Service(
        host,
        address,
        ports,
        "/usr/sbin/nginx",
        "nginx-light",
        "-c {folder}/nginx.conf",
        {"nginx.conf": conf, "index.html": page},
        before=before,
    )


CERTIFICATE = (
    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
    *("-subj", "/CN=tls.lab.example"),
    *("-days", "30", "-keyout", "{folder}/key.pem", "-out", "{folder}/cert.pem"),
)
SERVICES: tuple[Service, ...] = (
    _nginx("web", HOSTS["web"], (80, 8080), ""),
    _nginx(
        "tls",
        HOSTS["tls"],
        (443,),
        "ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;",
        before=CERTIFICATE,
    ),
    Service(
        "ssh",
        HOSTS["ssh"],
        (22,),
        "/usr/sbin/sshd",
        "openssh-server",
        "-D -e -f {folder}/sshd_config",
        {"sshd_config": SSHD},
        before=("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "{folder}/key"),
    ),
    Service(
        "ssh",
        HOSTS["ssh"],
        (161,),
        "/usr/sbin/snmpd",
        "snmpd",
        "-f -Lo -C -c {folder}/snmpd.conf udp:161",
        {"snmpd.conf": SNMPD},
        udp=SNMP_GET,
    ),
    Service(
        "files",
        HOSTS["files"],
        (21,),
        "/usr/sbin/vsftpd",
        "vsftpd",
        "{folder}/vsftpd.conf",
        {"vsftpd.conf": VSFTPD},
        folders=("public", "empty"),
    ),
    Service(
        "files",
        HOSTS["files"],
        (139, 445),
        "/usr/sbin/smbd",
        "samba",
        "--foreground --no-process-group --configfile={folder}/smb.conf",
        {"smb.conf": SMB},
        folders=("public",),
    ),
    Service(
        "desk",
        HOSTS["desk"],
        stand_ins.PORTS,
        "/usr/bin/env",
        "coreutils",
        f"PYTHONPATH={ROOT} {sys.executable} -m tests.lab.stand_ins {HOSTS['desk']} {{folder}}",
        {},
        before=CERTIFICATE,
    ),
    _nginx("far", FAR[0], (80, 8080), ""),
)
