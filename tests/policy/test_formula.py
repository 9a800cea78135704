"""The formula language gives exactly what the arithmetic of fractions gives, and refuses all else."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csperf.policy.compile import Scope
from csperf.policy.formula import Compiled, Compiler
from csperf.policy.models import Figure, Version
from csperf.policy.store import _MACROS
from csperf.policy.values import FormulaError

MEASURES = {"volume": "count", "share": "share", "days": "days", "rest": "points"}
BANDS = {"[0, 20]": 1.2, "(20, 30]": 1, "(30, 50)": Decimal("0.8"), "[50, inf)": "none"}


@pytest.fixture(scope="module")
def con():
    connection = duckdb.connect()
    connection.execute("create schema policy")
    for macro in _MACROS:
        connection.execute(macro)
    yield connection
    connection.close()


def scope() -> Scope:
    figures = {
        "rate": Figure(value=Decimal("0.15"), provenance="seed"),
        "wage": Figure(by="grade", values={"junior": 3000, "senior, principal": Decimal("4500.50")}, provenance="seed"),
        "steps": Figure(bands={k: v if v == "none" else Decimal(str(v)) for k, v in BANDS.items()}, provenance="seed"),
    }
    version = Version(effective_from="2026-01-01", figures=figures, terms={"double_wage": "wage * 2"})
    return Scope(version, MEASURES, {"earlier": 6})


def evaluate(con, formula: str, places: int = 2, **row) -> Decimal | None:
    """The formula's value for one employee, rounded to so many places."""
    compiled = Compiler(scope()).compile(formula)
    given = {"volume": 0, "share": 0, "days": 0, "rest": 0, "earlier": 0, "grade": "junior"} | row
    columns = ", ".join(
        f"cast({'null' if value is None else repr(str(value))} as {'varchar' if name == 'grade' else 'decimal(18,6)'})"
        f" as {name}"
        for name, value in given.items()
    )
    rows = with_parts(compiled, f"(select {columns})")
    return con.execute(
        f"select {compiled.value.rounded(places)}, {compiled.explanation} from {rows} as cur"
    ).fetchone()[0]


def with_parts(compiled: Compiled, rows: str) -> str:
    """A relation with the formula's parts as columns beside it, level by level."""
    for level in sorted({level for level, _ in compiled.parts.values()}):
        columns = ", ".join(f"{sql} as {name}" for name, (at, sql) in compiled.parts.items() if at == level)
        rows = f"(select cur.*, {columns} from {rows} as cur)"
    return rows


def half_up(value: Fraction, places: int) -> Decimal:
    scaled = abs(value) * 10**places
    whole = int(scaled + Fraction(1, 2))
    return Decimal(whole if value >= 0 else -whole).scaleb(-places)


numbers = st.decimals(min_value=-999, max_value=999, places=2, allow_nan=False)
leaves = st.one_of(
    numbers.map(lambda n: (f"({n})", Fraction(n), 0)),
    st.sampled_from([("volume", Fraction(7), 0), ("share", Fraction(333333, 10**6), 0), ("days", Fraction(21), 0)]),
)


def combine(children):
    def join(pair):
        (left, a, depth), (right, b, other), operator = pair
        text = f"({left} {operator} {right})"
        if a is None or b is None or (operator == "/" and b == 0):
            return text, None, max(depth, other) + 1
        value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[operator]
        return text, value, max(depth, other) + 1

    return st.tuples(children, children, st.sampled_from("+-*/")).map(join)


