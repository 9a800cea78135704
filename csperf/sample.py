"""The day's QA sample: which interactions the reviewers look at, as a worklist, and how much of it is reviewed.

The seed (2017客服薪资构成及绩效考核) asks for five interactions an agent and day; each plan says its own number.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb

from csperf.errors import CsperfError
from csperf.landing import Partition, partitions
from csperf.periods import days
from csperf.policy.library import LoadedPlan, default_plan, load_plans, sample_size
from csperf.progress import Progress, silent
from csperf.sampling import pick_sql
from csperf.settings import Settings
from csperf.storage import home_lock, write_bytes

COLUMNS = (
    "business_date",
    "team",
    "agent_id",
    "agent_name",
    "interaction_id",
    "channel",
    "started_at",
    "ended_at",
    "csat",
)
BLANK = ("reviewer_id", "item_code", "severity", "points", "note")  # for the reviewer to fill in


@dataclass(frozen=True)
class SampleReport:
    """One date's sample: agents with interactions, interactions drawn, of these reviewed and missing so far."""

    business_date: date
    agents: int
    drawn: int
    reviewed: int
    missing: int
    folder: Path


def draw(settings: Settings, business_date: date, sizes: Mapping[str, int] | None = None) -> SampleReport:
    """Draw the sample of one date and write its worklist; see `draw_days`.

    A CsperfError when no interactions of that date have been landed.
    """
    reports = draw_days(settings, business_date, business_date, sizes)
    if not reports:
        raise CsperfError(
            f"No chat_sessions or calls of {business_date} are landed, so there is nothing to draw a sample from; "
            f"run `csperf run --from {business_date} --to {business_date}` first."
        )
    return reports[0]


