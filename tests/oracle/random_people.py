"""The rosters of a random company: everybody of every plan, joining, moving, leaving. Demo data: all invented."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

Row = dict[str, str]

PLANS = (
    *("cs_2017", "sales_grade", "sales_education", "part_time", "layered", "standard", "call_center"),
    *("sales_rating", "sales_commission", "presales_kpi", "rated", "framework"),
    *("ladder_tenure", "ladder_scored", "ladder_year", "ladder_case", "ladder_honor", "ladder_transfer"),
    *("ladder_contest", "ladder_review"),
)
DELIVERIES = tuple(
    date.fromisoformat(day)
    for day in (
        *("2022-10-03", "2022-11-20", "2022-12-31", "2023-02-14", "2023-03-31", "2023-05-17", "2023-06-30"),
        *("2023-08-08", "2023-10-01", "2023-11-30"),
    )
)
POSTS = ("basic", "basic", "vip", "voice", "voice", "")
STAFF = ("junior", "intermediate", "senior")
GRADES = (*STAFF, *STAFF, *STAFF, "trial", "principal", "reserve", "lead", "supervisor", "manager")
TEAMS = ("T1", "T2", "T3")
EDUCATION = ("high_school", "college", "bachelor", "master")
CITIES = ("杭州", "上海", "成都")
# Around full years of tenure: 1, 2, 5, 10 and 20 of them pass within the company's months.
HIRED = (
    *("2022-02-01", "2021-12-31", "2022-01-01", "2021-03-01", "2020-12-31", "2018-01-01", "2018-04-30"),
    *("2013-03-01", "2012-12-31", "2003-05-01", "2002-12-01", "2022-09-15", "2019-07-16"),
)
GRADE_SINCE = ("2020-06-01", "2021-12-31", "2022-01-01", "2022-06-30", "2022-09-01", "2022-10-01", "2022-10-02")
RANGES = {
    "sales_rating": {"junior": (3000, 4000), "intermediate": (4000, 5000), "senior": (5000, 6000)},
    "sales_commission": {"junior": (3000, 5000), "intermediate": (5000, 8000), "senior": (8000, 12000)},
}


@dataclass
class People:
    """Who was on the roster of each delivery, and who is whose twin: the same work, so that scores tie."""

    rosters: dict[date, dict[str, Row]] = field(default_factory=dict)
    twins: dict[str, str] = field(default_factory=dict)
    steady: dict[str, str] = field(default_factory=dict)  # whose roster row never changes, and whose mood

    def known_by(self, day: date) -> list[str]:
        """Everyone who was on a roster by a day."""
        return sorted({who for delivered, roster in self.rosters.items() if delivered <= day for who in roster})

    def on(self, day: date) -> dict[str, Row]:
        before = [delivered for delivered in self.rosters if delivered <= day]
        return self.rosters[max(before) if before else min(self.rosters)]


def make_people(rng: Random, number: int, plans: tuple[str, ...]) -> People:
    """The rosters; the first people have the seed's plans in turn, so that each occurs."""
    people = People()
    now: dict[str, Row] = {}
    later: dict[date, list[Row]] = {}
    for place in range(number):
        who = f"E{place:02}"
        if place > len(plans) and rng.random() < 0.2:
            twin = rng.choice(sorted(now))
            row = {**now[twin], "employee_id": who, "name": f"Example {who}"}
            people.twins[who] = twin
        else:
            row = _person(rng, who, plans[place] if place < len(plans) else rng.choice(plans))
        if rng.random() < 0.3 and who not in people.twins:
            people.steady[who] = rng.choice(("star", "star", "poor"))
            row |= {"grade": rng.choice(STAFF), "hire_date": "2019-07-16", "grade_since": "2021-12-31"}
            row["base_salary"] = _salary(rng, row["plan"], row["grade"])
            now[who] = row
        elif place > len(plans) and rng.random() < 0.25:  # joins later, known a delivery before, with or after it
            delivery = rng.choice(DELIVERIES[1:-1])
            hired = delivery + timedelta(days=rng.choice((-40, -9, 0, 1, 20)))
            row |= {"hire_date": hired.isoformat(), "grade_since": hired.isoformat()}
            later.setdefault(delivery, []).append(row)
        else:
            now[who] = row
    for delivery in DELIVERIES:
        for row in later.get(delivery, ()):
            now[row["employee_id"]] = row
        if delivery != DELIVERIES[0]:
            for who in sorted(now):
                if rng.random() < 0.3 and who not in people.steady:
                    _change(rng, now[who], delivery, plans)
        if delivery == DELIVERIES[5] and rng.random() < 0.5:
            now.pop(rng.choice(sorted(now)))  # gone without a word
        _leads(rng, now)
        people.rosters[delivery] = {who: dict(now[who]) for who in sorted(now)}
    return people


