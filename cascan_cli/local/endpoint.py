"""The emulator's endpoint: its port, its secret, and calls that need no boto3."""

from __future__ import annotations

import hmac
import http.client
import re
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from cascan_cli.errors import StateUnreadable
from cascan_cli.local.guard import HOST, NONCE_HEADER, PROOF_PATH, TOKEN_HEADER, compute_proof
from cascan_cli.local.private import create_file

TIMEOUT_S = 30
PROOF_TIMEOUT_S = 5
SECRET_BYTES = 32
SECRET_FORM = re.compile(r"[A-Za-z0-9_-]{43}")  # SECRET_BYTES in URL-safe base64
LOWEST_PORT, PORT_TRIES = 20_000, 50
EPHEMERAL_RANGE, FIRST_EPHEMERAL_PORT = Path("/proc/sys/net/ipv4/ip_local_port_range"), 49_152


class Listener(Enum):
    """NOBODY: no answer.

    GUARD: a program that knows the secret. SOMEBODY: a program that does not.
    """

    NOBODY = "nobody"
    GUARD = "guard"
    SOMEBODY = "somebody"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The representation leaves the secret out, since it may end up in a log."""

    port: int
    secret: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def request(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Status and body of the response. Raises: OSError, HTTPException: there is none."""
        return self._call(method, path, body, {TOKEN_HEADER: self.secret}, TIMEOUT_S)

    def listener(self) -> Listener:
        """Which program listens on the port. The secret is not sent to find out."""
        nonce = secrets.token_hex(16)
        try:
            _, proof = self._call("GET", PROOF_PATH, None, {NONCE_HEADER: nonce}, PROOF_TIMEOUT_S)
        except (OSError, http.client.HTTPException):
            return Listener.NOBODY
        is_guard = hmac.compare_digest(proof, compute_proof(self.secret, nonce.encode()))
        return Listener.GUARD if is_guard else Listener.SOMEBODY

    def _call(
        self, method: str, path: str, body: str | None, headers: dict[str, str], timeout_s: float
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def read_secret(path: Path) -> str:
    """The secret in the file, which is created if it does not exist.

    Two commands at once get the same secret.

    Raises: StateUnreadable: the file does not hold a secret.
    """
    if not path.exists():
        create_file(path, secrets.token_urlsafe(SECRET_BYTES))
    try:
        secret = path.read_text("ascii").strip()
    except (OSError, ValueError) as exc:
        raise _secret_unreadable(path, f"it cannot be read ({exc})") from exc
    if not SECRET_FORM.fullmatch(secret):
        raise _secret_unreadable(path, "it does not hold a secret")
    return secret


def _secret_unreadable(path: Path, why: str) -> StateUnreadable:
    return StateUnreadable(
        f"{path} is damaged: {why}. End the stack (cascan local down), delete that file, "
        "and start again: the next stack gets another secret"
    )


def find_free_port(host: str) -> int:
    """A free port below those that the kernel assigns.

    So the port is likely to be free between two commands as well.
    """
    candidates = range(LOWEST_PORT, _first_ephemeral_port())
    for port in secrets.SystemRandom().sample(candidates, min(PORT_TRIES, len(candidates))):
        with suppress(OSError):
            return _bind(host, port)
    return _bind(host, 0)  # any free port


def _bind(host: str, port: int) -> int:
    """The port, after it could be bound. Raises: OSError: it is taken."""
    with socket.socket() as probe:
        probe.bind((host, port))
        bound: int = probe.getsockname()[1]
        return bound


def _first_ephemeral_port() -> int:
    """Source: ip(7). On other systems than Linux, IANA's first ephemeral port."""
    try:
        return int(EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return FIRST_EPHEMERAL_PORT
