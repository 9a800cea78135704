"""Every figure of the pipeline against a second calculation, which was written from the contract alone.

Three companies go through the real pipeline: a demo company of four months around a quarter's end, a small one full of
odd cases, both of the main scheme, and a random one of every plan. What both sides say must be equal, to the last
place. `python -m tests.oracle --seeds 20` does the same with more random companies of fifteen months.
"""

from __future__ import annotations

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
from tests.oracle.comparison import DECISION, compare, decided, side_by_side
from tests.oracle.pipeline import run_company
from tests.oracle.random_company import FIRST as RANDOM_FIRST
from tests.oracle.random_company import MONTHS as RANDOM_MONTHS
from tests.oracle.random_company import write_random_company
from tests.oracle.random_people import PLANS

WHEN = datetime(2026, 8, 21, 8, 30, tzinfo=UTC)
DEMO_MONTHS = ("2026-04", "2026-05", "2026-06", "2026-07")


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
        why = "a few days of records each month"
        closed = closing.close_month(settings, Month.parse(month), "Demo Director", WHEN, override=why)
        assert closed.outcome == "published"
        assert not [sentence for sentence in closed.draft.stopped if "can pay" in sentence], closed.draft.stopped
    return settings


def write_small_demo(root: Path) -> Path:
    """40 people with few contacts a day, moving and leaving often, and eleven days of records each month.

    They are on all plans of the library, and every dataset is delivered.
    """
    profile = yaml.safe_load(DEFAULT_PROFILE.read_text(encoding="utf-8"))
    for post, contacts in (("basic", 7), ("vip", 5), ("voice", 8)):
        profile["posts"][post]["contacts"] = contacts
    profile |= {"dirty_share": 0, "team_size": 6, "reviews_per_day": 2}
    profile |= {"yearly_leavers": 0.6, "yearly_joiners": 0.6, "yearly_transfers": 0.4}
    profile["deduction_month"]["slope"] = 0.9  # good and bad lie further apart
    profile["grades"]["trial"]["share"] = 0.3
    path = root / "profile.yaml"
    path.write_text(yaml.safe_dump(profile, allow_unicode=True), encoding="utf-8")
    first, last = Month.parse(DEMO_MONTHS[0]).first_day, Month.parse(DEMO_MONTHS[-1]).last_day
    out = write_demo(root / "source", 40, first, last, seed=5, profile=load_profile(path)).out
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
    calculated = calculate(source, DEMO_MONTHS, approved=["2026Q2"], published=list(DEMO_MONTHS))
    return Both(settings, calculated, "2026Q2")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Both:
    root = tmp_path_factory.mktemp("odd")
    write_company(root / "source")
    settings = run(root / "home", root / "source", FIRST, LAST, "2023Q4", ())
    return Both(settings, calculate(root / "source", MONTHS), "2023Q4")


@pytest.fixture(scope="module")
def every_plan(tmp_path_factory: pytest.TempPathFactory) -> Both:
    root = tmp_path_factory.mktemp("every_plan")
    source = write_random_company(root / "source", 26, 25, PLANS, until="2023-03").root
    settings = run_company(root / "home", source, RANDOM_FIRST, date(2023, 3, 31), ["2022Q4"], ["2022-12"])
    calculated = calculate(source, RANDOM_MONTHS[:6], approved=["2022Q4"], published=["2022-12"])
    return Both(settings, calculated, "2022Q4")


# Under pytest-xdist each company is built by one process.
COMPANIES = [
    pytest.param(name, marks=pytest.mark.xdist_group(f"independent {name}")) for name in ("demo", "odd", "every_plan")
]


@pytest.fixture(params=COMPANIES)
def both(request: pytest.FixtureRequest) -> Both:
    found: Both = request.getfixturevalue(request.param)
    return found


def assert_equal(pipeline: Mapping[Any, Any], calculated: Mapping[Any, Any]) -> None:
    found = side_by_side("", pipeline, calculated)
    assert not found.different, f"{len(found.different)} of {len(calculated)} differ\n" + "\n".join(
        found.different[:40]
    )
    assert calculated


