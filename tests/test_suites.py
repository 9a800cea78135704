"""The suites in `expectations/landing`: complete, well formed, and filled with a row's values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf.datasets import DATASETS
from csperf.errors import CsperfError
from csperf.suites import SUITES_DIR, Rule, load_suite, reason_sql


@pytest.mark.parametrize("name", DATASETS)
def test_suite_covers_what_the_contract_requires(name: str) -> None:
    dataset, suite = DATASETS[name], load_suite(name)
    never_empty = {
        rule.kwargs["column"]
        for rule in suite.rules
        if rule.type == "expect_column_values_to_not_be_null" and rule.severity == "quarantine"
    }
    assert never_empty == {column.name for column in dataset.columns if not column.optional}
    checks = {rule.check for rule in suite.rules}
    assert {"readable", "key_repeated"} <= checks
    assert ("other_date" in checks) == (dataset.date_column is not None)
    people = {"agent_id", "employee_id"} & set(dataset.column_names) if name != "employees" else set()
    assert {rule.column for rule in suite.rules if rule.waits_for == "employees"} == people


@pytest.mark.parametrize("name", DATASETS)
def test_messages_name_columns_that_there_are(name: str) -> None:
    columns = {*DATASETS[name].column_names, "_bad", "_date"}
    for rule in load_suite(name).rules:
        allowed = columns | {"_kept"} if rule.keeps_first else columns
        assert set(re.findall(r"\{(\w+)\}", rule.message)) <= allowed, rule.check
        assert rule.reason and rule.message


@pytest.mark.parametrize("name", DATASETS)
def test_braces_of_a_query_stand_for_the_batch_alone(name: str) -> None:
    for rule in load_suite(name).rules:
        if query := rule.kwargs.get("unexpected_rows_query"):
            assert "{" not in query.format(batch=name), rule.check


def test_no_suite_without_a_dataset() -> None:
    assert {path.stem for path in SUITES_DIR.glob("*.json")} == set(DATASETS)


def test_salary_never_stands_in_a_reason() -> None:
    assert not any("{base_salary}" in rule.message for rule in load_suite("employees").rules)


def suite_file(folder: Path, *rules: dict[str, Any]) -> Path:
    (folder / "calls.json").write_text(json.dumps({"meta": {"about": "x"}, "expectations": list(rules)}))
    return folder


def rule_json(**meta: Any) -> dict[str, Any]:
    base = {"check": "a", "severity": "warn", "message": "m", "reason": "r"}
    return {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "call_id"}, "meta": {**base, **meta}}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([rule_json(severity="fatal")], "'fatal' of a is not block, quarantine or warn"),
        ([rule_json(), rule_json()], "names a twice"),
        ([rule_json(waits_for="employees")], "needs both waits_for and column"),
        ([{"type": "x"}], "malformed"),
    ],
)
def test_malformed_suite_is_told(tmp_path: Path, rules: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(CsperfError, match=words):
        load_suite("calls", suite_file(tmp_path, *rules))


def test_missing_suite_is_told(tmp_path: Path) -> None:
    with pytest.raises(CsperfError, match="no suite for dataset calls"):
        load_suite("calls", tmp_path)


def test_digest_changes_with_a_rule(tmp_path: Path) -> None:
    first = load_suite("calls", suite_file(tmp_path, rule_json())).digest
    other = tmp_path / "other"
    other.mkdir()
    assert load_suite("calls", suite_file(other, rule_json(severity="block"))).digest != first


def test_reason_is_filled_with_local_times_and_plain_numbers() -> None:
    rule = Rule("t", {}, "c", "warn", "it's {points} at {reviewed_at}, {item_code}", "r")
    sql = reason_sql(rule, DATASETS["qa_reviews"], "Asia/Shanghai")
    with duckdb.connect() as con:
        assert con.sql(
            f"select {sql} from (select 12.500000::decimal(18,6) as points, "
            "timestamptz '2026-08-31 17:00:00+00' as reviewed_at, null::varchar as item_code) as r"
        ).fetchone() == ("it's 12.5 at 2026-09-01 01:00:00, empty",)
        assert con.sql(
            f"select {sql} from (select 100::decimal(18,6) as points, null::timestamptz as reviewed_at, "
            "'A1' as item_code) as r"
        ).fetchone() == ("it's 100 at empty, A1",)
