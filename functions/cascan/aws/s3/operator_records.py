"""S3OperatorRecords: copies of the operator's decisions, under `house/` in the report bucket."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from cascan.aws import clients
from cascan.aws.boundary import error_code, translate_errors

GATEWAY = "operator records"
PREFIX = "house/"


class S3OperatorRecords:
    """OperatorRecords on S3. `prefix`: of their keys."""

    def __init__(self, bucket: str, prefix: str = PREFIX) -> None:
        self._bucket = bucket
        self._prefix = prefix

    def put(self, name: str, text: bytes) -> None:
        with translate_errors(GATEWAY):
            clients.s3().put_object(
                Bucket=self._bucket,
                Key=self._prefix + name,
                Body=text,
                ContentType="application/json",
            )

    def get(self, name: str) -> bytes | None:
        with translate_errors(GATEWAY):
            try:
                answer = clients.s3().get_object(Bucket=self._bucket, Key=self._prefix + name)
                return answer["Body"].read()
            except ClientError as exc:
                if error_code(exc) != "NoSuchKey":
                    raise
                return None

    def names(self, prefix: str) -> Iterator[str]:
        list_objects = clients.s3().get_paginator("list_objects_v2")
        pages = list_objects.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
        with translate_errors(GATEWAY):
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return iter([key.removeprefix(self._prefix) for key in keys])

    def remove(self, name: str) -> None:
        with translate_errors(GATEWAY):
            clients.s3().delete_object(Bucket=self._bucket, Key=self._prefix + name)
