"""A directory of small deliveries and a home to take them into, for tests of what is accepted and what is not."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from csperf.datasets import DATASETS
from csperf.ingest import IngestReport, ingest
from csperf.landing import QUARANTINE, Partition, partition
from csperf.settings import Settings
from csperf.sources import open_source

D1, D2, D3, D4 = (date(2026, 9, day) for day in (1, 2, 3, 4))
AT = datetime(2026, 9, 5, 2, tzinfo=UTC)
TICKETS = "ticket_id,agent_id,created_at,closed_at,kind,is_error"
SESSIONS = "session_id,agent_id,customer_id,channel,started_at,ended_at,resolved,csat"
MESSAGES = "session_id,message_no,sender,sent_at,text"
ROSTER = (
    "employee_id,name,post,grade,team,lead_id,employment,education,city,plan,base_salary,hire_date,grade_since,"
    "leave_date"
)


def person(employee_id: str) -> str:
    return (
        f"{employee_id},Example {employee_id},basic,junior,T1,,full_time,college,Shanghai,cs_2017,,2025-01-01,"
        "2025-01-01,"
    )


def ticket(number: int, day: date = D1, agent: str = "E1") -> str:
    return f"t{number},{agent},{day}T09:00:00+08:00,,refund,false"


def chat(number: int, day: date = D1, agent: str = "E1") -> str:
    return f"s{number},{agent},c1,web,{day}T09:00:00+08:00,{day}T09:10:00+08:00,true,5"


def said(number: int, day: date = D1) -> str:
    return f"s{number},1,customer,{day}T09:00:00+08:00,demo"


class Deliveries:
    """A directory of deliveries and a home to take them into."""

    def __init__(self, root: Path) -> None:
        self.root = root / "in"
        self.home = root / "home"
        self.deliver("employees", D1, ROSTER, person("E1"), person("E2"))

    def deliver(self, dataset: str, day: date, *lines: str) -> Path:
        path = self.root / dataset / f"{day}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return path

    def settings(self, **given: Any) -> Settings:
        return Settings(home=self.home, **given)

    def take_in(self, *dates: date, at: datetime = AT, **settings: Any) -> IngestReport:
        chosen = self.settings(**settings)
        return ingest(chosen, open_source(chosen, str(self.root)), dates or (D1,), at)

    def accepted(self, dataset: str, day: date = D1, column: str | None = None) -> list[Any]:
        part = partition(self.settings(), dataset, day)
        assert part is not None and part.path is not None
        with duckdb.connect() as con:
            name = column or DATASETS[dataset].key[0]
            rows = con.execute(f"select {name} from read_parquet('{part.path}') order by _row").fetchall()
        return [row[0] for row in rows]

    def part(self, dataset: str, day: date = D1) -> Partition:
        part = partition(self.settings(), dataset, day)
        assert part is not None
        return part

    def reasons(self, dataset: str, day: date = D1) -> list[tuple[Any, ...]]:
        part = partition(self.settings(), dataset, day)
        assert part is not None
        path = part.manifest_path.parent / QUARANTINE
        with duckdb.connect() as con:
            return con.execute(
                f'select row, line, "check", content from read_parquet(\'{path}\') order by row, line, "check"'
            ).fetchall()

    def tree(self) -> dict[str, tuple[int, str]]:
        """Every file of the landing zone with its time of change and content."""
        return {
            str(path.relative_to(self.home)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted((self.home / "landing").rglob("*"))
            if path.is_file()
        }


def states(report: IngestReport) -> dict[tuple[str, int], str]:
    return {(outcome.dataset, outcome.business_date.day): outcome.state for outcome in report.outcomes}
