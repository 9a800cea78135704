"""The functions of the formula language: bands, tables, proration, months, ranks and roll-ups.

Each takes the compiler and the call and gives a value. `cur` is the employee's row in the period, `m` a month's
row, `months` the months known so far, `report_months` those of all who report to somebody, directly or through others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlglot import exp

from csperf.policy.models import ATTRIBUTES, OTHER, Band
from csperf.policy.values import FormulaError, Value, add, choose, compare, constant, divide, multiply, present

if TYPE_CHECKING:
    from csperf.policy.formula import Compiler


def _arguments(node: exp.Anonymous, least: int, most: int | None = None) -> list[exp.Expression]:
    given = list(node.expressions)
    if len(given) < least or (most is not None and len(given) > most):
        wanted = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
        raise FormulaError(f"'{node.this}' takes {wanted} arguments, not {len(given)}")
    return given


def name_of(node: exp.Expression, what: str) -> str:
    """The bare name that an argument must be (`what` says of what, for the error)."""
    if not isinstance(node, exp.Column) or node.table:
        raise FormulaError(f"'{node.sql()}' must be the name of {what}")
    return node.name


def _whole(node: exp.Expression, what: str) -> int:
    if not isinstance(node, exp.Literal) or not str(node.this).isdigit() or int(str(node.this)) < 1:
        raise FormulaError(f"'{node.sql()}' must be {what}, a whole number of at least 1")
    return int(str(node.this))


MOST_MONTHS = 24
"""How far a look over months can reach back (the CTE `months` holds no more)."""


def _months(node: exp.Expression) -> int:
    months = _whole(node, "a number of months")
    if months > MOST_MONTHS:
        raise FormulaError(f"a look over months reaches back {MOST_MONTHS} months at most, not {months}")
    return months


def key_condition(compiler: Compiler, by: tuple[str, ...], keys: tuple[str, ...], given: dict[str, str]) -> str:
    """SQL that is true where the employee's attributes are these keys; `given` replaces an attribute's SQL."""
    parts = []
    for attribute, key in zip(by, keys, strict=True):
        if key == OTHER:
            continue
        sql = given.get(attribute) or compiler.names.resolve(attribute, "").numerator
        compiler.inputs[attribute] = None
        quoted = key.replace("'", "''")
        parts.append(f"{sql} = '{quoted}'")
    return " and ".join(parts) if parts else "true"


def table_value(compiler: Compiler, figure: str, given: dict[str, str]) -> Value:
    """A figure's number for the employee's attributes; absent where the table has no row for them."""
    by, cells = compiler.names.cells(figure)
    compiler.inputs[figure] = None
    branches = []
    for keys, number in cells:
        if not isinstance(number, Decimal):
            raise FormulaError(f"'{figure}' is a scale of bands; write band({figure}, measure)")
        if not by:
            return constant(number)
        branches.append((Value(f"({key_condition(compiler, by, keys, given)})", kind="truth"), constant(number)))
    return choose(branches, None)


def band_condition(value: Value, band: Band) -> str:
    """SQL that is true where the value lies in the band."""
    parts = [present(value)]
    if band.low is not None:
        parts.append(compare(value, ">=" if band.low_closed else ">", constant(band.low)).numerator)
    if band.high is not None:
        parts.append(compare(value, "<=" if band.high_closed else "<", constant(band.high)).numerator)
    return " and ".join(parts)


def band_cases(compiler: Compiler, node: exp.Anonymous) -> list[tuple[str, Band]]:
    """The conditions of a band call, each with its band."""
    figure_node, value_node = _arguments(node, 2, 2)
    figure = name_of(figure_node, "a scale of bands")
    value = compiler.number(value_node)
    by, cells = compiler.names.cells(figure)
    compiler.inputs[figure] = None
    cases = []
    for keys, bands in cells:
        if isinstance(bands, Decimal):
            raise FormulaError(f"'{figure}' has no bands; use its name alone")
        for band in bands:
            cases.append((f"({key_condition(compiler, by, keys, {})} and {band_condition(value, band)})", band))
    return cases


def _band(compiler: Compiler, node: exp.Anonymous) -> Value:
    """band(scale, value): the value of the band that the value lies in."""
    return choose(
        [(Value(condition, kind="truth"), constant(band.value)) for condition, band in band_cases(compiler, node)], None
    )


def _at(compiler: Compiler, node: exp.Anonymous) -> Value:
    """at(table, attribute): a table's number with another value in place of its last attribute."""
    figure_node, other_node = _arguments(node, 2, 2)
    figure = name_of(figure_node, "a table")
    by, _ = compiler.names.cells(figure)
    other = compiler.value(other_node)
    if not by or other.kind != "text":
        raise FormulaError(f"'{node.sql()}': at(table, attribute) wants a table by attributes and an attribute")
    return table_value(compiler, figure, {by[-1]: other.numerator})


