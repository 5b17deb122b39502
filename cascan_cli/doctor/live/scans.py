"""The scans of a live check: what is asked for, what it may cost, and its way to the end.

Every wait ends with the time that the user gave. A scan that is open then is cancelled.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, NamedTuple

from cascan.cost.estimate import estimate_cost
from cascan.errors import RequestRefused
from cascan.events.control import Action, ControlRequested
from cascan.forms import read_request
from cascan.ids import derive_keyed_scan_id
from cascan.model.scan import FINAL_STATES
from cascan.model.shard import Lane
from cascan.nmap.targets.kinds import IPV4
from cascan.planning.plan import plan
from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.text import Progress

if TYPE_CHECKING:
    from cascan.cost.prices import PriceList
    from cascan.cost.stack_shape import StackShape
    from cascan.model.finding import Finding
    from cascan.model.scan import Scan
    from cascan.permissions.permissions import Permissions
    from cascan.planning.rates import ScanDefaults
    from cascan_cli.stack.open import StackGateways

POLL_S = 2.0
PLANNED_WITHIN_S = 120.0
QUICK_PORTS = "-F"  # nmap's 100 most common
LONG_RATE = 35  # packets a second: 65,535 ports take 31 minutes
STOPPED_PORTS = 6_000  # at this rate, three minutes
LONG_MINUTES = 30
CLASS_C_ADDRESSES = 256
SINGLE = 2  # a network of so many addresses has none for the network and for broadcasts


class Request(NamedTuple):
    """A scan of this check."""

    name: str
    target: str
    parameters: tuple[str, ...]
    key: str  # makes it a scan of this run

    def to_json(self) -> str:
        return json.dumps(
            {
                "name": f"live-check-{self.name}",
                "targets": [self.target],
                "parameters": self.parameters,
                "idempotencyKey": self.key,
            }
        )

    @property
    def command(self) -> str:
        return " ".join(("nmap", *self.parameters, self.target))


@dataclass(frozen=True, slots=True)
class LiveScans:
    """The requests of a live check. None: that scan is left out."""

    syn: Request
    repeated: Request | None  # of a /24, to compare with the first
    stopped: Request | None  # its worker is stopped
    long: Request | None  # one shard of 30 minutes

    def list_all(self) -> Iterator[Request]:
        yield from (scan for scan in (self.syn, self.repeated, self.stopped, self.long) if scan is not None)


def build_requests(target: str, run_id: str, *, on_fargate: bool, quick: bool) -> LiveScans:
    """The scans of the target. `run_id` makes them scans of this run; `quick` leaves out those of one address."""
    parameters = ("-n", "-Pn", "-sS", "--max-retries", "1", QUICK_PORTS)
    single = find_single_target(target)
    slow = ("-n", "-Pn", "-sS", "--max-retries", "0", "--max-rate", str(LONG_RATE))

    def build(name: str, scanned: str, arguments: tuple[str, ...]) -> Request:
        return Request(name, scanned, arguments, f"live-check/{run_id}/{name}")

    runs_long = on_fargate and not quick
    return LiveScans(
        syn=build("syn", target, parameters),
        repeated=build("syn-again", target, parameters) if is_class_c(target) else None,
        stopped=build("stopped", single, (*slow, "-p", f"1-{STOPPED_PORTS}")) if runs_long else None,
        long=build("long", single, (*slow, "-p", "-")) if runs_long else None,
    )


def find_single_target(target: str) -> str:
    """One address of the target, or the target itself if it is no network."""
    try:
        network = ip_network(target, strict=False)
    except ValueError:
        return target
    return str(network[1] if network.num_addresses > SINGLE else network[0])


def is_class_c(target: str) -> bool:
    """Whether the target is a /24 of IPv4."""
    try:
        network = ip_network(target, strict=False)
    except ValueError:
        return False
    return network.version == IPV4 and network.num_addresses == CLASS_C_ADDRESSES


def estimate_live_cost(
    requests: LiveScans,
    permissions: Permissions,
    defaults: ScanDefaults,
    *,
    prices: PriceList,
    shape: StackShape,
) -> float:
    """The high end of what all scans cost, in US dollars.

    Raises: BadInput: the stack would refuse one of them, or it would not be a raw scan.
    """
    usd = 0.0
    for request in requests.list_all():
        try:
            planned = plan(read_request(request.to_json()).request, permissions, defaults)
        except RequestRefused as refused:
            raise BadInput(f"the stack would refuse this scan: {'; '.join(refused.reasons)}") from refused
        if planned.lane is not Lane.RAW:
            raise BadInput(f"the scan {request.name} would run in the {planned.lane} lane, not with raw sockets")
        usd += estimate_cost(planned, prices, shape).usd.high
    return usd


@dataclass(slots=True)
class LiveRun:
    """Sends scans, and waits for them until `deadline` (of `clock`, in seconds)."""

    stack: StackGateways
    deadline: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _open: list[str] = field(default_factory=list)

    def send(self, request: Request) -> str:
        """Ask for the scan; returns its id."""
        self.stack.request_queue.send(request.to_json())
        scan_id = derive_keyed_scan_id(self.stack.submitter, request.key)
        self._open.append(scan_id)
        return scan_id

    def wait_for_end(self, scan_id: str, look: Callable[[], None] = lambda: None) -> Scan:
        """The scan when it has ended. `look`: called between two looks at it.

        Raises: CliError: it was not planned, or has not ended in time.
        """
        sent_at = self.clock()
        with Progress() as progress:
            while True:
                scan = self.stack.table.get_scan(scan_id)
                if scan and scan.state in FINAL_STATES:
                    self._open.remove(scan_id)
                    return scan
                now = self.clock()
                if scan is None and now - sent_at > PLANNED_WITHIN_S:
                    raise CliError(f"the scan {scan_id} was not planned within {PLANNED_WITHIN_S:.0f} s")
                if now > self.deadline:
                    state = scan.state if scan else "queued"
                    raise CliError(f"the scan {scan_id} is still {state} at the end of the time for this check")
                look()
                progress.show(f"live check: scan {scan_id} is {scan.state if scan else 'queued'}")
                self.sleep(POLL_S)

    def cancel_open(self) -> None:
        """Cancel the scans that have not ended."""
        for scan_id in self._open:
            reason = "the live check has ended"
            request = ControlRequested(action=Action.CANCEL, scan_id=scan_id, by="cascan doctor --live", reason=reason)
            self.stack.control_queue.send(request.to_wire())
        self._open.clear()


@contextmanager
def cancel_at_end(run: LiveRun) -> Iterator[LiveRun]:
    """Cancel what is open when the block ends, also after Ctrl-C."""
    try:
        yield run
    finally:
        run.cancel_open()


def find_open_ports(findings: Iterator[Finding]) -> set[tuple[str, int]]:
    """Address and port of each open port."""
    return {
        (str(address), finding.attributes["port"])
        for finding in findings
        if finding.category == "Open Port" and finding.attributes.get("port")
        for address in finding.attributes.get("ip_addresses") or ()
    }
