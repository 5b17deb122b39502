"""The command says the id under which a request's scan will stand, also of one that will be refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import cast

import pytest
from msgspec.structs import replace

from cascan.ids import derive_keyed_scan_id, derive_scan_id, digest_body
from cascan_cli.stack.open import StackGateways
from cascan_cli.stack.scan_ids import expected_scan_id, possible_scan_ids
from tests.fakes import MemoryScanTable
from tests.support.builders import a_scan, body

WITH_KEY = body(targets=["127.0.0.1"], idempotencyKey="weekly")
OWN = derive_keyed_scan_id("alice", "weekly")
MANIFEST = json.dumps(
    {
        "apiVersion": "execution.securecodebox.io/v1",
        "kind": "Scan",
        "metadata": {"name": "weekly", "annotations": {"cascan/idempotency-key": "weekly"}},
        "spec": {"scanType": "nmap", "parameters": ["8.8.8.8"]},
    }
)


@dataclass
class Stack:
    """As much of Access as is asked for."""

    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    submitter: str = "alice"


def stack_with(*scans: tuple[str, str]) -> StackGateways:
    """A stack that holds scans: id, body."""
    stack = Stack()
    for scan_id, text in scans:
        stack.table.create_scan(replace(a_scan(scan_id=scan_id), request_digest=digest_body(text)))
    return cast("StackGateways", stack)


@pytest.mark.parametrize(
    ("text", "scan_id"),
    [
        (body(targets=["127.0.0.1"]), derive_scan_id("m-1")),
        ("{", derive_scan_id("m-1")),
        (WITH_KEY, OWN),
        (MANIFEST, OWN),
        (body(nosuch=1, idempotencyKey="weekly"), OWN),
    ],
)
def test_the_id_is_its_keys_or_else_its_messages(text: str, scan_id: str) -> None:
    stack = stack_with()
    assert expected_scan_id(text, "m-1", stack) == scan_id
    assert possible_scan_ids(text, "m-1", stack)[0] == scan_id


def test_a_repeat_has_the_id_of_the_first_and_another_request_under_its_key_one_of_its_own() -> None:
    stack = stack_with((OWN, WITH_KEY))
    assert expected_scan_id(WITH_KEY, "m-2", stack) == OWN
    assert expected_scan_id(MANIFEST, "m-2", stack) == derive_scan_id("m-2")
