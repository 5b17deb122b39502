"""infra/deploy.py, with programs named aws, sam, docker … that record how they were called."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "infra" / "deploy.py"
URI = "1.dkr.ecr.eu-central-1.amazonaws.com/images-1"
BASE = "debian@sha256:" + 64 * "a"
# A shell starts in a tenth of Python's time, and a deployment calls fifteen programs
FAKE = """#!/bin/sh
stdin=
case " $* " in *" --password-stdin "*) stdin=$(/bin/cat) ;; esac
printf '%s\\0' {name} "$stdin" "$AWS_REGION" "$PYTHON_VERSION" "$NMAP_VERSION" $# "$@" >> {calls}
case "{name} $*" in
{answers}
esac
"""
ANSWER = """{begin}*) printf %s {out}; printf %s {err} >&2; exit {code} ;;"""
VARIABLES = ("AWS_REGION", "PYTHON_VERSION", "NMAP_VERSION")


@dataclass
class Call:
    name: str
    words: list[str]
    stdin: str
    variables: dict[str, str]

    @property
    def line(self) -> str:
        return " ".join([self.name, *self.words])


@dataclass
class World:
    """A machine with fake tools, and an account that answers as `answers` says: start of a command → code, out, err."""

    folder: Path
    answers: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    programs: set[str] = field(default_factory=set)

    def install(self, *names: str) -> None:
        self.programs.update(names)

    def remove(self, name: str) -> None:
        self.programs.remove(name)
        (self.folder / "bin" / name).unlink(missing_ok=True)

    def _write_programs(self) -> None:
        answers = "\n".join(
            ANSWER.format(begin=shlex.quote(begin), out=shlex.quote(out), err=shlex.quote(err), code=code)
            for begin, (code, out, err) in self.answers.items()
        )
        for name in self.programs:
            program = self.folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            calls = shlex.quote(str(self.calls_file))
            program.write_text(FAKE.format(name=shlex.quote(name), calls=calls, answers=answers))
            program.chmod(0o755)

    @property
    def calls_file(self) -> Path:
        return self.folder / "calls"

    def run(self, command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        self._write_programs()
        self.calls_file.unlink(missing_ok=True)
        environment = {
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder),
            "AWS_REGION": "eu-central-1",
            "CONFIRM": "yes",
            **settings,
        }
        return subprocess.run(
            [sys.executable, str(SCRIPT), command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )

    @property
    def calls(self) -> list[Call]:
        text = self.calls_file.read_text() if self.calls_file.exists() else ""
        fields, calls = iter(text.split("\0")[:-1]), []
        for name in fields:
            stdin, *variables = (next(fields) for _ in range(1 + len(VARIABLES)))
            words = [next(fields) for _ in range(int(next(fields)))]
            calls.append(Call(name, words, stdin, dict(zip(VARIABLES, variables, strict=True))))
        return calls

    def find(self, begin: str) -> list[Call]:
        return [call for call in self.calls if call.line.startswith(begin)]


def described(outputs: dict[str, str], parameters: dict[str, str] | None = None) -> tuple[int, str, str]:
    stack = {
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in (parameters or {}).items()],
    }
    return 0, json.dumps({"Stacks": [stack]}), ""


STACKS = "aws cloudformation describe-stacks --stack-name"
NO_STACK = (254, "", "An error occurred (ValidationError): Stack with id cascan does not exist\n")
DEPLOYED = described(
    {"ReportBucketName": "bucket-1", "ScanTableName": "table-1"}, {"AllowedTargets": "9.9.9.0/24", "WorkerSubnets": ""}
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty account: no stack, no images, no role of ECS, and ten executions of Lambda."""
    world = World(tmp_path)
    world.install("aws", "sam", "make", "docker")
    world.answers = {
        f"{STACKS} cascan-images": described({"WorkerRepositoryUri": URI, "WorkerRepositoryName": "images-1"}),
        f"{STACKS} cascan": NO_STACK,
        "aws iam get-role": (254, "", "NoSuchEntity\n"),
        "aws ecr describe-images": (254, "", "ImageNotFoundException\n"),
        "aws ecr get-login-password": (0, "secret\n", ""),
        "docker image inspect": (0, f"{BASE}\n", ""),
        "podman image inspect": (0, f"{BASE}\n", ""),
        "aws lambda get-account-settings": (0, "10\n", ""),
    }
    return world


