"""The least and the most that a line of a pay component can be: as its plan states it, else as its formula gives it.

A closing is stopped by a line outside (see `csperf.gate`). What a formula can give is reckoned by intervals, never too
narrow (`csperf.policy.ranges`), from what measures can be without a ruling: a granted delta may lift a share above 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlglot import exp

from csperf.policy.compile import MONEY_PLACES
from csperf.policy.expanding import Expanded
from csperf.policy.formula import parse
from csperf.policy.intervals import rounded
from csperf.policy.models import Component
from csperf.policy.problems import Problem
from csperf.policy.ranges import Ranges
from csperf.policy.values import FormulaError

LIMITS = ("least", "most")


@dataclass(frozen=True)
class Bounds:
    """The least and the most a line can be (None: no end is known), and which of them the plan states itself."""

    least: Decimal | None
    most: Decimal | None
    stated: frozenset[str]


def ranges_of(versions: Sequence[Expanded], catalogue: Mapping[str, Mapping[str, Any]]) -> dict[int, Ranges]:
    """The ranges of all versions, by the version's `id`."""
    everyone: dict[str, list[Ranges]] = defaultdict(list)
    found = {}
    for expanded in versions:
        mended = {keys[3] for keys in expanded.reading.mended if keys[2:3] == ("figures",) and len(keys) > 3}
        found[id(expanded)] = Ranges(expanded.version, catalogue, everyone, frozenset(mended))
        for name, measure in expanded.version.measures.items():
            if measure.everyone:
                everyone[name].append(found[id(expanded)])
    return found


def bounds(ranges: Ranges) -> dict[str, Bounds]:
    """The bounds of each component of a version."""
    return {name: _bounds(component, ranges) for name, component in ranges.version.components.items()}


def _bounds(component: Component, ranges: Ranges) -> Bounds:
    given = rounded(ranges.of(component.formula), MONEY_PLACES)
    least, most = (_end(component, key, ranges) for key in LIMITS)
    stated = frozenset(key for key, end in zip(LIMITS, (least, most), strict=True) if end is not None)
    return Bounds(given.low if least is None else least, given.high if most is None else most, stated)


def _end(component: Component, key: str, ranges: Ranges) -> Decimal | None:
    text = getattr(component, key)
    if text is None:
        return None
    found = rounded(ranges.of(text), MONEY_PLACES)
    return found.low if key == "least" else found.high


def wrong_limits(expanded: Expanded, ranges: Ranges) -> Iterator[Problem]:
    """What is wrong with the least and the most that a version states."""
    for name, component in expanded.version.components.items():
        for key in LIMITS:
            text, place = getattr(component, key), ("components", name, key)
            if text is None:
                continue
            try:
                read = {column.name for column in parse(text).find_all(exp.Column)}
            except FormulaError as error:
                yield from expanded.problem(place, str(error))
                continue
            other = sorted(read - expanded.version.figures.keys())
            if other:
                reason = f"'{other[0]}' is no figure of the plan; '{key}' is reckoned from numbers and figures alone"
                yield from expanded.problem(place, reason)
            elif _end(component, key, ranges) is None:
                yield from expanded.problem(place, f"'{text}' has no end that is known; name a number or a figure")
        least, most = (_end(component, key, ranges) for key in LIMITS)
        if least is not None and most is not None and least > most:
            reason = f"the least ({least}) is above the most ({most}); swap or mend them"
            yield from expanded.problem(("components", name, "least"), reason)