def test_every_figure(both: Both) -> None:
    """Measures, days, scorecards, pay lines, decisions, lists and salary reviews."""
    compared = compare(both.settings.warehouse_path, both.calculated)
    for found in compared:
        shown = "\n".join(found.different[:40])
        assert not found.different, f"{found.table}: {len(found.different)} differ\n{shown}"
    values = {found.table: found.values for found in compared}
    assert all(values[table] for table in values.keys() - {"lists", "salary reviews"})


@pytest.mark.xdist_group("independent demo")
def test_every_published_line(demo: Both) -> None:
    rows = demo.rows("select employee_id, pay_month, component, amount from payroll.pay_lines where revision = 1")
    assert_equal({tuple(key): amount for *key, amount in rows}, demo.calculated.pay)
    control = dict(demo.rows("select pay_month, control_total from payroll.payroll_runs"))
    gross = {
        key: amount for key, amount in demo.calculated.pay.items() if not key[2].endswith(("_employee", "_employer"))
    }
    for month in DEMO_MONTHS:
        assert control[month] == sum(amount for (_, of, _), amount in gross.items() if of == month)


def test_every_approved_decision(both: Both) -> None:
    rows = both.rows(f"select employee_id, quarter, {', '.join(DECISION)} from tiers.tier_quarterly")
    pipeline = {(who, quarter): tuple(values) for who, quarter, *values in rows}
    keys = [key for key in both.calculated.decisions if key[1] == both.decided]
    assert_equal(pipeline, decided(both.calculated, keys))


@pytest.mark.xdist_group("independent every_plan")
def test_every_plan_is_there(every_plan: Both) -> None:
    """Neither side is right for want of cases: each plan pays and decides."""
    calculated = every_plan.calculated
    assert {card.person.plan for card in calculated.cards.values()} == set(PLANS)
    paid = {(calculated.cards[who, month].person.plan, component) for (who, month, component) in calculated.pay}
    months = {component for _, component in paid}
    assert months >= {"quarterly_bonus", "annual_bonus", "year_end_bonus", "annual_performance"}
    assert {plan for plan, _ in paid} == {plan for plan in PLANS if not plan.startswith("ladder_")}
    decisions = {each.decision for each in calculated.decisions.values()}
    assert decisions >= {"promote", "hold", "not_rated"}  # the odd company has the other two
    assert any(card.decided for card in calculated.cards.values())
    grades = {card.person.grade for card in calculated.cards.values()}
    assert grades >= {"junior", "intermediate", "senior", "supervisor", "manager"}
    assert ("2023-01", "pension_employer") in {(month, component) for (_, month, component) in calculated.pay}


MAIN_COMPANIES = COMPANIES[:2]


@pytest.mark.parametrize("both", MAIN_COMPANIES, indirect=True)
def test_the_companies_hold_what_they_are_there_for(both: Both) -> None:
    """Neither side is right for want of cases: every outcome occurs, and decided grades are in force afterwards.

    The demo company is kind to its people: nobody of it is demoted, and nobody just passes.
    """
    calculated = both.calculated
    kind = both.decided == "2026Q2"
    decisions = {each.decision for each in calculated.decisions.values()}
    assert decisions >= {"promote", "hold", "dismiss_review", "not_rated"} | (set() if kind else {"demote"})
    month = Quarter.parse(both.decided).months[2].plus(1)
    cards = {who: card for (who, of), card in calculated.scorecards.items() if of == str(month)}
    moved = {who: each for (who, of), each in calculated.decisions.items() if of == both.decided and each.changed}
    assert len(moved.keys() & cards.keys()) > 1
    assert all(cards[who].person.grade == moved[who].grade_after for who in moved.keys() & cards.keys())
    ratings = {card.rating for card in calculated.scorecards.values()}
    assert ratings >= {"excellent", "good", "fail"} | (set() if kind else {"pass"})


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
