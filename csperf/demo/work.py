"""What else the made-up company records in a day: QA reviews, tickets, complaints and points."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from csperf.demo.chance import Ints, day_generator, pick
from csperf.demo.columns import HOUR, midnight, people_ids, row_ids, times
from csperf.demo.contacts import Contacts
from csperf.demo.people import People
from csperf.demo.shifts import Shift
from csperf.sampling import pick_sql

WORKING_DAYS_A_MONTH = 21.7
MISSED_REVIEWS = 0.02


def reviews_of(people: People, day: date, contacts: Contacts) -> pa.Table:
    """Reviews of the interactions that the QA sample draws for the day, next to all of them."""
    rng = day_generator(people.seed, "reviews", day)
    person, interaction = _drawn(people, day, contacts)
    done = rng.random(len(person)) >= MISSED_REVIEWS
    person, interaction = person[done], interaction.filter(pa.array(done))
    deductions = people.profile.deductions
    weights = [weight for *_, weight in deductions]
    mean_points = float(np.average([points for _, _, points, _ in deductions], weights=weights))
    codes = list(people.profile.posts)
    monthly = np.empty(len(person))
    for number, code in enumerate(codes):
        trait = people.profile.deduction_month_vip if code == "vip" else people.profile.deduction_month
        chosen = people.post(day)[person] == number
        monthly[chosen] = trait.middle * np.exp(-trait.slope * people.skill[person[chosen]])
    a_review = monthly / (WORKING_DAYS_A_MONTH * max(people.profile.reviews_per_day, 1)) / mean_points
    rows = 1 + rng.poisson(a_review)
    review = np.repeat(np.arange(len(person)), rows)
    item = np.arange(len(review)) - np.repeat(np.cumsum(rows) - rows, rows)
    which = pick(weights, rng.random(len(review)))
    no_item = item == 0
    reviewer = people.team_leads[(rng.random(len(person)) * len(people.team_leads)).astype(np.int64)]
    reviewed = midnight(day + timedelta(days=1)) + 10 * HOUR + rng.integers(0, 7 * HOUR, len(person))
    ids = pa.array(people.ids)
    return pa.table(
        {
            "review_id": row_ids("Q", day, len(person)).take(pa.array(review)),
            "item_no": pa.array(item),
            "interaction_id": interaction.take(pa.array(review)),
            "agent_id": ids.take(pa.array(person[review])),
            "interaction_date": pa.array([day] * len(review), pa.date32()),
            "reviewer_id": ids.take(pa.array(reviewer[review])),
            "reviewed_at": times(reviewed[review]),
            "item_code": pa.array([code for code, *_ in deductions]).take(pa.array(which, mask=no_item)),
            "severity": pa.array([severity for _, severity, *_ in deductions]).take(pa.array(which, mask=no_item)),
            "points": pa.array(np.where(no_item, 0, np.array([d[2] for d in deductions])[which])),
        }
    )


def _drawn(people: People, day: date, contacts: Contacts) -> tuple[Ints, pa.ChunkedArray]:
    """The sample of the day, by the same rule as `csperf sample`."""
    calls = contacts.calls
    answered = pc.is_valid(calls["answered_at"])
    interactions = pa.concat_tables(
        [
            pa.table(
                {
                    "agent_id": contacts.sessions["agent_id"],
                    "interaction_id": contacts.sessions["session_id"],
                    "channel": contacts.sessions["channel"],
                    "came_at": contacts.sessions["started_at"],
                    "person": pa.array(contacts.session_people, pa.int64()),
                }
            ),
            pa.table(
                {
                    "agent_id": calls["agent_id"],
                    "interaction_id": calls["call_id"],
                    "channel": pa.array(["call"] * len(calls), pa.string()),
                    "came_at": calls["queued_at"],
                    "person": pa.array(contacts.call_people, pa.int64()),
                }
            ).filter(answered),
        ]
    )
    with duckdb.connect(config={"threads": 1}) as con:
        con.register("interactions", interactions)
        drawn = con.execute(
            f"""with given as (select *, cast(? as date) as business_date, ? as sample_size from interactions)
            select person, interaction_id from ({pick_sql("given")}) order by agent_id, interaction_id""",
            [day, people.profile.reviews_per_day],
        ).to_arrow_table()
    return drawn["person"].to_numpy(), drawn["interaction_id"]


def tickets_of(people: People, shift: Shift) -> pa.Table:
    """Tickets created in the day's shifts."""
    rng = day_generator(people.seed, "tickets", shift.day)
    who = shift.who[shift.working & people.takes_contacts[shift.who]]
    person = np.repeat(who, rng.poisson(people.profile.tickets_per_day, len(who)))
    count = len(person)
    created = midnight(shift.day) + 8 * HOUR + rng.integers(0, 15 * HOUR, count)
    order = np.argsort(created, kind="stable")
    person, created = person[order], created[order]
    closed = created + (rng.exponential(6.0, count) * HOUR).astype(np.int64) + 60_000
    kinds = people.profile.ticket_kinds
    return pa.table(
        {
            "ticket_id": row_ids("T", shift.day, count),
            "agent_id": people_ids(people.ids, person),
            "created_at": times(created),
            "closed_at": times(closed, missing=rng.random(count) < 0.08),
            "kind": pa.array(kinds).take(pa.array((rng.random(count) * len(kinds)).astype(np.int64))),
            "is_error": pa.array(rng.random(count) < people.profile.ticket_errors),
        }
    )


