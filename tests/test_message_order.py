"""Messages in whatever order a source delivers them: the rules that look at a whole session find the same rows.

The suite looks closely only at sessions that were not delivered as one run of ascending numbers and times; here each
session is judged by hand, in plain Python.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf.checks import Batch
from csperf.expectations import Expectations
from csperf.settings import Settings
from tests.faulty_rows import DAY
from tests.landing_files import message
from tests.spools import make_spool
from tests.test_checks import references

Row = dict[str, Any]
START = datetime(2026, 9, 1, 1, tzinfo=UTC)
SESSIONS = 300


def sessions(chance: random.Random) -> list[Row]:
    """Sessions in order, some with a clock that goes back; a third of them robots' alone, with repeated numbers."""
    rows = []
    for number in range(SESSIONS):
        at = START + timedelta(seconds=number)
        for place in range(1, chance.randint(1, 7) + 1):
            at += timedelta(seconds=chance.choice((0, 5, 30, -20)) if number % 2 else chance.choice((0, 5, 30)))
            robots = number % 3 == 0
            who = "bot" if robots else chance.choice(("customer", "agent", "agent", "customer", "bot"))
            no = chance.choice((place, max(1, place - 1))) if robots else place
            rows.append(message(f"s{number}", no, who, at.isoformat()))
    return rows


def replies_before_questions(rows: list[Row]) -> set[tuple[str, int]]:
    """Session and number of each agent's message that is earlier than the first question it answers."""
    found = set()
    for name, talk in groupby(sorted(rows, key=lambda row: (row["session_id"], row["message_no"])), by_session):
        asked: str | None = None
        for row in talk:
            if row["sender"] == "customer":
                asked = asked or row["sent_at"]
            elif row["sender"] == "agent":
                if asked is not None and row["sent_at"] < asked:
                    found.add((name, row["message_no"]))
                asked = None
    return found


def by_session(row: Row) -> str:
    return str(row["session_id"])


ORDERS: dict[str, Callable[[list[Row], random.Random], list[Row]]] = {
    "as they were written": lambda rows, chance: rows,
    "by time": lambda rows, chance: sorted(rows, key=lambda row: str(row["sent_at"])),
    "backwards": lambda rows, chance: rows[::-1],
    "in no order": lambda rows, chance: chance.sample(rows, len(rows)),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", [1, 2])
def test_order_of_delivery_changes_no_finding(order: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    rows = ORDERS[order](sessions(chance), chance)
    spool = make_spool(tmp_path / "spool", "chat_messages", [(DAY, row) for row in rows], [DAY])

    def look_up(con: duckdb.DuckDBPyConnection) -> None:
        references(con)
        con.execute("delete from accepted_sessions")
        con.execute(
            f"insert into accepted_sessions select date '{DAY}', 's' || n, timestamptz '{START}' "
            f"from range({SESSIONS}) t(n)"
        )

    with Batch(Settings(home=tmp_path), spool, tmp_path, look_up) as batch:
        verdict = batch.check(Expectations(None), datetime(2026, 9, 2, tzinfo=UTC))[DAY]
        with batch.connect() as con:
            aside = {row for (row,) in con.execute("select row from bad where \"check\" = 'key_repeated'").fetchall()}
            late = con.execute("select _row from found_chat_messages_reply_before_question").fetchall()
    seen: set[tuple[str, int]] = set()
    repeated = set()
    for number, row in enumerate(rows, start=1):
        key = (row["session_id"], row["message_no"])
        if key in seen:
            repeated.add(number)
        seen.add(key)
    assert aside == repeated
    assert repeated
    told = {(rows[row - 1]["session_id"], rows[row - 1]["message_no"]) for (row,) in late}
    assert told == replies_before_questions(rows)
    assert told
    assert {result.check for result in verdict.results if result.failed} <= {
        "key_repeated", "reply_before_question", "sent_before_session"
    }  # fmt: skip
