"""The emulator's endpoint: its port, its secret, and calls that need no boto3."""

from __future__ import annotations

import hmac
import os
import socket
from contextlib import suppress
from enum import Enum
from pathlib import Path

import msgspec

from cascan.aws.plain_http import PlainConnection
from cascan.patterns import compile_pattern
from cascan_cli.errors import StateUnreadable
from cascan_cli.local.guard import HOST, NONCE_HEADER, PROOF_PATH, TOKEN_HEADER, compute_proof
from cascan_cli.local.private import create_file

TIMEOUT_S = 30
PROOF_TIMEOUT_S = 5
SECRET_BYTES = 32
SECRET_FORM = r"[A-Za-z0-9_-]{43}"  # noqa: S105 - SECRET_BYTES in URL-safe base64
MAX_PROOF_BYTES = 1_000
LOWEST_PORT, PORT_TRIES = 20_000, 50
EPHEMERAL_RANGE, FIRST_EPHEMERAL_PORT = Path("/proc/sys/net/ipv4/ip_local_port_range"), 49_152


class Listener(Enum):
    """NOBODY: no answer.

    GUARD: a program that knows the secret. SOMEBODY: a program that does not.
    """

    NOBODY = "nobody"
    GUARD = "guard"
    SOMEBODY = "somebody"


class Endpoint(msgspec.Struct, frozen=True):
    port: int
    secret: str

    def __repr__(self) -> str:
        """Without the secret, since it may end up in a log."""
        return f"Endpoint(port={self.port})"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def request(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Status and body of the response. Raises: OSError, HTTPException: there is none."""
        import http.client  # commands do without it

        connection = http.client.HTTPConnection(HOST, self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, {TOKEN_HEADER: self.secret})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def listener(self) -> Listener:
        """Which program listens on the port. The secret is not sent to find out."""
        nonce = os.urandom(16).hex()
        connection = PlainConnection(HOST, self.port, PROOF_TIMEOUT_S)
        try:
            connection.send("GET", PROOF_PATH, {NONCE_HEADER: nonce, "Connection": "close"})
            proof = connection.receive(MAX_PROOF_BYTES).content
        except OSError:
            return Listener.NOBODY
        finally:
            connection.close()
        is_guard = hmac.compare_digest(proof, compute_proof(self.secret, nonce.encode()))
        return Listener.GUARD if is_guard else Listener.SOMEBODY


def read_secret(path: Path) -> str:
    """The secret in the file, which is created if it does not exist.

    Two commands at once get the same secret.

    Raises: StateUnreadable: the file does not hold a secret.
    """
    if not path.exists():
        import secrets  # once for each state directory

        create_file(path, secrets.token_urlsafe(SECRET_BYTES))
    try:
        secret = path.read_text("ascii").strip()
    except (OSError, ValueError) as exc:
        raise _secret_unreadable(path, f"it cannot be read ({exc})") from exc
    if not compile_pattern(SECRET_FORM).fullmatch(secret):
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
    import secrets  # once for each state directory

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
