"""What other plans would pay: months computed by the plans in force and by those of a folder, beside each other.

Both computations run in one scratch home on the records of now. The landed rows, the grades and the pay published are
the same in both, so the difference is the plans' alone: of a closed month it is what a correction would put down to
the cause `policy`. All months are computed in their order, for a later one may read what an earlier one stored.
Nothing in CSPERF_HOME is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from csperf import warehouse
from csperf.changes import plan_changes
from csperf.datasets import DATASETS
from csperf.errors import UsageError
from csperf.landing import partitions
from csperf.periods import Month
from csperf.policy.commands import check_plans, verdict
from csperf.policy.library import Library, load_plans, plans_digest
from csperf.progress import Progress, silent
from csperf.published import RETRO_PREFIX
from csperf.replay import replay
from csperf.settings import Settings
from csperf.storage import home_lock

CONTRIBUTION = "contribution"
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Person:
    """Who somebody is in a month."""

    employee_id: str
    name: str | None
    team: str | None
    plan: str | None


@dataclass(frozen=True)
class Line:
    """A pay line by both: empty where that side has no such line."""

    month: str
    person: Person
    component: str
    group: str
    before: Decimal | None
    after: Decimal | None

    @property
    def difference(self) -> Decimal:
        return (self.after or ZERO) - (self.before or ZERO)


@dataclass(frozen=True)
class Decision:
    """A grade decision that would come out otherwise, in words (`promote to senior from 2026-10-01`), with the why."""

    quarter: str
    person: Person
    grade: str | None
    before: str
    after: str
    reason: str | None


@dataclass(frozen=True)
class Unpaid:
    """What the other plans cannot pay until roster or plan is mended, and those in force can."""

    month: str
    person: Person
    component: str
    reason: str


@dataclass(frozen=True)
class MonthState:
    """How far a month is: its newest published revision, the last day landed of it, whether that is its last one.

    `otherwise` counts whom the plans in force would pay otherwise today than was published, `by` how much gross pay.
    """

    month: str
    revision: int | None
    landed_until: date | None
    complete: bool
    otherwise: int
    by: Decimal


@dataclass(frozen=True)
class Simulation:
    """The months by the plans in force (before) and by those of a folder (after).

    `plans` says by plan how it differs. `plans_gone` counts by plan the people on one that the folder's plans lack.
    """

    directory: Path
    digests: tuple[str, str]
    plans: Mapping[str, str]
    warnings: tuple[str, ...]
    months: tuple[MonthState, ...]
    lines: tuple[Line, ...]
    decisions: tuple[Decision, ...]
    unpaid: tuple[Unpaid, ...]
    plans_gone: Mapping[str, int]


# ---- adding up --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Total:
    """An amount by both."""

    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return self.after - self.before


@dataclass(frozen=True)
class Sums:
    """Lines added up: the gross pay, the contributions apart from it, and for how many gross pay is more or less."""

    people: int
    better: int
    worse: int
    gross: Total
    contributions: Total


def add_up(lines: Iterable[Line]) -> Sums:
    """Lines as sums, each line counted once."""
    sums = {True: [ZERO, ZERO], False: [ZERO, ZERO]}
    gains: dict[str, Decimal] = {}
    for line in lines:
        apart = line.group == CONTRIBUTION
        sums[apart][0] += line.before or ZERO
        sums[apart][1] += line.after or ZERO
        gain = ZERO if apart else line.difference
        gains[line.person.employee_id] = gains.get(line.person.employee_id, ZERO) + gain
    better, worse = sum(gain > 0 for gain in gains.values()), sum(gain < 0 for gain in gains.values())
    return Sums(len(gains), better, worse, Total(*sums[False]), Total(*sums[True]))


def by(lines: Iterable[Line], key: Callable[[Line], str]) -> dict[str, list[Line]]:
    """Lines by what they have in common, in its order."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(key(line), []).append(line)
    return dict(sorted(found.items()))


# ---- computing --------------------------------------------------------------------------------------------------


