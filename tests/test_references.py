"""What a batch's rows are looked up in: taken from the landing zone and from the batch itself."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf.landing import Current, Refused, partition, write_current
from csperf.references import reference_loader, references
from csperf.settings import Settings
from csperf.sources.spool import Spool, Unparsed
from csperf.storage import write_json
from tests.landing_files import employee, land, session
from tests.spools import make_spool

DAY = date(2026, 9, 1)
CALL = {"call_id": "c1", "agent_id": "E1", "customer_id": "u", "queued_at": "2026-09-01T09:00:00+08:00"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def look_up(settings: Settings, spool: Spool, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        reference_loader(settings, spool)(con)
        return con.execute(query).fetchall()


def spool(folder: Path, dataset: str, counts: dict[date, int], lines: int = 0) -> Spool:
    rows = [(day, {}) for day, count in counts.items() for _ in range(count)]
    unparsed = [Unparsed(max(counts), number, "x", "broken") for number in range(lines)]
    return make_spool(folder, dataset, rows, list(counts), unparsed)


def test_usual_is_the_mean_of_the_same_weekday_landed_or_in_the_batch(settings: Settings, tmp_path: Path) -> None:
    for weeks, count in ((1, 4), (2, 6), (5, 1000)):
        land(settings, "tickets", DAY - timedelta(weeks=weeks), [{"ticket_id": str(n)} for n in range(count)])
    land(settings, "tickets", DAY - timedelta(days=1), [{"ticket_id": "other weekday"}])
    batch = spool(tmp_path / "spool", "tickets", {DAY - timedelta(weeks=3): 9, DAY - timedelta(weeks=1): 5, DAY: 3}, 2)
    found = look_up(settings, batch, "select * from usual_rows order by all")
    assert found == [
        (DAY - timedelta(weeks=1), 5, (6 + 9 + 1000) / 3),
        (DAY, 5, (5 + 6 + 9) / 3),  # three rows and two lines; of the week before what is delivered now
    ]


def test_one_week_does_not_say_what_is_usual_but_one_table_does(settings: Settings, tmp_path: Path) -> None:
    land(settings, "tickets", DAY - timedelta(weeks=1), [{"ticket_id": "t"}])
    assert look_up(settings, spool(tmp_path / "a", "tickets", {DAY: 3}), "from usual_rows") == []
    land(settings, "targets", DAY - timedelta(days=40), [{"employee_id": "E1"}, {"employee_id": "E2"}])
    assert look_up(settings, spool(tmp_path / "b", "targets", {DAY: 3}), "from usual_rows") == [(DAY, 3, 2.0)]


def test_columns_are_compared_with_the_delivery_before(settings: Settings, tmp_path: Path) -> None:
    before = DAY - timedelta(days=3)
    land(settings, "tickets", before, [])
    part = partition(settings, "tickets", before)
    assert part is not None
    write_json(part.manifest_path, {"columns": ["kind", "topic"], "types": ["DATE", "VARCHAR"]})
    batch = spool(tmp_path / "spool", "tickets", {DAY: 1, DAY + timedelta(days=1): 0})
    query = "select business_date, string_agg(name, ' ' order by position), min(type) from {} group by 1 order by 1"
    own = " ".join(batch.dataset.column_names)
    assert look_up(settings, batch, query.format("earlier_columns")) == [
        (DAY, "kind topic", "DATE"),
        (DAY + timedelta(days=1), own, None),
    ]
    assert [row[1] for row in look_up(settings, batch, query.format("delivered_columns"))] == [own, own]


def test_who_is_employed_goes_by_the_roster_in_force(settings: Settings, tmp_path: Path) -> None:
    roster = [
        employee("E1"),
        employee("E2", leave_date=DAY),
        employee("E3", leave_date=DAY - timedelta(days=1)),
        employee("E4", hire_date=DAY),
        employee("E5", hire_date=DAY + timedelta(days=1)),
    ]
    land(settings, "employees", DAY - timedelta(days=5), roster)
    land(settings, "employees", DAY + timedelta(days=1), [employee("E6")])
    batch = spool(tmp_path / "spool", "tickets", {DAY: 1, DAY + timedelta(days=1): 1, DAY - timedelta(days=9): 1})
    found = look_up(settings, batch, "from active_people order by all")
    assert found == [
        *((DAY - timedelta(days=9), who) for who in ("E1", "E2", "E3")),  # the oldest roster stands in
        *((DAY, who) for who in ("E1", "E2", "E4")),
        (DAY + timedelta(days=1), "E6"),
    ]


def test_interactions_are_known_where_all_that_is_ever_delivered_has_come(settings: Settings, tmp_path: Path) -> None:
    batch = spool(tmp_path / "spool", "qa_reviews", {DAY: 1})
    dates = "select business_date from interaction_dates"
    assert look_up(settings, batch, dates) == []
    land(settings, "chat_sessions", DAY, [session("s1", "E1", "2026-09-01T09:00:00+08:00")])
    assert look_up(settings, batch, dates) == [(DAY,)]
    land(settings, "calls", DAY - timedelta(days=1), [CALL])
    assert look_up(settings, batch, dates) == []
    before = references(settings, batch.dataset, DAY)
    land(settings, "calls", DAY, [CALL])
    assert references(settings, batch.dataset, DAY) != before
    assert look_up(settings, batch, dates) == [(DAY,)]
    known = look_up(settings, batch, "select interaction_id, agent_id from interactions order by 1")
    assert known == [("c1", "E1"), ("s1", "E1")]
    # An unanswered call is an interaction that can be reviewed, and none that had to be.
    assert look_up(settings, batch, "select agent_id, interactions from handled") == [("E1", 1)]
    part = partition(settings, "calls", DAY)
    assert part is not None
    write_current(part.folder, Current(None, Refused("v", "it is cut off.", 0)))
    assert look_up(settings, batch, dates) == []
