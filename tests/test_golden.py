"""Worked examples by hand, a file a plan: what the plans give through the real dbt models, to the cent.

The examples enter as rows of `measures.period_wide`; everything after it is computed.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from csperf.explain import explain
from csperf.explain_tiers import explain_decision
from csperf.periods import Month, Quarter
from csperf.policy.library import _Loader
from csperf.settings import load_settings
from csperf.warehouse import call_dbt, connect
from tests.plan_rows import prepare, wide_row

FILES = sorted((Path(__file__).parent / "golden").glob("*.yaml"))
MONTH, QUARTER = Month(2026, 12), Quarter(2026, 2)
"""Single months are Decembers: what is paid monthly, quarterly and yearly falls due. `year` in a case sets it apart."""
MODELS = (
    "derived_monthly derived_quarterly derived_yearly derived_measures scorecard_monthly computed_lines "
    "computed_conditions computed_decisions salary_reviews lists tier_quarterly pay_lines "
    "payroll_runs corrections computed_bases unpaid"
)

pytestmark = pytest.mark.xdist_group("golden")  # one build serves all of them


def read(path: Path) -> dict:
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)


def cases(kind: str) -> list:
    found = []
    for path in FILES:
        content = read(path)
        for number, case in enumerate(content.get(kind, [])):
            found.append(pytest.param(content["plan"], number, case, id=f"{content['plan']}: {case['name']}"))
    return found


def month_of(case: dict) -> Month:
    return Month(case.get("alone_in", MONTH.year), MONTH.number)


def quarter_of(case: dict) -> Quarter:
    return Quarter(QUARTER.year, case.get("quarter_number", QUARTER.number))


def all_rows() -> list[dict]:
    rows = []
    for path in FILES:
        content = read(path)
        plan = content["plan"]
        for number, case in enumerate(content.get("months", [])):
            month, employee_id, who = month_of(case), f"{plan}/m{number}", case.get("employee", {})
            rows.append(wide_row(plan, employee_id, "month", month, who, case.get("given", {})))
            if "quarter" in case:
                rows.append(wide_row(plan, employee_id, "quarter", month, who, case["quarter"]))
            if "year" in case:
                rows.append(wide_row(plan, employee_id, "year", month, who, case["year"]))
        for number, case in enumerate(content.get("quarters", [])):
            employee_id, each, who = f"{plan}/q{number}", case["each"], case.get("employee", {})
            quarter = quarter_of(case)
            last = quarter.months[2]
            for place, given in enumerate(each * 3 if len(each) == 1 else each):
                month = last.plus(place + 1 - max(len(each), 3))
                rows.append(wide_row(plan, employee_id, "month", month, who, given))
            rows.append(wide_row(plan, employee_id, "quarter", last, who, case["quarter"]))
    return rows


def announcements() -> list[tuple[str, date, date]]:
    """Day 0 of the public notice of each example that has one."""
    return [
        (f"{content['plan']}/q{number}", quarter_of(case).months[2].first_day, case["announced_on"])
        for content in map(read, FILES)
        for number, case in enumerate(content.get("quarters", []))
        if "announced_on" in case
    ]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load_settings(home=tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def computed(settings):
    """A warehouse whose period_wide holds the examples, with everything after it built by dbt."""
    rows = all_rows()
    with connect(settings) as con:
        prepare(con, settings, rows, announcements())
    decembers = sorted({month_of(case) for path in FILES for case in read(path).get("months", [])})
    earliest = min(row["month_start"] for row in rows if "/q" in row["employee_id"])
    for window in [*((month, month) for month in decembers), (Month.of(earliest), QUARTER.months[2])]:
        bounds = ["--event-time-start", str(window[0].first_day)]
        bounds += ["--event-time-end", str(window[1].plus(1).first_day)]
        call_dbt(settings, ["run", "--select", MODELS, *bounds])
    with connect(settings, read_only=True) as con:
        yield con


@pytest.mark.parametrize(("plan", "number", "case"), cases("months"))
def test_a_month(computed, plan, number, case):
    employee_id = f"{plan}/m{number}"
    lines = dict(
        computed.execute(
            "select component, amount from payroll.computed_lines where employee_id = ?", [employee_id]
        ).fetchall()
    )
    measures = dict(
        computed.execute(
            "select measure, value from measures.derived_measures where employee_id = ? order by period_kind = 'month'",
            [employee_id],
        ).fetchall()
    )
    assert {name: lines.get(name) for name in case.get("lines", {})} == case.get("lines", {}), case["arithmetic"]
    assert {name: measures.get(name) for name in case.get("measures", {})} == case.get("measures", {})
    rating, listed, score = computed.execute(
        "select rating, for_director, score from scorecards.scorecard_monthly where employee_id = ?", [employee_id]
    ).fetchone()
    if "rating" in case:
        assert rating == case["rating"]
        assert listed == case.get("for_director", False)
    if "review" in case:
        found = computed.execute(
            "select base_before, raise_share, base_after from payroll.salary_reviews where employee_id = ?",
            [employee_id],
        ).fetchall()
        assert found == [tuple(case["review"][name] for name in ("base_before", "raise_share", "base_after"))]
    if plan == "cs_2017":
        assert score == measures.get("total_points")


@pytest.mark.parametrize(("plan", "number", "case"), cases("quarters"))
def test_a_quarter(computed, plan, number, case):
    found = computed.execute(
        "select decision, grade_after, effective_from, reason from tiers.computed_decisions where employee_id = ?",
        [f"{plan}/q{number}"],
    ).fetchall()
    assert len(found) == 1
    decision, grade_after, effective_from, reason = found[0]
    assert (decision, grade_after) == (case["decision"], case["grade_after"]), f"{case['arithmetic']}: {reason}"
    assert effective_from == case.get("effective_from", quarter_of(case).months[2].plus(1).first_day)
    if "reason" in case:
        assert case["reason"] in reason
    if "lists" in case:
        found = computed.execute("select list from tiers.lists where employee_id = ? order by 1", [f"{plan}/q{number}"])
        assert [row[0] for row in found.fetchall()] == case["lists"]
    assert reason


def test_every_decision_has_its_conditions(computed):
    bare = computed.execute(
        """
        select decisions.employee_id
        from tiers.computed_decisions as decisions
        inner join policy.tier_moves as moves
            on decisions.plan_version = moves.plan_version and decisions.grade_before = moves.grade
        inner join policy.steps as steps
            on moves.plan_version = steps.plan_version and moves.rule = steps.rule
        left join tiers.computed_conditions as conditions
            on decisions.employee_id = conditions.employee_id
            and moves.rule = conditions.rule
            and conditions.condition like '%.' || steps.step
        where conditions.employee_id is null
        """
    ).fetchall()
    assert bare == []


def test_an_explanation_writes_the_figures_out(computed):
    plan = "cs_2017"
    text = computed.execute(
        "select explanation from payroll.computed_lines where employee_id = ? and component = 'performance_pay'",
        [f"{plan}/m0"],
    ).fetchone()[0]
    assert text == "total_points 600 × point_value 0.5"


def test_amounts_are_decimals(computed):
    amounts = computed.execute("select amount from payroll.computed_lines").fetchall()
    assert amounts
    assert all(isinstance(row[0], Decimal) for row in amounts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_component_is_explained_and_each_missing_one_has_a_reason(computed, settings, path):
    content = read(path)
    for number, case in enumerate(content.get("months", [])):
        employee_id = f"{content['plan']}/m{number}"
        told = list(explain(settings, employee_id, month_of(case)).lines())
        steps = computed.execute(
            "select step from policy.steps where plan = ? and stage = 'component' and effective_to > current_date",
            [content["plan"]],
        ).fetchall()
        for (component,) in steps:
            assert [line for line in told if line.strip().startswith((f"{component} ", f"{component}: "))], component
        assert not [line for line in told if line.endswith(("why zero: ", "because "))]
        unpaid = computed.execute("select component from payroll.unpaid where employee_id = ?", [employee_id])
        assert {row[0] for row in unpaid.fetchall()} == set(case.get("unpaid", [])), case["name"]


@pytest.mark.parametrize(("plan", "number", "case"), cases("quarters"))
def test_each_decision_tells_what_was_met_and_what_is_missing(computed, settings, plan, number, case):
    employee_id = f"{plan}/q{number}"
    told = list(explain_decision(settings, employee_id, quarter_of(case)).lines())
    assert f": {case['decision']}, grade" in told[0]
    looked_at = computed.execute(
        "select count(*) filter (where met), count(*) from tiers.computed_conditions where employee_id = ?",
        [employee_id],
    ).fetchone()
    met = [line for line in told if line.strip().startswith("met: ")]
    missing = [line for line in told if line.strip().startswith("MISSING: ")]
    assert (len(met), len(met) + len(missing)) == looked_at


def test_the_readme_counts_the_worked_examples_of_each_plan():
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "/plans/" in line]
    told = {row[1].partition("`")[2].partition("`")[0]: tuple(row[3:]) for row in rows if len(row) == 5}
    counted = {}
    for content in map(read, FILES):
        counted[content["plan"]] = tuple(str(len(content.get(kind, [])) or "–") for kind in ("months", "quarters"))
    assert told == counted
