"""A scan table on moto, as infra/storage.yaml has it."""

from __future__ import annotations

from cascan.aws import clients
from cascan.aws.dynamodb import connection_pool

KEYS = ("pk", "sk", "listing", "listed_at")


def create_scan_table(name: str) -> None:
    clients.dynamodb().create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in KEYS],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "listing",
                "KeySchema": [
                    {"AttributeName": "listing", "KeyType": "HASH"},
                    {"AttributeName": "listed_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def forget_clients() -> None:
    """Whoever asks for a client next builds another: inside moto, or outside."""
    for built in (clients.session, clients.dynamodb, clients.s3, clients.events, clients.sqs, clients.ecs):
        built.cache_clear()
    connection_pool.close_connections()
