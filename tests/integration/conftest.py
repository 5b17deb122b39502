"""What moto does differently from AWS, put right for all tests of the gateways and handlers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from moto.moto_api import state_manager

from tests.support import moto_speed

AS_LONG_AS_NOBODY_STOPS_IT = {"progression": "manual", "times": 1_000_000}


@pytest.fixture(scope="session", autouse=True)
def running_tasks() -> None:
    """A task of ECS runs until it is stopped; moto would end it as soon as somebody describes it."""
    state_manager.set_transition("ecs::task", AS_LONG_AS_NOBODY_STOPS_IT)


@pytest.fixture(scope="session", autouse=True)
def quick_answers() -> None:
    moto_speed.speed_up()


@pytest.fixture(scope="session", autouse=True)
def closed_tracer() -> Iterator[None]:
    """moto's X-Ray imports the SDK of AWS, which opens a socket then and never closes it."""
    yield
    if xray := sys.modules.get("aws_xray_sdk.core"):
        xray.xray_recorder.emitter._socket.close()
