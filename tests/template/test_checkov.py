""".checkov.yaml: what checkov is told to skip has a reason, and the reason is true. `make checkov` runs it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import yaml

from tests.template.model import FUNCTIONS, MODEL, PROJECT, Resource, events_of

CONFIG = PROJECT / ".checkov.yaml"
SKIPPED: list[str] = yaml.safe_load(CONFIG.read_text())["skip-check"]


def has_none(kind: str, *properties: str) -> bool:
    """There are resources of this type, and none has one of the properties."""
    resources = MODEL.resources(kind)
    return bool(resources) and not any(name in one.properties for one in resources for name in properties)


def wakes_safely(function: Resource) -> bool:
    """Each of its events comes from a queue, or failed calls go to a queue."""
    kinds: Iterable[str] = {kind for kind, _ in events_of(function).values()}
    config: dict[str, Any] = function.properties.get("EventInvokeConfig", {})
    return set(kinds) == {"SQS"} or "OnFailure" in config.get("DestinationConfig", {})


# What each reason rests on. A check that the templates could pass by now is no longer skipped.
IS_TRUE: dict[str, Callable[[], bool]] = {
    "CKV_AWS_18": lambda: has_none("AWS::S3::Bucket", "LoggingConfiguration"),
    "CKV_AWS_27": lambda: (
        has_none("AWS::SQS::Queue", "KmsMasterKeyId")
        and all(queue.properties.get("SqsManagedSseEnabled") is True for queue in MODEL.resources("AWS::SQS::Queue"))
    ),
    "CKV_AWS_115": lambda: (
        {"OnShardsWaiting", "OnMinutePassed"}
        == {name for name, function in FUNCTIONS.items() if "ReservedConcurrentExecutions" in function.properties}
    ),
    "CKV_AWS_116": lambda: (
        has_none("AWS::Serverless::Function", "DeadLetterQueue") and all(map(wakes_safely, FUNCTIONS.values()))
    ),
    "CKV_AWS_117": lambda: (
        [name for name, one in FUNCTIONS.items() if "VpcConfig" in one.properties] == ["OnShardQueued"]
    ),
    "CKV_AWS_119": lambda: all(
        table.properties["SSESpecification"] == {"SSEEnabled": True}
        for table in MODEL.resources("AWS::DynamoDB::Table")
    ),
    "CKV_AWS_136": lambda: has_none("AWS::ECR::Repository", "EncryptionConfiguration"),
    "CKV_AWS_158": lambda: has_none("AWS::Logs::LogGroup", "KmsKeyId"),
    "CKV_AWS_173": lambda: has_none("AWS::Serverless::Function", "KmsKeyArn"),
}


def test_each_check_that_is_skipped_has_its_reason_on_its_line() -> None:
    with_reason = re.findall(r"^  - (CKV_\w+)  # .{30,}$", CONFIG.read_text(), re.MULTILINE)

    assert with_reason == SKIPPED == sorted(set(SKIPPED), key=lambda check: int(check.rpartition("_")[2]))


def test_each_check_that_is_skipped_is_listed_here() -> None:
    assert set(SKIPPED) == IS_TRUE.keys()


@pytest.mark.parametrize("check", IS_TRUE)
def test_the_reason_to_skip_a_check_is_true(check: str) -> None:
    assert IS_TRUE[check]()


def test_every_template_is_checked() -> None:
    files = yaml.safe_load(CONFIG.read_text())["file"]
    templates = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "infra").glob("*.yaml")}

    assert set(files) == templates | {"template.yaml"}
