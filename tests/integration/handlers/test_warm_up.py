"""The functions of the later stages can be started before their first message."""

from __future__ import annotations

import sys

import pytest

from tests.integration.handlers.conftest import ColdStart
from tests.integration.handlers.stack import Stack


@pytest.mark.parametrize("name", ["on_report_stored", "on_scan_completed"])
def test_an_empty_batch_wires_the_function_and_fails_nothing(stack: Stack, cold_start: ColdStart, name: str) -> None:
    function = cold_start(name)
    assert function({"Records": []}) == {"batchItemFailures": []}
    assert sys.modules[f"{name}.app"].wire.cache_info().currsize == 1
