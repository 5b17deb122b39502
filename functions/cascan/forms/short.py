"""The short form: one flat mapping, the fields of a ScanRequest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascan.forms.fields import read_struct
from cascan.model.request import ScanRequest


def read_short_form(document: Mapping[str, Any]) -> ScanRequest:
    """Raises: RequestRefused: unknown fields, wrong types."""
    return read_struct(ScanRequest, document)
