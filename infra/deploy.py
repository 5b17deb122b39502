"""Deploys the stack, or removes it, with the tools that a person would use: aws, sam, and docker or podman.

    make deploy STACK=cascan ALLOWED=scanme.nmap.org,45.33.32.156        docs/deploying.md says what each step does
    make destroy STACK=cascan
    make deploy-vantage STACK=cascan VANTAGE=office SUBNETS=subnet-1 SECURITY_GROUPS=sg-1        docs/vantages.md

Settings come from the environment (class Settings). Every step may be repeated: what is there already is left as it is.
Ends with exit code 2 and one sentence when something is missing, and with a tool's own exit code when that fails.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = "infra/worker/Dockerfile"
TARGETS = ("connect", "raw")
MAX_STACK_NAME = 30  # the stack's schedule group adds to it, and may have 64 characters
STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
TAG_DIGITS = 12
SINGLE_EXECUTIONS = 2  # functions that reserve one execution each
UNRESERVED_EXECUTIONS = 100  # AWS keeps these for functions that reserve none
IDLE_COST = "about $5 a month for queues that are polled, alarms and metrics"
VANTAGE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,26}[a-z0-9])?")  # as infra/vantage.yaml has it
RESERVED_VANTAGES = ("default", "express")
VANTAGE_OUTPUTS = (  # of the stack, each a parameter of infra/vantage.yaml
    "ScanTableName",
    "ReportBucketName",
    "ReturnedShardQueueUrl",
    "ScanBusName",
    "ParkedShardsArn",
    "OnShardAbandonedName",
)
VANTAGE_TAKES = (  # parameters of the stack that a vantage has, too, unless PARAMETERS says otherwise
    "AllowedTargets",
    "DeniedTargets",
    "WorkerImageTag",
    "NmapCommand",
    "PythonRuntime",
    "ShardDeliveries",
    "ShardTimeoutSeconds",
    "LogRetentionDays",
    "AlarmTopicArn",
)
QUEUES_TAKE = (
    "MainStackName",
    "VantageName",
    "ShardDeliveries",
    "ParkedShardsArn",
    "OnShardAbandonedName",
    "ShardWaitingSeconds",
)
VANTAGE_IDLE_COST = "about $0.90 a month for two queues that are polled, a launcher and three alarms"
PRICES = "functions/cascan/cost/prices.json"
HOURS_A_MONTH = 730
ENDPOINTS = 4  # that infra/network.yaml makes, each in one zone; those of S3 and DynamoDB are free
MADE_NETWORKS = ("public", "nat", "endpoints")
NETWORKS = (*MADE_NETWORKS, "subnets")
INSTALL = {
    "aws": "The AWS CLI is not installed: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html.",
    "sam": "The SAM CLI is not installed: run 'make .venv-sam/.ready', or pip install aws-sam-cli.",
    "make": "make is not installed: sam build needs it for functions and layers.",
    "docker": "Neither docker nor podman is installed: one builds the worker images. MAX_WORKERS=0 needs none.",
}


class Refused(Exception):
    """Nothing was changed, or nothing more: the sentence says what to do."""


@dataclass(frozen=True)
class Settings:
    """Variables of the environment, in upper case: STACK, ALLOWED, … An empty one is as good as none."""

    stack: str = ""
    allowed: str = ""  # AllowedTargets; needed at the first deployment
    denied: str = ""  # DeniedTargets
    network: str = ""  # WorkerNetwork: public, nat, endpoints, subnets
    subnets: str = ""  # WorkerSubnets
    security_groups: str = ""  # WorkerSecurityGroups
    public_ip: str = ""  # WorkerPublicIp
    max_workers: str = ""  # MaxWorkers
    parameters: str = ""  # more of the template's, as in "PolicyProfile=intrusive MaxWorkers=5"
    python_version: str = "3.13"
    nmap_version: str = ""  # that of layers/nmap/packages.lock, if empty
    tag: str = ""  # of the images; computed from what they hold, if empty
    debian: str = "debian:bookworm-slim"  # base of the images; looked up, unless it has a digest
    confirm: str = ""  # "yes": do not ask
    vantage: str = ""  # of deploy-vantage: its name
    vantage_region: str = ""  # where its workers run; empty: in the Region of the stack
    vantage_networks: str = ""  # VantageNetworks: what its subnets reach

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Raises: Refused: STACK is no name of a stack."""
        names = [name for name in cls.__dataclass_fields__ if environment.get(name.upper())]
        settings = cls(**{name: environment[name.upper()].strip() for name in names})
        if not STACK_NAME.fullmatch(settings.stack) or len(settings.stack) > MAX_STACK_NAME:
            raise Refused(
                f"Set STACK to a name of letters, digits and hyphens, at most {MAX_STACK_NAME}: STACK=cascan."
            )
        return settings

    @property
    def images_stack(self) -> str:
        return f"{self.stack}-images"


