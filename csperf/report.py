"""The daily report: one page a business date for the team leads, which opens offline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csperf.datasets import DATASETS
from csperf.landing import Partition, partitions
from csperf.periods import days
from csperf.policy.library import load_plans
from csperf.progress import Progress, silent
from csperf.sample import plan_sizes, roster_path
from csperf.settings import Settings
from csperf.storage import write_bytes

if TYPE_CHECKING:
    from jinja2 import Template

HISTORY_DAYS = 14
NO_TEAM = "(no team)"


@dataclass(frozen=True)
class ReportPage:
    """A page that was written (or was right already)."""

    business_date: date
    path: Path


@dataclass
class Figures:
    """The day's figures of an agent or a team. Means are kept as sum and count, so that they add up."""

    name: str
    id: str = ""
    agents: list[Figures] = field(default_factory=list)
    volume: int = 0
    drawn: int = 0
    reviewed: int = 0
    deduction: Decimal = Decimal(0)
    _response: tuple[Decimal, int] = (Decimal(0), 0)
    _satisfied: tuple[Decimal, int] = (Decimal(0), 0)

    @property
    def missing(self) -> int:
        return self.drawn - self.reviewed

    @property
    def first_response(self) -> str:
        return _mean(self._response, "{:.1f}")

    @property
    def csat(self) -> str:
        return _mean(self._satisfied, "{:.1%}")

    def add(self, other: Figures) -> None:
        """Count another's figures in."""
        self.volume += other.volume
        self.drawn += other.drawn
        self.reviewed += other.reviewed
        self.deduction += other.deduction
        self._response = (self._response[0] + other._response[0], self._response[1] + other._response[1])
        self._satisfied = (self._satisfied[0] + other._satisfied[0], self._satisfied[1] + other._satisfied[1])


def write_days(settings: Settings, first: date, last: date, progress: Progress | None = None) -> list[ReportPage]:
    """Write `reports/<date>.html` under CSPERF_HOME for each date of a range of which anything is known.

    Reads the warehouse and the state of the landing zone; a page with equal content is not touched.
    """
    progress = progress or silent
    landed, plans = partitions(settings), load_plans(settings)
    daily = _agent_days(settings, first - timedelta(days=HISTORY_DAYS - 1), last)
    by_date: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in daily:
        by_date[row["business_date"]].append(row)
    delivered: dict[str, dict[date, Partition]] = defaultdict(dict)
    for part in landed:
        if DATASETS[part.dataset].kind == "daily":
            delivered[part.dataset][part.business_date] = part
    rosters_landed = [part for part in landed if part.dataset == "employees"]
    known = {day for found in delivered.values() for day in found}
    dates = [day for day in days(first, last) if day in known or day in by_date]
    rosters: dict[str | None, dict[str, dict[str, Any]]] = {}
    pages = []
    for number, day in enumerate(dates):
        progress("report", number, len(dates))
        path = roster_path(rosters_landed, day)
        if path not in rosters:
            rosters[path] = _roster(path)
        volumes = {d: sum(_volume(row) for row in by_date[d]) for d in _history(day, set(by_date))}
        teams = _teams(by_date[day], rosters[path], plan_sizes(plans, day))
        target = settings.reports_dir / f"{day.isoformat()}.html"
        _write(target, _page(day, teams, volumes, _deliveries(delivered, day)))
        pages.append(ReportPage(day, target))
    progress("report", len(dates), len(dates))
    return pages


def _agent_days(settings: Settings, first: date, last: date) -> list[dict[str, Any]]:
    from csperf.warehouse import connect

    if not settings.warehouse_path.exists():
        return []
    with connect(settings, read_only=True) as con:
        there = con.execute(
            "select 1 from information_schema.tables where table_schema = 'scorecards' and table_name = 'agent_daily'"
        ).fetchone()
        if there is None:  # its first build was stopped on the way
            return []
        cursor = con.execute(
            """select business_date, agent_id, sessions, calls_answered, first_responses, first_response_seconds,
                rated, csat_rate, qa_reviews, qa_deduction
            from scorecards.agent_daily where business_date between ? and ? order by business_date, agent_id""",
            [first, last],
        )
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _roster(path: str | None) -> dict[str, dict[str, Any]]:
    """Name, team and plan by employee."""
    import duckdb

    if path is None:
        return {}
    with duckdb.connect() as con:
        rows = con.execute("select employee_id, name, team, plan from read_parquet(?)", [path]).fetchall()
    return {row[0]: {"name": row[1], "team": row[2], "plan": row[3]} for row in rows}


def _volume(row: Mapping[str, Any]) -> int:
    return int(row["sessions"] + row["calls_answered"])


