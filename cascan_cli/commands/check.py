"""`cascan check`: explain a request without scanning: is it accepted, and how would it run?"""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.nmap.scripts import ScriptVerdict, Verdict
from cascan.planning.explain import Explanation, TargetVerdict
from cascan_cli.commands.scan import build_request
from cascan_cli.errors import EXIT_REFUSED, BadInput
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json, print_message, printable
from cascan_cli.stack.explain_request import explain_request

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
    # Here, because a request from options needs neither
    from cascan_cli.input.request_files import read_request_file, split_requests
    from cascan_cli.stack.explain_manifest import explain_manifest

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
    from cascan_cli.input.request_files import read_vuls_requests

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
