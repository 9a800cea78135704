"""What is landed, built and closed, and what is missing: read from the records, without building anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, get_args

from csperf.datasets import DATASETS
from csperf.landing import Partition, partitions
from csperf.overdue import overdue
from csperf.periods import Month, Quarter, days
from csperf.published import draft, newest
from csperf.settings import Settings
from csperf.touched import Touched, touched
from csperf.versions import Note

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class DatasetStatus:
    """One dataset's landed deliveries. `missing` are daily dates without one, `refused` those not accepted, and why;
    `noted` are dates of which something else is to be said (`versions.Note`), `gone` those that the source has no more.

    Accepted, quarantined and discarded rows are what was delivered. `overdue` are the dates, up to the present, that
    should have come by now and have not.
    """

    name: str
    first: date
    last: date
    deliveries: int
    rows: int
    quarantined: int
    missing: tuple[date, ...]
    refused: tuple[tuple[date, str], ...]
    discarded: int = 0
    noted: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    gone: tuple[date, ...] = ()
    overdue: tuple[date, ...] = ()


@dataclass(frozen=True)
class PeriodStatus:
    """A month or quarter: `state` is open, draft, approved or published; `by` and `at` say who brought it there.

    While a draft of a next revision waits, `revision` is still the published one. `refused` is the last refusal of
    that draft, `refusals` how often it was refused, `sent_back` whether it was since it was prepared; `stopped` counts
    what the release gate stops a draft for, `overridden` says who published against the gate. QA figures only for
    months that are built.
    """

    period: str
    state: str
    revision: int | None
    by: str | None = None
    at: str | None = None
    refused: str | None = None
    refusals: int = 0
    sent_back: bool = False
    stopped: int = 0
    overridden: str | None = None
    employees: int | None = None
    drawn: int | None = None
    reviewed: int | None = None

    @property
    def missing_reviews(self) -> int | None:
        return None if self.drawn is None or self.reviewed is None else self.drawn - self.reviewed


@dataclass(frozen=True)
class Status:
    """Everything `csperf status` shows. `unbuilt` counts landed dates that the warehouse does not hold yet; `touched`
    are the closed periods whose deliveries have changed since."""

    home: str
    datasets: tuple[DatasetStatus, ...]
    built_to: date | None
    unbuilt: int
    months: tuple[PeriodStatus, ...] = field(default=())
    quarters: tuple[PeriodStatus, ...] = field(default=())
    touched: tuple[Touched, ...] = field(default=())


def look(settings: Settings, now: datetime | None = None) -> Status:
    """The state of CSPERF_HOME, and what is overdue at `now` (None: not asked). Reads alone, changes nothing."""
    landed = partitions(settings)
    late = overdue(settings, landed, now) if now else {}
    built_to, unbuilt, cards = _warehouse(settings, landed)
    dates = [p.business_date for p in landed if DATASETS[p.dataset].kind == "daily" and p.path is not None]
    months = list(Month.of(min(dates)).until(Month.of(max(dates)))) if dates else []
    quarters = sorted({month.quarter for month in months})
    return Status(
        home=str(settings.home),
        datasets=tuple(
            _dataset(name, landed, dates, late.get(name, ()))
            for name in DATASETS
            if any(p.dataset == name for p in landed)
        ),
        built_to=built_to,
        unbuilt=unbuilt,
        months=tuple(_period(settings, month, cards.get(str(month), {})) for month in months),
        quarters=tuple(_period(settings, quarter, {}) for quarter in quarters),
        touched=tuple(touched(settings, landed)),
    )


def _dataset(name: str, landed: Sequence[Partition], dates: Sequence[date], late: tuple[date, ...]) -> DatasetStatus:
    found = sorted((p for p in landed if p.dataset == name), key=lambda p: p.business_date)
    there = {p.business_date for p in found}
    missing: tuple[date, ...] = ()
    if DATASETS[name].kind == "daily" and dates:
        missing = tuple(day for day in days(found[0].business_date, max(max(dates), max(there))) if day not in there)
    return DatasetStatus(
        name=name,
        first=found[0].business_date,
        last=found[-1].business_date,
        deliveries=len(found),
        rows=sum(p.rows for p in found if p.path is not None),
        quarantined=sum(p.quarantined for p in found),
        missing=missing,
        refused=tuple((p.business_date, p.message) for p in found if p.message),
        discarded=sum(p.discarded for p in found),
        noted={
            note: dates
            for note in get_args(Note)
            if (dates := tuple(p.business_date for p in found if note in p.notes))
        },
        gone=tuple(p.business_date for p in found if p.current.withdrawn),
        overdue=late,
    )


def _warehouse(settings: Settings, landed: Sequence[Partition]) -> tuple[date | None, int, dict[str, dict[str, int]]]:
    """The last date built, how many landed dates are not built, and the QA figures of each month's scorecards."""
    from csperf.warehouse import connect

    daily = {
        (p.dataset, p.business_date): p.digest
        for p in landed
        if DATASETS[p.dataset].kind == "daily" and p.path is not None
    }
    if not settings.warehouse_path.exists():
        return None, len(daily), {}
    with connect(settings, read_only=True) as con:
        there = con.execute(
            """select count(*) from information_schema.tables
            where (table_schema, table_name) in (('control', 'built'), ('scorecards', 'scorecard_monthly'))"""
        ).fetchone()
        if there != (2,):  # its first build was stopped on the way
            return None, len(daily), {}
        built = {
            (row[0], row[1]): row[2]
            for row in con.execute("select dataset, business_date, digest from control.built").fetchall()
        }
        cards = con.execute(
            """select month, count(*), coalesce(sum(qa_drawn), 0), coalesce(sum(qa_reviewed), 0)
            from scorecards.scorecard_monthly group by month"""
        ).fetchall()
    current = [key for key, digest in daily.items() if built.get(key) == digest]
    months = {row[0]: {"employees": int(row[1]), "drawn": int(row[2]), "reviewed": int(row[3])} for row in cards}
    return max((day for _, day in current), default=None), len(daily) - len(current), months