@dataclass(frozen=True)
class Tools:
    """Runs programs with the region in their environment."""

    environment: Mapping[str, str]

    def run(self, *command: str, stdin: str | None = None, **variables: str) -> None:
        """Raises: SystemExit: with the program's exit code. The program has printed what is wrong."""
        print("+", *command, file=sys.stderr)
        ran = subprocess.run(
            command, cwd=ROOT, env={**self.environment, **variables}, input=stdin, text=True, check=False
        )
        if ran.returncode != 0:
            raise SystemExit(ran.returncode)

    def ask(self, *command: str) -> str:
        """What the program prints. Raises: Refused: it failed; its own last line says why."""
        ran = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            problem = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
            raise Refused(f"{' '.join(command[:3])}: {problem}")
        return ran.stdout.strip()

    def ask_or_nothing(self, *command: str) -> str:
        try:
            return self.ask(*command)
        except Refused:
            return ""

    def succeeds(self, *command: str) -> bool:
        ran = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, check=False)
        return ran.returncode == 0

    def describe_stack(self, name: str) -> dict[str, Any] | None:
        """The parameters and outputs of a stack, None if there is none. Raises: Refused: AWS does not tell."""
        command = ("aws", "cloudformation", "describe-stacks", "--stack-name", name, "--output", "json")
        ran = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            (stack,) = json.loads(ran.stdout)["Stacks"]
            return {
                "Parameters": {p["ParameterKey"]: p["ParameterValue"] for p in stack.get("Parameters", [])},
                "Outputs": {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])},
            }
        if "does not exist" in ran.stderr:
            return None
        raise Refused(f"The stack {name} cannot be described: {ran.stderr.strip()}")


def open_tools(needed: Sequence[str]) -> Tools:
    """Raises: Refused: a tool, credentials or a region are missing."""
    for name in needed:
        if not (shutil.which(name) or (name == "docker" and shutil.which("podman"))):
            raise Refused(INSTALL[name])
    environment = dict(os.environ) | {"AWS_PAGER": "", "SAM_CLI_TELEMETRY": "0"}
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        region = Tools(environment).ask_or_nothing("aws", "configure", "get", "region")
    if not region:
        raise Refused("No region is configured: set AWS_REGION=eu-central-1 or the like, or run 'aws configure'.")
    tools = Tools(environment | {"AWS_REGION": region, "AWS_DEFAULT_REGION": region})
    if not tools.succeeds("aws", "sts", "get-caller-identity"):
        raise Refused("AWS does not accept your credentials: run 'aws sts get-caller-identity' to see why.")
    return tools


def confirm(question: str, settings: Settings) -> None:
    """Raises: Refused: the answer is not yes, or there is no terminal to ask on."""
    if settings.confirm == "yes":
        return
    if not sys.stdin.isatty():
        raise Refused("There is no terminal to ask for confirmation: set CONFIRM=yes.")
    if input(f"{question} [yes/no] ").strip().lower() not in ("y", "yes"):
        raise Refused("Nothing was changed.")


