"""The release gate: what stops a month, what only warns, who may override what (demo data, worked by hand)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from csperf import closing, figures, gate, views
from csperf.cli import app
from csperf.errors import CsperfError, UsageError
from csperf.extract import Form, write_extract
from csperf.periods import Month
from csperf.policy.library import load_plans
from csperf.published import draft, newest
from csperf.settings import Settings
from csperf.status import look
from csperf.storage import home_lock
from tests.conftest import Company
from tests.worked_warehouse import WHEN, Worked, close

JULY, AUGUST = Month(2026, 7), Month(2026, 8)
PAY = {"base_pay": "3000.00", "performance_pay": "175.25", "grade_allowance": "0.00"}
ALL = {"E1": PAY, "E2": PAY, "E3": PAY}
TEN = {f"P{n}": (f"Demo P{n}", "North", "basic", "junior", "cs_2017") for n in range(10)}
DIRECTOR = "Demo Director"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def drafted(settings: Settings, worked: Worked, month: Month = JULY) -> closing.Draft:
    worked.write(settings)
    return closing.draft_month(settings, month, WHEN)


def change(settings: Settings, sql: str) -> None:
    with duckdb.connect(str(settings.warehouse_path)) as con:
        con.execute(sql)


def test_a_month_as_it_should_be_passes_and_says_that_it_is_the_first(settings: Settings) -> None:
    made = drafted(settings, Worked({"2026-07": ALL}, bounds=True))
    assert (made.stopped, made.warnings) == ((), ("for the director to rule on: E3",))
    assert made.notes == ("Total and head count are not compared with 2026-06: nothing is published for it.",)
    results = draft(settings.payroll_dir, JULY).manifest["gate"]["results"]  # type: ignore[union-attr]
    assert {each["check"]: each["failed"] for each in results if each["failed"]} == {}
    assert len(results) == 16 and all(len(each["reason"]) > 20 for each in results)


# ---- who is on the extract ----------------------------------------------------------------------------------------


def drop(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("E2,")]


def double(lines: list[str]) -> list[str]:
    return [*lines, next(line for line in lines if line.startswith("E2,"))]


def add(lines: list[str]) -> list[str]:
    return [*lines, next(line for line in lines if line.startswith("E2,")).replace("E2,", "E9,")]


@pytest.mark.parametrize(
    ("tamper", "sentence"),
    [
        (drop, "E2: active in the month and not on the extract; run csperf build and draft the month again."),
        (double, "E2: more than once on the extract; run csperf build and draft the month again."),
        (add, "E9: on the extract and not active in the month by the roster in force; run csperf build and draft the "
              "month again."),
    ],
)  # fmt: skip
def test_everyone_active_is_on_the_extract_once_and_nobody_else(
    settings: Settings, tmp_path: Path, tamper: Callable[[list[str]], list[str]], sentence: str
) -> None:
    Worked({"2026-07": ALL}).write(settings)
    with home_lock(settings), figures.open_figures(settings) as con:
        figures.prepare_month(con, JULY, 1)
        written = write_extract(con, tmp_path, JULY, Form(), load_plans(settings))
        extract = tmp_path / written.parts["extract"]
        extract.write_text("\n".join(tamper(extract.read_text("utf-8-sig").splitlines())), encoding="utf-8-sig")
        found = gate.check_month(con, settings, JULY, extract, None)
    assert [(each["sentence"], each["structural"]) for each in found["blocked"]] == [(sentence, True)]
    assert gate.refused(found, "there is no other way") == [sentence]


def test_who_is_active_is_reckoned_from_the_roster_again_and_nobody_overrides_it(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY, "E2": PAY}}).write(settings)
    change(settings, "delete from measures.period_wide where employee_id = 'E3'")
    done = closing._close_month(settings, JULY, DIRECTOR, WHEN, override="he works elsewhere")
    assert (done.outcome, newest(settings.payroll_dir, JULY)) == ("draft", None)
    assert done.stopped == (
        "E3: active in the month and not on the extract; run csperf build and draft the month again.",
    )
    assert views.stopped(done)[-1] == "Mend that and close it again; 1 of it nobody can override."
    with pytest.raises(CsperfError, match="E3: active in the month and not on the extract"):
        closing.publish_month(settings, JULY, done.draft.digest, DIRECTOR, WHEN, override="he works elsewhere")


# ---- who is paid nothing ------------------------------------------------------------------------------------------


def test_an_unknown_plan_stops_the_month_and_may_be_overridden_by_name(settings: Settings) -> None:
    worked = Worked({"2026-07": {"E1": PAY, "E2": PAY}}, plans={"E3": "cs_2071"})
    sentence = (
        "E3: plan 'cs_2071' is in no plan file or not in force in the month; mend the roster's plan, or the plan "
        "files, and run its date again."
    )
    made = drafted(settings, worked)
    assert made.stopped == (sentence,)
    assert close(settings, JULY).outcome == "draft"
    with pytest.raises(CsperfError, match="cs_2071"):
        closing.publish_month(settings, JULY, made.digest, DIRECTOR, WHEN)
    with pytest.raises(UsageError, match="reason"):
        closing.publish_month(settings, JULY, made.digest, DIRECTOR, WHEN, override=" ")
    done = closing._close_month(settings, JULY, DIRECTOR, WHEN, override=" E3 is paid by\nthe owner ").revision
    assert done is not None and done.manifest["override"] == {
        "by": DIRECTOR,
        "at": "2026-11-21T08:30:00+00:00",
        "reason": "E3 is paid by the owner",
        "overridden": [sentence],
    }


def test_an_override_needs_somebody_and_is_not_kept_where_nothing_is_stopped(settings: Settings) -> None:
    with pytest.raises(UsageError, match="--approved-by"):
        closing.close_month(settings, JULY, None, WHEN, override="why not")
    Worked({"2026-07": ALL}).write(settings)
    done = closing._close_month(settings, JULY, DIRECTOR, WHEN, override="just in case").revision
    assert done is not None and "override" not in done.manifest


def test_paid_days_without_any_pay_line_stop_the_month_with_the_reason(settings: Settings) -> None:
    lines = {"E1": PAY, "E2": {"pension_employee": "320.00"}, "E3": PAY}
    (sentence,) = drafted(settings, Worked({"2026-07": lines})).stopped
    assert sentence.startswith("E2: paid days on plan cs_2017 and not one pay line (base_pay: active_days is absent")
    assert "performance_pay: qa_coefficient is absent" in sentence


def test_who_cannot_be_paid_until_the_roster_is_mended_stops_nobody_else(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY, "E2": {"pension_employee": "320.00"}, "E3": PAY}}).write(settings)
    change(settings, "insert into payroll.unpaid values ('2026-07', 'E2', 'base', 'base_salary is outside the range')")
    made = closing.draft_month(settings, JULY, WHEN)
    assert made.stopped == ()
    told = "E2: paid days on plan cs_2017 and not one pay line until roster or plan is mended ("
    assert any(sentence.startswith(told) for sentence in made.warnings)


def test_what_is_not_paid_every_month_is_not_compared(settings: Settings) -> None:
    july, august = (
        {who: {"base_pay": "1000.00", **more} for who in TEN} for more in ({}, {"annual_performance": "900.00"})
    )
    Worked({"2026-07": july, "2026-08": august}, people=TEN).write(settings)
    close(settings, JULY)
    assert closing.draft_month(settings, AUGUST, WHEN).stopped == ()


def test_no_paid_day_and_a_plan_without_pay_are_listed_and_stop_nothing(settings: Settings) -> None:
    made = drafted(settings, Worked({"2026-07": {"E1": PAY}}, plans={"E3": "ladder_case"}, days={"E3": 21}))
    assert made.stopped == ()
    assert "E2: no pay line on plan cs_2017, and no paid day in the month." in made.warnings
    assert "Without a pay line, plan ladder_case has no pay components: E3." in made.notes


def test_a_line_that_is_missing_is_told_with_the_reason(settings: Settings) -> None:
    made = drafted(settings, Worked({"2026-07": {**ALL, "E2": {"base_pay": "3000.00", "grade_allowance": "600.00"}}}))
    assert made.stopped == ()
    assert "E2: no performance_pay, because qa_coefficient is absent and total_points is absent." in made.warnings


# ---- amounts ------------------------------------------------------------------------------------------------------


def test_less_than_nothing_stops_the_month_unless_the_plan_allows_it(settings: Settings) -> None:
    worked = Worked({"2026-07": {**ALL, "E1": {"base_pay": "10.00", "performance_pay": "-10.01"}}})
    (sentence,) = drafted(settings, worked).stopped
    assert sentence.startswith("E1: less than nothing to pay; csperf explain says why")
    change(settings, "update policy.plans set negative_pay = true")
    allowed = closing.draft_month(settings, JULY, WHEN)
    assert allowed.stopped == ()
    assert "less than nothing to pay, as their plan allows: E1" in allowed.warnings


@pytest.mark.parametrize(
    ("component", "amount", "told"),
    [
        ("base_pay", "3000.00", ""),
        ("base_pay", "3000.01", "above the most that plan cs_2017 can pay"),
        ("base_pay", "-0.01", "below the least that plan cs_2017 can pay"),
        ("performance_pay", "0.00", ""),
        ("performance_pay", "-0.01", "below the least that plan cs_2017 can pay"),
        ("performance_pay", "99999.99", ""),
    ],
)
def test_a_line_lies_within_what_its_plan_can_pay(settings: Settings, component: str, amount: str, told: str) -> None:
    pay = {**ALL, "E1": {**PAY, component: amount}}
    stopped = drafted(settings, Worked({"2026-07": pay}, bounds=True)).stopped
    wanted = (f"E1: {component} is {told}; csperf explain says how it came out.",) if told else ()
    assert stopped == wanted


def test_a_ruling_may_lift_a_line_above_its_formula_but_not_above_what_the_plan_states(settings: Settings) -> None:
    pay = {**ALL, "E1": {**PAY, "base_pay": "3100.00"}}
    ruling = ("D1", "E1", "2026-03", "paid_days", "upheld")
    assert drafted(settings, Worked({"2026-07": pay}, bounds=True, disputes=[ruling])).stopped == ()
    change(settings, "update policy.bounds set most_stated = true where component = 'base_pay'")
    assert len(closing.draft_month(settings, JULY, WHEN).stopped) == 1


@pytest.mark.parametrize(
    ("august", "stopped"),
    [
        ("1500.00", ""),  # of 10,000 to 15,000: exactly 50 %
        ("1500.01", "+50.0%"),
        ("500.00", ""),
        ("499.99", "-50.0%"),
    ],
)
def test_the_total_is_held_against_the_month_before(settings: Settings, august: str, stopped: str) -> None:
    july, this = ({who: {"base_pay": amount} for who in TEN} for amount in ("1000.00", august))
    pay = {"2026-07": july, "2026-08": this}
    Worked(pay, people=TEN).write(settings)
    assert close(settings, JULY).outcome == "published"
    told = closing.draft_month(settings, AUGUST, WHEN).stopped
    expected = (
        f"What 2026-08 pays of monthly components is {stopped} against 2026-07, and CSPERF_TOTAL_LIMIT is 50%; the "
        "draft's approval.md says whose pay has changed."
    )
    assert told == ((expected,) if stopped else ())


@pytest.mark.parametrize(("gone", "told"), [(3, ""), (4, "2026-08 has 6 people, -40.0% against the 10 of 2026-07")])
def test_the_head_count_is_held_against_the_month_before(settings: Settings, gone: int, told: str) -> None:
    pay = {"2026-07": dict.fromkeys(TEN, PAY), "2026-08": dict.fromkeys(list(TEN)[gone:], PAY)}
    Worked(pay, people=TEN, left=dict.fromkeys(list(TEN)[:gone], "2026-08")).write(settings)
    close(settings, JULY)
    stopped = closing.draft_month(settings.model_copy(update={"total_limit": 1.0}), AUGUST, WHEN).stopped
    assert [sentence.partition(", and CSPERF_HEAD_COUNT_LIMIT is 30%")[0] for sentence in stopped] == (
        [told] if told else []
    )


def test_of_few_people_totals_only_warn(settings: Settings) -> None:
    Worked({"2026-07": ALL, "2026-08": {"E1": PAY}}, left={"E2": "2026-08"}).write(settings)
    close(settings, JULY)
    made = closing.draft_month(settings, AUGUST, WHEN)
    assert made.stopped == ()
    told = "What 2026-08 pays of monthly components is -66.7% against 2026-07, and CSPERF_TOTAL_LIMIT is 50%."
    assert told in made.warnings
    assert any(sentence.startswith("2026-08 has 2 people, -33.3% against the 3") for sentence in made.warnings)


# ---- what is kept, and the command line ---------------------------------------------------------------------------


def test_results_are_kept_without_amounts_and_stand_among_the_quality_results(settings: Settings) -> None:
    pay = {"2026-07": {**ALL, "E1": {**PAY, "base_pay": "98765.43"}}}
    made = drafted(settings, Worked(pay, bounds=True))
    assert not re.search(r"\d\.\d\d", "".join([*made.stopped, *made.warnings, *made.notes]))

    def kept() -> list[tuple[object, ...]]:
        with duckdb.connect(str(settings.warehouse_path), read_only=True) as con:
            return con.execute(
                "select version, in_force, severity, checked_rows, failed_rows, business_date::varchar "
                "from quality.results where dataset = 'payroll' and \"check\" = 'above_most' order by all"
            ).fetchall()

    assert closing._close_month(settings, JULY, None, WHEN).stopped == made.stopped
    assert kept() == [("draft", False, "block", 9, 1, "2026-07-31")]
    done = closing._close_month(settings, JULY, DIRECTOR, WHEN, override="agreed for once")
    assert done.outcome == "published"
    assert kept() == [("rev-001", True, "block", 9, 1, "2026-07-31")]


def test_the_command_line_ends_with_1_and_the_whole_list_until_it_is_overridden(
    company: Company, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(company.settings.home, home)
    with duckdb.connect(str(home / "warehouse" / "csperf.duckdb")) as con:
        con.execute(
            "update policy.bounds set most = 0.01, most_stated = true where component = 'base_pay' and plan = 'cs_2017'"
        )
        (people,) = con.execute(
            "select list(distinct employee_id order by employee_id) from payroll.computed_lines "
            "where pay_month = '2026-06' and component = 'base_pay' and policy_version like 'cs_2017@%' "
            "and amount > 0.01"
        ).fetchone()  # type: ignore[misc]
    assert people

    def csperf(*words: str) -> tuple[str, str]:
        result = CliRunner().invoke(app, words, env={"CSPERF_HOME": str(home)})
        assert result.exception is None or isinstance(result.exception, CsperfError), result.exception
        return result.stdout, str(result.exception or "")

    shown, told = csperf("close-month", "2026-06")
    assert "The draft is in" in shown and "--approved-by NAME\n" not in shown
    assert told.splitlines() == [
        "2026-06 stays a draft: the release gate stops it for 1 reason.",
        f"{', '.join(people)}: base_pay is above the most that plan cs_2017 can pay; csperf explain says how it came "
        "out.",
        "Mend that and close it again, or: csperf close-month 2026-06 --approved-by NAME --override REASON",
    ]
    assert csperf("close-month", "2026-06", "--approved-by", DIRECTOR)[1] == told
    settings = Settings(home=home)
    (month,) = [month for month in look(settings).months if month.period == "2026-06"]
    assert (month.state, month.stopped) == ("draft", 1)
    shown, told = csperf("close-month", "2026-06", "--approved-by", DIRECTOR, "--override", "a raise, agreed")
    assert told == "" and f"{DIRECTOR} overrode the release gate (a raise, agreed):" in shown
    (month,) = [month for month in look(settings).months if month.period == "2026-06"]
    assert month.overridden == f"published against the release gate by {DIRECTOR}: a raise, agreed"


def test_a_change_is_a_share_of_what_was_before() -> None:
    assert gate.change(Decimal(150), Decimal(100)) == Decimal("0.5")
    assert gate.change(Decimal(-150), Decimal(-100)) == Decimal("-0.5")
    assert gate.change(Decimal(1), Decimal(0)) is None and gate.change(Decimal(1), None) is None
    assert gate.percent(Decimal("-0.4567")) == "-45.7%"
