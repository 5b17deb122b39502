"""`cascan check`: explain a request without scanning: is it accepted, and how would it run?"""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from cascan.cascades.rule import KIND as RULE_KIND
from cascan.cascades.rule import read_rule
from cascan.clock import to_wire, utc_now
from cascan.cost.budget import require_budget
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.documents import read_documents
from cascan.model.policy_profile import PolicyProfile
from cascan.model.request import ScanRequest
from cascan.model.shard import Lane
from cascan.nmap.scripts import ScriptVerdict, Verdict
from cascan.planning.explain import Explanation, TargetVerdict, explain
from cascan.planning.plan import Plan
from cascan.schedules.due import build_run_request
from cascan.schedules.form import KIND as SCHEDULE_KIND
from cascan.schedules.form import read_schedule
from cascan.timing.windows import Window, find_opening
from cascan_cli.commands.scan import build_request
from cascan_cli.errors import EXIT_REFUSED, BadInput
from cascan_cli.input.raw_sockets import explain_missing_raw_sockets
from cascan_cli.input.request_files import read_request_file, read_vuls_requests, split_requests
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json, print_message, printable
from cascan_cli.stack.permissions import read_cost_limit, read_permissions, read_scan_defaults

MAX_HARMLESS_SHOWN = 8  # scripts of one verdict that get a row each
HARMLESS = {
    Verdict.ALLOWED: "each sends its requests only to the target",
    Verdict.WITH_VERSIONS: "nmap adds them to version detection",
}


def run(args: Namespace) -> int:
    """Exit code 0: the request would be accepted. 2: it would be refused."""
    if args.vuls and not (args.file or args.nmap_arguments or args.targets_file):
        return _run_vuls(args)
    if args.vuls or bool(args.file) == bool(args.targets or args.targets_file or args.nmap_arguments):
        raise BadInput("name either targets or a file (-f FILE, --vuls FILE)")
    if not args.file:
        return _report(explain_request(json.dumps(build_request(args)), args), args)
    bodies = split_requests(args.file, read_request_file(args.file))
    if len(bodies) == 1:
        return _report(explain_manifest(bodies[0], args), args)
    numbered = enumerate(bodies, start=1)
    explained = {f"document {number}": explain_manifest(body, args) for number, body in numbered}
    return _report_all(explained, "documents", args)


def _report(explained: Explanation, args: Namespace) -> int:
    if args.json:
        print_json(explained)
    else:
        _print(explained, verbose=args.verbose)
    return 0 if explained.accepted else EXIT_REFUSED


def _run_vuls(args: Namespace) -> int:
    try:
        bodies = read_vuls_requests(args.vuls, args.targets)
    except RequestRefused as refused:
        return _report(Explanation(accepted=False, refusals=refused.refusals), args)
    servers = {server: explain_request(body, args) for server, body in bodies.items()}
    if args.json:
        return _report_all(servers, "servers", args)
    return _report_all({f"server {server}": explained for server, explained in servers.items()}, "servers", args)


def _report_all(explanations: dict[str, Explanation], name: str, args: Namespace) -> int:
    """Print each under its heading; or as JSON, with totals and all explanations under `name`."""
    accepted = all(explained.accepted for explained in explanations.values())
    if args.json:
        print_json(
            {
                "accepted": accepted,
                "addresses": sum(explained.addresses or 0 for explained in explanations.values()),
                "shards": sum(explained.shards for explained in explanations.values()),
                "refusals": [refusal for explained in explanations.values() for refusal in explained.refusals],
                name: explanations,
            }
        )
    else:
        for heading, explained in explanations.items():
            print(printable(heading))
            _print(explained, verbose=args.verbose)
    return 0 if accepted else EXIT_REFUSED


