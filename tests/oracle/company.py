"""A small company full of odd cases, written as landing files: six months across a year's end and a leap February.

Records exist for six days a month. `WORK` says what each month brought each person; single odd chats, calls and points
come on top. Demo data: everybody is invented.
"""

from __future__ import annotations

import calendar
import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

MONTHS = ("2023-10", "2023-11", "2023-12", "2024-01", "2024-02", "2024-03")
FIRST, LAST = date(2023, 10, 1), date(2024, 3, 31)
LOCAL = ZoneInfo("Asia/Shanghai")

HEADERS = {
    "employees": "employee_id name post grade team lead_id employment education city plan base_salary hire_date "
    "grade_since leave_date",
    "chat_sessions": "session_id agent_id customer_id channel started_at ended_at resolved csat",
    "chat_messages": "session_id message_no sender sent_at text",
    "calls": "call_id agent_id customer_id queued_at answered_at ended_at csat",
    "qa_reviews": "review_id item_no interaction_id agent_id interaction_date reviewer_id reviewed_at item_code "
    "severity points",
    "tickets": "ticket_id agent_id created_at closed_at kind is_error",
    "attendance": "employee_id date scheduled_hours worked_hours status overtime_hours overtime_kind night_shift",
    "points": "point_id employee_id date kind points approved_by note",
}

# employee: post, grade, grade_since, hire_date, leave_date (as the first roster has them)
PEOPLE: dict[str, tuple[str, str, str, str, str]] = {
    "B01": ("basic", "junior", "2023-01-01", "2022-10-01", ""),  # same work as B02: ties
    "B02": ("basic", "junior", "2023-01-01", "2022-10-02", ""),
    "B03": ("basic", "trial", "2023-09-15", "2023-09-15", ""),  # dismiss_review
    "B04": ("basic", "intermediate", "2023-01-01", "2020-02-29", ""),  # down twice
    "B05": ("basic", "senior", "2021-05-31", "2019-05-31", ""),  # leave of all kinds
    "B06": ("basic", "junior", "2023-11-15", "2023-11-15", ""),  # joins mid-month
    "B07": ("basic", "junior", "2023-10-01", "2023-10-01", ""),  # joins on the quarter's first day
    "B08": ("basic", "junior", "2023-10-31", "2023-10-31", ""),  # joins on a month's last day
    "B09": ("basic", "junior", "2023-01-01", "2022-01-01", "2023-12-31"),  # leaves on the quarter's last day
    "B10": ("basic", "junior", "2023-01-01", "2022-01-01", "2024-01-01"),  # leaves on a month's first day
    "B11": ("basic", "intermediate", "2023-01-01", "2022-01-01", "2023-11-10"),  # leaves mid-month
    "B12": ("basic", "junior", "2023-11-03", "2023-01-01", ""),  # a grade from after the first month
    "B13": ("basic", "lead", "2023-01-01", "2022-01-01", ""),  # a lead who takes chats
    "B14": ("basic", "junior", "2023-01-01", "2022-01-01", ""),  # never scheduled
    "B15": ("basic", "junior", "2023-01-01", "2022-01-01", ""),  # gone from the second roster without a word
    "B16": ("basic", "junior", "2023-01-01", "2023-11-20", ""),  # only in the second roster, hired before it
    "B18": ("basic", "senior", "2023-01-01", "2023-09-01", ""),  # only in the second roster, hired before the quarter
    "B17": ("basic", "junior", "2023-01-01", "2022-01-01", ""),  # never rated, never reviewed
    "V01": ("vip", "senior", "2023-01-01", "2022-01-01", ""),
    "V02": ("vip", "intermediate", "2023-01-01", "2022-01-01", ""),  # basic from the second roster on
    "V03": ("vip", "reserve", "2023-01-01", "2022-01-01", ""),
    "V04": ("vip", "junior", "2023-01-01", "2022-01-01", ""),
    "P01": ("voice", "junior", "2023-01-01", "2022-01-01", ""),  # a mean with a half in the seventh place
    "P02": ("voice", "principal", "2023-01-01", "2022-01-01", ""),  # a grade that the scheme does not know
    "P03": ("voice", "trial", "2023-08-31", "2023-08-31", ""),
    "P04": ("voice", "senior", "2023-01-01", "2022-01-01", ""),
    "L01": ("", "lead", "2023-01-01", "2020-01-01", ""),
    "N01": ("", "junior", "2023-01-01", "2022-01-01", ""),  # no post, on the ladder
    "W01": ("basic", "junior", "2023-01-01", "2022-01-01", "2023-09-30"),  # gone before
    "W02": ("basic", "junior", "2024-05-01", "2024-05-01", ""),  # not there yet
}
LATER: dict[str, dict[str, dict[str, str]]] = {
    "2023-11-05": {},
    "2023-12-20": {"V02": {"post": "basic"}, "B02": {"team": "T9", "lead_id": "B13"}, "P03": {"name": "P03 renamed"}},
    "2024-02-29": {
        "V02": {"post": "basic"},
        "B07": {"grade_since": "2024-02-01"},  # the roster knows better than the decision
        "P03": {"grade": "senior", "grade_since": "2023-12-31"},  # the decision stands
        "V04": {"post": "voice"},
        "B05": {"leave_date": "2024-02-29"},
    },
}
ABSENT_FROM = {"2023-11-05": {"B16", "B18"}, "2023-12-20": {"B15"}, "2024-02-29": {"B15"}}

