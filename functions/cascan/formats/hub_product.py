"""The product of AWS Security Hub that findings are imported for."""

from __future__ import annotations

import msgspec

ARN_PARTS = 6


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


def read_product_arn(arn: str) -> HubProduct:
    """Raises: ValueError: not the ARN of a default product."""
    parts = arn.split(":")
    if len(parts) == ARN_PARTS:
        product = HubProduct(account=parts[4], region=parts[3], partition=parts[1])
        if product.arn == arn:
            return product
    raise ValueError(f"{arn!r} is not the ARN of an account's default product in AWS Security Hub")
