"""The file source: formats, encodings, types, and deliveries that are dirty."""

from __future__ import annotations

import codecs
import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf.datasets import DATASETS
from csperf.errors import UsageError
from csperf.settings import Settings
from csperf.sources import Spool, open_source

DAY = date(2026, 9, 1)
HEADER = "session_id,agent_id,customer_id,channel,started_at,ended_at,resolved,csat"
GOOD = "s1,a1,c1,web,2026-09-01T09:00:00+08:00,2026-09-01T09:10:00+08:00,true,5"


def deliver(root: Path, name: str, content: bytes | str, dataset: str = "chat_sessions") -> Path:
    path = root / "in" / dataset / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def extract(root: Path, dataset: str = "chat_sessions", days: list[date] | None = None, **settings: Any) -> Spool:
    source = open_source(Settings(home=root / "var", **settings), str(root / "in"))
    return source.extract(DATASETS[dataset], days or [DAY], root / "spool" / dataset)


def rows(spool: Spool, columns: str = "*", order: str = "_business_date, _row") -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        relation = spool.relation(con)
        return con.sql(f"select {columns} from relation order by {order}").fetchall() if relation else []


def lines(*texts: str) -> str:
    return "\n".join([HEADER, *texts]) + "\n"


def test_csv_comes_out_in_contract_types(tmp_path: Path) -> None:
    deliver(tmp_path, "2026-09-01.csv", lines(GOOD, "s2,a1,c2,app,2026-09-01 23:30,,no,"))
    spool = extract(tmp_path)
    assert rows(spool) == [
        (DAY, 1, "s1", "a1", "c1", "web", utc(1, 0), utc(1, 10), True, 5, None, None),
        (DAY, 2, "s2", "a1", "c2", "app", utc(15, 30), None, False, None, None, None),
    ]
    delivery = spool.deliveries[DAY]
    assert (delivery.origin, delivery.rows, delivery.problem) == ("chat_sessions/2026-09-01.csv", 2, None)
    assert delivery.columns == HEADER.split(",")
    assert spool.unparsed == []


def utc(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 9, 1, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-09-01T09:00:00+08:00", utc(1, 0)),
        ("2026-09-01T01:00:00Z", utc(1, 0)),
        ("2026-09-01T01:00:00.000Z", utc(1, 0)),
        ("2026-09-01T09:00+08:00", utc(1, 0)),
        ("2026-09-01T09:00:00+0800", utc(1, 0)),
        ("2026-09-01T09:00:00", utc(1, 0)),
        ("2026-09-01 09:00", utc(1, 0)),
        ("2026-08-31T20:30:15-04:30", utc(1, 0, 15)),
        ("2026-09-01", None),
        ("2026-02-30T09:00:00", None),
        ("2026-09-01T24:00:00", None),
        ("01/09/2026 09:00", None),
    ],
)
def test_timestamps_are_iso_8601_and_local_without_an_offset(
    tmp_path: Path, text: str, expected: datetime | None
) -> None:
    deliver(tmp_path, "2026-09-01.csv", lines(f"s1,a1,c1,web,{text},,true,"))
    [(started, bad)] = rows(extract(tmp_path), "started_at, _bad")
    assert started == expected
    if expected is None:
        assert bad == f"started_at: '{text}' is not a time like 2026-09-30T09:00:00+08:00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("4", 4), ("4.0", 4), (" 4 ", 4), ("+4", 4), ("-4", -4)),
        *((text, None) for text in ("4.5", "1_0", "0x4", "four", "99999999999999999999")),
    ],
)
def test_whole_numbers(tmp_path: Path, text: str, expected: int | None) -> None:
    deliver(tmp_path, "2026-09-01.csv", lines(f"s1,a1,c1,web,2026-09-01T09:00:00,,true,{text}"))
    [(csat, bad)] = rows(extract(tmp_path), "csat, _bad")
    assert csat == expected
    assert bad == (None if expected is not None else f"csat: '{text}' is not a whole number")


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("F", False), ("YES", True), ("No", False), ("2", None)])
def test_booleans(tmp_path: Path, text: str, expected: bool | None) -> None:
    deliver(tmp_path, "2026-09-01.csv", lines(f"s1,a1,c1,web,2026-09-01T09:00:00,,{text},"))
    assert rows(extract(tmp_path), "resolved") == [(expected,)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.1", "0.1"), ("1e1", "10"), (".5", "0.5"), ("-3", "-3"), ("nan", None), ("1,5", None), ("9" * 13, None)],
)
def test_decimals_are_exact(tmp_path: Path, text: str, expected: str | None) -> None:
    header = "employee_id,date,scheduled_hours,worked_hours,status,overtime_hours,overtime_kind,night_shift"
    deliver(tmp_path, "2026-09-01.csv", f'{header}\ne1,2026-09-01,8,"{text}",present,0,,false\n', "attendance")
    [(hours,)] = rows(extract(tmp_path, "attendance"), "worked_hours")
    assert hours == (Decimal(expected) if expected else None)


