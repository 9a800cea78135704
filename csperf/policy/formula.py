"""The formula language: a small, safe subset of SQL over measures, figures, terms and earlier steps.

A formula is exact from its inputs to its result (see `values`). sqlglot reads the text; only the node types
below pass, nothing else parses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from typing import Protocol, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from csperf.policy.explanation import explain
from csperf.policy.functions import FUNCTIONS as _FUNCTIONS
from csperf.policy.models import ATTRIBUTES, Band
from csperf.policy.problems import nearest
from csperf.policy.values import (
    Circle,
    FormulaError,
    UnknownName,
    Value,
    add,
    choose,
    compare,
    constant,
    divide,
    multiply,
    present,
    wide,
)

# SQL longer than this, or with a query in it, becomes a column of its own: a formula names it more than once.
_LONG = 120


@dataclass(frozen=True)
class Compiled:
    """A formula as SQL: its value, a text that shows the figures it was reckoned with, and the names it read.

    `parts` are columns that both read as `cur.<name>`: name to level (a part reads parts of lower levels only) and SQL.
    """

    value: Value
    explanation: str
    inputs: tuple[str, ...]
    parts: dict[str, tuple[int, str]]


class Names(Protocol):
    """What a name in a formula stands for, where the formula stands."""

    def resolve(self, name: str, table: str) -> Value:
        """The value of a measure, attribute, figure or step; FormulaError with the nearest name if unknown."""

    def label(self, name: str, table: str) -> str:
        """How a name that was read is told among a step's inputs; with a dot when it is another period's value."""

    def term(self, name: str) -> str | None:
        """The formula that a term's name stands for, None if the name is no term."""

    def cells(self, name: str) -> tuple[tuple[str, ...], list[tuple[tuple[str, ...], Decimal | tuple[Band, ...]]]]:
        """A figure's attributes and its rows; FormulaError if there is no such figure."""

    def monthly(self) -> Names:
        """The names as they are inside a look over months: measures are the month's, attributes the period's."""