def complaints_of(people: People, day: date, contacts: Contacts) -> pa.Table:
    """Complaints of the day's customers; fewer of those whom the skilled served."""
    rng = day_generator(people.seed, "complaints", day)
    shares = people.profile.complaints
    person = np.concatenate([contacts.session_people, contacts.call_people])
    person = person[rng.random(len(person)) < shares.per_contact * np.exp(-0.3 * people.skill[person])]
    count = len(person)
    received = np.sort(midnight(day) + 9 * HOUR + rng.integers(0, 15 * HOUR, count))
    resolved = received + HOUR + (rng.exponential(30.0, count) * HOUR).astype(np.int64)
    return pa.table(
        {
            "complaint_id": row_ids("K", day, count),
            "agent_id": people_ids(people.ids, rng.permutation(person)),
            "received_at": times(received),
            "upheld": pa.array(rng.random(count) < shares.upheld),
            "resolved_at": times(resolved, missing=rng.random(count) < shares.unresolved),
        }
    )


def points_of(people: People, shift: Shift) -> pa.Table:
    """Points that the leads award: on Mondays for the week before, so most days deliver none."""
    rng = day_generator(people.seed, "points", shift.day)
    who = shift.who[people.takes_contacts[shift.who]] if shift.day.weekday() == 0 else shift.who[:0]
    awards = []
    for number, (share, low, high) in enumerate(((0.6, 5, 20), (0.05, 10, 30), (0.03, -10, 20))):
        chosen = who[rng.random(len(who)) < share]
        awards.append((chosen, np.full(len(chosen), number), rng.integers(low, high + 1, len(chosen))))
    person, kind, points = (np.concatenate(parts) for parts in zip(*awards, strict=True))
    superior = people.superior(shift.day)[person]
    return pa.table(
        {
            "point_id": row_ids("P", shift.day, len(person)),
            "employee_id": people_ids(people.ids, person),
            "date": pa.array([shift.day] * len(person), pa.date32()),
            "kind": pa.array(["execution", "excellent_case", "extra"]).take(pa.array(kind)),
            "points": pa.array(points),
            "approved_by": people_ids(people.ids, np.where(superior < 0, people.team_leads[0], superior)),
            "note": pa.array(["demo"] * len(person), pa.string()),
        }
    )
