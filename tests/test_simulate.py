"""Months under other plans: a company's quarter, of which two months are closed, computed by a folder of changed
plans through the command line, and what then really comes of the change. Amounts are worked by hand.

In force a chat is 60.00, and chats short of 5 a month are carried on as a debt that costs 10.00 each; the change pays
70.00 a chat, asks 6, adds a bonus of a third of 100.00 for full attendance, forgets the junior's wage in `sim_grade`,
and drops the plan `sim_gone`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf import closing, warehouse
from csperf.errors import CsperfError, UsageError
from csperf.periods import Month, parse_months
from csperf.policy.commands import check_plans
from csperf.published import load_published
from csperf.settings import Settings
from csperf.simulate import (
    _plans,
    _plans_told,
    simulate,
)
from tests.small_company import chats, people

JULY, AUGUST, SEPTEMBER = (Month(2026, number) for number in (7, 8, 9))
PEOPLE = [
    {"employee_id": "ann", "plan": "sim_desk"},
    {"employee_id": "bob", "plan": "sim_desk", "team": "T2"},
    {"employee_id": "cal", "plan": "sim_calm"},
    {"employee_id": "dot", "plan": "sim_grade", "team": "T3"},
    {"employee_id": "gus", "plan": "sim_gone", "team": "T2"},
]
CHATS = {JULY: {"ann": 10, "bob": 4}, AUGUST: {"ann": 8, "bob": 4}, SEPTEMBER: {"ann": 10, "bob": 6}}
pytestmark = pytest.mark.xdist_group("simulate")  # one company serves all of them

DESK = """
plan: sim_desk
labels: {zh: 前台, en: Desk}
source: invented for a test
default: true
versions:
  - effective_from: 2026-01-01
    figures:
      wage: {value: 3000, provenance: assumption}
      chat_rate: {value: 60, provenance: assumption, unit: CNY a chat}
      quota: {value: 5, provenance: assumption, unit: chats}
      fund_rate: {value: 0.01, provenance: assumption}
      busy: {value: 30, provenance: assumption, unit: chats}
    measures:
      owed_chats:
        labels: {zh: 欠量, en: chats owed}
        unit: count
        formula: greatest(0, coalesce(previous(owed_chats), 0) + quota - sessions)
    components:
      base_pay: {labels: {zh: 底薪, en: base pay}, formula: prorated(wage)}
      chat_pay: {labels: {zh: 接待, en: chats}, formula: chat_rate * sessions}
      owed_cut: {labels: {zh: 欠量扣, en: owed}, formula: 0 - 10 * owed_chats}
      fund: {labels: {zh: 基金, en: fund}, group: contribution, formula: fund_rate * gross_pay}
    tiers:
      ladder: [junior, intermediate]
      rules:
        - decision: promote
          grades: [junior]
          reason: {zh: 接待量, en: many chats}
          conditions:
            - name: chats
              labels: {zh: 接待量, en: chats}
              value: sessions
              operator: ">="
              threshold: busy
        - decision: hold
          reason: {zh: 保持, en: no rule applies}
"""
FLAT = """
plan: {code}
labels: {{zh: 固定, en: Flat}}
source: invented for a test
versions:
  - effective_from: 2026-01-01
    figures:
      wage: {{{wage}, provenance: assumption}}
    components:
      base_pay: {{labels: {{zh: 底薪, en: base pay}}, formula: prorated(wage)}}
"""
BONUS = """      bonus_pay:
        labels: {zh: 全勤奖, en: bonus}
        formula: case when full_attendance = 1 then bonus / 3 else 0 end
