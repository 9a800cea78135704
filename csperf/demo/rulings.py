"""What takes its time in the made-up company: disputed figures and promotion cases, from filing to the last word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from csperf.datasets import DATASETS
from csperf.demo.chance import uniform
from csperf.demo.people import People
from csperf.periods import Month, Quarter
from csperf.workdays import is_working_day

FILED_FROM, FILED_DAYS = 8, 18  # days of a month on which figures of it are disputed
LATE = 60  # days until the director rules on some disputes: their months are closed by then
NOTICE = 5  # working days of public notice
OUTCOMES = (
    ("upheld", "all", False),
    ("rejected", "nothing", False),
    ("upheld", "part", False),
    ("upheld", "all", True),
)
ARROW = {
    "text": pa.string(),
    "month": pa.string(),
    "date": pa.date32(),
    "decimal": pa.decimal128(18, 6),
    "timestamp": pa.timestamp("ms"),
}


@dataclass(frozen=True)
class Record:
    """A row of a full table that fills up with time: which fields it gets on which day, the first day's first."""

    parts: tuple[tuple[date, dict[str, Any]], ...]

    def on(self, day: date) -> dict[str, Any]:
        """The row as it stands on a day, empty before it is filed."""
        return {name: value for since, part in self.parts if since <= day for name, value in part.items()}


def table_of(dataset: str, records: list[Record], day: date) -> pa.Table:
    """A full delivery: the dataset's table as it stands on a day."""
    rows = [row for row in (record.on(day) for record in records) if row]
    columns = DATASETS[dataset].columns
    return pa.table({c.name: pa.array([row.get(c.name) for row in rows], ARROW[c.type]) for c in columns})


def disputes(people: People, first: date, last: date) -> list[Record]:
    """Disputes of the months from the first to the last date, raised within their month, in the order of months."""
    return [record for month in Month.of(first).until(Month.of(last)) for record in _disputes(people, month)]


def _disputes(people: People, month: Month) -> Iterator[Record]:
    seed, start = people.seed, month.first_day.toordinal()
    there = people.takes_contacts & (people.hired <= start) & (people.left > month.last_day.toordinal())
    who = np.flatnonzero(there)
    who = who[np.argsort(uniform(seed, "disputes", who, start), kind="stable")]
    for place, i in enumerate(who[: max(len(OUTCOMES), round(people.profile.disputes.share * len(who)))]):
        measures = dict(people.profile.disputes.measures)
        if not people.orders_a_day[i]:
            measures.pop("net_sales", None)
        chance = [float(uniform(seed, f"dispute {step}", i, start)[0]) for step in range(4)]
        measure = list(measures)[int(chance[0] * len(measures))]
        low, high, step = measures[measure]
        asked = low + step * int(chance[1] * (int((high - low) / step) + 1))
        least = low if low > 0 else high
        status, granted, late = OUTCOMES[place % len(OUTCOMES)]
        raised = month.first_day + timedelta(FILED_FROM - 1 + int(chance[2] * FILED_DAYS))
        ruled = raised + timedelta(LATE if late else 3 + int(chance[3] * 8))
        filed = {
            "dispute_id": f"D{month}-{place + 1:03d}",
            "employee_id": people.ids[i],
            "month": str(month),
            "measure": measure,
            "requested_delta": asked,
            "status": "open",
            "note": "demo",
        }
        ruling = {
            "status": status,
            "granted_delta": {"all": asked, "part": least, "nothing": None}[granted],
            "ruled_by": "director",
            "ruled_at": datetime.combine(ruled, time(15, 30)),
        }
        yield Record(((raised, filed), (ruled, ruling)))


@dataclass(frozen=True)
class Fate:
    """How a promotion case goes: the answers it gets, and the step at which it still waits when its quarter ends."""

    opinion: Literal["support", "oppose"] = "support"
    panel: Literal["approve", "reject"] = "approve"
    objection: Literal["none", "dismissed", "upheld"] = "none"
    hr: Literal["approve", "reject"] = "approve"
    withdrawn: bool = False
    waits: Literal["supervisor", "panel", "notice", "hr"] | None = None


