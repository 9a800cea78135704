"""What only shows when a plan is looked at as a whole: scales against what they are asked for, levels, ladders, figures
that nothing reads, values that are not there in the period that is read.

An error is a plan that would pay or decide wrongly, or not at all, on some row; a warning what is likely unmeant.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlglot import exp

from csperf.policy.bounds import ranges_of, wrong_limits
from csperf.policy.expanding import Expanded
from csperf.policy.figures import Band, Figure
from csperf.policy.formula import show
from csperf.policy.formulas import calls, formulas
from csperf.policy.intervals import TIGHT, UNKNOWN, Range
from csperf.policy.periods import wrong_periods
from csperf.policy.problems import Problem
from csperf.policy.ranges import Ranges

Catalogue = Mapping[str, Mapping[str, Any]]
Place = tuple[str, int, str]
"""Where a figure stands: file, version, name."""


def check_versions(versions: Sequence[Expanded], catalogue: Catalogue, before: Sequence[Problem]) -> Iterator[Problem]:
    """The problems of all plans and shared parts together, beside those found `before`."""
    ranges = ranges_of(versions, catalogue)
    asked: dict[Place, list[_Asked]] = defaultdict(list)
    for expanded in versions:
        for use in _asked_scales(expanded, ranges[id(expanded)]):
            reading, number = expanded.origin("figures", use.figure)
            asked[str(reading.path), number, use.figure].append(use)
        yield from _levels(expanded, ranges[id(expanded)])
        yield from wrong_limits(expanded, ranges[id(expanded)])
        yield from _tiers(expanded)
        yield from wrong_periods(expanded, versions, catalogue)
    for uses in asked.values():
        yield from _scale(uses)
    yield from _unused(versions, [problem.reason for problem in before])
    yield from _everyone_in_force(versions)


# ---- scales ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A scale asked for a value: by which formula, and what the value can be."""

    expanded: Expanded
    figure: str
    subject: str
    range: Range
    whole_scale: bool
    """Whether a value outside the bands is absent (a marginal scale just stops)."""

    def scale(self) -> Figure:
        return self.expanded.version.figures[self.figure]


def _asked_scales(expanded: Expanded, ranges: Ranges) -> Iterator[_Asked]:
    for formula in formulas(expanded.version):
        node = formula.node()
        for call in calls(node, "band", "marginal") if node is not None else ():
            if len(call.expressions) != 2 or not isinstance(call.expressions[0], exp.Column):
                continue
            figure, subject = call.expressions
            entry = expanded.version.figures.get(figure.name)
            if entry is not None and entry.bands is not None:
                whole = str(call.this).lower() == "band"
                yield _Asked(expanded, figure.name, show(subject), ranges.range(subject), whole)


def _scale(uses: list[_Asked]) -> Iterator[Problem]:
    """Bands that no value reaches in any use, and values that a use can have and no band holds."""
    first = uses[0]
    figure = first.scale()
    for keys, bands in figure.cells():
        if isinstance(bands, Decimal):
            continue
        for band in bands:
            if not any(use.range.trust == UNKNOWN or use.range.reaches(band) for use in uses):
                place = ("figures", first.figure, *_written(figure, keys, band))
                yield from first.expanded.problem(place, _never(band, first))
        for use in uses:
            missed = use.range.missed(bands) if use.whole_scale and use.range.trust != UNKNOWN else None
            if missed is not None:
                words, example = missed
                reason = f"'{use.subject}' {words}, which no band holds: say what it gives there, like \"{example}\": 0"
                place = ("figures", first.figure, *_written(figure, keys, None))
                yield from use.expanded.problem(place, reason, warning=use.range.trust < TIGHT)


def _never(band: Band, use: _Asked) -> str:
    listed = use.range.listed()
    if listed is not None:
        return f"band {band} holds none of the numbers of '{use.subject}': {', '.join(map(_plain, listed))}"
    low, high = use.range.low, use.range.high
    above = high is not None and band.low is not None and band.low >= high
    below = low is not None and band.high is not None and band.high <= low
    if use.range.whole and not above and not below:
        return f"band {band} holds no whole number, and '{use.subject}' is counted in whole numbers"
    ends = [f"at least {low}"] if low is not None else []
    ends += [f"at most {high}"] if high is not None else []
    return f"band {band} is never reached: '{use.subject}' is {' and '.join(ends)}"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _written(figure: Figure, keys: tuple[str, ...], band: Band | None) -> tuple[str, ...]:
    """The keys in the file that lead to a row of a scale, and on to a band of it."""
    place: tuple[str, ...] = ("bands",)
    node: Any = figure.bands
    for key in keys:
        text = next((t for t in node if key in (part.strip() for part in str(t).split(","))), None)
        if text is None:  # a grade that reads another's row
            return place
        place, node = (*place, str(text)), node[text]
    if band is not None:
        place = (*place, next(str(text) for text, value in node.items() if Band.parse(str(text), value) == band))
    return place


# ---- levels, ladders -------------------------------------------------------------------------------------------


