"""The short form: one flat mapping, the fields of a ScanRequest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascan.forms.fields import read_struct
from cascan.model.request import ScanRequest


def read_short_form(document: Mapping[str, Any], *, is_issued: bool = False) -> ScanRequest:
    """`is_issued`: another version of cascan may have written it, with fields that this one does not know.

    Raises: RequestRefused: unknown fields, wrong types.
    """
    return read_struct(ScanRequest, document, ignore_unknown=is_issued)
