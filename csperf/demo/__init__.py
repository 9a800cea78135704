"""A made-up customer-service company, written as landing files: for trying csperf and for its tests.

Every person, customer and figure is invented. The same profile, size, first day and seed give the same company:
a day's rows do not depend on how many days are written.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from csperf.datasets import DATASETS
from csperf.demo.contacts import contacts_of
from csperf.demo.dirt import dirt_of
from csperf.demo.files import Format, write_delivery
from csperf.demo.hr import assessments_of, events_of
from csperf.demo.people import make_people
from csperf.demo.plans import plans_of
from csperf.demo.profile import Profile, load_profile
from csperf.demo.rulings import disputes, promotion_cases, table_of
from csperf.demo.sales import orders_of, targets_of
from csperf.demo.shifts import attendance, shift_of
from csperf.demo.work import complaints_of, points_of, reviews_of, tickets_of
from csperf.errors import UsageError
from csperf.periods import days
from csperf.policy.library import LoadedPlan, load_plans
from csperf.progress import Progress, silent
from csperf.settings import load_settings
from csperf.storage import write_json

__all__ = ["DemoReport", "Profile", "load_profile", "write_demo"]

MARKER = "demo.json"


@dataclass
class DemoReport:
    """What was written: people ever employed in the range (by plan), rows and dirty rows by dataset (and kind)."""

    out: Path
    people: int
    first: date
    last: date
    plans: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    dirty: Counter[tuple[str, str]] = field(default_factory=Counter)


def write_demo(
    out: Path,
    agents: int,
    first: date,
    last: date,
    seed: int,
    progress: Progress | None = None,
    profile: Profile | None = None,
    fmt: Format = "csv",
    library: Mapping[str, LoadedPlan] | None = None,
) -> DemoReport:
    """Write a company of `agents` people (team leads included) on `first`, and its records up to `last`.

    They are on the plans of `library`, by default those that the settings name, as the profile spreads them.
    `out` gets one folder a dataset and `demo.json`, which says what the folder is; an older demo in it is replaced.
    A UsageError when `out` holds anything else, or when a number makes no sense.
    """
    if agents < 1:
        raise UsageError(f"A company needs at least one agent; --agents is {agents}.")
    profile, progress = profile or load_profile(), progress or silent
    dates = days(first, last)
    plans = plans_of(profile, load_plans(load_settings()) if library is None else library, first)
    _clear(out)
    people = make_people(profile, plans, agents, first, last, seed)
    report = DemoReport(out, len(people), first, last, Counter(people.plans))
    rosters = set(people.change_days(first, last))
    filed = {
        "disputes": disputes(people, first, last),
        "promotion_cases": promotion_cases(people, first, last),
    }
    full: dict[str, pa.Table] = {}
    yesterday = shift_of(people, first - timedelta(days=1))
    for number, day in enumerate(dates):
        progress("demo", number, len(dates))
        today = shift_of(people, day)
        contacts = contacts_of(people, today, yesterday)
        tables = {
            "chat_sessions": contacts.sessions,
            "chat_messages": contacts.messages,
            "calls": contacts.calls,
            "qa_reviews": reviews_of(people, day, contacts),
            "tickets": tickets_of(people, today),
            "attendance": attendance(people, today),
            "points": points_of(people, today),
            "complaints": complaints_of(people, day, contacts),
            "orders": orders_of(people, today),
            "assessments": assessments_of(people, day),
            "hr_events": events_of(people, day),
        }
        if day in rosters:
            tables["employees"] = people.roster(day)
        now = {name: table_of(name, records, day) for name, records in filed.items()}
        if day in rosters or day.day == 1:
            now["targets"] = targets_of(people, first, day)
        # A full table is delivered when it says something new.
        tables |= {name: table for name, table in now.items() if name not in full or not table.equals(full[name])}
        full |= now
        for name, table in tables.items():
            dirt = dirt_of(seed, profile.dirty_share, name, day, typed=fmt == "parquet")
            columns = table.select(DATASETS[name].column_names)
            report.rows[name] += write_delivery(out / name, day.isoformat(), columns, dirt, profile, fmt)
            if dirt and table.num_rows:
                report.dirty[name, dirt.kind] += 1
        yesterday = today
    progress("demo", len(dates), len(dates))
    _mark(report, agents, seed)
    return report


def _clear(out: Path) -> None:
    """Make `out` ready: an older demo goes, anything else is left alone and refused."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; give --out a folder.")
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).exists():
        raise UsageError(f"{out} is not empty and holds no demo company; give --out a new folder.")
    for name in DATASETS:
        shutil.rmtree(out / name, ignore_errors=True)
    write_json(out / MARKER, {"note": "Demo data being written; all people and figures are invented."}, mode=0o644)


def _mark(report: DemoReport, agents: int, seed: int) -> None:
    dirty = {f"{name}: {kind}": count for (name, kind), count in report.dirty.items()}
    content = {
        "note": "Demo data: all people, customers and figures are invented.",
        "agents": agents,
        "seed": seed,
        "from": report.first,
        "to": report.last,
        "people": report.people,
        "plans": dict(report.plans),
        "rows": dict(report.rows),
        "dirty_rows": dirty,
    }
    write_json(report.out / MARKER, content, mode=0o644)
