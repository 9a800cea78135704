"""What a formula can give is never told too narrow: no number outside its range comes out."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csperf.policy.intervals import TIGHT, UNITS, UNKNOWN, WIDE, Range, base_range
from csperf.policy.library import base_measures
from csperf.policy.models import Version
from csperf.policy.ranges import Ranges

MEASURES = {
    "tickets": (0, 50),
    "csat_rate": (0, 1),
    "exam_score": (0, 100),
    "extra_points": (-9, 9),
    "net_sales": (-99, 99),
}
WHOLE = {"tickets"}
ROUNDING = Fraction(1, 10**20)


def ranges(**version) -> Ranges:
    return Ranges(Version(effective_from="2026-01-01", **version), base_measures(), {})


def leaf(name: str):
    low, high = MEASURES[name]
    values = st.integers(low, high) if name in WHOLE else st.fractions(low, high, max_denominator=8)
    return values.map(lambda value: (name, Fraction(value), {name: Fraction(value)}))


constants = st.integers(-9, 9).map(lambda number: (f"({number})", Fraction(number), {}))
leaves = st.one_of(constants, *map(leaf, MEASURES))


def join(parts):
    (left, a, known), (right, b, others), operation = parts
    if any(others.get(name, value) != value for name, value in known.items()):
        b, right, others = a, left, known  # one measure has one value
    both = {**known, **others}
    if a is None or b is None:
        return {
            "coalesce": (f"coalesce({left}, {right})", a if a is not None else b, both),
        }.get(operation, (f"({left} + {right})", None, both))
    return {
        "+": (f"({left} + {right})", a + b, both),
        "-": (f"({left} - {right})", a - b, both),
        "*": (f"({left} * {right})", a * b, both),
        "/": (f"({left} / {right})", a / b if b else None, both),
        "greatest": (f"greatest({left}, {right})", max(a, b), both),
        "least": (f"least({left}, {right})", min(a, b), both),
        "floor": (f"floor({left} + {right})", Fraction(floor(a + b)), both),
        "coalesce": (f"coalesce({left}, {right})", a, both),
        "case": (f"case when {left} > 0 then {left} else {right} end", a if a > 0 else b, both),
    }[operation]


operations = st.sampled_from(["+", "-", "*", "/", "greatest", "least", "floor", "coalesce", "case"])
expressions = st.recursive(leaves, lambda inner: st.tuples(inner, inner, operations).map(join), max_leaves=5)


@settings(max_examples=500, deadline=None)
@given(expressions)
def test_no_number_falls_outside(expression):
    text, value, _ = expression
    found = ranges().of(text)
    if value is None:
        return
    # A third has no end as a decimal: an end of the range is right to its 28 digits.
    assert found.low is None or Fraction(found.low) <= value + ROUNDING, text
    assert found.high is None or value - ROUNDING <= Fraction(found.high), text
    assert not found.whole or value.denominator == 1, text
    if found.values is not None:
        assert any(abs(Fraction(listed) - value) <= ROUNDING for listed in found.values), text


@pytest.mark.parametrize(
    ("formula", "low", "high", "trust"),
    [
        ("tickets", "0", None, TIGHT),
        ("csat_rate * 100", "0", "100", TIGHT),
        ("100 - qa_deduction", None, "100", TIGHT),
        ("greatest(0, 100 - qa_deduction)", "0", "100", TIGHT),
        ("scheduled_days - worked_days", None, None, WIDE),
        ("error_tickets / tickets", "0", None, WIDE),
        ("net_sales / tickets", None, None, WIDE),
        ("prorated(3000)", "0", "3000", TIGHT),
        ("months_met(6, csat_rate > 0.9)", "0", "6", TIGHT),
        ("months_sum(6, csat_rate)", "0", "6", TIGHT),
        ("months_mean(6, exam_score)", "0", "100", TIGHT),
        ("scaled_up(0.5, csat_rate * 100, 0.5, exam_score)", "0", "100", TIGHT),
        ("scaled_up(net_sales, csat_rate)", None, None, UNKNOWN),
        ("rank_of(tickets)", "1", None, TIGHT),
        ("base_salary", "0", None, WIDE),
        ("unheard_of(tickets)", None, None, UNKNOWN),
        ("due(3)", "0", "1", TIGHT),
        ("case when tickets > 3 then tickets end", "0", None, WIDE),
    ],
)
def test_the_range_of_a_formula(formula, low, high, trust):
    found = ranges().of(formula)
    told = tuple(None if end is None else Decimal(end) for end in (low, high))
    assert (found.low, found.high, found.trust) == (*told, trust)


def test_a_measure_that_reads_its_own_month_before_may_be_anything():
    labels = {"zh": "甲", "en": "a"}
    carried = {"carried": {"labels": labels, "formula": "least(0, net_sales + previous(carried))"}}
    found = ranges(measures=carried).of("carried")
    assert (found.low, found.high) == (None, Decimal(0))


def test_every_unit_of_the_catalogue_has_its_limits():
    for entry in base_measures().values():
        assert entry["unit"] in UNITS
        found = base_range(entry)
        assert found.low is None or found.high is None or found.low < found.high


@pytest.mark.parametrize("code", ["net_sales", "silent_amount", "extra_points", "sales_completion"])
def test_what_may_be_negative_is_known(code):
    assert base_range(base_measures()[code]).low is None


@pytest.mark.parametrize(
    "code", ["sessions", "qa_deduction", "first_response_seconds", "sales_amount", "tenure_months", "exam_score"]
)
def test_what_cannot_be_negative_is_known(code):
    assert base_range(base_measures()[code]).low == 0


def test_a_list_of_numbers_keeps_its_numbers():
    assert Range.of([Decimal(1), Decimal(3)]).listed() == [1, 3]
    assert Range(Decimal(0), Decimal(3), whole=True).listed() == [0, 1, 2, 3]
    assert Range(Decimal(0), Decimal(3)).listed() is None
