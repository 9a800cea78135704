"""The landing zone's face: partitions, and digests that depend on content alone."""

from __future__ import annotations

import hashlib
import time
from datetime import date
from pathlib import Path

import duckdb
import pytest

from csperf.datasets import DATASETS
from csperf.errors import CsperfError
from csperf.landing import (
    CURRENT,
    Current,
    InForce,
    Refused,
    content_sql,
    load_roster_ids,
    partition,
    partition_dir,
    partitions,
    past,
    sums_sql,
    write_current,
)
from csperf.settings import Settings
from tests.landing_files import employee, land, session

DAY = date(2026, 9, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_nothing_landed(settings: Settings) -> None:
    assert partitions(settings) == []
    assert partition(settings, "calls", DAY) is None


def test_partitions_come_by_dataset_and_date(settings: Settings) -> None:
    for name, day in (("calls", 2), ("chat_sessions", 3), ("calls", 1)):
        land(settings, name, date(2026, 9, day), [])
    assert [(part.dataset, part.business_date.day) for part in partitions(settings)] == [
        ("chat_sessions", 3),
        ("calls", 1),
        ("calls", 2),
    ]
    assert [part.dataset for part in partitions(settings, ["chat_sessions"])] == ["chat_sessions"]


def test_refused_attempt_leaves_the_earlier_version_in_force(settings: Settings) -> None:
    accepted, refused = InForce("v1", "digest", 10, 2), Refused("v2", "it is cut off.", 3)
    folder = partition_dir(settings, "calls", DAY)
    write_current(folder, Current(accepted, refused))
    part = partition(settings, "calls", DAY)
    assert part is not None
    assert (part.state, part.message, part.rows, part.quarantined) == ("refused", "it is cut off.", 10, 2)
    assert part.path == folder / "v1" / "accepted.parquet"
    assert part.manifest_path == folder / "v1" / "manifest.json"
    assert part.refused_manifest_path == folder / "v2" / "manifest.json"


def test_date_that_was_only_refused_has_no_path(settings: Settings) -> None:
    write_current(partition_dir(settings, "calls", DAY), Current(None, Refused("v2", "it is cut off.", 3)))
    part = partition(settings, "calls", DAY)
    assert part is not None
    assert (part.path, part.digest, part.version, part.rows, part.quarantined) == (None, None, None, 0, 3)
    assert part.manifest_path == part.refused_manifest_path


def test_folder_without_pointer_is_not_landed(settings: Settings) -> None:
    (partition_dir(settings, "calls", DAY) / "v1").mkdir(parents=True)
    assert partitions(settings) == []


def test_damaged_pointer_is_named(settings: Settings) -> None:
    land(settings, "calls", DAY, [])
    (partition_dir(settings, "calls", DAY) / CURRENT).write_text('{"accepted"')
    with pytest.raises(CsperfError, match=r"calls/2026-09-01/current\.json is damaged"):
        partitions(settings)


def test_many_partitions_are_read_fast(settings: Settings) -> None:
    land(settings, "calls", DAY, [])
    content = (partition_dir(settings, "calls", DAY) / CURRENT).read_bytes()
    for number in range(4000):
        folder = settings.landing_dir / "calls" / str(date.fromordinal(700000 + number))
        folder.mkdir()
        (folder / CURRENT).write_bytes(content)
    start = time.process_time()
    assert len(partitions(settings)) == 4001
    assert time.process_time() - start < 2


def sums(rows: str) -> tuple[int, ...]:
    """The sums of a digest of chat messages given as SQL values."""
    names = ", ".join(DATASETS["chat_messages"].column_names)
    text = content_sql(DATASETS["chat_messages"])
    with duckdb.connect() as con:
        found = con.execute(sums_sql(text, f"(values {rows}) as t({names})", "1")).fetchone()
    assert found is not None
    return tuple(found[1:])


A = "('s1', 1, 'agent', timestamptz '2026-09-01 09:00:00+08', 'hello')"
B = "('s1', 2, 'agent', timestamptz '2026-09-01 09:00:01.5+08', null)"


def test_digest_does_not_depend_on_order_or_zone_but_on_every_row() -> None:
    assert sums(f"{A}, {B}") == sums(f"{B}, {A}")
    assert sums(A) == sums(A.replace("09:00:00+08", "01:00:00+00"))
    assert len({sums(A), sums(B), sums(f"{A}, {A}"), sums(f"{A}, {B}")}) == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("null", "''"),
        ("null", "'-'"),
        ("'a'", "'A'"),
    ],
)
def test_digest_tells_empty_from_text(one: str, other: str) -> None:
    assert sums(A.replace("'hello'", one)) != sums(A.replace("'hello'", other))


def test_digest_tells_where_a_field_ends() -> None:
    assert sums(A.replace("'s1', 1", "'s1', 11")) != sums(A.replace("'s1', 1", "'s11', 1"))


def test_digest_can_be_computed_without_duckdb() -> None:
    """A change here makes every delivery look new: all dates would be built again."""
    texts = ("2:s11:15:agent16:17882244000000005:hello", "2:s11:25:agent16:1788224401500000-")
    hashes = [int.from_bytes(hashlib.md5(text.encode()).digest(), "little") for text in texts]
    low, high = (sum(number >> shift & 2**64 - 1 for number in hashes) for shift in (0, 64))
    assert sums(f"{A}, {B}") == (2, low, high)


def test_everyone_in_any_roster_is_known(settings: Settings) -> None:
    land(settings, "employees", date(2026, 9, 1), [employee("E1"), employee("E2")])
    land(settings, "employees", date(2026, 9, 2), [employee("E2"), employee("E3")])
    land(settings, "chat_sessions", DAY, [session("s1", "E9", "2026-09-01T09:00:00+08:00")])
    with duckdb.connect() as con:
        load_roster_ids(con, settings)
        assert {row[0] for row in con.execute("select * from known_employees").fetchall()} == {"E1", "E2", "E3"}


def test_an_earlier_version_stays_and_can_be_read(settings: Settings) -> None:
    calls = [{"call_id": str(number), "agent_id": "E1", "customer_id": "c"} for number in (1, 2)]
    land(settings, "calls", DAY, calls)
    first = partition(settings, "calls", DAY)
    land(settings, "calls", DAY, calls[:1])
    assert first is not None and first.version is not None and first.path is not None
    again = past(settings, "calls", DAY, first.version)
    assert (again.path, again.digest, again.rows) == (first.path, first.digest, 2)
    assert first.path.is_file()
    with pytest.raises(CsperfError, match=r"\(calls of 2026-09-01\) cannot be read"):
        past(settings, "calls", DAY, "0123456789abcdef")
