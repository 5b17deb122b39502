"""What is stored: private, encrypted, recoverable, and there after the stack is gone."""

from __future__ import annotations

import pytest

from cascan.aws.s3.operator_records import PREFIX
from cascan.ids import ReportKey
from tests.template.model import MODEL, ROOT, RULES, Resource

(BUCKET,) = MODEL.resources("AWS::S3::Bucket")
(TABLE,) = MODEL.resources("AWS::DynamoDB::Table")


@pytest.mark.parametrize("store", [BUCKET, TABLE], ids=["bucket", "table"])
def test_what_was_found_outlives_the_stack(store: Resource) -> None:
    assert store.body["UpdateReplacePolicy"] == "Retain"
    assert store.body["DeletionPolicy"] == "RetainExceptOnCreate"  # a first deployment that fails leaves nothing behind


def test_the_bucket_is_closed_to_the_public_in_all_four_ways() -> None:
    block = BUCKET.properties["PublicAccessBlockConfiguration"]

    assert block == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert BUCKET.properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_the_bucket_is_encrypted_and_keeps_every_version() -> None:
    (rule,) = BUCKET.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert BUCKET.properties["VersioningConfiguration"] == {"Status": "Enabled"}


def test_the_bucket_refuses_whoever_comes_without_tls() -> None:
    (policy,) = MODEL.resources("AWS::S3::BucketPolicy")
    (statement,) = policy.properties["PolicyDocument"]["Statement"]

    assert MODEL.text(policy.properties["Bucket"], policy.stack) == BUCKET.address
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert MODEL.texts(statement["Resource"], policy.stack) == {f"{BUCKET.address}.Arn", f"{BUCKET.address}.Arn/*"}
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_stored_report_becomes_an_event_and_a_result_does_not() -> None:
    rule = RULES["Messaging/ReportStoredRule"]
    (key,) = rule.pattern["detail"]["object"]["key"]
    (name,) = rule.pattern["detail"]["bucket"]["name"]

    assert BUCKET.properties["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert (rule.pattern["source"], rule.pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert MODEL.text(name, "Messaging") == BUCKET.address
    assert str(ReportKey("scan", 0, 1)).startswith(key["prefix"])
    assert not "results/".startswith(key["prefix"])


def test_the_bucket_drops_unfinished_uploads_and_reports_only_when_it_was_told_to() -> None:
    unfinished, versions, asked, *others = BUCKET.properties["LifecycleConfiguration"]["Rules"]

    assert unfinished["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] >= 1
    assert set(versions) == {
        "Id",
        "Status",
        "NoncurrentVersionExpiration",
        "ExpiredObjectDeleteMarker",
    }  # no current one
    assert versions["NoncurrentVersionExpiration"]["NoncurrentDays"] >= 30
    assert asked["Prefix"] == "vuls/asked/", "what a function keeps for itself until an answer is written"
    for condition, rule, otherwise in (other["Fn::If"] for other in others):
        assert (condition, otherwise) == ("ExpiresReports", {"Ref": "AWS::NoValue"})
        assert MODEL.text(rule["ExpirationInDays"], BUCKET.stack) == "parameter ReportRetentionDays"
        assert MODEL.default(rule["ExpirationInDays"], BUCKET.stack) == "0"


def test_the_function_that_records_changes_knows_how_long_they_are_kept() -> None:
    (function,) = (
        resource for resource in MODEL.resources("AWS::Serverless::Function") if resource.name == "OnReportStored"
    )
    days = function.properties["Environment"]["Variables"]["HISTORY_RETENTION_DAYS"]

    assert MODEL.text(days, function.stack) == "parameter HistoryRetentionDays"
    assert MODEL.default(days, function.stack) == "0"  # as long as their scan


def test_what_the_operator_decided_never_expires() -> None:
    _, _, asked, *others = BUCKET.properties["LifecycleConfiguration"]["Rules"]
    assert [other["Fn::If"][1]["Prefix"] for other in others] == ["reports/", "results/", "scans/"]
    assert not PREFIX.startswith(("reports/", "results/", "scans/", asked["Prefix"]))


def test_the_table_has_the_keys_and_the_index_that_the_gateway_uses() -> None:
    def keys(schema: list[dict[str, str]]) -> list[tuple[str, str]]:
        return [(key["AttributeName"], key["KeyType"]) for key in schema]

    (index,) = TABLE.properties["GlobalSecondaryIndexes"]
    attributes = {a["AttributeName"]: a["AttributeType"] for a in TABLE.properties["AttributeDefinitions"]}

    assert keys(TABLE.properties["KeySchema"]) == [("pk", "HASH"), ("sk", "RANGE")]
    assert index["IndexName"] == "listing"
    assert keys(index["KeySchema"]) == [("listing", "HASH"), ("listed_at", "RANGE")]
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert attributes == dict.fromkeys(("pk", "sk", "listing", "listed_at"), "S")


def test_the_table_is_paid_by_use_encrypted_and_recoverable_to_any_second() -> None:
    assert TABLE.properties["BillingMode"] == "PAY_PER_REQUEST"
    assert TABLE.properties["SSESpecification"]["SSEEnabled"] is True
    assert TABLE.properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_dynamodb_refuses_to_delete_the_table_once_the_operator_asks_for_that() -> None:
    declared = MODEL.templates[ROOT]["Parameters"]["DeletionProtection"]

    def protected(value: str) -> bool:
        chosen = MODEL.chosen(TABLE.properties["DeletionProtectionEnabled"], TABLE.stack, {"DeletionProtection": value})
        return bool(chosen)

    assert declared["Default"] == "disabled"  # what a failed first deployment made has to go with it
    assert protected("enabled")
    assert not protected("disabled")


def test_items_expire_by_the_attribute_that_the_gateway_reads() -> None:
    assert TABLE.properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
