"""The environment as typed settings: whatever is wrong with it is told at once, by the names of the variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from cascan.model.policy_profile import PolicyProfile
from cascan.settings import SettingsError, from_env


@dataclass(frozen=True)
class Settings:
    table: str
    workers: int
    allowed: tuple[str, ...]
    policy_profile: PolicyProfile
    raw_scans: Literal["enabled", "disabled"]
    idle_s: int = 60
    usd: float = 0.0


GOOD = {"TABLE": "scans", "WORKERS": "4", "ALLOWED": "10.0.0.0/8, x.org,", "POLICY_PROFILE": "intrusive",
        "RAW_SCANS": "disabled"}  # fmt: skip


def test_each_variable_becomes_a_value_of_its_fields_type() -> None:
    expected = Settings("scans", 4, ("10.0.0.0/8", "x.org"), PolicyProfile.INTRUSIVE, "disabled")
    assert from_env(Settings, GOOD) == expected
    assert isinstance(from_env(Settings, GOOD).policy_profile, PolicyProfile)


def test_a_choice_that_is_none_is_told_with_the_variable_and_what_it_may_be() -> None:
    with pytest.raises(SettingsError, match="POLICY_PROFILE='Safe' is not one of safe, intrusive, everything"):
        from_env(Settings, GOOD | {"POLICY_PROFILE": "Safe"})
    with pytest.raises(SettingsError, match="RAW_SCANS='yes' is not one of enabled, disabled"):
        from_env(Settings, GOOD | {"RAW_SCANS": "yes"})


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        from_env(Settings, {"WORKERS": "many", "ALLOWED": "", "POLICY_PROFILE": "", "RAW_SCANS": "enabled"})
    assert str(raised.value).endswith(
        "TABLE is not set; WORKERS='many' is not a whole number; "
        "POLICY_PROFILE='' is not one of safe, intrusive, everything"
    )


def test_an_amount_may_have_decimals_and_is_never_below_zero_or_infinite() -> None:
    assert from_env(Settings, GOOD | {"USD": "0.5"}).usd == 0.5
    for text, problem in (("much", "not a number"), ("-1", "not a number from 0 up"), ("inf", "not a number from 0")):
        with pytest.raises(SettingsError, match=f"USD='{text}' is {problem}"):
            from_env(Settings, GOOD | {"USD": text})
