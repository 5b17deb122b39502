"""The region of each AWS client, in a vantage that is in another region than the stack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cascan.aws import clients


@pytest.fixture(autouse=True)
def new_clients() -> Iterator[None]:
    clients.forget()
    yield
    clients.forget()


@pytest.mark.parametrize(("stack_region", "expected"), [("eu-central-1", "eu-central-1"), ("", "ap-northeast-1")])
def test_everything_but_ecs_is_in_the_region_of_the_stack(
    stack_region: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-1")
    monkeypatch.setenv("STACK_REGION", stack_region)

    regions = {client.meta.region_name for client in (clients.sqs(), clients.dynamodb(), clients.s3())}

    assert regions == {expected}
    assert clients.ecs().meta.region_name == "ap-northeast-1"