def explain_manifest(body: str, args: Namespace) -> Explanation:
    """Explain any manifest that `cascan apply` takes: a scan, a schedule by its scans, or a rule."""
    try:
        (document,) = read_documents(body)
    except (RequestRefused, ValueError):
        return explain_request(body, args)
    try:
        if document.get("kind") == RULE_KIND:
            rule = read_rule(document)
            note = f"cascan apply would store the rule {rule.name}; cascan rules test shows what it starts"
            return Explanation(accepted=True, notes=(*rule.notes, note))
        if document.get("kind") == SCHEDULE_KIND:
            schedule = read_schedule(document)
            explained = explain_request(json.dumps(build_run_request(schedule, utc_now())), args, is_issued=True)
            note = f"this is a scan of the schedule {schedule.name}; cascan apply stores the schedule"
            notes = dict.fromkeys((*schedule.notes, *explained.notes))
            return replace(explained, notes=(*notes, note))
    except RequestRefused as refused:
        return Explanation(accepted=False, refusals=refused.refusals)
    return explain_request(body, args)


def explain_request(body: str, args: Namespace, *, is_issued: bool = False) -> Explanation:
    try:
        read = read_request(body, is_issued=is_issued)
    except RequestRefused as refused:
        return Explanation(accepted=False, refusals=refused.refusals)
    limit = read_cost_limit(args)

    def check_budget(request: ScanRequest, planned: Plan) -> None:
        require_budget(request, [planned], limit)

    explained = explain(read.request, read_permissions(args), read_scan_defaults(args), check_budget)
    notes = [*read.notes, *explained.notes, describe_windows(read.request.windows)]
    if explained.lane == Lane.RAW:
        notes.append(explain_missing_raw_sockets(args))
    return replace(explained, notes=tuple(filter(None, notes)))


def describe_windows(windows: Sequence[str]) -> str:
    """When a scan with these windows may run; empty: at any time."""
    opening = find_opening([Window.parse(text) for text in windows], utc_now())
    if opening is None:  # there are no windows
        return ""
    if opening.is_open:
        return f"one of its windows is open until {to_wire(opening.until)}"
    return f"its windows are closed: the scan would wait until {to_wire(opening.until)}"


def _print(explained: Explanation, *, verbose: bool) -> None:
    print_table(
        ("OPTION", "DECISION", "REASON"),
        ((f"option {option.written}", option.decision, option.reason) for option in explained.options),
    )
    rows = map(_script_row, explained.scripts) if verbose else _grouped_script_rows(explained.scripts)
    print_table(("SCRIPT", "VERDICT", "REASON"), rows)
    print_table(
        ("TARGET", "VERDICT", "REASON"),
        ((f"target {target.target}", *_verdict(target)) for target in explained.targets),
    )
    print_table(
        ("PORTS", "ADDRESSES", "SHARDS"),
        ((f"ports {ports.ports or 'of the options'}", ports.addresses, ports.shards) for ports in explained.port_sets),
    )
    for note in explained.notes:
        print_message(f"note: {note}")
    for refusal in explained.refusals:
        print_message(f"refused ({refusal.rule}): {refusal.reason}")
    if explained.accepted and not explained.argv:
        print("accepted")
    elif explained.accepted:
        addresses = pluralize(explained.addresses or 0, "address", "addresses")
        print(f"accepted: {addresses}, {pluralize(explained.shards, 'shard')}, {explained.lane} lane")
        print(printable(shlex.join(explained.argv)))


def _verdict(target: TargetVerdict) -> tuple[str, str]:
    if target.refusal:
        return "outside", target.refusal
    return ("by name", target.note) if target.note else ("inside", "in the scope")


def _script_row(script: ScriptVerdict) -> tuple[str, str, str]:
    reason = "it sends its requests only to the target"
    if script.reason:
        reason = f"policy profile {script.profile} allows it: it {script.reason}"
    return f"script {script.script}", script.verdict, reason


def _grouped_script_rows(scripts: Sequence[ScriptVerdict]) -> Iterator[tuple[str, str, str]]:
    """A row for each script, but one row in all for many harmless scripts with the same verdict."""
    kinds = Counter(script.verdict for script in scripts if _is_harmless(script))
    grouped = {verdict for verdict, count in kinds.items() if count > MAX_HARMLESS_SHOWN}
    for script in scripts:
        if not (_is_harmless(script) and script.verdict in grouped):
            yield _script_row(script)
    for verdict in sorted(grouped):
        yield f"{kinds[verdict]} scripts", verdict, f"{HARMLESS[verdict]}; --verbose lists each"


def _is_harmless(script: ScriptVerdict) -> bool:
    return script.verdict in HARMLESS and script.profile is PolicyProfile.SAFE and not script.reason
