"""Checks of a stack on AWS that need more of the account than its gateways: status, metrics, images, quotas, network.

Each takes what it needs: a way to open clients, and the parameters and outputs of the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cascan_cli.doctor.check import Check, Result
from cascan_cli.doctor.retention import check_retention
from cascan_cli.doctor.stack_checks import list_work_queues
from cascan_cli.version import VERSION, describe_difference

OpenClient = Callable[[str], Any]  # by the name of the service
METRIC_PERIOD_S = 60
SILENT_AFTER = timedelta(minutes=10)  # the tick comes every minute, and metrics come two or three minutes late
AGE_WINDOW = timedelta(minutes=15)
OTHER_EXECUTIONS = 10  # of the functions beside the express one, at once
LAMBDA_QUOTA = ("lambda", "L-B99A9384", "concurrent executions of Lambda")
ON_DEMAND_QUOTA = ("fargate", "L-3032A538", "vCPUs of Fargate on demand")
SPOT_QUOTA = ("fargate", "L-36FBB829", "vCPUs of Fargate Spot")
ENDPOINTS = ("dynamodb", "ecr.api", "ecr.dkr", "logs", "s3", "sqs")  # what a worker calls
HUB_IS_MISSING = ("InvalidAccessException", "ResourceNotFoundException")  # codes of DescribeHub
SHARD_QUEUES = ("ExpressShardQueue", "ConnectShardQueue", "RawShardQueue")


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack as CloudFormation describes it."""

    name: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    def number(self, parameter: str, default: int) -> int:
        """The value of a parameter; the default if an earlier version has none, or it is no whole number."""
        value = self.parameters.get(parameter, "")
        return int(value) if value.isascii() and value.isdigit() else default


def aws_checks(stack: DeployedStack, open_client: OpenClient, now: datetime) -> list[Check]:
    return [
        Check("stack", lambda: check_stack_status(stack)),
        Check("version", lambda: check_version(stack)),
        Check("retention", lambda: check_retention(stack.parameters)),
        Check("waiting", lambda: check_waiting(stack, open_client("cloudwatch"), now), "cloudwatch:GetMetricData"),
        Check(
            "tick",
            lambda: check_tick(stack, open_client("cloudformation"), open_client("cloudwatch"), now),
            "cloudformation:DescribeStackResource and cloudwatch:GetMetricData",
        ),
        Check("worker images", lambda: check_images(stack, open_client("ecr")), "ecr:DescribeImages"),
        Check(
            "Lambda quota",
            lambda: check_lambda_quota(stack, open_client("service-quotas")),
            "servicequotas:GetServiceQuota",
        ),
        Check(
            "Fargate quota",
            lambda: check_fargate_quota(stack, open_client("service-quotas")),
            "servicequotas:GetServiceQuota",
        ),
        Check("Security Hub", lambda: check_security_hub(stack, open_client), "securityhub:DescribeHub"),
        Check(
            "network",
            lambda: check_network(stack, open_client("ec2")),
            "ec2:DescribeSubnets, ec2:DescribeRouteTables and ec2:DescribeVpcEndpoints",
        ),
    ]


def check_credentials(sts: Any) -> Iterator[Result]:
    identity = sts.get_caller_identity()
    yield Result.ok(f"account {identity['Account']} as {identity['Arn']}")


def check_stack_status(stack: DeployedStack) -> Iterator[Result]:
    events = f"aws cloudformation describe-stack-events --stack-name {stack.name}"
    if stack.status.endswith("_IN_PROGRESS"):
        yield Result.warning(f"the stack is {stack.status}", "wait until the deployment ends")
    elif stack.status == "UPDATE_ROLLBACK_COMPLETE":
        yield Result.warning("the last deployment failed, and the version before it runs", events)
    elif stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
        yield Result.ok(f"the stack is {stack.status}")
    else:
        yield Result.problem(f"the stack is {stack.status}", events)


def check_version(stack: DeployedStack) -> Iterator[Result]:
    """The stack and this command are of one version."""
    sentence, _, remedy = describe_difference(stack.name, stack.outputs.get("Version")).rpartition(": ")
    if sentence:
        yield Result.warning(sentence, remedy)
    else:
        yield Result.ok(f"the stack and this command have version {VERSION}")


