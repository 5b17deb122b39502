"""Certificates that end soon, as scans saw them: one for each place."""

from __future__ import annotations

from datetime import datetime

import msgspec

CERTIFICATE_PREFIX = "certificate/"  # of the key of a thread about a certificate
CERTIFICATE_DAY_PREFIX = "certificate-day/"  # of the key of the work that asks for the daily check


class WatchedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate that the newest scan saw at a place."""

    vantage: str
    address: str
    port: int
    not_after: datetime
    name: str  # that it is for
    seen_at: datetime
    hostname: str = ""  # by which the host was scanned
    owner: str = ""  # of the host; looked up for each message, not stored
    # The fewest days before its end that were handed to the channels, 0 once it has ended; None: it is
    # too early
    announced: int | None = None
    # An earlier certificate of the place was announced, and that it is renewed was not
    is_renewed: bool = False

    @property
    def key(self) -> str:
        """Of its thread."""
        return f"{CERTIFICATE_PREFIX}{self.vantage}/{self.address}/{self.port}"


class CertificateWatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of them. `version` counts from 1; 0: nothing is stored."""

    version: int = 0
    certificates: tuple[WatchedCertificate, ...] = ()


class CertificateDay(msgspec.Struct, frozen=True, kw_only=True):
    """The daily check of the watched certificates."""

    due_at: datetime
