"""Scripts whose output proves one thing: a row each, and no function. PROOFS has the rows by script.

backdoors.py        hosts that an attacker already controls
vulnerabilities.py  vulnerabilities that a script exploited or suspects
services.py         services without authentication
users.py            accounts and user names
relays.py           open relays, proxies, amplifiers
industrial.py       industrial controllers and building automation
web.py              what web servers disclose
disclosure.py       what other services disclose
"""

from __future__ import annotations

from cascan.findings.proofs.backdoors import BACKDOORS
from cascan.findings.proofs.disclosure import DISCLOSURES
from cascan.findings.proofs.industrial import INDUSTRIAL
from cascan.findings.proofs.proof import Proof, Rows, read_proofs
from cascan.findings.proofs.relays import RELAYS
from cascan.findings.proofs.services import SERVICES
from cascan.findings.proofs.users import USERS
from cascan.findings.proofs.vulnerabilities import VULNERABILITIES
from cascan.findings.proofs.web import WEB

__all__ = ["PROOFS", "Proof", "read_proofs"]

TABLES: tuple[Rows, ...] = (BACKDOORS, VULNERABILITIES, SERVICES, USERS, RELAYS, INDUSTRIAL, WEB, DISCLOSURES)
PROOFS: dict[str, tuple[Proof, ...]] = {
    script: (row,) if isinstance(row, Proof) else row for table in TABLES for script, row in table.items()
}
