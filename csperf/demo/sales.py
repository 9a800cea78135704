"""What the sellers of the made-up company sell, and what they are to sell."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from csperf.demo.chance import Flags, Floats, Ints, day_generator, normal, uniform
from csperf.demo.columns import HOUR, exact, midnight, people_ids, row_ids, times
from csperf.demo.people import People
from csperf.demo.shifts import Shift
from csperf.periods import Month

DAYS_A_MONTH = {False: 21.0, True: 12.6}  # that a full-timer or part-timer works
SPREAD_OF_AMOUNTS = 0.7
PART_REFUND = (0.1, 0.6)  # of the amount, from and to
COMPENSATION = (0.05, 0.25)  # of the amount, on top of it


def orders_of(people: People, shift: Shift) -> pa.Table:
    """Orders paid in the day's shifts, with what was given back of them later."""
    rng, profile = day_generator(people.seed, "orders", shift.day), people.profile
    sellers = shift.who[shift.working & (people.orders_a_day[shift.who] > 0)]
    person = np.repeat(sellers, rng.poisson(people.orders_a_day[sellers]))
    count = len(person)
    paid = midnight(shift.day) + 9 * HOUR + rng.integers(0, 14 * HOUR, count)
    order = np.argsort(paid, kind="stable")
    person, paid = person[order], paid[order]
    spread = rng.lognormal(-(SPREAD_OF_AMOUNTS**2) / 2, SPREAD_OF_AMOUNTS, count)
    cents = np.maximum((_mean_amount(people, person, shift.day) * spread * 100).astype(np.int64), 100)

    shares, chance = profile.sales, rng.random(count)
    recalled = _recalled(people, person, shift.day)
    refunded = np.where(recalled, chance < 0.92, chance < shares.refunded)
    part = ~refunded & (chance < shares.refunded + shares.part_refunded)
    compensated = refunded & (recalled | (rng.random(count) < shares.compensated))
    back = np.where(part, rng.uniform(*PART_REFUND, count), refunded.astype(float))
    back = back + np.where(compensated, rng.uniform(*COMPENSATION, count), 0)
    return pa.table(
        {
            "order_id": row_ids("O", shift.day, count),
            "agent_id": people_ids(people.ids, person),
            "paid_at": times(paid),
            "amount": exact(cents, 2),
            "refund_amount": exact(np.rint(cents * back).astype(np.int64), 2),
            "silent": pa.array(rng.random(count) < shares.silent),
        }
    )


def _mean_amount(people: People, person: Ints, day: date) -> Floats:
    """CNY of an order, such that its seller's month comes near the target: by his skill and the month's luck."""
    shares = people.profile.sales
    luck = (
        1
        + shares.skill * people.skill
        + shares.spread * normal(people.seed, "sales luck", np.arange(len(people)), Month.of(day).first_day.toordinal())
    )
    kept = 1 - shares.silent - shares.refunded - shares.part_refunded * sum(PART_REFUND) / 2
    days = np.where(people.part_time, DAYS_A_MONTH[True], DAYS_A_MONTH[False])
    a_day = np.maximum(people.orders_a_day, 1e-9)
    amounts: Floats = people.sales_goal * np.maximum(luck, 0.2) / kept / days / a_day
    return amounts[person]


def _recalled(people: People, person: Ints, day: date) -> Flags:
    """Whose goods of that month are taken back."""
    chance = uniform(people.seed, "recalled", np.arange(len(people)), Month.of(day).first_day.toordinal())
    recalled: Flags = (chance < people.profile.sales.recalled_months)[person]
    return recalled


def targets_of(people: People, first: date, day: date) -> pa.Table:
    """The `targets` as they stand on a day: for each month since the company's first, of whoever sells in it.

    Who joins within a month has the rest of the month's share.
    """
    rows: list[tuple[str, str, float]] = []
    month = Month.of(first)
    own = 0.9 + 0.2 * uniform(people.seed, "target", np.arange(len(people)))
    while month.first_day <= day:
        start, end = month.first_day.toordinal(), month.last_day.toordinal()
        sells = people.has_target & (people.hired <= min(day.toordinal(), end)) & (people.left >= start)
        share = (end + 1 - np.maximum(people.hired, start)) / (end + 1 - start)
        target = np.maximum(np.rint(people.sales_goal * own * share / 100) * 100, 100)
        rows += [(people.ids[i], str(month), target[i]) for i in np.flatnonzero(sells)]
        month = month.plus(1)
    who, months, targets = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "employee_id": pa.array(who, pa.string()),
            "month": pa.array(months, pa.string()),
            "measure": pa.array(["net_sales"] * len(rows), pa.string()),
            "target": exact(np.array(targets, dtype=np.int64), 0),
        }
    )
