"""Corrections of closed months: what is paid, what stays due, on which list, and that no cent is lost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.policy.library import plan_files
from csperf.published import load_published, newest, write_manifest
from csperf.settings import Settings
from tests.worked_warehouse import Worked, close, files_of, lines, rows

JULY, AUGUST, SEPTEMBER, OCTOBER = (Month(2026, number) for number in (7, 8, 9, 10))
PAY = {"base_pay": "3000.00", "performance_pay": "175.25"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def test_a_changed_closed_month_is_a_new_revision_and_paid_in_the_next_open_one(settings: Settings) -> None:
    pay = {"2026-07": {"E1": PAY, "E2": PAY}}
    Worked(pay).write(settings)
    close(settings, JULY)
    first = files_of(settings)

    pay["2026-07"] = {"E1": {**PAY, "performance_pay": "200.00"}, "E2": {"base_pay": "3000.00"}}
    pay["2026-08"] = {"E1": PAY, "E2": PAY}
    Worked(pay).write(settings)
    done = close(settings, JULY)
    assert done.revision is not None and done.revision.number == 2
    assert {name: content for name, content in files_of(settings).items() if "rev-001" in name} == first
    assert lines(settings, JULY, 2) == {
        ("E1", "base_pay"): Decimal("3000.00"), ("E1", "performance_pay"): Decimal("200.00"),
        ("E2", "base_pay"): Decimal("3000.00"),
    }  # fmt: skip

    close(settings, AUGUST)
    august = lines(settings, AUGUST, 1)
    assert august[("E1", "retro_performance_pay")] == Decimal("24.75")
    assert august[("E2", "retro_performance_pay")] == Decimal("-175.25")
    assert len(august) == 6
    with duckdb.connect(str(settings.warehouse_path)) as con:
        details = con.execute(
            "select employee_id, for_month, for_revision, due, paid, amount from published.retro_details order by all"
        ).fetchall()
    assert details == [
        ("E1", "2026-07", 2, Decimal("200.00"), Decimal("175.25"), Decimal("24.75")),
        ("E2", "2026-07", 2, Decimal("0.00"), Decimal("175.25"), Decimal("-175.25")),
    ]


def test_a_second_correction_does_not_forget_the_first(settings: Settings) -> None:
    pay = {month: {"E1": {"base_pay": "100.00"}} for month in ("2026-07", "2026-08", "2026-09", "2026-10")}
    worked = Worked(pay)
    worked.write(settings)
    close(settings, JULY)
    for amount, month, expected in (("120.00", AUGUST, "20.00"), ("110.00", SEPTEMBER, "-10.00")):
        pay["2026-07"] = {"E1": {"base_pay": amount}}
        worked.write(settings)
        close(settings, JULY)
        close(settings, month)
        assert lines(settings, month, 1)[("E1", "retro_base_pay")] == Decimal(expected)
    close(settings, OCTOBER)
    assert lines(settings, OCTOBER, 1) == {("E1", "base_pay"): Decimal("100.00")}


def test_a_month_closed_again_repeats_the_corrections_it_paid(settings: Settings) -> None:
    pay = {month: {"E1": {"base_pay": "100.00"}} for month in ("2026-07", "2026-08", "2026-09")}
    worked = Worked(pay)
    worked.write(settings)
    close(settings, JULY)
    pay["2026-07"] = {"E1": {"base_pay": "120.00"}}
    worked.write(settings)
    close(settings, JULY)
    close(settings, AUGUST)
    pay["2026-07"] = {"E1": {"base_pay": "125.00"}}
    pay["2026-08"] = {"E1": {"base_pay": "90.00"}}
    worked.write(settings)
    close(settings, JULY)
    close(settings, AUGUST)
    assert lines(settings, AUGUST, 2) == {
        ("E1", "base_pay"): Decimal("90.00"), ("E1", "retro_base_pay"): Decimal("20.00")
    }  # fmt: skip
    close(settings, SEPTEMBER)  # 5 more for July, 10 less for August
    assert lines(settings, SEPTEMBER, 1)[("E1", "retro_base_pay")] == Decimal("-5.00")
    assert close(settings, AUGUST).outcome == "unchanged"


def test_who_has_left_gets_a_correction_on_a_list_of_its_own(settings: Settings) -> None:
    pay = {"2026-07": {"E1": PAY, "E2": PAY}, "2026-08": {"E1": PAY}}
    worked = Worked(pay, left={"E2": "2026-08"})
    worked.write(settings)
    close(settings, JULY)
    pay["2026-07"] = {"E1": PAY, "E2": {**PAY, "base_pay": "3100.00"}}
    worked.write(settings)
    close(settings, JULY)
    done = close(settings, AUGUST)
    assert done.revision is not None
    assert [row[:3] for row in rows(done, "payroll")[1:]] == ["E1,", "E3,"]
    assert rows(done, "leavers") == [
        "employee_id,name,team,post,grade,plan,leave_date,retro_base_pay,gross_pay,still_due,pay_date",
        'E2,"Demo, Bo",North,vip,senior,cs_2017,2026-07-31,100.00,100.00,0.00,2026-09-25',
    ]
    assert done.revision.manifest["control_total"] == "3275.25"  # the lists of both together


def test_contributions_stay_outside_gross_pay_and_corrections_of_them_too(settings: Settings) -> None:
    pay = {"2026-07": {"E1": {**PAY, "pension_employee": "320.00"}}, "2026-08": {"E1": PAY}}
    worked = Worked(pay)
    worked.write(settings)
    assert close(settings, JULY).revision.manifest["control_total"] == "3175.25"  # type: ignore[union-attr]
    pay["2026-07"] = {"E1": {**PAY, "pension_employee": "330.00"}}
    worked.write(settings)
    close(settings, JULY)
    done = close(settings, AUGUST)
    assert done.revision is not None and done.revision.manifest["control_total"] == "3175.25"
    assert lines(settings, AUGUST, 1)[("E1", "retro_pension_employee")] == Decimal("10.00")


def record(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as con:
        load_published(con, settings)
        return con.execute(query).fetchall()


def test_pay_does_not_go_below_zero_and_the_rest_is_taken_later(settings: Settings) -> None:
    pay = {month: {"E1": {"base_pay": "100.00"}} for month in ("2026-07", "2026-08", "2026-09", "2026-10")}
    pay["2026-07"] = {"E1": {"base_pay": "250.00", "performance_pay": "30.00"}}
    worked = Worked(pay)
    worked.write(settings)
    close(settings, JULY)
    pay["2026-07"] = {"E1": {"base_pay": "20.00", "performance_pay": "40.00"}}  # 230 too much and 10 too little paid
    worked.write(settings)
    close(settings, JULY)
    close(settings, AUGUST)
    assert lines(settings, AUGUST, 1) == {
        ("E1", "base_pay"): Decimal("100.00"),
        ("E1", "retro_base_pay"): Decimal("-110.00"),
        ("E1", "retro_performance_pay"): Decimal("10.00"),
    }
    told = record(settings, "select explanation from published.pay_lines where component = 'retro_base_pay'")[0][0]
    assert "-120.00 stay due because pay does not go below zero" in str(told)
    assert rows(close(settings, SEPTEMBER), "payroll")[1].endswith(",-100.00,0.00,2026-10-25")
    assert lines(settings, SEPTEMBER, 1)[("E1", "retro_base_pay")] == Decimal("-100.00")
    close(settings, OCTOBER)
    assert lines(settings, OCTOBER, 1)[("E1", "retro_base_pay")] == Decimal("-20.00")
    details = "select pay_month, due, paid, amount, still_due from published.retro_details"
    assert record(settings, f"{details} where component = 'retro_base_pay' order by all") == [
        ("2026-08", Decimal("20.00"), Decimal("250.00"), Decimal("-110.00"), Decimal("-120.00")),
        ("2026-09", Decimal("20.00"), Decimal("140.00"), Decimal("-100.00"), Decimal("-20.00")),
        ("2026-10", Decimal("20.00"), Decimal("40.00"), Decimal("-20.00"), Decimal("0.00")),
    ]
    paid = "select sum(amount) from published.pay_lines where revision = 1"
    assert record(settings, paid) == [(Decimal("360.00"),)]  # 60 for July, 100 for each month since


def test_a_plan_may_let_pay_go_below_zero(settings: Settings, tmp_path: Path) -> None:
    own = tmp_path / "plans"
    own.mkdir()
    shipped = next(path for path in plan_files(Settings()) if path.name == "cs_2017.yaml").read_text(encoding="utf-8")
    allowed = shipped.replace("pay_date: next_month_25", "pay_date: next_month_25\nnegative_pay: true")
    (own / "cs_2017.yaml").write_text(allowed, encoding="utf-8")
    settings = settings.model_copy(update={"policy_dir": own})
    pay = {month: {"E1": {"base_pay": "100.00"}} for month in ("2026-07", "2026-08")}
    pay["2026-07"] = {"E1": {"base_pay": "250.00"}}
    worked = Worked(pay)
    worked.write(settings)
    close(settings, JULY)
    pay["2026-07"] = {"E1": {"base_pay": "20.00"}}
    worked.write(settings)
    close(settings, JULY)
    close(settings, AUGUST)
    assert lines(settings, AUGUST, 1)[("E1", "retro_base_pay")] == Decimal("-230.00")


def test_what_somebody_who_has_left_owes_stays_on_the_list_until_it_is_settled(settings: Settings) -> None:
    pay = {month: {"E1": PAY} for month in ("2026-08", "2026-09")}
    pay["2026-07"] = {"E1": PAY, "E2": {"base_pay": "500.00"}}
    worked = Worked(pay, left={"E2": "2026-08"})
    worked.write(settings)
    close(settings, JULY)
    pay["2026-07"] = {"E1": PAY, "E2": {"base_pay": "450.00"}}
    worked.write(settings)
    close(settings, JULY)
    person = 'E2,"Demo, Bo",North,vip,senior,cs_2017,2026-07-31'
    for month in (AUGUST, SEPTEMBER):
        done = close(settings, month)
        date = str(month.plus(1).first_day.replace(day=25))
        assert rows(done, "leavers")[1:] == [f"{person},0.00,0.00,-50.00,{date}"]
        assert "gone and on the list of corrections for those who have left: E2" in done.draft.warnings
    pay["2026-07"] = {"E1": PAY, "E2": {"base_pay": "510.00"}}  # he was right after all, and more
    pay["2026-10"] = {"E1": PAY}
    worked.write(settings)
    close(settings, JULY)
    assert rows(close(settings, OCTOBER), "leavers")[1:] == [f"{person},10.00,10.00,0.00,2026-11-25"]


def test_causes_of_what_is_paid_are_those_of_the_revisions_and_add_up(settings: Settings) -> None:
    pay = {month: {"E1": {"base_pay": "100.00"}} for month in ("2026-07", "2026-08", "2026-09")}
    worked = Worked(pay)
    worked.write(settings)
    close(settings, JULY)
    for amount in ("130.00", "90.00"):
        pay["2026-07"] = {"E1": {"base_pay": amount}}
        worked.write(settings)
        close(settings, JULY)
    close(settings, AUGUST)
    columns = "pay_month, revision, component, for_month, for_revision, cause, amount::varchar, changed"
    nothing = "of others: nothing on record has changed"  # the figures were changed by hand
    assert record(settings, f"select {columns} from published.corrections order by all") == [
        ("2026-07", 2, "base_pay", "2026-07", 2, "code", "30.00", nothing),
        ("2026-07", 3, "base_pay", "2026-07", 3, "code", "-40.00", nothing),
        ("2026-08", 1, "retro_base_pay", "2026-07", 2, "code", "30.00", nothing),
        ("2026-08", 1, "retro_base_pay", "2026-07", 3, "code", "-40.00", nothing),
    ]
    csv = rows(close(settings, SEPTEMBER), "payroll")
    assert csv[1].startswith("E1,")
    assert lines(settings, SEPTEMBER, 1) == {("E1", "base_pay"): Decimal("100.00")}
    august = newest(settings.payroll_dir, AUGUST)
    assert august is not None
    listed = (august.path / "corrections_2026-08.csv").read_text(encoding="utf-8-sig").splitlines()
    assert listed[0] == "pay_month,revision,employee_id,component,for_month,for_revision,cause,amount,changed"
    assert len(listed) == 3


def test_corrections_whose_causes_were_lost_are_not_paid(settings: Settings) -> None:
    pay = {month: {"E1": {"base_pay": "100.00"}} for month in ("2026-07", "2026-08")}
    worked = Worked(pay)
    worked.write(settings)
    close(settings, JULY)
    pay["2026-07"] = {"E1": {"base_pay": "130.00"}}
    worked.write(settings)
    close(settings, JULY)
    revision = newest(settings.payroll_dir, JULY)
    assert revision is not None
    parts = {part: name for part, name in revision.manifest["parts"].items() if part != "corrections"}
    write_manifest(revision.path, {**revision.manifest, "parts": parts})
    with pytest.raises(CsperfError, match="causes on record for E1 base_pay of 2026-07 do not add up"):
        close(settings, AUGUST)