# employee: for each month contacts, seconds to the first response, good and bad ratings, points deducted
Month = tuple[int, str, int, int, str]
STEADY: dict[str, Month] = {
    "B01": (20, "45", 17, 3, "30"),
    "B02": (20, "45", 17, 3, "30"),
    "B03": (3, "70", 1, 1, "69.5"),
    "B04": (4, "50", 2, 2, "50"),
    "B05": (18, "29.999999", 9, 1, "20"),
    "B06": (12, "40", 8, 2, "30.000001"),
    "B07": (20, "45.0000004", 17, 3, "29.5"),
    "B08": (21, "20", 10, 0, "0"),
    "B09": (22, "20", 10, 0, "10"),
    "B10": (19, "44", 6, 1, "49.999999"),
    "B11": (9, "33.3", 5, 1, "70"),
    "B12": (11, "60", 8, 2, "20.000001"),
    "B13": (25, "21", 10, 1, "5"),
    "B14": (7, "10", 3, 0, ""),
    "B15": (10, "41", 4, 1, "12"),
    "B16": (10, "41", 4, 1, "12"),
    "B18": (10, "41", 2, 2, "52"),
    "B17": (24, "12", 0, 0, ""),
    "V01": (20, "20", 19, 1, "15"),
    "V02": (20, "40", 18, 2, "25"),
    "V03": (14, "25", 7, 1, "50"),
    "V04": (18, "30", 18, 2, "20"),
    "P01": (18, "12.5", 6, 2, "21"),
    "P02": (17, "14", 6, 2, "71"),
    "P03": (19, "59.7", 8, 2, "50"),
    "P04": (12, "31", 8, 1, "33"),
    "L01": (6, "9", 2, 1, "7"),
    "N01": (15, "22", 5, 1, "8"),
    "W01": (2, "9", 1, 1, "3"),
}
ODD: dict[tuple[str, str], Month] = {
    ("B01", "2023-12"): (20, "45", 17, 3, "30.000001"),
    ("B04", "2023-11"): (40, "50", 2, 2, "30.000001"),
    ("B05", "2023-11"): (18, "30.0000006", 9, 1, "20"),
    ("B05", "2024-01"): (2, "90", 0, 3, "70"),
    ("B06", "2024-03"): (30, "30", 19, 1, "20"),
    ("B07", "2023-11"): (20, "45", 0, 0, "30"),
    ("B16", "2023-11"): (10, "41", 4, 1, "30"),
    ("B18", "2023-10"): (10, "41", 4, 1, "10"),
    ("B12", "2024-02"): (30, "10", 10, 0, "50"),
    ("B12", "2024-03"): (0, "0", 0, 0, "69.999999"),
    ("B17", "2024-01"): (0, "0", 0, 0, ""),
    ("V01", "2023-11"): (20, "20", 19, 1, "15.000001"),
    ("V01", "2024-01"): (20, "20", 18, 2, "35"),
    ("V01", "2024-02"): (21, "20.5", 18, 2, "35.000001"),
    ("V01", "2024-03"): (19, "21", 18, 2, "50.000001"),
    ("V02", "2023-12"): (20, "40", 18, 2, "60"),
    ("V04", "2023-12"): (1, "30", 0, 1, "50"),
    ("P01", "2023-12"): (128, "10", 109, 19, "40"),
    ("P03", "2023-12"): (130, "20", 110, 20, "40"),
    ("P04", "2024-02"): (60, "29", 9, 0, "3"),
}

