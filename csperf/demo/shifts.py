"""Who works when in the made-up company: shifts, leave, lateness and overtime, person by person and day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from csperf.demo.chance import Flags, Ints, uniform
from csperf.demo.people import People

REST, PRESENT, LATE, PAID_LEAVE, UNPAID_LEAVE, ABSENT = range(6)
STATUSES = ["rest", "present", "late", "paid_leave", "unpaid_leave", "absent"]


@dataclass(frozen=True)
class Shift:
    """One day's shifts; `who` are the people employed that day, the other arrays run along it."""

    day: date
    who: Ints
    status: Ints
    night: Flags

    @property
    def working(self) -> Flags:
        working: Flags = (self.status == PRESENT) | (self.status == LATE)
        return working


def shift_of(people: People, day: date) -> Shift:
    """The shifts of one day. Five days on and two off in turns, so that every day is staffed."""
    seed, shares = people.seed, people.profile.attendance
    who = np.flatnonzero(people.active(day))
    ordinal, week = day.toordinal(), (day.toordinal() - 1) // 7
    turn = (ordinal + (uniform(seed, "turn", who) * 7).astype(np.int64)) % 7
    rest = np.where(people.is_lead[who], day.weekday() >= 5, turn >= np.where(people.part_time[who], 3, 5))
    chance = uniform(seed, "day", who, ordinal)
    late = np.where(uniform(seed, "late person", who) < shares.late_people, shares.late, shares.late / 30)
    edges = np.cumsum(
        np.stack([np.full(len(who), s) for s in (shares.paid_leave, shares.unpaid_leave, shares.absent)] + [late]),
        axis=0,
    )
    kinds = np.array([PAID_LEAVE, UNPAID_LEAVE, ABSENT, LATE, PRESENT])
    status = kinds[(chance >= edges).sum(axis=0)]
    status = np.where(uniform(seed, "leave week", who, week) < shares.leave_weeks, PAID_LEAVE, status)
    status = np.where(rest, REST, status)
    night = uniform(seed, "night week", who, week) < shares.night_weeks
    working = (status == PRESENT) | (status == LATE)
    return Shift(day, who, status, night & working & ~people.is_lead[who])


def attendance(people: People, shift: Shift) -> pa.Table:
    """The `attendance` delivery of one day: one row a person employed."""
    seed, profile, who = people.seed, people.profile, shift.who
    ordinal = shift.day.toordinal()
    holiday = shift.day.strftime("%m-%d") in profile.holidays
    working, rest = shift.working, shift.status == REST
    chance = uniform(seed, "overtime", who, ordinal)
    halves = 1 + (uniform(seed, "overtime hours", who, ordinal) * 5).astype(np.int64)
    extra = (working & (chance < profile.attendance.overtime)) | (rest & (chance < profile.attendance.restday_work))
    overtime = np.where(extra, halves * 5 + 5, 0)  # tenths of an hour
    if holiday:  # whoever works on a public holiday has the whole day paid as overtime
        overtime = np.where(working, 80, overtime)
    kind = np.where(overtime == 0, 0, 3 if holiday else 1 + rest.astype(np.int64))
    worked = np.select([shift.status == PRESENT, shift.status == LATE], [80, 75], 0)
    return pa.table(
        {
            "employee_id": pa.array([people.ids[i] for i in who]),
            "date": pa.array([shift.day] * len(who), pa.date32()),
            "scheduled_hours": _tenths(np.where(rest, 0, 80)),
            "worked_hours": _tenths(worked),
            "status": pa.array(STATUSES).take(pa.array(shift.status)),
            "overtime_hours": _tenths(overtime),
            "overtime_kind": pa.array([None, "workday", "restday", "holiday"]).take(pa.array(kind)),
            "night_shift": pa.array(shift.night),
        }
    )


def _tenths(values: Ints) -> pa.Array:
    """Tenths as an exact decimal column."""
    return pa.compute.multiply(
        pa.array(values).cast(pa.decimal128(19, 0)), pa.scalar("0.1").cast(pa.decimal128(2, 1))
    ).cast(pa.decimal128(18, 1))
