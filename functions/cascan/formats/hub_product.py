"""The product of AWS Security Hub that findings are imported for."""

from __future__ import annotations

import msgspec


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
