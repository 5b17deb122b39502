"""Rules and cascades in the table: each claim on the fake and on DynamoDB's."""

from __future__ import annotations

from typing import cast

import pytest

from cascan.aws.tables.cascade_table import DynamoCascadeTable
from cascan.aws.tables.issued_requests import DynamoIssuedRequests
from cascan.aws.tables.rule_table import DynamoRuleTable
from cascan.gateways import CascadeTable, IssuedRequests, RuleTable
from cascan.ids import digest_body
from cascan.limits import MAX_DECISIONS_KEPT
from cascan.model.cascade import BudgetUse, CascadeLine, ChildIdentity, Reservation, StoredChild, StoredRule
from tests.fakes.cascades import MemoryCascadeTable, MemoryRuleTable
from tests.integration.gateways.conftest import TABLE
from tests.support.builders import NOW, SCAN_ID
from tests.support.cascading import rule_document

ROOT = "rootrootrootroot"
PLENTY = BudgetUse(100, 100, 100)


@pytest.fixture(params=["memory", "dynamodb"])
def rules(request: pytest.FixtureRequest) -> RuleTable:
    if request.param == "memory":
        return MemoryRuleTable()
    request.getfixturevalue("dynamo_table")
    return cast("RuleTable", DynamoRuleTable(TABLE))


@pytest.fixture(params=["memory", "dynamodb"])
def cascades(request: pytest.FixtureRequest) -> CascadeTable:
    if request.param == "memory":
        return MemoryCascadeTable()
    request.getfixturevalue("dynamo_table")
    return cast("CascadeTable", DynamoCascadeTable(TABLE))


def a_child(key: str = "rule/a", **fields: object) -> StoredChild:
    plain: dict[str, object] = {
        "key": key,
        "rule": "rule",
        "scan_id": "childchildchildc",
        "name": "lan-rule",
        "scan_type": "nmap",
        "weight": BudgetUse(1, 10, 5),
        "asked": ChildIdentity("rule", "base", (443,), (key,)),
        "body": '{"targets": []}',
    }
    return StoredChild(**plain | fields)  # type: ignore[arg-type]


def test_every_version_of_a_rule_is_stored(rules: RuleTable) -> None:
    first, second = rule_document("one"), rule_document("one", scanType="nikto")
    assert [rules.put_rule("one", document).version for document in (first, first, second, first)] == [1, 1, 2, 3]
    assert [(rule.name, rule.version) for rule in rules.rules()] == [("one", 3)]
    found = rules.rule("one", 2)
    assert found is not None
    assert found.document == second
    assert rules.rule("one", 9) is None


def test_a_deleted_rule_keeps_its_versions_and_goes_on_counting(rules: RuleTable) -> None:
    document = rule_document("one")
    rules.put_rule("one", document)
    assert [rules.delete_rule("one"), rules.delete_rule("one"), rules.delete_rule("none")] == [True, False, False]
    assert list(rules.rules()) == []
    assert rules.rule("one", 1)
    assert rules.put_rule("one", document).version == 2
    assert [rule.version for rule in rules.rules()] == [2]


def test_versions_are_restored_as_they_were_and_never_over_later_ones(rules: RuleTable) -> None:
    second, fourth = (
        StoredRule(name="one", version=version, document=rule_document("one", scanType=f"t{version}"), stored_at=NOW)
        for version in (2, 4)
    )
    assert [rules.restore_rule(rule) for rule in (second, fourth, fourth, second)] == [True, True, False, False]
    assert (list(rules.rules()), rules.rule("one", 2), rules.rule("one", 3)) == ([fourth], second, None)
    assert rules.put_rule("one", rule_document("one")).version == 5


def test_rules_are_listed_by_name(rules: RuleTable) -> None:
    for name in ("b", "a", "c"):
        rules.put_rule(name, rule_document(name))
    assert [rule.name for rule in rules.rules()] == ["a", "b", "c"]


def test_the_rules_of_a_cascade_are_fixed_once(cascades: CascadeTable) -> None:
    assert cascades.cascade(SCAN_ID) is None
    cascades.begin_cascade(SCAN_ID, {"one": 1})
    assert cascades.begin_cascade(SCAN_ID, {"one": 2, "two": 1}).rules == {"one": 1}