Row = dict[str, Any]
Rows = dict[tuple[str, str], list[Row]]


def days_of(month: str) -> list[date]:
    year, number = int(month[:4]), int(month[5:])
    return [date(year, number, day) for day in (1, 10, 11, 15, 20, calendar.monthrange(year, number)[1])]


def write_company(root: Path) -> None:
    """The landing files of the company."""
    rows: Rows = defaultdict(list)
    _rosters(rows)
    for number, who in enumerate(PEOPLE):
        for month in MONTHS:
            work = ODD.get((who, month), STEADY.get(who))
            if work is not None:
                _contacts(rows, who, month, work)
                _reviews(rows, who, month, work[4])
            _attendance(rows, who, number, month)
            _tickets_and_points(rows, who, number, month)
    _odd_chats(rows)
    _odd_calls(rows)
    for (name, day), content in rows.items():
        path = root / name / f"{day}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, HEADERS[name].split(), restval="")
            writer.writeheader()
            writer.writerows(content)


def _rosters(rows: Rows) -> None:
    for day, changes in LATER.items():
        for who, (post, grade, since, hired, left) in PEOPLE.items():
            if who in ABSENT_FROM[day]:
                continue
            row = {"employee_id": who, "name": f"Example {who}", "post": post, "grade": grade, "team": f"T{who[0]}"}
            row |= {"lead_id": "" if who == "L01" else "L01", "employment": "full_time", "education": "college"}
            row |= {"city": "杭州", "plan": "cs_2017", "hire_date": hired, "grade_since": since, "leave_date": left}
            rows["employees", day].append({**row, **changes.get(who, {})})


def _clock(day: date, number: int) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=LOCAL) + timedelta(minutes=3 * number)


def _written(moment: datetime, number: int) -> str:
    """The same instant as sources write it: with several offsets, or none for local time."""
    zones = ("Asia/Shanghai", "UTC", "America/New_York", "Asia/Kathmandu")
    if number % 5 == 4:
        return moment.astimezone(LOCAL).replace(tzinfo=None).isoformat()
    text = moment.astimezone(ZoneInfo(zones[number % 5])).isoformat()
    return text.replace("+00:00", "Z") if number % 2 else text


def _csat(number: int, good: int, bad: int) -> str:
    if number < good:
        return str(4 + number % 2)
    return str(1 + number % 3) if number < good + bad else ""


def _contacts(rows: Rows, who: str, month: str, work: Month) -> None:
    contacts, wait, good, bad, _ = work
    days = days_of(month)
    for number in range(contacts):
        day = days[number % len(days)]
        start = _clock(day, number)
        answered = start + timedelta(microseconds=int(float(wait) * 1e6) + (number == 0) * 4)
        key = f"{who}-{month}-{number}"
        contact = {"agent_id": who, "customer_id": f"c{number}", "csat": _csat(number, good, bad)}
        if who[0] == "P" or (who == "V04" and month >= "2024-02"):
            times = {"queued_at": start, "answered_at": answered, "ended_at": answered + timedelta(seconds=60 + number)}
            written = {name: _written(moment, number) for name, moment in times.items()}
            rows["calls", day.isoformat()].append({"call_id": key, **contact, **written})
            continue
        session = {"session_id": key, **contact, "channel": "web", "resolved": "true" if number % 3 else "false"}
        session |= {"started_at": _written(start, number)}
        if number % 4:
            session["ended_at"] = _written(start + timedelta(seconds=300 + 7 * number), number + 1)
        rows["chat_sessions", day.isoformat()].append(session)
        later = answered + timedelta(seconds=30 + number)
        said = [("customer", start), ("bot", start + timedelta(seconds=1)), ("agent", answered), ("customer", later)]
        said += [("agent", later + timedelta(seconds=11, microseconds=number))]
        rows["chat_messages", day.isoformat()].extend(_messages(key, said, number))


