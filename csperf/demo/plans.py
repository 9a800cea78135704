"""The plans that people of the made-up company may be on, as the plan library has them on its first day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from csperf.demo.chance import Flags, Ints, pick, uniform
from csperf.demo.profile import PlanRule, Profile
from csperf.errors import UsageError
from csperf.policy.library import LoadedPlan, default_plan
from csperf.policy.models import ATTRIBUTES, OTHER, Version


@dataclass(frozen=True)
class DemoPlan:
    """A plan with the profile's rule for it, the grades and educations it has figures for, and its salary ranges."""

    code: str
    rule: PlanRule
    grades: frozenset[str]
    educations: frozenset[str]
    salaries: Mapping[str, tuple[Decimal, Decimal]]


def plans_of(profile: Profile, library: Mapping[str, LoadedPlan], first: date) -> list[DemoPlan]:
    """The plans in force on the first day, the one that most people are on first; only that one if the profile says so.

    A UsageError when the profile names a plan or a figure that the library has not.
    """
    for code in [*profile.plans, *([profile.plan] if profile.plan else [])]:
        if code not in library:
            raise UsageError(f"The demo profile names plan '{code}', which there is not; see csperf policy list.")
    usual = profile.plan or default_plan(library).plan.plan
    codes = [usual] if profile.plan else [usual, *sorted(set(library) - {usual})]
    found = []
    for code in codes:
        version = library[code].version_on(first)
        if version is not None:
            found.append(_demo_plan(code, profile.plans.get(code, profile.other_plan), version))
        elif code == usual:
            raise UsageError(f"Plan {code}, which the demo's people are on, is not in force yet on {first}.")
    return found


def _demo_plan(code: str, rule: PlanRule, version: Version) -> DemoPlan:
    grades = _known(version, "grade")
    if version.tiers is not None:
        grades &= {grade for track in version.tiers.all_tracks().values() for grade in track}
    salaries = {}
    if rule.salary is not None:
        for name in rule.salary:
            if name not in version.figures or version.figures[name].by != ("grade",):
                raise UsageError(f"The demo profile names the figure '{name}' by grade, which plan {code} has not.")
        low, high = (
            {keys[0]: value for keys, value in version.figures[name].cells() if isinstance(value, Decimal)}
            for name in rule.salary
        )
        salaries = {grade: (low[grade], high[grade]) for grade in low.keys() & high.keys()}
    return DemoPlan(code, rule, frozenset(grades), frozenset(_known(version, "education")), salaries)


def _known(version: Version, attribute: str) -> set[str]:
    """The codes of an attribute for which every table of the plan by it has an entry."""
    known = set(ATTRIBUTES[attribute])
    for figure in version.figures.values():
        if attribute in figure.by:
            place = figure.by.index(attribute)
            named = {keys[place] for keys, _ in figure.cells()}
            known &= known if OTHER in named else named
    return known


def place_people(profile: Profile, plans: list[DemoPlan], posts: Ints, is_lead: Flags, agents: int, seed: int) -> Ints:
    """The plan of each person, as an index of `plans`; those above the leads have the post -1.

    The first `agents` people are dealt to the plans by their shares, the later ones drawn one by one.
    """
    index = np.arange(len(posts))
    least = int(agents >= profile.all_plans_from)
    placed = np.zeros(len(posts), dtype=np.int64)
    free = (index < agents) & ~is_lead & (posts >= 0)
    leads = is_lead.copy()
    for number, plan in enumerate(plans[1:], 1):
        order = np.argsort(uniform(seed, f"plan {plan.code}", index), kind="stable")
        fits = free & _has_post(profile, plan, posts)
        chosen = order[fits[order]][: max(least, int(plan.rule.share * agents))]
        free[chosen] = False
        if plan.rule.leads:
            of_leads = order[leads[order]][: max(least, int(plan.rule.leads * is_lead.sum()))]
            leads[of_leads] = False
            chosen = np.concatenate([chosen, of_leads])
        placed[chosen] = number
    managing = [number for number, plan in enumerate(plans) if plan.rule.leads]
    if managing:
        above = np.flatnonzero(posts < 0)
        placed[above] = np.resize(managing, len(above))
    shares = [plan.rule.share for plan in plans[1:]]
    drawn = pick([max(0.0, 1 - sum(shares)), *shares], uniform(seed, "join plan", index[agents:]))
    for number, plan in enumerate(plans):
        drawn[(drawn == number) & ~_has_post(profile, plan, posts[agents:])] = 0
    placed[agents:] = drawn
    return placed


def _has_post(profile: Profile, plan: DemoPlan, posts: Ints) -> Flags:
    codes = list(profile.posts)
    return np.isin(posts, [codes.index(code) for code in plan.rule.posts if code in codes])
