"""The demo company: the same from the same seed, believable, and dirty only where it says so."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from csperf.datasets import DATASETS
from csperf.demo import DemoReport, load_profile, write_demo
from csperf.errors import UsageError

FIRST, LAST = date(2026, 6, 29), date(2026, 7, 8)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    return write_demo(tmp_path_factory.mktemp("demo"), 40, FIRST, LAST, seed=3)


@pytest.fixture(scope="module")
def con(demo: DemoReport) -> duckdb.DuckDBPyConnection:
    """Every dataset as a table of text, without the dirty rows that can't be read as a row."""
    con = duckdb.connect()
    for name in DATASETS:
        con.execute(
            f"create table {name} as select * from read_csv('{demo.out}/{name}/*.csv', all_varchar = true, "
            "ignore_errors = true, filename = true)"
        )
    return con


def one(con: duckdb.DuckDBPyConnection, sql: str) -> object:
    row = con.execute(sql).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.parent != root
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    day = date(2026, 7, 1)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        write_demo(tmp_path / name, 12, day, day, seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_a_days_rows_do_not_depend_on_how_many_days_are_written(demo: DemoReport, tmp_path: Path) -> None:
    write_demo(tmp_path / "short", 40, FIRST, date(2026, 7, 2), seed=3)
    short, long = contents(tmp_path / "short"), contents(demo.out)
    assert {name: long[name] for name in short} == short


def test_every_daily_dataset_is_delivered_every_day_with_the_contracts_columns(demo: DemoReport) -> None:
    assert {folder.name for folder in demo.out.iterdir() if folder.is_dir()} == set(DATASETS)
    for name, dataset in DATASETS.items():
        files = sorted((demo.out / name).glob("*.csv"))
        assert len(files) == 10 if dataset.kind == "daily" else len(files) >= 1
        for file in files:
            with file.open(encoding="utf-8") as lines:
                assert lines.readline().strip() == ",".join(dataset.column_names)


def test_the_company_has_posts_leads_and_changes(tmp_path: Path) -> None:
    profile = load_profile(yearly_joiners=3.0, yearly_leavers=3.0, yearly_transfers=3.0)
    report = write_demo(tmp_path / "busy", 60, date(2026, 7, 1), date(2026, 7, 31), 1, profile=profile)
    rosters = sorted((report.out / "employees").glob("*.csv"))
    with duckdb.connect() as con:
        con.execute(f"create table first as select * from read_csv('{rosters[0]}', all_varchar = true)")
        con.execute(f"create table last as select * from read_csv('{rosters[-1]}', all_varchar = true)")
        assert one(con, "select count(*) from first") == 60
        assert one(con, "select count(distinct post) from first") == 3
        assert one(con, "select count(*) from first where lead_id not in (select employee_id from first)") == 0
        assert one(con, "select count(*) > 0 from last where hire_date > '2026-07-01'") is True
        assert one(con, "select count(*) > 0 from last where leave_date <= '2026-07-31'") is True
        assert (
            one(con, "select count(*) > 0 from first join last using (employee_id) where first.post <> last.post")
            is True
        )


def test_nobody_works_outside_the_time_he_is_employed(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create or replace view newest as select * from employees qualify filename = max(filename) over ()")
    assert (
        one(
            con,
            """select count(*) from attendance join newest using (employee_id)
            where date < hire_date or date > coalesce(leave_date, '9999')""",
        )
        == 0
    )
    # Contacts come only to those who worked that day, or the night before.
    assert (
        one(
            con,
            """select count(*) from chat_sessions as s where s.agent_id <> 'NOBODY' and not exists (
                select 1 from attendance as a where a.employee_id = s.agent_id and a.status in ('present', 'late')
                and a.date::date between s.started_at[:10]::date - 1 and s.started_at[:10]::date)
            and s.started_at[:10] > '2026-06-29'""",
        )
        == 0
    )


def test_messages_come_in_order_and_belong_to_sessions(con: duckdb.DuckDBPyConnection) -> None:
    backwards = """select count(*) from (
        select sent_at::timestamptz
            < lag(sent_at::timestamptz) over (partition by session_id order by message_no::int) as back
        from chat_messages) where back"""
    assert one(con, backwards) == 0
    stray = """select count(distinct session_id) from chat_messages
        where session_id not in (select session_id from chat_sessions)"""
    dirty = "select count(*) from chat_messages where session_id like 'X%'"
    assert one(con, stray) == one(con, dirty)
    assert one(con, "select count(*) from chat_sessions where session_id not in (select session_id from chat_messages) "
                    "and session_id not like 'X%'") == 0  # fmt: skip
    assert set(con.execute("select distinct sender from chat_messages").fetchnumpy()["sender"]) == {
        "customer", "agent", "bot", "system",
    }  # fmt: skip


def test_reviews_are_of_interactions_of_that_agent_and_day(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""create or replace view interactions as
        select session_id as id, agent_id, started_at[:10] as day from chat_sessions
        union all select call_id, agent_id, queued_at[:10] from calls where answered_at is not null""")
    strays = """select count(*) from qa_reviews as q where review_id not like 'X%' and not exists (
        select 1 from interactions as i
        where i.id = q.interaction_id and i.agent_id = q.agent_id and i.day = q.interaction_date)"""
    assert one(con, strays) == 0
    most = """select max(n) from (select count(distinct review_id) as n from qa_reviews
        where review_id not like 'X%' group by agent_id, interaction_date)"""
    assert one(con, most) == 5


def test_dirty_rows_are_the_ones_the_report_counts(demo: DemoReport, con: duckdb.DuckDBPyConnection) -> None:
    assert sum(demo.dirty.values()) > 5
    found = {
        ("chat_sessions", "csat_out_of_range"): "select count(*) from chat_sessions where csat = '9'",
        ("chat_sessions", "csat_not_a_number"): "select count(*) from chat_sessions where csat = 'five'",
        ("chat_sessions", "unknown_agent"): "select count(*) from chat_sessions where agent_id = 'NOBODY'",
        ("chat_sessions", "duplicate_key"): "select count(*) - count(distinct session_id) from chat_sessions",
        ("chat_messages", "unknown_session"): "select count(*) from chat_messages where session_id like 'X%'",
        ("attendance", "unknown_employee"): "select count(*) from attendance where employee_id = 'NOBODY'",
        ("qa_reviews", "unknown_severity"): "select count(*) from qa_reviews where severity = 'D'",
        ("points", "unknown_kind"): "select count(*) from points where kind = 'bonus'",
        ("complaints", "unknown_agent"): "select count(*) from complaints where agent_id = 'NOBODY'",
        ("complaints", "resolved_before_received"): "select count(*) from complaints where resolved_at < '2002'",
        ("orders", "negative_amount"): "select count(*) from orders where amount = '-1.00'",
        ("orders", "amount_not_a_number"): "select count(*) from orders where amount = 'two hundred'",
        ("orders", "duplicate_key"): "select count(*) - count(distinct order_id) from orders",
        ("promotion_cases", "unreadable_quarter"): "select count(*) from promotion_cases where quarter = 'the third'",
        ("employees", "unknown_grade"): "select count(*) from employees where grade = 'wizard'",
    }
    for key, sql in found.items():
        assert one(con, sql) == demo.dirty[key], key


def test_parquet_holds_the_same_instants_and_numbers_as_csv(tmp_path: Path) -> None:
    day, profile = date(2026, 7, 6), load_profile(dirty_share=0.0)
    for fmt in ("csv", "parquet"):
        write_demo(tmp_path / fmt, 10, day, day, 4, profile=profile, fmt=fmt)  # type: ignore[arg-type]
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        for name in DATASETS:
            con.execute(
                f"create or replace table p as select * from read_parquet('{tmp_path}/parquet/{name}/{day}.parquet')"
            )
            con.execute("create or replace table c as select * from p limit 0")
            con.execute(f"insert into c select * from read_csv('{tmp_path}/csv/{name}/{day}.csv', all_varchar = true)")
            assert one(con, "select count(*) from (from p except all from c)") == 0, name
            assert one(con, "select (select count(*) from p) = (select count(*) from c)") is True, name


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty and holds no demo company"):
        write_demo(tmp_path, 5, FIRST, FIRST, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_an_older_demo_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    write_demo(out, 5, FIRST, LAST, 1)
    write_demo(out, 5, LAST, LAST, 1)
    assert [path.name for path in (out / "calls").iterdir()] == [f"{LAST}.csv"]


@pytest.mark.parametrize(
    ("agents", "first", "last", "words"),
    [(0, FIRST, LAST, "at least one agent"), (5, LAST, FIRST, "swap the two dates")],
)
def test_senseless_numbers_are_refused(tmp_path: Path, agents: int, first: date, last: date, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        write_demo(tmp_path / "demo", agents, first, last, 1)


def test_a_wrong_profile_is_refused_by_field(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text("plan: cs_2017\n")
    with pytest.raises(UsageError, match="utc_offset"):
        load_profile(path)


@pytest.mark.parametrize("agents", [1, 2, 3])
def test_even_the_smallest_company_works(tmp_path: Path, agents: int) -> None:
    report = write_demo(tmp_path / "demo", agents, FIRST, LAST, 2)
    assert report.people >= agents
    assert report.rows["attendance"] > 0
