"""The warehouse on small made-up landings: what is measured, what is rebuilt, and that it always ends the same."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from csperf import landing, stale, warehouse
from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.policy.library import base_measures
from csperf.settings import Settings, load_settings
from tests.landing_files import attendance, employee, land, message, session

AUGUST, SEPTEMBER = Month(2026, 8), Month(2026, 9)
OUTWARD = (
    "scorecards.agent_daily",
    "scorecards.measures",
    "scorecards.scorecard_monthly",
    "measures.period_wide",
    "measures.fct_sessions",
    "measures.roster_monthly",
    "tiers.computed_decisions",
    "payroll.computed_lines",
    "quality.results",
)


def at(day: date, clock: str) -> str:
    return f"{day}T{clock}+08:00"


def review(number: int, agent: str, day: date, *points: str) -> list[dict]:
    rows = [("0", None), *((each, "C" if Decimal(each) >= 10 else "A") for each in points)]
    return [
        {
            **{"review_id": f"r{number}", "item_no": item, "interaction_id": f"s{number}", "agent_id": agent},
            **{"interaction_date": day, "reviewer_id": "q", "reviewed_at": at(day, "20:00:00")},
            **{"severity": severity, "points": Decimal(value)},
        }
        for item, (value, severity) in enumerate(rows)
    ]


def call(number: int, agent: str, day: date, wait: int | None, csat: int | None = None) -> dict:
    answered = None if wait is None else at(day, f"10:00:{wait:02d}")
    return {
        **{"call_id": f"c{number}", "agent_id": agent, "customer_id": "c", "queued_at": at(day, "10:00:00")},
        **{"answered_at": answered, "ended_at": at(day, "10:01:30"), "csat": csat},
    }


def land_company(settings: Settings) -> None:
    """A quarter of a made-up company.

    ann works all quarter and moves from basic to vip in September; joe joins on 15 August; lea left on 10 July;
    vic answers calls; mia has no post; ida is on the roster and does nothing at all.
    """
    people = [
        employee("ann"),
        employee("joe", hire_date=date(2026, 8, 15), grade_since=date(2026, 8, 15)),
        employee("lea", leave_date=date(2026, 7, 10)),
        employee("vic", post="voice", hire_date=date(2026, 1, 31)),
        employee("mia", post=None, grade="lead"),
        employee("ida"),
    ]
    land(settings, "employees", date(2026, 7, 5), people)
    moved = [person | ({"post": "vip", "team": "T2"} if person["employee_id"] == "ann" else {}) for person in people]
    land(settings, "employees", date(2026, 9, 30), moved)

    first, last = date(2026, 7, 1), date(2026, 7, 31)
    land(
        settings,
        "chat_sessions",
        first,
        [
            session("s1", "ann", at(first, "09:00:00"), ended_at=at(first, "09:10:00"), csat=5),
            session("s2", "ann", at(first, "10:00:00"), ended_at=at(first, "10:00:01"), csat=4, resolved=False),
            session("s3", "ann", at(first, "11:00:00"), csat=3, resolved=False),
            session("s4", "lea", at(first, "12:00:00")),
        ],
    )
    land(
        settings,
        "chat_messages",
        first,
        [
            message("s1", 1, "customer", at(first, "09:00:00")),
            message("s1", 2, "agent", at(first, "09:00:10")),
            message("s2", 1, "customer", at(first, "10:00:00")),
            message("s2", 2, "agent", at(first, "10:00:10")),
            message("s3", 1, "customer", at(first, "11:00:00")),
            message("s3", 2, "agent", at(first, "11:00:11.000001")),
        ],
    )
    # The last minute of the month belongs to July though it is 31 July in UTC as well, and 1 August 00:30 in China
    # is still 31 July in UTC.
    land(settings, "chat_sessions", last, [session("s5", "ann", at(last, "23:59:59"))])
    land(settings, "chat_sessions", date(2026, 8, 1), [session("s6", "ann", at(date(2026, 8, 1), "00:30:00"))])
    land(settings, "chat_sessions", date(2026, 9, 1), [session("s7", "ann", at(date(2026, 9, 1), "09:00:00"))])
    land(
        settings,
        "calls",
        first,
        [call(1, "vic", first, 20, csat=2), call(2, "vic", first, 25), call(3, "vic", first, None)],
    )
    land(settings, "qa_reviews", first, [*review(1, "ann", first, "2.5", "10"), *review(2, "ann", first)])
    land(settings, "qa_reviews", date(2026, 8, 3), review(3, "joe", date(2026, 8, 3), "9"))
    land(settings, "qa_reviews", date(2026, 8, 20), review(4, "joe", date(2026, 8, 20), "5"))
    land(settings, "qa_reviews", date(2026, 9, 2), review(5, "joe", date(2026, 9, 2), "4"))
    land(
        settings,
        "points",
        first,
        [
            {"point_id": "p1", "employee_id": "ann", "date": first, "kind": "extra", "points": Decimal("-3.5")},
            {"point_id": "p2", "employee_id": "mia", "date": first, "kind": "execution", "points": Decimal(2)},
        ],
    )
    land(
        settings,
        "tickets",
        first,
        [
            {"ticket_id": "t1", "agent_id": "ann", "created_at": at(first, "09:00:00"), "is_error": True},
            {"ticket_id": "t2", "agent_id": "ann", "created_at": at(first, "09:00:00"), "is_error": False},
        ],
    )
    land(settings, "attendance", first, [attendance(name, first) for name in ("ann", "vic", "mia")])
    second = first + timedelta(days=1)
    land(
        settings,
        "attendance",
        second,
        [
            attendance("ann", second, "late", overtime_hours=Decimal("1.5"), overtime_kind="workday"),
            attendance("vic", second, "rest"),
        ],
    )


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """The company's home, built. Tests that change it work on a copy."""
    settings = load_settings(home=tmp_path_factory.mktemp("company"))
    land_company(settings)
    warehouse.build(settings)
    return settings


