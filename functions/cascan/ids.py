"""Ids that a repeated delivery derives again, and the object keys and tokens made of them.

Only a scan's secret is random: it is made once, and stored with the scan.
"""

from __future__ import annotations

import base64
import hmac
import re
from binascii import hexlify
from hashlib import sha1, sha256
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID, uuid5

from cascan.errors import MalformedMessage

if TYPE_CHECKING:
    from _hashlib import HASH

# cascan's own; changing it changes every finding id
NAMESPACE = UUID("6f1b1d8e-5f6c-5c0e-9a57-6d3f1c7a2b10")
NAMESPACE_BYTES = NAMESPACE.bytes
# The upper two bits of this digit are 10 in a UUID
VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
# Bytes that `translate` leaves as they are; the digits fill up its table
UNCHANGED = bytes(range(256 - 40 - 32))
SECRET_BYTES = 16  # 128 bits
PROOF = "proof"  # the name of a report's metadata that shows who stored it
TOKEN_CHARS = 32  # hex digits: 128 bits
SCAN_ID = re.compile(r"[a-z2-7]{16}")
REPORT_KEY = re.compile(r"reports/(?P<scan_id>[a-z2-7]{16})/(?P<shard>[0-9]{6})/(?P<attempt>[0-9]{1,4})\.xml")


def derive_scan_id(key: str) -> str:
    """The scan's id, 16 characters of `a-z2-7` (80 bits), from the message's id or from a key that
    cascan made.
    """
    return base64.b32encode(sha256(f"scan:{key}".encode()).digest()[:10]).decode().lower()


def digest_body(body: str) -> str:
    """A digest of a request's text: it distinguishes a repeat from another request."""
    return sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def derive_keyed_scan_id(submitter: str, idempotency_key: str) -> str:
    """The id of a scan that was requested under an idempotency key. Another submitter's same key
    gives another id.
    """
    return derive_scan_id(f"key:{len(submitter)}:{submitter}:{idempotency_key}")


def derive_fingerprint(*about: str) -> str:
    """A digest of what a finding is about, without the scan: equal in every scan that sees the same
    again.
    """
    return sha256("\x1f".join(about).encode()).hexdigest()[:32]


def derive_finding_id(scan_id: str, fingerprint: str) -> str:
    """The finding's UUID: version 5 of the scan and the fingerprint. uuid5() itself takes three
    times as long.
    """
    digest = sha1(NAMESPACE_BYTES + f"{scan_id}/{fingerprint}".encode()).hexdigest()  # noqa: S324 (version 5 is SHA-1, no secret)
    variant = VARIANTS[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def scan_hash(scan_id: str) -> HASH:
    """The hash state that the ids of a scan's findings start from; `encode_id_fields` continues
    from a copy.
    """
    return sha1(NAMESPACE_BYTES + f"{scan_id}/".encode())  # noqa: S324 (as above)


def encode_id_fields(scan: HASH, about: bytes) -> bytes:
    """How a finding's JSON begins, up to the end of the fingerprint: `{"id":"…","fingerprint":"…`.

    Same values as derive_finding_id and derive_fingerprint, in a third of their time. `about`: the
    joined parts.
    """
    fingerprint = hexlify(sha256(about).digest()[:16])
    hashed = scan.copy()  # the scan's own part is hashed once
    hashed.update(fingerprint)
    digest = hexlify(hashed.digest())
    return LAYOUTS[digest[16]].translate(UNCHANGED + digest + fingerprint)


def _layout(variant: str) -> bytes:
    """The text of `encode_id_fields` with each digit replaced by its index in the table for
    `translate`.

    So one call puts every digit in its place. Slicing a digest and formatting the slices takes
    twice as long.
    """
    indexes = bytes(range(len(UNCHANGED), 256))
    digest, fingerprint = indexes[:40], indexes[40:]
    fields = digest[:8], digest[8:12], digest[13:16], variant.encode(), digest[17:20], digest[20:32], fingerprint
    return b'{"id":"%b-%b-5%b-%b%b-%b","fingerprint":"%b' % fields


LAYOUTS = {ord(digit): _layout(variant) for digit, variant in VARIANTS.items()}


def derive_event_id(*parts: object) -> str:
    """The id of an event: the same cause gives the same id, however often it is announced."""
    return str(uuid5(NAMESPACE, "event/" + "/".join(str(part) for part in parts)))


def derive_exposure_id(vantage: str, address: str, protocol: str, port: int, kind: str) -> str:
    """The exposure's id, 16 characters of `a-z2-7` (80 bits). No scan is part of it."""
    about = "\x1f".join((vantage, address, protocol, str(port), kind))
    return base64.b32encode(sha256(f"exposure:{about}".encode()).digest()[:10]).decode().lower()


def derive_vuls_id(event_id: str, key: str) -> str:
    """The id of what is asked for one results JSON of Vuls: a repeated event gives the same."""
    return sha256(f"vuls:{event_id}:{key}".encode()).hexdigest()[:32]


def make_shard_secret() -> str:
    """A new secret, of which the tokens of a scan's shards are derived."""
    return token_hex(SECRET_BYTES)


def derive_shard_token(shard_secret: str, number: int) -> str:
    """The token of a shard, which is part of its key in the table and travels in its message.

    A worker learns the tokens of the shards whose messages it receives, and cannot derive others.
    """
    text = f"shard:{number}".encode()
    return hmac.new(shard_secret.encode(), text, sha256).hexdigest()[:TOKEN_CHARS]


def derive_report_proof(token: str, attempt: int) -> str:
    """What shows that a report comes from a worker that has its shard's message."""
    return sha256(f"report:{token}:{attempt}".encode()).hexdigest()[:TOKEN_CHARS]


class ReportKey(NamedTuple):
    """The object key of a report: `reports/<scan id>/<shard, 6 digits>/<attempt>.xml`."""

    scan_id: str
    shard: int
    attempt: int

    @classmethod
    def parse(cls, key: str) -> ReportKey:
        """Raises: MalformedMessage: not a key that a worker mints."""
        match = REPORT_KEY.fullmatch(key)
        if not match:
            raise MalformedMessage(f"{key!r} is not a report key: reports/<scan id>/<shard>/<attempt>.xml")
        return cls(match["scan_id"], int(match["shard"]), int(match["attempt"]))

    def __str__(self) -> str:
        return f"reports/{self.scan_id}/{self.shard:06d}/{self.attempt}.xml"


def results_key(scan_id: str, name: str) -> str:
    """The object key of a published result: `results/<scan id>/<name>`."""
    return f"results/{scan_id}/{name}"
