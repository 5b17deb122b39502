"""The live view: scans that run, findings as they come, exposures, queues."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App
from textual.widgets import Footer, Label, Static

from cascan.errors import GatewayUnavailable, UnreadableItem
from cascan_cli.errors import CliError
from cascan_cli.output.text import printable
from cascan_cli.top.live_list import LiveList, ScanList
from cascan_cli.top.read import ScanDetail, Snapshot, StackReader
from cascan_cli.top.rows import EXPOSURE_COLUMNS, FINDING_COLUMNS, SCAN_COLUMNS
from cascan_cli.top.scan_screen import ScanScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widgets import DataTable

POLL_S = 2.0  # between two reads; one that takes longer is waited for
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class TopApp(App[None]):
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "quit")]
    CSS = """
    Static, Label { padding: 0 1; }
    Label { text-style: bold; }
    #scans { height: 3fr; }
    #findings { height: 2fr; }
    #exposures { height: 2fr; }
    #error { color: $text-error; display: none; }
    """

    def __init__(self, reader: StackReader, *, poll_s: float = POLL_S) -> None:
        super().__init__()
        self._reader = reader
        self._poll_s = poll_s
        self._is_reading = False

    def compose(self) -> ComposeResult:
        yield Static(Text("reading …"), id="summary")
        yield ScanList(SCAN_COLUMNS, id="scans")
        yield Label("New findings")
        yield LiveList(FINDING_COLUMNS, id="findings")
        yield Label("Exposures without a decision")
        yield LiveList(EXPOSURE_COLUMNS, id="exposures")
        yield Static("", id="queues")
        yield Static("", id="error")
        yield Footer()

    def on_mount(self) -> None:
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in SIGNALS:  # the terminal has to be left as it was
                loop.add_signal_handler(number, partial(self.exit, return_code=128 + number))
        self.set_interval(self._poll_s, self._poll)
        self._poll()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show the scan whose row was chosen with enter."""
        if event.data_table.id == "scans" and event.row_key.value:
            self.push_screen(ScanScreen(event.row_key.value))
            self.call_after_refresh(self._poll)

    def _poll(self) -> None:
        """Read what the present screen shows, unless a read is under way."""
        if self._is_reading:
            return
        self._is_reading = True
        scan_id = self.screen.scan_id if isinstance(self.screen, ScanScreen) else ""
        self.run_worker(partial(self._read, scan_id), thread=True)

    def _read(self, scan_id: str) -> None:
        try:
            if scan_id:
                self._call(partial(self._show_scan, scan_id, self._reader.read_scan(scan_id)))
            else:
                self._call(partial(self._show, self._reader.read()))
        except (CliError, GatewayUnavailable, UnreadableItem) as exc:
            self._call(partial(self._show_error, str(exc)))
        finally:
            self._is_reading = False

    def _call(self, show: partial[None]) -> None:
        with suppress(RuntimeError):  # the view has ended while this was read
            self.call_from_thread(self._show_if_open, show)

    def _show_if_open(self, show: partial[None]) -> None:
        """At its end, a view removes its parts before it stops."""
        if self.screen_stack and self.screen_stack[0].query("#error"):
            show()

    def _show(self, snapshot: Snapshot) -> None:
        main = self.screen_stack[0]
        main.query_one("#summary", Static).update(Text(printable(snapshot.summary)))
        main.query_one("#scans", LiveList).fill(snapshot.scans)
        main.query_one("#findings", LiveList).fill(snapshot.findings)
        main.query_one("#exposures", LiveList).fill(snapshot.exposures)
        main.query_one("#queues", Static).update(Text(printable(snapshot.queues)))
        self._show_error("")

    def _show_scan(self, scan_id: str, detail: ScanDetail) -> None:
        screen = self.screen
        if isinstance(screen, ScanScreen) and screen.scan_id == scan_id and screen.query("#lines"):  # it is built
            screen.show(detail)
        self._show_error("")

    def _show_error(self, sentence: str) -> None:
        """What was read last stays; an empty sentence: the stack answers again."""
        error = self.screen_stack[0].query_one("#error", Static)
        error.update(Text(printable(sentence)))
        error.display = bool(sentence)