def simulate(
    settings: Settings, first: Month, last: Month, directory: Path, progress: Progress | None = None
) -> Simulation:
    """Compute months by the plans in force and by those of a folder that would stand in CSPERF_POLICY_DIR.

    CSPERF_HOME is locked meanwhile. UsageError when a month has no data or the plans are the same; CsperfError with
    the sentences of `csperf policy check` when one of the folder's plans has a mistake.
    """
    told = progress or silent
    plans, others, warnings = _plans(settings, directory)
    _check_landed(settings, first, last)
    with home_lock(settings), replay(settings, from_nothing=not settings.warehouse_path.is_file()) as scratch:
        told("simulate the plans in force", 0, 2)
        built = scratch.build_now(settings.policy_dir, progress)
        before, months = _computed(built, first, last), _months(built, first, last)
        told(f"simulate the plans in {directory}", 1, 2)
        after = _computed(scratch.build_now(directory.resolve(), progress), first, last)
        told(f"simulate the plans in {directory}", 2, 2)
    people = before.people | after.people
    on_gone: dict[str, set[str]] = {}
    for person in people.values():
        if person.plan in plans and person.plan not in others:
            on_gone.setdefault(str(person.plan), set()).add(person.employee_id)
    return Simulation(
        directory,
        (plans_digest(plans), plans_digest(others)),
        _plans_told(plans, others, list(first.until(last))),
        warnings,
        months,
        tuple(_lines(before, after, people)),
        tuple(_decisions(before, after, people)),
        tuple(
            Unpaid(month, people[month, who], component, after.unpaid[month, who, component])
            for month, who, component in sorted({*after.unpaid} - {*before.unpaid})
        ),
        {plan: len(found) for plan, found in sorted(on_gone.items())},
    )


def _plans(settings: Settings, directory: Path) -> tuple[Library, Library, tuple[str, ...]]:
    """The plans in force, those of the folder, and what `csperf policy check` warns of in these alone."""
    problems = check_plans(settings, directory)
    if not any(path for place in (directory, directory / "shared") for path in place.glob("*.yaml")):
        raise UsageError(f"There is no plan (*.yaml) in {directory}.")
    verdict(problems)
    plans = load_plans(settings)
    others = load_plans(settings.model_copy(update={"policy_dir": directory.resolve()}))
    if plans_digest(plans) == plans_digest(others):
        raise UsageError(f"The plans in {directory} say the same as those in force; there is nothing to compare.")
    known = set(map(str, check_plans(settings)))
    return plans, others, tuple(told for told in map(str, problems) if told not in known)


def _check_landed(settings: Settings, first: Month, last: Month) -> None:
    days = [part.business_date for part in partitions(settings) if _counts(part.dataset) and part.path is not None]
    landed = set(Month.of(min(days)).until(Month.of(max(days)))) if days else set()
    missing = [str(month) for month in first.until(last) if month not in landed]
    if missing:
        have = f"there is {min(landed)} to {max(landed)}" if landed else f"nothing is landed in {settings.home}"
        raise UsageError(f"There is no landed data of {', '.join(missing)} ({have}); see csperf status.")


def _counts(dataset: str) -> bool:
    return DATASETS[dataset].kind == "daily"


def _plans_told(plans: Library, others: Library, months: Sequence[Month]) -> dict[str, str]:
    """How each plan differs: in the versions in force in the months, or only besides these."""
    told: dict[str, list[str]] = {}
    for month in months:
        for code, words in plan_changes(plans, others, month.last_day).items():
            told.setdefault(code, []).append(words)
    for code in {*plans, *others}:
        was, is_now = plans.plans.get(code), others.plans.get(code)
        if was is None or is_now is None:
            told[code] = ["is gone" if was else "is new"]
        elif code not in told and was.plan != is_now.plan:
            told[code] = ["differs, but not in a version in force at the end of these months"]
    for code in {*plans.parts, *others.parts}:
        part, other = plans.parts.get(code), others.parts.get(code)
        if part is None or other is None:
            told[f"shared/{code}"] = ["is gone" if part else "is new"]
        elif part.part != other.part:
            told[f"shared/{code}"] = ["differs"]
    return {code: "; ".join(dict.fromkeys(words)) for code, words in sorted(told.items())}


@dataclass(frozen=True)
class _Computed:
    """What one build says of the months: people by month and id, the rest by month (quarter), id and what it is."""

    people: dict[tuple[str, str], Person]
    lines: dict[tuple[str, str, str, str], Decimal]
    decisions: dict[tuple[str, str], tuple[str | None, str, str | None]]
    unpaid: dict[tuple[str, str, str], str]


