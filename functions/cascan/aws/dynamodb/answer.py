"""What a service answered to a call in JSON: the document, or the error of boto3 for it."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from botocore.exceptions import ClientError, HTTPClientError

MAX_ANSWER_BYTES = 64 * 1024**2  # as transferred, and unpacked; the largest of DynamoDB has 16 MB
OK = 200


class Answer(NamedTuple):
    """An answer of the service."""

    status: int
    headers: dict[str, str]  # by name, in lower case
    content: bytes  # as it was transferred

    @property
    def request_id(self) -> str:
        return self.headers.get("x-amzn-requestid", "")


def decode_answer(answer: Answer, content: bytes, operation: str) -> dict[str, Any]:
    """The document in the content, which is unpacked already.

    Raises: ClientError: the service refused the call. HTTPClientError: the answer is not JSON.
    """
    try:
        document = msgspec.json.decode(content or b"{}", type=dict[str, Any])
    except msgspec.DecodeError as exc:
        error = f"HTTP {answer.status} without JSON{name_request(answer)}"
        raise HTTPClientError(error=error) from exc
    if answer.status != OK:
        raise _build_error(answer, document, operation)
    return document


def name_request(answer: Answer) -> str:
    return f" (request {answer.request_id})" if answer.request_id else ""


def _build_error(answer: Answer, document: dict[str, Any], operation: str) -> ClientError:
    code = str(document.get("__type", answer.status)).rpartition("#")[2]
    message = str(document.get("message") or document.get("Message") or "")
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": answer.status, "RequestId": answer.request_id},
        "CancellationReasons": document.get("CancellationReasons", []),  # of a transaction
    }
    return ClientError(response, operation)
