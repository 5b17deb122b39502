"""`cascan watch`: show the progress of a scan, or of all that run, until they end or Ctrl-C."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.limits import MAX_SCANS_LOOKED_FOR, MAX_SCANS_WATCHED, PROGRESS_LINE_EVERY_S
from cascan.model.scan import FINAL_STATES, Scan, ScanState
from cascan_cli.output.scan import EXIT_DONE, print_outcome, scan_exit_code, scan_summary
from cascan_cli.output.text import Progress, pluralize, print_json, print_message
from cascan_cli.stack.await_scan import await_scan
from cascan_cli.stack.follow import watch_stack
from cascan_cli.stack.interruption import report_interruption
from cascan_cli.stack.open import open_stack
from cascan_cli.stack.scan_display import ScanDisplay

if TYPE_CHECKING:
    from cascan_cli.stack.health import StackWatch
    from cascan_cli.stack.open import StackGateways

POLL_S = 0.5
LIST_EVERY_S = 5.0  # to find scans that began meanwhile


def run(args: Namespace) -> int:
    """Returns the exit code of the scan that was named; without a name 0."""
    open_ids: list[str] = []
    with open_stack(args) as stack, report_interruption(open_ids, stack, args):
        named = await_scan(stack, args.scan) if args.scan else None
        ended = _Watch(stack, watch_stack(stack, args), open_ids).follow(named)
        if args.json:
            print_json([scan_summary(scan) for scan in ended])
        elif not ended:
            print_message("no scan is running; the last ones: cascan scans")
        else:
            for scan in ended:
                print_outcome(scan, stack)
    return scan_exit_code(ended[0]) if named else EXIT_DONE


class _Watch:
    """Follows scans to their ends."""

    def __init__(self, stack: StackGateways, health: StackWatch, open_ids: list[str]) -> None:
        """`open_ids` is kept up to date with the scans that have not ended."""
        self._stack, self._health = stack, health
        self._open_ids = open_ids
        self._displays: dict[str, ScanDisplay] = {}
        self._listed_at = -LIST_EVERY_S

    def follow(self, named: Scan | None) -> list[Scan]:
        """The scan, or every scan that runs meanwhile; as they ended, in this order."""
        ended: list[Scan] = []
        self._open_ids[:] = [named.scan_id] if named else []
        with Progress(PROGRESS_LINE_EVERY_S) as progress:
            while True:
                if named is None:
                    self._find_running()
                running = self._divide(named, ended)
                if not self._open_ids:
                    return ended
                self._health.look()
                if progress.is_due:  # or else nothing needs to be read
                    progress.show(self._describe(running, progress))
                time.sleep(POLL_S)

    def _divide(self, named: Scan | None, ended: list[Scan]) -> list[Scan]:
        """The scans that still run. The others are added to `ended`; one that was removed, as it was known last."""
        running = []
        for scan_id in list(self._open_ids):
            scan = self._stack.table.get_scan(scan_id)
            if scan and not _has_stopped(scan):
                running.append(scan)
                continue
            self._open_ids.remove(scan_id)
            if result := scan or named:
                ended.append(result)
        return running

    def _find_running(self) -> None:
        now = time.monotonic()
        if now - self._listed_at < LIST_EVERY_S:
            return
        self._listed_at = now
        for scan in self._stack.table.list_scans(MAX_SCANS_LOOKED_FOR):
            is_followed = scan.scan_id in self._open_ids or bool(scan.member_of)
            if not _has_stopped(scan) and not is_followed and len(self._open_ids) < MAX_SCANS_WATCHED:
                self._open_ids.append(scan.scan_id)

    def _describe(self, running: list[Scan], progress: Progress) -> str:
        lines = []
        for scan in running:
            display = self._displays.setdefault(scan.scan_id, ScanDisplay(self._stack.table, progress, shows_last=True))
            lines.append(display.describe(scan, is_halted=self._health.halted))
        if len(lines) == 1:
            return lines[0]
        return f"{pluralize(len(lines), 'scan')} run: {' | '.join(lines)}"


def _has_stopped(scan: Scan) -> bool:
    return scan.state in (*FINAL_STATES, ScanState.SUSPENDED)