def test_a_row_that_cannot_be_read_keeps_its_texts(tmp_path: Path) -> None:
    deliver(tmp_path, "2026-09-01.csv", lines("s1,a1,c1,web,yesterday,,true,abc", GOOD.replace("s1", "s2")))
    first, second = rows(extract(tmp_path), "csat, _bad, _raw")
    assert first[1] == (
        "started_at: 'yesterday' is not a time like 2026-09-30T09:00:00+08:00; csat: 'abc' is not a whole number"
    )
    assert json.loads(first[2]) == {
        "session_id": "s1", "agent_id": "a1", "customer_id": "c1", "channel": "web",
        "started_at": "yesterday", "ended_at": None, "resolved": "true", "csat": "abc",
    }  # fmt: skip
    assert second == (5, None, None)


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    source = lines(GOOD, 's2,a1,"c,2",web,2026-09-01T10:00:00+08:00,,false,')
    expected = None
    with duckdb.connect() as con:
        deliver(tmp_path, "2026-09-01.csv", source)
        table = f"read_csv('{tmp_path}/in/chat_sessions/2026-09-01.csv', all_varchar=true)"
        for name in ("x.jsonl", "x.parquet"):
            con.execute(f"copy (from {table}) to '{tmp_path / name}'")
        text = (tmp_path / "x.jsonl").read_bytes()
        parquet = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "in/chat_sessions/2026-09-01.csv").unlink()
    crlf = source.replace("\n", "\r\n").encode()
    for name, content in [
        (".csv", source.encode()), (".csv", b"\xef\xbb\xbf" + crlf), (".csv.gz", gzip.compress(source.encode())),
        (".jsonl", text), (".jsonl.gz", gzip.compress(b"\xef\xbb\xbf" + text)), (".parquet", parquet),
    ]:  # fmt: skip
        path = deliver(tmp_path, f"2026-09-01{name}", content)
        spool = extract(tmp_path)
        got = rows(spool)
        assert spool.deliveries[DAY].problem is None
        expected = expected or got
        assert len(got) == 2
        assert got == expected
        path.unlink()


def test_native_parquet_types(tmp_path: Path) -> None:
    path = deliver(tmp_path, "2026-09-01.parquet", b"")
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'America/New_York'")
        con.execute(
            f"copy (select 7 as session_id, 'a1' as agent_id, 'c1' as customer_id, 'web' as channel, "
            f"timestamp '2026-09-01 09:00:00' as started_at, timestamptz '2026-09-01 02:00:00+00' as ended_at, "
            f"1 as resolved, 4.0::double as csat union all "
            f"select 8, 'a1', 'c1', 'web', timestamp '2026-09-01 10:00:00', null, 0, 'nan'::double) to '{path}'"
        )
    assert rows(extract(tmp_path), "session_id, started_at, ended_at, resolved, csat, _bad") == [
        ("7", utc(1, 0), utc(2, 0), True, 4, None),
        ("8", utc(2, 0), None, False, None, None),
    ]


