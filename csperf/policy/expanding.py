"""A plan version with what it uses filled in, and where each of its entries was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from csperf.policy.models import Part, Plan, SharedPart, Version
from csperf.policy.problems import Problem, close, nearest
from csperf.policy.reading import Reading

KINDS = ("figures", "terms", "measures", "components")
SINGLE = ("tiers", "review", "base", "scorecard", "sampling")

Origin = tuple[Reading[Any], int]
"""A file and the number of one of its versions."""


@dataclass(frozen=True)
class Expanded:
    """A version as it is computed, from its day to `end`.

    Of a plan it has what it uses filled in; of a shared part it is what is reckoned for everyone. `origins` tells the
    file and version of what is not written in the version itself, by kind and name (single things without a name).
    """

    reading: Reading[Any]
    number: int
    version: Version
    end: date
    origins: Mapping[tuple[str, str], Origin]

    @property
    def is_plan(self) -> bool:
        return isinstance(self.reading.model, Plan)

    @property
    def code(self) -> str:
        """The code of the plan or shared part."""
        model = self.reading.model
        return model.plan if isinstance(model, Plan) else str(getattr(model, "shared", ""))

    @property
    def written(self) -> Part:
        """The version as it stands in its file."""
        assert self.reading.model is not None
        written: Part = self.reading.model.versions[self.number]
        return written

    def origin(self, kind: str, name: str = "") -> Origin:
        """Where an entry was written."""
        return self.origins.get((kind, name), (self.reading, self.number))

    def problem(self, keys: tuple[str, ...], reason: str, warning: bool = False) -> Iterator[Problem]:
        """A problem at the place where it was written; none when it only follows from another one."""
        reading, number = self.origin(keys[0], keys[1] if keys[0] in KINDS else "")
        keys = ("versions", str(number), *keys)
        if reading.document is not None and not reading.follows_from_another(keys, reason):
            yield reading.document.problem(keys, reason, warning)


def expand(parts: list[Reading[SharedPart]], plans: list[Reading[Plan]], problems: list[Problem]) -> list[Expanded]:
    """The versions of all plans and, of shared parts, those that are reckoned for everyone; mistakes go to
    `problems`."""
    expander = _Expander(parts, plans, problems)
    found = [
        Expanded(part, number, _common(version), _end(part.model.versions, number), {})
        for part in parts
        if part.model
        for number, version in enumerate(part.model.versions)
    ]
    return found + [version for plan in plans for version in expander.versions(plan)]


def _end(versions: tuple[Part, ...], number: int) -> date:
    return versions[number + 1].effective_from if number + 1 < len(versions) else date.max


def _common(part: Part) -> Version:
    """Of a shared part what is reckoned for everyone, as a version of its own."""
    measures = {name: measure for name, measure in part.measures.items() if measure.everyone}
    return Version(effective_from=part.effective_from, figures=part.figures, terms=part.terms, measures=measures)


@dataclass(frozen=True)
class _Used:
    """A version of something that is used, with where its entries were written."""

    part: Part
    origin: Origin
    origins: Mapping[tuple[str, str], Origin]


class _Expander:
    """Plans with what they use filled in; what a plan says itself goes before what it uses, in the order named."""

    def __init__(self, parts: list[Reading[SharedPart]], plans: list[Reading[Plan]], problems: list[Problem]) -> None:
        self.parts = {part.model.shared: part for part in parts if part.model}
        self.plans = {plan.model.plan: plan for plan in plans if plan.model}
        readings: list[Reading[Any]] = [*parts, *plans]
        self.unread = {reading.path.stem for reading in readings if reading.model is None}
        self.problems = problems
        self.done: dict[int, list[Expanded]] = {}
        self.open: tuple[str, ...] = ()

    def versions(self, plan: Reading[Plan]) -> list[Expanded]:
        """A plan's versions; one that uses a part which changes within its time is cut at that date."""
        if plan.model is None:
            return []
        if id(plan) not in self.done:
            self.open = (*self.open, plan.model.plan)
            self.done[id(plan)] = [
                expanded
                for number, version in enumerate(plan.model.versions)
                for expanded in self._cut(plan, number, version, _end(plan.model.versions, number))
            ]
            self.open = self.open[:-1]
        return self.done[id(plan)]

    def _cut(self, plan: Reading[Plan], number: int, version: Version, end: date) -> Iterator[Expanded]:
        used = [self._used(plan, number, version, code) for code in version.uses]
        if any(found is None for found in used):  # which names are unknown only because of that cannot be told
            return
        changes = {one.part.effective_from for found in used for one in found or ()}
        starts = sorted({version.effective_from} | {day for day in changes if version.effective_from < day < end})
        for start, until in zip(starts, [*starts[1:], end], strict=True):
            begun = [[one for one in found or () if one.part.effective_from <= start] for found in used]
            yield _merged(plan, number, version, [found[-1] for found in begun if found], start, until)

    def _used(self, plan: Reading[Plan], number: int, version: Version, code: str) -> list[_Used] | None:
        """The versions of what a plan uses; None when they cannot be told, for a reason that was reported."""
        known = [*self.parts, *self.plans]
        if code in self.unread and code not in self.parts:
            return None
        if code not in known:
            rest = f"; there are {', '.join(known)}"
            self._report(plan, number, f"there is no shared part or plan '{code}'{nearest(code, known, rest)}")
            code = close(code, known) or ""
        part = self.parts.get(code)
        if part is not None and part.model is not None:
            found = [_Used(one, (part, place), {}) for place, one in enumerate(part.model.versions)]
        elif code in self.open:
            self._report(plan, number, f"'{code}' uses itself: {' → '.join((*self.open, code))}")
            return None
        elif code in self.plans:
            others = self.versions(self.plans[code])
            found = [_Used(other.version, (other.reading, other.number), other.origins) for other in others]
        else:
            return None
        if found and found[0].part.effective_from > version.effective_from:
            late = f"'{code}' begins on {found[0].part.effective_from}, later than this version"
            self._report(plan, number, f"{late} ({version.effective_from}), which would be without it till then")
        return found or None

    def _report(self, plan: Reading[Plan], number: int, reason: str) -> None:
        assert plan.document is not None
        self.problems.append(plan.document.problem(("versions", str(number), "uses"), reason))


def _merged(plan: Reading[Plan], number: int, version: Version, used: list[_Used], start: date, end: date) -> Expanded:
    filled: dict[str, Any] = {"effective_from": start}
    origins: dict[tuple[str, str], Origin] = {}
    for kind in KINDS:
        # The plan's own components come first in the extract; a measure for everyone stays with its owner.
        names = dict(getattr(version, kind))
        for one in used:
            for name, entry in getattr(one.part, kind).items():
                if name not in names and not (kind == "measures" and entry.everyone):
                    names[name] = entry
                    origins[kind, name] = one.origins.get((kind, name), one.origin)
        filled[kind] = names
    for kind in SINGLE:
        said = next((one for one in used if kind in one.part.model_fields_set), None)
        if said is not None and kind not in version.model_fields_set:
            filled[kind] = getattr(said.part, kind)
            origins[kind, ""] = said.origins.get((kind, ""), said.origin)
    return Expanded(plan, number, version.model_copy(update=filled), end, origins)
