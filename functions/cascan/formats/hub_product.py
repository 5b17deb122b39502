"""The product of AWS Security Hub that findings are imported for."""

from __future__ import annotations

import re

import msgspec

ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):[a-z0-9-]+:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):")


class HubProduct(msgspec.Struct, frozen=True):
    """The default product of an account in a Region: what an account's own findings belong to."""

    account: str
    region: str
    partition: str = "aws"

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:securityhub:{self.region}:{self.account}:product/{self.account}/default"


# Of a document that names no account: yours has to take its place before an import
UNKNOWN_PRODUCT = HubProduct("000000000000", "us-east-1")


def read_product_of(arn: str) -> HubProduct:
    """The default product in the account and Region of an ARN. Raises: ValueError: it has none of both."""
    match = ARN.match(arn)
    if match is None:
        raise ValueError(f"{arn!r} is not the ARN of something in an account and a Region")
    return HubProduct(account=match["account"], region=match["region"], partition=match["partition"])
