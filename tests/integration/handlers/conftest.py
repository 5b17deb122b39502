"""A stack on moto, and its functions started cold: imported under their environment, as Lambda does it.

Whatever a function calls must be allowed by its role in the templates; a call that is not fails the test.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from moto import mock_aws

from cascan.aws import boundary, clients
from tests.integration.handlers.stack import REGION, Stack, build_stack
from tests.support import recorded_calls
from tests.support.aws_calls import ResourceNames
from tests.support.call_recorder import record_permissions
from tests.support.policies import find_refusals
from tests.template.roles import judged_keys, policies_of

POWERTOOLS = {"POWERTOOLS_METRICS_NAMESPACE": "cascan", "METRICS_STACK": "mine"}
FUNCTIONS = (
    "on_scan_requested",
    "on_shards_waiting",
    "on_shard_queued",
    "on_report_stored",
    "on_shard_abandoned",
    "on_scan_completed",
)


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function about its own run."""

    function_name: str
    remaining_s: float = 300.0
    memory_limit_in_mb: int = 1024
    aws_request_id: str = "b7f0a9d2-52c8-4f5d-8f5e-0d6f0f1a2b06"
    invoked_function_arn: str = field(default="arn:aws:lambda:eu-central-1:123456789012:function:cascan")

    def get_remaining_time_in_millis(self) -> int:
        return int(self.remaining_s * 1000)


@dataclass(frozen=True)
class Function:
    """A function of the stack; each call is one event."""

    name: str
    handler: Callable[[dict[str, Any], Context], Any]
    resource_names: ResourceNames

    def __call__(self, event: dict[str, Any], remaining_s: float = 300.0) -> Any:
        with acts_as(role_name(self.name), self.resource_names):
            return self.handler(event, Context(self.name, remaining_s))

    def failed(self, event: dict[str, Any], remaining_s: float = 300.0) -> list[str]:
        """Hand over a batch; the ids of the messages that return to their queue."""
        return [item["itemIdentifier"] for item in self(event, remaining_s)["batchItemFailures"]]


def role_name(function: str) -> str:
    """`OnReportStoredRole` of `on_report_stored`."""
    return f"{function.title().replace('_', '')}Role"


@contextmanager
def acts_as(role: str, names: ResourceNames) -> Iterator[None]:
    """Fails if what is called in this block is not allowed by the role, or is not in the list of recorded calls."""
    with record_permissions(names) as recorded:
        yield
    refusals = find_refusals(policies_of(role), recorded.values())
    assert refusals == [], f"{role} in the templates does not allow what was called"
    new = recorded_calls.note(role, recorded.values(), judged_keys(role))
    assert new == [], f"calls that are not in {recorded_calls.FILE}; write it with {recorded_calls.COMMAND}"


ColdStart = Callable[..., Function]


@pytest.fixture(scope="module")
def moto_clients() -> Iterator[None]:
    """Clients that only moto answers, shared by a module's tests: building one takes longer than most tests."""
    built = (
        clients.session,
        clients.dynamodb,
        clients.s3,
        clients.events,
        clients.sqs,
        clients.ecs,
        clients.securityhub,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        for client in built:
            client.cache_clear()
        yield
        for client in built:
            client.cache_clear()


@pytest.fixture
def stack(moto_clients: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setattr(boundary, "sleep", lambda _seconds: None)
    with mock_aws():
        yield build_stack()


@pytest.fixture
def cold_start(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> ColdStart:
    """Starts a function by its name; keyword arguments are variables of its environment, None leaves one unset."""

    def start(name: str, **variables: str | None) -> Function:
        environment = POWERTOOLS | {"POWERTOOLS_SERVICE_NAME": name} | stack.environment() | variables
        for variable, value in environment.items():
            if value is None:
                monkeypatch.delenv(variable, raising=False)
            else:
                monkeypatch.setenv(variable, value)
        for module in ("edge", f"{name}.app"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        names = stack.resource_names(environment["REPORT_BUCKET"] or "")
        return Function(name, importlib.import_module(f"{name}.app").handler, names)

    return start
