"""Send a request, watch its scan to the end, print what came of it."""

from __future__ import annotations

import hashlib
import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from cascan.ids import ReportKey, scan_id_of
from cli.access import Access
from cli.errors import EXIT_FAILED, EXIT_REFUSED, CliError
from cli.show import Progress, print_json, say
from cli.table import print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cascan.gateways import ScanTable
    from cascan.model.finding import Finding
    from cascan.model.scan import Scan
    from cascan.model.shard import Shard

EXIT_DONE, EXIT_PARTIAL = 0, 1
POLL_S = (0.02,) * 25 + (0.1,) * 20 + (0.25,)  # from the first look on; the last one repeats
POLLS_A_BEAT = 20  # shards say how far they are every few seconds; asking is a query
MAX_SHARDS_ASKED = 200  # of a scan with more shards their number says enough
PLANNED_WITHIN_S = 60.0  # a message that nobody planned by then: the stack is not working
CHANGE_WORDS = {
    "PortOpened": "opened",
    "PortClosed": "closed",
    "ServiceChanged": "changed",
    "HostAppeared": "appeared",
    "HostGone": "gone",
}  # cascan.model.inventory.ChangeKind, which only who compares scans loads
FINDING_COLUMNS = ("SEVERITY", "CATEGORY", "LOCATION", "FINDING", "DETAIL")


def submit_and_follow(body: str, idempotency_key: str, stack: Access, args: Namespace) -> int:
    """The exit code. Raises: CliError: the scan did not end in time."""
    message_id = stack.requests.send(body)
    scan_ids = [scan_id_of(message_id)] + ([scan_id_of(idempotency_key)] if idempotency_key else [])
    if args.no_wait:
        _print_accepted(scan_ids[-1], stack, as_json=args.json)
        return EXIT_DONE
    scan = wait_for_end(scan_ids, hashlib.sha256(body.encode()).hexdigest(), stack, args.timeout)
    followed = wait_for_cascade(scan, stack, args.timeout)
    findings = list(stack.table.findings(scan.scan_id))
    if args.json:
        reports = report_uris(scan.scan_id, stack)
        print_json({"scan": scan_summary(scan), "findings": findings, "reports": reports})
    else:
        print_findings(findings)
        _print_end(scan, stack)
        if followed:
            say(f"{followed} scans followed it: cascan tree {scan.scan_id}")
    return exit_code_of(scan)


def wait_for_cascade(scan: Scan, stack: Access, timeout_s: float) -> int:
    """How many scans followed, where the stack would end with this command before they do; else 0, without a look.

    Raises: CliError: they do not end within `timeout_s`.
    """
    if stack.stays_up or scan.request is None or scan.request.cascades is None:
        return 0
    from cascan.model.scan import FINAL_STATES  # noqa: PLC0415

    started, looks, open_ids, followed = time.monotonic(), 0, {scan.scan_id}, 0
    with Progress() as progress:
        while open_ids:
            for scan_id in list(open_ids):
                found = stack.table.get_scan(scan_id)
                if found and found.state in FINAL_STATES:  # its children are requested before it is Done
                    children = {child.scan_id for child in stack.cascades.cascade_children(scan_id) if child.scan_id}
                    followed += len(children)
                    open_ids = open_ids - {scan_id} | children
            progress.show(f"{followed} scans followed, {len(open_ids)} are open")
            if open_ids and time.monotonic() - started > timeout_s:
                raise CliError(f"the cascade goes on after {timeout_s:g} s: cascan tree {scan.scan_id}")
            if open_ids:
                time.sleep(POLL_S[min(looks, len(POLL_S) - 1)])
                looks += 1
    return followed


def wait_for_end(scan_ids: list[str], digest: str, stack: Access, timeout_s: float) -> Scan:
    """The scan in a final state, or suspended; of several ids, the one that holds this request.

    Raises: CliError: it is not planned within PLANNED_WITHIN_S, or does not end within `timeout_s`.
    """
    from cascan.model.scan import FINAL_STATES, ScanState  # noqa: PLC0415 - the request is on its way by now

    table, started, looks, running = stack.table, time.monotonic(), 0, ""
    with Progress() as progress:
        while True:
            found = [scan for scan in map(table.get_scan, scan_ids) if scan and scan.request_digest == digest]
            if found and found[0].state in (*FINAL_STATES, ScanState.SUSPENDED):
                return found[0]
            waited_s = time.monotonic() - started
            if not found and waited_s > PLANNED_WITHIN_S:
                raise CliError(
                    "the request was not planned: see the log of on_scan_requested, and its dead-letter queue"
                )
            if waited_s > timeout_s:
                raise CliError(
                    f"the scan goes on after {timeout_s:g} s; look again with: cascan findings {scan_ids[-1]}"
                )
            if looks >= len(POLL_S) and looks % POLLS_A_BEAT == 0 and found:
                running = _running(table, found[0])
            progress.show(progress_of(found[0], running) if found else "queued")
            time.sleep(POLL_S[min(looks, len(POLL_S) - 1)])
            looks += 1