def deploy(world: World, **settings: str) -> subprocess.CompletedProcess[str]:
    return world.run("deploy", **{"STACK": "cascan", "ALLOWED": "9.9.9.0/24"} | settings)


def overrides(world: World) -> dict[str, str]:
    (call,) = world.find("sam deploy")
    pairs = call.words[call.words.index("--parameter-overrides") + 1 :]
    return {name: value.strip('"') for name, _, value in (pair.partition("=") for pair in pairs)}


def test_the_first_deployment_makes_repository_images_and_stack_in_this_order(world: World) -> None:
    ran = deploy(world)

    assert ran.returncode == 0, ran.stderr
    changes = [
        "aws cloudformation deploy --stack-name cascan-images",
        "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com",
        "docker pull --quiet --platform linux/amd64 debian:bookworm-slim",
        "docker login --username AWS --password-stdin 1.dkr.ecr.eu-central-1.amazonaws.com",
        "docker build --platform linux/amd64 -f infra/worker/Dockerfile --target connect",
        f"docker push {URI}:",
        "docker build --platform linux/amd64 -f infra/worker/Dockerfile --target raw",
        f"docker push {URI}:",
        "sam build",
        "sam deploy --stack-name cascan --resolve-s3",
    ]
    made = [call for call in world.calls if any(call.line.startswith(change) for change in changes)]
    assert [call.line.startswith(change) for call, change in zip(made, changes, strict=True)] == [True] * len(changes)
    assert made[3].stdin.strip() == "secret"
    assert all("secret" not in call.line for call in world.calls)
    assert {call.variables["AWS_REGION"] for call in world.calls} == {"eu-central-1"}
    assert "cascan scan 9.9.9.0/24 --stack cascan" in ran.stdout


def test_the_stack_gets_the_repository_the_images_the_python_and_the_networks_that_fit(world: World) -> None:
    deploy(world, MAX_WORKERS="5", PARAMETERS="PolicyProfile=intrusive", NMAP_VERSION="7.94-1")

    given = overrides(world)
    (pushed, _) = world.find("docker push")
    assert pushed.words[1] == f"{URI}:{given.pop('WorkerImageTag')}-connect"
    assert given == {
        "AllowedTargets": "9.9.9.0/24",
        "MaxWorkers": "5",
        "NmapVersion": "7.94-1",
        "PolicyProfile": "intrusive",
        "PythonRuntime": "python3.13",
        "SingleExecutions": "disabled",
        "WorkerEgress": "9.9.9.0/24",
        "WorkerNetwork": "public",
        "WorkerRepositoryName": "images-1",
    }
    (build,) = world.find("sam build")
    assert (build.variables["PYTHON_VERSION"], build.variables["NMAP_VERSION"]) == ("3.13", "7.94-1")
    assert "NMAP_VERSION=7.94-1" in world.find("docker build")[0].words


def test_a_second_deployment_pushes_no_image_twice_and_keeps_what_may_be_scanned(world: World) -> None:
    world.answers |= {
        f"{STACKS} cascan": DEPLOYED,
        "aws ecr describe-images": (0, "", ""),
        "aws iam get-role": (0, "", ""),
    }
    ran = deploy(world, ALLOWED="")

    assert ran.returncode == 0, ran.stderr
    assert {call.line.split()[1] for call in world.find("docker")} == {"pull", "image"}
    assert not world.find("aws iam create")
    assert overrides(world)["AllowedTargets"] == "9.9.9.0/24"


def test_the_tag_of_the_images_is_the_same_for_the_same_content_and_another_for_another_nmap(world: World) -> None:
    tags = []
    for version in ("", "", "7.94-1"):
        deploy(world, NMAP_VERSION=version)
        tags.append(overrides(world)["WorkerImageTag"])

    assert tags[0] == tags[1] != tags[2]


def test_images_are_built_on_the_base_image_as_it_is_now_and_a_newer_one_gives_new_images(world: World) -> None:
    deploy(world)
    first = overrides(world)["WorkerImageTag"]
    assert all(f"DEBIAN={BASE}" in call.words for call in world.find("docker build"))
    newer = "debian@sha256:" + 64 * "b"
    world.answers["docker image inspect"] = (0, f"{newer}\n", "")
    deploy(world)
    assert overrides(world)["WorkerImageTag"] != first
    assert all(f"DEBIAN={newer}" in call.words for call in world.find("docker build"))


