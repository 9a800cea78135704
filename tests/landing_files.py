"""Landing partitions made by hand, for tests that start behind the checks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb

from csperf import landing
from csperf.datasets import DATASETS, SQL_TYPES
from csperf.settings import Settings
from csperf.storage import file_digest


def land(settings: Settings, dataset: str, business_date: date, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows into the landing zone as the accepted content of a date; columns left out of a row are empty."""
    columns = DATASETS[dataset].columns
    content = [[row.get(column.name) for column in columns] for row in rows]
    unknown = {name for row in rows for name in row} - set(DATASETS[dataset].column_names)
    assert not unknown, f"{dataset} has no column {unknown}"
    digest = hashlib.sha256(json.dumps(sorted(map(repr, content))).encode()).hexdigest()
    folder = landing.partition_dir(settings, dataset, business_date)
    version = folder / digest[:16]
    version.mkdir(parents=True, exist_ok=True)
    names = ", ".join(f"{column.name} {SQL_TYPES[column.type]}" for column in columns)
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        con.execute(f"create table landed ({names}, _row bigint)")
        if content:
            marks = ", ".join("?" * (len(columns) + 1))
            numbered = [[*row, number] for number, row in enumerate(content, 1)]
            con.executemany(f"insert into landed values ({marks})", numbered)
        con.execute(f"copy landed to '{version / landing.ACCEPTED}' (format parquet)")
    manifest = {"digest": digest, "rows": {"accepted": len(rows), "quarantined": 0}, "results": []}
    (version / landing.MANIFEST).write_text(json.dumps(manifest))
    sha256 = file_digest(version / landing.ACCEPTED)
    landing.write_current(folder, landing.Current(landing.InForce(digest[:16], digest, len(rows), 0, sha256=sha256)))


def employee(employee_id: str, **given: Any) -> dict[str, Any]:
    """A row of the roster: a junior of post basic on the main plan since 2025, unless told otherwise."""
    return {
        **{"employee_id": employee_id, "name": f"Example {employee_id}", "post": "basic", "grade": "junior"},
        **{"team": "T1", "employment": "full_time", "education": "college", "city": "Shanghai", "plan": "cs_2017"},
        **{"hire_date": date(2025, 1, 1), "grade_since": date(2025, 1, 1)},
        **given,
    }


def session(session_id: str, agent_id: str, started_at: str, **given: Any) -> dict[str, Any]:
    """A chat session; times are ISO with an offset."""
    return {
        **{"session_id": session_id, "agent_id": agent_id, "customer_id": "c", "channel": "web"},
        **{"started_at": started_at, "resolved": True},
        **given,
    }


def message(session_id: str, number: int, sender: str, sent_at: str) -> dict[str, Any]:
    """A chat message."""
    return {"session_id": session_id, "message_no": number, "sender": sender, "sent_at": sent_at, "text": "demo"}


def attendance(employee_id: str, day: date, status: str = "present", **given: Any) -> dict[str, Any]:
    """A day of attendance: eight hours scheduled and worked, none on a day of rest."""
    hours = 0 if status == "rest" else 8
    return {
        **{"employee_id": employee_id, "date": day, "scheduled_hours": hours, "overtime_hours": 0},
        **{"worked_hours": hours if status in ("present", "late") else 0, "status": status, "night_shift": False},
        **given,
    }
