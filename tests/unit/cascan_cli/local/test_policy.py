"""What the local stack may scan: set by `local up`, kept, and widened by one scan for itself."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from cascan_cli.errors import StateUnreadable
from cascan_cli.local.policy import LOOPBACK_AND_PRIVATE, LocalPolicy, read_policy, store_policy
from cascan_cli.main import main
from cascan_cli.stack.permissions import read_permissions


def options(allow: list[str] | None = None, profile: str | None = None, *, default: bool = False) -> Namespace:
    return Namespace(allow=allow, policy_profile=profile, default_policy=default)


def test_where_nothing_was_set_loopback_and_private_networks_may_be_scanned(tmp_path: Path) -> None:
    assert read_policy(tmp_path) == LocalPolicy()
    assert LocalPolicy().allowed_targets == LOOPBACK_AND_PRIVATE


def test_what_local_up_set_is_kept_for_the_owner_alone(tmp_path: Path) -> None:
    store_policy(tmp_path, LocalPolicy(("198.51.100.0/24",), "intrusive"))
    assert read_policy(tmp_path) == LocalPolicy(("198.51.100.0/24",), "intrusive")
    assert (tmp_path / "policy.json").stat().st_mode & 0o777 == 0o600


def test_local_up_replaces_what_it_names_and_keeps_the_rest() -> None:
    policy = LocalPolicy(("a.example",), "intrusive")
    assert policy.replace_with(options()) == policy
    assert policy.replace_with(options(["b.example"])) == LocalPolicy(("b.example",), "intrusive")
    assert policy.replace_with(options(profile="safe")) == LocalPolicy(("a.example",), "safe")
    assert policy.replace_with(options(default=True)) == LocalPolicy()


def test_one_scan_adds_to_it_for_itself(tmp_path: Path) -> None:
    store_policy(tmp_path, LocalPolicy(("a.example",)))
    widened = read_policy(tmp_path).widen(options(["b.example", "a.example"], "intrusive"))
    assert widened == LocalPolicy(("a.example", "b.example"), "intrusive")
    assert read_policy(tmp_path) == LocalPolicy(("a.example",))


def test_a_command_without_these_options_changes_nothing() -> None:
    policy = LocalPolicy(("a.example",), "everything")
    assert policy.widen(Namespace()) == policy


def test_check_judges_as_the_stack_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", "198.51.100.7", "--state-dir", str(tmp_path), "--", "--script", "ssh-brute"]
    assert main(words) == 2
    store_policy(tmp_path, LocalPolicy(("198.51.100.0/24",), "intrusive"))
    assert main(words) == 0
    assert "refused (scope)" in capsys.readouterr().err


def test_apply_and_rules_test_ask_the_same_judge(tmp_path: Path) -> None:
    store_policy(tmp_path, LocalPolicy(("198.51.100.0/24",), "intrusive"))
    permit = read_permissions(Namespace(stack=None, state_dir=tmp_path))
    assert permit.policy.value == "intrusive"
    assert not permit.scope.find_address_refusal("198.51.100.7")


def test_an_entry_that_is_no_network_or_domain_is_refused_before_anything_is_set(tmp_path: Path) -> None:
    assert main(["local", "up", "--allow", "1.2.3", "--state-dir", str(tmp_path)]) == 2
    assert read_policy(tmp_path) == LocalPolicy()


@pytest.mark.parametrize("text", ["", "{}", '{"allow": 1, "profile": "safe"}', "[]"])
def test_a_damaged_file_is_a_sentence_and_not_another_policy(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.json").write_text(text)
    with pytest.raises(StateUnreadable, match="is damaged"):
        read_policy(tmp_path)
