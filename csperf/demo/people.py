"""The people of the made-up company: who they are, when they come, move and go, and what HR delivers of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa

from csperf.demo.chance import Flags, Floats, Ints, normal, pick, uniform
from csperf.demo.plans import DemoPlan, place_people
from csperf.demo.profile import Profile
from csperf.errors import UsageError

NEVER = date(9999, 1, 1).toordinal()
NOTICE_DAYS = 20  # how long before it HR learns that someone leaves


@dataclass(frozen=True)
class People:
    """One entry a person in every array. Days are ordinals, NEVER where there is none.

    `posts` and `teams` are indexes, before and after the person's move on day `moved`; those above the team leads have
    no post (-1) and take no contacts. `above` is whom a lead or one above the leads reports to, -1 for nobody.
    `sales_goal` is the month's net sales in CNY that a seller is to reach, 0 for who sells nothing.
    """

    seed: int
    profile: Profile
    ids: list[str]
    names: list[str]
    is_lead: Flags
    above: Ints
    plans: list[str]
    usual_plan: str
    grades: list[str]
    educations: list[str]
    salaries: list[Decimal | None]
    sales_goal: Floats
    orders_a_day: Floats
    has_target: Flags
    skill: Floats
    hired: Ints
    left: Ints
    grade_since: Ints
    moved: Ints
    posts: tuple[Ints, Ints]
    teams: tuple[Ints, Ints]
    team_names: list[str]
    team_leads: Ints
    part_time: Flags

    def __len__(self) -> int:
        return len(self.ids)

    def active(self, day: date) -> Flags:
        return (self.hired <= day.toordinal()) & (self.left >= day.toordinal())

    def post(self, day: date) -> Ints:
        """Index of each person's post in `profile.posts` on that day."""
        return np.where(self.moved <= day.toordinal(), self.posts[1], self.posts[0])

    @property
    def takes_contacts(self) -> Flags:
        return self.posts[0] >= 0

    @property
    def office_hours(self) -> Flags:
        """Who works when offices do: leads and those above them."""
        return self.is_lead | ~self.takes_contacts

    def superior(self, day: date) -> Ints:
        """Index of each person's superior on that day, -1 for who has none."""
        office = self.office_hours
        return np.where(office, self.above, self.team_leads[np.where(office, 0, self.team(day))])

    def team(self, day: date) -> Ints:
        return np.where(self.moved <= day.toordinal(), self.teams[1], self.teams[0])

    def change_days(self, first: date, last: date) -> list[date]:
        """Days on which HR delivers a new roster: the first, and every one on which something changed."""
        events = np.concatenate([self.hired, self.moved, self.left - NOTICE_DAYS])
        inside = events[(events > first.toordinal()) & (events <= last.toordinal())]
        return [first, *(date.fromordinal(int(day)) for day in np.unique(inside))]

    def roster(self, day: date) -> pa.Table:
        """The `employees` delivery of that day: everyone hired so far, those who left included."""
        known = np.flatnonzero(self.hired <= day.toordinal())
        post_codes, post, team = list(self.profile.posts), self.post(day), self.team(day)
        city = pick([1.0] * len(self.profile.cities), uniform(self.seed, "city", known))
        told = self.left[known] - NOTICE_DAYS <= day.toordinal()
        superior = self.superior(day)
        columns: dict[str, list[object]] = {
            "employee_id": [self.ids[i] for i in known],
            "name": [self.names[i] for i in known],
            "post": [post_codes[post[i]] if post[i] >= 0 else None for i in known],
            "grade": [self.grades[i] for i in known],
            "team": [self.team_names[team[i]] for i in known],
            "lead_id": [self.ids[superior[i]] if superior[i] >= 0 else None for i in known],
            "employment": ["part_time" if self.part_time[i] else "full_time" for i in known],
            "education": [self.educations[i] for i in known],
            "city": [self.profile.cities[i] for i in city],
            "plan": [self.plans[i] for i in known],
            "base_salary": [self.salaries[i] for i in known],
            "hire_date": [date.fromordinal(int(self.hired[i])) for i in known],
            "grade_since": [date.fromordinal(int(self.grade_since[i])) for i in known],
            "leave_date": [
                date.fromordinal(int(self.left[i])) if tell else None for i, tell in zip(known, told, strict=True)
            ],
        }
        types = {"base_salary": pa.decimal128(18, 2), "hire_date": pa.date32(), "grade_since": pa.date32()}
        types["leave_date"] = pa.date32()
        return pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


