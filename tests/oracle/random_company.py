"""A small random company of every plan, written as landing files: fifteen months with a year's end, all quarters and
the half-years in them. Records lie on a few days a month, so that it is built quickly. The same seed writes the same.

Each person's month is drawn by a mood that lasts a while or for ever: `star` keeps the best bands, `poor` the worst,
`edge` lies on the edges of bands or a hair beside, `refunds` sells less than nothing, `idle` has nothing to measure.
Demo data.
"""

from __future__ import annotations

import calendar
import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from tests.oracle.company import HEADERS as MAIN_HEADERS
from tests.oracle.company import LOCAL
from tests.oracle.random_people import PLANS, People, Row, make_people

MONTHS = tuple(f"{number // 12}-{number % 12 + 1:02}" for number in range(2022 * 12 + 9, 2024 * 12))
FIRST, LAST = date(2022, 10, 1), date(2023, 12, 31)
QUARTER_ENDS = ("2022-12-31", "2023-03-31", "2023-06-30", "2023-09-30", "2023-12-31")
HEADERS = MAIN_HEADERS | {
    "complaints": "complaint_id agent_id received_at upheld resolved_at",
    "orders": "order_id agent_id paid_at amount refund_amount silent",
    "targets": "employee_id month measure target",
    "assessments": "assessment_id employee_id date kind score assessor_id",
    "hr_events": "event_id employee_id date kind note",
    "disputes": "dispute_id employee_id month measure requested_delta status granted_delta ruled_by ruled_at note",
    "promotion_cases": "case_id employee_id quarter applied_on supervisor_opinion panel_score panel_decision "
    "announced_on objection hr_decision withdrawn_on",
}
MOODS = ("star", "star", "poor", "edge", "edge", "edge", "refunds", "idle")

# Good and bad ratings; those at 0.80, 0.90 and 0.95 among them.
RATINGS = {
    "star": ((19, 1), (10, 0), (20, 0)),
    "poor": ((1, 3), (3, 2), (0, 2)),
    "edge": ((4, 1), (9, 1), (19, 1), (17, 3), (8, 2), (7, 2), (0, 0)),
    "refunds": ((4, 1), (3, 1), (0, 1)),
    "idle": ((0, 0),),
}
WAITS = {
    "star": ("5", "29.5", "30", "30.0000004", "45"),
    "poor": ("90.000001", "200", "91"),
    "edge": ("30.0000006", "45", "60", "60.000001", "90", "90.000001", "30"),
    "refunds": ("50", "70"),
    "idle": ("10",),
}
DEDUCTIONS = {
    "star": ("0", "5", "15", "20"),
    "poor": ("70", "69.999999", "100.5", "50"),
    "edge": ("20", "20.000001", "30", "30.000001", "35", "49.999999", "50", "50.000001", "69.5", "70", "15"),
    "refunds": ("10", "40"),
    "idle": ("",),
}
COMPLETIONS = {
    "star": ("1.2", "1.5", "1.25", "1.4999994", "1.1999996", "2.05"),
    "poor": ("0.1", "0.5999994", "0.3"),
    "edge": ("0.6", "0.7", "0.8", "0.9", "1", "1.1", "1.2", "1.5", "0.7999996", "0.7999994", "1.0000004", "1.0000006"),
    "refunds": ("-0.5", "-1.2", "-0.01"),
    "idle": ("0",),
}
TARGETS = ("10000", "20000", "33333.33", "50000", "100000", "150000", "200000")
# On the edges of the commission's bands, as net sales.
NET_SALES = ("10000", "10000.01", "50000", "50000.01", "100000", "100000.01", "200000", "200000.01", "0.01")
SCORES = {
    "star": ("90", "95", "100", "88.5"),
    "poor": ("59.999999", "40", "0"),
    "edge": ("60", "59.999999", "80", "79.5", "79.999999", "90", "89.9999996", "89.9999994", ""),
    "refunds": ("80", "70", ""),
    "idle": ("",),
}
DISPUTED = (
    *(("sessions", "3"), ("sessions", "-40"), ("calls_answered", "2"), ("volume", "5"), ("volume", "-99")),
    *(("tickets", "4"), ("error_tickets", "-9"), ("complaints_upheld", "-1"), ("complaints", "1")),
    *(("qa_deduction", "-10"), ("qa_deduction", "-200"), ("qa_deduction", "0.5"), ("qa_class_c", "-2")),
    *(("net_sales", "-25000"), ("net_sales", "1000.50"), ("sales_amount", "-99999999"), ("refund_amount", "-50")),
    *(("silent_amount", "-10"), ("sales_completion", "0.1"), ("complaint_rate", "-0.05"), ("csat_rate", "0.1")),
    *(("csat_mean", "0.5"), ("manager_score", "10"), ("exam_score", "5"), ("first_response_seconds", "-20")),
    *(("response_rate", "0.01"), ("paid_days", "1"), ("worked_days", "1"), ("night_shifts", "-9")),
    *(("extra_points", "-20"), ("extra_points", "7.5"), ("overtime_hours_workday", "2.25"), ("referrals", "1")),
    *(("full_attendance", "1"), ("teamwork_score", "-3"), ("excellent_case_points", "-1000"), ("late_days", "-1")),
)


