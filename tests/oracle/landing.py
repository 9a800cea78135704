"""Landing files read for the independent calculation: plain rows into what each person did on each date.

Written from the contract alone (sections 1 and 2); nothing of csperf is used.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.oracle.rounding import exact

Row = dict[str, str]
Tally = dict[str, Fraction]


@dataclass(frozen=True)
class Person:
    """A row of a roster, as far as the calculation needs it."""

    employee_id: str
    name: str
    post: str | None
    grade: str
    team: str
    lead_id: str | None
    plan: str
    hire_date: date
    grade_since: date
    leave_date: date | None
    employment: str
    education: str
    city: str
    base_salary: Fraction | None

    def active(self, first: date, last: date) -> bool:
        return self.hire_date <= last and (self.leave_date is None or self.leave_date >= first)


@dataclass(frozen=True)
class Case:
    """An application for promotion, as the newest delivery shows it."""

    case_id: str
    employee_id: str
    quarter: str
    applied_on: date
    supervisor_opinion: str
    panel_score: Fraction | None
    panel_decision: str
    announced_on: date | None
    objection: str
    hr_decision: str
    withdrawn_on: date | None


@dataclass
class Landing:
    """Rosters by delivery date, sums and counts by person and business date, and what is no sum of days."""

    zone: ZoneInfo
    rosters: dict[date, dict[str, Person]] = field(default_factory=dict)
    tallies: dict[tuple[str, date], Tally] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Fraction)))
    exams: dict[str, list[tuple[date, Fraction]]] = field(default_factory=lambda: defaultdict(list))
    targets: dict[tuple[str, str], Fraction] = field(default_factory=dict)  # employee, month: net sales wanted
    # employee, month, measure: what rulings added to it
    granted: dict[tuple[str, str, str], Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    cases: list[Case] = field(default_factory=list)
    cases_told_on: date = date.min  # when the newest table of cases was delivered
    spans: dict[tuple[date, date], dict[str, Tally]] = field(default_factory=dict)

    def roster(self, last_day: date) -> dict[str, Person]:
        """The newest delivery at or before the day, else the oldest one."""
        known = sorted(self.rosters)
        before = [day for day in known if day <= last_day]
        return self.rosters[before[-1] if before else known[0]]

    def days_of(self, first: date, last: date) -> dict[str, Tally]:
        """Everyone's sums over some dates; added up once."""
        if (first, last) in self.spans:
            return self.spans[first, last]
        total: dict[str, Tally] = defaultdict(lambda: defaultdict(Fraction))
        for (who, day), tally in self.tallies.items():
            if first <= day <= last:
                for name, number in tally.items():
                    total[who][name] += number
        self.spans[first, last] = total
        return total

    def instant(self, text: str) -> datetime:
        """A timestamp; one without an offset is local business time."""
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    def business_date(self, text: str) -> date:
        return self.instant(text).astimezone(self.zone).date()


def read_landing(root: Path, zone: str = "Asia/Shanghai") -> Landing:
    """A directory of CSV deliveries."""
    landing = Landing(ZoneInfo(zone))
    for path in sorted((root / "employees").glob("*.csv")):
        people = [_person(row) for row in _rows(path)]
        landing.rosters[date.fromisoformat(path.stem)] = {person.employee_id: person for person in people}
    _chats(landing, root)
    _calls(landing, root)
    _reviews(landing, root)
    for row in _all_rows(root, "tickets"):
        tally = landing.tallies[row["agent_id"], landing.business_date(row["created_at"])]
        tally["tickets"] += 1
        tally["error_tickets"] += row["is_error"] == "true"
    for row in _all_rows(root, "points"):
        tally = landing.tallies[row["employee_id"], date.fromisoformat(row["date"])]
        tally[f"{row['kind']}_points"] += number(row["points"])
    _attendance(landing, root)
    _complaints_and_orders(landing, root)
    _assessments_and_events(landing, root)
    for row in _newest_rows(root, "targets"):
        if row["measure"] == "net_sales":
            landing.targets[row["employee_id"], row["month"]] = number(row["target"])
    for row in _newest_rows(root, "disputes"):
        if row["status"] == "upheld":
            landing.granted[row["employee_id"], row["month"], row["measure"]] += number(row["granted_delta"])
    landing.cases = [_case(row) for row in _newest_rows(root, "promotion_cases")]
    for path in (root / "promotion_cases").glob("*.csv"):
        landing.cases_told_on = max(landing.cases_told_on, date.fromisoformat(path.stem))
    return landing


