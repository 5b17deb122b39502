"""What the functions' edges share."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import aws_lambda_powertools
import pytest


class FakeTracer:
    def __init__(self, **options: Any) -> None:
        self.options = options

    def capture_lambda_handler(self, handler: Any) -> Any:
        return ("traced", self.options, handler)


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "cascan")
    monkeypatch.delenv("POWERTOOLS_TRACE_DISABLED", raising=False)
    monkeypatch.delitem(sys.modules, "edge", raising=False)
    monkeypatch.setattr(aws_lambda_powertools, "Tracer", FakeTracer)
    return importlib.import_module("edge")


def test_on_lambda_a_call_and_its_calls_to_aws_are_traced(edge: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    assert edge.trace_calls(print) == ("traced", {"patch_modules": ["botocore"]}, print)


def test_tracing_can_be_switched_off_on_lambda(edge: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    assert edge.trace_calls(print) is print


def test_elsewhere_the_tracer_is_not_even_loaded(edge: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMBDA_TASK_ROOT", raising=False)
    assert edge.trace_calls(print) is print