def test_gb18030_when_the_setting_says_so(tmp_path: Path) -> None:
    text = lines("s1,a1,客户甲,网页,2026-09-01T09:00:00,,true,", GOOD.replace("s1", "s2")).encode("gb18030")
    deliver(tmp_path, "2026-09-01.csv.gz", gzip.compress(text))
    spool = extract(tmp_path, encoding="gb18030")
    assert rows(spool, "customer_id, channel") == [("客户甲", "网页"), ("c1", "web")]
    assert spool.unparsed == []


def test_a_broken_gb18030_line_is_set_apart(tmp_path: Path) -> None:
    broken = lines("s1,a1,客户甲,网页,2026-09-01T09:00:00,,true,", "s2,BROKEN,c,w,2026-09-01T09:00:00,,true,", GOOD)
    deliver(tmp_path, "2026-09-01.csv", broken.encode("gb18030").replace(b"BROKEN", b"\xff\xff"))
    spool = extract(tmp_path, encoding="gb18030")
    assert rows(spool, "_row, customer_id") == [(1, "客户甲"), (2, "c1")]
    [unparsed] = spool.unparsed
    assert (unparsed.line, unparsed.reason) == (3, "line 3: byte 4 of the line is not gb18030")


BAD_LINES = {
    "broken utf-8": (b"s9,a1,\xff\xfe,web,2026-09-01T09:00:00,,true,", "byte 7 of the line is not utf-8"),
    "too few": (b"s9,a1,c1", "it has 3 fields, the header has 8"),
    "too many": (GOOD.encode() + b",x,y", "it has 10 fields, the header has 8"),
    "open quote": (b's9,"a1,c1,web,2026-09-01T09:00:00,,true,', "a quote is opened and never closed"),
    "quote then text": (b's9,"a1"x,c1,web,2026-09-01T09:00:00,,true,', "its quotes are malformed"),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_line_that_is_no_row_costs_no_good_one(tmp_path: Path, kind: str) -> None:
    line, reason = BAD_LINES[kind]
    good = [GOOD.replace("s1", f"s{number}") for number in range(1, 5)]
    multi = 's5,a1,"c\nx, ""y""",web,2026-09-01T09:00:00,,true,'
    content = lines(*good[:2]).encode() + line + b"\n" + "\n".join([multi, *good[2:]]).encode() + b"\n"
    deliver(tmp_path, "2026-09-01.csv", content)
    spool = extract(tmp_path)
    assert rows(spool, "_row, session_id, customer_id") == [
        (1, "s1", "c1"), (2, "s2", "c1"), (3, "s5", 'c\nx, "y"'), (4, "s3", "c1"), (5, "s4", "c1"),
    ]  # fmt: skip
    [unparsed] = spool.unparsed
    assert (unparsed.business_date, unparsed.line, unparsed.reason) == (DAY, 4, f"line 4: {reason}")
    assert unparsed.raw == line.decode("utf-8", "replace")
    assert spool.deliveries[DAY].problem is None


def test_mixed_line_ends_lose_nothing(tmp_path: Path) -> None:
    one, two, three = (GOOD.replace("s1", f"s{number}") for number in range(1, 4))
    deliver(tmp_path, "2026-09-01.csv", f"{HEADER}\r\n{one}\n{two}\r{three}\r\n\r\n")
    spool = extract(tmp_path)
    assert rows(spool, "session_id") == [("s1",), ("s2",), ("s3",)]
    assert spool.unparsed == []


def test_malformed_json_lines_are_set_apart(tmp_path: Path) -> None:
    record = {"session_id": "s1", "agent_id": "a", "customer_id": "c", "channel": "web",
              "started_at": "2026-09-01T09:00:00+08:00", "resolved": True}  # fmt: skip
    good = json.dumps(record | {"note": {"a": [1]}})
    content = b"\n".join([good.encode(), b'{"session_id": "s2"', b"[1]", b'{"a": "\xff"}', b"", good.encode()])
    deliver(tmp_path, "2026-09-01.jsonl", content)
    spool = extract(tmp_path)
    assert rows(spool, "_row, session_id, resolved, csat") == [(1, "s1", True, None), (2, "s1", True, None)]
    assert [(item.line, item.reason.split(":")[1].strip()) for item in spool.unparsed] == [
        (2, "it is no JSON"), (3, "it is no JSON object"), (4, "byte 8 of the line is not utf-8"),
    ]  # fmt: skip
    assert "note" in spool.deliveries[DAY].columns


def damaged(root: Path, kind: str) -> str:
    """Deliver one damaged file; returns its name."""
    whole = lines(*(GOOD.replace("s1", f"s{number}") for number in range(5000)))
    if kind == "truncated parquet":
        path = deliver(root, "2026-09-01.parquet", b"")
        with duckdb.connect() as con:
            con.execute(f"copy (select range as session_id from range(9999)) to '{path}'")
        path.write_bytes(path.read_bytes()[:-200])
        return path.name
    name, content = {
        "zero bytes": ("2026-09-01.csv", b""),
        "only line ends": ("2026-09-01.csv", b"\n\n"),
        "zero bytes, jsonl": ("2026-09-01.jsonl", b""),
        "truncated gzip": ("2026-09-01.csv.gz", gzip.compress(whole.encode())[:-300]),
        "no gzip": ("2026-09-01.jsonl.gz", b"hello"),
        "missing column": ("2026-09-01.csv", whole.replace(",csat\n", "\n").encode()),
        "missing key": ("2026-09-01.jsonl", b'{"session_id": "s1"}\n'),
        "column twice": ("2026-09-01.csv", whole.replace("ended_at", "agent_id").encode()),
        "wrong encoding": ("2026-09-01.csv", "会话,客服\n".encode("gb18030")),
        "only a mark": ("2026-09-01.csv", codecs.BOM_UTF8 + b"\r\r\n"),
        "endless header": ("2026-09-01.csv", b"x" * 1_500_000),
    }[kind]
    deliver(root, name, content)
    return name


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("zero bytes", "the file is empty (0 bytes)"),
        ("only line ends", "the file is empty, without even a header"),
        ("only a mark", "the file is empty, without even a header"),
        ("endless header", "the header is longer than 1000000 bytes"),
        ("zero bytes, jsonl", "the file is empty (0 bytes)"),
        ("truncated gzip", "the compressed file is damaged"),
        ("no gzip", "the compressed file is damaged"),
        ("truncated parquet", "it cannot be read as parquet"),
        ("missing column", "column csat is missing; it has session_id, agent_id"),
        ("missing key", "columns agent_id, customer_id, channel, started_at, ended_at, resolved, csat are missing"),
        ("column twice", "the header has the column agent_id more than once"),
        ("wrong encoding", "the header is not utf-8; set CSPERF_ENCODING"),
    ],
)
def test_a_damaged_file_is_told_and_stops_no_other(tmp_path: Path, kind: str, sentence: str) -> None:
    name = damaged(tmp_path, kind)
    deliver(tmp_path, "2026-09-02.csv", lines(GOOD))
    spool = extract(tmp_path, days=[DAY, date(2026, 9, 2), date(2026, 9, 3)])
    problem = spool.deliveries[DAY].problem
    assert problem is not None
    assert problem.startswith(f"chat_sessions/{name}: {sentence}")
    assert "\n" not in problem
    assert spool.deliveries[DAY].rows == 0
    assert rows(spool, "_business_date, session_id") == [(date(2026, 9, 2), "s1")]
    assert date(2026, 9, 3) not in spool.deliveries


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("blank", [0, 1, 3])
def test_blank_lines_before_the_header_are_no_rows(tmp_path: Path, end: str, mark: bytes, blank: int) -> None:
    text = end * blank + lines(GOOD).replace("\n", end)
    deliver(tmp_path, "2026-09-01.csv", mark + text.encode())
    spool = extract(tmp_path)
    assert spool.deliveries[DAY].problem is None and spool.unparsed == []
    assert rows(spool, "session_id") == [("s1",)]


