"""New results of Vuls → scan requests; the end of the last of their scans → the answer.

Each step may be repeated. Requests carry idempotency keys that a repeated event derives again. Of two
files that were put under one name, the later one is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from cascan.clock import Clock, to_wire
from cascan.errors import RequestRefused
from cascan.events import ScanCancelled, ScanCompleted, ScanFailed
from cascan.events.envelopes import VulsResultsStored
from cascan.findings.to_json import scan_fields, to_json
from cascan.forms.vuls import read_vuls
from cascan.gateways import ReportStore, RequestQueue, Scans, Shards
from cascan.ids import derive_vuls_id, digest_body
from cascan.limits import MAX_REQUEST_BYTES, MAX_VULS_RESULTS_BYTES
from cascan.model.refusal import Rule
from cascan.model.scan import Scan
from cascan.scans.port_states import explain_end, read_port_states
from cascan.vuls.destinations import find_places
from cascan.vuls.plan import ServerPlan, find_section, plan_server
from cascan.vuls.reachability import PortStates, judge_listeners
from cascan.vuls.results import VulsResults
from cascan.vuls.summary import build_findings, enrich, summarize, to_document
from on_vuls_results_stored.vuls_records import RESULTS, SUFFIX, Asked, AskedRequest, VulsRecords

PREFIX = "vuls/"
RESULTS_LABEL = "cascan/vuls-results"  # on each scan for results that were put into the bucket: their id


class EndedScans(Scans, Shards, Protocol):
    """What is read of the table: the scans, and the shards that their reports are of."""


@dataclass(frozen=True)
class VulsContext:
    records: VulsRecords
    requests: RequestQueue
    table: EndedScans
    reports: ReportStore
    find_refusal: Callable[[str], str | None]  # why an address may not be scanned
    clock: Clock

    def request_scans(self, stored: VulsResultsStored) -> str:
        """Ask for the scans of new results. Returns how far they are: ignored, refused, scanning, done."""
        path = stored.key.removeprefix(PREFIX + RESULTS)
        if path == stored.key or not path.endswith(SUFFIX):
            return "ignored"
        vuls_id = derive_vuls_id(stored.event_id, stored.key)
        if self.records.summary(path).get("id") == vuls_id and self.records.summary(path)["state"] != "scanning":
            return "ignored"  # a repeated event
        try:
            data, plan = self._plan(path, stored.size)
        except RequestRefused as refused:
            self._store_summary(path, vuls_id, "refused", reasons=list(refused.reasons))
            return "refused"
        bodies = list(_write_bodies(plan, vuls_id))
        requests = zip(plan.requests, bodies, strict=True)
        asked = Asked(
            path,
            plan.is_local,
            dict(plan.refused),
            tuple(
                AskedRequest(digest_body(body), {address: sorted(ports) for address, ports in ports_by_address.items()})
                for (_, ports_by_address), body in requests
            ),
        )
        self.records.store_asked(vuls_id, asked, data)
        self._store_summary(path, vuls_id, "scanning", requests=len(bodies))
        for body in bodies:
            self.requests.send(body)
        return "scanning" if bodies else self._answer(vuls_id, asked, [])

    def note_end(self, ended: ScanCompleted | ScanFailed | ScanCancelled) -> str:
        """Answer the results that the scan was asked for, if it is the last of their scans.

        Returns how far they are. Anybody may set the label, so the scan has to be of a request that
        was sent for these results.
        """
        vuls_id = ended.labels.get(RESULTS_LABEL, "")
        asked = self.records.asked(vuls_id) if vuls_id.isalnum() else None
        scan = self.table.get_scan(ended.scan_id)
        if asked is None or scan is None:
            return "ignored"
        numbers = [n for n, request in enumerate(asked.requests) if request.digest == scan.request_digest]
        for number in numbers:
            self.records.store_end(vuls_id, number, scan.scan_id)
        scan_ids = self.records.ended(vuls_id, len(asked.requests))
        if not numbers or scan_ids is None:
            return "scanning" if numbers else "ignored"
        return self._answer(vuls_id, asked, scan_ids)

    def _plan(self, path: str, size: int) -> tuple[bytes, ServerPlan]:
        """Raises: RequestRefused: the results or the configuration cannot be used, with all reasons."""
        if size > MAX_VULS_RESULTS_BYTES:
            raise RequestRefused([f"{size} bytes are more than {MAX_VULS_RESULTS_BYTES}"], Rule.LIMIT)
        data = self.records.results(path)
        if data is None:
            raise RequestRefused(["the results were deleted before they were read"])
        results = VulsResults(data)
        config = self.records.config(path)
        if config is None:
            fix = "put it into the folder of the results or one above, then put the results again"
            raise RequestRefused([f"there is no config.toml: {fix}"])
        if len(config) > MAX_REQUEST_BYTES:
            raise RequestRefused([f"config.toml: {len(config)} bytes are more than {MAX_REQUEST_BYTES}"], Rule.LIMIT)
        settings = read_vuls(config.decode(errors="replace"))
        section = find_section(results, settings)
        if not section:
            problem = f"{results.server} is not among the servers of config.toml whose ports are scanned"
            raise RequestRefused([problem, *settings.notes])
        return data, plan_server(results, section, settings, self.find_refusal)

    def _answer(self, vuls_id: str, asked: Asked, scan_ids: list[str]) -> str:
        if self.records.summary(asked.path).get("id") != vuls_id:
            return "superseded"  # by results that were put under the same name since
        results = VulsResults(self.records.asked_results(vuls_id))
        scans = [self.table.get_scan(scan_id) for scan_id in scan_ids]
        answers = [self._read_states(scan, request) for scan, request in zip(scans, asked.requests, strict=True)]
        states = ServerPlan(asked.is_local, (), asked.refused).states(*answers)
        listeners = judge_listeners(results, find_places(results, is_local=asked.is_local), states)
        summary = summarize(results, listeners)
        present = [scan for scan in scans if scan]
        findings = [
            to_json(finding, scan_fields(present[0]))
            for finding in build_findings(summary, [scan.scan_id for scan in present], self.clock())
        ]
        self.records.store_answer(asked.path, enrich(results, listeners, summary.warnings))
        self._store_summary(asked.path, vuls_id, "done", scans=scan_ids, **to_document(summary, findings))
        return "done"

    def _read_states(self, scan: Scan | None, request: AskedRequest) -> PortStates:
        destinations = {address: frozenset(ports) for address, ports in request.destinations.items()}
        problem = explain_end(scan)
        if problem or scan is None:
            return PortStates(problems=dict.fromkeys(destinations, problem))
        return PortStates(*read_port_states(scan.scan_id, destinations, table=self.table, reports=self.reports))

    def _store_summary(self, path: str, vuls_id: str, state: str, **fields: Any) -> None:
        self.records.store_summary(path, {"id": vuls_id, "state": state, "at": to_wire(self.clock()), **fields})


def _write_bodies(plan: ServerPlan, vuls_id: str) -> Iterator[str]:
    for number, request in enumerate(plan.requests):
        labels = {**request.document["labels"], RESULTS_LABEL: vuls_id}
        key = f"vuls-results/{vuls_id}/{number}"
        yield msgspec.json.encode({**request.document, "labels": labels, "idempotencyKey": key}).decode()