def test_a_base_image_with_a_digest_is_not_looked_up_and_neither_is_that_of_images_that_are_there(world: World) -> None:
    deploy(world, DEBIAN=BASE)
    assert not world.find("docker pull")
    assert all(f"DEBIAN={BASE}" in call.words for call in world.find("docker build"))

    world.answers["aws ecr describe-images"] = (0, "", "")
    deploy(world, TAG="2027-01")
    assert not world.find("docker")
    assert overrides(world)["WorkerImageTag"] == "2027-01"


@pytest.mark.parametrize(("unreserved", "expected"), [("10", "disabled"), ("101", "disabled"), ("102", "enabled")])
def test_executions_are_reserved_where_the_account_has_them(world: World, unreserved: str, expected: str) -> None:
    world.answers["aws lambda get-account-settings"] = (0, unreserved, "")
    deploy(world)

    assert overrides(world)["SingleExecutions"] == expected


def test_the_price_of_the_network_is_said_before_anything_is_made_and_without_a_yes_nothing_is(world: World) -> None:
    ran = deploy(world, CONFIRM="")

    assert ran.returncode == 2
    assert "$0 idle: a VPC with public addresses, at $0.005 an hour for each worker that runs" in ran.stdout
    assert "about $5 a month" in ran.stdout
    assert ran.stderr.strip() == "There is no terminal to ask for confirmation: set CONFIRM=yes."
    assert [call.line.split()[2] for call in world.calls] == [
        "get-caller-identity",
        "describe-stacks",
        "get-account-settings",
    ]


def test_private_targets_need_subnets_that_have_a_route_to_them(world: World) -> None:
    ran = deploy(world, ALLOWED="9.9.9.0/24,10.20.0.0/16,100.64.0.0/10,example.org")

    assert ran.returncode == 2
    assert ran.stderr.startswith(
        "10.20.0.0/16, 100.64.0.0/10: not on the internet, so reached only from your own subnets"
    )
    assert not world.find("sam")

    own = {"SUBNETS": "subnet-1,subnet-2", "SECURITY_GROUPS": "sg-1", "PUBLIC_IP": "DISABLED"}
    ran = deploy(world, ALLOWED="10.20.0.0/16", **own)
    assert ran.returncode == 0, ran.stderr
    assert overrides(world)["WorkerSubnets"] == "subnet-1,subnet-2"
    assert "WorkerEgress" not in overrides(world)
    assert "your NAT gateway or endpoints" in ran.stdout


@pytest.mark.parametrize(
    ("network", "allowed", "sentence"),
    [
        ("public", "9.9.9.0/24", "$0 idle: a VPC with public addresses"),
        ("nat", "9.9.9.0/24", "$36.50 a month idle: a VPC with a NAT gateway and its fixed address"),
        ("endpoints", "10.20.0.0/16", "$29.20 a month idle: a VPC without internet, with 4 endpoints in one zone"),
    ],
)
def test_the_stack_makes_the_network_that_is_named_whose_idle_price_is_said_first(
    world: World, network: str, allowed: str, sentence: str
) -> None:
    ran = deploy(world, NETWORK=network, ALLOWED=allowed)

    assert ran.returncode == 0, ran.stderr
    assert sentence in ran.stdout
    assert ("WorkerVpcId" in ran.stdout) == (network == "endpoints")
    given = overrides(world)
    assert (given["WorkerNetwork"], given["WorkerSubnets"], given["WorkerEgress"]) == (network, "", allowed)


def test_the_price_of_endpoints_is_that_of_as_many_as_the_template_makes() -> None:
    text = (ROOT / "infra" / "network.yaml").read_text()

    assert f"\nENDPOINTS = {text.count('VpcEndpointType: Interface')}  #" in SCRIPT.read_text()