# ==== deploy ==========================================================================================================
def deploy(settings: Settings) -> None:
    builds_images = settings.max_workers != "0"
    tools = open_tools(["aws", "sam", "make", *(["docker"] if builds_images else [])])
    deployed = tools.describe_stack(settings.stack)
    parameters = choose_parameters(settings, deployed, tools)
    print(f"Stack {settings.stack} in {tools.environment['AWS_REGION']}:")
    print(f"  may scan   {parameters['AllowedTargets']}")
    print(f"  network    {describe_network(parameters['WorkerNetwork'], read_prices())}")
    print(f"  idle cost  {IDLE_COST}")
    confirm("Deploy?", settings)

    tools.run(
        *("aws", "cloudformation", "deploy", "--stack-name", settings.images_stack),
        *("--template-file", "infra/bootstrap.yaml", "--no-fail-on-empty-changeset"),
    )
    if not tools.succeeds("aws", "iam", "get-role", "--role-name", "AWSServiceRoleForECS"):
        tools.run("aws", "iam", "create-service-linked-role", "--aws-service-name", "ecs.amazonaws.com")
    images = tools.describe_stack(settings.images_stack)
    if images is None:
        raise Refused(f"The stack {settings.images_stack} is not there: was it removed at the same time?")
    repository = images["Outputs"]["WorkerRepositoryUri"]
    parameters["WorkerRepositoryName"] = images["Outputs"]["WorkerRepositoryName"]
    if builds_images:
        base = "" if settings.tag else resolve_base(tools, settings.debian)
        parameters["WorkerImageTag"] = settings.tag or compute_tag(settings.nmap_version, base)
        push_images(tools, repository, parameters["WorkerImageTag"], base or settings.debian, settings.nmap_version)
    build = {"PYTHON_VERSION": settings.python_version}
    if settings.nmap_version:
        build["NMAP_VERSION"] = parameters["NmapVersion"] = settings.nmap_version
    tools.run("sam", "build", **build)
    overrides = [f'{name}="{value}"' for name, value in sorted(parameters.items())]
    tools.run(
        *("sam", "deploy", "--stack-name", settings.stack, "--resolve-s3", "--no-confirm-changeset"),
        *("--no-fail-on-empty-changeset", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        *("--tags", f"cascan-stack={settings.stack}"),  # MonthlyBudgetUsd counts by it
        *("--parameter-overrides", *overrides),
    )
    if parameters["WorkerNetwork"] == "endpoints":
        print("Connect the networks to be scanned to the VPC of the output WorkerVpcId: docs/deploying.md says how.")
    first_target = parameters["AllowedTargets"].split(",")[0].strip()
    print(f"\nDeployed. Your first scan: cascan scan {first_target} --stack {settings.stack}")
    print("(The first findings of a new stack may take five minutes longer: S3 needs as long to begin to send events.)")


def choose_parameters(settings: Settings, deployed: Mapping[str, Any] | None, tools: Tools) -> dict[str, str]:
    """Those that are set; SAM keeps the others as they were deployed. Raises: Refused."""
    previous: Mapping[str, str] = deployed["Parameters"] if deployed else {}
    parameters = dict(read_pair(pair) for pair in settings.parameters.split())
    named = {
        "AllowedTargets": settings.allowed or previous.get("AllowedTargets", ""),
        "DeniedTargets": settings.denied,
        "WorkerSubnets": settings.subnets,
        "WorkerSecurityGroups": settings.security_groups,
        "WorkerPublicIp": settings.public_ip,
        "MaxWorkers": settings.max_workers,
    }
    parameters |= {name: value for name, value in named.items() if value}
    if not parameters.get("AllowedTargets"):
        raise Refused("Set ALLOWED to what may be scanned, with permission: ALLOWED=scanme.nmap.org,45.33.32.156.")
    parameters |= choose_network(settings, parameters, previous)
    if parameters["WorkerNetwork"] in MADE_NETWORKS:
        refuse_unreachable_targets(parameters["AllowedTargets"], parameters["WorkerNetwork"])
        denied = parameters.get("DeniedTargets", previous.get("DeniedTargets", ""))
        egress = compute_egress(parameters["AllowedTargets"], denied, parameters["WorkerNetwork"], tools)
        parameters.setdefault("WorkerEgress", egress)
    parameters["PythonRuntime"] = f"python{settings.python_version}"
    parameters.setdefault("SingleExecutions", choose_single_executions(previous, tools))
    return parameters


def read_pair(pair: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not name or not equals:
        raise Refused(
            f"PARAMETERS has {pair!r}, which is not Name=value: as in PARAMETERS='MaxWorkers=5 RawScans=disabled'."
        )
    return name, value


def choose_network(settings: Settings, parameters: Mapping[str, str], previous: Mapping[str, str]) -> dict[str, str]:
    """WorkerNetwork, and what it needs. What is not set stays as it was deployed. Raises: Refused."""
    asked = settings.network or parameters.get("WorkerNetwork", "")
    if asked and asked not in NETWORKS:
        raise Refused(f"NETWORK={asked} is unknown: it is one of {', '.join(NETWORKS)}.")
    named = parameters.get("WorkerSubnets", "")
    if asked in MADE_NETWORKS:
        if named:
            raise Refused(f"NETWORK={asked} makes subnets of its own: leave SUBNETS unset, or set NETWORK=subnets.")
        return {"WorkerNetwork": asked, "WorkerSubnets": "", "WorkerSecurityGroups": ""}
    subnets = named or previous.get("WorkerSubnets", "")
    if subnets:
        if not parameters.get("WorkerSecurityGroups", previous.get("WorkerSecurityGroups")):
            raise Refused("Set SECURITY_GROUPS too, to security groups of the VPC of SUBNETS.")
        return {"WorkerNetwork": "subnets", "WorkerSubnets": subnets}
    if asked == "subnets":
        raise Refused("NETWORK=subnets needs SUBNETS=subnet-… and SECURITY_GROUPS=sg-….")
    return {"WorkerNetwork": previous.get("WorkerNetwork", "public")}


def read_prices() -> dict[str, float]:
    """The US dollars of each price, by its name."""
    document = json.loads((ROOT / PRICES).read_text())
    entries = document["prices"] | document["networkPrices"]
    return {name: entry["usd"] for name, entry in entries.items()}


def describe_network(network: str, prices: Mapping[str, float]) -> str:
    """The network, and what it costs while nothing is scanned."""
    address = prices["publicIpv4Hour"]
    nat = (prices["natGatewayHour"] + address) * HOURS_A_MONTH
    endpoints = ENDPOINTS * prices["endpointHour"] * HOURS_A_MONTH
    descriptions = {
        "public": f"$0 idle: a VPC with public addresses, at ${address:g} an hour for each worker that runs",
        "nat": f"${nat:.2f} a month idle: a VPC with a NAT gateway and its fixed address, beside its price for each GB",
        "endpoints": f"${endpoints:.2f} a month idle: a VPC without internet, with {ENDPOINTS} endpoints in one zone",
        "subnets": "$0 from this stack; your NAT gateway or endpoints cost what they cost now",
    }
    return descriptions[network]


def refuse_unreachable_targets(allowed: str, network: str) -> None:
    """A VPC of the stack leads to the internet alone, or not at all to it. Raises: Refused: names the targets."""
    private: list[str] = []
    public: list[str] = []
    for entry in filter(None, (entry.strip() for entry in allowed.split(","))):
        try:
            addresses = ip_network(entry, strict=False)
        except ValueError:
            continue  # a domain
        is_private = addresses.is_private or not addresses.is_global
        (private if is_private else public).append(entry)
    if private and network != "endpoints":
        raise Refused(
            f"{', '.join(private)}: not on the internet, so reached only from your own subnets with a route there: "
            "set SUBNETS=subnet-… SECURITY_GROUPS=sg-…, and PUBLIC_IP=DISABLED if they have a NAT gateway or endpoints."
            " Or set NETWORK=endpoints, and connect those networks to the VPC that the stack makes."
        )
    if public and network == "endpoints":
        raise Refused(
            f"{', '.join(public)}: on the internet, to which NETWORK=endpoints has no route: set NETWORK=public, or "
            "NETWORK=nat for a fixed address."
        )


def compute_egress(allowed: str, denied: str, network: str, tools: Tools) -> str:
    """WorkerEgress, as `cascan egress` prints it. Raises: Refused: names its reason."""
    deny = ("--deny", denied) if denied else ()
    return tools.ask(sys.executable, "-m", "cascan_cli.main", "egress", allowed, *deny, "--network", network)


def choose_single_executions(previous: Mapping[str, str], tools: Tools) -> str:
    """Whether the account has two executions to reserve; what was reserved before stays."""
    if previous.get("SingleExecutions") == "enabled":
        return "enabled"
    question = ("--query", "AccountLimit.UnreservedConcurrentExecutions", "--output", "text")
    unreserved = tools.ask("aws", "lambda", "get-account-settings", *question)
    enough = unreserved.isdigit() and int(unreserved) >= UNRESERVED_EXECUTIONS + SINGLE_EXECUTIONS
    return "enabled" if enough else "disabled"


def find_builder() -> str:
    return "docker" if shutil.which("docker") else "podman"


def resolve_base(tools: Tools, image: str) -> str:
    """The base image by its digest, as it is now. Raises: SystemExit, Refused: it cannot be pulled, or has none."""
    if "@sha256:" in image:
        return image
    builder = find_builder()
    tools.run(builder, "pull", "--quiet", "--platform", "linux/amd64", image)
    return tools.ask(builder, "image", "inspect", "--format", "{{index .RepoDigests 0}}", image)


def compute_tag(nmap_version: str, base: str) -> str:
    """The same for the same images: of base image, Dockerfile, the functions' code and packages, and nmap's version."""
    digest = hashlib.sha256(f"{nmap_version}\0{base}\0".encode())
    skipped = ("__pycache__", ".egg-info")
    files = [path for path in (ROOT / "functions").rglob("*") if path.is_file()]
    for path in [ROOT / DOCKERFILE, *sorted(files)]:
        name = path.relative_to(ROOT).as_posix()
        if not any(part.endswith(skipped) for part in path.parts):
            digest.update(f"{name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:TAG_DIGITS]


def push_images(tools: Tools, repository: str, tag: str, base: str, nmap_version: str) -> None:
    """Builds and pushes the image of each target, unless the repository has it."""
    registry, _, name = repository.partition("/")
    missing = [target for target in TARGETS if not has_image(tools, name, f"{tag}-{target}")]
    if not missing:
        print(f"The images {tag} are in {repository} already.", file=sys.stderr)
        return
    builder = find_builder()
    base = resolve_base(tools, base)
    password = tools.ask("aws", "ecr", "get-login-password")
    tools.run(builder, "login", "--username", "AWS", "--password-stdin", registry, stdin=password)
    version = ("--build-arg", f"NMAP_VERSION={nmap_version}") if nmap_version else ()
    for target in missing:
        image = f"{repository}:{tag}-{target}"
        tools.run(
            *(builder, "build", "--platform", "linux/amd64", "-f", DOCKERFILE, *version),
            *("--target", target, "--build-arg", f"DEBIAN={base}", "-t", image, "."),
        )
        tools.run(builder, "push", image)


def has_image(tools: Tools, repository: str, tag: str) -> bool:
    command = ("aws", "ecr", "describe-images", "--repository-name", repository, "--image-ids", f"imageTag={tag}")
    return tools.succeeds(*command)


# ==== vantage =========================================================================================================
def deploy_vantage(settings: Settings) -> None:
    """Deploys the workers of a vantage, in the Region of the stack or in another one."""
    tools = open_tools(["aws", "sam", "make"])
    stack_region = tools.environment["AWS_REGION"]
    region = settings.vantage_region or stack_region
    stack = tools.describe_stack(settings.stack)
    if stack is None:
        raise Refused(f"There is no stack {settings.stack} in {stack_region}: deploy it first.")
    parameters = choose_vantage_parameters(settings, stack, stack_region)
    name = f"{settings.stack}-vantage-{settings.vantage}"
    print(f"Vantage {settings.vantage} of the stack {settings.stack}:")
    print(f"  workers    in {region}, in {settings.subnets}")
    print(f"  idle cost  {VANTAGE_IDLE_COST}")
    confirm("Deploy?", settings)

    if region != stack_region:
        parameters.pop("AlarmTopicArn", None)  # an alarm notifies a topic of its own Region
        tools.run(
            *("aws", "cloudformation", "deploy", "--stack-name", f"{name}-queues", "--no-fail-on-empty-changeset"),
            *("--template-file", "infra/vantage_queues.yaml", "--parameter-overrides"),
            *sorted(choose_queue_parameters(parameters, stack)),
        )
    build = (".aws-sam/vantage", "infra/vantage.yaml")
    tools.run(
        "sam", "build", "--build-dir", build[0], "--template-file", build[1], PYTHON_VERSION=python_of(parameters)
    )
    overrides = [f'{key}="{value}"' for key, value in sorted(parameters.items())]
    tools.run(
        *("sam", "deploy", "--template-file", f"{build[0]}/template.yaml", "--stack-name", name, "--resolve-s3"),
        *("--region", region, "--no-confirm-changeset", "--no-fail-on-empty-changeset"),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        *("--tags", f"cascan-stack={settings.stack}"),
        *("--parameter-overrides", *overrides),
        AWS_REGION=region,
        AWS_DEFAULT_REGION=region,
    )
    question = "Stacks[0].Outputs[?OutputKey=='AddCommand'].OutputValue"
    described = ("aws", "cloudformation", "describe-stacks", "--stack-name", name, "--region", region)
    command = tools.ask(*described, "--query", question, "--output", "text")
    print(f"\nDeployed. Make it known to the stack, once: {command}")


def choose_vantage_parameters(settings: Settings, stack: Mapping[str, Any], stack_region: str) -> dict[str, str]:
    """What infra/vantage.yaml needs of the stack, and what is set. Raises: Refused: names what is missing."""
    if not VANTAGE_NAME.fullmatch(settings.vantage) or settings.vantage in RESERVED_VANTAGES:
        reserved = " and ".join(RESERVED_VANTAGES)
        raise Refused(f"Set VANTAGE to a name of 1 to 28 of a-z, 0-9 and '-', but {reserved}: VANTAGE=office.")
    if not settings.subnets or not settings.security_groups:
        raise Refused("Set SUBNETS=subnet-… and SECURITY_GROUPS=sg-… to where the workers of the vantage run.")
    outputs = stack["Outputs"]
    missing = [name for name in (*VANTAGE_OUTPUTS, "WorkerRepositoryUri") if not outputs.get(name)]
    if missing:
        raise Refused(f"The stack {settings.stack} has no output {missing[0]}: deploy this version of it first.")
    parameters = {name: stack["Parameters"][name] for name in VANTAGE_TAKES if stack["Parameters"].get(name)}
    parameters |= {name: outputs[name] for name in VANTAGE_OUTPUTS}
    waiting_s = stack["Parameters"].get("AlarmShardWaitingSeconds", "")
    named = {
        "MainStackName": settings.stack,
        "StackRegion": stack_region,
        "WorkerRepositoryName": outputs["WorkerRepositoryUri"].partition("/")[2],
        "VantageName": settings.vantage,
        "VantageNetworks": settings.vantage_networks.replace(" ", ""),
        "WorkerSubnets": settings.subnets,
        "WorkerSecurityGroups": settings.security_groups,
        "WorkerPublicIp": settings.public_ip,
        "MaxWorkers": settings.max_workers,
        "ShardWaitingSeconds": waiting_s,
    }
    parameters |= {name: value for name, value in named.items() if value}
    return parameters | dict(read_pair(pair) for pair in settings.parameters.split())


def choose_queue_parameters(parameters: Mapping[str, str], stack: Mapping[str, Any]) -> list[str]:
    """Those of infra/vantage_queues.yaml, as pairs Name=value. Its alarms are in the Region of the stack."""
    pairs = [f"{name}={parameters[name]}" for name in QUEUES_TAKE if name in parameters]
    topic = stack["Parameters"].get("AlarmTopicArn", "")
    return [*pairs, f"AlarmTopicArn={topic}"] if topic else pairs


def python_of(parameters: Mapping[str, str]) -> str:
    return parameters.get("PythonRuntime", "python3.13").removeprefix("python")


# ==== destroy =========================================================================================================
def destroy(settings: Settings) -> None:
    tools = open_tools(["aws", "sam"])
    deployed = tools.describe_stack(settings.stack)
    if deployed is None:
        raise Refused(f"There is no stack {settings.stack} in {tools.environment['AWS_REGION']}.")
    outputs = deployed["Outputs"]
    bucket, table = outputs.get("ReportBucketName", ""), outputs.get("ScanTableName", "")
    print(
        f"Removes the stack {settings.stack} in {tools.environment['AWS_REGION']}, its queues, logs and worker images."
    )
    print(f"Keeps the bucket {bucket} and the table {table}, with reports and findings.")
    confirm("Remove?", settings)
    if "ClusterName" in outputs:
        stop_workers(tools, settings.stack, outputs["ClusterName"])
    tools.run("sam", "delete", "--stack-name", settings.stack, "--no-prompts")
    tools.run("aws", "cloudformation", "delete-stack", "--stack-name", settings.images_stack)
    tools.run("aws", "cloudformation", "wait", "stack-delete-complete", "--stack-name", settings.images_stack)
    empty = f"b = boto3.resource('s3').Bucket('{bucket}'); b.object_versions.delete(); b.delete()"
    print(
        f"\nRemoved. Kept: the bucket {bucket} and the table {table}. To delete them, with everything that was found:"
    )
    print(f'  {sys.executable} -c "import boto3; {empty}"')
    print(f"  aws dynamodb update-table --table-name {table} --no-deletion-protection-enabled")
    print(f"  aws dynamodb delete-table --table-name {table}")


def stop_workers(tools: Tools, stack: str, cluster: str) -> None:
    """A cluster with running tasks cannot be deleted; a halted stack starts no others."""
    tools.run(sys.executable, "-m", "cascan_cli.main", "halt", "--stack", stack)
    listed = tools.ask("aws", "ecs", "list-tasks", "--cluster", cluster, "--query", "taskArns", "--output", "json")
    tasks = json.loads(listed or "[]") or []
    for task in tasks:
        tools.run(
            "aws",
            "ecs",
            "stop-task",
            "--cluster",
            cluster,
            "--task",
            task,
            "--output",
            "text",
            "--query",
            "task.taskArn",
        )
    for start in range(0, len(tasks), 100):  # as many as one call takes
        tools.run("aws", "ecs", "wait", "tasks-stopped", "--cluster", cluster, "--tasks", *tasks[start : start + 100])


def main(arguments: Sequence[str]) -> int:
    commands = {"deploy": deploy, "deploy-vantage": deploy_vantage, "destroy": destroy}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        commands[arguments[0]](Settings.read(os.environ))
    except Refused as exc:
        print(exc, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
