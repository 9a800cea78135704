"""Deliveries taken in from files: what is accepted, set aside, refused, unchanged, healed, and what a kill leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf.datasets import DATASETS, Dataset
from csperf.demo import load_profile, write_demo
from csperf.errors import CsperfError
from csperf.ingest import ingest
from csperf.landing import partition, partitions, read_manifest
from csperf.settings import PROJECT_ROOT, Settings
from csperf.sources import Source, Spool, open_source
from tests.conftest import Company
from tests.shop import (
    AT,
    D1,
    D2,
    D3,
    D4,
    MESSAGES,
    ROSTER,
    SESSIONS,
    TICKETS,
    Deliveries,
    chat,
    person,
    said,
    states,
    ticket,
)


@pytest.fixture
def shop(tmp_path: Path) -> Deliveries:
    return Deliveries(tmp_path)


# ---- what is landed -----------------------------------------------------------------------------------------------


def test_a_delivery_is_checked_and_landed(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="NOBODY"), "t3,E1,soon,,refund,false", "short,row")
    report = shop.take_in()
    assert states(report) == {("employees", 1): "landed", ("tickets", 1): "landed"}
    assert (report.failures, report.messages, report.quarantined, report.changed) == ({}, [], 3, True)
    part = partition(shop.settings(), "tickets", D1)
    assert part is not None
    assert (part.rows, part.quarantined, part.state, part.message) == (1, 3, "accepted", None)
    assert shop.accepted("tickets") == ["t1"]
    reasons = shop.reasons("tickets")
    assert [row[:3] for row in reasons] == [
        (2, None, "agent_id_not_in_roster"),
        (3, None, "readable"),
        (None, 5, "unparsed"),
    ]
    assert json.loads(reasons[0][3])["agent_id"] == "NOBODY"
    assert json.loads(reasons[1][3])["created_at"] == "soon"
    assert json.loads(reasons[2][3]) == "short,row"
    manifest = read_manifest(part.manifest_path)
    assert manifest["rows"] == {
        **{"delivered": 4, "accepted": 1, "quarantined": 3, "discarded": 0, "unparsed": 1},
        "skipped": {},
    }
    assert manifest["source"] == str(shop.root) and manifest["origin"] == "tickets/2026-09-01.csv"
    assert manifest["extracted_at"] == AT.isoformat() and manifest["columns"] == TICKETS.split(",")
    assert manifest["digest"] == part.digest and manifest["suite"]["name"] == "tickets"
    failed = {result["check"]: (result["failed"], result["rows"]) for result in manifest["results"]}
    assert (failed["readable"], failed["agent_id_not_in_roster"], failed["key_repeated"]) == ((1, 3), (1, 3), (0, 3))
    assert report.data_docs is not None and (report.data_docs / "index.html").exists()


def test_no_delivery_is_not_an_empty_one(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS)
    report = shop.take_in(D1, D2)
    assert states(report) == {("employees", 1): "landed", ("tickets", 1): "landed", ("tickets", 2): "missing"}
    assert [outcome.business_date for outcome in report.missing] == [D2]
    part = partition(shop.settings(), "tickets", D1)
    assert part is not None and part.path is not None and part.rows == 0
    assert shop.accepted("tickets") == []
    assert partition(shop.settings(), "tickets", D2) is None


def test_every_dirty_row_of_a_demo_company_is_set_aside(company: Company) -> None:
    assert company.demo.dirty
    assert company.run.ingest.quarantined == sum(company.demo.dirty.values())
    assert company.run.ingest.messages == []


def test_dirty_rows_of_every_dataset_are_set_aside_and_no_good_row(tmp_path: Path) -> None:
    """Three days (one a Monday, for points) with a dirty row in each delivery, and rows of every dataset."""
    events = dict.fromkeys(load_profile().events, 1.0)
    profile = load_profile(dirty_share=1.0, events=events, exchanges=0)
    days_ = [date(2026, 7, day) for day in (25, 26, 27)]
    demo = write_demo(tmp_path / "in", 30, days_[0], days_[-1], seed=9, profile=profile)
    assert {name for name, _ in demo.dirty} == set(DATASETS)
    settings = Settings(home=tmp_path / "home")
    report = ingest(settings, open_source(settings, str(demo.out)), days_, AT)
    assert report.messages == []
    found, accepted = Counter[str](), Counter[str]()
    for part in partitions(settings):
        found[part.dataset] += part.quarantined
        accepted[part.dataset] += part.rows
    planted = Counter[str]()
    for (name, _), count in demo.dirty.items():
        planted[name] += count
    assert found == planted
    assert accepted == demo.rows - planted


# ---- the same and other content -----------------------------------------------------------------------------------


def test_the_same_again_changes_nothing(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2), "bad")
    shop.take_in()
    before = shop.tree()
    report = shop.take_in()
    assert set(states(report).values()) == {"unchanged"} and not report.changed
    shop.deliver("tickets", D1, TICKETS, ticket(2), "bad", ticket(1))
    assert states(shop.take_in())["tickets", 1] == "unchanged"
    assert shop.tree() == before


def test_other_content_replaces_the_date_and_the_old_version_stays(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2))
    shop.take_in()
    before = shop.tree()
    old = partition(shop.settings(), "tickets", D1)
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2).replace("false", "true"))
    assert states(shop.take_in())["tickets", 1] == "landed"
    new = partition(shop.settings(), "tickets", D1)
    assert old is not None and new is not None and old.digest != new.digest
    assert shop.accepted("tickets", column="is_error") == [False, True]
    after = shop.tree()
    assert {name: after[name] for name in before if not name.endswith("current.json")}.items() <= before.items()
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2))
    shop.take_in()
    back = partition(shop.settings(), "tickets", D1)
    assert back is not None and (back.version, back.digest) == (old.version, old.digest)


def test_what_is_set_aside_does_not_change_the_digest_of_what_is_accepted(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.take_in()
    old = partition(shop.settings(), "tickets", D1)
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="NOBODY"))
    shop.take_in()
    new = partition(shop.settings(), "tickets", D1)
    assert old is not None and new is not None
    assert old.digest == new.digest and old.version != new.version and new.quarantined == 1


# ---- late rows ----------------------------------------------------------------------------------------------------


def test_days_before_are_read_again_from_the_first_landed_date_on(shop: Deliveries) -> None:
    for day in (D1, D2, D3):
        shop.deliver("tickets", day, TICKETS, ticket(1, day))
    shop.take_in(D2)
    assert [part.business_date for part in partitions(shop.settings(), ["tickets"])] == [D2]
    shop.deliver("tickets", D2, TICKETS, ticket(1, D2), ticket(2, D2))
    report = shop.take_in(D4)
    assert states(report) == {
        ("employees", 1): "unchanged",
        ("tickets", 2): "landed",
        ("tickets", 3): "landed",
        ("tickets", 4): "missing",
    }


def test_how_far_back_is_a_setting(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.take_in(D1)
    shop.deliver("tickets", D1, TICKETS, ticket(2))
    assert ("tickets", 1) not in states(shop.take_in(D2, lookback_days=0))
    assert states(shop.take_in(D2, lookback_days=1))["tickets", 1] == "landed"


def test_unchanged_files_of_days_before_are_not_read(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.take_in(D1)
    assert ("tickets", 1) not in states(shop.take_in(D2))


# ---- dirty deliveries ---------------------------------------------------------------------------------------------

GOOD = "\n".join([TICKETS, *(ticket(number) for number in range(10))]) + "\n"


def parquet(path: Path, cut: int = 0) -> None:
    columns = ", ".join(f"'{name}' as {name}" for name in TICKETS.split(","))
    with duckdb.connect() as con:
        con.execute(f"copy (select {columns}) to '{path}' (format parquet)")
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) - cut])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("2026-09-01.csv", b"", "tickets of 2026-09-01 is refused: .*empty"),
        ("2026-09-01.csv", GOOD.replace(",kind", "").encode(), "tickets of 2026-09-01 is refused: .*kind"),
        ("2026-09-01.csv.gz", b"\x1f\x8b no gzip", "tickets of 2026-09-01 is refused: .*compressed file is damaged"),
        ("2026-09-01.parquet", 60, "tickets of 2026-09-01 is refused: .*[Pp]arquet"),
    ],
)
def test_delivery_that_cannot_be_read_stops_nothing_else(
    shop: Deliveries, name: str, content: bytes | int, words: str
) -> None:
    shop.deliver("tickets", D2, TICKETS, ticket(1, D2))
    shop.deliver("chat_sessions", D1, SESSIONS, chat(1))
    path = shop.root / "tickets" / name
    if isinstance(content, int):
        parquet(path, content)
    else:
        path.write_bytes(content)
    report = shop.take_in(D1, D2)
    assert states(report) == {
        ("employees", 1): "landed",
        ("chat_sessions", 1): "landed",
        ("chat_sessions", 2): "missing",
        ("tickets", 1): "refused",
        ("tickets", 2): "landed",
    }
    assert len(report.messages) == 1
    assert re.match(words, report.messages[0]), report.messages
    part = partition(shop.settings(), "tickets", D1)
    assert part is not None and part.path is None and part.message == report.messages[0]
    before = shop.tree()
    assert shop.take_in(D1, D2).messages == report.messages
    assert shop.tree() == before


def test_broken_text_loses_only_its_own_line(shop: Deliveries) -> None:
    path = shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2), ticket(3))
    path.write_bytes(path.read_bytes().replace(b"t2", b"\xff\xfe2"))
    shop.take_in()
    assert shop.accepted("tickets") == ["t1", "t3"]
    assert [(row[1], row[2]) for row in shop.reasons("tickets")] == [(3, "unparsed")]


def test_refused_delivery_leaves_the_version_in_force_until_a_good_one_comes(shop: Deliveries) -> None:
    good = shop.deliver("tickets", D1, TICKETS, ticket(1)).read_bytes()
    shop.take_in()
    path = shop.root / "tickets" / "2026-09-01.csv"
    path.write_bytes(b"")
    assert states(shop.take_in())["tickets", 1] == "refused"
    part = partition(shop.settings(), "tickets", D1)
    assert part is not None and part.state == "refused" and part.message is not None
    assert shop.accepted("tickets") == ["t1"]
    path.write_bytes(good)
    shop.take_in()
    part = partition(shop.settings(), "tickets", D1)
    assert part is not None and (part.state, part.message) == ("accepted", None)


def test_too_many_bad_rows_refuse_the_date_and_stay_to_be_seen(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, *(ticket(n, agent="NOBODY" if n < 150 else "E1") for n in range(200)))
    report = shop.take_in(quarantine_limit=0.5)
    assert states(report)["tickets", 1] == "refused"
    assert "150 of 200 rows are bad" in report.messages[0]
    assert len(shop.reasons("tickets")) == 150
    assert states(shop.take_in(quarantine_limit=0.8))["tickets", 1] == "landed"


def test_delivery_without_a_good_row_does_not_replace_one_that_has_some(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.take_in()
    shop.deliver("tickets", D1, TICKETS, ticket(1, agent="NOBODY"))
    report = shop.take_in()
    assert "none of its 1 rows is good" in report.messages[0]
    assert shop.accepted("tickets") == ["t1"]


class Faulty:
    """A source whose tickets cannot be reached: the rest is a directory's."""

    def __init__(self, source: Source, error: Exception) -> None:
        self.name = source.name
        self._source = source
        self._error = error

    def datasets(self) -> list[str]:
        return self._source.datasets()

    def extract(self, dataset: Dataset, dates: Sequence[date], spool: Path) -> Spool:
        if dataset.name == "chat_sessions":
            raise self._error
        return self._source.extract(dataset, dates, spool)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (CsperfError("The database is down; start it."), "chat_sessions: The database is down; start it."),
        (RuntimeError("boom\nmore"), "chat_sessions could not be taken in (RuntimeError: boom); run its dates again."),
    ],
)
def test_dataset_that_fails_stops_no_other(shop: Deliveries, error: Exception, sentence: str) -> None:
    shop.deliver("chat_sessions", D1, SESSIONS, chat(1))
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    settings = shop.settings()
    report = ingest(settings, Faulty(open_source(settings, str(shop.root)), error), [D1], AT)
    assert report.failures == {"chat_sessions": sentence}
    assert states(report) == {("employees", 1): "landed", ("tickets", 1): "landed"}