def test_a_file_with_only_its_header_is_a_delivery_without_rows(tmp_path: Path) -> None:
    deliver(tmp_path, "2026-09-01.csv", HEADER)
    deliver(tmp_path, "2026-09-02.jsonl", "\n")
    spool = extract(tmp_path, days=[DAY, date(2026, 9, 2)])
    assert [(item.rows, item.problem) for item in spool.deliveries.values()] == [(0, None), (0, None)]
    assert rows(spool) == []


def test_an_extra_column_is_ignored_but_told(tmp_path: Path) -> None:
    deliver(tmp_path, "2026-09-01.csv", f"{HEADER},mood\n{GOOD},happy\n")
    spool = extract(tmp_path)
    assert spool.deliveries[DAY].columns[-1] == "mood"
    assert len(rows(spool)[0]) == 12


def test_two_files_for_one_date_are_refused(tmp_path: Path) -> None:
    deliver(tmp_path, "2026-09-01.csv", lines(GOOD))
    deliver(tmp_path, "2026-09-01.jsonl", "\n")
    problem = extract(tmp_path).deliveries[DAY].problem
    assert problem is not None
    assert "more than once, as 2026-09-01.csv and 2026-09-01.jsonl" in problem


ROSTER = (
    "employee_id,name,post,grade,team,lead_id,employment,education,city,plan,base_salary,hire_date,grade_since,"
    "leave_date\ne1,One,basic,junior,t,,full_time,college,Wuhan,p,,2026-01-01,2026-01-01,\n"
)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-09-05", "2026-09-25", ["2026-09-01", "2026-09-10", "2026-09-20"]),
        ("2026-09-10", "2026-09-12", ["2026-09-01", "2026-09-10"]),
        ("2026-10-01", "2026-10-02", ["2026-09-20"]),
        ("2026-08-01", "2026-08-02", ["2026-09-01"]),
    ],
)
def test_a_roster_is_taken_as_delivered_and_as_in_force(
    tmp_path: Path, first: str, last: str, expected: list[str]
) -> None:
    for day in ("2026-09-01", "2026-09-10", "2026-09-20"):
        deliver(tmp_path, f"{day}.csv", ROSTER, "employees")
    spool = extract(tmp_path, "employees", [date.fromisoformat(first), date.fromisoformat(last)])
    assert [str(day) for day in spool.deliveries] == expected
    assert [str(row[0]) for row in rows(spool, "_business_date")] == expected


