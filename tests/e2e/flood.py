"""Stores a scan with a flood of findings in the stack of a state directory, and tells the bus that it is completed.

`python -m tests.e2e.flood STATE_DIR`; what it prints is the scan's id. In a process of its own: it turns the AWS
clients to the emulator.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from cascan.aws.event_bus import EventBridgeBus
from cascan.clock import utc_now
from cascan.events import ScanCompleted
from cascan.findings.by_host import group_by_host
from cascan.ids import derive_scan_id
from cascan.model.finding import Finding
from cascan.model.scan import Outcome, ScanState
from cascan.scans.close import build_end_event
from cascan_cli.stack.open import open_stack
from tests.support.builders import a_request, a_scan
from tests.support.cascading import a_finding

ADDRESSES = tuple(f"127.0.1.{last}" for last in range(1, 251))
PORTS = range(1, 41)
FLOOD = len(ADDRESSES) * len(PORTS)
LABEL = {"e2e": "flood"}


def main() -> None:
    scan = a_scan(
        scan_id=derive_scan_id("a flood"),
        name="flood",
        request=a_request(name="flood", cascades={"matchLabels": LABEL}),
        state=ScanState.PARSE_COMPLETED,
        outcome=Outcome.COMPLETE,
        requested_at=utc_now(),
        finished_at=utc_now(),
        shards_open=0,
    )
    with open_stack(Namespace(stack=None, state_dir=Path(sys.argv[1]))) as stack:
        stack.table.create_scan(scan)
        stack.table.put_findings(scan.scan_id, group_by_host(findings(scan.scan_id)))
        event = build_end_event(scan)
        assert isinstance(event, ScanCompleted)
        EventBridgeBus(stack.outputs["ScanBusName"]).put([event])
    sys.stdout.write(scan.scan_id)


def findings(scan_id: str) -> Iterator[Finding]:
    """Open ports, marked: what a scan of these addresses finds does not meet the same rules."""
    for address in ADDRESSES:
        for port in PORTS:
            yield a_finding(address, port, scan_id=scan_id, attributes={"flood": True})


if __name__ == "__main__":
    main()