def _history(day: date, known: set[date]) -> list[date]:
    """The days shown beside the date: the two weeks up to it, from the first one with data on."""
    start = max(min(known, default=day), day - timedelta(days=HISTORY_DAYS - 1))
    return [start + timedelta(days=number) for number in range((day - start).days + 1)]


def _teams(
    rows: Sequence[Mapping[str, Any]], roster: Mapping[str, Mapping[str, Any]], sizes: Mapping[str, int]
) -> list[Figures]:
    teams: dict[str, Figures] = {}
    for row in rows:
        person = roster.get(row["agent_id"], {})
        volume = _volume(row)
        drawn = min(volume, sizes.get(person.get("plan") or "", 0))
        rated, responses = int(row["rated"] or 0), int(row["first_responses"] or 0)
        agent = Figures(
            name=person.get("name") or row["agent_id"],
            id=row["agent_id"],
            volume=volume,
            drawn=drawn,
            reviewed=min(drawn, int(row["qa_reviews"] or 0)),
            deduction=Decimal(str(row["qa_deduction"] or 0)),
            _response=(Decimal(str(row["first_response_seconds"] or 0)) * responses, responses),
            _satisfied=(Decimal(str(row["csat_rate"] or 0)) * rated, rated),
        )
        team = teams.setdefault(person.get("team") or NO_TEAM, Figures(name=person.get("team") or NO_TEAM))
        team.agents.append(agent)
        team.add(agent)
    for team in teams.values():
        team.agents.sort(key=lambda agent: (-agent.volume, agent.id))
    return sorted(teams.values(), key=lambda team: team.name)


def _deliveries(delivered: Mapping[str, Mapping[date, Partition]], day: date) -> list[dict[str, Any]]:
    """A line for each daily dataset that this company delivers at all, and what came of it that day."""
    lines = []
    for name in DATASETS:
        if name not in delivered:
            continue
        found = delivered[name].get(day)
        if found is None:
            problem = f"{name}: no delivery for {day}."
            empty = {"rows": "", "quarantined": "", "state": "no delivery"}
            lines.append({"dataset": name, **empty, "warn": True, "problem": problem})
        else:
            refused = found.state == "refused"
            kept = "refused; the earlier delivery stays in force" if found.path is not None else "refused"
            lines.append(
                {
                    "dataset": name,
                    "rows": f"{found.rows:,}" if found.path is not None else "",
                    "quarantined": found.quarantined or "",
                    "state": ", ".join([kept if refused else "accepted", *found.notes]),
                    "warn": refused or "partial" in found.notes,
                    "problem": found.message or f"{name}: fewer than half the usual rows on {day}.",
                }
            )
    return lines


def _page(day: date, teams: list[Figures], volumes: Mapping[date, int], deliveries: list[dict[str, Any]]) -> str:
    total = Figures("all")
    for team in teams:
        total.add(team)
    quarantined = sum(line["quarantined"] or 0 for line in deliveries)
    tiles = [
        {"label": "interactions", "value": f"{total.volume:,}", "warn": False},
        {"label": "first response, seconds", "value": total.first_response or "–", "warn": False},
        {"label": "satisfied (4 or 5 of 5)", "value": total.csat or "–", "warn": False},
        {"label": "QA reviewed of drawn", "value": f"{total.reviewed:,} / {total.drawn:,}", "warn": total.missing > 0},
        {"label": "rows in quarantine", "value": f"{quarantined:,}", "warn": quarantined > 0},
    ]
    return _template().render(
        day=day.isoformat(),
        weekday=day.strftime("%A"),
        tiles=tiles,
        problems=[line["problem"] for line in deliveries if line["warn"]],
        team_volumes=_scaled([(team.name, team.volume) for team in teams]),
        history=_scaled([(f"{d:%m-%d}", volume) for d, volume in volumes.items()], marked=f"{day:%m-%d}"),
        teams=teams,
        deliveries=deliveries,
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("csperf")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("daily.html.j2")


def _scaled(rows: Sequence[tuple[str, int]], marked: str = "") -> list[dict[str, Any]]:
    """Values as shares of the largest, for a chart."""
    most = max((value for _, value in rows), default=0) or 1
    return [
        {"label": label, "text": f"{value:,}", "share": value / most, "marked": label == marked}
        for label, value in rows
    ]


def _mean(parts: tuple[Decimal, int], form: str) -> str:
    return form.format(parts[0] / parts[1]) if parts[1] else ""


def _write(path: Path, text: str) -> None:
    content = text.encode()
    if not path.exists() or path.read_bytes() != content:
        write_bytes(path, content)
