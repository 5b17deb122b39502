"""`cascan vuls scan`: ask the ports that Vuls' results name; write copies that say which are open."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cascan.clock import utc_now
from cascan.errors import RequestRefused
from cascan.findings.to_json import scan_fields, to_json
from cascan.forms.vuls import VulsRequests, read_vuls
from cascan.ids import digest_body
from cascan.model.scan import Scan
from cascan.scans.port_states import explain_end, read_port_states, was_refused
from cascan.vuls.destinations import find_places
from cascan.vuls.plan import FindRefusal, ServerPlan, find_section, plan_server
from cascan.vuls.reachability import PortStates, judge_listeners
from cascan.vuls.requests import ServerRequest
from cascan.vuls.results import VulsResults
from cascan.vuls.summary import ServerSummary, build_findings, enrich, summarize, to_document
from cascan_cli.errors import EXIT_REFUSED, BadInput, NotEnded
from cascan_cli.input.raw_sockets import require_raw_sockets
from cascan_cli.input.request_files import read_request_file
from cascan_cli.input.vuls_results import DEFAULT_FOLDER, ResultsFile, find_results, write_copy
from cascan_cli.output.scan import EXIT_DONE, EXIT_PARTIAL
from cascan_cli.output.text import pluralize, print_json, print_message
from cascan_cli.output.vuls import print_summaries
from cascan_cli.stack.follow import find_by_digest, wait_for_end, watch_stack
from cascan_cli.stack.health import StackWatch
from cascan_cli.stack.interruption import report_interruption
from cascan_cli.stack.open import StackGateways, open_stack
from cascan_cli.stack.permissions import read_permissions
from cascan_cli.stack.scan_ids import expected_scan_id, possible_scan_ids

NO_PLAN = ServerPlan(is_local=False, requests=(), refused={})


@dataclass(frozen=True)
class Server:
    """One results JSON, and what is asked of its server."""

    file: ResultsFile
    data: bytes
    results: VulsResults
    plan: ServerPlan = NO_PLAN
    problem: str = ""  # why the server is not asked at all


@dataclass
class Sent:
    """A request that was sent, and its scan once it has ended."""

    request: ServerRequest
    body: str
    scan_ids: list[str]
    expected_id: str
    scan: Scan | None = None
    problem: str = ""  # why nothing is known of its ports


@dataclass(frozen=True)
class Answered:
    """What is said of a server."""

    server: Server
    summary: ServerSummary
    findings: list[dict[str, Any]]
    copy: bytes
    scans: list[Scan]


def run(args: Namespace) -> int:
    settings = _read_settings(args.config, args.server)
    find_refusal = read_permissions(args).scope.find_address_refusal
    servers, missing = _read_servers(find_results(args.results), settings, args.server, find_refusal)
    requests = [request for server in servers for request in server.plan.requests]
    for request in requests:
        require_raw_sockets(json.dumps(request.document), args)
    if requests:
        with open_stack(args) as stack:
            sent = _scan(servers, stack, args)
            answered = [_judge(server, sent[server.file], stack) for server in servers]
    else:
        answered = [_judge(server, [], None) for server in servers]
    folder: Path = args.out or DEFAULT_FOLDER
    for answer in answered:
        write_copy(answer.copy, answer.server.file.path, answer.server.file.copy_path(folder))
    is_complete = not missing and all(answer.summary.is_complete for answer in answered)
    if args.json:
        print_json({"complete": is_complete, "servers": [_to_document(answer, folder) for answer in answered]})
    else:
        _print(answered, folder)
    scans = [scan for answer in answered for scan in answer.scans]
    if scans and all(map(was_refused, scans)):
        return EXIT_REFUSED
    return EXIT_DONE if is_complete else EXIT_PARTIAL


def _read_settings(name: str, servers: Sequence[str]) -> VulsRequests:
    """Raises: BadInput: the configuration cannot be read, or has problems; all of them are printed."""
    sections = list(dict.fromkeys(server.rpartition("@")[2] for server in servers))
    try:
        settings = read_vuls(read_request_file(name), sections)
    except RequestRefused as refused:
        for reason in refused.reasons:
            print_message(reason)
        raise BadInput(f"{name} is refused; nothing was sent") from refused
    for note in settings.notes:
        print_message(f"note: {note}")
    return settings


def _read_servers(
    files: Sequence[ResultsFile], settings: VulsRequests, names: Sequence[str], find_refusal: FindRefusal
) -> tuple[list[Server], list[str]]:
    """The servers, and a sentence for each that is missing, which is printed.

    Raises: BadInput: there is no server at all.
    """
    servers, missing, sections = list[Server](), list[str](), set[str]()
    for file in files:
        data = file.read()
        try:
            results = VulsResults(data)
        except RequestRefused as refused:
            missing.append(f"{file.path}: {refused}")
            continue
        section = find_section(results, settings)
        if not names or {results.server, results.label, section}.intersection(names):
            sections |= {results.label, section}
            servers.append(_plan(Server(file, data, results), section, settings, find_refusal))
    missing += (
        f"{name}: there are no results of this server" for name in names or settings.documents if name not in sections
    )
    if not servers:
        raise BadInput("\n".join(["there is nothing to ask", *missing]))
    for problem in missing:
        print_message(problem)
    return servers, missing


def _plan(server: Server, section: str, settings: VulsRequests, find_refusal: FindRefusal) -> Server:
    results = server.results
    if section:
        plan = plan_server(results, section, settings, find_refusal)
        return Server(server.file, server.data, results, plan)
    problem = f"{results.server} is not among the servers of the configuration whose ports are scanned"
    return Server(server.file, server.data, results, problem=f"{problem}: it was not asked")


def _scan(servers: Iterable[Server], stack: StackGateways, args: Namespace) -> dict[ResultsFile, list[Sent]]:
    """Send the requests of all servers, then wait for each scan."""
    sent = {server.file: [_send(request, stack) for request in server.plan.requests] for server in servers}
    open_requests = [entry for entries in sent.values() for entry in entries]
    open_ids = [entry.expected_id for entry in open_requests]
    watch = watch_stack(stack, args)
    deadline = time.monotonic() + args.timeout
    with report_interruption(open_ids, stack, args):
        for entry in open_requests:
            _wait(entry, stack, max(0.0, deadline - time.monotonic()), watch)
            open_ids.remove(entry.expected_id)
    return sent


def _send(request: ServerRequest, stack: StackGateways) -> Sent:
    body = json.dumps(request.document)
    message_id = stack.request_queue.send(body)
    scan_ids = possible_scan_ids(body, message_id, stack)
    return Sent(request, body, scan_ids, expected_scan_id(body, message_id, stack))


def _wait(entry: Sent, stack: StackGateways, timeout_s: float, watch: StackWatch) -> None:
    digest = digest_body(entry.body)

    def read_scan() -> Scan | None:
        return find_by_digest(entry.scan_ids, digest, stack.table)

    try:
        entry.scan = wait_for_end(read_scan, stack.table, timeout_s, watch)
    except NotEnded as exc:  # of other servers more is known
        entry.problem = f"scan {entry.expected_id}: {exc}"
    else:
        entry.problem = explain_end(entry.scan)


def _judge(server: Server, sent: Sequence[Sent], stack: StackGateways | None) -> Answered:
    """`stack`: None if nothing was sent."""
    results = server.results
    places = find_places(results, is_local=server.plan.is_local)
    states = server.plan.states(*(_read_states(entry, stack) for entry in sent if stack))
    listeners = judge_listeners(results, places, states)
    summary = summarize(results, listeners, problems=[server.problem] if server.problem else ())
    scans = [entry.scan for entry in sent if entry.scan]
    findings = build_findings(summary, [scan.scan_id for scan in scans], utc_now())
    documents = [to_json(finding, scan_fields(scans[0])) for finding in findings]
    return Answered(server, summary, documents, enrich(results, listeners, summary.warnings), scans)


def _read_states(entry: Sent, stack: StackGateways) -> PortStates:
    destinations = entry.request.destinations
    if entry.problem or entry.scan is None:
        return PortStates(problems=dict.fromkeys(destinations, entry.problem))
    states, problems = read_port_states(entry.scan.scan_id, destinations, table=stack.table, reports=stack.reports)
    return PortStates(states, problems)


def _to_document(answer: Answered, folder: Path) -> dict[str, Any]:
    return {
        **to_document(answer.summary, answer.findings),
        "results": str(answer.server.file.path),
        "copy": str(answer.server.file.copy_path(folder)),
        "scans": [scan.scan_id for scan in answer.scans],
    }


def _print(answered: Sequence[Answered], folder: Path) -> None:
    summaries = [answer.summary for answer in answered]
    print_summaries(summaries)
    count = sum(len(summary.cves) for summary in summaries)
    copies = pluralize(len(answered), "copy", "copies")
    print_message(f"{pluralize(count, 'CVE')} whose process answers; {copies} of the results in {folder}")