def _messages(session: str, said: list[tuple[str, datetime]], number: int) -> Iterator[Row]:
    for place, (sender, moment) in reversed(list(enumerate(said, 1))):
        row = {
            "session_id": session,
            "message_no": place,
            "sender": sender,
            "sent_at": _written(moment, number + place),
        }
        yield {**row, "text": f"demo, {sender}"}


def _reviews(rows: Rows, who: str, month: str, deducted: str) -> None:
    if not deducted:
        return
    for number, day in enumerate((days_of(month)[0], days_of(month)[-1])):
        key = f"{who}-{month}-r{number}"
        review = {"review_id": key, "interaction_id": f"{who}-{month}-0", "agent_id": who, "reviewer_id": "Q1"}
        review |= {
            "interaction_date": day.isoformat(),
            "reviewed_at": _written(_clock(day + timedelta(days=2), 5), number),
        }
        rows["qa_reviews", day.isoformat()].append({**review, "item_no": 0, "points": 0})
        if number == 0 and float(deducted) > 1:
            items = [("1", "C"), (f"{float(deducted) - 1:.6f}", "A")]
            for item, (points, severity) in enumerate(items, 1):
                given = {"item_no": item, "points": points, "severity": severity, "item_code": "TONE"}
                rows["qa_reviews", day.isoformat()].append({**review, **given})


def _attendance(rows: Rows, who: str, number: int, month: str) -> None:
    _, _, _, hired, left = PEOPLE[who]
    for place, day in enumerate(days_of(month)):
        if not hired <= day.isoformat() <= (left or "9999"):
            continue
        status = "rest" if who == "B14" else "present"
        if who == "B05":
            odd = ("present", "late", "paid_leave", "unpaid_leave", "absent", "rest")
            status = odd[(place + int(month[5:])) % 6]
        elif (number + place + int(month[5:])) % 11 == 0:
            status = ("late", "paid_leave", "unpaid_leave", "rest")[(number + place) % 4]
        row: Row = {"employee_id": who, "date": day.isoformat(), "status": status, "overtime_hours": 0}
        row |= {"scheduled_hours": 0 if status == "rest" else 8, "night_shift": "true" if place == 3 else "false"}
        row |= {"worked_hours": 8 if status in ("present", "late") else 0}
        if place == number % 6:
            kind = ("workday", "restday", "holiday")[number % 3]
            row |= {"overtime_hours": "1.25", "overtime_kind": kind}
        rows["attendance", day.isoformat()].append(row)


def _tickets_and_points(rows: Rows, who: str, number: int, month: str) -> None:
    days = days_of(month)
    for ticket in range(0 if who == "B17" else number % 4):
        day = days[(number + ticket) % 6]
        row = {"ticket_id": f"{who}-{month}-t{ticket}", "agent_id": who, "kind": "refund"}
        # Just before midnight on the spot, a day earlier by UTC on the first of a month.
        moment = datetime(day.year, day.month, day.day, 0 if ticket else 23, 0 if ticket else 59, tzinfo=LOCAL)
        row |= {"created_at": _written(moment, ticket + number), "is_error": "true" if ticket == 2 else "false"}
        rows["tickets", day.isoformat()].append(row)
    given = {
        "B01": [("execution", "0.01"), ("extra", "-3.5")],
        "B02": [("execution", "0.01"), ("extra", "-3.5")],
        "B03": [("extra", "-500")],
        "B04": [("execution", "12.345678"), ("excellent_case", "0.000005")],
        "B11": [("excellent_case", "33.33"), ("execution", "7.01")],
        "V01": [("extra", "0.03"), ("execution", "10")],
        "N01": [("extra", "5")],
    }
    for place, (kind, points) in enumerate(given.get(who, [])):
        day = days[(number + place) % 6]
        row = {"point_id": f"{who}-{month}-p{place}", "employee_id": who, "date": day.isoformat(), "kind": kind}
        rows["points", day.isoformat()].append({**row, "points": points, "approved_by": "Demo Director"})