# ---- what becomes good later --------------------------------------------------------------------------------------


def test_rows_of_somebody_unknown_are_taken_up_when_a_roster_names_them(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="E7"), "bad line", "t3,E1,soon,,refund,false")
    shop.deliver("chat_sessions", D1, SESSIONS, chat(1), chat(2, agent="E7"), chat(3, agent="E8"))
    shop.deliver("chat_messages", D1, MESSAGES, said(1), said(2), said(3))
    shop.take_in(D1)
    assert shop.accepted("tickets") == ["t1"] and shop.accepted("chat_messages") == ["s1"]
    before = partition(shop.settings(), "tickets", D1)
    shop.deliver("employees", D4, ROSTER, person("E1"), person("E7"))
    report = shop.take_in(D4, lookback_days=0)
    assert {(outcome.dataset, outcome.business_date, outcome.state) for outcome in report.healed} == {
        ("tickets", D1, "landed"),
        ("chat_sessions", D1, "landed"),
        ("chat_messages", D1, "landed"),
    }
    assert shop.accepted("tickets") == ["t1", "t2"]
    assert shop.accepted("chat_sessions") == ["s1", "s2"]
    assert shop.accepted("chat_messages") == ["s1", "s2"]
    assert [row[:3] for row in shop.reasons("tickets")] == [(3, None, "readable"), (None, 4, "unparsed")]
    assert [row[2] for row in shop.reasons("chat_messages")] == ["session_not_accepted"]
    after = partition(shop.settings(), "tickets", D1)
    assert before is not None and after is not None
    old, new = read_manifest(before.manifest_path), read_manifest(after.manifest_path)
    assert {name: new[name] for name in ("source", "origin", "extracted_at", "columns")} == {
        name: old[name] for name in ("source", "origin", "extracted_at", "columns")
    }
    tree = shop.tree()
    assert shop.take_in(D4, lookback_days=0).healed == []
    assert shop.tree() == tree