FATES = (
    Fate(),
    Fate(waits="hr"),
    Fate(waits="notice"),
    Fate(opinion="oppose"),
    Fate(waits="panel"),
    Fate(withdrawn=True),
    Fate(waits="supervisor"),
    Fate(objection="dismissed"),
    Fate(panel="reject"),
    Fate(objection="upheld"),
    Fate(hr="reject"),
)


def promotion_cases(people: People, first: date, last: date) -> list[Record]:
    """Cases of the quarters from the first to the last date, in the order of quarters.

    Whoever has been in his grade for a year may apply; those on other than the usual plan go first, as on many plans
    nobody is promoted without an application.
    """
    quarters = dict.fromkeys(month.quarter for month in Month.of(first).until(Month.of(last)))
    return [record for quarter in quarters for record in _cases(people, quarter)]


def _cases(people: People, quarter: Quarter) -> Iterator[Record]:
    seed, start = people.seed, quarter.first_day.toordinal()
    settled = (people.grade_since <= start - 366) & (people.left > quarter.last_day.toordinal() + 60)
    rising = np.array([grade not in ("trial", "principal", "manager") for grade in people.grades])
    usual = np.array([plan == people.usual_plan for plan in people.plans])
    who = np.flatnonzero(settled & rising)
    who = who[np.lexsort((uniform(seed, "case", who, start), usual[who]))]
    there = int(((people.hired <= start) & (people.left >= start)).sum())
    for place, i in enumerate(who[: max(len(FATES), round(people.profile.promotion_cases * there))]):
        chance = [float(uniform(seed, f"case {step}", i, start)[0]) for step in range(5)]
        case = {"case_id": f"PC{quarter}-{place + 1:03d}", "employee_id": people.ids[i], "quarter": str(quarter)}
        yield Record(tuple(_steps(FATES[place % len(FATES)], case, quarter, chance)))


def _steps(
    fate: Fate, case: dict[str, Any], quarter: Quarter, chance: list[float]
) -> Iterator[tuple[date, dict[str, Any]]]:
    """A case's fields and the days on which they become known. `chance` has a number in [0, 1) for each step."""
    later = quarter.last_day + timedelta(5 + int(10 * chance[4]))
    applied = quarter.first_day + timedelta(3 + int(25 * chance[0]))
    yield applied, {**case, "applied_on": applied}
    answered = later if fate.waits == "supervisor" else applied + timedelta(3 + int(7 * chance[1]))
    yield answered, {"supervisor_opinion": fate.opinion}
    if fate.withdrawn:
        withdrawn = answered + timedelta(4)
        yield withdrawn, {"withdrawn_on": withdrawn}
    if fate.withdrawn or fate.opinion == "oppose":
        return
    judged = later if fate.waits == "panel" else answered + timedelta(5 + int(10 * chance[2]))
    score = Decimal(80 + int(17 * chance[3])) if fate.panel == "approve" else Decimal(55 + int(20 * chance[3]))
    yield judged, {"panel_score": score, "panel_decision": fate.panel}
    if fate.panel == "reject":
        return
    announced = _working_day(quarter.last_day - timedelta(3) if fate.waits == "notice" else judged + timedelta(2))
    yield announced, {"announced_on": announced, "objection": "none"}
    noticed = announced
    for _ in range(NOTICE):
        noticed = _working_day(noticed + timedelta(1))
    if fate.objection != "none":
        yield _working_day(announced + timedelta(1)), {"objection": "open"}
        yield noticed, {"objection": fate.objection}
    if fate.objection != "upheld":
        yield (later if fate.waits == "hr" else noticed + timedelta(1 + int(5 * chance[4]))), {"hr_decision": fate.hr}


def _working_day(day: date) -> date:
    """The first working day from a day on."""
    while not is_working_day(day):
        day += timedelta(1)
    return day
