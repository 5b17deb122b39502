"""Who a principal is to a person."""

from __future__ import annotations

import getpass

import pytest

from cascan_cli.output.principals import LOCAL_ACCOUNT, describe_principal


def test_the_account_of_the_emulator_is_the_user_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert describe_principal(LOCAL_ACCOUNT) == "ada"
    assert describe_principal("AIDA1234567890EXAMPLE") == "AIDA1234567890EXAMPLE"
    assert describe_principal("") == ""


def test_a_user_without_a_name_stays_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", find_none)
    assert describe_principal(LOCAL_ACCOUNT) == LOCAL_ACCOUNT
