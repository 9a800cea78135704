"""Whether what a formula reads is there in the period whose values it reads: of a month, quarter or year."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from csperf.policy.expanding import Expanded
from csperf.policy.formula import parse
from csperf.policy.formulas import PAY, TIERS, formulas
from csperf.policy.models import Version
from csperf.policy.problems import Problem
from csperf.policy.values import FormulaError

_OVER_MONTHS = {
    "months_met": 1,
    "months_mean": 1,
    "months_sum": 1,
    "reports_mean": 0,
    "previous": 0,
}
"""Functions that read months' values, and the argument in which they do."""

_ROWS = {PAY: "month", TIERS: "quarter"}
_READER = {PAY: "a component", TIERS: "a tier rule"}


def wrong_periods(expanded: Expanded, versions: Sequence[Expanded], catalogue: Mapping[str, Any]) -> Iterator[Problem]:
    """Measures that a formula reads and that are not reckoned for the period it looks at."""
    if not expanded.is_plan and not expanded.version.measures:
        return
    periods = _periods(expanded, versions)
    for formula in formulas(expanded.version):
        node = formula.node()
        if node is None:
            continue
        for reads in formula.reads:
            reader = _Reader(expanded.version, periods, catalogue, reads)
            for reason in dict.fromkeys(reader.wrong(node)):
                yield from expanded.problem(formula.keys, reason)
        if formula.keys[0] == "components":
            yield from _paid_when(expanded, formula.keys, node)


def _periods(expanded: Expanded, versions: Sequence[Expanded]) -> dict[str, set[str]]:
    """The periods of each derived measure that may be read: the version's own, and those for everyone."""
    found: dict[str, set[str]] = defaultdict(set)
    for other in versions:
        for name, measure in other.version.measures.items():
            if measure.everyone or other is expanded:
                found[name] |= set(measure.period)
    return found


@dataclass(frozen=True)
class _Reader:
    """Who reads: a measure of a month, quarter or year, a component, a tier rule.

    `look` is the function over months that it reads inside of, `terms` are those that are open.
    """

    version: Version
    periods: Mapping[str, set[str]]
    catalogue: Mapping[str, Any]
    reads: str
    look: str = ""
    terms: tuple[str, ...] = ()

    @property
    def rows(self) -> str:
        """The period whose values a bare name stands for."""
        return "month" if self.look else _ROWS.get(self.reads, self.reads)

    def wrong(self, node: exp.Expression) -> Iterator[str]:
        if isinstance(node, exp.Column):
            yield from self._column(node.name, node.table)
        elif isinstance(node, exp.Anonymous):
            yield from self._call(str(node.this).lower(), node.expressions)
        else:
            for child in node.iter_expressions():
                yield from self.wrong(child)

    def _call(self, call: str, arguments: Sequence[exp.Expression]) -> Iterator[str]:
        for place, argument in enumerate(arguments):
            if call == "quarters_mean" and place == 1:
                yield from self._over_quarters(argument.name)
            elif _OVER_MONTHS.get(call) == place:
                yield from replace(self, look=call).wrong(argument)
            else:
                yield from self.wrong(argument)

    def _over_quarters(self, name: str) -> Iterator[str]:
        if "quarter" not in self.periods.get(name, ()):
            yield f"quarters_mean reads a measure of the plan with 'period: quarter', and '{name}' is none"
        if self.reads in ("month", "quarter"):
            yield f"a measure of a {self.reads} cannot look over quarters; a measure of a year and a component can"

    def _column(self, name: str, table: str) -> Iterator[str]:
        text = None if table else self.version.terms.get(name)
        if text is not None:
            if name not in self.terms:
                yield from self._term(name, text)
            return
        derived = name in self.periods and name not in self.catalogue
        reader = _READER.get(self.reads, f"a measure of a {self.reads}")
        wanted = table or self.rows
        if table and (self.look or self.rows != "month"):
            what = "a look over months" if self.look else reader
            instead = f"; write '{name}' alone" if table == self.rows else ""
            yield f"'{table}.{name}' cannot be read by {what}, which has the {self.rows}'s values{instead}"
        elif table and self.reads != PAY and derived:
            yield f"'{table}.{name}': {reader} reads only measures of the catalogue from another period"
        elif derived and wanted not in self.periods[name]:
            have = " and ".join(sorted(self.periods[name]))
            yield f"'{name}' is a measure of the {have}, and the {wanted}'s is read here; {_remedy(name, wanted)}"
        elif derived and self.reads == "month" and self.look not in ("", "previous"):
            told = f"{self.look} would find no '{name}' of this month, which is only being reckoned"
            yield f"{told}; look over it in a component, a tier rule or a measure of a quarter"

    def _term(self, name: str, text: str) -> Iterator[str]:
        try:
            node = parse(text)
        except FormulaError:
            return
        yield from replace(self, terms=(*self.terms, name)).wrong(node)


def _remedy(name: str, wanted: str) -> str:
    count = {"quarter": 3, "year": 12}.get(wanted)
    mean = f"write months_mean({count}, {name}), or " if count else ""
    return f"{mean}add {wanted} to its period"


def _paid_when(expanded: Expanded, keys: tuple[str, ...], node: exp.Expression) -> Iterator[Problem]:
    """A component that reads a quarter's or year's value and is paid more often than there is one."""
    often = ("month", "quarter", "year")
    frequency = expanded.version.components[keys[1]].frequency
    for table in dict.fromkeys(column.table for column in node.find_all(exp.Column) if column.table in often):
        if often.index(table) > often.index(frequency):
            told = f"the {table}'s value is there in its last month only, and this is paid each {frequency}"
            yield from expanded.problem(keys, f"{told}; set 'frequency: {table}'", warning=True)
