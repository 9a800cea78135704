"""All formulas of a plan version with their places, and what each of them reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from csperf.policy.formula import parse
from csperf.policy.models import Version
from csperf.policy.values import FormulaError

PAY, TIERS = "pay", "tiers"


@dataclass(frozen=True)
class Formula:
    """A formula of a version: the keys to it, its text, and whose values it reads.

    `reads` is the period of a derived measure (month, quarter, year), PAY (a month's row with quarter and year beside
    it), TIERS (a quarter's), or empty for a term, which is read where it is named.
    """

    keys: tuple[str, ...]
    text: str
    reads: tuple[str, ...]

    def node(self) -> exp.Expression | None:
        """The formula as read; None when it cannot be read, which is reported elsewhere."""
        try:
            return parse(self.text)
        except FormulaError:
            return None


def formulas(version: Version) -> Iterator[Formula]:
    """The formulas in the order of the file's kinds."""
    for name, text in version.terms.items():
        yield Formula(("terms", name), text, ())
    for name, measure in version.measures.items():
        yield Formula(("measures", name, "formula"), measure.formula, measure.period)
    for name, component in version.components.items():
        for key in ("formula", "base", "rate", "quantity"):
            text = getattr(component, key)
            if text is not None:
                yield Formula(("components", name, key), text, (PAY,))
    if version.base is not None:
        yield Formula(("base",), version.base, (PAY,))
    if version.review is not None:
        yield Formula(("review", "raise_share"), version.review.raise_share, (PAY,))
    for number, rule in enumerate(version.tiers.rules if version.tiers else ()):
        keys = ("tiers", "rules", str(number))
        for condition in rule.conditions:
            yield Formula((*keys, "conditions", condition.name, "value"), condition.value, (TIERS,))
            yield Formula((*keys, "conditions", condition.name, "threshold"), condition.threshold, (TIERS,))
        if rule.contest is not None:
            yield Formula((*keys, "contest", "by"), rule.contest.by, (TIERS,))


def calls(node: exp.Expression, *names: str) -> Iterator[exp.Anonymous]:
    """The calls of these functions in a formula."""
    for call in node.find_all(exp.Anonymous):
        if str(call.this).lower() in names:
            yield call