# session: agent, started_at, ended_at, csat, messages in the order of message_no
ODD_CHATS: dict[str, tuple[str, str, str, str, list[tuple[str, str]]]] = {
    "crosses-midnight": (
        *("B08", "2023-11-30T23:59:50+08:00", "2023-12-01T00:20:00+08:00", "5"),
        [("customer", "2023-11-30T23:59:55+08:00"), ("agent", "2023-12-01T00:00:20+08:00")],
    ),
    "year-begins-by-utc": (
        *("B08", "2023-12-31T16:00:00Z", "", "4"),
        [("customer", "2023-12-31T11:00:01-05:00"), ("agent", "2024-01-01T00:00:11.500001")],
    ),
    "year-ends-by-utc": ("B08", "2023-12-31T15:59:59.999999Z", "2023-12-31T16:30:00+00:00", "1", []),
    "leap-day": ("V01", "2024-02-29T23:59:59", "2024-03-01T00:00:00", "", [("customer", "2024-03-01T00:00:00")]),
    "numbered-against-time": (
        *("B12", "2023-12-11T10:00:00+08:00", "", ""),
        [
            ("customer", "2023-12-11T10:00:30+08:00"),
            ("agent", "2023-12-11T10:00:10+08:00"),
            ("customer", "2023-12-11T10:00:20+08:00"),
            ("agent", "2023-12-11T10:00:50+08:00"),
        ],
    ),
    "agent-first": (
        *("B12", "2023-12-11T11:00:00+08:00", "", "3"),
        [
            ("agent", "2023-12-11T11:00:00+08:00"),
            ("bot", "2023-12-11T11:00:05+08:00"),
            ("customer", "2023-12-11T11:00:10+08:00"),
            ("system", "2023-12-11T11:00:20+08:00"),
            ("customer", "2023-12-11T11:00:30+08:00"),
            ("bot", "2023-12-11T11:00:31+08:00"),
            ("agent", "2023-12-11T11:01:15+08:00"),
            ("agent", "2023-12-11T11:09:00+08:00"),
            ("customer", "2023-12-11T11:10:00+08:00"),
        ],
    ),
    "agent-only": ("B12", "2023-12-15T11:00:00+08:00", "", "", [("agent", "2023-12-15T11:00:00+08:00")]),
    "bot-only": (
        *("B12", "2023-12-15T12:00:00+08:00", "", ""),
        [("customer", "2023-12-15T12:00:00+08:00"), ("bot", "2023-12-15T12:00:01+08:00")],
    ),
    "after-leaving": (
        *("B11", "2023-11-20T12:00:00+08:00", "2023-11-20T12:01:00+08:00", "5"),
        [("customer", "2023-11-20T12:00:00+08:00"), ("agent", "2023-11-20T12:00:09+08:00")],
    ),
    "of-a-voice-agent": (
        *("P01", "2023-11-20T12:00:00+08:00", "2023-11-20T12:05:00+08:00", "1"),
        [("customer", "2023-11-20T12:00:00+08:00"), ("agent", "2023-11-20T12:04:00+08:00")],
    ),
}
# call: agent, queued_at, answered_at, ended_at, csat
ODD_CALLS = {
    "answered-next-year": ("P04", "2023-12-31T23:59:30+08:00", "2024-01-01T00:00:30.25", "2023-12-31T16:10:00Z", "5"),
    "given-up-and-rated": ("P04", "2023-12-31T10:00:00", "", "2023-12-31T10:01:00", "1"),
    "of-a-chat-agent": ("B08", "2023-12-20T10:00:00", "2023-12-20T10:00:10", "2023-12-20T10:02:00", "4"),
    "of-a-lead": ("L01", "2023-12-20T10:00:00", "2023-12-20T10:00:40", "2023-12-20T10:02:00", "2"),
}


def _local_day(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return (moment.astimezone(LOCAL) if moment.tzinfo else moment).date().isoformat()


def _odd_chats(rows: Rows) -> None:
    for key, (who, start, end, csat, said) in ODD_CHATS.items():
        row = {"session_id": key, "agent_id": who, "customer_id": "c", "channel": "app", "started_at": start}
        rows["chat_sessions", _local_day(start)].append({**row, "ended_at": end, "resolved": "true", "csat": csat})
        for place, (sender, sent_at) in enumerate(said, 1):
            message = {"session_id": key, "message_no": place, "sender": sender, "sent_at": sent_at}
            rows["chat_messages", _local_day(start)].append(message)


def _odd_calls(rows: Rows) -> None:
    for key, (who, queued, answered, ended, csat) in ODD_CALLS.items():
        row = {"call_id": key, "agent_id": who, "customer_id": "c", "queued_at": queued, "answered_at": answered}
        rows["calls", _local_day(queued)].append({**row, "ended_at": ended, "csat": csat})
