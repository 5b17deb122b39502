"""Every function: importing it asks nothing of its environment, its first event names what is missing there."""

from __future__ import annotations

import importlib
from dataclasses import fields
from typing import Any

import pytest

from tests.data.envelopes.build import recorded, sqs_event
from tests.integration.handlers.conftest import FUNCTIONS, ColdStart, Function

BEHIND_A_QUEUE = [name for name in FUNCTIONS if name != "on_shards_waiting"]
EVENT = sqs_event("{}", "[]")


def settings_of(name: str) -> list[str]:
    settings: Any = importlib.import_module(f"{name}.app").Settings
    return [field.name.upper() for field in fields(settings)]


def unset(cold_start: ColdStart, name: str) -> Function:
    return cold_start(name, **dict.fromkeys(settings_of(name)))


@pytest.mark.parametrize("name", BEHIND_A_QUEUE)
def test_every_unset_variable_is_named_in_the_log_and_every_message_returns(
    cold_start: ColdStart, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    assert unset(cold_start, name).failed(EVENT) == [record["messageId"] for record in EVENT["Records"]]
    missing = "; ".join(f"{variable} is not set" for variable in settings_of(name))
    assert caplog.text.count(missing) == len(EVENT["Records"])


def test_every_unset_variable_is_named_in_the_error_of_a_call_without_a_queue(cold_start: ColdStart) -> None:
    function = unset(cold_start, "on_shards_waiting")
    with pytest.raises(RuntimeError) as raised:
        function(recorded("tick"))
    assert str(raised.value).endswith(
        "; ".join(f"{variable} is not set" for variable in settings_of("on_shards_waiting"))
    )


def test_a_number_that_is_none_is_named(cold_start: ColdStart) -> None:
    with pytest.raises(RuntimeError, match="MAX_WORKERS='many' is not a whole number"):
        cold_start("on_shards_waiting", MAX_WORKERS="many")(recorded("tick"))


@pytest.mark.parametrize("name", BEHIND_A_QUEUE)
def test_a_batch_counts_the_messages_that_return(
    cold_start: ColdStart, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    unset(cold_start, name)(EVENT)
    assert '"MessagesFailed":[2.0]' in capsys.readouterr().out.replace(" ", "")
