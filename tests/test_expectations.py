"""Great Expectations on DuckDB: all bad rows counted, no value kept, broken rules told."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import great_expectations
import pytest

from csperf import expectations
from csperf.errors import CsperfError
from csperf.expectations import Expectations, Finding
from csperf.suites import Rule, Suite

AT = datetime(2026, 9, 2, tzinfo=UTC)


def test_the_library_is_the_one_that_the_patch_was_tried_on() -> None:
    """csperf/expectations.py adds DuckDB to a private list; try it by hand before this version is raised."""
    assert great_expectations.__version__ == "1.24.1"


def suite(*rules: Rule) -> Suite:
    return Suite("calls", "demo", rules, hashlib.sha256(b"x").hexdigest(), Path("calls.json"))


def rule(check: str, type_: str = "unexpected_rows_expectation", **kwargs: Any) -> Rule:
    return Rule(type_, kwargs, check, "quarantine", "m", "r")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "check.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(
            "create table calls as select date '2026-09-01' + (i % 2)::int as _business_date, i as _row, "
            "'secret-' || i as call_id, case when i % 2 = 0 then 9 else 3 end as csat from range(1000) as r(i)"
        )
    return path


def validate(
    database: Path, docs: Path, *rules: Rule, day: date = date(2026, 9, 1)
) -> tuple[Expectations, list[Finding]]:
    checker = Expectations(docs)
    return checker, checker.validate(database, {}, "Asia/Shanghai", suite(*rules), day, day, AT)


def test_every_bad_row_is_counted_and_can_be_fetched(database: Path, tmp_path: Path) -> None:
    between = rule("range", "expect_column_values_to_be_between", column="csat", min_value=1, max_value=5)
    query = rule("query", unexpected_rows_query="select _business_date, _row from {batch} where csat = 9")
    good = rule("good", "expect_column_values_to_not_be_null", column="call_id")
    _, findings = validate(database, tmp_path / "docs", between, query, good)
    assert [(found.rule.check, found.failed) for found in findings] == [("range", 500), ("query", 500), ("good", 0)]
    with duckdb.connect(str(database)) as con:
        for found in findings[:2]:
            rows = con.execute(f"select count(*), count(distinct _row) from ({found.query})").fetchone()
            assert rows == (500, 500)


def test_data_docs_show_counts_and_no_value(database: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    checker, _ = validate(
        database,
        docs,
        rule("set", "expect_column_values_to_be_in_set", column="call_id", value_set=["none of them"]),
        rule("query", unexpected_rows_query="select _business_date, _row, call_id from {batch} where csat = 9"),
    )
    assert checker.build_docs() == docs
    assert (docs / "index.html").exists()
    pages = list((docs / "validations" / "calls").rglob("*.html"))
    assert len(pages) == 1
    text = pages[0].read_text()
    assert "none of them" in text and "1000" in text.replace(",", "")
    assert not any("secret-" in path.read_text() for path in docs.rglob("*.html"))


def test_data_docs_keep_the_newest_pages(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectations, "DOCS_KEPT", 2)
    good = rule("good", "expect_column_values_to_not_be_null", column="call_id")
    for number in (1, 2, 3):
        checker, _ = validate(database, tmp_path / "docs", good, day=date(2026, 9, number))
        checker.build_docs()
    kept = sorted(path.name for path in (tmp_path / "docs" / "validations" / "calls").iterdir())
    assert kept == ["2026-09-02_2026-09-02", "2026-09-03_2026-09-03"]


def test_a_rule_that_cannot_be_evaluated_is_named(database: Path, tmp_path: Path) -> None:
    with pytest.raises(CsperfError, match=r"Rule broken of suite calls cannot be evaluated: .*no_such_column"):
        validate(
            database, tmp_path / "docs", rule("broken", unexpected_rows_query="select no_such_column from {batch}")
        )
