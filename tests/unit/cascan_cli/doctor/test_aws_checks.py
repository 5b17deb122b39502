"""The checks of the AWS account, on clients whose answers are checked against AWS's own description of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from cascan_cli.doctor import aws_checks
from cascan_cli.doctor.aws_checks import DeployedStack
from cascan_cli.doctor.check import Check, Result, Status, run_checks
from cascan_cli.version import VERSION
from tests.support.builders import NOW

Answer = tuple[str, dict[str, Any] | str]  # an operation, and its response or the code of its error
Open = Callable[..., Any]
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012"


@cache
def client(service: str) -> Any:
    session: Any = boto3.Session("key", "secret", region_name="eu-central-1")
    return session.client(service)


@pytest.fixture
def answering() -> Iterator[Open]:
    """A client of a service that gives these answers, each of them once and in this order."""
    stubbers = []

    def open_client(service: str, *answers: Answer) -> Any:
        stubber = Stubber(client(service))
        for operation, response in answers:
            if isinstance(response, str):
                stubber.add_client_error(operation, response)
            else:
                stubber.add_response(operation, response)
        stubber.activate()
        stubbers.append(stubber)
        return client(service)

    yield open_client
    for stubber in stubbers:
        stubber.deactivate()


QUEUES = ("ConnectShardQueue", "ControlQueue", "RawShardQueue", "RequestQueue", "VulsQueue")


def a_stack(status: str = "UPDATE_COMPLETE", version: str = VERSION, **parameters: str) -> DeployedStack:
    outputs = {f"{name}Url": f"{URL}/{name}-1" for name in QUEUES} | {"Version": version}
    outputs["WorkerRepositoryUri"] = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/workers"
    return DeployedStack("lan", status, {"WorkerImageTag": "1.0"} | parameters, outputs)


def run(check: Callable[[], Any]) -> list[Result]:
    return [result for _, result in run_checks([Check("a check", check, "an:Action")])]


def run_one(check: Callable[[], Any]) -> Result:
    (result,) = run(check)
    return result


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATE_COMPLETE", Status.OK),
        ("UPDATE_COMPLETE", Status.OK),
        ("UPDATE_IN_PROGRESS", Status.WARNING),
        ("UPDATE_ROLLBACK_COMPLETE", Status.WARNING),
        ("ROLLBACK_COMPLETE", Status.PROBLEM),
        ("UPDATE_ROLLBACK_FAILED", Status.PROBLEM),
    ],
)
def test_the_status_of_the_stack_is_judged(status: str, expected: Status) -> None:
    assert run_one(lambda: aws_checks.check_stack_status(a_stack(status))).status is expected


@pytest.mark.parametrize(
    ("version", "expected"), [(VERSION, Status.OK), ("0.0.1", Status.WARNING), ("99.0", Status.WARNING)]
)
def test_another_version_of_the_stack_is_a_warning_with_what_to_update(version: str, expected: Status) -> None:
    result = run_one(lambda: aws_checks.check_version(a_stack(version=version)))

    assert (result.status, bool(result.remedy)) == (expected, expected is Status.WARNING)


def test_the_identity_is_named(answering: Open) -> None:
    sts = answering("sts", ("get_caller_identity", {"Account": "123456789012", "Arn": "arn:aws:iam::1:user/me"}))

    assert run_one(lambda: aws_checks.check_credentials(sts)) == Result.ok(
        "account 123456789012 as arn:aws:iam::1:user/me"
    )


def metrics(**values: list[float]) -> Answer:
    return "get_metric_data", {"MetricDataResults": [{"Id": name, "Values": found} for name, found in values.items()]}


def test_messages_that_wait_longer_than_their_alarm_allows_are_warnings(answering: Open) -> None:
    """The newest value counts: what waited before and does not any more is no warning."""
    cloudwatch = answering("cloudwatch", metrics(q0=[21_600.0], q1=[5.0, 5_000.0], q2=[30_000.0], q3=[901.0, 5.0]))

    warnings = run(lambda: aws_checks.check_waiting(a_stack(), cloudwatch, NOW))

    assert [(result.status, result.sentence.split(" waits")[0]) for result in warnings] == [
        (Status.WARNING, "the oldest message of RawShardQueue"),
        (Status.WARNING, "the oldest message of RequestQueue"),
    ]


def test_queues_without_messages_have_no_age(answering: Open) -> None:
    cloudwatch = answering("cloudwatch", metrics(q0=[]))

    assert run_one(lambda: aws_checks.check_waiting(a_stack(), cloudwatch, NOW)).status is Status.OK


@pytest.mark.parametrize(("calls", "expected"), [([1.0] * 9, Status.OK), ([], Status.PROBLEM), ([0.0], Status.PROBLEM)])
def test_a_tick_that_is_silent_is_a_problem(answering: Open, calls: list[float], expected: Status) -> None:
    resource = {
        "LogicalResourceId": "OnMinutePassed",
        "PhysicalResourceId": "lan-OnMinutePassed-1",
        "ResourceType": "AWS::Lambda::Function",
        "LastUpdatedTimestamp": NOW,
        "ResourceStatus": "CREATE_COMPLETE",
    }
    cloudformation = answering("cloudformation", ("describe_stack_resource", {"StackResourceDetail": resource}))
    cloudwatch = answering("cloudwatch", metrics(tick=calls))

    assert run_one(lambda: aws_checks.check_tick(a_stack(), cloudformation, cloudwatch, NOW)).status is expected


def test_an_image_that_was_not_pushed_is_a_problem_with_its_address(answering: Open) -> None:
    ecr = answering("ecr", ("describe_images", {"imageDetails": []}), ("describe_images", "ImageNotFoundException"))

    connect, raw = run(lambda: aws_checks.check_images(a_stack(), ecr))

    assert connect == Result.ok("the image 1.0-connect exists")
    assert raw.status is Status.PROBLEM
    assert "123456789012.dkr.ecr.eu-central-1.amazonaws.com/workers:1.0-raw" in raw.remedy


def test_images_are_not_asked_for_where_no_worker_starts(answering: Open) -> None:
    assert run_one(lambda: aws_checks.check_images(a_stack(MaxWorkers="0"), answering("ecr"))).status is Status.OK


def quota(value: float, operation: str = "get_service_quota") -> Answer:
    return operation, {"Quota": {"Value": value}}


def test_a_concurrency_that_is_too_low_is_a_warning_with_the_request_for_more(answering: Open) -> None:
    quotas = answering("service-quotas", quota(10))

    result = run_one(lambda: aws_checks.check_lambda_quota(a_stack(ExpressConcurrency="50"), quotas))

    assert (result.status, result.sentence) == (
        Status.WARNING,
        "the account may use 10 concurrent executions of Lambda, and the stack up to 60",
    )
    assert "--service-code lambda --quota-code L-B99A9384 --desired-value 60" in result.remedy


def test_the_vcpus_of_the_workers_are_compared_on_demand_and_on_spot(answering: Open) -> None:
    quotas = answering("service-quotas", quota(10), quota(9))

    on_demand, spot = run(lambda: aws_checks.check_fargate_quota(a_stack(MaxWorkers="20", WorkerCpu="512"), quotas))

    assert (on_demand.status, spot.status) == (Status.OK, Status.WARNING)


def test_a_quota_that_the_account_never_changed_is_aws_default(answering: Open) -> None:
    quotas = answering(
        "service-quotas",
        ("get_service_quota", "NoSuchResourceException"),
        quota(1_000, "get_aws_default_service_quota"),
    )

    assert run_one(lambda: aws_checks.check_lambda_quota(a_stack(), quotas)).status is Status.OK


def test_a_quota_that_may_not_be_read_is_a_warning_that_names_the_action(answering: Open) -> None:
    quotas = answering("service-quotas", ("get_service_quota", "AccessDeniedException"))

    result = run_one(lambda: aws_checks.check_lambda_quota(a_stack(), quotas))

    assert (result.status, "an:Action" in result.sentence) == (Status.WARNING, True)


SUBNET: Answer = ("describe_subnets", {"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1"}]})


def routes(**target: str) -> Answer:
    default = [{"DestinationCidrBlock": "0.0.0.0/0", **target}] if target else []
    local = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
    return "describe_route_tables", {"RouteTables": [{"Routes": [local, *default]}]}


def endpoints(*services: str) -> Answer:
    names = [f"com.amazonaws.eu-central-1.{service}" for service in services]
    found = [{"ServiceName": name, "State": "available"} for name in names]
    return "describe_vpc_endpoints", {"VpcEndpoints": found}


def check_network(open_client: Open, public_ip: str, *answers: Answer, subnets: str = "subnet-1") -> list[Result]:
    stack = a_stack(WorkerSubnets=subnets, WorkerPublicIp=public_ip)
    return run(lambda: aws_checks.check_network(stack, open_client("ec2", *answers)))


def test_the_network_of_the_stack_itself_needs_no_check(answering: Open) -> None:
    assert run_one(lambda: aws_checks.check_network(a_stack(), answering("ec2"))).status is Status.OK


@pytest.mark.parametrize(
    ("public_ip", "target", "expected"),
    [
        ("ENABLED", {"GatewayId": "igw-1"}, Status.OK),
        ("ENABLED", {"NatGatewayId": "nat-1"}, Status.PROBLEM),
        ("ENABLED", {"GatewayId": "igw-1", "State": "blackhole"}, Status.PROBLEM),
        ("ENABLED", {}, Status.PROBLEM),
        ("DISABLED", {"NatGatewayId": "nat-1"}, Status.OK),
        ("DISABLED", {"TransitGatewayId": "tgw-1"}, Status.OK),
        ("DISABLED", {"GatewayId": "igw-1"}, Status.PROBLEM),
    ],
)
def test_the_default_route_has_to_fit_the_addresses_of_the_workers(
    answering: Open, public_ip: str, target: dict[str, str], expected: Status
) -> None:
    (result,) = check_network(answering, public_ip, SUBNET, routes(**target))

    assert result.status is expected, result.sentence


def test_without_a_route_all_endpoints_are_enough(answering: Open) -> None:
    (result,) = check_network(answering, "DISABLED", SUBNET, routes(), endpoints(*aws_checks.ENDPOINTS))

    assert result.status is Status.OK


def test_without_a_route_a_missing_endpoint_is_a_problem(answering: Open) -> None:
    (result,) = check_network(answering, "DISABLED", SUBNET, routes(), endpoints("s3", "dynamodb"))

    assert result.status is Status.PROBLEM
    assert "no endpoint for ecr.api, ecr.dkr, logs, sqs" in result.sentence


def test_a_subnet_without_a_table_of_its_own_has_the_main_one(answering: Open) -> None:
    none: Answer = ("describe_route_tables", {"RouteTables": []})

    (result,) = check_network(answering, "ENABLED", SUBNET, none, routes(GatewayId="igw-1"))

    assert result.status is Status.OK


def test_a_subnet_that_does_not_exist_is_a_problem(answering: Open) -> None:
    missing, existing = check_network(
        answering, "ENABLED", SUBNET, routes(GatewayId="igw-1"), subnets="subnet-1, subnet-2"
    )

    assert (missing.status, missing.sentence) == (Status.PROBLEM, "no such subnet: subnet-2")
    assert existing.status is Status.OK


def test_each_check_names_the_actions_that_it_needs() -> None:
    checks = aws_checks.aws_checks(a_stack(), client, NOW)

    assert [check.name for check in checks if not check.actions] == ["stack", "version", "retention"]


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        ({}, Status.OK, ""),
        ("InvalidAccessException", Status.PROBLEM, "enable-security-hub"),
        ("ResourceNotFoundException", Status.PROBLEM, "enable-security-hub"),
        ("AccessDeniedException", Status.WARNING, "allow an:Action"),
    ],
)
def test_security_hub_has_to_be_enabled_where_findings_are_imported(
    answering: Open, answer: dict[str, Any] | str, expected: Status, words: str
) -> None:
    hub = answering("securityhub", ("describe_hub", answer))
    result = run_one(lambda: aws_checks.check_security_hub(a_stack(SecurityHub="enabled"), lambda _: hub))
    assert result.status is expected
    assert words in result.remedy


def test_a_stack_that_imports_nothing_is_not_asked_for_security_hub() -> None:
    def open_client(service: str) -> Any:
        raise AssertionError(service)

    assert run(lambda: aws_checks.check_security_hub(a_stack(), open_client)) == []
