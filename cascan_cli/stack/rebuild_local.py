"""After a hard kill of the emulator: its objects are there, in the bucket of the stack that was; its tables are not.

The new stack has a bucket of its own. Each scan is rebuilt from the old one, oldest bucket first, and its objects then
follow it: in this order, the reports that arrive belong to shards that are closed, and nothing is recorded twice.
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
from cascan_cli.local.warm_up import invoke
from cascan_cli.stack.open import StackGateways
from cascan_cli.stack.rebuild_table import NOT_KEPT, rebuild_table, restore_operator_records, summarize_rebuild

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from cascan_cli.local.attach import PrintMessage
    from cascan_cli.local.stack import LocalStack

LOCK_TIMEOUT_S = 600.0
OF_A_SCAN = ("reports", "results", "scans")  # the records last: a move that breaks off is begun again
KEEPS_HOUSE = "OnMinutePassed"  # sends the messages of what goes on, without waiting for the minute


def rebuild_local(stack: LocalStack, say: PrintMessage) -> None:
    """Rebuild what the old buckets hold, unless another command did so meanwhile."""
    with hold_lock(stack.state.root / "rebuild.lock", LOCK_TIMEOUT_S):
        if not stack.needs_rebuild:
            return
        say("the local stack was killed: its tables are made again from the stored reports")
        table, current = DynamoScanTable(stack.outputs["ScanTableName"]), stack.outputs["ReportBucketName"]
        with closing(stack.session().client("s3", **stack.client_options())) as s3:
            access, buckets = StackGateways(stack.outputs, stays_up=stack.attached), _buckets(s3, current)
            for bucket in reversed(buckets):  # what was decided last counts
                if restored := restore_operator_records(access, S3OperatorRecords(bucket)):
                    say(restored)
            for bucket in buckets:
                rebuilt = rebuild_table(table, S3ReportStore(bucket))
                if rebuilt.scans or rebuilt.unreadable:
                    say(summarize_rebuild(rebuilt))
                if bucket != current:
                    _move(s3, bucket, current)
        invoke(stack.endpoint, KEEPS_HOUSE)
        stack.mark_rebuilt()
        say(NOT_KEPT)


def _buckets(s3: S3Client, current: str) -> list[str]:
    """Those of earlier stacks, oldest first, and that of a rebuild that broke off."""
    found = sorted(s3.list_buckets()["Buckets"], key=lambda bucket: bucket["CreationDate"])
    names = [bucket["Name"] for bucket in found if bucket["Name"] not in (current, CODE_BUCKET)]
    return [*names, current]


def _move(s3: S3Client, old: str, new: str) -> None:
    """Every scan that has records, with its objects; a bucket that is empty then goes."""
    _move_house(s3, old, new)
    store = S3ReportStore(old)
    for scan_id in list(store.recorded_scans()):
        for folder in OF_A_SCAN:
            for key in _keys(s3, old, f"{folder}/{scan_id}/"):
                s3.copy({"Bucket": old, "Key": key}, new, key)
        while not store.remove_scan(scan_id, MAX_REMOVED_AT_ONCE):
            pass
    try:
        s3.delete_bucket(Bucket=old)
    except ClientError as exc:  # what nobody has records of stays where it is
        if exc.response["Error"]["Code"] != "BucketNotEmpty":
            raise


def _move_house(s3: S3Client, old: str, new: str) -> None:
    """What the operator decided; what is there already is newer."""
    there = set(_keys(s3, new, PREFIX))
    for key in _keys(s3, old, PREFIX):
        if key not in there:
            s3.copy({"Bucket": old, "Key": key}, new, key)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=old, Prefix=PREFIX):
        for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=old, Key=version["Key"], VersionId=version["VersionId"])


def _keys(s3: S3Client, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            yield entry["Key"]