def _levels(expanded: Expanded, ranges: Ranges) -> Iterator[Problem]:
    for name, measure in expanded.version.measures.items():
        place = ("measures", name)
        if measure.unit != "level":
            if measure.levels:
                yield from expanded.problem((*place, "levels"), "only a measure with 'unit: level' has levels")
            continue
        if not measure.levels:
            yield from expanded.problem(place, f"'{name}' is a level measure and names no levels")
            continue
        codes = [level.code for level in measure.levels.values()]
        for code in {code for code in codes if codes.count(code) > 1}:
            yield from expanded.problem((*place, "levels"), f"the code '{code}' stands for two levels")
        found = ranges.of(measure.formula)
        listed = found.listed()
        if found.trust == UNKNOWN:
            continue
        if listed is None:
            reason = f"the formula may give numbers that are no level of '{name}'; band(…) or floor gives whole ones"
            yield from expanded.problem((*place, "formula"), reason, warning=True)
            continue
        nameless = [number for number in listed if number not in measure.levels]
        if nameless:
            reason = f"'{name}' may be {', '.join(map(_plain, nameless))}, which has no level"
            yield from expanded.problem((*place, "formula"), reason, warning=found.trust < TIGHT)
        for number, level in measure.levels.items():
            if number not in listed:
                given = ", ".join(map(_plain, listed))
                reason = f"level {number} ({level.code}) is never given: the formula gives {given}"
                yield from expanded.problem((*place, "levels", str(number)), reason, warning=True)


def _tiers(expanded: Expanded) -> Iterator[Problem]:
    """Rules that no rule before them leaves anything to, and tables that lack a grade of the ladder."""
    tiers = expanded.version.tiers
    if tiers is None or not expanded.is_plan:
        return
    grades = [grade for track in tiers.all_tracks().values() for grade in track]
    open_grades = set(grades)
    for number, rule in enumerate(tiers.rules):
        moved = set(tiers.moves(number))
        if not moved & open_grades:
            why = "the rules above it always decide" if moved else "it moves no grade of the ladder"
            place = ("tiers", "rules", str(number))
            yield from expanded.problem(place, f"the rule is never tried: {why}", warning=True)
        if not rule.conditions and rule.contest is None:
            open_grades -= moved
    for name, figure in expanded.version.figures.items():
        if "grade" not in figure.by:
            continue
        at = figure.by.index("grade")
        there = {keys[at] for keys, _ in figure.cells()}
        missing = [grade for grade in grades if grade not in there]
        if missing:
            told = f"the table has nothing for {', '.join(missing)}, which the ladder of {expanded.code} has"
            yield from expanded.problem(("figures", name), f"{told}: it is absent there", warning=True)


# ---- what nothing reads, what is not there -----------------------------------------------------------------------


def _words(content: Any) -> Iterator[str]:
    """The names in all texts below, except in those that people read."""
    if isinstance(content, str):
        yield from re.findall(r"[a-z][a-z0-9_]*", content)
    elif isinstance(content, dict):
        for key, child in content.items():
            if key not in ("figures", "labels", "reason", "levels"):
                yield from _words(child)
    elif isinstance(content, list | tuple):
        for child in content:
            yield from _words(child)


def _unused(versions: Sequence[Expanded], reasons: Sequence[str]) -> Iterator[Problem]:
    """Figures and terms that nothing reads, in the file where they stand or in a plan that uses it.

    Not those that are only misspelt where they are read, by the `reasons` of problems found before.
    """
    read: dict[tuple[str, int], set[str]] = defaultdict(set)
    owners = {}
    for expanded in versions:
        own = (str(expanded.reading.path), expanded.number)
        owners[own] = expanded
        words = set(_words(expanded.version.model_dump()))
        places = {own, *((str(reading.path), number) for reading, number in expanded.origins.values())}
        for place in places:
            read[place] |= words
        read[own] |= set(_words(expanded.written.model_dump()))
    for own, expanded in owners.items():
        for kind, what in (("figures", "figure"), ("terms", "term")):
            for name in getattr(expanded.written, kind):
                meant = any(f"did you mean '{name}'?" in reason for reason in reasons)
                if name not in read[own] and not meant:
                    yield from expanded.problem((kind, name), f"nothing reads the {what} '{name}'", warning=True)


def _everyone_in_force(versions: Sequence[Expanded]) -> Iterator[Problem]:
    """A measure for everyone must be in force wherever a plan reads it."""
    owners: dict[str, list[Expanded]] = defaultdict(list)
    for expanded in versions:
        for name, measure in expanded.version.measures.items():
            if measure.everyone:
                owners[name].append(expanded)
    for expanded in versions:
        if not expanded.is_plan:
            continue
        for formula in formulas(expanded.version):
            node = formula.node()
            for name in dict.fromkeys(column.name for column in node.find_all(exp.Column)) if node is not None else ():
                start = expanded.version.effective_from
                first = min((owner.version.effective_from for owner in owners.get(name, ())), default=start)
                if name not in expanded.version.measures and first > start:
                    reason = f"'{name}' is reckoned from {first} on, and this version is in force from {start}"
                    yield from expanded.problem(formula.keys, reason)