def test_healed_date_is_the_same_as_one_delivered_after_the_roster(shop: Deliveries, tmp_path: Path) -> None:
    other = Deliveries(tmp_path / "other")
    for one in (shop, other):
        one.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="E7"), ticket(3, agent="E8"))
    shop.take_in(D1)
    for one in (shop, other):
        one.deliver("employees", D2, ROSTER, person("E1"), person("E7"))
    shop.take_in(D2, lookback_days=0)
    other.take_in(D1, D2)
    healed, direct = partition(shop.settings(), "tickets", D1), partition(other.settings(), "tickets", D1)
    assert healed is not None and direct is not None
    assert (healed.digest, healed.version) == (direct.digest, direct.version)


# ---- kills --------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from datetime import UTC, date, datetime
from pathlib import Path
from csperf import ingest, storage, versions
from csperf.settings import Settings
from csperf.sources import open_source
from csperf.sources.files import FileSource

home, root, point, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])

def die_after(owner, name):
    step, left = getattr(owner, name), [count]
    def wrapped(*given, **named):
        result = step(*given, **named)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, wrapped)

owner, name = point.split(".")
die_after({"FileSource": FileSource, "versions": versions}[owner], name)
settings = Settings(home=home)
dates = [date(2026, 9, 1), date(2026, 9, 2)]
ingest.ingest(settings, open_source(settings, root), dates, datetime(2026, 9, 5, 2, tzinfo=UTC))
"""


def contents(settings: Settings) -> list[tuple[Any, ...]]:
    return [(p.dataset, p.business_date, p.digest, p.version, p.rows, p.quarantined) for p in partitions(settings)]


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("FileSource.extract", 2),  # sessions are spooled, nothing of them is checked
        ("versions._copy", 3),  # a version is half written
        ("versions.publish_dir", 3),  # a version is in place, nothing points to it
    ],
)
def test_killed_run_leaves_whole_deliveries_and_the_next_ends_right(
    shop: Deliveries, tmp_path: Path, point: str, count: int
) -> None:
    for day in (D1, D2):
        shop.deliver("chat_sessions", day, SESSIONS, chat(1, day), chat(2, day, "NOBODY"))
        shop.deliver("chat_messages", day, MESSAGES, said(1, day), said(2, day))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(shop.home), str(shop.root), point, str(count)],
        cwd=PROJECT_ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("CSPERF_")},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    for part in partitions(shop.settings()):
        assert part.path is not None and part.path.exists() and part.manifest_path.exists()
    report = shop.take_in(D1, D2)
    assert report.messages == []
    undisturbed = Deliveries(tmp_path / "undisturbed")
    for path in shop.root.rglob("*.csv"):
        undisturbed.deliver(path.parent.name, date.fromisoformat(path.stem), path.read_text().rstrip("\n"))
    undisturbed.take_in(D1, D2)
    assert contents(shop.settings()) == contents(undisturbed.settings())
    assert len(contents(shop.settings())) == 5
    assert not (shop.home / "work").exists() or not list((shop.home / "work").iterdir())


# ---- more dates than are taken in together -------------------------------------------------------------------------


def test_many_dates_come_out_as_one_by_one(shop: Deliveries, tmp_path: Path) -> None:
    days = [date(2026, 9, number) for number in range(1, 9)]
    for day in days:
        shop.deliver("tickets", day, TICKETS, ticket(day.day, day), ticket(1, day, "NOBODY"))
    shop.deliver("employees", D4, ROSTER, person("E1"))
    report = shop.take_in(*days)
    assert [outcome.business_date for outcome in report.outcomes if outcome.dataset == "employees"] == [D1, D4]
    assert [outcome.rows for outcome in report.outcomes if outcome.dataset == "tickets"] == [1] * 8
    single = shop.settings().model_copy(update={"home": tmp_path / "single"})
    for day in days:
        ingest(single, open_source(single, str(shop.root)), [day], AT)
    assert contents(single) == contents(shop.settings())