def _prorated(compiler: Compiler, node: exp.Anonymous) -> Value:
    """prorated(amount): × active_days / calendar_days × paid_days / scheduled_days; 0 if nothing was scheduled."""
    (amount_node,) = _arguments(node, 1, 1)
    names = ("active_days", "calendar_days", "paid_days", "scheduled_days")
    active, calendar, paid, scheduled = (compiler.value(exp.column(name)) for name in names)
    share = divide(multiply(active, paid), multiply(calendar, scheduled))
    amount = compiler.number(amount_node)
    nothing = Value(f"({scheduled.numerator} = 0 and {present(amount)})", kind="truth")
    some = Value(f"({scheduled.numerator} <> 0)", kind="truth")
    return choose([(nothing, constant(Decimal(0))), (some, multiply(amount, share))], None)


def _all_met(compiler: Compiler, node: exp.Anonymous) -> Value:
    """all_met(comparison, …): true when each holds; a comparison with something absent does not hold."""
    parts = [compiler.truth(part).numerator for part in _arguments(node, 1)]
    return Value(f"(coalesce({' and '.join(parts)}, false))", kind="truth")


def _scaled_up(compiler: Compiler, node: exp.Anonymous) -> Value:
    """scaled_up(weight, value, …): the weighted sum; an absent value drops out and the other weights are scaled up."""
    given = _arguments(node, 2)
    if len(given) % 2:
        raise FormulaError("'scaled_up' takes pairs: weight, value, weight, value, …")
    zero = constant(Decimal(0))
    total: Value | None = None
    weights: Value | None = None
    for weight_node, value_node in zip(given[::2], given[1::2], strict=True):
        weight, value = compiler.number(weight_node), compiler.number(value_node)
        there = Value(f"({present(value)})", kind="truth")
        term = choose([(there, multiply(weight, value))], zero)
        share = choose([(there, weight)], zero)
        total = term if total is None else add(total, "+", term)
        weights = share if weights is None else add(weights, "+", share)
    assert total is not None and weights is not None
    return divide(total, weights)


def _monthly(compiler: Compiler) -> Compiler:
    return replace(compiler, names=compiler.names.monthly(), parted=False)


def _window(months: int) -> str:
    return f"m.employee_id = cur.employee_id and m.month_no between cur.month_no - {months - 1} and cur.month_no"


def _months_met(compiler: Compiler, node: exp.Anonymous) -> Value:
    """months_met(n, comparison): in how many of the last n months (this one included) it holds."""
    count_node, truth_node = _arguments(node, 2, 2)
    months = _months(count_node)
    truth = _monthly(compiler).truth(truth_node).numerator
    return Value(f"cast((select count(*) from months as m where {_window(months)} and {truth}) as decimal(38,0))")


def _over_months(compiler: Compiler, node: exp.Anonymous) -> tuple[Value, str]:
    """The value inside a look over months, and the part of a query that finds the months."""
    count_node, value_node = _arguments(node, 2, 2)
    months = _months(count_node)
    value = _monthly(compiler).number(value_node)
    if value.denominator is not None:
        raise FormulaError(f"the value inside {node.this} must not divide; give it a measure of its own")
    return value, f"from months as m where {_window(months)}"