"""


def write_plans(folder: Path, changed: bool = False) -> None:
    desk = DESK
    if changed:
        for old, new in (
            ("value: 60,", "value: 70,"),
            ("quota: {value: 5", "bonus: {value: 100, provenance: assumption}\n      quota: {value: 6"),
            ("value: 30,", "value: 25,"),
            ("    tiers:\n", f"{BONUS}    tiers:\n"),
        ):
            assert desk.count(old) == 1, old
            desk = desk.replace(old, new)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "sim_desk.yaml").write_text(desk, encoding="utf-8")
    (folder / "sim_calm.yaml").write_text(FLAT.format(code="sim_calm", wage="value: 2000"), encoding="utf-8")
    grades = f"by: grade, values: {{{'' if changed else 'junior: 1000, '}senior: 2000}}"
    (folder / "sim_grade.yaml").write_text(FLAT.format(code="sim_grade", wage=grades), encoding="utf-8")
    if not changed:
        (folder / "sim_gone.yaml").write_text(FLAT.format(code="sim_gone", wage="value: 2500"), encoding="utf-8")


@dataclass
class WhatIf:
    """What the command wrote, the bytes of CSPERF_HOME around it, and what came of the change when it was made."""

    settings: Settings
    changed: Path
    content: dict[str, Any]
    mode: int
    printed: str
    before: dict[str, tuple[bytes, int]]
    after: dict[str, tuple[bytes, int]]
    policy_causes: dict[tuple[str, str, str], Decimal]
    other_causes: int


def home_files(settings: Settings) -> dict[str, tuple[bytes, int]]:
    """Every file of CSPERF_HOME with its bytes and the time of its last change."""
    found = (path for path in settings.home.rglob("*") if path.is_file())
    return {str(path.relative_to(settings.home)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


@pytest.fixture(scope="module")
def what_if(tmp_path_factory: pytest.TempPathFactory) -> WhatIf:
    root = tmp_path_factory.mktemp("simulate")
    settings = Settings(home=root / "home", policy_dir=root / "plans", shipped_plans=False)
    write_plans(root / "plans")
    write_plans(root / "changed", changed=True)
    for month, counts in CHATS.items():
        people(settings, month, *PEOPLE)
        chats(settings, month, **counts)
    at = datetime(2026, 10, 21, 9, tzinfo=UTC)
    warehouse.build(settings)
    for month in (JULY, AUGUST):
        assert closing._close_month(settings, month, "Demo Director", at).outcome == "published"

    before = home_files(settings)
    variables = {"HOME": settings.home, "POLICY_DIR": root / "plans", "SHIPPED_PLANS": "false"}
    command = ["simulate", "2026-07..2026-09", "--policy", str(root / "changed"), "--out", str(root / "what-if.json")]
    done = subprocess.run(
        [sys.executable, "-m", "csperf", *command],
        env=os.environ | {f"CSPERF_{name}": str(value) for name, value in variables.items()},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    after = home_files(settings)

    write_plans(root / "plans", changed=True)  # the change is merged, and the closed months are closed again
    warehouse.build(settings)
    for month in (JULY, AUGUST):
        done_again = closing._close_month(
            settings, month, "Demo Director", at, override="a demo of a plan that is gone"
        )
        assert (done_again.outcome, done_again.draft.revision) == ("published", 2)
    with duckdb.connect() as con:
        load_published(con, settings)
        causes = con.execute(
            "select pay_month, employee_id, component, cause, amount from published.corrections where revision = 2"
        ).fetchall()
    write_plans(root / "plans")
    return WhatIf(
        settings,
        root / "changed",
        json.loads((root / "what-if.json").read_text(encoding="utf-8")),
        (root / "what-if.json").stat().st_mode & 0o777,
        done.stdout,
        before,
        after,
        {(month, who, component): amount for month, who, component, cause, amount in causes if cause == "policy"},
        sum(cause != "policy" for *_, cause, _ in causes),
    )


def differences(what_if: WhatIf) -> dict[tuple[str, str, str], Decimal]:
    return {
        (line["month"], line["employee_id"], line["component"]): Decimal(line["difference"])
        for line in what_if.content["lines"]
        if Decimal(line["difference"])
    }


def test_each_difference_is_right_to_the_cent(what_if: WhatIf) -> None:
    # ann has 10, 8 and 10 chats, 10.00 more each; bob 4, 4 and 6, and owes 1, 2, 1 chats in force, 2, 4, 4 by the
    # change: a later month carries on what the earlier one left. The fund is 1% of the gross pay, rounded:
    # ann 3600 → 3733.33, 3480 → 3593.33, 3600 → 3733.33; bob 3230 → 3293.33, 3220 → 3273.33, 3350 → 3413.33.
    expected = {
        **{("2026-07", "ann", "chat_pay"): "100.00", ("2026-07", "ann", "fund"): "1.33"},
        **{("2026-08", "ann", "chat_pay"): "80.00", ("2026-08", "ann", "fund"): "1.13"},
        **{("2026-09", "ann", "chat_pay"): "100.00", ("2026-09", "ann", "fund"): "1.33"},
        **{("2026-07", "bob", "chat_pay"): "40.00", ("2026-07", "bob", "fund"): "0.63"},
        **{("2026-08", "bob", "chat_pay"): "40.00", ("2026-08", "bob", "fund"): "0.53"},
        **{("2026-09", "bob", "chat_pay"): "60.00", ("2026-09", "bob", "fund"): "0.63"},
        **{("2026-07", "bob", "owed_cut"): "-10.00", ("2026-08", "bob", "owed_cut"): "-20.00"},
        ("2026-09", "bob", "owed_cut"): "-30.00",
        **{(str(month), who, "bonus_pay"): "33.33" for month in CHATS for who in ("ann", "bob")},
        **{(str(month), "dot", "base_pay"): "-1000.00" for month in CHATS},
        **{(str(month), "gus", "base_pay"): "-2500.00" for month in CHATS},
    }
    assert differences(what_if) == {key: Decimal(amount) for key, amount in expected.items()}


def test_a_new_component_has_nothing_before_and_a_plan_that_is_gone_nothing_after(what_if: WhatIf) -> None:
    september = {
        (line["employee_id"], line["component"]): (line["before"], line["after"])
        for line in what_if.content["lines"]
        if line["month"] == "2026-09"
    }
    assert september["ann", "bonus_pay"] == (None, "33.33")
    assert september["gus", "base_pay"] == ("2500.00", None)
    assert september["cal", "base_pay"] == ("2000.00", "2000.00")
    assert what_if.content["policies"]["plans_gone"] == {"sim_gone": 1}
    assert what_if.content["policies"]["plans_that_differ"] == {
        "sim_desk": "plan version sim_desk@2026-01-01 changed (bonus is new, busy 30 → 25, chat_rate 60 → 70, "
        "quota 5 → 6, bonus_pay is new)",
        "sim_gone": "is gone",
        "sim_grade": "plan version sim_grade@2026-01-01 changed (wage differs)",
    }


def test_what_could_not_be_paid_is_told(what_if: WhatIf) -> None:
    found = [(each["month"], each["employee_id"], each["component"]) for each in what_if.content["unpaid"]]
    assert found == [(str(month), "dot", "base_pay") for month in CHATS]
    assert what_if.content["unpaid"][0]["reason"] == "figure wage has no entry for grade junior"


def test_sums_keep_contributions_apart(what_if: WhatIf) -> None:
    in_all = what_if.content["in_all"]
    # Gross by hand: ann 10680, bob 9800, cal 6000, dot 3000, gus 7500; then ann 11059.99, bob 9979.99, cal 6000.
    assert in_all["gross"] == {"before": "36980.00", "after": "27039.98", "difference": "-9940.02"}
    assert in_all["contributions"] == {"before": "204.80", "after": "210.38", "difference": "5.58"}
    assert (in_all["people"], in_all["better"], in_all["worse"]) == (5, 2, 2)
    teams = {name: sums["gross"]["difference"] for name, sums in what_if.content["by_team"].items()}
    assert teams == {"T1": "379.99", "T2": "-7320.01", "T3": "-3000.00"}
    plans = {name: sums["gross"]["difference"] for name, sums in what_if.content["by_plan"].items()}
    assert plans == {"sim_calm": "0.00", "sim_desk": "559.98", "sim_gone": "-7500.00", "sim_grade": "-3000.00"}


def test_of_closed_months_it_is_what_the_corrections_put_down_to_the_policy(what_if: WhatIf) -> None:
    assert what_if.other_causes == 0
    closed = {key: amount for key, amount in differences(what_if).items() if key[0] != "2026-09"}
    assert closed == what_if.policy_causes
    states = [(each["month"], each["revision"], each["otherwise"]) for each in what_if.content["months"]]
    assert states == [("2026-07", 1, 0), ("2026-08", 1, 0), ("2026-09", None, 0)]


def test_decisions_that_would_change_are_told(what_if: WhatIf) -> None:
    (decision,) = what_if.content["decisions"]  # ann has 28 chats: short of 30, not of 25
    assert (decision["quarter"], decision["employee_id"], decision["before"]) == ("2026Q3", "ann", "hold")
    assert decision["after"] == "promote to intermediate from 2026-10-01"


def test_nothing_in_home_is_touched_but_the_log_of_lookups_and_the_file_is_private(what_if: WhatIf) -> None:
    log = {f"payroll/{name}" for name in ("lookups.jsonl", "lookups.head", ".lookups.lock")}
    assert what_if.before == {name: content for name, content in what_if.after.items() if name not in log}
    assert b'"2026-07..2026-09", "kind": "simulate"' in what_if.after["payroll/lookups.jsonl"][0]
    assert what_if.mode == 0o600
    assert what_if.printed.startswith("Written to ") and "ann" not in what_if.printed


def test_what_cannot_be_simulated_is_one_sentence(what_if: WhatIf, tmp_path: Path) -> None:
    settings, changed = what_if.settings, what_if.changed
    files = home_files(settings)
    for first, last, folder, error, words in (
        (JULY, JULY, tmp_path / "nowhere", UsageError, "There is no folder"),
        (JULY, JULY, tmp_path, UsageError, "There is no plan (*.yaml) in"),
        (JULY, JULY, settings.policy_dir, UsageError, "say the same as those in force"),
        (SEPTEMBER, Month(2026, 10), changed, UsageError, "no landed data of 2026-10 (there is 2026-07 to 2026-09)"),
        (Month(2025, 1), Month(2025, 2), changed, UsageError, "no landed data of 2025-01, 2025-02"),
    ):
        assert folder is not None
        with pytest.raises(error) as caught:
            simulate(settings, first, last, folder)
        assert words in str(caught.value) and len(str(caught.value).splitlines()) == 1
    empty = settings.model_copy(update={"home": tmp_path / "none"})
    with pytest.raises(UsageError, match="nothing is landed in"):
        simulate(empty, JULY, JULY, changed)
    assert not empty.home.exists()
    assert home_files(settings) == files


def test_a_plan_with_mistakes_is_refused_with_the_sentences_of_policy_check(what_if: WhatIf, tmp_path: Path) -> None:
    write_plans(tmp_path / "wrong", changed=True)
    path = tmp_path / "wrong" / "sim_desk.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("chat_rate * sessions", "chat_rat * session"))
    with pytest.raises(CsperfError) as caught:
        simulate(what_if.settings, JULY, JULY, tmp_path / "wrong")
    told = [str(problem) for problem in check_plans(what_if.settings, tmp_path / "wrong")]
    assert str(caught.value).splitlines()[:-1] == told
    assert "there is no measure, figure or term 'chat_rat'; did you mean 'chat_rate'?" in str(caught.value)
    assert str(caught.value).splitlines()[-1] == "2 errors."


def test_how_plans_differ_and_what_is_warned_of_is_told(what_if: WhatIf, tmp_path: Path) -> None:
    for folder in (tmp_path / "now", tmp_path / "then"):
        write_plans(folder)
        (folder / "shared").mkdir()
        fund = (Path(__file__).parent / "own_policies" / "shared" / "own_fund.yaml").read_text(encoding="utf-8")
        (folder / "shared" / "own_fund.yaml").write_text(fund, encoding="utf-8")
    for name, old, new in (
        ("sim_desk", "{value: 60,", "{value: 60, note: as agreed,"),
        ("sim_desk", "threshold: busy\n", "threshold: busy + 1\n"),
        ("sim_calm", "      wage:", "      spare: {value: 1, provenance: assumption}\n      wage:"),
        ("shared/own_fund", "value: 0.01", "value: 0.02"),
    ):
        path = tmp_path / "then" / f"{name}.yaml"
        assert path.read_text(encoding="utf-8").count(old) == 1
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    gone = (tmp_path / "then" / "sim_gone.yaml").read_text(encoding="utf-8")
    later = gone + gone[gone.index("  - effective_from") :].replace("2026-01-01", "2027-01-01").replace("2500", "2600")
    (tmp_path / "then" / "sim_gone.yaml").write_text(later, encoding="utf-8")
    (tmp_path / "then" / "sim_new.yaml").write_text(FLAT.format(code="sim_new", wage="value: 1"), encoding="utf-8")

    settings = what_if.settings.model_copy(update={"policy_dir": tmp_path / "now"})
    plans, others, warnings = _plans(settings, tmp_path / "then")
    assert warnings == ("sim_calm.yaml:8 at versions.0.figures.spare: warning: nothing reads the figure 'spare'.",)
    assert _plans_told(plans, others, [JULY, AUGUST]) == {
        "shared/own_fund": "differs",
        "sim_calm": "plan version sim_calm@2026-01-01 changed (spare is new)",
        "sim_desk": "plan version sim_desk@2026-01-01 changed (chat_rate differs, tiers changed)",
        "sim_gone": "differs, but not in a version in force at the end of these months",
        "sim_new": "is new",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-9", "'2026-9' is not a month"),
        ("2026-07..", "'' is not a month"),
        ("2026-07...2026-09", "'.2026-09' is not a month"),
        ("2026-09..2026-07", "swap the two months"),
    ],
)
def test_a_wrong_range_is_told(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("'.2", r"'\.2")):
        parse_months(text)
    assert parse_months("2026-09") == (SEPTEMBER, SEPTEMBER)
    assert parse_months("2026-07..2026-09") == (JULY, SEPTEMBER)
