"""Sign calls of DynamoDB with Signature Version 4, as botocore's signer would.

botocore takes more CPU to sign a batch of 25 findings than the items take to build. Here the key of
a day is cached, and only the date and the body differ from call to call. The credentials come from
botocore, which renews them when they expire.

Source: AWS General Reference, signature version 4. tests/integration/gateways/test_batch_write.py
compares the signatures with botocore's.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

SERVICE = "dynamodb"
ALGORITHM = "AWS4-HMAC-SHA256"
CONTENT_TYPE = "application/x-amz-json-1.0"
DEFAULT_PORTS = {"http": 80, "https": 443}


class Credentials(NamedTuple):
    """Credentials of botocore, frozen, so that a renewal in another thread cannot mix two sets."""

    access_key: str
    secret_key: str
    token: str | None


def sign_headers(
    endpoint_url: str,
    region: str,
    target: str,
    credentials: Credentials,
    body: bytes,
) -> dict[str, str]:
    """The headers of a POST of the body to the endpoint, signed now, without `content-length`."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{moment[:8]}/{region}/{SERVICE}/aws4_request"
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Host": host_header(endpoint_url),
        "X-Amz-Date": moment,
        **({"X-Amz-Security-Token": credentials.token} if credentials.token else {}),
        "X-Amz-Target": target,
    }
    names = ";".join(headers).lower()  # in alphabetical order, as the signature requires
    lines = "".join([f"{name.lower()}:{value}\n" for name, value in headers.items()])
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_key(credentials.secret_key, scope), text.encode(), "sha256").hex()
    credential = f"{credentials.access_key}/{scope}"
    fields = f"Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return headers | {"Authorization": f"{ALGORITHM} {fields}"}


@lru_cache(maxsize=4)
def host_header(endpoint_url: str) -> str:
    """The endpoint's host, with the port unless it is the default of the scheme."""
    url = urlsplit(endpoint_url)
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    return host if url.port in (None, DEFAULT_PORTS.get(url.scheme)) else f"{host}:{url.port}"


@lru_cache(maxsize=4)
def _key(secret_key: str, scope: str) -> bytes:
    """The key of a day, region and service."""
    key = f"AWS4{secret_key}".encode()
    for field in scope.split("/"):
        key = hmac.digest(key, field.encode(), "sha256")
    return key