@dataclass
class RandomCompany:
    """What was written, for those who ask what is in it."""

    root: Path
    people: People


@dataclass
class _Writer:
    seed: int
    rows: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    dropped: set[tuple[str, str]] = field(default_factory=set)  # dataset and month without any delivery

    def told(self, dataset: str, month: str, row: dict[str, Any]) -> None:
        """A row of a full table: from the end of its quarter on each delivery has it."""
        for quarter_end in QUARTER_ENDS:
            if month <= quarter_end[:7]:
                self.rows[dataset, quarter_end].append(row)

    def add(self, dataset: str, day: date, row: dict[str, Any]) -> None:
        if (dataset, f"{day:%Y-%m}") not in self.dropped:
            self.rows[dataset, day.isoformat()].append(row)


def write_random_company(
    root: Path, seed: int, number: int = 20, plans: Sequence[str] | None = None, until: str = MONTHS[-1]
) -> RandomCompany:
    """The landing files of a company of some people up to a month, on the plans named or some that the seed draws."""
    rng = Random(seed)
    plans = rng.sample(PLANS, rng.choice((4, 6, 9))) if plans is None else plans
    people = make_people(rng, number, tuple(plans))
    writer = _Writer(seed)
    for dataset in ("complaints", "orders", "assessments", "qa_reviews", "tickets", "calls"):
        if rng.random() < 0.4:
            writer.dropped.add((dataset, rng.choice(MONTHS)))
    for delivery, roster in people.rosters.items():
        writer.rows["employees", delivery.isoformat()] = list(roster.values())
    moods: dict[str, str] = {}
    for month in MONTHS[: MONTHS.index(until) + 1]:
        for who, row in people.on(_last(month)).items():
            source = people.twins.get(who, who)
            drawn = Random(f"{seed} {source} {month}")
            turns = drawn.random() < 0.18 and Random(f"{seed} {source}").random() > 0.35  # a third never change
            if source not in moods or turns:
                moods[source] = people.steady.get(source) or drawn.choice(MOODS)
            if row["hire_date"] <= _last(month).isoformat() and (not row["leave_date"] or row["leave_date"] >= month):
                _month(writer, drawn, who, row, month, moods[source])
    _full_tables(writer, rng, people)
    for (name, day), content in writer.rows.items():
        if day > _last(until).isoformat():
            continue
        path = root / name / f"{day}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, HEADERS[name].split(), restval="")
            table.writeheader()
            table.writerows(content)
    return RandomCompany(root, people)


def _last(month: str) -> date:
    year, number = int(month[:4]), int(month[5:])
    return date(year, number, calendar.monthrange(year, number)[1])


def _days(month: str) -> tuple[date, ...]:
    """The days of a month that have records."""
    last = _last(month)
    return (last.replace(day=1), last.replace(day=14), last)


def _at(day: date, number: int) -> datetime:
    """Moments from the first minute of the day on, local time: by UTC the evening before."""
    return datetime(day.year, day.month, day.day, 0, 1, tzinfo=LOCAL) + timedelta(minutes=7 * number)