def check_waiting(stack: DeployedStack, cloudwatch: Any, now: datetime) -> Iterator[Result]:
    """The oldest message of no queue is older than its alarm allows."""
    names, queries = list_work_queues(stack.outputs), []
    for number, name in enumerate(names):
        dimensions = {"QueueName": stack.outputs[f"{name}Url"].rpartition("/")[2]}
        queries.append(_metric(f"q{number}", "AWS/SQS", "ApproximateAgeOfOldestMessage", dimensions, "Maximum"))
    ages = _read_metrics(cloudwatch, queries, now - AGE_WINDOW, now)
    late = False
    for number, name in enumerate(names):
        values = ages.get(f"q{number}", [])
        is_shard_queue = name in SHARD_QUEUES
        limit = stack.number(
            *(("AlarmShardWaitingSeconds", 21_600) if is_shard_queue else ("AlarmWaitingSeconds", 900))
        )
        if values and values[0] > limit:
            late = True
            section = "ShardsWait" if is_shard_queue else "WorkWaits"
            yield Result.warning(
                f"the oldest message of {name} waits for {values[0]:.0f} s, longer than {limit} s",
                f"docs/runbook.md, {section}",
            )
    if not late:
        yield Result.ok("no message waits too long")


def check_tick(stack: DeployedStack, cloudformation: Any, cloudwatch: Any, now: datetime) -> Iterator[Result]:
    """on_minute_passed ran."""
    resource = cloudformation.describe_stack_resource(StackName=stack.name, LogicalResourceId="OnMinutePassed")
    function = resource["StackResourceDetail"]["PhysicalResourceId"]
    query = _metric("tick", "AWS/Lambda", "Invocations", {"FunctionName": function}, "Sum")
    calls = sum(_read_metrics(cloudwatch, [query], now - SILENT_AFTER, now).get("tick", []))
    minutes = int(SILENT_AFTER.total_seconds() // 60)
    if calls:
        yield Result.ok(f"on_minute_passed ran {calls:.0f} times in the last {minutes} minutes")
    else:
        yield Result.problem(
            f"on_minute_passed did not run in the last {minutes} minutes",
            "enable its EventBridge rule, or deploy again; docs/runbook.md, TickSilent",
        )


def check_images(stack: DeployedStack, ecr: Any) -> Iterator[Result]:
    """The images that the workers run exist."""
    if stack.number("MaxWorkers", 1) == 0:
        yield Result.ok("MaxWorkers is 0: no worker starts")
        return
    registry, _, repository = stack.outputs["WorkerRepositoryUri"].partition("/")
    for lane in ("connect", "raw"):
        tag = f"{stack.parameters['WorkerImageTag']}-{lane}"
        try:
            ecr.describe_images(
                registryId=registry.partition(".")[0], repositoryName=repository, imageIds=[{"imageTag": tag}]
            )
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "ImageNotFoundException":
                raise
            remedy = f"push the image as {registry}/{repository}:{tag}, or set WorkerImageTag; docs/deploying.md"
            yield Result.problem(f"the image {tag} is not in the repository: workers of this lane do not start", remedy)
        else:
            yield Result.ok(f"the image {tag} exists")


def check_lambda_quota(stack: DeployedStack, quotas: Any) -> Iterator[Result]:
    needed = stack.number("ExpressConcurrency", 20) + OTHER_EXECUTIONS
    yield _compare_quota(quotas, LAMBDA_QUOTA, needed, "ExpressConcurrency")


def check_fargate_quota(stack: DeployedStack, quotas: Any) -> Iterator[Result]:
    """MaxWorkers may run at once; on demand as well, where Spot has no room."""
    needed = -(-stack.number("MaxWorkers", 20) * stack.number("WorkerCpu", 512) // 1024)
    yield _compare_quota(quotas, ON_DEMAND_QUOTA, needed, "MaxWorkers")
    if stack.parameters.get("WorkerSpot", "enabled") == "enabled":
        yield _compare_quota(quotas, SPOT_QUOTA, needed, "MaxWorkers")


def _compare_quota(quotas: Any, quota: tuple[str, str, str], needed: int, parameter: str) -> Result:
    service, code, title = quota
    value = _read_quota(quotas, service, code)
    if value >= needed:
        return Result.ok(f"the account may use {value:.0f} {title}; the stack needs {needed}")
    return Result.warning(
        f"the account may use {value:.0f} {title}, and the stack up to {needed}",
        f"aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} "
        f"--desired-value {needed}; or lower {parameter}",
    )


def _read_quota(quotas: Any, service: str, code: str) -> float:
    """The quota of the account, or AWS's default where the account has none of its own."""
    try:
        response = quotas.get_service_quota(ServiceCode=service, QuotaCode=code)
    except ClientError as exc:
        if exc.response["Error"]["Code"] != "NoSuchResourceException":
            raise
        response = quotas.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)
    return float(response["Quota"]["Value"])


def check_security_hub(stack: DeployedStack, open_client: OpenClient) -> Iterator[Result]:
    """Security Hub is enabled, if the stack imports findings into it."""
    if stack.parameters.get("SecurityHub", "disabled") != "enabled":
        return
    try:
        open_client("securityhub").describe_hub()
    except ClientError as exc:
        if exc.response["Error"]["Code"] not in HUB_IS_MISSING:
            raise
        yield Result.problem(
            "AWS Security Hub is not enabled in this account and Region: no finding is imported",
            "aws securityhub enable-security-hub --no-enable-default-standards; or deploy with SecurityHub=disabled",
        )
    else:
        yield Result.ok("findings are imported into AWS Security Hub, which is enabled")


def check_network(stack: DeployedStack, ec2: Any) -> Iterator[Result]:
    """The subnets of the workers exist, and lead to AWS as WorkerPublicIp says."""
    subnet_ids = _split_list(stack.parameters.get("WorkerSubnets", ""))
    if not subnet_ids:
        yield Result.ok("workers run in the network of the stack")
        return
    filters = [{"Name": "subnet-id", "Values": subnet_ids}]  # with SubnetIds, one that is missing fails the call
    vpc_by_subnet = {subnet["SubnetId"]: subnet["VpcId"] for subnet in ec2.describe_subnets(Filters=filters)["Subnets"]}
    if missing := [name for name in subnet_ids if name not in vpc_by_subnet]:
        yield Result.problem(f"no such subnet: {', '.join(missing)}", "deploy with WorkerSubnets that exist")
    is_public = stack.parameters.get("WorkerPublicIp", "ENABLED") == "ENABLED"
    for subnet, vpc in vpc_by_subnet.items():
        gateway = _find_default_gateway(ec2, subnet, vpc)
        if is_public:
            yield _judge_public_subnet(subnet, gateway)
        else:
            yield _judge_private_subnet(subnet, gateway, () if gateway else _find_missing_endpoints(ec2, vpc))


def _split_list(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _judge_public_subnet(subnet: str, gateway: str) -> Result:
    if gateway.startswith("igw-"):
        return Result.ok(f"{subnet} has a route to the internet")
    return Result.problem(
        f"{subnet} has no route to an internet gateway, and workers have public addresses: they cannot reach AWS",
        "add the route, or deploy with WorkerPublicIp=DISABLED",
    )


def _judge_private_subnet(subnet: str, gateway: str, missing_endpoints: Sequence[str]) -> Result:
    if gateway.startswith("igw-"):
        return Result.problem(
            f"{subnet} leads to an internet gateway, and workers have no public address: they cannot reach AWS",
            "use subnets with a NAT gateway, or deploy with WorkerPublicIp=ENABLED",
        )
    if gateway:
        return Result.ok(f"{subnet} has a default route through {gateway}")
    if missing_endpoints:
        return Result.problem(
            f"{subnet} has no default route, and its VPC no endpoint for {', '.join(missing_endpoints)}",
            "add a NAT gateway, or these endpoints",
        )
    return Result.ok(f"{subnet} has no default route, and its VPC has the endpoints that workers need")


def _find_default_gateway(ec2: Any, subnet: str, vpc: str) -> str:
    """The id of what the subnet's default route leads to; empty: it has none that works."""
    tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"]
    if not tables:  # then the main table of the VPC counts
        main = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
        tables = ec2.describe_route_tables(Filters=main)["RouteTables"]
    for route in (route for table in tables for route in table.get("Routes", ())):
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole":
            targets = ("GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId")
            return next((route[target] for target in targets if route.get(target)), "")
    return ""


def _find_missing_endpoints(ec2: Any, vpc: str) -> list[str]:
    """Services that workers call and that the VPC has no endpoint for."""
    response = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    names = [endpoint["ServiceName"] for endpoint in response["VpcEndpoints"] if endpoint["State"] == "available"]
    return [service for service in ENDPOINTS if not any(name.endswith(f".{service}") for name in names)]


def _metric(query_id: str, namespace: str, name: str, dimensions: Mapping[str, str], statistic: str) -> dict[str, Any]:
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": METRIC_PERIOD_S, "Stat": statistic}}


def _read_metrics(
    cloudwatch: Any, queries: Sequence[Mapping[str, Any]], start: datetime, end: datetime
) -> dict[str, list[float]]:
    """The values of each query, the newest first."""
    response = cloudwatch.get_metric_data(
        MetricDataQueries=list(queries), StartTime=start, EndTime=end, ScanBy="TimestampDescending"
    )
    return {result["Id"]: list(result["Values"]) for result in response["MetricDataResults"]}
