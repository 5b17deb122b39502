"""The tables that a query can use, and the types of their columns. docs/query.md describes them."""

from __future__ import annotations

from typing import NamedTuple

# In this order `ORDER BY severity DESC` lists the worst first
SEVERITY_TYPE = "CREATE TYPE severity AS ENUM ('INFORMATIONAL', 'LOW', 'MEDIUM', 'HIGH')"
TEXT, NUMBER, BIG, YES_NO, TIME, FRACTION = "VARCHAR", "INTEGER", "BIGINT", "BOOLEAN", "TIMESTAMP", "DOUBLE"
TEXTS, LABELS, JSON = "VARCHAR[]", "MAP(VARCHAR, VARCHAR)", "JSON"


class Table(NamedTuple):
    name: str
    columns: dict[str, str]  # with their types


FINDINGS = Table(
    "findings",
    {
        "severity": "severity",
        "category": TEXT,
        "name": TEXT,
        "address": TEXT,
        "hostname": TEXT,
        "protocol": TEXT,
        "port": NUMBER,
        "state": TEXT,
        "service": TEXT,
        "product": TEXT,
        "version": TEXT,
        "tunnel": TEXT,
        "application_protocol": TEXT,
        "location": TEXT,
        "description": TEXT,
        "attributes": JSON,
        "vantage": TEXT,
        "status": TEXT,
        "change": TEXT,
        "covered": YES_NO,
        "first_seen": TIME,
        "last_seen": TIME,
        "owner": TEXT,
        "labels": LABELS,
        "series": TEXT,
        "scan_id": TEXT,
        "id": TEXT,
        "uid": TEXT,
        "note": TEXT,
    },
)
INVENTORY = Table(
    "inventory",
    {
        "address": TEXT,
        "hostname": TEXT,
        "host_state": TEXT,
        "identity": TEXT,
        "vantage": TEXT,
        "protocol": TEXT,
        "port": NUMBER,
        "state": TEXT,
        "service": TEXT,
        "product": TEXT,
        "version": TEXT,
        "first_seen": TIME,
        "last_seen": TIME,
        "scan_id": TEXT,
    },
)
EXPOSURES = Table(
    "exposures",
    {
        "id": TEXT,
        "kind": TEXT,
        "state": TEXT,
        "severity": "severity",
        "vantage": TEXT,
        "address": TEXT,
        "hostname": TEXT,
        "protocol": TEXT,
        "port": NUMBER,
        "owner": TEXT,
        "sentence": TEXT,
        "line": NUMBER,
        "first_seen": TIME,
        "last_seen": TIME,
        "accepted_until": "DATE",
        "severity_rules": TEXTS,
    },
)
SCANS = Table(
    "scans",
    {
        "scan_id": TEXT,
        "series": TEXT,
        "state": TEXT,
        "outcome": TEXT,
        "vantage": TEXT,
        "requested_at": TIME,
        "finished_at": TIME,
        "duration_s": FRACTION,
        "targets": TEXTS,
        "parameters": TEXTS,
        "addresses": "HUGEINT",  # of IPv6 networks
        "hosts_up": BIG,
        "shards": BIG,
        "findings": BIG,
        "high": BIG,
        "medium": BIG,
        "low": BIG,
        "informational": BIG,
        "cost_usd": FRACTION,
        "requested_by": TEXT,
        "labels": LABELS,
        "error": TEXT,
    },
)
TABLES = {table.name: table for table in (FINDINGS, INVENTORY, EXPOSURES, SCANS)}
