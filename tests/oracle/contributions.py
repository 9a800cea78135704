"""Contributions (五险一金, 六险一金): employee and employer shares of the gross pay between a floor and a cap."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from tests.oracle.rounding import rounded

# kind: the employee's and the employer's rate
RATES = {
    "pension": ("0.08", "0.16"),
    "medical": ("0.02", "0.08"),
    "unemployment": ("0.005", "0.005"),
    "injury": ("0", "0.002"),
    "maternity": ("0", "0.008"),
    "housing_fund": ("0.08", "0.08"),
}
FIVE = ("pension", "medical", "unemployment", "injury", "maternity")
KINDS: dict[str, tuple[str, ...]] = {
    "sales_grade": FIVE,
    "sales_education": (*FIVE, "housing_fund"),
    "sales_rating": (*FIVE, "housing_fund"),
    "rated": (*FIVE, "housing_fund"),
    "call_center": (*FIVE, "housing_fund", "accident_cover"),
    "framework": (*FIVE, "housing_fund", "accident_cover"),
}
FLOOR, CAP = Fraction(4000), Fraction(35000)  # of every city


def contributions(plan: str, gross: Decimal) -> dict[str, Decimal]:
    """A month's lines, from the gross pay that they stand on."""
    base = max(FLOOR, min(CAP, Fraction(gross)))
    lines = {}
    for kind in KINDS.get(plan, ()):
        if kind == "accident_cover":  # flat, and the employer's alone
            lines["accident_cover_employee"], lines["accident_cover_employer"] = Decimal("0.00"), Decimal("10.00")
        else:
            employee, employer = RATES[kind]
            lines[f"{kind}_employee"] = rounded(base * Fraction(employee), 2)
            lines[f"{kind}_employer"] = rounded(base * Fraction(employer), 2)
    return lines