def test_a_child_is_reserved_once_and_counted_once(cascades: CascadeTable) -> None:
    for key in ("rule/a", "rule/a", "rule/b"):
        assert cascades.reserve_child(SCAN_ID, ROOT, a_child(key), PLENTY) is Reservation.RESERVED
    assert cascades.spent(ROOT) == BudgetUse(2, 20, 10)
    assert [child.key for child in cascades.cascade_children(SCAN_ID)] == ["rule/a", "rule/b"]


@pytest.mark.parametrize("most", [BudgetUse(1, 100, 100), BudgetUse(100, 19, 100), BudgetUse(100, 100, 9)])
def test_the_budget_of_the_root_scan_holds_no_more_than_it_has(cascades: CascadeTable, most: BudgetUse) -> None:
    assert cascades.reserve_child(SCAN_ID, ROOT, a_child(), most) is Reservation.RESERVED
    assert cascades.reserve_child("otherscanotherxx", ROOT, a_child("rule/b"), most) is Reservation.FULL
    assert cascades.reserve_child(SCAN_ID, ROOT, a_child(), most) is Reservation.RESERVED  # it is there
    assert cascades.spent(ROOT) == BudgetUse(1, 10, 5)
    assert list(cascades.cascade_children("otherscanotherxx")) == []


def test_two_scans_of_a_cascade_do_not_ask_for_the_same(cascades: CascadeTable) -> None:
    assert cascades.reserve_child(SCAN_ID, ROOT, a_child(), PLENTY) is Reservation.RESERVED
    assert cascades.reserve_child("otherscanotherxx", ROOT, a_child(), PLENTY) is Reservation.ASKED
    assert cascades.reserve_child("otherscanotherxx", "anotherrootanoth", a_child(), PLENTY) is Reservation.RESERVED
    assert list(cascades.asked(ROOT)) == [ChildIdentity("rule", "base", (443,), ("rule/a",))]
    assert cascades.spent(ROOT) == BudgetUse(1, 10, 5)


def test_the_first_child_alone_may_be_too_much(cascades: CascadeTable) -> None:
    assert cascades.reserve_child(SCAN_ID, ROOT, a_child(), BudgetUse(100, 9, 100)) is Reservation.FULL
    assert cascades.spent(ROOT) == BudgetUse()


def test_a_child_is_marked_as_sent(cascades: CascadeTable) -> None:
    child = a_child(body='{"targets": ["' + "10.0.0.1, " * 5_000 + '"]}', findings=("a", "b"))
    cascades.reserve_child(SCAN_ID, ROOT, child, PLENTY)
    assert list(cascades.cascade_children(SCAN_ID)) == [child]
    cascades.mark_sent(SCAN_ID, child.key)
    assert [child.sent for child in cascades.cascade_children(SCAN_ID)] == [True]


def test_the_end_keeps_the_first_lines_and_counts_the_rest(cascades: CascadeTable) -> None:
    cascades.begin_cascade(SCAN_ID, {"one": 1})
    lines = [CascadeLine(kind="refused", rule="one", reason=str(number), count=1) for number in range(300)]
    cascades.end_cascade(SCAN_ID, lines)
    record = cascades.cascade(SCAN_ID)
    assert record is not None
    assert (record.rules, record.decided) == ({"one": 1}, True)
    assert (record.lines, record.more) == (tuple(lines[:MAX_DECISIONS_KEPT]), 300 - MAX_DECISIONS_KEPT)


def test_reserving_a_child_records_its_request_as_issued(cascades: CascadeTable) -> None:
    issued: IssuedRequests = (
        cascades.issued if isinstance(cascades, MemoryCascadeTable) else DynamoIssuedRequests(TABLE)
    )
    child = a_child()
    digest = digest_body(child.body)
    assert not issued.was_issued(child.scan_id, digest)
    cascades.reserve_child(SCAN_ID, ROOT, child, PLENTY)
    assert issued.was_issued(child.scan_id, digest)
    assert not issued.was_issued(child.scan_id, digest_body("another body"))
    assert not issued.was_issued("otherscanotherxx", digest)
    refused = a_child("rule/b", scan_id="refusedrefusedre")
    assert cascades.reserve_child(SCAN_ID, ROOT, refused, BudgetUse(1, 10, 5)) is Reservation.FULL
    assert not issued.was_issued(refused.scan_id, digest)
    issued.issue("otherscanotherxx", child.body)
    assert issued.was_issued("otherscanotherxx", digest)
