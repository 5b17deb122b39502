"""No function wakes itself without a bound: AWS stops a chain of about 16 invocations of one function.

Such a chain goes through queues, through what a queue gives up, and, as long as nobody has shown otherwise, through the
bus and the bucket. A tick begins a new one. See docs/decisions/0034.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest

from cascan import limits
from tests.template.model import FUNCTIONS, MODEL, QUEUES, ROOT, RULES, Resource, as_list, source_queues
from tests.template.roles import role_of
from tests.template.test_permissions import statements_of

WORK_THAT_GOES_ON = {
    "OnReportStored": "MAX_RECORDING_TURNS",
    "OnExposureDue": "MAX_EXPOSURE_TURNS",
    "OnHubImportDue": "MAX_IMPORT_TURNS",
    "OnMessageDue": "MAX_SEND_TRIES",
}  # and what bounds it
READ_BY = {queue: name for name, function in FUNCTIONS.items() for queue in source_queues(function).values()}
BUS, BUCKET = "Messaging/ScanBus.Arn", "Storage/ReportBucket.Arn/reports/*"


def allowed(function: Resource, action: str) -> set[str]:
    """The resources on which the function may do it."""
    granted = (one for one in statements_of(role_of(function)) if action in as_list(one["Action"]))
    return set(chain.from_iterable(MODEL.texts(one["Resource"], ROOT) for one in granted))


def dead_letters_of(queue: str) -> str:
    redrive = QUEUES[queue].properties.get("RedrivePolicy")
    return MODEL.text(redrive["deadLetterTargetArn"], QUEUES[queue].stack).removesuffix(".Arn") if redrive else ""


def woken_by(name: str) -> Iterator[str]:
    """The functions that are woken by what this one sends, puts, stores, or fails to handle."""
    queues = {arn.removesuffix(".Arn") for arn in allowed(FUNCTIONS[name], "sqs:SendMessage")}
    queues |= {dead_letters_of(queue) for queue in source_queues(FUNCTIONS[name]).values()}
    buses = {BUS.removesuffix(".Arn")} if allowed(FUNCTIONS[name], "events:PutEvents") else set()
    if BUCKET in allowed(FUNCTIONS[name], "s3:PutObject"):
        buses.add("")
    for rule in RULES.values():
        if rule.bus in buses and rule.pattern:
            queues |= {target.removesuffix(".Arn") for target, _ in rule.targets}
    for queue in queues:
        if queue in READ_BY:
            yield READ_BY[queue]
        elif queue.removeprefix(f"{ROOT}/") in FUNCTIONS:
            yield queue.removeprefix(f"{ROOT}/")


WAKES = {name: set(woken_by(name)) for name in FUNCTIONS}


def reached_from(name: str) -> set[str]:
    found: set[str] = set()
    ahead = set(WAKES[name])
    while ahead:
        found |= ahead
        ahead = set(chain.from_iterable(WAKES[one] for one in ahead)) - found
    return found


ON_A_CIRCLE = sorted(name for name in FUNCTIONS if name in reached_from(name))


def test_the_circles_are_found() -> None:
    """A request leads to a scan, a report, an end, and that to the next request: the test sees at least that."""
    assert {"OnScanRequested", "OnShardQueued", "OnReportStored", "OnScanCompleted"} <= set(ON_A_CIRCLE)
    assert "OnMinutePassed" not in ON_A_CIRCLE


@pytest.mark.parametrize("name", ON_A_CIRCLE)
def test_a_function_on_a_circle_is_not_stopped_by_aws(name: str) -> None:
    assert FUNCTIONS[name].properties.get("RecursiveLoop") == "Allow"


def test_only_work_that_goes_on_sends_its_function_a_message_and_has_a_bound_and_no_wait_does() -> None:
    sent = {name: {arn.removesuffix(".Arn") for arn in allowed(f, "sqs:SendMessage")} for name, f in FUNCTIONS.items()}
    to_themselves = {name for name, f in FUNCTIONS.items() if sent[name] & set(source_queues(f).values())}
    assert to_themselves == set(WORK_THAT_GOES_ON)
    assert all(getattr(limits, bound) > 0 for bound in WORK_THAT_GOES_ON.values())
