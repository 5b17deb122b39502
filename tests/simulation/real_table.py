"""The world over the scan table's real conditions: DynamoScanTable on moto, a step before and after each of its calls.

So others come in between what one move reads and what it writes, too. Some forty times as slow as the one in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

from moto import mock_aws

from cascan.aws import boundary
from cascan.aws.tables.scan_table import DynamoScanTable
from tests.simulation.stepping import noting, stepping
from tests.simulation.world import World
from tests.support import moto_speed
from tests.support.moto_table import create_scan_table, forget_clients

numbers = count()


@contextmanager
def an_account() -> Iterator[None]:
    """An empty account in memory, in which no pause is waited for."""
    moto_speed.speed_up()
    with (
        patch.dict("os.environ", {"AWS_DEFAULT_REGION": "eu-central-1"}),
        patch.object(boundary, "sleep", lambda _: None),
        mock_aws(),
    ):
        forget_clients()
        try:
            yield
        finally:
            forget_clients()


class WorldOnDynamo(World):
    """To be run in `an_account`."""

    journal_is_in_order = False  # what a call writes, and its answer, are steps apart

    def _table(self) -> Any:
        self.table_name = f"scan-table-{next(numbers)}"
        create_scan_table(self.table_name)
        return self._another_table()

    def _another_table(self) -> DynamoScanTable:
        return DynamoScanTable(self.table_name, self.clockwork.clock)

    def _stepping_table(self) -> Any:
        table = self._another_table()
        table._table = stepping(table._table, "table", self.clockwork)
        return noting(table, "table", self.clockwork, self.journal)
