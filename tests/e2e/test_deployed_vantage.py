"""infra/vantage.yaml, deployed beside a stack on the emulator: its queues, its launcher and its workers do a scan.

The parameters are those that `make deploy-vantage` chooses. The templates are uploaded as they are, except for what
the emulator needs: numbers in place of parameters, code as zips, its own address in the URLs of queues, and the name
of its Region, which it does not know in conditions.
"""

from __future__ import annotations

import json
import shlex
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cascan_cli.local.aws import REGION, client_options, open_session
from cascan_cli.local.deploy import CODE_BUCKET
from cascan_cli.local.package import zip_folder
from cascan_cli.local.state import StateDir
from cascan_cli.local.template import inline_numbers, read_template
from infra.deploy import Settings, choose_vantage_parameters
from tests.e2e.cascan_command import ROOT, Cascan
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.e2e
NAME = "branch"
STACK = f"cascan-vantage-{NAME}"
QUEUES_OF_AWS = "https://sqs.${StackRegion}.${AWS::URLSuffix}"
REGION_OF_AWS = json.dumps({"Ref": "AWS::Region"})
OURS = {"PythonRuntime": f"python{sys.version_info.major}.{sys.version_info.minor}", "IdleExitSeconds": "2"}


@pytest.fixture
def clients(cascan: Cascan) -> Iterator[tuple[CloudFormationClient, S3Client]]:
    endpoint = StateDir(cascan.state_dir).endpoint()
    session, options = open_session(endpoint), client_options(endpoint)
    with ExitStack() as until:
        cloudformation = session.client("cloudformation", **options)
        until.callback(cloudformation.close)
        s3 = session.client("s3", **options)
        until.callback(s3.close)
        yield cloudformation, s3


def choose_parameters(cloudformation: CloudFormationClient) -> dict[str, str]:
    """As `make deploy-vantage` chooses them from the description of the stack."""
    (stack,) = cloudformation.describe_stacks(StackName="cascan")["Stacks"]
    described = {
        "Parameters": {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]},
        "Outputs": {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]},
    }
    settings = Settings(
        stack="cascan",
        vantage=NAME,
        vantage_networks="127.0.0.0/8",
        subnets="subnet-branch",
        security_groups="sg-branch",
        public_ip="DISABLED",
        max_workers="1",
        parameters=" ".join(f"{name}={value}" for name, value in OURS.items()),
    )
    return choose_vantage_parameters(settings, described, REGION)


class Uploads:
    """Uploads templates and the code that they name."""

    def __init__(self, s3: S3Client, parameters: Mapping[str, str]) -> None:
        self._s3, self._parameters = s3, parameters

    def add_template(self, name: str) -> str:
        """The address of a template of infra/, with all that is nested in it."""
        template = inline_numbers(read_template(ROOT / "infra" / name), self._parameters)
        for resource in template["Resources"].values():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::Serverless::Application":
                properties["Location"] = self.add_template(properties["Location"])
            if "CodeUri" in properties:
                properties["CodeUri"] = self._add_code(ROOT / "infra" / properties["CodeUri"])
        key, body = f"vantage/{name}.json", json.dumps(template)
        for text, ours in ((QUEUES_OF_AWS, self._s3.meta.endpoint_url), (REGION_OF_AWS, json.dumps(REGION))):
            body = body.replace(text, ours)
        self._s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=body.encode())
        return f"{self._s3.meta.endpoint_url}/{CODE_BUCKET}/{key}"

    def _add_code(self, folder: Path) -> str:
        key = "vantage/functions.zip"
        self._s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=zip_folder(folder.resolve()))
        return f"s3://{CODE_BUCKET}/{key}"


@contextmanager
def deployed(cloudformation: CloudFormationClient, url: str, parameters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The stack of the vantage, with its outputs by name, until the block ends."""
    listed: Any = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    capabilities: Any = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    cloudformation.create_stack(StackName=STACK, TemplateURL=url, Parameters=listed, Capabilities=capabilities)
    try:
        status = eventually(lambda: ended(cloudformation))
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failures = [event for event in events if event.get("ResourceStatusReason")]
        assert status == "CREATE_COMPLETE", failures
        (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        yield {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    finally:
        cloudformation.delete_stack(StackName=STACK)


def ended(cloudformation: CloudFormationClient) -> str:
    """How the deployment ended; empty while it goes on."""
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    status = stack["StackStatus"]
    return "" if status.endswith("_IN_PROGRESS") else status


def test_the_workers_of_a_deployed_vantage_do_a_scan(
    cascan: Cascan, clients: tuple[CloudFormationClient, S3Client]
) -> None:
    cloudformation, s3 = clients
    parameters = choose_parameters(cloudformation)
    url = Uploads(s3, parameters).add_template("vantage.yaml")
    with deployed(cloudformation, url, parameters) as outputs, socket.create_server(("127.0.0.1", 0)) as service:
        # The command that a person copies, for the stack on this machine
        words = shlex.split(outputs["AddCommand"].removeprefix(f"AWS_REGION={REGION} cascan "))
        stack = words.index("--stack")
        added = cascan(" ".join([*words[:stack], *words[stack + 2 :]]))
        assert added.code == 0, added.err
        try:
            port = service.getsockname()[1]
            accepted = cascan("scan --no-wait --json --vantage", NAME, f"127.0.0.1:{port}").json
            eventually(lambda: state_of(cascan, accepted["id"]) == "Done")
            (finding, *_) = (f for f in cascan("findings --json", accepted["id"]).json if f["category"] == "Open Port")
            assert finding["attributes"]["port"] == port
        finally:
            cascan("vantage remove --force", NAME)


def state_of(cascan: Cascan, scan_id: str) -> str:
    scans = cascan("scans --json").json
    return next((scan["state"] for scan in scans if scan["id"] == scan_id), "")