def _month(writer: _Writer, rng: Random, who: str, row: Row, month: str, mood: str) -> None:
    own = Random(f"{writer.seed} {who} {month}")  # what twins do not share
    _contacts(writer, rng, who, row, month, mood)
    _reviews(writer, rng, who, month, mood)
    _tickets_and_complaints(writer, rng, who, month, mood)
    _orders(writer, rng, who, month, mood)
    _scores_and_points(writer, rng, who, month, mood)
    _attendance(writer, own, who, row, month, mood)


def _contacts(writer: _Writer, rng: Random, who: str, row: Row, month: str, mood: str) -> None:
    good, bad = rng.choice(RATINGS[mood])
    total = 0 if mood == "idle" and rng.random() < 0.5 else good + bad + rng.choice((0, 0, 1, 4))
    wait = timedelta(microseconds=int(Decimal(rng.choice(WAITS[mood])) * 1_000_000))
    unanswered = 0 if mood == "star" else rng.choice((0, 0, 1, 1, 2))
    days = _days(month)[:2] if rng.random() < 0.5 else _days(month)[1:]
    for place in range(total):
        start = _at(days[place % 2], place)
        answered = start + wait + timedelta(microseconds=5 if place == 0 and mood == "edge" else 0)
        key = f"{who}-{month}-{place}"
        csat = str(4 + place % 2) if place < good else str(1 + place % 3) if place < good + bad else ""
        contact = {"agent_id": who, "customer_id": f"c{place}", "csat": csat}
        if (row["post"] == "voice") != (place % 9 == 8):  # now and then by the other channel
            call = {
                "call_id": key,
                "queued_at": start.isoformat(),
                "ended_at": (answered + timedelta(0, 90)).isoformat(),
            }
            if place >= total - unanswered:
                call |= {"ended_at": (start + timedelta(0, 20)).isoformat()}
            else:
                call |= {"answered_at": answered.isoformat()}
            writer.add("calls", days[place % 2], {**contact, **call})
            continue
        ended = (start + timedelta(seconds=rng.choice((300, 480) if mood == "star" else (300, 600, 900)))).isoformat()
        session = {"session_id": key, "channel": "web", "started_at": start.isoformat()}
        session |= {"resolved": "true" if place % 4 else "false", "ended_at": ended if place % 5 else ""}
        writer.add("chat_sessions", days[place % 2], {**contact, **session})
        said = [("customer", start)]
        if place < total - unanswered:
            said += [
                ("agent", answered),
                ("customer", answered + timedelta(0, 9)),
                ("agent", answered + timedelta(0, 31)),
            ]
        for number, (sender, moment) in enumerate(said, 1):
            message = {"session_id": key, "message_no": number, "sender": sender, "sent_at": moment.isoformat()}
            writer.add("chat_messages", days[place % 2], message)


def _reviews(writer: _Writer, rng: Random, who: str, month: str, mood: str) -> None:
    deduction = rng.choice(DEDUCTIONS[mood])
    if not deduction:
        return
    day = _days(month)[rng.choice((0, 2))]
    class_c = 0 if mood == "star" else rng.choice((0, 0, 1, 2, 3, 4, 5))
    points = [(Decimal("0"), "C")] * class_c if Decimal(deduction) < 5 else [(Decimal("0.5"), "C")] * class_c
    points.append((Decimal(deduction) - sum((each for each, _ in points), Decimal(0)), rng.choice("AB")))
    review = {"review_id": f"{who}-{month}", "interaction_id": f"{who}-{month}-0", "agent_id": who, "reviewer_id": "Q"}
    review |= {"interaction_date": day.isoformat(), "reviewed_at": _at(day, 99).isoformat()}
    writer.add("qa_reviews", day, {**review, "item_no": 0, "points": 0})
    for item, (taken, severity) in enumerate(points, 1):
        writer.add("qa_reviews", day, {**review, "item_no": item, "points": taken, "severity": severity})