def _period(settings: Settings, period: Month | Quarter, figures: dict[str, Any]) -> PeriodStatus:
    root = settings.payroll_dir if isinstance(period, Month) else settings.tiers_dir
    published = newest(root, period)
    shown = draft(root, period) or published
    number = published.number if published else None
    if shown is None:
        return PeriodStatus(str(period), "open", number, **figures)
    step = "prepared" if shown.status == "draft" else "approved"
    told = shown.manifest.get("refusals", ())
    override = shown.manifest.get("override")
    return PeriodStatus(
        str(period),
        shown.status,
        number,
        by=str(shown.manifest[f"{step}_by"]),
        at=str(shown.manifest["published_at" if shown.status == "published" else f"{step}_at"]),
        refused="{by} refused it at {at}: {reason}".format(**told[-1]) if told and shown.status == "draft" else None,
        refusals=len(told),
        sent_back=shown.status == "draft" and bool(told) and told[-1]["at"] >= shown.manifest["prepared_at"],
        stopped=len(shown.manifest.get("gate", {}).get("blocked", ())) if shown.status == "draft" else 0,
        overridden="published against the release gate by {by}: {reason}".format(**override) if override else None,
        **figures,
    )


def ranges(dates: Iterable[date]) -> str:
    """Dates as text, runs of them shortened: `2026-07-01 … 2026-07-03, 2026-07-09`."""
    runs: list[list[date]] = []
    for day in sorted(dates):
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} … {run[-1]}" for run in runs)


def render(status: Status) -> list[RenderableType]:
    """The status as tables for the terminal, and sentences for what needs doing."""
    from rich.table import Table

    if not status.datasets:
        return [f"Nothing is landed in {status.home} yet; start with csperf demo or csperf run."]
    landed = Table(title=f"Landed in {status.home}", title_justify="left")
    for heading in ("dataset", "from", "to"):
        landed.add_column(heading)
    for heading in ("deliveries", "accepted", "quarantined", "discarded", "delivered", "missing", "refused", "overdue"):
        landed.add_column(heading, justify="right")
    for entry in status.datasets:
        rows = (entry.rows, entry.quarantined, entry.discarded)
        days = (len(entry.missing), len(entry.refused), len(entry.overdue))
        numbers = (entry.deliveries, *rows, sum(rows), *days)
        landed.add_row(entry.name, str(entry.first), str(entry.last), *(f"{number:,}" for number in numbers))
    parts: list[RenderableType] = [landed]
    if status.months:
        parts.append(_periods("Months", status.months))
        parts.append(_periods("Quarters", status.quarters))
    return [*parts, *sentences(status)]


