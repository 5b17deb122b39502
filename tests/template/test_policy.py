"""The operator's policy profile, as the template offers it."""

from __future__ import annotations

from cascan.model.policy_profile import PolicyProfile
from tests.template.model import FUNCTIONS, MODEL, ROOT, variables

PARAMETER = MODEL.templates[ROOT]["Parameters"]["PolicyProfile"]


def test_the_operator_chooses_among_the_profiles_there_are_and_gets_the_safest_unasked() -> None:
    assert PARAMETER["AllowedValues"] == list(PolicyProfile)
    assert PARAMETER["Default"] == min(PolicyProfile, key=lambda profile: profile.rank)


def test_the_choice_reaches_the_function_that_plans() -> None:
    assert variables(FUNCTIONS["OnScanRequested"].properties)["POLICY_PROFILE"] == {"Ref": "PolicyProfile"}