def _tickets_and_complaints(writer: _Writer, rng: Random, who: str, month: str, mood: str) -> None:
    day = _days(month)[1]
    number = 0 if mood == "idle" else rng.choice((0, 1, 3, 8))
    wrong = rng.randint(0, number) if mood != "star" else 0
    for place in range(number):
        ticket = {"ticket_id": f"{who}-{month}-{place}", "agent_id": who, "kind": "refund"}
        ticket |= {"created_at": _at(day, place).isoformat(), "is_error": "true" if place < wrong else "false"}
        writer.add("tickets", day, ticket)
    for place in range(rng.choice((0, 0, 1, 2, 3)) if mood in ("poor", "edge") else 0):
        complaint = {
            "complaint_id": f"{who}-{month}-{place}",
            "agent_id": who,
            "received_at": _at(day, place).isoformat(),
        }
        complaint |= {"upheld": rng.choice(("true", "false"))}
        complaint |= {"resolved_at": rng.choice(("", _at(day, place + 300).isoformat()))}
        writer.add("complaints", day, complaint)


def _orders(writer: _Writer, rng: Random, who: str, month: str, mood: str) -> None:
    """Net sales that reach a wanted share of the target, with refunds and silent orders beside."""
    target = Decimal(rng.choice(TARGETS))
    net = target * Decimal(rng.choice(COMPLETIONS[mood]))
    if mood == "edge" and rng.random() < 0.4:
        net = target = Decimal(rng.choice(NET_SALES))
    if rng.random() < 0.85 or mood == "star":  # whose months shall follow each other
        wanted = {"employee_id": who, "month": month, "measure": "net_sales", "target": f"{target:f}"}
        writer.told("targets", month, wanted)
        if month == MONTHS[0]:  # an older delivery says something else, and counts no more
            writer.rows["targets", "2022-10-05"].append({**wanted, "target": "1"})
    if mood == "idle":
        return
    refund = Decimal(rng.choice(("0", "0", "123.45"))) + max(Decimal(0), -net)
    sold = [(net + refund, refund, "false")]
    if rng.random() < 0.3:
        sold.append((Decimal("88.80"), Decimal(rng.choice(("0", "8.80", "100"))), "true"))
    if rng.random() < 0.3:
        sold.append((Decimal("45.60"), Decimal("45.60"), "false"))
    for place, (amount, back, silent) in enumerate(sold):
        day = _days(month)[(place + len(sold)) % 2 + 1]
        order = {"order_id": f"{who}-{month}-{place}", "agent_id": who, "paid_at": _at(day, place).isoformat()}
        writer.add("orders", day, {**order, "amount": f"{amount:f}", "refund_amount": f"{back:f}", "silent": silent})


def _scores_and_points(writer: _Writer, rng: Random, who: str, month: str, mood: str) -> None:
    day = _days(month)[2]
    for kind in ("self", "peer", "manager", "teamwork", "attitude"):
        for place in range(rng.choice((1, 1, 2)) if rng.random() < 0.85 else 0):
            if score := rng.choice(SCORES[mood]):
                row = {"assessment_id": f"{who}-{month}-{kind}{place}", "employee_id": who, "date": day.isoformat()}
                writer.add("assessments", day, {**row, "kind": kind, "score": score, "assessor_id": "Q"})
    for place in range(rng.choice((1, 2)) if rng.random() < 0.25 else 0):
        score = rng.choice(("80", "90", "95") if mood == "star" else ("60", "59.5", "79.999999", "80", "90", "95"))
        row = {"assessment_id": f"{who}-{month}-exam{place}", "employee_id": who, "date": day.isoformat()}
        writer.add("assessments", day, {**row, "kind": "exam", "score": score})
    if rng.random() < 0.12:
        kinds = ("training_completed", "training_completed", "referral_hired", "conflict", "honor", "serious_violation")
        event = {"event_id": f"{who}-{month}", "employee_id": who, "date": day.isoformat(), "kind": rng.choice(kinds)}
        writer.add("hr_events", day, event)
    for kind, points in (("execution", "12.5"), ("excellent_case", "40"), ("excellent_case", "75"), ("extra", "-3.75")):
        if rng.random() < 0.2:
            row = {"point_id": f"{who}-{month}-{kind}{points}", "employee_id": who, "date": day.isoformat()}
            writer.add("points", day, {**row, "kind": kind, "points": points, "approved_by": "Demo Director"})