@pytest.fixture
def copied(company, tmp_path):
    """The built company under another home, to be changed."""
    home = tmp_path / "home"
    shutil.copytree(company.home, home)
    return load_settings(home=home)


def rows(settings: Settings, query: str, *parameters: object) -> list[tuple]:
    with warehouse.connect(settings, read_only=True) as con:
        return con.execute(query, list(parameters)).fetchall()


def contents(settings: Settings) -> dict[str, list[tuple]]:
    return {table: rows(settings, f"select * from {table} order by all") for table in OUTWARD}


def figure(settings: Settings, employee_id: str, period: str, measure: str) -> Decimal | None:
    found = rows(
        settings,
        f"select {measure} from measures.period_wide where employee_id = ? and period = ?",
        employee_id,
        period,
    )
    assert len(found) == 1, f"{employee_id} has {len(found)} rows for {period}"
    return found[0][0]


@pytest.mark.parametrize(
    ("employee_id", "period", "measure", "expected"),
    [
        # 10, 10 and 11.000001 seconds: the mean 10.333333666… goes up in its sixth place.
        ("ann", "2026-07", "first_response_seconds", "10.333334"),
        ("ann", "2026-07", "response_seconds", "10.333334"),
        ("ann", "2026-07", "sessions", "4"),
        ("ann", "2026-08", "sessions", "1"),
        ("ann", "2026Q3", "sessions", "6"),
        ("ann", "2026-07", "response_rate", "0.75"),
        ("ann", "2026-07", "resolved_rate", "0.5"),
        ("ann", "2026Q3", "resolved_rate", "0.666667"),
        ("ann", "2026-07", "csat_rate", "0.666667"),
        ("ann", "2026-07", "csat_mean", "4"),
        ("ann", "2026-07", "handle_seconds", "300.5"),
        ("ann", "2026-07", "qa_reviews", "2"),
        ("ann", "2026-07", "qa_deduction", "12.5"),
        ("ann", "2026-07", "qa_class_c", "1"),
        ("ann", "2026Q3", "qa_deduction", "4.166667"),
        ("ann", "2026-07", "tickets", "2"),
        ("ann", "2026-07", "error_tickets", "1"),
        ("ann", "2026-07", "extra_points", "-3.5"),
        ("ann", "2026-07", "scheduled_days", "2"),
        ("ann", "2026-07", "worked_days", "2"),
        ("ann", "2026-07", "late_days", "1"),
        ("ann", "2026-07", "full_attendance", "0"),
        ("ann", "2026-07", "overtime_hours_workday", "1.5"),
        ("ann", "2026-07", "active_days", "31"),
        ("ann", "2026Q3", "calendar_days", "92"),
        ("ann", "2026-07", "tenure_months", "19"),
        # Nothing to count is 0, nothing to measure is absent.
        ("ida", "2026-07", "sessions", "0"),
        ("ida", "2026-07", "qa_deduction", "0"),
        ("ida", "2026-07", "extra_points", "0"),
        ("ida", "2026-07", "csat_rate", None),
        ("ida", "2026-07", "response_rate", None),
        ("ida", "2026-07", "first_response_seconds", None),
        ("ida", "2026-07", "full_attendance", "0"),
        # A joiner from the middle of the month on; his deduction is a mean over his own two months.
        ("joe", "2026-08", "active_days", "17"),
        ("joe", "2026-08", "tenure_months", "0"),
        ("joe", "2026-09", "tenure_months", "1"),
        ("joe", "2026Q3", "active_days", "47"),
        ("joe", "2026-08", "qa_deduction", "14"),
        ("joe", "2026Q3", "qa_deduction", "9"),
        # A leaver up to his last day.
        ("lea", "2026-07", "active_days", "10"),
        ("lea", "2026Q3", "active_days", "10"),
        ("lea", "2026Q3", "sessions", "1"),
        # Voice is measured by its calls; an unanswered one neither waits nor lasts.
        ("vic", "2026-07", "calls_answered", "2"),
        ("vic", "2026-07", "volume", "2"),
        ("vic", "2026-07", "first_response_seconds", "22.5"),
        ("vic", "2026-07", "handle_seconds", "67.5"),
        ("vic", "2026-07", "csat_rate", "0"),
        ("vic", "2026-07", "full_attendance", "1"),
        ("vic", "2026-07", "tenure_months", "6"),
        # Without a post there is no volume.
        ("mia", "2026-07", "volume", None),
        ("mia", "2026-07", "volume_post_mean", None),
        ("mia", "2026-07", "execution_points", "2"),
        # The mean of a post runs over those with scheduled days: ann alone of basic, though lea had a session.
        ("ida", "2026-07", "volume_post_mean", "4"),
        # In the quarter ann counts with the post that she has at its end.
        ("ann", "2026Q3", "volume_post_mean", "6"),
        ("ida", "2026Q3", "volume_post_mean", None),
    ],
)
def test_measures_of_a_period(company, employee_id, period, measure, expected):
    assert figure(company, employee_id, period, measure) == (None if expected is None else Decimal(expected))


