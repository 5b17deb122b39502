"""Deploy a package on the emulator by a change set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from cascan_cli.errors import DeployFailed

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import (
        DescribeChangeSetOutputTypeDef,
        ParameterTypeDef,
        StackTypeDef,
    )
    from mypy_boto3_s3 import S3Client

    from cascan_cli.local.aws import ClientOptions
    from cascan_cli.local.package import Package

STACK = "cascan"
CODE_BUCKET = "cascan-code"
TEMPLATE = "template.json"
DEPLOY_TIMEOUT_S = 60.0
POLL_S = 0.01
T = TypeVar("T")
DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
UNUSABLE = (
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "DELETE_FAILED",
    "REVIEW_IN_PROGRESS",
)


def deploy(
    session: Session,
    options: ClientOptions,
    package: Package,
    parameters: Mapping[str, str],
) -> dict[str, str]:
    """Create or update the stack; its outputs by name.

    Raises: DeployFailed: names the resource and its reason.
    """
    cloudformation = session.client("cloudformation", **options)
    s3 = session.client("s3", **options)
    try:
        _upload(s3, package)
        return _Deployer(cloudformation).deploy(parameters)
    except (ClientError, BotoCoreError) as exc:
        raise DeployFailed(f"the emulator does not accept the template: {exc}") from exc
    finally:
        cloudformation.close()
        s3.close()


def _upload(s3: S3Client, package: Package) -> None:
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=CODE_BUCKET)
    template = {
        TEMPLATE: package.body.encode()
    }  # CloudFormation allows 51,200 bytes in a request, 1,000,000 in a bucket
    for key, content in {**package.objects, **template}.items():
        s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=content)


class _Deployer:
    def __init__(self, client: CloudFormationClient) -> None:
        self.client = client
        self.deadline = time.monotonic() + DEPLOY_TIMEOUT_S
        self.change_set = f"{STACK}-{time.time_ns()}"

    def deploy(self, parameters: Mapping[str, str]) -> dict[str, str]:
        if self._prepare(self._kind(), parameters):
            self.client.execute_change_set(ChangeSetName=self.change_set, StackName=STACK)
        stack = self._wait_for(self._ended, "the stack is not deployed")
        if stack["StackStatus"] not in DONE:
            status = stack["StackStatus"]
            raise DeployFailed(f"the stack could not be deployed ({status}): {self._reasons()}")
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _kind(self) -> Literal["CREATE", "UPDATE"]:
        stack = self._stack()
        # A killed command may have left a deployment under way
        if stack and stack["StackStatus"] not in UNUSABLE:
            stack = self._wait_for(self._ended, "an earlier deployment has not ended")
        if stack is None:
            return "CREATE"
        if stack["StackStatus"] not in UNUSABLE:
            return "UPDATE"
        self.client.delete_stack(StackName=STACK)
        problem = "the failed stack of an earlier attempt is not deleted"
        self._wait_for(lambda: self._stack() is None or None, problem)
        return "CREATE"

    def _prepare(self, kind: Literal["CREATE", "UPDATE"], parameters: Mapping[str, str]) -> bool:
        """Create the change set. False: there is nothing to change."""
        self.client.create_change_set(
            StackName=STACK,
            ChangeSetName=self.change_set,
            ChangeSetType=kind,
            TemplateURL=f"{self.client.meta.endpoint_url}/{CODE_BUCKET}/{TEMPLATE}",
            Parameters=_to_parameter_list(parameters),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        change_set = self._wait_for(self._prepared, "the change set is not created")
        if change_set["Status"] == "CREATE_COMPLETE":
            return True
        reason = change_set.get("StatusReason", "")
        self.client.delete_change_set(ChangeSetName=self.change_set, StackName=STACK)
        if "didn't contain changes" in reason or "No updates" in reason:
            return False
        raise DeployFailed(f"the template is refused: {reason}")

    def _prepared(self) -> DescribeChangeSetOutputTypeDef | None:
        change_set = self.client.describe_change_set(ChangeSetName=self.change_set, StackName=STACK)
        return change_set if change_set["Status"] in ("CREATE_COMPLETE", "FAILED") else None

    def _ended(self) -> StackTypeDef | None:
        stack = self._stack()
        if stack is None:
            raise DeployFailed("the stack vanished while it was deployed")
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    def _stack(self) -> StackTypeDef | None:
        try:
            return self.client.describe_stacks(StackName=STACK)["Stacks"][0]
        except ClientError as exc:
            if "does not exist" in str(exc):
                return None
            raise

    def _reasons(self) -> str:
        """Why it failed, the first resource first."""
        events = self.client.describe_stack_events(StackName=STACK)["StackEvents"]
        failures = []
        for event in reversed(events):
            reason = event.get("ResourceStatusReason")
            if reason and event.get("ResourceStatus", "").endswith("_FAILED"):
                resource = f"{event.get('LogicalResourceId')} ({event.get('ResourceType')})"
                failures.append(f"{resource}: {reason}")
        return "; ".join(failures[:3]) or "the emulator gives no reason"

    def _wait_for(self, check: Callable[[], T | None], problem: str) -> T:
        """The result of `check` once it is not None. Raises: DeployFailed: names the problem."""
        while (result := check()) is None:
            if time.monotonic() > self.deadline:
                raise DeployFailed(f"{problem} after {DEPLOY_TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)
        return result


def _to_parameter_list(parameters: Mapping[str, str]) -> list[ParameterTypeDef]:
    return [
        {
            "ParameterKey": name,
            "ParameterValue": value,
        }
        for name, value in parameters.items()
    ]