@dataclass
class Compiler:
    """Compiles one formula; `inputs` gathers the names that it reads, `parts` what became columns of their own.

    Inside a look over months nothing does, for `cur` is not the month's row there.
    """

    names: Names
    inputs: dict[str, None] = field(default_factory=dict)
    parts: dict[str, tuple[int, str]] = field(default_factory=dict)
    open_terms: tuple[str, ...] = ()
    parted: bool = True

    def compile(self, text: str) -> Compiled:
        """The formula as SQL. FormulaError when it does not parse, reads an unknown name or a forbidden function."""
        node = parse(text)
        value, explanation = self._parted(self.number(node)), explain(self, node)
        return Compiled(value, explanation, tuple(self.inputs), self.parts)

    # ---- values -----------------------------------------------------------------------------------------------

    def number(self, node: exp.Expression) -> Value:
        value = self.value(node)
        if value.kind != "number":
            raise FormulaError(f"'{show(node)}' is not a number")
        return value

    def truth(self, node: exp.Expression) -> Value:
        value = self.value(node)
        if value.kind != "truth":
            raise FormulaError(f"'{show(node)}' is a number where a comparison is wanted")
        return value

    def value(self, node: exp.Expression) -> Value:
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise FormulaError(
                f"'{show(node)}' is not allowed in a formula; it may use + - * /, comparisons, case, "
                f"{', '.join((*_SQL_FUNCTIONS, *sorted(_FUNCTIONS)))}"
            )
        value = handler(self, node)
        return self._parted(value) if self.parted and type(node) in _PARTED else value

    def _parted(self, value: Value) -> Value:
        if value.kind == "text":
            return value
        below = value.denominator
        return replace(
            value, numerator=self._part(value.numerator), denominator=self._part(below) if below is not None else None
        )

    def _part(self, sql: str) -> str:
        if len(sql) <= _LONG and "(select" not in sql:
            return sql
        name = f"part_{hashlib.sha256(sql.encode()).hexdigest()[:12]}"
        level = 1 + max((self.parts[read][0] for read in re.findall(r"cur\.(part_[0-9a-f]{12})", sql)), default=0)
        self.parts[name] = (level, sql)
        return f"cur.{name}"

    def _literal(self, node: exp.Literal) -> Value:
        if node.is_string:
            return Value(f"'{str(node.this).replace(chr(39), chr(39) * 2)}'", kind="text")
        return constant(Decimal(str(node.this)))

    def _column(self, node: exp.Column) -> Value:
        if node.args.get("db") or node.args.get("catalog"):
            raise FormulaError(f"'{show(node)}' has too many dots; write quarter.name or year.name")
        name, table = node.name, node.table
        text = None if table else self.names.term(name)
        if text is None:
            value = self.names.resolve(name, table)
            self.inputs[self.names.label(name, table)] = None
            return value
        if name in self.open_terms:
            raise Circle(self.open_terms[self.open_terms.index(name) :])
        self.open_terms = (*self.open_terms, name)
        value = self.value(parse(text))
        self.open_terms = self.open_terms[:-1]
        return value

    def _paren(self, node: exp.Paren) -> Value:
        return self.value(node.this)

    def _neg(self, node: exp.Neg) -> Value:
        value = self.number(node.this)
        return Value(f"(-{value.numerator})", value.scale, value.denominator, value.denominator_scale)

    def _product(self, node: exp.Mul) -> Value:
        return multiply(self.number(node.this), self.number(node.expression))

    def _quotient(self, node: exp.Div) -> Value:
        return divide(self.number(node.this), self.number(node.expression))

    def _sum(self, node: exp.Add | exp.Sub) -> Value:
        sign = "+" if isinstance(node, exp.Add) else "-"
        return add(self.number(node.this), sign, self.number(node.expression))

    def _comparison(self, node: exp.Expression) -> Value:
        left, right = self.value(node.this), self.value(node.expression)
        operator = _COMPARISONS[type(node)]
        _check_code(node.this, node.expression)
        _check_code(node.expression, node.this)
        if left.kind == right.kind == "text" and operator in ("=", "<>"):
            return Value(f"({left.numerator} {operator} {right.numerator})", kind="truth")
        if left.kind != "number" or right.kind != "number":
            raise FormulaError(f"'{show(node)}' compares things that are not both numbers")
        return compare(left, operator, right)

    def _logic(self, node: exp.And | exp.Or) -> Value:
        operator = "and" if isinstance(node, exp.And) else "or"
        left, right = self.truth(node.this), self.truth(node.expression)
        return Value(f"({left.numerator} {operator} {right.numerator})", kind="truth")

    def _not(self, node: exp.Not) -> Value:
        return Value(f"(not {self.truth(node.this).numerator})", kind="truth")

    def _in(self, node: exp.In) -> Value:
        subject = self.value(node.this)
        options = [self.value(option) for option in node.expressions]
        if subject.kind != "text" or not options or any(option.kind != "text" for option in options):
            raise FormulaError(f"'{show(node)}': in (…) takes an attribute and a list of codes in quotes")
        for option in node.expressions:
            _check_code(node.this, option)
        return Value(f"({subject.numerator} in ({', '.join(o.numerator for o in options)}))", kind="truth")

    def _is(self, node: exp.Is) -> Value:
        if not isinstance(node.expression, exp.Null):
            raise FormulaError(f"'{show(node)}': only 'is null' and 'is not null' are known (absent, not absent)")
        subject = self.value(node.this)
        parts = [subject.numerator, *([subject.denominator] if subject.denominator else [])]
        return Value("(" + " or ".join(f"{part} is null" for part in parts) + ")", kind="truth")

    def _case(self, node: exp.Case) -> Value:
        if node.this is not None:
            raise FormulaError(f"'{show(node)}': write case when … then … end")
        branches = [(self.truth(branch.this), self.number(branch.args["true"])) for branch in node.args["ifs"]]
        default = node.args.get("default")
        return choose(branches, self.number(default) if default is not None else None)

    def _extreme(self, node: exp.Greatest | exp.Least) -> Value:
        name, operator = ("greatest", ">=") if isinstance(node, exp.Greatest) else ("least", "<=")
        values = [self.number(part) for part in (node.this, *node.expressions)]
        if all(value.denominator is None for value in values):
            # SQL's own passes over what is absent; here it makes the result absent.
            scale = max(value.scale for value in values)
            all_there = " and ".join(present(value) for value in values)
            listed = ", ".join(wide(value.numerator, scale) for value in values)
            return Value(f"(case when {all_there} then {name}({listed}) end)", scale)
        result = values[0]
        for value in values[1:]:
            # An absent one makes the result absent: neither comparison holds then.
            better = compare(result, operator, value)
            worse = Value(f"(not {better.numerator})", kind="truth")
            result = choose([(better, result), (worse, value)], None)
        return result

    def _floor(self, node: exp.Floor) -> Value:
        value = self.number(node.this)
        if value.denominator is None:
            return Value(f"cast(floor({value.numerator}) as decimal(38,0))")
        scale = max(value.scale, value.denominator_scale)
        return Value(f"policy.floor_ratio({wide(value.numerator, scale)}, {wide(value.denominator, scale)})")

    def _round(self, node: exp.Round) -> Value:
        decimals = node.args.get("decimals")
        if decimals is not None and not (isinstance(decimals, exp.Literal) and str(decimals.this).isdigit()):
            raise FormulaError(f"'{show(node)}': the places to round to must be a whole number")
        places = int(str(decimals.this)) if decimals is not None else 0
        return Value(self.number(node.this).rounded(places), places)

    def _coalesce(self, node: exp.Coalesce) -> Value:
        values = [self.number(part) for part in (node.this, *node.expressions)]
        if all(value.denominator is None for value in values):
            scale = max(value.scale for value in values)
            return Value(f"coalesce({', '.join(wide(value.numerator, scale) for value in values)})", scale)
        branches = [(Value(f"({present(value)})", kind="truth"), value) for value in values[:-1]]
        return choose(branches, values[-1])

    def _call(self, node: exp.Anonymous) -> Value:
        function = _FUNCTIONS.get(str(node.this).lower())
        if function is None:
            name, known = str(node.this), [*_SQL_FUNCTIONS, *sorted(_FUNCTIONS)]
            rest = f"; the functions are {', '.join(known)}"
            raise UnknownName(name, f"there is no function '{name}'{nearest(name.lower(), known, rest)}")
        return function(self, node)


