"""The console over a stack in memory, and a browser that has used its link."""

from __future__ import annotations

import asyncio
import re
from argparse import Namespace
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Cookies, Response
from msgspec.structs import replace

from cascan.model.scan import Outcome, ScanState
from cascan_cli.ui.app import build_app
from cascan_cli.ui.console import Console
from cascan_cli.ui.guard import Role
from tests.fakes import MemoryEventBus, MemoryOperatorRecords, MemoryScanTable
from tests.fakes.cascades import MemoryCascadeTable, MemoryRequestQueue, MemoryRuleTable
from tests.fakes.message_threads import MemoryMessageThreads
from tests.fakes.mutes import MemoryMutes
from tests.fakes.schedules import MemoryScheduleTable
from tests.support.scanned_network import World, xml
from tests.unit.cascan.exposure_updates.conftest import NOON, Place

ADDRESS, PORT = "127.0.0.1", 8822
HOST = f"{ADDRESS}:{PORT}"
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"


class Browser:
    """A client in process, which keeps cookies and follows no redirect."""

    def __init__(self, app: Any) -> None:
        self._client = AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url=f"http://{HOST}")

    @property
    def cookies(self) -> Cookies:
        return self._client.cookies

    def request(self, method: str, path: str, **options: Any) -> Response:
        return asyncio.run(self._client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        return self.request("POST", path, **options)


@dataclass
class Site:
    """A console, and a client that is one browser."""

    folder: Path
    role: Role = Role.OPERATOR
    table: MemoryScanTable = field(default_factory=MemoryScanTable)

    def __post_init__(self) -> None:
        self.stack = SimpleNamespace(
            table=self.table,
            cascades=MemoryCascadeTable(),
            rules=MemoryRuleTable(),
            schedules=MemoryScheduleTable(),
            schedule_queue=MemoryRequestQueue(),
            scheduler=SimpleNamespace(put=lambda *_: None),
            bus=MemoryEventBus(),
            request_queue=MemoryRequestQueue(),
            control_queue=MemoryRequestQueue(),
            messages=MemoryMessageThreads(),
            mutes=MemoryMutes(),
            message_queue=MemoryRequestQueue(),
            operator_records=MemoryOperatorRecords(),
            outputs={},
            is_local=True,
            stays_up=True,
            submitter="AIDAANN",
        )
        args = Namespace(stack=None, state_dir=self.folder)
        stack: Any = self.stack
        self.console = Console(stack, args, self.role, lambda: NOON)
        self.client = Browser(build_app(self.console, ADDRESS, PORT))

    def enter(self) -> Site:
        assert self.client.get(f"/?token={self.console.sessions.token}").status_code == 200
        return self

    def get(self, path: str, status: int = 200, **headers: str) -> Response:
        response = self.client.get(path, headers=headers)
        assert response.status_code == status, response.text
        return response

    def post(self, path: str, status: int = 303, /, **fields: str) -> Response:
        """Send a form as the browser does, with the token of the page it is on."""
        headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
        response = self.client.post(path, data={"csrf": self.csrf} | fields, headers=headers)
        assert response.status_code == status, response.text
        return response

    @property
    def csrf(self) -> str:
        (session,) = self.console.sessions._sessions.values()
        return session.csrf

    def text(self, path: str, status: int = 200) -> str:
        """What a reader of the page sees."""
        return read_text(self.get(path, status))


def read_text(response: Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.text)).split())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path).enter()


@pytest.fixture
def reader(tmp_path: Path) -> Site:
    return Site(tmp_path, Role.READER).enter()


@pytest.fixture
def scanned(tmp_path: Path) -> Site:
    """A site over a network that was scanned twice: a port closed in between."""
    world = World(tmp_path)
    world.scan(0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}))
    world.scan(1, xml({"10.0.0.1": (22,), "10.0.0.2": (22,)}))
    for scan_id, scan in world.table.scans.items():
        world.table.scans[scan_id] = replace(scan, state=ScanState.DONE, outcome=Outcome.COMPLETE, finished_at=NOON)
    return Site(tmp_path, table=world.table).enter()


@pytest.fixture
def exposed(tmp_path: Path) -> Site:
    """A site with one exposure, which two looks confirmed."""
    place = Place()
    for hour in range(2):
        place.look(hour, [23, 443])
    place.judge()
    return Site(tmp_path, table=place.table).enter()
