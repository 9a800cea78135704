"""Which numbers a formula can give, so that a scale can be told to miss some of them or to have bands for none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from sqlglot import exp

from csperf.policy.compile import MEASURE_PLACES, MONEY_PLACES, SCORE
from csperf.policy.figures import Figure
from csperf.policy.formula import parse
from csperf.policy.intervals import (
    ONE,
    TIGHT,
    UNKNOWN,
    WIDE,
    ZERO,
    Range,
    base_range,
    combined,
    mean,
    negated,
    rounded,
    times,
    union,
)
from csperf.policy.models import Version
from csperf.policy.values import FormulaError


@dataclass
class Ranges:
    """The ranges of one plan version's formulas. `catalogue` are the base measures, `everyone` the versions that reckon
    a measure for everyone; of `unknown` figures nothing is told."""

    version: Version
    catalogue: Mapping[str, Mapping[str, Any]]
    everyone: Mapping[str, list[Ranges]]
    unknown: frozenset[str] = frozenset()
    _known: dict[str, Range] = field(default_factory=dict)

    def of(self, text: str) -> Range:
        """What a formula can give."""
        try:
            return self.range(parse(text))
        except FormulaError:
            return Range()

    def named(self, name: str) -> Range:
        """What a measure, term or figure can be."""
        if name not in self._known:
            self._known[name] = Range()  # what reads itself, through the month before, say, may be anything
            self._known[name] = self._named(name)
        return self._known[name]

    def figure(self, name: str) -> Range:
        entry = self.version.figures.get(name)
        return Range() if entry is None or name in self.unknown else Range.of(numbers(entry))

    def range(self, node: exp.Expression) -> Range:
        handler = _HANDLERS.get(type(node))
        return handler(self, node) if handler is not None else Range()

    def _named(self, name: str) -> Range:
        version = self.version
        if name in version.terms:
            return self.of(version.terms[name])
        if name in self.catalogue:
            return base_range(self.catalogue[name])
        if name in version.measures:
            return rounded(self.of(version.measures[name].formula), MEASURE_PLACES)
        if name in version.components:  # what other components are reckoned on
            return replace(rounded(self.of(version.components[name].formula), MONEY_PLACES), trust=WIDE)
        if name in self.everyone:
            return union(owner.named(name) for owner in self.everyone[name])
        if name in version.figures:
            return self.figure(name)
        if name == SCORE and version.scorecard.score is not None:
            return self.named(version.scorecard.score)
        return {"base_salary": Range(ZERO, trust=WIDE), "grade_decided": Range.of([ZERO, ONE])}.get(name, Range())

    def _literal(self, node: exp.Literal) -> Range:
        return Range() if node.is_string else Range.of([Decimal(str(node.this))])

    def _pair(self, node: exp.Expression) -> tuple[Range, Range, int]:
        """Both sides, and how far their result is to be trusted: two measures may hang together."""
        left, right = self.range(node.this), self.range(node.expression)
        trust = min(left.trust, right.trust, TIGHT if left.single or right.single else WIDE)
        return left, right, trust

    def _sum(self, node: exp.Add | exp.Sub) -> Range:
        left, right, trust = self._pair(node)
        if isinstance(node, exp.Sub):
            right = negated(right)
        listed = combined(left, right, lambda a, b: a + b, trust)
        if listed is not None:
            return listed
        low = None if left.low is None or right.low is None else left.low + right.low
        high = None if left.high is None or right.high is None else left.high + right.high
        return Range(low, high, left.whole and right.whole, None, trust)

    def _product(self, node: exp.Mul) -> Range:
        left, right, trust = self._pair(node)
        return combined(left, right, lambda a, b: a * b, trust) or times(left, right, trust)

    def _quotient(self, node: exp.Div) -> Range:
        left, right, trust = self._pair(node)
        if right.single and ZERO not in (right.values or ()):
            listed = combined(left, right, lambda a, b: a / b, trust)
            return listed or replace(times(left, right, trust, lambda a, b: a / b), whole=False)
        if right.low is not None and right.low >= 0:  # by anything from nearly 0 to very much
            return replace(times(left, Range(ZERO), min(trust, WIDE)), whole=False)
        return Range(trust=min(trust, WIDE))

    def _extreme(self, node: exp.Greatest | exp.Least) -> Range:
        found = [self.range(part) for part in (node.this, *node.expressions)]
        choose = max if isinstance(node, exp.Greatest) else min
        # One end is the chosen of all ends; an open end wins upwards in greatest, downwards in least.
        lows, highs = [item.low for item in found], [item.high for item in found]
        known_lows = [low for low in lows if low is not None]
        known_highs = [high for high in highs if high is not None]
        greatest = choose is max
        low = choose(known_lows) if known_lows and (greatest or len(known_lows) == len(lows)) else None
        high = choose(known_highs) if known_highs and (not greatest or len(known_highs) == len(highs)) else None
        trust = min(item.trust for item in found)
        if trust == UNKNOWN and (low is not None or high is not None):
            trust = WIDE
        if all(item.single for item in found):
            return Range.of([choose(value for item in found for value in item.values or ())], trust)
        return Range(low, high, all(item.whole for item in found), None, trust)

    def _floor(self, node: exp.Floor) -> Range:
        found = self.range(node.this)
        low, high = (None if end is None else end.to_integral_value("ROUND_FLOOR") for end in (found.low, found.high))
        return Range(low, high, True, None, found.trust)

    def _round(self, node: exp.Round) -> Range:
        found = self.range(node.this)
        return replace(found, values=None, whole=node.args.get("decimals") is None or found.whole)

    def _coalesce(self, node: exp.Coalesce) -> Range:
        return union(self.range(part) for part in (node.this, *node.expressions))

    def _case(self, node: exp.Case) -> Range:
        chosen = [branch.args["true"] for branch in node.args["ifs"]]
        chosen += [node.args["default"]] if node.args.get("default") is not None else []
        # What a branch gives is limited by its condition, which is not looked at.
        return union(
            (item if item.single else replace(item, trust=min(item.trust, WIDE))) for item in map(self.range, chosen)
        )

    def _call(self, node: exp.Anonymous) -> Range:
        given = list(node.expressions)
        handler = _CALLS.get(str(node.this).lower())
        return handler(self, given) if handler is not None and given else Range()


def numbers(figure: Figure) -> list[Decimal]:
    """All numbers of a figure."""
    found: list[Decimal] = []
    for _, leaf in figure.cells():
        found += [leaf] if isinstance(leaf, Decimal) else [band.value for band in leaf]
    return found


def _first(ranges: Ranges, given: list[exp.Expression]) -> Range:
    return ranges.range(given[0])


def _last(ranges: Ranges, given: list[exp.Expression]) -> Range:
    return ranges.range(given[-1])


def _scaled_up(ranges: Ranges, given: list[exp.Expression]) -> Range:
    weights = [ranges.range(weight) for weight in given[::2]]
    if any(weight.low is None or weight.low < 0 for weight in weights):
        return Range()
    return mean(union(ranges.range(value) for value in given[1::2]))


def _of_figure(ranges: Ranges, given: list[exp.Expression]) -> Range:
    return ranges.figure(given[0].name)


def _prorated(ranges: Ranges, given: list[exp.Expression]) -> Range:
    return replace(times(ranges.range(given[0]), Range(ZERO, ONE), UNKNOWN), trust=ranges.range(given[0]).trust)


def _months(ranges: Ranges, given: list[exp.Expression]) -> int:
    return int(str(given[0].this)) if isinstance(given[0], exp.Literal) and str(given[0].this).isdigit() else 0


def _months_met(ranges: Ranges, given: list[exp.Expression]) -> Range:
    return Range(ZERO, Decimal(_months(ranges, given)), True, None, TIGHT)


def _months_sum(ranges: Ranges, given: list[exp.Expression]) -> Range:
    found, months = ranges.range(given[-1]), Decimal(_months(ranges, given))
    low = None if found.low is None else min(found.low, found.low * months)
    high = None if found.high is None else max(found.high, found.high * months)
    return replace(found, low=low, high=high, values=None)


def _marginal(ranges: Ranges, given: list[exp.Expression]) -> Range:
    rates = ranges.figure(given[0].name)
    return Range(ZERO, None, trust=WIDE) if rates.low is not None and rates.low >= 0 else Range()


_CALLS: dict[str, Callable[[Ranges, list[exp.Expression]], Range]] = {
    "at": _of_figure,
    "band": _of_figure,
    "prorated": _prorated,
    "scaled_up": _scaled_up,
    "months_met": _months_met,
    "months_mean": lambda ranges, given: mean(_last(ranges, given)),
    "months_sum": _months_sum,
    "quarters_mean": lambda ranges, given: mean(_last(ranges, given)),
    "marginal": _marginal,
    "due": lambda ranges, given: Range.of([ZERO, ONE]),
    "previous": _first,
    "rank_of": lambda ranges, given: Range(ONE, None, True, None, TIGHT),
    "group_max": _first,
    "group_mean": lambda ranges, given: mean(_first(ranges, given)),
    "reports_mean": lambda ranges, given: mean(_first(ranges, given)),
}
"""Functions that are not here may give anything."""

_HANDLERS: dict[type[exp.Expression], Callable[[Ranges, Any], Range]] = {
    exp.Literal: Ranges._literal,
    exp.Column: lambda ranges, node: ranges.named(node.name),
    exp.Paren: lambda ranges, node: ranges.range(node.this),
    exp.Neg: lambda ranges, node: negated(ranges.range(node.this)),
    exp.Add: Ranges._sum,
    exp.Sub: Ranges._sum,
    exp.Mul: Ranges._product,
    exp.Div: Ranges._quotient,
    exp.Greatest: Ranges._extreme,
    exp.Least: Ranges._extreme,
    exp.Floor: Ranges._floor,
    exp.Round: Ranges._round,
    exp.Coalesce: Ranges._coalesce,
    exp.Case: Ranges._case,
    exp.Anonymous: Ranges._call,
}
