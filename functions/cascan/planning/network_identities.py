"""Networks whose hosts are known by what the reports of a scan will lack."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from ipaddress import ip_network

from cascan.model.identity import IdentityKind, NetworkIdentity
from cascan.model.request import ScanType
from cascan.nmap.intervals import Interval, merge_intervals
from cascan.nmap.targets.kinds import Name
from cascan.nmap.targets.syntax import parse_target
from cascan.planning.plan import Plan

LACKING = {
    IdentityKind.MAC: "MAC address (cascan network), which a scan without raw sockets does not see",
    IdentityKind.NAME: "name (cascan network), which a scan with -n does not look up",
}


def describe_lacking_identities(networks: Iterable[NetworkIdentity], planned: Plan) -> tuple[str, ...]:
    """A note for each kind of identity that networks of the targets ask for and the reports will lack.

    Targets that are names are left out: they are not resolved yet, and bring a name along.
    """
    lacking = set(_list_lacking(planned))
    asked = [rule for rule in networks if rule.identity in lacking]
    if not asked:
        return ()
    scanned = _list_scanned(planned)
    notes = []
    for kind, reason in LACKING.items():
        hit = [rule.network for rule in asked if rule.identity is kind and _overlaps(rule.network, planned, scanned)]
        if hit:
            more = f" and {len(hit) - 1} more networks" if len(hit) > 1 else ""
            notes.append(
                f"identity: hosts of {hit[0]}{more} are known by their {reason}: they are compared by their addresses"
            )
    return tuple(notes)


def _list_lacking(planned: Plan) -> Iterable[IdentityKind]:
    if planned.scan_type is not ScanType.NMAP_PRIVILEGED:
        yield IdentityKind.MAC
    if "-n" in planned.arguments:
        yield IdentityKind.NAME


def _list_scanned(planned: Plan) -> tuple[Interval, ...]:
    """From the lowest to the highest address of each target, in order; some between may be left out."""
    expressions = {target_slice.expression for shard in planned.slices for target_slice in shard}
    targets = (parse_target(expression, planned.family) for expression in expressions)
    return merge_intervals(target.bounds for target in targets if not isinstance(target, Name))


def _overlaps(network: str, planned: Plan, scanned: tuple[Interval, ...]) -> bool:
    parsed = ip_network(network)
    if parsed.version != planned.family:
        return False
    place = bisect_left(scanned, int(parsed[0]), key=lambda interval: interval[1])
    return place < len(scanned) and scanned[place][0] <= int(parsed[-1])
