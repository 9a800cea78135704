"""The least and the most of a line: from the formula, or as the plan states them."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from csperf.policy.bounds import Bounds
from csperf.policy.library import load_plans
from csperf.policy.store import load_policies
from csperf.settings import Settings, load_settings
from tests.policy.plan_texts import PLAN, added, told, write

NONE = frozenset[str]()


def bounds_of(folder, text: str) -> dict[str, Bounds]:
    write(folder, text)
    return dict(load_plans(load_settings(policy_dir=folder))["night_watch"].bounds[0])


@pytest.mark.parametrize(
    ("formula", "least", "most"),
    [
        ("wage", "100.10", "100.10"),
        ("wage * csat_rate", "0.00", "100.10"),
        ("wage * tickets", "0.00", None),
        ("wage * net_sales", None, None),  # net sales may be below zero
        ("greatest(0, wage * net_sales)", "0.00", None),
        ("least(50, wage * tickets) - 60", "-60.00", "-10.00"),
        ("case when csat_rate > 0.9 then wage when csat_rate > 0.5 then 0.005 end", "0.01", "100.10"),
        ("base_pay * 2", "0.00", "200.20"),  # of the line, which is rounded
        ("wage * month_sixth", "66.73", "66.73"),  # 100.1 times 0.666667, a measure being rounded to 6 places first
    ],
)
def test_without_a_word_of_the_plan_the_formula_counts(tmp_path, formula: str, least: str | None, most: str | None):
    measure = "    measures:\n      month_sixth: {labels: {zh: 甲, en: a}, unit: ratio, formula: 4 / 6}\n"
    found = bounds_of(tmp_path, added(f"bonus: {formula}").replace("    components:\n", f"{measure}    components:\n"))
    ends = (None if end is None else Decimal(end) for end in (least, most))
    assert found["bonus"] == Bounds(*ends, NONE)
    assert found["base_pay"] == Bounds(Decimal("0.00"), Decimal("100.10"), NONE)


def test_a_plan_states_them_in_numbers_and_figures_and_of_a_table_the_outermost_counts(tmp_path):
    figure = "      cap: {by: grade, values: {junior: 300, senior: 500.5}, provenance: assumption}\n"
    text = PLAN.replace("    figures:\n", f"    figures:\n{figure}") + (
        "      bonus: {labels: {zh: 甲, en: a}, formula: wage * net_sales, least: -20, most: cap * 2}\n"
        "      award: {labels: {zh: 甲, en: a}, formula: wage * tickets, most: cap}\n"
    )
    found = bounds_of(tmp_path, text)
    assert found["bonus"] == Bounds(Decimal("-20.00"), Decimal("1001.00"), frozenset({"least", "most"}))
    assert found["award"] == Bounds(Decimal("0.00"), Decimal("500.50"), frozenset({"most"}))
    with duckdb.connect() as con:
        load_policies(con, load_settings(policy_dir=tmp_path))
        rows = con.execute(
            "select component, least, most, least_stated, most_stated from policy.bounds where plan = 'night_watch' "
            "and component <> 'base_pay' order by all"
        ).fetchall()
    assert rows == [
        ("award", Decimal("0.00"), Decimal("500.50"), False, True),
        ("bonus", Decimal("-20.00"), Decimal("1001.00"), True, True),
    ]


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        (
            "most: wage * tickets",
            "'tickets' is no figure of the plan; 'most' is reckoned from numbers and figures alone.",
        ),
        ("least: 1 +", "cannot read '1 +'"),
        ("least: wage, most: 100", "the least (100.10) is above the most (100.00); swap or mend them."),
        ("mots: 100", "there is no key 'mots' here"),
    ],
)
def test_what_is_wrong_with_them_is_told(tmp_path, stated: str, reason: str):
    write(tmp_path, PLAN + f"      bonus: {{labels: {{zh: 甲, en: a}}, formula: wage, {stated}}}\n")
    (problem,) = told(tmp_path)
    assert reason in problem and problem.startswith("night_watch.yaml:12 at versions.0.components.bonus")


def test_every_shipped_component_has_a_least_but_where_a_score_may_be_below_zero():
    open_ended = {
        (code, name)
        for code, loaded in load_plans(Settings()).items()
        for version in loaded.bounds
        for name, found in version.items()
        if found.least is None
    }
    assert open_ended == {("layered", "quarterly_performance"), ("layered", "annual_performance")}
