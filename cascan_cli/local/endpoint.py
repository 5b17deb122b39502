"""Where the emulator of a state directory listens, and the secret that opens it: calls that need no boto3."""

from __future__ import annotations

import hmac
import http.client
import secrets
from dataclasses import dataclass, field
from enum import Enum

from cascan_cli.local.guard import HOST, NONCE_HEADER, PROOF_PATH, TOKEN_HEADER, compute_proof

TIMEOUT_S = 30
PROOF_TIMEOUT_S = 5


class Listener(Enum):
    """NOBODY: no answer. GUARD: it knows the secret. SOMEBODY: it does not."""

    NOBODY = "nobody"
    GUARD = "guard"
    SOMEBODY = "somebody"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The secret stays out of the representation: that of a value may end up in a log."""

    port: int
    secret: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def request(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Status and body of the answer. Raises: OSError, HTTPException: there is none."""
        return self._call(method, path, body, {TOKEN_HEADER: self.secret}, TIMEOUT_S)

    def listener(self) -> Listener:
        """Who listens there; the secret is not sent to find that out."""
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
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