def test_a_directory_that_is_no_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no source"):
        open_source(Settings(home=tmp_path), str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="no folder named like a dataset"):
        open_source(Settings(home=tmp_path), str(tmp_path))
    with pytest.raises(UsageError, match="No source is given"):
        open_source(Settings(home=tmp_path, source=None))


def test_a_bad_line_far_into_a_long_file_costs_only_itself(tmp_path: Path) -> None:
    """Long enough for several blocks of lines, with records of two lines all over, also across the blocks' ends."""
    records = [GOOD.replace("s1", f"s{number}").replace("c1", f'"c\n{number}"') for number in range(5000)]
    records[3210] = "s3210,half a row"
    deliver(tmp_path, "2026-09-01.csv", lines(*records))
    spool = extract(tmp_path)
    expected = [(number, f"c\n{number}") for number in range(5000) if number != 3210]
    assert rows(spool, "session_id[2:]::int, customer_id") == expected
    [unparsed] = spool.unparsed
    assert (unparsed.line, unparsed.raw) == (2 + 2 * 3210, "s3210,half a row")


def test_pay_that_cannot_be_read_is_not_repeated_in_the_sentence(tmp_path: Path) -> None:
    deliver(tmp_path, "2026-09-01.csv", ROSTER.replace(",p,,", ',p,"8,500",'), "employees")
    assert rows(extract(tmp_path, "employees"), "base_salary, _bad") == [(None, "base_salary: it is not a number")]
