"""Findings of scripts that prove what they prove by their text: PROOFS, rows by script.

backdoors.py        somebody is already there
vulnerabilities.py  holes, used or suspected
services.py         services that ask nobody who they are
users.py            accounts and their names
relays.py           services that work for strangers
industrial.py       controllers and buildings
web.py              what web servers show
disclosure.py       what other hosts give away
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
