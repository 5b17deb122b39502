"""Policy profiles: what contains what, and that a request narrows but never widens."""

import pytest

from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.model.policy_profile import PolicyProfile
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import plan
from tests.support.builders import a_request, body

SAFE, INTRUSIVE, EVERYTHING = PolicyProfile
SCOPE = Scope.of(["127.0.0.1"])


def test_each_profile_allows_what_the_ones_before_it_do() -> None:
    assert [[one.allows(other) for other in PolicyProfile] for one in PolicyProfile] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize("operators", PolicyProfile)
@pytest.mark.parametrize("asked", PolicyProfile)
def test_a_request_narrows_the_operators_profile_and_never_widens_it(
    operators: PolicyProfile, asked: PolicyProfile
) -> None:
    if asked.rank <= operators.rank:
        assert Permissions(SCOPE, operators).narrow_policy(asked) is asked
        return
    with pytest.raises(RequestRefused) as refused:
        Permissions(SCOPE, operators).narrow_policy(asked)
    assert f"policyProfile {asked} is more than {operators}" in str(refused.value)


def test_a_request_that_asks_for_nothing_gets_the_operators_profile() -> None:
    assert [Permissions(SCOPE, profile).narrow_policy(None) for profile in PolicyProfile] == list(PolicyProfile)


def test_an_operator_who_chose_nothing_gets_safe() -> None:
    with pytest.raises(RequestRefused, match="this scan has safe"):
        plan(a_request(parameters=("--script", "http-enum")), Permissions(SCOPE))


def test_the_profile_of_a_request_reaches_its_scripts() -> None:
    request = a_request(parameters=("--script", "http-enum"))
    assert plan(request, Permissions(SCOPE, INTRUSIVE)).arguments[-2:] == ("--script", "http-enum")
    with pytest.raises(RequestRefused, match="this scan has safe"):
        plan(a_request(parameters=("--script", "http-enum"), policy_profile=SAFE), Permissions(SCOPE, INTRUSIVE))


@pytest.mark.parametrize("name", PolicyProfile)
def test_the_short_form_and_a_manifest_name_a_profile(name: str) -> None:
    short = body(targets=["127.0.0.1"], policyProfile=name)
    manifest = f"""
        apiVersion: execution.securecodebox.io/v1
        kind: Scan
        metadata: {{name: one, annotations: {{cascan/policy-profile: {name}}}}}
        spec: {{scanType: nmap, parameters: ["127.0.0.1"]}}
    """
    assert read_request(short).request.policy_profile == read_request(manifest).request.policy_profile == name


def test_a_profile_that_is_none_is_refused_with_those_there_are() -> None:
    for text in (
        body(targets=["a"], policyProfile="Safe"),
        body(targets=["a"], annotations={"cascan/policy-profile": "loose"}),
    ):
        with pytest.raises(RequestRefused, match="safe, intrusive, everything"):
            read_request(text)