def _attendance(writer: _Writer, rng: Random, who: str, row: Row, month: str, mood: str) -> None:
    perfect = mood == "star" or rng.random() < 0.3
    resting = rng.random() < 0.05  # not scheduled at all
    for place, day in enumerate(_days(month)):
        if not row["hire_date"] <= day.isoformat() <= (row["leave_date"] or "9999"):
            continue
        odd = ("present", "late", "paid_leave", "unpaid_leave", "absent", "rest")
        status = "rest" if resting else "present" if perfect else rng.choice((*odd, "present", "present"))
        record = {"employee_id": who, "date": day.isoformat(), "status": status, "overtime_hours": 0}
        record |= {"scheduled_hours": 0 if status == "rest" else 8, "night_shift": rng.choice(("true", "false"))}
        record |= {"worked_hours": 8 if status in ("present", "late") else 0}
        if rng.random() < 0.3:
            record |= {"overtime_hours": rng.choice(("0.5", "1.25", "3.333333")), "overtime_kind": "workday"}
            record |= {"overtime_kind": ("workday", "restday", "holiday")[place]}
        writer.add("attendance", day, record)


def _full_tables(writer: _Writer, rng: Random, people: People) -> None:
    """Disputes and promotion cases, in every state; each delivery tells all that has happened by then."""
    for number in range(3 * len(people.known_by(LAST))):
        measure, delta = rng.choice(DISPUTED)
        month = rng.choice(MONTHS) if number else MONTHS[0]
        who = rng.choice(people.known_by(_last(month) if number else FIRST + timedelta(days=5)))
        row = {"dispute_id": f"d{number}", "employee_id": who, "month": month}
        status = rng.choice(("upheld", "upheld", "upheld", "open", "rejected"))
        row |= {"measure": measure, "requested_delta": delta, "status": status}
        if status != "open":
            row |= {"granted_delta": delta if status == "upheld" else "", "ruled_by": "Demo Director"}
            row |= {"ruled_at": f"{month}-28T10:00:00+08:00"}
        writer.told("disputes", month, row)
        if number == 0:  # what an older delivery granted counts no more
            older = {"status": "upheld", "granted_delta": "1000", "ruled_by": "Demo Director"}
            writer.rows["disputes", "2022-10-09"].append({**row, **older, "ruled_at": "2022-10-08T10:00:00+08:00"})
    number = 0
    for quarter_end in QUARTER_ENDS:
        end = date.fromisoformat(quarter_end)
        roster = people.on(end)
        for who in people.known_by(end):
            by_case = who in roster and roster[who]["plan"] in ("ladder_case", "ladder_scored", "ladder_year")
            for _ in range(rng.choice((1, 1, 1, 2)) if rng.random() < (0.8 if by_case else 0.1) else 0):
                number += 1
                applied = date(end.year, end.month - 2, rng.randint(1, 20))
                row = {"case_id": f"k{number:03}", "employee_id": who, "quarter": f"{end.year}Q{end.month // 3}"}
                row |= {"applied_on": applied.isoformat()} | _course(rng, applied)
                writer.told("promotion_cases", quarter_end[:7], row)


def _course(rng: Random, applied: date) -> Row:
    """How far a case got."""
    announced = (applied + timedelta(days=rng.choice((3, 20, 50)))).isoformat()
    steps = (
        {"supervisor_opinion": rng.choice(("support",) * 9 + ("oppose",))},
        {
            "panel_score": rng.choice(("80", "79.5", "92")),
            "panel_decision": rng.choice(("approve",) * 6 + ("reject",)),
        },
        {
            "announced_on": announced,
            "objection": rng.choice(("none", "none", "none", "", "dismissed", "open", "upheld")),
        },
        {"hr_decision": rng.choice(("approve",) * 8 + ("reject",))},
    )
    course: Row = {}
    for step in steps[: rng.choice((0, 1, 2, 3, 4, 4, 4, 4, 4, 4))]:
        course |= step
        if "oppose" in step.values() or "reject" in step.values():
            return course
    if rng.random() < 0.1:
        course["withdrawn_on"] = (applied + timedelta(days=5)).isoformat()
    return course
