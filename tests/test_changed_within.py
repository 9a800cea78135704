"""An employee who changes plan, post and grade within a quarter and year, worked by hand.

cho has 1 chat in September, 3 in October (both on plan north as a junior of the basic post), 2 in November (on plan
south), 4 in December (on plan south, intermediate, post vip). Both plans name their measures alike and mean different
things by them.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from csperf import warehouse
from csperf.periods import Month
from csperf.settings import load_settings
from tests.landing_files import attendance, employee, land, session

NORTH = """
plan: north
labels: {zh: 北, en: north}
source: invented for a test
pay_date: same_month_25
versions:
  - effective_from: 2026-01-01
    figures:
      wage: {by: grade, values: {junior: 1000, intermediate: 1500}, provenance: assumption}
    measures:
      busy: {labels: {zh: 忙, en: busy}, unit: flag, formula: case when sessions >= 1 then 1 else 0 end}
      season_chats: {labels: {zh: 季度会话, en: chats}, unit: count, period: quarter, formula: sessions}
    components:
      base_pay: {labels: {zh: 底薪, en: base pay}, formula: wage}
      quarter_pay:
        labels: {zh: 季度奖, en: pay of the quarter}
        frequency: quarter
        formula: quarter.season_chats * 10
    tiers: &tiers
      tracks: {grade: [junior, intermediate, senior]}
      rules:
        - decision: promote
          levels: 1
          reason: {zh: 忙, en: busy for two months}
          conditions:
            - name: busy_months
              labels: {zh: 忙月, en: busy months}
              value: months_met(3, busy = 1)
              operator: ">="
              threshold: "3"
        - decision: hold
          reason: {zh: 保持, en: no rule applies}
"""
SOUTH = (
    NORTH.replace("plan: north", "plan: south")
    .replace("junior: 1000, intermediate: 1500", "junior: 2000, intermediate: 2500")
    .replace("sessions >= 1", "sessions >= 2")
    .replace("period: quarter, formula: sessions", "period: quarter, formula: sessions * 2")
    .replace("quarter.season_chats * 10", "quarters_mean(2, season_chats)")
    .replace(
        "    figures:\n", "    figures:\n      seat: {by: post, values: {basic: 20, vip: 30}, provenance: assumption}\n"
    )
    .replace(
        "    tiers:",
        "      seat_pay: {labels: {zh: 岗位工资, en: pay of the post}, formula: seat}\n"
        "      streak_pay: {labels: {zh: 连续奖, en: streak}, formula: 'months_met(3, busy = 1) * 5'}\n"
        "      year_pay: {labels: {zh: 年度奖, en: year}, frequency: year, formula: year.sessions}\n"
        "    tiers:",
    )
)
MONTHS = {
    Month(2026, 9): (1, {"plan": "north"}),
    Month(2026, 10): (3, {"plan": "north"}),
    Month(2026, 11): (2, {"plan": "south"}),
    Month(2026, 12): (4, {"plan": "south", "grade": "intermediate", "post": "vip"}),
}


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    root: Path = tmp_path_factory.mktemp("changed")
    (root / "plans").mkdir()
    for name, text in (("north", NORTH), ("south", SOUTH)):
        (root / "plans" / f"{name}.yaml").write_text(text, encoding="utf-8")
    settings = load_settings(home=root / "home", policy_dir=root / "plans")
    for month, (chats, roster) in MONTHS.items():
        land(settings, "employees", month.first_day, [employee("cho", **roster)])
        land(settings, "attendance", month.last_day, [attendance("cho", month.last_day)])
        rows = [session(f"{month}-{n}", "cho", f"{month.last_day}T10:{n:02d}:00+08:00") for n in range(chats)]
        land(settings, "chat_sessions", month.last_day, rows)
    warehouse.build(settings)
    with warehouse.connect(settings, read_only=True) as con:
        yield con


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        ("2026-09", "base_pay 1000 quarter_pay 10"),  # 1 chat × 10
        ("2026-10", "base_pay 1000"),
        ("2026-11", "base_pay 2000 seat_pay 20 streak_pay 5"),  # October's busy is north's: one month
        # The quarter is December's plan's: 9 chats × 2; the third quarter's 1 is north's and not in the mean.
        ("2026-12", "base_pay 2500 seat_pay 30 streak_pay 10 quarter_pay 18 year_pay 10"),
    ],
)
def test_each_month_is_paid_by_its_own_roster(con, month, expected):
    lines = con.execute("select component, amount from payroll.computed_lines where pay_month = ?", [month]).fetchall()
    words = expected.split()
    assert dict(lines) == {name: Decimal(amount) for name, amount in zip(words[::2], words[1::2], strict=True)}


def test_a_quarter_is_decided_by_the_roster_at_its_end(con):
    found = con.execute(
        "select plan, post, grade_before, decision, reason from tiers.computed_decisions where quarter = '2026Q4'"
    ).fetchone()
    assert found[:4] == ("south", "vip", "intermediate", "hold")
    assert found[4].endswith("promote: busy months: 2 not >= 3")
