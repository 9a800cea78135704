"""Rounding half up (a half goes away from zero), on exact fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction


def rounded(number: Fraction, places: int) -> Decimal:
    scaled = abs(number) * 10**places
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(whole if number >= 0 else -whole).scaleb(-places)


def used(number: Fraction) -> Decimal:
    """A measure where it is compared, ranked, scored or paid."""
    return rounded(number, 6)


def exact(number: Fraction) -> Fraction:
    """The same as a fraction, to calculate on with."""
    return Fraction(used(number))
