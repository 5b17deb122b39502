"""Keys and certificates for the services of speaking_services.py: good, old, and of tomorrow."""

from __future__ import annotations

import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

NAMES = x509.SubjectAlternativeName(
    [x509.DNSName("files.example"), x509.DNSName("*.files.example"), x509.IPAddress(ip_address("127.0.0.1"))]
)
COMMANDS = (
    "ssh-keygen -q -t rsa -b 2048 -N '' -f {folder}/rsa",
    "ssh-keygen -q -t rsa -b 1024 -N '' -f {folder}/short",
    "ssh-keygen -q -t ed25519 -N '' -f {folder}/ed25519",
    "openssl dhparam -out {folder}/dh.pem 1024",
)


class _Certificate(NamedTuple):
    subject: str
    bits: int
    start: datetime
    end: datetime
    authority: rsa.RSAPrivateKey | None = None  # None: it is signed by itself
    names: x509.SubjectAlternativeName | None = None


def make_keys(folder: Path) -> None:
    """good: from an authority, for a year. old: self-signed, weak, expired. future: from tomorrow on, for 20 days."""
    today = datetime.now(UTC)
    authority, day = rsa.generate_private_key(65_537, 2048), timedelta(days=1)
    good = _Certificate("files.example", 2048, today, today + 365 * day, authority, NAMES)
    old = _Certificate("old.example", 1024, today - 400 * day, today - 35 * day)
    future = _Certificate("new.example", 2048, today + day, today + 21 * day, authority)
    for name, certificate in (("good", good), ("old", old), ("future", future)):
        _write(certificate, folder / f"{name}.key", folder / f"{name}.pem")
    for command in COMMANDS:
        subprocess.run(shlex.split(command.format(folder=folder)), check=True, capture_output=True)


def _write(certificate: _Certificate, key_file: Path, file: Path) -> None:
    key, owner = rsa.generate_private_key(65_537, certificate.bits), _named(certificate.subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(owner)
        .issuer_name(_named("Fixture CA") if certificate.authority else owner)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(certificate.start)
        .not_valid_after(certificate.end)
    )
    if certificate.names:
        builder = builder.add_extension(certificate.names, critical=False)
    signed = builder.sign(certificate.authority or key, hashes.SHA256())
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
