"""Rebuild the local stack after its emulator was killed: buckets remain, tables are lost.

The new stack has its own bucket. Each scan is first rebuilt from an old bucket, oldest first, and
then its objects are moved to the new one. When reports arrive there, their shards are already
closed, and so nothing is recorded twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cascan.aws.s3.operator_records import PREFIX, S3OperatorRecords
from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.limits import MAX_REMOVED_AT_ONCE
from cascan_cli.local.deploy import CODE_BUCKET
from cascan_cli.local.lock import hold_lock
from cascan_cli.local.search_index import remove_index
from cascan_cli.local.warm_up import invoke
from cascan_cli.stack.open import StackGateways
from cascan_cli.stack.rebuild_table import (
    NOT_REBUILT,
    rebuild_table,
    restore_operator_records,
    summarize_rebuild,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from cascan_cli.local.attach import PrintMessage
    from cascan_cli.local.stack import LocalStack

LOCK_TIMEOUT_S = 600.0
# The records last, so that an interrupted move starts again.
SCAN_FOLDERS = ("reports", "results", "scans")
AGENDA_FUNCTION = "OnMinutePassed"  # queues the shards of unfinished scans at once


def rebuild_local(stack: LocalStack, say: PrintMessage) -> None:
    """Rebuild all scans of the old buckets, unless another command has done so in the meantime."""
    with hold_lock(stack.state.root / "rebuild.lock", LOCK_TIMEOUT_S):
        if not stack.needs_rebuild:
            return
        say("the local stack was killed: rebuilding its tables from the stored reports")
        remove_index(stack.state.search_index)  # the findings may be others now
        table, current = (
            DynamoScanTable(stack.outputs["ScanTableName"]),
            stack.outputs["ReportBucketName"],
        )
        with closing(stack.session().client("s3", **stack.client_options())) as s3:
            gateways = StackGateways(stack.outputs, stays_up=stack.attached)
            buckets = _list_buckets(s3, current)
            # Newest first: the last decision of the operator counts.
            for bucket in reversed(buckets):
                if restored := restore_operator_records(gateways, S3OperatorRecords(bucket)):
                    say(restored)
            for bucket in buckets:
                rebuilt = rebuild_table(table, S3ReportStore(bucket))
                if rebuilt.scans or rebuilt.unreadable:
                    say(summarize_rebuild(rebuilt))
                if bucket != current:
                    _move(s3, bucket, current)
        invoke(stack.endpoint, AGENDA_FUNCTION)
        stack.mark_rebuilt()
        say(NOT_REBUILT)


def _list_buckets(s3: S3Client, current: str) -> list[str]:
    """The buckets of earlier stacks, oldest first, then the current one."""
    buckets = sorted(s3.list_buckets()["Buckets"], key=lambda bucket: bucket["CreationDate"])
    names = [bucket["Name"] for bucket in buckets if bucket["Name"] not in (current, CODE_BUCKET)]
    return [*names, current]


def _move(s3: S3Client, old: str, new: str) -> None:
    """Move every recorded scan with its objects, then delete the old bucket if it is empty."""
    _move_operator_records(s3, old, new)
    store = S3ReportStore(old)
    for scan_id in list(store.recorded_scans()):
        for folder in SCAN_FOLDERS:
            for key in _keys(s3, old, f"{folder}/{scan_id}/"):
                s3.copy({"Bucket": old, "Key": key}, new, key)
        while not store.remove_scan(scan_id, MAX_REMOVED_AT_ONCE):
            pass
    try:
        s3.delete_bucket(Bucket=old)
    except ClientError as exc:  # objects without records stay in the old bucket
        if exc.response["Error"]["Code"] != "BucketNotEmpty":
            raise


def _move_operator_records(s3: S3Client, old: str, new: str) -> None:
    """Move the operator records, except where the new bucket has a newer one."""
    newer = set(_keys(s3, new, PREFIX))
    for key in _keys(s3, old, PREFIX):
        if key not in newer:
            s3.copy({"Bucket": old, "Key": key}, new, key)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=old, Prefix=PREFIX):
        for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=old, Key=version["Key"], VersionId=version["VersionId"])


def _keys(s3: S3Client, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            yield entry["Key"]
