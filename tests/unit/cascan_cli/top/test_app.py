"""The live view as a person drives it, without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.widgets import DataTable, Static

from cascan.errors import GatewayUnavailable
from cascan_cli.commands import top
from cascan_cli.main import main
from cascan_cli.top.app import TopApp
from cascan_cli.top.live_list import LiveList, to_text
from cascan_cli.top.read import ScanDetail, Snapshot
from cascan_cli.top.rows import Row
from cascan_cli.top.scan_screen import ScanScreen

EVIL = "[bold red]x[/] [@click=app.quit]y[/] \x1b[2J\x1b]0;owned\x07\u202e"
ONE = Row("scan-1", ("scanning", "lan", "50 %", "9 s", "", "1 up", "1 HIGH", "10.0.0.1", "scan-1"))
TWO = Row("scan-2", ("Done, complete", EVIL, "", "1 s", "", "", "", EVIL, "scan-2"))
FINDING = Row("f-1", ("HIGH", "Open Port", EVIL, EVIL, EVIL))
EXPOSURE = Row("e-1", ("HIGH", "open", "2 h", "default", EVIL, "tcp/23", EVIL))
FIRST = Snapshot(f"12:00 {EVIL}", [ONE, TWO], [FINDING], [EXPOSURE], f"queues: {EVIL}")


class Reader:
    """Gives what the test says. `error`: the stack does not answer."""

    def __init__(self) -> None:
        self.snapshot = FIRST
        self.detail = ScanDetail(["lan: scan-2", EVIL], [FINDING])
        self.error = False
        self.asked: list[str] = []

    def read(self) -> Snapshot:
        self._note("")
        return self.snapshot

    def read_scan(self, scan_id: str) -> ScanDetail:
        self._note(scan_id)
        return self.detail

    def _note(self, scan_id: str) -> None:
        self.asked.append(scan_id)
        if self.error:
            raise GatewayUnavailable(f"scan table {EVIL}")


Drive = Callable[[TopApp, Reader], Awaitable[None]]


def drive(steps: Drive) -> TopApp:
    """Run the view on a fake reader until the steps are done."""
    reader = Reader()
    app: Any = TopApp(reader, poll_s=0.1)  # type: ignore[arg-type]

    async def run() -> None:
        async with app.run_test(size=(160, 45)):
            await until(lambda: bool(rows(app, "#scans")))
            await steps(app, reader)

    asyncio.run(run())
    view: TopApp = app
    return view


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(6_000):  # a limit for what never comes
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("this did not become true")


def press(app: TopApp, *keys: str) -> None:
    """As the pilot does, which then waits until this machine is idle."""
    for key in keys:
        app.simulate_key(key)


def rows(app: TopApp, name: str) -> list[list[str]]:
    """Of the list on the present screen; empty: it is not built yet."""
    tables = app.screen.query(name).results(DataTable)
    table = next(iter(tables), None)
    if table is None:
        return []
    return [[str(cell) for cell in table.get_row_at(number)] for number in range(table.row_count)]


def text(app: TopApp, name: str) -> str:
    return str(app.screen.query_one(name, Static).render())


def test_every_list_is_filled_and_texts_of_hosts_are_neither_markup_nor_escapes() -> None:
    async def steps(app: TopApp, reader: Reader) -> None:
        del reader
        assert rows(app, "#scans")[0] == list(ONE.cells)
        shown = [text(app, "#summary"), text(app, "#queues")]
        shown += [cell for name in ("#scans", "#findings", "#exposures") for row in rows(app, name) for cell in row]
        evil = [cell for cell in shown if "owned" in cell]
        assert len(evil) == 9
        for cell in evil:
            assert "[bold red]x[/] [@click=app.quit]y[/] \\x1b[2J\\x1b]0;owned" in cell
        strips = app.screen._compositor.render_strips()
        assert all(segment.text.isprintable() for strip in strips for segment in strip)

    drive(steps)


def test_enter_shows_a_scan_escape_goes_back_and_q_ends() -> None:
    async def steps(app: TopApp, reader: Reader) -> None:
        press(app, "down", "enter")
        await until(lambda: isinstance(app.screen, ScanScreen) and bool(rows(app, "#found")))
        assert "scan-2" in reader.asked
        assert text(app, "#lines").startswith("lan: scan-2\n[bold red]x[/]")
        press(app, "escape")
        await until(lambda: not isinstance(app.screen, ScanScreen))
        press(app, "enter")
        await until(lambda: isinstance(app.screen, ScanScreen))
        press(app, "q")
        await until(lambda: not app.is_running)

    assert drive(steps).return_code == 0


def test_the_cursor_stays_on_its_scan_when_others_come() -> None:
    async def steps(app: TopApp, reader: Reader) -> None:
        press(app, "down")
        table = app.query_one("#scans", LiveList)
        await until(lambda: table.cursor_row == 1)
        new = Row("scan-3", tuple("scan-3" for _ in ONE.cells))
        reader.snapshot = FIRST._replace(scans=[new, *FIRST.scans])
        await until(lambda: table.row_count == 3)
        assert table.cursor_row == 2
        changed = ONE._replace(cells=("scanning", "lan", "75 %", *ONE.cells[3:]))
        reader.snapshot = FIRST._replace(scans=[new, changed, TWO])
        await until(lambda: rows(app, "#scans")[1][2] == "75 %")
        assert table.cursor_row == 2
        reader.snapshot = FIRST._replace(scans=[])
        await until(lambda: table.row_count == 0)
        press(app, "enter", "tab")  # keys are handled in order
        await until(lambda: app.focused is not table)
        assert not isinstance(app.screen, ScanScreen)

    drive(steps)


def test_a_stack_that_does_not_answer_is_a_sentence_below_what_was_read_last() -> None:
    async def steps(app: TopApp, reader: Reader) -> None:
        error = app.query_one("#error", Static)
        assert not error.display
        reader.error = True
        await until(lambda: bool(error.display))
        assert "scan table [bold red]x" in text(app, "#error")
        assert rows(app, "#scans")
        reader.error = False
        await until(lambda: not error.display)

    drive(steps)


def test_a_severity_has_its_colour() -> None:
    assert str(to_text("HIGH").style) == "bold red"
    assert str(to_text("Done, complete").style) == "green"
    assert to_text("lan").style == ""


def test_a_long_text_leaves_room_for_the_other_columns() -> None:
    assert to_text("x" * 1_000).plain == "x" * 59 + "…"


def test_without_a_terminal_other_commands_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top"]) == 2
    assert "cascan top needs a terminal; in a pipe: cascan watch" in capsys.readouterr().err


def test_without_the_extra_the_command_says_how_to_install_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(top, "find_spec", lambda _: None)
    assert main(["top"]) == 3
    assert "Textual is not installed: pip install 'cascan[top]'" in capsys.readouterr().err