def _sum_and_count(value: Value, found: str) -> tuple[Value, Value]:
    return (
        Value(f"cast((select sum({value.numerator}) {found}) as decimal(38,{value.scale}))", value.scale),
        Value(f"cast((select count({value.numerator}) {found}) as decimal(38,0))"),
    )


def _due(compiler: Compiler, node: exp.Anonymous) -> Value:
    """due(months): 1 when the period's last month ends a stretch of so many months of the year (3, 6, 12), else 0."""
    (months_node,) = _arguments(node, 1, 1)
    months = compiler.number(months_node)
    if months.denominator is not None:
        raise FormulaError("the months in due(…) must be a number or a figure")
    return Value(
        f"cast(case when cur.month_no % cast({months.numerator} as integer) = 0 then 1 "
        f"when {months.numerator} is not null then 0 end as decimal(38,0))"
    )


def _months_mean(compiler: Compiler, node: exp.Anonymous) -> Value:
    """months_mean(n, value): the mean over those of the last n months in which the value is there."""
    return divide(*_sum_and_count(*_over_months(compiler, node)))


def _months_sum(compiler: Compiler, node: exp.Anonymous) -> Value:
    """months_sum(n, value): the sum over the last n months; absent when the value is in none of them."""
    return _sum_and_count(*_over_months(compiler, node))[0]


def _quarters_mean(compiler: Compiler, node: exp.Anonymous) -> Value:
    """quarters_mean(n, measure): the mean over those of the last n quarters in which the quarter's measure is there."""
    count_node, measure_node = _arguments(node, 2, 2)
    quarters = _whole(count_node, "a number of quarters")
    measure = name_of(measure_node, "a quarter's measure")
    compiler.names.resolve(measure, "quarter")
    # As with months: a quarter on another plan has no such measure, though that plan may have one of the same name.
    value = Value(f"cast(case when q.plan = cur.plan then q.{measure} end as decimal(38,6))", 6)
    found = (
        "from quarters as q where q.employee_id = cur.employee_id "
        f"and q.month_no between cur.month_no - {3 * quarters - 1} and cur.month_no"
    )
    return divide(*_sum_and_count(value, found))


def _marginal(compiler: Compiler, node: exp.Anonymous) -> Value:
    """marginal(scale, amount): each part of the amount at the rate of its own band."""
    figure_node, amount_node = _arguments(node, 2, 2)
    figure = name_of(figure_node, "a scale of bands")
    amount = compiler.number(amount_node)
    by, cells = compiler.names.cells(figure)
    if by:
        raise FormulaError(f"'{figure}': marginal wants a scale that is the same for all")
    compiler.inputs[figure] = None
    total: Value | None = None
    for _, bands in cells:
        for band in () if isinstance(bands, Decimal) else bands:
            if band.low is None:
                continue
            above = Value(f"({compare(amount, '>', constant(band.low)).numerator})", kind="truth")
            top = amount
            if band.high is not None:
                whole = Value(f"({compare(amount, '>=', constant(band.high)).numerator})", kind="truth")
                top = choose([(whole, constant(band.high))], amount)
            part = multiply(add(top, "-", constant(band.low)), constant(band.value))
            part = choose([(above, part)], constant(Decimal(0)))
            total = part if total is None else add(total, "+", part)
    if total is None:
        raise FormulaError(f"'{figure}' has no band that starts at a number")
    return choose([(Value(f"({present(amount)})", kind="truth"), total)], None)


def _previous(compiler: Compiler, node: exp.Anonymous) -> Value:
    """previous(measure): its value in the month before; absent where there is none."""
    (value_node,) = _arguments(node, 1, 1)
    value = _monthly(compiler).number(value_node)
    where = "m.employee_id = cur.employee_id and m.month_no = cur.month_no - 1"
    return Value(
        f"cast((select max({value.numerator}) from months as m where {where}) as decimal(38,{value.scale}))",
        value.scale,
    )