def make_people(profile: Profile, plans: list[DemoPlan], agents: int, first: date, last: date, seed: int) -> People:
    """`agents` people employed on the first day, and those who join until the last, on plans (the usual one first)."""
    joined = _join_days(profile, agents, first, last, seed)
    count = agents + len(joined)
    index = np.arange(count, dtype=np.int64)
    start = first.toordinal()

    posts, team_names, teams, team_leads, above = _structure(profile, agents, count, seed)
    is_lead = np.isin(index, team_leads)
    managing = posts < 0
    plan_of = place_people(profile, plans, posts, is_lead, agents, seed)

    ranks = _ranks(profile, plans, plan_of, agents, seed)
    grade_codes, grade_shares = list(profile.grades), list(profile.grades.values())
    ranks[is_lead] = grade_codes.index(profile.lead_grade)
    skill = np.array([share.skill for share in grade_shares])[ranks] + normal(seed, "skill", index)
    skill[is_lead] = profile.lead_skill + normal(seed, "skill", index[is_lead]) / 2
    grades = [grade_codes[rank] for rank in ranks]
    for i in np.flatnonzero(is_lead):
        grades[i] = "lead" if plans[plan_of[i]].rule.leads else profile.lead_grade
    for i in np.flatnonzero(managing):
        grades[i] = "supervisor" if above[i] >= 0 else "manager"

    years = np.where(managing, 10, np.where(is_lead, 6, 1 + 1.4 * ranks))
    tenure = 60 + (uniform(seed, "tenure", index) * 365 * years).astype(np.int64)
    hired = np.where(index < agents, start - tenure, start)
    hired[agents:] = joined
    since = np.where(index < agents, hired + ((start - hired) * uniform(seed, "since", index)).astype(np.int64), hired)

    stays = is_lead | managing
    stay = (-np.log1p(-uniform(seed, "stay", index)) / max(profile.yearly_leavers, 1e-9) * 365).astype(np.int64)
    left = np.where(stays, NEVER, np.minimum(np.maximum(hired, start) + NOTICE_DAYS + stay, NEVER))
    moves = (-np.log1p(-uniform(seed, "move", index)) / max(profile.yearly_transfers, 1e-9) * 365).astype(np.int64)
    moved = np.minimum(np.maximum(hired, start) + 1 + moves, NEVER)
    moved = np.where(stays | (moved >= left), NEVER, moved)
    posts_after, teams_after = _moved_to(posts, teams, team_leads, seed)

    sales = [plans[number].rule.sales for number in plan_of]
    size = np.array([share.sales for share in grade_shares])[ranks]
    return People(
        seed=seed,
        profile=profile,
        ids=[f"E{i + 1:04d}" for i in range(count)],
        names=_names(profile, index, seed),
        is_lead=is_lead,
        above=above,
        plans=[plans[number].code for number in plan_of],
        usual_plan=plans[0].code,
        grades=grades,
        educations=_educations(profile, plans, plan_of, seed),
        salaries=_salaries(profile, plans, plan_of, grades, agents, seed),
        sales_goal=np.array([goal.target if goal else 0.0 for goal in sales]) * size,
        orders_a_day=np.array([goal.orders if goal else 0.0 for goal in sales]),
        has_target=np.array([goal is not None and goal.set for goal in sales], dtype=bool),
        skill=skill,
        hired=hired,
        left=left,
        grade_since=since,
        moved=moved,
        posts=(posts, posts_after),
        teams=(teams, teams_after),
        team_names=team_names,
        team_leads=team_leads,
        part_time=np.array([plans[number].rule.employment == "part_time" for number in plan_of]) & ~stays,
    )


def _structure(profile: Profile, agents: int, count: int, seed: int) -> tuple[Ints, list[str], Ints, Ints, Ints]:
    """Posts, names of teams, teams, team leads, and whom the leads and those above them report to.

    The first people are the manager and the supervisors, in a company that has them; they are a team of their own.
    """
    shares = [post.share for post in profile.posts.values()]
    drawn = pick(shares, uniform(seed, "join post", np.arange(agents, count)))
    managers = 0
    if agents >= profile.management.people:
        managers = 1 + max(1, round(agents / profile.team_size / profile.management.teams))
    posts = np.concatenate([np.full(managers, -1), _spread(shares, agents - managers), drawn])
    names, teams, leads = _teams(profile, posts, agents)
    above = np.full(count, -1)
    if managers:
        above[1:managers] = 0
        above[leads] = 1 + np.arange(len(leads)) % (managers - 1)
        teams[:managers] = len(names)
        names.append("管理组")
    return posts, names, teams, leads, above


