"""Calls signed by botocore, as connection.py sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.exceptions import NoCredentialsError

from cascan.aws import clients
from cascan.aws.token_client import CONTENT_TYPE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SERVICE = "dynamodb"


def sign(client: DynamoDBClient, operation: str, body: bytes) -> AWSPreparedRequest:
    """The request of the call. Raises: BotoCoreError: there are no credentials."""
    credentials = clients.session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    # Frozen, so that a renewal in another thread cannot mix two sets
    frozen: Any = credentials.get_frozen_credentials()
    target = f"{client.meta.service_model.metadata['targetPrefix']}.{operation}"
    headers = {"Content-Type": CONTENT_TYPE, "X-Amz-Target": target}
    request = AWSRequest("POST", f"{client.meta.endpoint_url}/", headers, body)
    SigV4Auth(frozen, SERVICE, client.meta.region_name).add_auth(request)
    return request.prepare()


def call_hooks(client: DynamoDBClient, operation: str, request: AWSPreparedRequest) -> Any:
    """Call the client's `before-send` hooks. A response, if one answers instead of the service; else None."""
    event = f"before-send.{SERVICE}.{operation}"
    answers = (response for _, response in client.meta.events.emit(event, request=request))
    return next((response for response in answers if response is not None), None)
