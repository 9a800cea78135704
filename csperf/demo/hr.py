"""What HR of the made-up company writes down: assessments and exams, and what happens to people."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from csperf.demo.chance import Ints, day_generator, uniform
from csperf.demo.columns import people_ids, row_ids
from csperf.demo.people import People
from csperf.demo.profile import AssessmentKind, EventKind

ASSESSED_FROM, ASSESSED_DAYS = 22, 6  # days of the month on which assessments are written
EXAM_FROM, EXAM_DAYS = 8, 7  # days of an exam month
FIRST_EXAM = 21  # days after joining
SETTLED = 10  # days that somebody must be there before he is assessed
TRAINING_DAY, HONOR_DAY = 16, 3  # of the month
DAYS_A_MONTH = 30.4
EVENTS: tuple[EventKind, ...] = ("serious_violation", "conflict", "training_completed", "honor", "referral_hired")


def assessments_of(people: People, day: date) -> pa.Table:
    """Assessments of one day. Monthly by oneself, colleagues and the superior; exams are few."""
    profile = people.profile.assessments
    rng = day_generator(people.seed, "assessments", day)
    written: list[tuple[AssessmentKind, Ints, Ints]] = []
    if ASSESSED_FROM <= day.day < ASSESSED_FROM + ASSESSED_DAYS:
        who = np.flatnonzero(people.active(day) & (people.hired <= day.toordinal() - SETTLED))
        superior = people.superior(day)[who]
        judges: list[tuple[AssessmentKind, Ints]] = [("self", who)]
        judges += [("peer", _colleagues(people, who, day, rng)) for _ in range(profile.peers)]
        judges += [("manager", superior), ("teamwork", superior), ("attitude", superior)]
        for number, (kind, assessor) in enumerate(judges):
            on = ASSESSED_FROM + (uniform(people.seed, "assessed on", who, number) * ASSESSED_DAYS).astype(np.int64)
            chosen = (on == day.day) & (assessor >= 0)
            written.append((kind, who[chosen], assessor[chosen]))
    sitting = _examined(people, day)
    written.append(("exam", sitting, np.full(len(sitting), -1)))

    which = np.repeat(np.arange(len(written)), [len(persons) for _, persons, _ in written])
    person, assessor = (np.concatenate([entry[place] for entry in written]) for place in (1, 2))
    done = rng.random(len(person)) >= profile.missing
    which, person, assessor = which[done], person[done], assessor[done]
    figures = [(score.middle, score.slope, score.spread) for score in (profile.scores[name] for name, *_ in written)]
    middle, slope, spread = np.array(figures)[which].T
    score = np.rint(middle + slope * people.skill[person] + spread * rng.standard_normal(len(person)))
    return pa.table(
        {
            "assessment_id": row_ids("A", day, len(person)),
            "employee_id": people_ids(people.ids, person),
            "date": pa.array([day] * len(person), pa.date32()),
            "kind": pa.array([name for name, *_ in written]).take(pa.array(which)),
            "score": pa.array(np.clip(score, 30, 100).astype(np.int64)),
            "assessor_id": people_ids(people.ids, assessor),
        }
    )


def _colleagues(people: People, who: Ints, day: date, rng: np.random.Generator) -> Ints:
    """For each of some people another of his team, -1 for who is alone in it."""
    team = people.team(day)[who]
    order = np.argsort(team, kind="stable")
    _, begins, sizes = np.unique(team[order], return_index=True, return_counts=True)
    begin, size = np.repeat(begins, sizes), np.repeat(sizes, sizes)
    step = 1 + (rng.random(len(who)) * (size - 1)).astype(np.int64)
    chosen = order[begin + (np.arange(len(who)) - begin + step) % size]
    colleagues = np.empty(len(who), dtype=np.int64)
    colleagues[order] = np.where(size > 1, who[chosen], -1)
    return colleagues


def _examined(people: People, day: date) -> Ints:
    """Who sits an exam that day: everyone once in an exam month, joiners after three weeks besides."""
    who = np.flatnonzero(people.active(day))
    sits = people.hired[who] == day.toordinal() - FIRST_EXAM
    if day.month in people.profile.assessments.exam_months:
        sits |= EXAM_FROM + (uniform(people.seed, "exam day", who) * EXAM_DAYS).astype(np.int64) == day.day
    sitting: Ints = who[sits]
    return sitting


def events_of(people: People, day: date) -> pa.Table:
    """Events of one day: trainings and honours on their day of the month, the rest on any; referrals as people join."""
    rng, profile = day_generator(people.seed, "events", day), people.profile
    who = np.flatnonzero(people.active(day) & people.takes_contacts)
    rows: list[tuple[int, str, str]] = []
    for kind in EVENTS:
        chance = profile.events[kind]
        only = {"training_completed": TRAINING_DAY, "honor": HONOR_DAY}.get(kind)
        chance = chance / DAYS_A_MONTH if only is None else chance if only == day.day else 0.0
        rows += [(int(i), kind, "demo") for i in who[rng.random(len(who)) < chance]]
    for joiner in np.flatnonzero(people.hired == day.toordinal()):
        if len(who) > 1 and rng.random() < profile.referred_joiners:
            of = who[who != joiner]
            rows.append((int(of[int(rng.random() * len(of))]), "referral_hired", f"demo: {people.ids[joiner]} joined"))
    return pa.table(
        {
            "event_id": row_ids("H", day, len(rows)),
            "employee_id": people_ids(people.ids, np.array([i for i, *_ in rows], dtype=np.int64)),
            "date": pa.array([day] * len(rows), pa.date32()),
            "kind": pa.array([kind for _, kind, _ in rows], pa.string()),
            "note": pa.array([note for *_, note in rows], pa.string()),
        }
    )