def test_rows_are_exactly_the_employees_active_in_the_period(company):
    found = rows(company, "select period, list(employee_id order by employee_id) from measures.period_wide group by 1")
    everyone = {"ann", "ida", "mia", "vic"}
    assert {period: set(names) for period, names in found} == {
        "2026-07": everyone | {"lea"},
        "2026-08": everyone | {"joe"},
        "2026-09": everyone | {"joe"},
        "2026Q3": everyone | {"joe", "lea"},
    }
    whole = rows(
        company, "select employee_id from measures.period_wide where period = '2026Q3' and active_all_months = 1"
    )
    assert {name for (name,) in whole} == everyone
    assert rows(
        company, "select active_last_day from measures.period_wide where period='2026Q3' and employee_id='lea'"
    ) == [(0,)]


def test_a_quarter_takes_the_roster_in_force_at_its_end_and_a_month_its_own(company):
    found = rows(
        company, "select period, post, team from measures.period_wide where employee_id = 'ann' order by period"
    )
    assert found == [
        ("2026-07", "basic", "T1"),
        ("2026-08", "basic", "T1"),
        ("2026-09", "vip", "T2"),
        ("2026Q3", "vip", "T2"),
    ]


def test_period_wide_has_a_column_for_each_measure_of_the_catalogue(company):
    types = dict(
        rows(
            company,
            "select column_name, data_type from information_schema.columns "
            "where table_schema = 'measures' and table_name = 'period_wide'",
        )
    )
    assert {code: types.get(code) for code in base_measures()} == dict.fromkeys(base_measures(), "DECIMAL(18,6)")