@settings(max_examples=300, deadline=None)
@given(st.recursive(leaves, combine, max_leaves=4))
def test_any_formula_is_exact_to_the_cent(con, expression):
    text, expected, _ = expression
    try:
        found = evaluate(con, text, volume=7, share="0.333333", days=21)
    except FormulaError as error:
        assert "too many numbers with decimals" in str(error)
        return
    assert found == (None if expected is None else half_up(expected, 2)), text


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("1 / 200", "0.01"),  # 0.005 rounds up
        ("-1 / 200", "-0.01"),  # and away from zero
        ("0.015 / 3", "0.01"),
        ("wage * rate", "450.00"),
        ("double_wage", "6000.00"),
        ("greatest(0, -5)", "0.00"),
        ("least(1.5, 2, 1.25)", "1.25"),
        ("least(1/3, 1/2)", "0.33"),
        ("floor((1.25 - 1) / 0.1)", "2.00"),
        ("floor(-1/3)", "-1.00"),
        ("round(2/3, 1)", "0.70"),
        ("case when grade = 'junior' then 1 else 2 end", "1.00"),
        ("case when grade in ('senior', 'lead') then 1 end", None),
        ("volume / 0", None),
        ("coalesce(volume / 0, 4)", "4.00"),
        ("case when 1/3 < 1/2 and not 1/3 > 1/2 then 1 else 0 end", "1.00"),
        ("case when 1/(-3) > 1/(-2) then 1 else 0 end", "1.00"),
        ("scaled_up(0.5, 80, 0.3, volume / 0, 0.2, 50)", "71.43"),  # (40 + 10) / 0.7
        ("scaled_up(0.5, volume / 0)", None),
    ],
)
def test_worked_values(con, formula, expected):
    assert evaluate(con, formula) == (Decimal(expected) if expected else None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0", "1.2"), ("20", "1.2"), ("20.000001", "1"), ("30", "1"), ("30.5", "0.8"), ("49.999999", "0.8"), ("50", "0")],
)
def test_bands_at_their_edges(con, value, expected):
    assert evaluate(con, "band(steps, rest)", places=1, rest=value) == Decimal(expected)


def test_a_value_outside_all_bands_and_an_absent_one_are_absent(con):
    assert evaluate(con, "band(steps, rest)", rest="-1") is None
    assert evaluate(con, "band(steps, rest)", rest=None) is None


def test_a_table_without_a_row_for_the_employee_is_absent(con):
    assert evaluate(con, "wage", grade="principal") == Decimal("4500.50")
    assert evaluate(con, "wage", grade="lead") is None


def test_absent_makes_absent_in_least_and_greatest(con):
    assert evaluate(con, "greatest(0, rest)", rest=None) is None
    assert evaluate(con, "least(rest, 1)", rest=None) is None


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("read_csv('x')", "not allowed"),
        ("(select 1)", "not allowed"),
        ("getenv('HOME')", "there is no function 'getenv'"),
        ("volme * 2", "did you mean 'volume'"),
        ("wage +", "cannot read"),
        ("volume ** 2", "not allowed"),
        ("volume; drop table x", "not allowed"),
        ("steps", "scale of bands"),
        ("band(rate, volume)", "has no bands"),
        ("case grade when 'a' then 1 end", "case when"),
        ("'text'", "not a number"),
        ("month.volume", "quarter or year"),
        ("volume = grade", "not both numbers"),
        ("share * share * share * share * share * share", "too many numbers with decimals"),
    ],
)
def test_what_is_no_formula_is_refused_with_a_reason(formula, words):
    with pytest.raises(FormulaError, match=words.replace("(", r"\(")):
        Compiler(scope()).compile(formula)


def test_an_explanation_shows_the_figures_and_the_branch_taken(con):
    compiled = Compiler(scope()).compile("case when rest = 0 then 0 else volume * rate end")
    row = "(select cast(4 as decimal(18,6)) as rest, cast(200 as decimal(18,6)) as volume, 'junior' as grade) as cur"
    rows = with_parts(compiled, row.removesuffix(" as cur"))
    text = con.execute(f"select {compiled.explanation} from {rows} as cur").fetchone()[0]
    assert text == "volume 200 × rate 0.15"
    assert half_up(Fraction(-1, 200), 2) == Decimal("-0.005").quantize(Decimal("0.01"), ROUND_HALF_UP)
