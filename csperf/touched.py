"""Closed months and quarters whose deliveries have changed since they were published, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

import duckdb

from csperf.basis import Input, basis_of
from csperf.datasets import DATASETS
from csperf.errors import CsperfError
from csperf.landing import Partition, content_sql, past, read_manifest
from csperf.periods import Month, parse_period
from csperf.published import Revision, closed_periods, newest, quoted
from csperf.settings import Settings


@dataclass(frozen=True)
class Touched:
    """A closed month or quarter, and what has changed in it: texts like `calls of 2026-07-09 (corrected)`."""

    period: str
    revision: int
    changes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What to tell of it."""
        shown = ", ".join(self.changes[:5]) + (f" and {len(self.changes) - 5} more" if len(self.changes) > 5 else "")
        months = parse_period(self.period).months
        return (
            f"{self.period} is closed (revision {self.revision}) and touched since: {shown}; csperf backfill --from "
            f"{months[0]} --to {months[-1]} makes a new revision where its figures differ."
        )


def touched(settings: Settings, landed: Sequence[Partition]) -> list[Touched]:
    """The closed months and quarters that deliveries have touched since their newest revision, in their order."""
    found = []
    for root in (settings.payroll_dir, settings.tiers_dir):
        for period in closed_periods(root):
            revision = newest(root, period)
            changes = _changes(settings, revision, landed) if revision is not None else []
            if revision is not None and changes:
                found.append(Touched(period, revision.number, tuple(changes)))
    return found


def _changes(settings: Settings, revision: Revision, landed: Sequence[Partition]) -> list[str]:
    try:
        before = basis_of(revision).inputs
    except CsperfError:
        return []  # of a revision that does not say what it rests on nothing can be told
    months = parse_period(revision.period).months
    changes = []
    for name, dataset in DATASETS.items():
        parts = {part.business_date: part for part in landed if part.dataset == name}
        was = {date.fromisoformat(day): each for day, each in before.get(name, {}).items()}
        if dataset.kind == "daily":
            for day in sorted({*parts, *was}):
                if Month.of(day) in months:
                    how = _change(settings, revision, parts.get(day), was.get(day))
                    changes += [f"{name} of {day} ({how})"] if how else []
        elif name == "employees":
            for day in sorted({each for month in months for each in _in_force(parts, was, month)}):
                how = _change(settings, revision, parts.get(day), was.get(day))
                changes += [f"{name} of {day} ({how})"] if how else []
        else:
            changes += _full_change(settings, name, parts, was, months)
    return changes


def _in_force(parts: dict[date, Partition], was: dict[date, Input], month: Month) -> set[date]:
    """The dates of the rosters in force in a month, now and when it was published."""
    found = set()
    for days in ([day for day, part in parts.items() if part.path is not None], list(was)):
        up_to = [day for day in days if day <= month.last_day]
        found |= {max(up_to)} if up_to else {min(days)} if days else set()
    return found


def _change(settings: Settings, revision: Revision, part: Partition | None, was: Input | None) -> str | None:
    """How a date differs from what a revision rests on; None when it does not."""
    if part is None:
        return None
    if _since(part, revision):
        return "refused" if part.state == "refused" else "withdrawn"
    if part.version is None or (was is not None and was.version == part.version):
        return None
    if was is not None and past(settings, part.dataset, part.business_date, was.version).digest == part.digest:
        return None
    return ", ".join(part.notes) or ("new" if was is None else "changed")


def _since(part: Partition, revision: Revision) -> bool:
    """Whether the date was refused or withdrawn at the source after the revision was published."""
    published = revision.manifest.get("published_at")
    if published is None:
        return False
    times = [part.current.withdrawn] if part.current.withdrawn else []
    if part.refused_manifest_path is not None:
        times.append(read_manifest(part.refused_manifest_path)["extracted_at"])
    return any(datetime.fromisoformat(time) > datetime.fromisoformat(str(published)) for time in times)


def _full_change(
    settings: Settings, name: str, parts: dict[date, Partition], was: dict[date, Input], months: Sequence[Month]
) -> list[str]:
    """Whether the rows of a full dataset that belong to the months differ between the newest delivery and the one
    that the revision rests on."""
    accepted = [part for part in parts.values() if part.path is not None]
    now = max(accepted, key=lambda part: part.business_date, default=None)
    then = max(was, default=None)
    if now is None or (then == now.business_date and then is not None and was[then].version == now.version):
        return []
    before = None if then is None else past(settings, name, then, was[then].version)
    rows = [None if part is None else _rows(name, str(part.path), tuple(months)) for part in (before, now)]
    return [] if (rows[0] or 0) == (rows[1] or 0) else [f"{name} of {now.business_date} (other rows)"]


@cache
def _rows(name: str, path: str, months: tuple[Month, ...]) -> int:
    """A digest of the rows of some months in a landed file, which never changes; 0 without any."""
    column = "month" if "month" in DATASETS[name].column_names else "quarter"
    periods = [*map(str, months), *{str(month.quarter) for month in months if month == month.quarter.months[2]}]
    with duckdb.connect() as con:
        row = con.execute(
            f"select coalesce(sum(md5_number_lower({content_sql(DATASETS[name])})), 0) "
            f"from read_parquet({quoted(path)}) where {column} in (select unnest(?))",
            [periods],
        ).fetchone()
    return int(row[0]) if row else 0