def test_agent_daily_holds_the_day_with_the_sums_behind_its_means(company):
    found = rows(
        company,
        "select business_date, sessions, calls, calls_answered, first_response_seconds, csat_rate, qa_deduction, "
        "tickets, rated, csat_sum, first_responses from scorecards.agent_daily where agent_id in ('ann', 'vic') "
        "order by all",
    )
    assert found == [
        (date(2026, 7, 1), 0, 3, 2, Decimal("22.5"), Decimal(0), Decimal(0), 0, 1, 2, 2),
        (date(2026, 7, 1), 3, 0, 0, Decimal("10.333334"), Decimal("0.666667"), Decimal("12.5"), 2, 3, 12, 3),
        (date(2026, 7, 31), 1, 0, 0, None, None, Decimal(0), 0, 0, 0, 0),
        (date(2026, 8, 1), 1, 0, 0, None, None, Decimal(0), 0, 0, 0, 0),
        (date(2026, 9, 1), 1, 0, 0, None, None, Decimal(0), 0, 0, 0, 0),
    ]


def test_unit_tests_of_the_models(company):
    warehouse.call_dbt(company, ["test", "--select", "test_type:unit"])


def test_a_build_without_news_writes_nothing(company):
    before = company.warehouse_path.stat()
    report = warehouse.build(company)
    after = company.warehouse_path.stat()
    assert (report.dates, report.months) == ((), ())
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


