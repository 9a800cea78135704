"""The people of the made-up company: who they are, when they come, move and go, and what HR delivers of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from csperf.demo.chance import Flags, Floats, Ints, normal, pick, uniform
from csperf.demo.profile import Profile

NEVER = date(9999, 1, 1).toordinal()
NOTICE_DAYS = 20  # how long before it HR learns that someone leaves


@dataclass(frozen=True)
class People:
    """One entry a person in every array. Days are ordinals, NEVER where there is none.

    `posts` and `teams` are indexes, before and after the person's move on day `moved`.
    """

    seed: int
    profile: Profile
    ids: list[str]
    names: list[str]
    is_lead: Flags
    grades: list[str]
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
        education = pick([0.25, 0.35, 0.35, 0.05], uniform(self.seed, "education", known))
        city = pick([1.0] * len(self.profile.cities), uniform(self.seed, "city", known))
        told = self.left[known] - NOTICE_DAYS <= day.toordinal()
        lead = self.team_leads[team[known]]
        columns: dict[str, list[object]] = {
            "employee_id": [self.ids[i] for i in known],
            "name": [self.names[i] for i in known],
            "post": [post_codes[post[i]] for i in known],
            "grade": [self.grades[i] for i in known],
            "team": [self.team_names[team[i]] for i in known],
            "lead_id": [None if i == of else self.ids[of] for i, of in zip(known, lead, strict=True)],
            "employment": ["part_time" if self.part_time[i] else "full_time" for i in known],
            "education": [("high_school", "college", "bachelor", "master")[i] for i in education],
            "city": [self.profile.cities[i] for i in city],
            "plan": [self.profile.plan] * len(known),
            "base_salary": [None] * len(known),
            "hire_date": [date.fromordinal(int(self.hired[i])) for i in known],
            "grade_since": [date.fromordinal(int(self.grade_since[i])) for i in known],
            "leave_date": [
                date.fromordinal(int(self.left[i])) if tell else None for i, tell in zip(known, told, strict=True)
            ],
        }
        types = {"base_salary": pa.decimal128(18, 2), "hire_date": pa.date32(), "grade_since": pa.date32()}
        types["leave_date"] = pa.date32()
        return pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


def make_people(profile: Profile, agents: int, first: date, last: date, seed: int) -> People:
    """`agents` people employed on the first day, and those who join until the last."""
    joined = _join_days(profile, agents, first, last, seed)
    count = agents + len(joined)
    index = np.arange(count, dtype=np.int64)
    start = first.toordinal()

    shares = [post.share for post in profile.posts.values()]
    posts = np.concatenate([_spread(shares, agents), pick(shares, uniform(seed, "join post", index[agents:]))])
    team_names, teams, team_leads = _teams(profile, posts, agents)
    is_lead = np.isin(index, team_leads)

    grade_codes = list(profile.grades)
    grade = pick([share.share for share in profile.grades.values()], uniform(seed, "grade", index))
    grade[agents:] = grade_codes.index("trial") if "trial" in grade_codes else 0
    grade[is_lead] = len(grade_codes) - 1
    skill = np.array([share.skill for share in profile.grades.values()])[grade] + normal(seed, "skill", index)
    skill[is_lead] = profile.lead_skill + normal(seed, "skill", index[is_lead]) / 2

    tenure = 60 + (uniform(seed, "tenure", index) * 365 * np.where(is_lead, 6, 1 + 1.4 * grade)).astype(np.int64)
    hired = np.where(index < agents, start - tenure, start)
    hired[agents:] = joined
    since = np.where(index < agents, hired + ((start - hired) * uniform(seed, "since", index)).astype(np.int64), hired)

    stay = (-np.log1p(-uniform(seed, "stay", index)) / max(profile.yearly_leavers, 1e-9) * 365).astype(np.int64)
    left = np.where(is_lead, NEVER, np.minimum(np.maximum(hired, start) + NOTICE_DAYS + stay, NEVER))
    moves = (-np.log1p(-uniform(seed, "move", index)) / max(profile.yearly_transfers, 1e-9) * 365).astype(np.int64)
    moved = np.minimum(np.maximum(hired, start) + 1 + moves, NEVER)
    moved = np.where(is_lead | (moved >= left), NEVER, moved)
    posts_after, teams_after = _moved_to(posts, teams, team_leads, seed)

    return People(
        seed=seed,
        profile=profile,
        ids=[f"E{i + 1:04d}" for i in range(count)],
        names=_names(profile, index, seed),
        is_lead=is_lead,
        grades=[grade_codes[i] for i in grade],
        skill=skill,
        hired=hired,
        left=left,
        grade_since=since,
        moved=moved,
        posts=(posts, posts_after),
        teams=(teams, teams_after),
        team_names=team_names,
        team_leads=team_leads,
        part_time=~is_lead & (uniform(seed, "part time", index) < profile.part_time_share),
    )


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
