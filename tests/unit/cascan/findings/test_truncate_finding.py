"""A finding too large for the table is cut: however it is filled, what is left fits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascan.findings.truncate_finding import MAX_TEXT_CHARS, truncate_finding
from cascan.ids import ReportKey
from cascan.limits import MAX_FINDING_BYTES
from cascan.model.finding import Finding, Severity

SOURCE = ReportKey("a" * 16, 7, 2)
HEAVY = ("\x01", "é", "\U0001f4a3", '"')  # six bytes as JSON, two, four, two


def a_finding(**fields: Any) -> Finding:
    plain: dict[str, Any] = {
        "id": "an id",
        "fingerprint": "a fingerprint",
        "parsed_at": datetime(2026, 3, 1, tzinfo=UTC),
        "name": "Open Port: 22",
        "description": "Port 22 is open",
        "category": "Open Port",
        "severity": Severity.LOW,
        "osi_layer": "NETWORK",
        "location": "tcp://10.0.0.5:22",
        "attributes": {"port": 22},
    }
    return Finding(**plain | fields)


def test_what_is_short_stays_as_it_is_and_the_report_is_named() -> None:
    attributes = {"port": 22, "state": "open", "cpe": ["a", "b"], "hostname": None, "scripts": {"banner": "x" * 10_000}}
    cut = truncate_finding(a_finding(attributes=attributes), SOURCE)
    assert cut.attributes.pop("cut")["report"] == "reports/aaaaaaaaaaaaaaaa/000007/2.xml"
    assert cut == a_finding(attributes=attributes | {"scripts": {"banner": "x" * MAX_TEXT_CHARS}})


@pytest.mark.parametrize("text", HEAVY)
@pytest.mark.parametrize(
    "fill",
    [
        lambda text: {"attributes": {f"{n}": text for n in range(500)}},
        lambda text: {"attributes": {"hostnames": [text] * 500, "port": 22}},
        lambda text: {
            "attributes": {f"{text}{n}": {f"{m}{text}": [text] * 200 for m in range(200)} for n in range(200)}
        },
        lambda text: {"name": text, "description": text, "category": text, "location": text},
    ],
    ids=["many texts", "a list", "nested", "its own fields"],
)
def test_what_is_left_fits_however_the_finding_is_filled(fill: Any, text: str) -> None:
    cut = truncate_finding(a_finding(**fill(text * 3_000)), SOURCE)
    assert len(msgspec.json.encode(cut)) < MAX_FINDING_BYTES


def test_what_is_left_fits_though_the_finding_is_full_of_empty_lists() -> None:
    lists: list[Any] = [[[[]] * 200] * 200] * 50
    cut = truncate_finding(a_finding(attributes={"lists": lists}), SOURCE)
    assert len(msgspec.json.encode(cut)) < MAX_FINDING_BYTES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=20), JSON, max_size=8))
def test_small_attributes_are_not_touched(attributes: dict[str, Any]) -> None:
    small = {name: value for name, value in attributes.items() if name not in {"cut", "details", "scripts_data"}}
    cut = truncate_finding(a_finding(attributes=small))
    del cut.attributes["cut"]
    assert cut.attributes == small
