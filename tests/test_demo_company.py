"""The demo company as a whole: every plan and every dataset, in believable proportions."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import chinese_calendar
import duckdb
import numpy as np
import pytest
import yaml

from csperf.datasets import DATASETS
from csperf.demo import DemoReport, load_profile, write_demo
from csperf.demo.people import People, make_people
from csperf.demo.plans import plans_of
from csperf.demo.profile import DEFAULT_PROFILE, Profile
from csperf.errors import UsageError
from csperf.policy.figures import STAND_INS
from csperf.policy.library import default_plan, load_plans
from csperf.settings import Settings

FIRST, LAST = date(2026, 7, 1), date(2026, 9, 30)
LIBRARY = load_plans(Settings())
DEFAULT = default_plan(LIBRARY).plan.plan


def people_of(agents: int, seed: int = 1, profile: Profile | None = None) -> People:
    profile = profile or load_profile()
    return make_people(profile, plans_of(profile, LIBRARY, FIRST), agents, FIRST, LAST, seed)


def quiet_profile(**changes: Any) -> Profile:
    """The usual company with next to no chats and calls, so that a quarter of it is written at once."""
    posts = yaml.safe_load(DEFAULT_PROFILE.read_text(encoding="utf-8"))["posts"]
    return load_profile(posts={code: {**post, "contacts": 4} for code, post in posts.items()}, exchanges=0, **changes)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    """A quarter of 90 people, without dirty rows."""
    return write_demo(tmp_path_factory.mktemp("demo"), 90, FIRST, LAST, 1, profile=quiet_profile(dirty_share=0))


@pytest.fixture(scope="module")
def con(demo: DemoReport) -> duckdb.DuckDBPyConnection:
    """Every dataset as a table: of a full one the newest delivery."""
    con = duckdb.connect()
    for name, dataset in DATASETS.items():
        files = f"{demo.out}/{name}/*.csv" if dataset.kind == "daily" else str(max((demo.out / name).iterdir()))
        con.execute(f"create table {name} as select * from read_csv('{files}', all_varchar = true)")
    return con


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return con.execute(sql).fetchall()


def number(con: duckdb.DuckDBPyConnection, sql: str) -> float:
    return float(rows(con, sql)[0][0])


# ---- people and plans -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agents", [30, 45, 60, 200])
def test_every_plan_of_the_library_has_somebody_and_most_are_on_the_default(agents: int) -> None:
    plans = Counter(people_of(agents).plans[:agents])
    assert set(plans) == set(LIBRARY)
    assert plans[DEFAULT] == max(plans.values())


def test_a_small_company_stays_small() -> None:
    people = people_of(12)
    assert people.plans.count(DEFAULT) > 6
    assert "manager" not in people.grades


@pytest.mark.parametrize("plan", ["rated", "part_time"])
def test_everybody_can_be_put_on_one_plan(plan: str) -> None:
    people = people_of(60, profile=load_profile(plan=plan))
    assert set(people.plans) == {plan}


@pytest.mark.parametrize(("agents", "seed"), [(30, 1), (60, 2), (200, 3)])
def test_grades_and_educations_are_those_that_the_plan_has_figures_for(agents: int, seed: int) -> None:
    people = people_of(agents, seed)
    checked = 0
    for plan, grade, education in zip(people.plans, people.grades, people.educations, strict=True):
        version = LIBRARY[plan].version_on(FIRST)
        assert version is not None
        for name, figure in version.figures.items():
            for attribute, code in (("grade", grade), ("education", education)):
                if attribute in figure.by:
                    place = figure.by.index(attribute)
                    codes = {keys[place] for keys, _ in figure.cells()}
                    assert code in codes or STAND_INS.get(code) in codes, (plan, name, code)
                    checked += 1
    assert checked > agents


def test_team_leads_report_up_to_one_manager_and_hold_the_grade_that_their_plan_knows() -> None:
    people = people_of(200)
    superior = people.superior(FIRST)
    assert people.grades.count("manager") == 1
    assert people.grades.count("supervisor") >= 2
    for i in range(len(people)):
        chain = [i]
        while superior[chain[-1]] >= 0:
            chain.append(int(superior[chain[-1]]))
            assert len(chain) < 6
        assert people.grades[chain[-1]] == "manager"
    leads = [people.grades[i] for i in people.team_leads]
    assert set(leads) == {"lead", "senior"}
    paid_for_leading = {people.plans[i] for i, grade in enumerate(people.grades) if grade == "lead"}
    assert all("'lead'" in str(LIBRARY[plan].plan.model_dump()) for plan in paid_for_leading)


def test_own_salaries_lie_in_the_plans_ranges_but_for_one() -> None:
    people = people_of(200)
    inside, outside, empty = 0, 0, 0
    for plan in plans_of(people.profile, LIBRARY, FIRST):
        for i, code in enumerate(people.plans):
            salary = people.salaries[i]
            if code != plan.code or plan.rule.salary is None:
                assert code != plan.code or salary is None
                continue
            version = LIBRARY[code].version_on(FIRST)
            assert version is not None
            low, high = (dict(version.figures[name].cells())[(people.grades[i],)] for name in plan.rule.salary)
            assert isinstance(low, Decimal) and isinstance(high, Decimal)
            inside += salary is not None and low <= salary <= high
            outside += salary is not None and not low <= salary <= high
            empty += salary is None
    assert outside == 1
    assert inside > 5 and empty >= 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"plans": {"no_such_plan": {"share": 0.1}}}, "plan 'no_such_plan', which there is not"),
        ({"plan": "no_such_plan"}, "plan 'no_such_plan', which there is not"),
        (
            {"plans": {"rated": {"share": 0.1, "salary": ["no_low", "no_high"]}}},
            "figure 'no_low' by grade, which plan rated",
        ),
    ],
)
def test_a_profile_that_names_what_the_library_has_not_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        people_of(30, profile=load_profile(**changes))


def test_the_report_counts_people_by_plan(demo: DemoReport, con: duckdb.DuckDBPyConnection) -> None:
    assert dict(rows(con, "select plan, count(*)::int from employees group by plan")) == demo.plans


# ---- attendance -----------------------------------------------------------------------------------------------------


def test_overtime_is_of_the_kind_that_the_chinese_calendar_says(con: duckdb.DuckDBPyConnection) -> None:
    kinds = Counter()
    for day, kind, status in rows(
        con, "select date::date, overtime_kind, status from attendance where overtime_hours::decimal > 0"
    ):
        _, name = chinese_calendar.get_holiday_detail(day)
        working = chinese_calendar.is_workday(day)
        assert kind == "workday" if working else kind in ("restday", "holiday")
        assert kind != "holiday" or name
        assert (status == "rest") == (kind == "restday")
        kinds[kind] += 1
    assert set(kinds) == {"workday", "restday", "holiday"}
    assert kinds["workday"] > kinds["restday"]
    assert (
        number(con, "select count(*) from attendance where overtime_kind is null and overtime_hours::decimal > 0") == 0
    )


def test_leads_keep_office_hours_and_part_timers_have_paid_holidays(con: duckdb.DuckDBPyConnection) -> None:
    office = (
        "select * from attendance join employees using (employee_id) where grade in ('lead', 'supervisor', 'manager')"
    )
    working = {str(day) for (day,) in rows(con, f"select distinct date from ({office}) where status <> 'rest'")}
    assert working == {str(day) for day in chinese_calendar.get_workdays(FIRST, LAST)}
    assert "2026-09-20" in working  # a Sunday that makes up for a holiday
    part_time = """select employment, status, count(*) from attendance join employees using (employee_id)
        where date = '2026-09-25' and scheduled_hours::decimal > 0 and employment = 'part_time' group by all"""
    found = {status: count for _, status, count in rows(con, part_time)}
    assert set(found) == {"paid_leave"}  # Mid-Autumn


def test_some_work_at_night(con: duckdb.DuckDBPyConnection) -> None:
    share = "select avg((night_shift = 'true')::int) from attendance where status in ('present', 'late')"
    assert 0.05 < number(con, share) < 0.2


# ---- sales ----------------------------------------------------------------------------------------------------------


def test_sellers_have_a_target_for_each_month_and_come_near_it(con: duckdb.DuckDBPyConnection) -> None:
    completion = rows(
        con,
        """with sold as (select agent_id as employee_id, paid_at[:7] as month, sum(case when silent = 'true' then 0
            else amount::decimal(18, 2) - refund_amount::decimal(18, 2) end) as net from orders group by all)
        select coalesce(net, 0) / target::double from targets left join sold using (employee_id, month) order by 1""",
    )
    shares = np.array([share for (share,) in completion])
    assert 0.85 < np.median(shares) < 1.1
    assert (shares < 0).any()  # a month whose goods were taken back
    assert (shares > 1.2).any() and (shares < 0.8).any()
    before = "select count(*) from targets join employees using (employee_id) where month < hire_date[:7]"
    assert number(con, before) == 0
    without = """select count(*) from employees cross join (values ('2026-07'), ('2026-08'), ('2026-09')) as m(month)
        where hire_date[:7] <= month and (leave_date is null or leave_date[:7] >= month)
        and employee_id in (select employee_id from targets)
        and (employee_id, month) not in (select (employee_id, month) from targets)"""
    assert number(con, without) == 0


def test_orders_are_refunded_compensated_and_silent_now_and_then(con: duckdb.DuckDBPyConnection) -> None:
    assert number(con, "select count(*) from orders") > 1000
    assert 0.03 < number(con, "select avg((silent = 'true')::int) from orders") < 0.12
    assert 0.05 < number(con, "select avg((refund_amount::double > 0)::int) from orders") < 0.2
    assert 0.002 < number(con, "select avg((refund_amount::double > amount::double)::int) from orders") < 0.1
    assert number(con, "select min(amount::double) from orders") >= 1
    at_work = """select count(*) from orders where not exists (select 1 from attendance
        where employee_id = agent_id and date = paid_at[:10] and status in ('present', 'late'))"""
    assert number(con, at_work) == 0


# ---- HR -------------------------------------------------------------------------------------------------------------


def test_everyone_is_assessed_each_month_by_the_right_people(con: duckdb.DuckDBPyConnection) -> None:
    months = rows(con, "select kind, date[:7], count(distinct employee_id) from assessments group by all")
    counts = {(kind, month): count for kind, month, count in months}
    for month in ("2026-07", "2026-08", "2026-09"):
        for kind in ("self", "peer", "manager", "teamwork", "attitude"):
            assert counts[kind, month] > 75, (kind, month)
    assert counts["exam", "2026-07"] > 75
    assert counts.get(("exam", "2026-08"), 0) < 10  # joiners alone
    con.execute(
        "create or replace view judged as select a.*, lead_id from assessments as a join employees using (employee_id)"
    )
    assert number(con, "select count(*) from judged where kind = 'self' and assessor_id <> employee_id") == 0
    assert number(con, "select count(*) from judged where kind = 'peer' and assessor_id = employee_id") == 0
    assert (
        number(con, "select avg((assessor_id = lead_id)::int) from judged where kind = 'manager'") > 0.95
    )  # some moved
    means = dict(rows(con, "select kind, avg(score::double) from assessments group by kind"))
    assert all(75 < mean < 92 for mean in means.values())


def test_all_kinds_of_events_happen_and_good_ones_more_often(con: duckdb.DuckDBPyConnection) -> None:
    kinds = dict(rows(con, "select kind, count(*) from hr_events group by kind"))
    assert set(kinds) == {"serious_violation", "conflict", "referral_hired", "training_completed", "honor"}
    assert kinds["training_completed"] > kinds["conflict"]
    assert kinds["serious_violation"] < 10


def test_few_customers_complain_and_most_complaints_are_settled(con: duckdb.DuckDBPyConnection) -> None:
    complaints = number(con, "select count(*) from complaints")
    contacts = number(con, "select (select count(*) from chat_sessions) + (select count(*) from calls)")
    assert 0.001 < complaints / contacts < 0.005
    assert number(con, "select avg((resolved_at is not null)::int) from complaints") > 0.8
    assert 0 < number(con, "select avg((upheld = 'true')::int) from complaints") < 0.7


# ---- rulings --------------------------------------------------------------------------------------------------------


def test_disputes_are_open_upheld_and_rejected(con: duckdb.DuckDBPyConnection) -> None:
    states = dict(rows(con, "select status, count(*) from disputes group by status"))
    assert set(states) == {"open", "upheld", "rejected"}
    assert number(con, "select count(*) from disputes where (status = 'open') <> (ruled_at is null)") == 0
    assert number(con, "select count(*) from disputes where (status = 'upheld') <> (granted_delta is not null)") == 0
    beyond = "granted_delta::double / requested_delta::double not between 0 and 1"
    assert number(con, f"select count(*) from disputes where {beyond}") == 0
    assert number(con, "select count(distinct month) from disputes") == 3


def state_of(case: dict[str, Any]) -> str:
    """What a case is in, by its fields (see ladder_case)."""
    if case["withdrawn_on"]:
        return "withdrawn"
    refused = ("oppose", "reject", "upheld")
    if any(case[field] in refused for field in ("supervisor_opinion", "panel_decision", "objection", "hr_decision")):
        return "rejected"
    if case["hr_decision"]:
        return "effective"
    if case["announced_on"]:
        announced = date.fromisoformat(case["announced_on"])
        return "hr_review" if len(chinese_calendar.get_workdays(announced, LAST)) > 6 else "announced"
    return "panel_review" if case["supervisor_opinion"] else "supervisor_review"


def test_a_promotion_case_is_in_each_state(con: duckdb.DuckDBPyConnection) -> None:
    result = con.execute("select * from promotion_cases")
    names = [column[0] for column in result.description]
    cases = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    assert {state_of(case) for case in cases} == {
        *("supervisor_review", "panel_review", "announced", "hr_review", "effective", "rejected", "withdrawn")
    }
    assert number(con, "select count(*) from promotion_cases where announced_on < applied_on") == 0
    early = """select count(*) from promotion_cases join employees using (employee_id)
        where applied_on::date < grade_since::date + interval 1 year"""
    assert number(con, early) == 0
    assert number(con, "select count(*) - count(distinct employee_id) from promotion_cases") == 0


def test_a_full_table_is_delivered_when_it_changes(demo: DemoReport) -> None:
    for name in ("targets", "disputes", "promotion_cases"):
        files = sorted((demo.out / name).iterdir())
        assert files[0].stem == str(FIRST)
        assert 2 < len(files) < 70
        contents = [file.read_bytes() for file in files]
        assert all(before != after for before, after in itertools.pairwise(contents))