def _computed(settings: Settings, first: Month, last: Month) -> _Computed:
    months = [str(first), str(last)]
    ends = [str(month) for month in first.until(last) if month.number % 3 == 0]
    with warehouse.connect(settings, read_only=True) as con:
        people = con.execute(
            "select period, employee_id, name, team, plan from measures.period_wide "
            "where period_kind = 'month' and period between ? and ?",
            months,
        ).fetchall()
        lines = con.execute(
            "select pay_month, employee_id, component, component_group, sum(amount)::decimal(18,2) "
            "from payroll.computed_lines where pay_month between ? and ? group by all",
            months,
        ).fetchall()
        decisions = con.execute(
            "select strftime(month_start, '%Y-%m'), employee_id, grade_before, "
            "if(decision in ('promote', 'demote'), concat(decision, ' to ', grade_after, ' from ', effective_from), "
            "replace(decision, '_', ' ')), reason "
            "from tiers.computed_decisions where strftime(month_start, '%Y-%m') in (select unnest(?::varchar[]))",
            [ends],
        ).fetchall()
        unpaid = con.execute(
            "select month, employee_id, component, min(reason) from payroll.unpaid where month between ? and ? "
            "group by all",
            months,
        ).fetchall()
    return _Computed(
        {(month, who): Person(who, *rest) for month, who, *rest in people},
        {(month, who, component, group): amount for month, who, component, group, amount in lines},
        {(month, who): (grade, words, reason) for month, who, grade, words, reason in decisions},
        {(month, who, component): reason for month, who, component, reason in unpaid},
    )


def _lines(before: _Computed, after: _Computed, people: Mapping[tuple[str, str], Person]) -> Iterator[Line]:
    for key in sorted({*before.lines, *after.lines}):
        month, who, component, group = key
        yield Line(month, people[month, who], component, group, before.lines.get(key), after.lines.get(key))


def _decisions(before: _Computed, after: _Computed, people: Mapping[tuple[str, str], Person]) -> Iterator[Decision]:
    for key in sorted({*before.decisions, *after.decisions}):
        month, who = key
        grade, was, _ = before.decisions.get(key, (None, "none", None))
        grade_now, is_now, reason = after.decisions.get(key, (None, "none", None))
        if was != is_now:
            person = people.get(key, Person(who, None, None, None))
            yield Decision(str(Month.parse(month).quarter), person, grade or grade_now, was, is_now, reason)


def _months(settings: Settings, first: Month, last: Month) -> tuple[MonthState, ...]:
    with warehouse.connect(settings, read_only=True) as con:
        return tuple(_month(con, month) for month in first.until(last))


_PUBLISHED = """
    with newest as (
        select max(revision) as revision from published.payroll_runs where status = 'published' and pay_month = $month
    ), paid as (
        select employee_id, component, component_group, amount from published.pay_lines join newest using (revision)
        where pay_month = $month and not starts_with(component, $prefix)
    ), today as (
        select employee_id, component, component_group, amount from payroll.computed_lines where pay_month = $month
    ), otherwise as (
        select employee_id, coalesce(today.amount, 0) - coalesce(paid.amount, 0) as difference,
            component_group <> 'contribution' as in_gross
        from paid full outer join today using (employee_id, component, component_group)
        where coalesce(today.amount, 0) <> coalesce(paid.amount, 0)
    )
    select (select revision from newest), count(distinct employee_id),
        coalesce(sum(difference) filter (in_gross), 0)::decimal(18,2)
    from otherwise
"""


def _month(con: duckdb.DuckDBPyConnection, month: Month) -> MonthState:
    daily = [name for name in DATASETS if _counts(name)]
    (newest, until) = con.execute(
        "select max(business_date), max(business_date) filter (business_date between ? and ?) "
        "from control.partitions where list_contains(?, dataset)",
        [month.first_day, month.last_day, daily],
    ).fetchall()[0]
    (revision, otherwise, difference) = con.execute(
        _PUBLISHED, {"month": str(month), "prefix": RETRO_PREFIX}
    ).fetchall()[0]
    if revision is None:
        otherwise, difference = 0, ZERO
    return MonthState(str(month), revision, until, newest >= month.last_day, otherwise, difference)