def test_the_warehouse_is_private(company):
    assert stat.S_IMODE(company.warehouse_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(company.warehouse_path.parent.stat().st_mode) == 0o700


def test_late_deliveries_rebuild_their_dates_and_their_month_and_the_later_ones(copied):
    """Late messages alone make their sessions be read again: the date loses none of them."""
    day, later = date(2026, 8, 1), date(2026, 9, 1)
    again = [session("s6", "ann", at(day, "00:30:00"), csat=1), session("s8", "ann", at(day, "08:00:00"))]
    land(copied, "chat_sessions", day, again)
    talk = [message("s7", 1, "customer", at(later, "09:00:00")), message("s7", 2, "agent", at(later, "09:00:04"))]
    land(copied, "chat_messages", later, talk)
    report = warehouse.build(copied)
    assert (report.dates, report.months, report.from_nothing) == ((day, later), (AUGUST, SEPTEMBER), False)
    assert figure(copied, "ann", "2026-08", "sessions") == 2
    assert figure(copied, "ann", "2026-09", "sessions") == 1
    assert figure(copied, "ann", "2026-09", "first_response_seconds") == 4
    assert figure(copied, "ann", "2026Q3", "sessions") == 7
    assert figure(copied, "ann", "2026Q3", "csat_rate") == Decimal("0.5")


def test_an_incremental_build_equals_one_from_nothing(copied):
    day = date(2026, 7, 2)
    land(copied, "chat_sessions", day, [session("s9", "ann", at(day, "08:00:00"), csat=2)])
    shutil.rmtree(landing.partition_dir(copied, "tickets", date(2026, 7, 1)))
    land(copied, "employees", date(2026, 8, 31), [employee("ann", team="T9"), employee("vic", post="voice")])
    warehouse.build(copied)
    assert figure(copied, "ann", "2026-07", "tickets") == 0
    incremental = contents(copied)
    copied.warehouse_path.unlink()
    assert warehouse.build(copied).from_nothing
    assert contents(copied) == incremental


def test_a_long_history_is_built_in_several_calls_with_the_same_result(company, tmp_path, monkeypatch):
    settings = load_settings(home=tmp_path / "home")
    shutil.copytree(company.landing_dir, settings.landing_dir)
    monkeypatch.setattr(stale, "ROWS_AT_ONCE", 12)
    told = []
    report = warehouse.build(settings, lambda step, done, total: told.append(step))
    assert [step for step in told if step.startswith("days ")] == ["days 2026-07-01 to 2026-07-01"]
    assert report.dates == tuple(sorted(set(report.dates)))
    assert contents(settings) == contents(company)


def test_killed_in_the_middle_of_dbt_the_next_build_ends_right(company, tmp_path):
    settings = load_settings(home=tmp_path / "home")
    shutil.copytree(company.landing_dir, settings.landing_dir)
    build_and_kill(settings)
    assert rows_when_free(settings, "select count(*) from control.built_months") == [(0,)]
    warehouse.build(settings)
    assert contents(settings) == contents(company)


def test_killed_in_the_middle_of_a_change_that_is_taken_back(copied, company):
    """What dbt had already replaced is replaced again, though the landing zone is what it was before."""
    day = date(2026, 7, 1)
    folder = landing.partition_dir(copied, "chat_sessions", day)
    before = (folder / landing.CURRENT).read_bytes()
    land(copied, "chat_sessions", day, [session("s1", "ann", at(day, "09:00:00"), csat=1)])
    build_and_kill(copied)
    assert rows_when_free(copied, "select count(*) from measures.fct_sessions") == [(4,)]
    (folder / landing.CURRENT).write_bytes(before)
    warehouse.build(copied)
    assert contents(copied) == contents(company)


def build_and_kill(settings: Settings) -> None:
    """Build in a process of its own and kill it, and dbt with it, once the sessions are done."""
    code = (
        "from csperf.settings import load_settings; from csperf.warehouse import build; build(load_settings(), print)"
    )
    run = subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        env=os.environ | {"CSPERF_HOME": str(settings.home)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout is not None
    assert any("day_chats" in line for line in run.stdout), "the build ended before it was killed"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def rows_when_free(settings: Settings, query: str) -> list[tuple]:
    """Rows, once the kernel has let go of the killed processes' lock on the file."""
    for _ in range(50):
        try:
            return rows(settings, query)
        except CsperfError:
            time.sleep(0.1)
    return rows(settings, query)


def test_a_failing_model_is_named_with_its_reason(copied):
    path = next(part.path for part in landing.partitions(copied, ["tickets"]))
    assert path is not None
    Path(path).write_bytes(b"PAR1 no parquet at all PAR1")
    day = date(2026, 7, 1)
    current = landing.Current(landing.InForce(path.parent.name, "other", 2, 0), None)
    landing.write_current(landing.partition_dir(copied, "tickets", day), current)
    with pytest.raises(CsperfError, match=r"(?s)The build failed in dbt: .*stg_tickets.*accepted\.parquet"):
        warehouse.build(copied)


def test_a_failing_month_and_a_failing_test_are_told_with_their_reasons(copied):
    with warehouse.connect(copied) as con:
        con.execute("update policy.steps set value_sql = 'no_such_column' where step = 'meets_base_indicator'")
        con.execute("insert into scorecards.scorecard_monthly select * from scorecards.scorecard_monthly")
        con.execute("update control.months set stale = true")
    window = ["--event-time-start", "2026-07-01", "--event-time-end", "2026-08-01"]
    with pytest.raises(CsperfError, match='Referenced column "no_such_column" not found'):
        warehouse.call_dbt(copied, ["run", "--select", "derived_monthly", *window])
    with pytest.raises(CsperfError, match=r"test scorecard_for_each_active_employee\S* found \d+ bad rows"):
        warehouse.call_dbt(copied, ["test", "--select", "scorecard_monthly"])


def test_without_any_landed_day_there_is_no_warehouse(tmp_path):
    settings = load_settings(home=tmp_path)
    land(settings, "employees", date(2026, 7, 1), [employee("ann")])
    assert warehouse.build(settings).months == ()
    with pytest.raises(CsperfError, match="no warehouse"), warehouse.connect(settings, read_only=True):
        pass


def test_a_warehouse_open_elsewhere_is_one_clear_sentence(copied):
    code = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(copied.warehouse_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        other.stdout.readline()
        with pytest.raises(CsperfError, match="open in another program"), warehouse.connect(copied):
            pass
        other.stdin.write("\n")
        other.stdin.close()


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        ("1", "3", "0.333333"),
        ("2", "3", "0.666667"),
        ("1", "2000000", "0.000001"),  # 0.0000005 goes up
        ("-1", "2000000", "-0.000001"),  # and away from zero
        ("1", "2000001", "0.000000"),
        ("999999999999", "1", "999999999999"),
        ("99999999999999", "700000000", "142857.142857"),
        ("5", "0", None),
    ],
)
def test_ratios_round_half_up_exactly(numerator, denominator, expected):
    sql = ratio_sql(f"cast({numerator} as hugeint) * 1000000", f"cast({denominator} as decimal(38, 6))")
    assert duckdb.sql(f"select {sql}").fetchall() == [(None if expected is None else Decimal(expected),)]


def ratio_sql(millionths: str, denominator: str) -> str:
    """The macro as dbt renders it."""
    from jinja2 import Environment

    source = (warehouse.DBT_PROJECT / "macros" / "core" / "arithmetic.sql").read_text(encoding="utf-8")
    module = Environment().from_string(source).make_module({"adapter": None, "return": str})
    return str(module.default__ratio_6(millionths, denominator))
