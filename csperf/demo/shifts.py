"""Who works when in the made-up company: shifts, leave, lateness and overtime, person by person and day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from csperf.demo.chance import Flags, Ints, uniform
from csperf.demo.columns import exact, people_ids
from csperf.demo.people import People
from csperf.workdays import day_kind

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
    """The shifts of one day. Five days on and two off in turns, so that every day is staffed.

    Leads and those above them keep office hours of the Chinese calendar. Part-timers come three days of seven; a
    public holiday among these is paid leave.
    """
    seed, shares = people.seed, people.profile.attendance
    who = np.flatnonzero(people.active(day))
    ordinal, week = day.toordinal(), (day.toordinal() - 1) // 7
    turn = (ordinal + (uniform(seed, "turn", who) * 7).astype(np.int64)) % 7
    part_time, kind = people.part_time[who], day_kind(day)
    rest = np.where(people.office_hours[who], kind != "workday", turn >= np.where(part_time, 3, 5))
    chance = uniform(seed, "day", who, ordinal)
    late = np.where(uniform(seed, "late person", who) < shares.late_people, shares.late, shares.late / 30)
    edges = np.cumsum(
        np.stack([np.full(len(who), s) for s in (shares.paid_leave, shares.unpaid_leave, shares.absent)] + [late]),
        axis=0,
    )
    kinds = np.array([PAID_LEAVE, UNPAID_LEAVE, ABSENT, LATE, PRESENT])
    status = kinds[(chance >= edges).sum(axis=0)]
    status = np.where(uniform(seed, "leave week", who, week) < shares.leave_weeks, PAID_LEAVE, status)
    status = np.where(part_time & (kind == "holiday"), PAID_LEAVE, status)
    status = np.where(rest, REST, status)
    night = uniform(seed, "night week", who, week) < shares.night_weeks
    working = (status == PRESENT) | (status == LATE)
    return Shift(day, who, status, night & working & ~people.office_hours[who])


def attendance(people: People, shift: Shift) -> pa.Table:
    """The `attendance` delivery of one day: one row a person employed.

    Overtime is on workdays after a shift, on weekends for a few of those who have a day off, and on a public holiday
    the whole day of whoever works.
    """
    seed, profile, who = people.seed, people.profile, shift.who
    ordinal, day = shift.day.toordinal(), day_kind(shift.day)
    working, rest = shift.working, shift.status == REST
    chance = uniform(seed, "overtime", who, ordinal)
    halves = 1 + (uniform(seed, "overtime hours", who, ordinal) * 5).astype(np.int64)
    share = profile.attendance.overtime if day == "workday" else profile.attendance.restday_work
    extra = (working if day == "workday" else rest & (day == "restday")) & (chance < share)
    overtime = np.where(extra, halves * 5 + 5, 0)  # tenths of an hour
    if day == "holiday":
        overtime = np.where(working, 80, overtime)
    worked = np.select([shift.status == PRESENT, shift.status == LATE], [80, 75], 0)
    return pa.table(
        {
            "employee_id": people_ids(people.ids, who),
            "date": pa.array([shift.day] * len(who), pa.date32()),
            "scheduled_hours": exact(np.where(rest, 0, 80), 1),
            "worked_hours": exact(worked, 1),
            "status": pa.array(STATUSES).take(pa.array(shift.status)),
            "overtime_hours": exact(overtime, 1),
            "overtime_kind": pa.array([day if hours else None for hours in overtime], pa.string()),
            "night_shift": pa.array(shift.night),
        }
    )