def test_a_second_deployment_keeps_its_network_until_another_one_is_named(world: World) -> None:
    groups = {"WorkerSubnets": "subnet-1", "WorkerSecurityGroups": "sg-1"}
    world.answers[f"{STACKS} cascan"] = described({}, {"AllowedTargets": "9.9.9.0/24", "WorkerNetwork": "nat"})
    assert deploy(world).returncode == 0
    assert overrides(world)["WorkerNetwork"] == "nat"

    world.answers[f"{STACKS} cascan"] = described({}, {"AllowedTargets": "9.9.9.0/24", **groups})
    assert deploy(world).returncode == 0
    assert overrides(world)["WorkerNetwork"] == "subnets"
    assert deploy(world, NETWORK="nat").returncode == 0
    given = overrides(world)
    assert (given["WorkerNetwork"], given["WorkerSubnets"], given["WorkerSecurityGroups"]) == ("nat", "", "")


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("aws", "The AWS CLI is not installed"),
        ("sam", "The SAM CLI is not installed"),
        ("make", "make is not installed"),
        ("docker", "Neither docker nor podman is installed"),
    ],
)
def test_a_missing_tool_is_named_in_one_sentence_before_anything_is_called(
    world: World, missing: str, sentence: str
) -> None:
    world.remove(missing)
    ran = deploy(world)

    assert ran.returncode == 2
    assert ran.stderr.startswith(sentence)
    assert ran.stderr.count("\n") == 1
    assert not world.calls


def test_podman_builds_where_docker_is_not_and_nothing_builds_without_workers(world: World) -> None:
    world.remove("docker")
    world.install("podman")
    assert deploy(world).returncode == 0
    assert len(world.find("podman build")) == 2

    world.remove("podman")
    assert deploy(world, MAX_WORKERS="0").returncode == 0
    assert "WorkerImageTag" not in overrides(world)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"STACK": ""}, "Set STACK to a name"),
        ({"STACK": "a" * 31}, "at most 30"),
        ({"ALLOWED": ""}, "Set ALLOWED to what may be scanned"),
        ({"SUBNETS": "subnet-1"}, "Set SECURITY_GROUPS too"),
        ({"NETWORK": "private"}, "NETWORK=private is unknown: it is one of public, nat, endpoints, subnets"),
        ({"NETWORK": "subnets"}, "NETWORK=subnets needs SUBNETS"),
        ({"NETWORK": "nat", "SUBNETS": "subnet-1"}, "leave SUBNETS unset"),
        ({"NETWORK": "endpoints"}, "9.9.9.0/24: on the internet, to which NETWORK=endpoints has no route"),
        ({"NETWORK": "nat", "ALLOWED": "10.0.0.0/8"}, "10.0.0.0/8: not on the internet"),
        ({"PARAMETERS": "MaxWorkers"}, "'MaxWorkers', which is not Name=value"),
        ({"AWS_REGION": ""}, "No region is configured"),
        ({"ALLOWED": "999.1.1.1/8"}, "999.1.1.1/8"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named_and_nothing_is_changed(
    world: World, settings: dict[str, str], sentence: str
) -> None:
    ran = deploy(world, **settings)

    assert ran.returncode == 2
    assert sentence in ran.stderr
    assert not [call for call in world.calls if "deploy" in call.words or "build" in call.words]


def test_without_credentials_the_sentence_says_how_to_see_why(world: World) -> None:
    world.answers = {"aws sts": (255, "", "Unable to locate credentials\n")}
    ran = deploy(world)

    assert (ran.returncode, ran.stderr) == (
        2,
        "AWS does not accept your credentials: run 'aws sts get-caller-identity' to see why.\n",
    )


def test_a_step_that_fails_ends_the_deployment_with_its_exit_code(world: World) -> None:
    world.answers["docker build"] = (7, "", "no space\n")
    ran = deploy(world)

    assert ran.returncode == 7
    assert not world.find("sam")


def test_destroy_removes_both_stacks_and_names_what_it_keeps_with_the_commands_that_remove_it(world: World) -> None:
    world.answers[f"{STACKS} cascan"] = DEPLOYED
    ran = world.run("destroy", STACK="cascan")

    assert ran.returncode == 0, ran.stderr
    removals = [call.line for call in world.calls if "delete" in call.line]
    assert removals[:2] == [
        "sam delete --stack-name cascan --no-prompts",
        "aws cloudformation delete-stack --stack-name cascan-images",
    ]
    assert "Kept: the bucket bucket-1 and the table table-1" in ran.stdout
    assert "aws dynamodb delete-table --table-name table-1" in ran.stdout
    assert "Bucket('bucket-1'); b.object_versions.delete(); b.delete()" in ran.stdout


@pytest.mark.parametrize(("found", "confirmed", "sentence"), [
    (NO_STACK, "yes", "There is no stack cascan in eu-central-1."),
    (DEPLOYED, "", "There is no terminal to ask for confirmation: set CONFIRM=yes."),
])  # fmt: skip
def test_destroy_without_a_stack_or_without_a_yes_removes_nothing(
    world: World, found: Any, confirmed: str, sentence: str
) -> None:
    world.answers[f"{STACKS} cascan"] = found
    ran = world.run("destroy", STACK="cascan", CONFIRM=confirmed)

    assert (ran.returncode, ran.stderr.strip()) == (2, sentence)
    assert not [call for call in world.calls if "delete" in call.line]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_hands_its_settings_to_the_script() -> None:
    command = ["make", "-n", "-o", "setup", "-o", ".venv-sam/.ready", "deploy", "STACK=cascan"]
    dry = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True)

    assert "infra/deploy.py deploy" in dry.stdout
    exported = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("export STACK"))
    text = SCRIPT.read_text()
    assert all(f"    {name.lower()}: str" in text for name in exported.split()[1:])