def exit_code_of(scan: Scan) -> int:
    """0 done, 1 a part of the answer is missing or nothing answered, 2 refused, 3 failed."""
    from cascan.model.scan import Outcome, ScanState  # noqa: PLC0415

    if scan.state is ScanState.ERRORED:
        return EXIT_FAILED if scan.shards else EXIT_REFUSED
    whole = scan.state is ScanState.DONE and scan.outcome is Outcome.COMPLETE
    return EXIT_DONE if whole or scan.state is ScanState.SUSPENDED else EXIT_PARTIAL


def print_findings(findings: Iterable[Finding]) -> None:
    from cascan.severity import counted_as  # noqa: PLC0415

    rows = sorted(findings, key=lambda f: (f.attributes.get("ip_addresses", ""), f.attributes.get("port") or 0, f.name))
    cells = ((counted_as(f), f.category, f.location, f.name, _detail(f)) for f in rows)
    print_table(FINDING_COLUMNS, cells, drop=("CATEGORY", "DETAIL"))


def scan_summary(scan: Scan) -> dict[str, Any]:
    """The scan as JSON: secureCodeBox's status words, in camelCase as they are there."""
    return {
        "id": scan.scan_id,
        "name": scan.name,
        "state": scan.state,
        "outcome": scan.outcome,
        "errorDescription": scan.error_description,
        "requestedAt": scan.requested_at,
        "finishedAt": scan.finished_at,
        "labels": scan.labels,
        "addresses": scan.addresses,
        "hostsUp": scan.hosts_up,
        "changes": scan.changes,
        "shards": scan.shards,
        "shardsOpen": scan.shards_open,
        "shardsWaiting": scan.shards_waiting,
        "shardOutcomes": scan.shard_outcomes,
        "findings": {
            "count": scan.findings.count,
            "severities": scan.findings.severities,
            "categories": scan.findings.categories,
        },
        "notes": scan.notes,
        "refusals": scan.refusals,
    }


def changes_in_words(changes: Mapping[str, int]) -> str:
    """`2 opened 1 closed`: what changed since earlier scans; empty: nothing did. An unknown kind is told as it is."""
    counts = {kind: changes[kind] for kind in (*CHANGE_WORDS, *sorted(changes)) if changes.get(kind)}
    return " ".join(f"{count} {CHANGE_WORDS.get(kind, kind)}" for kind, count in counts.items())


def report_uris(scan_id: str, stack: Access) -> list[str]:
    """Where the reports of the scan's shards lie: of each, the attempt that counted."""
    shards = (shard for shard in stack.table.shards(scan_id) if shard.run)
    return [stack.uri(str(ReportKey(scan_id, shard.number, shard.attempt))) for shard in shards]


def _print_accepted(scan_id: str, stack: Access, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": scan_id})
    else:
        print(scan_id)
    if not stack.stays_up:
        say("queued; it runs when the local stack is next up (cascan local up)")


def _print_end(scan: Scan, stack: Access) -> None:
    counts = f"{scan.findings.count} findings, {scan.hosts_up} of {scan.addresses} addresses up"
    if scan.outcome and scan.shards:
        say(f"scan {scan.scan_id} ({scan.name}): {scan.state}, {scan.outcome}; {counts}")
        if scan.changes:
            say(f"{sum(scan.changes.values())} changes since earlier scans (cascan diff {scan.scan_id})")
    elif scan.shards:
        say(f"scan {scan.scan_id} ({scan.name}): {scan.state}; nothing was scanned yet")
    if scan.error_description:
        say(f"scan {scan.scan_id} {'failed' if scan.shards else 'refused'}: {scan.error_description}")
    for note in scan.notes:
        say(f"note: {note}")
    for uri in report_uris(scan.scan_id, stack) if scan.shards else ():
        say(f"raw XML: {uri} (cascan report {scan.scan_id} --xml)")


def progress_of(scan: Scan, running: str = "") -> str:
    """One line; `running` is what those shards say that run now."""
    done = scan.shards - scan.shards_open
    line = f"{scan.name}: {scan.state}, {done} of {scan.shards} shards, {scan.findings.count} findings"
    return f"{line}; {running}" if running else line


def said_by(shards: Iterable[Shard]) -> str:
    """What running nmaps say of themselves: the task of one, with its percent; of several, how far they are."""
    told = [shard.progress for shard in shards if shard.progress]
    if not told:
        return ""
    percents = [one.percent for one in told]
    span = f"{min(percents)} to {max(percents)} %" if len(set(percents)) > 1 else f"{percents[0]} %"
    tasks = {one.task for one in told}
    what = tasks.pop() if len(tasks) == 1 else f"{len(told)} shards run"
    return f"{what} {span}, {sum(one.hosts_done for one in told)} hosts done"


def _running(table: ScanTable, scan: Scan) -> str:
    from cascan.model.shard import ShardState  # noqa: PLC0415

    if scan.shards > MAX_SHARDS_ASKED or not scan.shards_in_flight:
        return ""
    return said_by(table.shards_in(scan.scan_id, ShardState.RUNNING))


def _detail(finding: Finding) -> str:
    of = finding.attributes
    parts = (of.get("serviceProduct"), of.get("serviceVersion"))
    return " ".join(str(part) for part in parts if part)