def _person(rng: Random, who: str, plan: str) -> Row:
    grade = rng.choice(STAFF if plan in RANGES or plan == "presales_kpi" or rng.random() < 0.5 else GRADES)
    hired = rng.choice(HIRED)
    row = {"employee_id": who, "name": f"Example {who}", "post": rng.choice(POSTS), "grade": grade}
    row |= {"team": rng.choice(TEAMS), "lead_id": "", "employment": rng.choice(("full_time", "part_time"))}
    row |= {"education": rng.choice(EDUCATION), "city": rng.choice(CITIES), "plan": plan}
    row |= {"hire_date": hired, "grade_since": max(hired, rng.choice(GRADE_SINCE)), "leave_date": ""}
    row["base_salary"] = _salary(rng, plan, grade)
    return row


def _salary(rng: Random, plan: str, grade: str) -> str:
    """Inside the grade's range, at its ends, just outside, or not given."""
    ranges = RANGES.get(plan, RANGES["sales_rating"])
    stand_in = {"reserve": "senior", "trial": "junior"}.get(grade, grade)
    low, high = ranges.get(stand_in, (3000, 4000))
    inside = f"{rng.randint(low * 100, high * 100) / 100:.2f}"
    return rng.choice((inside, inside, inside, "", "", str(low), str(high), f"{low - 0.01:.2f}", f"{high + 0.01:.2f}"))


def _change(rng: Random, row: Row, delivery: date, plans: tuple[str, ...]) -> None:
    kind = rng.choice(("plan", "post", "grade", "grade", "team", "leave", "education", "city", "salary", "name"))
    if kind == "plan":
        row["plan"] = rng.choice(plans)
        row["base_salary"] = _salary(rng, row["plan"], row["grade"])
    elif kind == "post":
        row["post"] = rng.choice(POSTS)
    elif kind == "grade":
        row["grade"] = rng.choice(STAFF if rng.random() < 0.7 else GRADES)
        if rng.random() < 0.8:  # else the roster carries the old date
            since = delivery - timedelta(days=rng.choice((0, 1, 13, 40)))
            row["grade_since"] = max(row["hire_date"], since.isoformat())
        if rng.random() < 0.6:
            row["base_salary"] = _salary(rng, row["plan"], row["grade"])
    elif kind == "leave":
        left = delivery + timedelta(days=rng.choice((-1, 0, 1, 12, 30, 31, 61)))
        if not row["leave_date"] and rng.random() < 0.4 and left.isoformat() >= row["hire_date"]:
            row["leave_date"] = left.isoformat()
    elif kind == "salary":
        row["base_salary"] = _salary(rng, row["plan"], row["grade"])
    elif kind == "name":
        row["name"] += " renamed"
    else:
        row[kind] = rng.choice({"team": TEAMS, "education": EDUCATION, "city": CITIES}[kind])


def _leads(rng: Random, now: dict[str, Row]) -> None:
    """Leads over leads: some people lead, the others report to one of them or to nobody."""
    ranked = sorted(now, key=lambda who: (now[who]["grade"] not in ("manager", "supervisor", "lead"), who))
    chiefs = ranked[: max(2, len(ranked) // 5)]
    for who in sorted(now):
        known = now[who]["lead_id"] in now
        if known and now[who]["lead_id"] != who and rng.random() < 0.8:
            continue
        above = [chief for chief in chiefs if chief < who] if who in chiefs else chiefs
        now[who]["lead_id"] = rng.choice([*above, ""]) if above else ""
        if now[who]["lead_id"] == who:
            now[who]["lead_id"] = ""
    if rng.random() < 0.2:  # a slip in the roster: two chiefs report to each other
        now[chiefs[0]]["lead_id"], now[chiefs[1]]["lead_id"] = chiefs[1], chiefs[0]