def _ranks(profile: Profile, plans: list[DemoPlan], plan_of: Ints, agents: int, seed: int) -> Ints:
    """Each person's grade as an index of the profile's, of those that his plan has figures for; joiners start low."""
    codes = list(profile.grades)
    chance = uniform(seed, "grade", np.arange(len(plan_of)))
    ranks = np.zeros(len(plan_of), dtype=np.int64)
    for number, plan in enumerate(plans):
        shares = [share.share if code in plan.grades else 0.0 for code, share in profile.grades.items()]
        if not sum(shares):
            raise UsageError(f"Plan {plan.code} has figures for none of the demo's grades ({', '.join(codes)}).")
        ranks[plan_of == number] = pick(shares, chance[plan_of == number])
        lowest = next(rank for rank, share in enumerate(shares) if share)
        ranks[agents:][plan_of[agents:] == number] = lowest
    return ranks


def _educations(profile: Profile, plans: list[DemoPlan], plan_of: Ints, seed: int) -> list[str]:
    codes = list(profile.educations)
    chance = uniform(seed, "education", np.arange(len(plan_of)))
    drawn = np.zeros(len(plan_of), dtype=np.int64)
    for number, plan in enumerate(plans):
        shares = [share if code in plan.educations else 0.0 for code, share in profile.educations.items()]
        drawn[plan_of == number] = pick(shares, chance[plan_of == number])
    return [codes[i] for i in drawn]


def _salaries(
    profile: Profile, plans: list[DemoPlan], plan_of: Ints, grades: list[str], agents: int, seed: int
) -> list[Decimal | None]:
    """Base salaries, in whole hundreds of CNY within the range of plan and grade; a few left empty, or above it."""
    place = uniform(seed, "salary", np.arange(len(grades)))
    empty = uniform(seed, "no salary", np.arange(len(grades))) < profile.salaries.empty
    salaries: list[Decimal | None] = [None] * len(grades)
    ranges = [plans[number].salaries.get(grade) for number, grade in zip(plan_of, grades, strict=True)]
    for i, between in enumerate(ranges):
        if between is not None and not empty[i]:
            low, high = between
            salaries[i] = low + round(float(high - low) * place[i] / 100) * 100
    # Nobody is the only one of his plan and above the range: each plan shows a right salary too.
    later = [i for i in range(agents) if ranges[i] is not None and plan_of[i] in plan_of[:i]]
    for i in later[: profile.salaries.outside]:
        salaries[i] = ranges[i][1] + 1000
    return salaries


def _join_days(profile: Profile, agents: int, first: date, last: date, seed: int) -> Ints:
    """Days after the first on which someone joins; the gaps are random, so the list only grows with `last`."""
    a_day = agents * profile.yearly_joiners / 365
    span = (last - first) / timedelta(days=1)
    if a_day <= 0:
        return np.empty(0, dtype=np.int64)
    size = int(a_day * span * 2) + 50
    gaps = -np.log1p(-uniform(seed, "join", np.arange(size))) / a_day
    offsets = np.ceil(np.cumsum(gaps)).astype(np.int64)
    return first.toordinal() + offsets[(offsets >= 1) & (offsets <= span)]


def _spread(shares: list[float], count: int) -> Ints:
    """`count` indexes in the given shares, as even as whole people allow, in blocks."""
    edges = np.round(np.cumsum(shares) / np.sum(shares) * count)
    return np.searchsorted(edges, np.arange(count), side="right").astype(np.int64)


def _teams(profile: Profile, posts: Ints, agents: int) -> tuple[list[str], Ints, Ints]:
    """Names of the teams, each person's team, and the lead of each team (its first person)."""
    names: list[str] = []
    leads: list[int] = []
    teams = np.zeros(len(posts), dtype=np.int64)
    for number, post in enumerate(profile.posts.values()):
        founders = np.flatnonzero(posts[:agents] == number)
        if not len(founders):  # too small a company for this post: whoever joins it sits with the first team
            continue
        count = max(1, round(len(founders) / profile.team_size))
        members = np.flatnonzero(posts == number)
        teams[members] = len(names) + np.arange(len(members)) % count
        leads += [int(founders[i]) for i in range(count)]
        names += [f"{post.prefix}{i + 1}组" for i in range(count)]
    return names, teams, np.array(leads, dtype=np.int64)


def _moved_to(posts: Ints, teams: Ints, team_leads: Ints, seed: int) -> tuple[Ints, Ints]:
    """Post and team after a move: those of another person drawn by chance (often of another post)."""
    index = np.arange(len(posts))
    target = team_leads[(uniform(seed, "target", index) * len(team_leads)).astype(np.int64)]
    return posts[target], teams[target]


def _names(profile: Profile, index: Ints, seed: int) -> list[str]:
    surnames = pick([1.0] * len(profile.surnames), uniform(seed, "surname", index))
    given = pick([1.0] * len(profile.given), uniform(seed, "given", index))
    return [profile.surnames[a] + profile.given[b] for a, b in zip(surnames, given, strict=True)]