def _rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _all_rows(root: Path, dataset: str) -> Iterator[Row]:
    for path in sorted((root / dataset).glob("*.csv")):
        yield from _rows(path)


def _newest_rows(root: Path, dataset: str) -> Iterator[Row]:
    """A full dataset other than the roster: its newest delivery alone."""
    deliveries = sorted((root / dataset).glob("*.csv"))
    if deliveries:
        yield from _rows(deliveries[-1])


def _person(row: Row) -> Person:
    return Person(
        employee_id=row["employee_id"],
        name=row["name"],
        post=row["post"] or None,
        grade=row["grade"],
        team=row["team"],
        lead_id=row["lead_id"] or None,
        plan=row["plan"],
        hire_date=date.fromisoformat(row["hire_date"]),
        grade_since=date.fromisoformat(row["grade_since"]),
        leave_date=_day(row["leave_date"]),
        employment=row["employment"],
        education=row["education"],
        city=row["city"],
        base_salary=number(row["base_salary"]) if row["base_salary"] else None,
    )


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def number(text: str) -> Fraction:
    """A decimal as it is taken in: places beyond the sixth are rounded."""
    return exact(Fraction(text))


def seconds(earlier: datetime, later: datetime) -> Fraction:
    return Fraction((later - earlier) // timedelta(microseconds=1), 1_000_000)


def _rate(tally: Tally, csat: str) -> None:
    if csat:
        tally["rated"] += 1
        tally["satisfied"] += int(csat) >= 4
        tally["csat_sum"] += int(csat)


def _chats(landing: Landing, root: Path) -> None:
    messages: dict[str, list[tuple[int, str, datetime]]] = defaultdict(list)
    for row in _all_rows(root, "chat_messages"):
        if row["sender"] in ("customer", "agent"):
            said = (int(row["message_no"]), row["sender"], landing.instant(row["sent_at"]))
            messages[row["session_id"]].append(said)
    for row in _all_rows(root, "chat_sessions"):
        tally = landing.tallies[row["agent_id"], landing.business_date(row["started_at"])]
        tally["sessions"] += 1
        tally["resolved"] += row["resolved"] == "true"
        _rate(tally, row["csat"])
        if row["ended_at"]:
            tally["handled"] += 1
            tally["handle_sum"] += seconds(landing.instant(row["started_at"]), landing.instant(row["ended_at"]))
        _replies(tally, sorted(messages.get(row["session_id"], ())))


def _replies(tally: Tally, messages: list[tuple[int, str, datetime]]) -> None:
    """First response and replies of one session, from its customer and agent messages in their order."""
    waiting: datetime | None = None
    replies = []
    for _, sender, sent_at in messages:
        if sender == "customer":
            waiting = waiting or sent_at
        elif waiting is not None:
            replies.append(seconds(waiting, sent_at))
            waiting = None
    tally["answered_sessions"] += any(sender == "agent" for _, sender, _ in messages)
    tally["replies"] += len(replies)
    tally["reply_sum"] += sum(replies)
    if replies:  # the first reply is the first agent message after the first customer message
        tally["first_responses"] += 1
        tally["first_response_sum"] += replies[0]


def _calls(landing: Landing, root: Path) -> None:
    for row in _all_rows(root, "calls"):
        tally = landing.tallies[row["agent_id"], landing.business_date(row["queued_at"])]
        tally["calls"] += 1
        _rate(tally, row["csat"])
        if row["answered_at"]:
            answered_at = landing.instant(row["answered_at"])
            tally["calls_answered"] += 1
            tally["wait_sum"] += seconds(landing.instant(row["queued_at"]), answered_at)
            tally["handled"] += 1
            tally["handle_sum"] += seconds(answered_at, landing.instant(row["ended_at"]))


def _reviews(landing: Landing, root: Path) -> None:
    for row in _all_rows(root, "qa_reviews"):
        tally = landing.tallies[row["agent_id"], date.fromisoformat(row["interaction_date"])]
        tally["qa_reviews"] += row["item_no"] == "0"
        tally["qa_deduction"] += number(row["points"])
        tally["qa_class_c"] += row["item_no"] != "0" and row["severity"] == "C"


def _attendance(landing: Landing, root: Path) -> None:
    for row in _all_rows(root, "attendance"):
        tally = landing.tallies[row["employee_id"], date.fromisoformat(row["date"])]
        status = row["status"]
        if number(row["scheduled_hours"]) > 0:
            tally["scheduled_days"] += 1
            tally["present_days"] += status == "present"
            tally["worked_days"] += status in ("present", "late")
            tally["paid_days"] += status in ("present", "late", "paid_leave")
        for kind in ("late", "absent", "unpaid_leave"):
            tally[f"{kind}_days"] += status == kind
        tally["night_shifts"] += row["night_shift"] == "true"
        if row["overtime_kind"]:
            tally[f"overtime_hours_{row['overtime_kind']}"] += number(row["overtime_hours"])


def _complaints_and_orders(landing: Landing, root: Path) -> None:
    for row in _all_rows(root, "complaints"):
        tally = landing.tallies[row["agent_id"], landing.business_date(row["received_at"])]
        tally["complaints"] += 1
        tally["complaints_upheld"] += row["upheld"] == "true"
        tally["complaints_resolved"] += row["resolved_at"] != ""
    for row in _all_rows(root, "orders"):
        tally = landing.tallies[row["agent_id"], landing.business_date(row["paid_at"])]
        amount, refund = number(row["amount"]), number(row["refund_amount"])
        tally["orders"] += 1
        tally["sales_amount"] += amount
        tally["refund_amount"] += refund
        if row["silent"] == "true":
            tally["silent_amount"] += amount - refund


EVENTS = {
    **{"referral_hired": "referrals", "serious_violation": "serious_violations"},
    **{"conflict": "conflicts", "training_completed": "trainings"},
}


def _assessments_and_events(landing: Landing, root: Path) -> None:
    for row in _all_rows(root, "assessments"):
        day, score = date.fromisoformat(row["date"]), number(row["score"])
        if row["kind"] == "exam":
            landing.exams[row["employee_id"]].append((day, score))
        else:
            tally = landing.tallies[row["employee_id"], day]
            tally[f"{row['kind']}_scores"] += 1
            tally[f"{row['kind']}_score_sum"] += score
    for row in _all_rows(root, "hr_events"):
        if row["kind"] in EVENTS:
            landing.tallies[row["employee_id"], date.fromisoformat(row["date"])][EVENTS[row["kind"]]] += 1


def _case(row: Row) -> Case:
    return Case(
        case_id=row["case_id"],
        employee_id=row["employee_id"],
        quarter=row["quarter"],
        applied_on=date.fromisoformat(row["applied_on"]),
        supervisor_opinion=row["supervisor_opinion"],
        panel_score=number(row["panel_score"]) if row["panel_score"] else None,
        panel_decision=row["panel_decision"],
        announced_on=_day(row["announced_on"]),
        objection=row["objection"],
        hr_decision=row["hr_decision"],
        withdrawn_on=_day(row["withdrawn_on"]),
    )
