"""Every figure of the pipeline against a second calculation, which was written from the contract alone.

Two companies go through the real pipeline: a demo company of four months around a quarter's end, and a small one
full of odd cases. What both sides say must be equal, to the last place.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from csperf import closing, nightly
from csperf.demo import load_profile, write_demo
from csperf.demo.profile import DEFAULT_PROFILE
from csperf.periods import Month, Quarter
from csperf.settings import Settings
from tests.oracle.calculation import Result, calculate
from tests.oracle.company import FIRST, LAST, MONTHS, write_company

WHEN = datetime(2026, 8, 21, 8, 30, tzinfo=UTC)
DEMO_MONTHS = ("2026-04", "2026-05", "2026-06", "2026-07")
CARD = (
    *("name", "team", "lead_id", "post", "grade", "plan", "qa_coefficient", "total_points", "score", "rating"),
    *("rank_in_post", "meets_base_indicator"),
)
OTHERS = {
    *("complaints", "complaints_upheld", "complaint_rate", "orders", "sales_amount", "refund_amount", "silent_amount"),
    *("net_sales", "referrals", "serious_violations", "conflicts", "trainings_12_months", "kpi_score"),
}
NOT_CALCULATED = (*("complaints", "orders", "targets", "assessments", "hr_events", "disputes", "promotion_cases"),)
AGENT_DAY = (
    *("sessions", "calls_answered", "first_response_seconds", "response_seconds", "csat_rate", "qa_deduction"),
    "tickets",
)


@dataclass(frozen=True)
class Both:
    """What the pipeline says, and the calculation."""

    settings: Settings
    calculated: Result
    decided: str

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.settings.warehouse_path), read_only=True) as con:
            return con.execute(sql).fetchall()


def run(home: Path, source: Path, first: date, last: date, decided: str, published: tuple[str, ...]) -> Settings:
    """The nightly job over the whole range, a quarter decided and some months published."""
    settings = Settings(home=home)
    done = nightly.run(settings, first, last, str(source), extracted_at=WHEN)
    assert not done.ingest.messages
    assert done.ingest.quarantined == 0
    closing.close_quarter(settings, Quarter.parse(decided), "Demo Director", WHEN)
    for month in published:
        closed = closing.close_month(settings, Month.parse(month), "Demo Director", WHEN)
        assert closed.outcome == "published"
    return settings


def write_small_demo(root: Path) -> Path:
    """25 people with few contacts a day, moving and leaving often, and eleven days of records each month.

    All are on the main scheme, and what the calculation does not read is not delivered.
    """
    profile = yaml.safe_load(DEFAULT_PROFILE.read_text(encoding="utf-8"))
    for post, contacts in (("basic", 7), ("vip", 5), ("voice", 8)):
        profile["posts"][post]["contacts"] = contacts
    profile |= {"plan": "cs_2017", "dirty_share": 0, "team_size": 6, "reviews_per_day": 2}
    profile |= {"yearly_leavers": 0.6, "yearly_joiners": 0.6, "yearly_transfers": 0.4}
    profile["deduction_month"]["slope"] = 0.9  # good and bad lie further apart
    profile["grades"]["trial"]["share"] = 0.3
    path = root / "profile.yaml"
    path.write_text(yaml.safe_dump(profile, allow_unicode=True), encoding="utf-8")
    first, last = Month.parse(DEMO_MONTHS[0]).first_day, Month.parse(DEMO_MONTHS[-1]).last_day
    out = write_demo(root / "source", 25, first, last, seed=5, profile=load_profile(path)).out
    for dataset in NOT_CALCULATED:
        shutil.rmtree(out / dataset)
    for delivery in out.glob("*/*.csv"):
        day = date.fromisoformat(delivery.stem)
        if delivery.parent.name != "employees" and 9 < day.day < Month.of(day).last_day.day - 1:
            delivery.unlink()
    return out


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Both:
    root = tmp_path_factory.mktemp("demo")
    source = write_small_demo(root)
    first, last = Month.parse(DEMO_MONTHS[0]).first_day, Month.parse(DEMO_MONTHS[-1]).last_day
    settings = run(root / "home", source, first, last, "2026Q2", DEMO_MONTHS)
    return Both(settings, calculate(source, DEMO_MONTHS), "2026Q2")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Both:
    root = tmp_path_factory.mktemp("odd")
    write_company(root / "source")
    settings = run(root / "home", root / "source", FIRST, LAST, "2023Q4", ())
    return Both(settings, calculate(root / "source", MONTHS), "2023Q4")


# Under pytest-xdist each company is built by one process.
COMPANIES = [pytest.param(name, marks=pytest.mark.xdist_group(f"independent {name}")) for name in ("demo", "odd")]


@pytest.fixture(params=COMPANIES)
def both(request: pytest.FixtureRequest) -> Both:
    found: Both = request.getfixturevalue(request.param)
    return found


def assert_equal(pipeline: Mapping[Any, Any], calculated: Mapping[Any, Any]) -> None:
    different = [key for key in pipeline.keys() | calculated.keys() if pipeline.get(key) != calculated.get(key)]
    shown = [f"{key}: {pipeline.get(key)}, calculated {calculated.get(key)}" for key in sorted(different, key=str)]
    assert not different, f"{len(different)} of {len(calculated)} differ\n" + "\n".join(shown[:40])
    assert calculated


def test_every_measure(both: Both) -> None:
    rows = both.rows("select employee_id, period_kind, period, measure, value from scorecards.measures")
    known = {measure for _, _, _, measure in both.calculated.measures}
    found = {tuple(key): value for *key, value in rows if value is not None}
    # What needs records that neither company delivers (orders, complaints, assessments) is none of this calculation.
    assert {measure for _, _, _, measure in found} - known <= OTHERS
    assert_equal({key: value for key, value in found.items() if key[3] in known}, both.calculated.measures)


def test_every_day_of_an_agent(both: Both) -> None:
    rows = both.rows(f"select agent_id, business_date, {', '.join(AGENT_DAY)} from scorecards.agent_daily")
    days = {(who, day): dict(zip(AGENT_DAY, values, strict=True)) for who, day, *values in rows}
    assert_equal(days, both.calculated.agent_daily)


def test_every_scorecard(both: Both) -> None:
    rows = both.rows(f"select employee_id, month, {', '.join(CARD)} from scorecards.scorecard_monthly")
    calculated = {}
    for key, card in both.calculated.scorecards.items():
        person = card.person
        calculated[key] = (
            *(person.name, person.team, person.lead_id, person.post, person.grade, person.plan, card.qa_coefficient),
            *(card.total_points, card.total_points, card.rating, card.rank_in_post, card.meets_base_indicator),
        )
    assert_equal({(who, month): tuple(values) for who, month, *values in rows}, calculated)


def test_every_pay_line(both: Both) -> None:
    rows = both.rows("select employee_id, pay_month, component, amount from payroll.computed_lines")
    assert_equal({tuple(key): amount for *key, amount in rows}, both.calculated.pay)


@pytest.mark.xdist_group("independent demo")
def test_every_published_line(demo: Both) -> None:
    rows = demo.rows("select employee_id, pay_month, component, amount from payroll.pay_lines where revision = 1")
    assert_equal({tuple(key): amount for *key, amount in rows}, demo.calculated.pay)
    control = dict(demo.rows("select pay_month, control_total from payroll.payroll_runs"))
    for month in DEMO_MONTHS:
        assert control[month] == sum(amount for (_, of, _), amount in demo.calculated.pay.items() if of == month)


DECISION = "employee_id, quarter, plan, post, grade_before, decision, grade_after, effective_from"


def decisions(result: Result, quarters: set[str]) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {
        key: (each.plan, each.post, each.grade_before, each.decision, each.grade_after, each.effective_from)
        for key, each in result.decisions.items()
        if key[1] in quarters
    }


def test_every_decision(both: Both) -> None:
    for table, quarters in (
        ("computed_decisions", {quarter for _, quarter in both.calculated.decisions}),
        ("tier_quarterly", {both.decided}),
    ):
        rows = both.rows(f"select {DECISION} from tiers.{table}")
        pipeline = {(who, quarter): tuple(values) for who, quarter, *values in rows}
        assert_equal(pipeline, decisions(both.calculated, quarters))


def test_the_companies_hold_what_they_are_there_for(both: Both) -> None:
    """Neither side is right for want of cases: every outcome occurs, and decided grades are in force afterwards."""
    calculated = both.calculated
    assert {each.decision for each in calculated.decisions.values()} == {
        *("promote", "demote", "hold", "dismiss_review", "not_rated")
    }
    month = Quarter.parse(both.decided).months[2].plus(1)
    cards = {who: card for (who, of), card in calculated.scorecards.items() if of == str(month)}
    moved = {who: each for (who, of), each in calculated.decisions.items() if of == both.decided and each.changed}
    assert len(moved.keys() & cards.keys()) > 2
    assert all(cards[who].person.grade == moved[who].grade_after for who in moved.keys() & cards.keys())
    ratings = {card.rating for card in calculated.scorecards.values()}
    assert ratings >= {"excellent", "good", "pass", "fail"}


@pytest.mark.xdist_group("independent odd")
def test_the_odd_company_is_odd(odd: Both) -> None:
    calculated = odd.calculated
    assert {kind for _, kind, _, _ in calculated.measures} == {"month", "quarter", "year"}
    ranks = [
        (month, card.person.post, card.rank_in_post)
        for (_, month), card in calculated.scorecards.items()
        if card.rank_in_post is not None
    ]
    assert len(ranks) > len(set(ranks))
    assert calculated.measures["P01", "month", "2023-12", "csat_rate"] == Decimal("0.851563")  # 109 of 128
    assert calculated.measures["B14", "month", "2023-12", "scheduled_days"] == 0
    assert calculated.scorecards["B03", "2023-12"].total_points == 0  # never below
    assert calculated.scorecards["B07", "2024-03"].person.grade == "junior"  # a newer grade of the roster's own
    assert calculated.scorecards["P03", "2024-03"].person.grade == "junior"  # an older one: the decision stands
