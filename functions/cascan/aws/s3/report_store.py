"""S3ReportStore: reports and results in the bucket, read and written as streams."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

from botocore.exceptions import BotoCoreError, ClientError

from cascan.aws import clients
from cascan.aws.boundary import error_code, translate_errors
from cascan.errors import GatewayUnavailable, MalformedMessage
from cascan.ids import SCAN_ID, ReportKey, results_key

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.response import StreamingBody
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, ObjectIdentifierTypeDef

GATEWAY = "report store"
REPORT_TYPE = "application/xml"
PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")  # not percent-encoded in headers
RECORDS = "scans/"
BUFFER_BYTES = 1024**2
PART_BYTES = 8 * 1024**2  # of an upload, which has at most 10,000 parts


class S3ReportStore:
    """ReportStore on S3. Metadata are headers, so all but printable ASCII is percent-encoded."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def put_report(self, key: ReportKey, path: Path, metadata: Mapping[str, str]) -> None:
        headers = {name: quote(value, safe=PLAIN) for name, value in metadata.items()}
        with translate_errors(GATEWAY):
            arguments = {"ContentType": REPORT_TYPE, "Metadata": headers}
            clients.s3().upload_file(str(path), self._bucket, str(key), ExtraArgs=arguments)

    def open_report(self, key: ReportKey, start: int = 0) -> IO[bytes]:
        report = self._open(str(key), start)
        if report is None:
            raise MalformedMessage(f"there is no report {key}")
        return report

    def report_metadata(self, key: ReportKey) -> Mapping[str, str]:
        with translate_errors(GATEWAY):
            try:
                answer = clients.s3().head_object(Bucket=self._bucket, Key=str(key))
            except ClientError as exc:
                if error_code(exc) not in ("404", "NoSuchKey"):
                    raise
                raise MalformedMessage(f"there is no report {key}") from exc
        return {name: unquote(value) for name, value in answer["Metadata"].items()}

    def _open(self, key: str, start: int = 0) -> IO[bytes] | None:
        request: Any = {"Range": f"bytes={start}-"} if start else {}
        with translate_errors(GATEWAY):
            try:
                body = clients.s3().get_object(Bucket=self._bucket, Key=key, **request)["Body"]
            except ClientError as exc:
                if error_code(exc) == "InvalidRange":  # the report ends at `start`
                    return io.BytesIO()
                if error_code(exc) != "NoSuchKey":
                    raise
                return None
        return cast("IO[bytes]", io.BufferedReader(_BodyStream(body), BUFFER_BYTES))

    def report_keys(self, scan_id: str) -> Iterator[ReportKey]:
        """The scan's reports. Other objects under its prefix are skipped."""
        report_keys = map(_report_key, self._list_keys(f"reports/{scan_id}/"))
        # Not in order of their texts, in which attempt 10 comes before attempt 2.
        return iter(sorted(key for key in report_keys if key))

    def put_record(self, scan_id: str, name: str, body: Iterable[bytes]) -> None:
        self._put(f"{RECORDS}{scan_id}/{name}", body, "application/json")

    def open_record(self, scan_id: str, name: str) -> IO[bytes] | None:
        return self._open(f"{RECORDS}{scan_id}/{name}")

    def records(self, scan_id: str) -> Iterator[str]:
        prefix = f"{RECORDS}{scan_id}/"
        return iter([key.removeprefix(prefix) for key in self._list_keys(prefix)])

    def _list_keys(self, prefix: str) -> list[str]:
        list_objects = clients.s3().get_paginator("list_objects_v2")
        pages = list_objects.paginate(Bucket=self._bucket, Prefix=prefix)
        with translate_errors(GATEWAY):
            return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def recorded_scans(self) -> Iterator[str]:
        list_objects = clients.s3().get_paginator("list_objects_v2")
        pages = list_objects.paginate(Bucket=self._bucket, Prefix=RECORDS, Delimiter="/")
        with translate_errors(GATEWAY):
            groups = [group for page in pages for group in page.get("CommonPrefixes", ())]
        folders = (group["Prefix"].split("/")[1] for group in groups)
        return filter(SCAN_ID.fullmatch, folders)

    def remove_scan(self, scan_id: str, most: int) -> bool:
        removed = 0
        list_versions = clients.s3().get_paginator("list_object_versions")
        for prefix in (f"reports/{scan_id}/", f"results/{scan_id}/", f"{RECORDS}{scan_id}/"):
            pages = list_versions.paginate(Bucket=self._bucket, Prefix=prefix)
            with translate_errors(GATEWAY):
                for page in pages:
                    versions = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                    if removed + len(versions) > most:
                        return False
                    self._delete([{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions])
                    removed += len(versions)
        return True

    def _delete(self, versions: list[ObjectIdentifierTypeDef]) -> None:
        """Delete a page of versions. One call accepts 1,000, the size of a page."""
        if not versions:
            return
        answer = clients.s3().delete_objects(
            Bucket=self._bucket,
            Delete={"Objects": versions, "Quiet": True},
        )
        if errors := answer.get("Errors"):
            code = errors[0].get("Code")
            raise GatewayUnavailable(f"{GATEWAY}: {len(errors)} objects were not removed: {code}")

    def put_result(self, scan_id: str, name: str, body: Iterable[bytes], content_type: str) -> None:
        self._put(results_key(scan_id, name), body, content_type)

    def _put(self, key: str, body: Iterable[bytes], content_type: str) -> None:
        upload_parts = _split_body(body)
        initial, second = next(upload_parts, b""), next(upload_parts, None)
        with translate_errors(GATEWAY):
            if second is None:
                clients.s3().put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=initial,
                    ContentType=content_type,
                )
            else:
                all_parts = chain((initial, second), upload_parts)
                _put_in_parts(self._bucket, key, all_parts, content_type)


def _split_body(body: Iterable[bytes]) -> Iterator[bytes]:
    """The body in parts of at least PART_BYTES, except the last: S3 requires 5 MB of all others."""
    buffer = bytearray()
    for content in body:
        buffer += content
        if len(buffer) >= PART_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def _put_in_parts(bucket: str, key: str, bodies: Iterable[bytes], content_type: str) -> None:
    s3 = clients.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)
    upload_id = upload["UploadId"]
    try:
        stored: list[CompletedPartTypeDef] = []
        for number, body in enumerate(bodies, 1):
            answer = s3.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=body,
            )
            stored.append({"PartNumber": number, "ETag": answer["ETag"]})
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": stored},
        )
    except BaseException:
        # If this fails too, the bucket removes the unfinished upload after two days.
        with suppress(ClientError, BotoCoreError):
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        raise


class _BodyStream(io.RawIOBase):
    """A response body as a raw stream, which translates the errors of boto3."""

    def __init__(self, body: StreamingBody) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        with translate_errors(GATEWAY):
            data = self._body.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()


def _report_key(key: str) -> ReportKey | None:
    try:
        return ReportKey.parse(key)
    except MalformedMessage:
        return None