STACK_OF_VANTAGE = {
    "ScanTableName": "table-1",
    "ReportBucketName": "bucket-1",
    "ReturnedShardQueueUrl": "https://sqs/1/returned",
    "ScanBusName": "bus-1",
    "ParkedShardsArn": "arn:parked",
    "OnShardAbandonedName": "abandoned-1",
    "WorkerRepositoryUri": URI,
}


def deploy_vantage(world: World, **settings: str) -> subprocess.CompletedProcess[str]:
    parameters = {"AllowedTargets": "9.9.9.0/24", "WorkerImageTag": "abc", "AlarmTopicArn": "arn:topic"}
    world.answers = {
        f"{STACKS} other": NO_STACK,
        f"{STACKS} cascan-vantage-office": (0, "cascan vantage add office\n", ""),
        f"{STACKS} cascan": described(STACK_OF_VANTAGE, parameters),
    }
    given = {"STACK": "cascan", "VANTAGE": "office", "SUBNETS": "subnet-1", "SECURITY_GROUPS": "sg-1"}
    return world.run("deploy-vantage", **given | settings)


def test_a_vantage_gets_what_it_needs_of_the_stack_and_prints_the_command_that_makes_it_known(world: World) -> None:
    ran = deploy_vantage(world, VANTAGE_NETWORKS="10.0.0.0/8", PARAMETERS="MaxWorkers=3")

    assert ran.returncode == 0, ran.stderr
    assert overrides(world) == {name: STACK_OF_VANTAGE[name] for name in list(STACK_OF_VANTAGE)[:-1]} | {
        "MainStackName": "cascan",
        "StackRegion": "eu-central-1",
        "VantageName": "office",
        "VantageNetworks": "10.0.0.0/8",
        "WorkerSubnets": "subnet-1",
        "WorkerSecurityGroups": "sg-1",
        "WorkerRepositoryName": "images-1",
        "WorkerImageTag": "abc",
        "AllowedTargets": "9.9.9.0/24",
        "AlarmTopicArn": "arn:topic",
        "MaxWorkers": "3",
    }
    assert not world.find("aws cloudformation deploy")
    assert ran.stdout.rstrip().endswith("cascan vantage add office")


def test_the_queues_of_a_vantage_in_another_region_are_made_in_that_of_the_stack(world: World) -> None:
    ran = deploy_vantage(world, VANTAGE_REGION="ap-northeast-1")

    assert ran.returncode == 0, ran.stderr
    (queues,) = world.find("aws cloudformation deploy --stack-name cascan-vantage-office-queues")
    (workers,) = world.find("sam deploy")
    assert (queues.variables["AWS_REGION"], workers.variables["AWS_REGION"]) == ("eu-central-1", "ap-northeast-1")
    pairs = queues.words[queues.words.index("--parameter-overrides") + 1 :]
    assert pairs == [
        "AlarmTopicArn=arn:topic",
        "MainStackName=cascan",
        "OnShardAbandonedName=abandoned-1",
        "ParkedShardsArn=arn:parked",
        "VantageName=office",
    ]
    assert overrides(world)["StackRegion"] == "eu-central-1"
    assert "AlarmTopicArn" not in overrides(world)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"VANTAGE": ""}, "VANTAGE"),
        ({"VANTAGE": "express"}, "VANTAGE"),
        ({"SUBNETS": ""}, "SUBNETS"),
        ({"STACK": "other"}, "other"),
    ],
)
def test_a_vantage_that_lacks_something_is_refused_before_anything_is_made(
    world: World, settings: dict[str, str], names: str
) -> None:
    ran = deploy_vantage(world, **settings)

    assert ran.returncode == 2
    assert names in ran.stderr
    assert not world.find("sam")