def sentences(status: Status) -> list[str]:
    """What is missing or waits for someone, a sentence each."""
    lines = _overdue(status)
    for entry in status.datasets:
        if entry.missing:
            lines.append(f"{entry.name}: no delivery for {ranges(entry.missing)}.")
        lines += [message for _, message in entry.refused]
        lines += noted(entry)
    lines += [each.sentence for each in status.touched]
    if status.built_to is None:
        lines.append("Nothing is built yet; run csperf build.")
    elif status.unbuilt:
        lines.append(f"{status.unbuilt} landed deliveries are not built yet; run csperf build.")
    for period in (*status.months, *status.quarters):
        if period.stopped:
            lines.append(
                f"The release gate stops the draft of {period.period} for {period.stopped} reasons; csperf close-month "
                f"{period.period} lists them."
            )
        elif period.sent_back:
            lines.append(f"The draft of {period.period} was refused; mend what is wrong and close it again.")
        elif period.state == "draft":
            lines.append(f"The draft of {period.period} waits for approval.")
        if period.state == "approved":
            lines.append(f"{period.period} is approved and its publication was stopped; close it again to publish it.")
        if period.refused:
            lines.append(f"{period.period}: {period.refused}")
        if period.overridden:
            lines.append(f"{period.period} was {period.overridden}")
    return lines


def noted(entry: DatasetStatus) -> list[str]:
    """What else is to be said of a dataset's deliveries, a sentence a kind."""
    told = {
        "late": "came late, after later dates",
        "corrected": "delivered again with other rows",
        "empty": "delivered without a row",
        "partial": "fewer than half the usual rows; if the delivery was cut off, deliver it again and run it",
    }
    lines = [
        f"{entry.name}: {ranges(entry.noted[note])}: {text}." for note, text in told.items() if note in entry.noted
    ]
    if emptied := set(entry.noted.get("withdrawn", ())) - set(entry.gone):
        lines.append(f"{entry.name}: {ranges(emptied)}: withdrawn; the date had rows and was delivered without any.")
    if entry.gone:
        lines.append(
            f"{entry.name}: {ranges(entry.gone)}: withdrawn; the source has it no more and what was landed stays in "
            "force (to take its rows out, deliver the date with its header alone and run it)."
        )
    return lines


def _overdue(status: Status) -> list[str]:
    """What is overdue beyond the last date of anything: gaps before it are told as dates without a delivery."""
    last = max((entry.last for entry in status.datasets), default=date.min)
    since: dict[tuple[date, ...], list[str]] = {}
    for entry in status.datasets:
        if late := tuple(day for day in entry.overdue if day > last):
            since.setdefault(late, []).append(entry.name)
    return [
        f"Overdue for {ranges(late)}: {', '.join(names)}; have it delivered and run csperf run --from {late[0]} --to "
        f"{late[-1]}."
        for late, names in since.items()
    ]


def _periods(title: str, periods: Sequence[PeriodStatus]) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column(title.lower().rstrip("s"))
    for heading in ("state", "by", "at"):
        table.add_column(heading)
    with_figures = any(entry.employees is not None for entry in periods)
    for heading in ("revision", "refused", *(("employees", "QA drawn", "reviewed", "missing") if with_figures else ())):
        table.add_column(heading, justify="right")
    for entry in periods:
        figures = (entry.employees, entry.drawn, entry.reviewed, entry.missing_reviews) if with_figures else ()
        shown = (entry.revision, entry.refusals or None, *figures)
        told = (entry.period, entry.state, entry.by or "", entry.at or "")
        table.add_row(*told, *("" if number is None else f"{number:,}" for number in shown))
    return table