def _partition(compiler: Compiler, nodes: list[exp.Expression]) -> list[str]:
    parts = []
    for node in nodes:
        attribute = name_of(node, "an attribute")
        if attribute not in ATTRIBUTES:
            raise FormulaError(f"'{attribute}' is no attribute; the attributes are {', '.join(ATTRIBUTES)}")
        parts.append(compiler.value(node).numerator)
    return parts


def _over(compiler: Compiler, within: list[exp.Expression]) -> str:
    by = ", ".join(_partition(compiler, within))
    return f"over (partition by {by})" if by else "over ()"


def _measure(compiler: Compiler, node: exp.Expression) -> Value:
    """A measure by its bare name, or a quarter's or year's: what ranks and roll-ups are taken of."""
    if not isinstance(node, exp.Column):
        raise FormulaError(f"'{node.sql()}' must be the name of a measure; give the formula a measure of its own")
    return compiler.number(node)


def _rank_of(compiler: Compiler, node: exp.Anonymous) -> Value:
    """rank_of(measure, attribute, …): place among the plan's members with equal attributes; ties share the better."""
    value_node, *within = _arguments(node, 1)
    value = _measure(compiler, value_node)
    by = ", ".join([*_partition(compiler, within), f"({value.numerator} is null)"])
    rank = f"rank() over (partition by {by} order by {value.numerator} desc)"
    return Value(f"cast(case when {value.numerator} is not null then {rank} end as decimal(38,0))")


def _group_mean(compiler: Compiler, node: exp.Anonymous) -> Value:
    """group_mean(measure, attribute, …): the mean over the employees with equal attributes, rounded to 6 places."""
    value_node, *within = _arguments(node, 1)
    value = _measure(compiler, value_node)
    over = _over(compiler, within)
    mean = divide(
        Value(f"cast(sum({value.numerator}) {over} as decimal(38,{value.scale}))", value.scale),
        Value(f"cast(count({value.numerator}) {over} as decimal(38,0))"),
    )
    return Value(mean.rounded(6), 6)


def _group_max(compiler: Compiler, node: exp.Anonymous) -> Value:
    """group_max(measure, attribute, …): the highest value among the employees with equal attributes."""
    value_node, *within = _arguments(node, 1)
    value = _measure(compiler, value_node)
    over = _over(compiler, within)
    return Value(f"max({value.numerator}) {over}", value.scale)


def _reports_mean(compiler: Compiler, node: exp.Anonymous) -> Value:
    """reports_mean(measure): the mean over all who report to the employee, directly or through others."""
    (value_node,) = _arguments(node, 1, 1)
    measure = name_of(value_node, "a measure")
    value = replace(_monthly(compiler), inputs={}).number(value_node)
    where = "from report_months as m where m.lead_id_above = cur.employee_id and m.month_no = cur.month_no"
    compiler.inputs[f"reports.{measure}"] = None
    mean = divide(
        Value(f"cast((select sum({value.numerator}) {where}) as decimal(38,{value.scale}))", value.scale),
        Value(f"cast((select count({value.numerator}) {where}) as decimal(38,0))"),
    )
    return Value(mean.rounded(6), 6)


FUNCTIONS: dict[str, Callable[[Compiler, exp.Anonymous], Value]] = {
    "all_met": _all_met,
    "at": _at,
    "band": _band,
    "due": _due,
    "group_max": _group_max,
    "group_mean": _group_mean,
    "marginal": _marginal,
    "months_mean": _months_mean,
    "months_met": _months_met,
    "months_sum": _months_sum,
    "previous": _previous,
    "prorated": _prorated,
    "quarters_mean": _quarters_mean,
    "rank_of": _rank_of,
    "reports_mean": _reports_mean,
    "scaled_up": _scaled_up,
}