def draw_days(
    settings: Settings,
    first: date,
    last: date,
    sizes: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> list[SampleReport]:
    """Draw the samples of all landed dates of a range; dates without any delivery of interactions are left out.

    Interactions are the accepted chat sessions and answered calls. `sizes` gives the number to draw by plan (default:
    what each plan says on the date); an agent whose plan names none has no sample. Each date's worklist is
    `samples/<date>/worklist.csv` and `.xlsx` under CSPERF_HOME; one with equal content is not touched.
    """
    progress = progress or silent
    with home_lock(settings):
        landed, plans = partitions(settings), load_plans(settings) if sizes is None else {}
        reports = []
        rosters = [part for part in landed if part.dataset == "employees"]
        of_day: dict[date, list[Partition]] = defaultdict(list)
        for part in landed:
            of_day[part.business_date].append(part)
        dates = [day for day in days(first, last) if _paths(of_day[day], ("chat_sessions", "calls"))]
        for number, day in enumerate(dates):
            progress("sample", number, len(dates))
            size = plan_sizes(plans, day) if sizes is None else sizes
            reports.append(_draw_day(settings, rosters, of_day[day], day, size))
        progress("sample", len(dates), len(dates))
    return reports


def plan_sizes(plans: Mapping[str, LoadedPlan], day: date) -> dict[str, int]:
    """How many interactions each plan wants reviewed an agent and day; '' stands for the default plan."""
    sizes = {code: sample_size(plans, code, day) for code in plans}
    sizes[""] = sizes[default_plan(plans).plan.plan]
    return {code: size for code, size in sizes.items() if size is not None}


def _draw_day(
    settings: Settings, rosters: Sequence[Partition], landed: Sequence[Partition], day: date, sizes: Mapping[str, int]
) -> SampleReport:
    """Draw one date; `landed` are that date's partitions."""
    with duckdb.connect(config={"memory_limit": settings.memory_limit, "threads": settings.threads}) as con:
        con.execute("set timezone = 'UTC'")
        _load_roster(con, rosters, day, sizes)
        _load_interactions(con, landed, day)
        con.execute(f"create table drawn as {pick_sql('interactions')}")
        rows = con.execute(
            f"select {', '.join(COLUMNS)} from drawn order by team nulls last, agent_id, came_at, interaction_id"
        ).fetchall()
        reviews = _paths(landed, ("qa_reviews",))
        con.execute("create table reviews (agent_id varchar, review_id varchar)")
        if reviews:
            con.execute("insert into reviews select distinct agent_id, review_id from read_parquet(?)", [reviews])
        counts = con.execute(
            """with drawn_of as (select agent_id, count(*) as drawn from drawn group by agent_id),
            reviewed_of as (select agent_id, count(*) as reviews from reviews group by agent_id)
            select (select count(distinct agent_id) from interactions), coalesce(sum(drawn), 0),
                coalesce(sum(least(drawn, coalesce(reviews, 0))), 0)
            from drawn_of left join reviewed_of using (agent_id)"""
        ).fetchone()
    assert counts is not None
    folder = settings.samples_dir / day.isoformat()
    _write_worklist(folder, day, [[_local(value, settings) for value in row] for row in rows])
    agents, drawn, reviewed = (int(count) for count in counts)
    return SampleReport(day, agents, drawn, reviewed, drawn - reviewed, folder)


def roster_path(landed: Sequence[Partition], day: date) -> str | None:
    """The roster in force on a day: the newest accepted delivery at or before it, the oldest one if none is."""
    found = sorted((p.business_date, str(p.path)) for p in landed if p.dataset == "employees" and p.path is not None)
    before = [path for delivered, path in found if delivered <= day]
    return before[-1] if before else found[0][1] if found else None


def _paths(landed: Sequence[Partition], names: tuple[str, ...]) -> list[str]:
    return [str(p.path) for p in landed if p.dataset in names and p.path is not None]


def _load_roster(
    con: duckdb.DuckDBPyConnection, rosters: Sequence[Partition], day: date, sizes: Mapping[str, int]
) -> None:
    con.execute("create table roster (employee_id varchar, name varchar, team varchar, plan varchar)")
    path = roster_path(rosters, day)
    if path is not None:
        con.execute("insert into roster select employee_id, name, team, plan from read_parquet(?)", [path])
    con.execute("create table sizes (plan varchar, sample_size bigint)")
    for plan, size in sizes.items():
        con.execute("insert into sizes values (?, ?)", [plan, size])


def _load_interactions(con: duckdb.DuckDBPyConnection, landed: Sequence[Partition], day: date) -> None:
    con.execute(
        "create table contacts (agent_id varchar, interaction_id varchar, channel varchar, came_at timestamptz, "
        "ended_at timestamptz, csat bigint)"
    )
    for path in _paths(landed, ("chat_sessions",)):
        con.execute(
            "insert into contacts select agent_id, session_id, channel, started_at, ended_at, csat "
            "from read_parquet(?)",
            [path],
        )
    for path in _paths(landed, ("calls",)):
        con.execute(
            "insert into contacts select agent_id, call_id, 'call', queued_at, ended_at, csat from read_parquet(?) "
            "where answered_at is not null",
            [path],
        )
    con.execute(
        """create table interactions as
        select cast(? as date) as business_date, roster.team, contacts.agent_id, roster.name as agent_name,
            contacts.interaction_id, contacts.channel, contacts.came_at, contacts.came_at as started_at,
            contacts.ended_at, contacts.csat, sizes.sample_size
        from contacts
        left join roster on contacts.agent_id = roster.employee_id
        inner join sizes on coalesce(roster.plan, '') = sizes.plan""",
        [day],
    )


def _local(value: Any, settings: Settings) -> Any:
    """Instants as local business time, the rest as it is."""
    if isinstance(value, datetime):
        return value.astimezone(settings.zone).isoformat(sep=" ", timespec="seconds")[:19]
    return value


def _write_worklist(folder: Path, day: date, rows: list[list[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *BLANK])
    writer.writerows([*("" if value is None else value for value in row), *[""] * len(BLANK)] for row in rows)
    content = b"\xef\xbb\xbf" + text.getvalue().encode()
    path = folder / "worklist.csv"
    if path.exists() and path.read_bytes() == content and path.with_suffix(".xlsx").exists():
        return
    write_bytes(path.with_suffix(".xlsx"), _workbook(day, rows))
    write_bytes(path, content)


def _workbook(day: date, rows: list[list[Any]]) -> bytes:
    """The worklist as xlsx. Its creation date is the business date, so that equal rows are equal bytes."""
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        book.set_properties({"title": f"QA sample {day}", "created": datetime.combine(day, time())})
        sheet = book.add_worksheet("worklist")
        bold = book.add_format({"bold": True})
        sheet.write_row(0, 0, [*COLUMNS, *BLANK], bold)
        for number, row in enumerate(rows, start=1):
            sheet.write_row(number, 0, [str(value) if isinstance(value, date) else value for value in row])
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(len(rows), 1), len(COLUMNS) + len(BLANK) - 1)
        sheet.set_column(0, len(COLUMNS) + len(BLANK) - 1, 18)
    return buffer.getvalue()
