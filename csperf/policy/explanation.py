"""The text beside a figure: its formula written out with the numbers it was reckoned with.

`total_points * point_value` becomes `total_points 512.5 × point_value 0.5`; of a case only the branch that was
taken is written, of a scale of bands the band that was met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from csperf.policy.functions import band_cases
from csperf.policy.values import Value

if TYPE_CHECKING:
    from csperf.policy.formula import Compiler

_SIGNS: dict[type[exp.Expression], str] = {
    exp.Add: " + ",
    exp.Sub: " − ",
    exp.Mul: " × ",
    exp.Div: " ÷ ",
    exp.EQ: " = ",
    exp.NEQ: " ≠ ",
    exp.GT: " > ",
    exp.GTE: " ≥ ",
    exp.LT: " < ",
    exp.LTE: " ≤ ",
    exp.And: " and ",
    exp.Or: " or ",
}


def explain(compiler: Compiler, node: exp.Expression) -> str:
    """SQL of the text for one formula."""
    return f"concat({', '.join(_parts(compiler, node))})"


def _text(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


def _number(value: Value) -> str:
    return f"policy.text_of({value.rounded(6)})"


def _named(compiler: Compiler, node: exp.Expression, label: str) -> list[str]:
    value = compiler.value(node)
    if value.kind == "text":
        return [_text(f"{label} "), f"coalesce({value.numerator}, '–')"]
    return [_text(f"{label} "), _number(value)]


def _parts(compiler: Compiler, node: exp.Expression) -> list[str]:
    if type(node) in _SIGNS:
        return [
            *_parts(compiler, node.this),
            _text(_SIGNS[type(node)]),
            *_parts(compiler, node.expression),
        ]
    if isinstance(node, exp.Paren):
        return [_text("("), *_parts(compiler, node.this), _text(")")]
    if isinstance(node, exp.Column):
        return _named(compiler, node, f"{node.table}.{node.name}" if node.table else node.name)
    if isinstance(node, exp.Literal):
        return [_text(str(node.this))]
    if isinstance(node, exp.Case):
        return [_case(compiler, node)]
    if isinstance(node, exp.Greatest | exp.Least):
        word = "greatest" if isinstance(node, exp.Greatest) else "least"
        return [_text(f"{word}("), *_listed(compiler, [node.this, *node.expressions]), _text(")")]
    if isinstance(node, exp.Anonymous):
        return _call(compiler, node)
    if isinstance(node, exp.Not):
        return [_text("not "), *_parts(compiler, node.this)]
    return [_text(node.sql(dialect="duckdb"))]


def _listed(compiler: Compiler, nodes: list[exp.Expression]) -> list[str]:
    parts: list[str] = []
    for place, node in enumerate(nodes):
        parts += [*([_text(", ")] if place else []), *_parts(compiler, node)]
    return parts


def _case(compiler: Compiler, node: exp.Case) -> str:
    whens = []
    for branch in node.args["ifs"]:
        shown = explain(compiler, branch.args["true"])
        because = explain(compiler, branch.this)
        whens.append(f"when {compiler.truth(branch.this).numerator} then concat({shown}, ' because ', {because})")
    default = node.args.get("default")
    otherwise = f" else {explain(compiler, default)}" if default is not None else ""
    return f"case {' '.join(whens)}{otherwise} end"


def _call(compiler: Compiler, node: exp.Anonymous) -> list[str]:
    name = str(node.this).lower()
    if name == "band":
        figure, subject = node.expressions
        whens = " ".join(
            f"when {condition} then {_text(f' in {band} → {band.value}')}"
            for condition, band in band_cases(compiler, node)
        )
        return [_text(f"{figure.name}: "), *_parts(compiler, subject), f"case {whens} else ' in no band' end"]
    if name == "prorated":
        days: list[str] = []
        for left, sign, right in (("active_days", "/", "calendar_days"), ("paid_days", "/", "scheduled_days")):
            days += [_text(" × "), *_named(compiler, exp.column(left), left), _text(sign)]
            days += _named(compiler, exp.column(right), right)
        return [_text("("), *_parts(compiler, node.expressions[0]), _text(")"), *days]
    value = compiler.value(node)
    shown = f"case when {value.numerator} then 'yes' else 'no' end" if value.kind == "truth" else _number(value)
    return [_text(f"{node.sql(dialect='duckdb').lower()} "), shown]
