"""Whether what a formula reads is there in the period whose values it reads: of a month, quarter or year."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlglot import exp

from csperf.policy.expanding import Expanded
from csperf.policy.formula import parse
from csperf.policy.formulas import PAY, TIERS, formulas
from csperf.policy.problems import Problem
from csperf.policy.values import FormulaError

_OVER_MONTHS = {
    "months_met": 1,
    "months_mean": 1,
    "months_sum": 1,
    "previous": 0,
    "reports_mean": 0,
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
            for reason in dict.fromkeys(_wrong(expanded, node, reads, periods, catalogue, False, ())):
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


def _wrong(
    expanded: Expanded,
    node: exp.Expression,
    reads: str,
    periods: Mapping[str, set[str]],
    catalogue: Mapping[str, Any],
    months: bool,
    terms: tuple[str, ...],
) -> Iterator[str]:
    rows = "month" if months else _ROWS.get(reads, reads)
    reader = _READER.get(reads, f"a measure of a {reads}")
    if isinstance(node, exp.Column):
        name, table = node.name, node.table
        text = None if table else expanded.version.terms.get(name)
        if text is not None and name not in terms:
            try:
                inner = parse(text)
            except FormulaError:
                return
            yield from _wrong(expanded, inner, reads, periods, catalogue, months, (*terms, name))
        elif table and (months or rows != "month"):
            what = "a look over months" if months else reader
            instead = f"; write '{name}' alone" if table == rows else ""
            yield f"'{table}.{name}' cannot be read by {what}, which has the {rows}'s values{instead}"
        elif table and reads != PAY and name not in catalogue:
            yield f"'{table}.{name}': {reader} reads only measures of the catalogue from another period"
        else:
            wanted = table or rows
            if name in periods and name not in catalogue and wanted not in periods[name]:
                have = " and ".join(sorted(periods[name]))
                yield f"'{name}' is a measure of the {have}, and the {wanted}'s is read here; {_remedy(name, wanted)}"
        return
    if isinstance(node, exp.Anonymous):
        call = str(node.this).lower()
        for place, argument in enumerate(node.expressions):
            if call == "quarters_mean" and place == 1:
                name = argument.name
                if "quarter" not in periods.get(name, ()):
                    yield f"quarters_mean reads a measure of the plan with 'period: quarter', and '{name}' is none"
                continue
            look = months or (call in _OVER_MONTHS and place == _OVER_MONTHS[call])
            yield from _wrong(expanded, argument, reads, periods, catalogue, look, terms)
        return
    for child in node.iter_expressions():
        yield from _wrong(expanded, child, reads, periods, catalogue, months, terms)


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
