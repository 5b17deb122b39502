"""One scan of the live view: how far it is, and its findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.screen import Screen
from textual.widgets import Footer, Static

from cascan_cli.output.text import printable
from cascan_cli.top.live_list import LiveList
from cascan_cli.top.read import ScanDetail
from cascan_cli.top.rows import FINDING_COLUMNS

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class ScanScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [("escape,backspace", "dismiss", "back"), ("q", "app.quit", "quit")]
    DEFAULT_CSS = """
    ScanScreen #lines { height: auto; max-height: 8; padding: 0 1; }
    ScanScreen LiveList { height: 1fr; }
    """

    def __init__(self, scan_id: str) -> None:
        super().__init__()
        self.scan_id = scan_id

    def compose(self) -> ComposeResult:
        yield Static(Text("reading …"), id="lines")
        yield LiveList(FINDING_COLUMNS, id="found")
        yield Footer()

    def show(self, detail: ScanDetail) -> None:
        lines = map(printable, detail.lines)
        self.query_one("#lines", Static).update(Text("\n".join(lines)))
        self.query_one("#found", LiveList).fill(detail.findings)