_SQL_FUNCTIONS = ("least", "greatest", "floor", "round", "coalesce")
_ATTRIBUTE_OF = {"next_grade": "grade", "lower_grade": "grade"}
"""Names in tier rules that hold codes of an attribute."""


def _check_code(attribute: exp.Expression, code: exp.Expression) -> None:
    """FormulaError when an attribute is compared with a code that it never has."""
    if not isinstance(attribute, exp.Column) or not isinstance(code, exp.Literal) or not code.is_string:
        return
    name = _ATTRIBUTE_OF.get(attribute.name, attribute.name)
    codes = ATTRIBUTES.get(name, ())
    if codes and str(code.this) not in codes:
        rest = f"; the codes are {', '.join(codes)}"
        raise FormulaError(f"'{code.this}' is no {name}{nearest(str(code.this), codes, rest)}")


def mistakes_in(names: Names, text: str, first: FormulaError) -> list[str]:
    """What is wrong with a formula whose first mistake is known: that one, and every name that is unknown."""
    found = {getattr(first, "name", ""): str(first)}
    try:
        node = parse(text)
    except FormulaError:
        return [*found.values()]
    for part in node.find_all(exp.Column, exp.Anonymous):
        try:
            Compiler(names).value(part)
        except UnknownName as error:
            found.setdefault(error.name, str(error))
        except FormulaError:
            pass  # not a name that is unknown: a mistake in a larger part, of which the first is told
    return [*found.values()]


@lru_cache(maxsize=4096)
def parse(text: str) -> exp.Expression:
    """One expression, read by sqlglot; FormulaError with the place of the mistake."""
    try:
        node = sqlglot.parse_one(text, dialect="duckdb")
    except SqlglotError as error:
        raise FormulaError(f"cannot read '{text}': {str(error).splitlines()[0]}") from None
    if node is None:
        raise FormulaError("the formula is empty")
    return cast(exp.Expression, node)


def show(node: exp.Expression) -> str:
    return str(node.sql(dialect="duckdb", normalize_functions="lower"))


_COMPARISONS: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}

# Nodes whose value is read again and again by what stands around them.
_PARTED = (exp.Column, exp.Case, exp.Greatest, exp.Least, exp.Coalesce, exp.Floor, exp.Round, exp.Anonymous)

_HANDLERS: dict[type[exp.Expression], Callable[[Compiler, exp.Expression], Value]] = {
    exp.Literal: Compiler._literal,  # type: ignore[dict-item]
    exp.Column: Compiler._column,  # type: ignore[dict-item]
    exp.Paren: Compiler._paren,  # type: ignore[dict-item]
    exp.Neg: Compiler._neg,  # type: ignore[dict-item]
    exp.Mul: Compiler._product,  # type: ignore[dict-item]
    exp.Div: Compiler._quotient,  # type: ignore[dict-item]
    exp.Add: Compiler._sum,  # type: ignore[dict-item]
    exp.Sub: Compiler._sum,  # type: ignore[dict-item]
    exp.And: Compiler._logic,  # type: ignore[dict-item]
    exp.Or: Compiler._logic,  # type: ignore[dict-item]
    exp.Not: Compiler._not,  # type: ignore[dict-item]
    exp.In: Compiler._in,  # type: ignore[dict-item]
    exp.Is: Compiler._is,  # type: ignore[dict-item]
    exp.Case: Compiler._case,  # type: ignore[dict-item]
    exp.Greatest: Compiler._extreme,  # type: ignore[dict-item]
    exp.Least: Compiler._extreme,  # type: ignore[dict-item]
    exp.Floor: Compiler._floor,  # type: ignore[dict-item]
    exp.Round: Compiler._round,  # type: ignore[dict-item]
    exp.Coalesce: Compiler._coalesce,  # type: ignore[dict-item]
    exp.Anonymous: Compiler._call,  # type: ignore[dict-item]
    **dict.fromkeys(_COMPARISONS, Compiler._comparison),
}
