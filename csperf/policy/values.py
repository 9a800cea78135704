"""Exact values as SQL: fractions of two decimals whose scales are known when a plan is loaded.

Nothing is rounded and nothing becomes binary floating point before a step's own rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

MAX_SCALE = 30
"""Decimal places a fraction may carry; beyond it too few digits are left before the point."""


class FormulaError(ValueError):
    """A formula that does not say what it may say; the text names the part and, where it can, a remedy."""


class UnknownName(FormulaError):
    """A name that stands for nothing here."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


class Circle(FormulaError):
    """Terms that need themselves; `names` are all of the circle."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(f"term '{names[0]}' needs itself: {' → '.join((*names, names[0]))}")
        self.names = names


@dataclass(frozen=True)
class Value:
    """A value as SQL: a fraction of two decimals with their scales, a truth (`kind` truth) or a text."""

    numerator: str
    scale: int = 0
    denominator: str | None = None
    denominator_scale: int = 0
    kind: str = "number"

    def rounded(self, places: int) -> str:
        """SQL of the value rounded half up (away from zero) to so many places, as an exact decimal."""
        if self.denominator is None:
            return f"cast(round(cast({self.numerator} as decimal(38,{self.scale})), {places}) as decimal(38,{places}))"
        scale = max(self.scale, self.denominator_scale)
        unit = format(Decimal(1).scaleb(-places), "f")
        return f"policy.half_up({wide(self.numerator, scale)}, {wide(self.denominator, scale)}, {10**places}, {unit})"


def wide(sql: str, scale: int) -> str:
    return f"cast({sql} as decimal(38,{scale}))"


def constant(number: Decimal) -> Value:
    """A number as an SQL literal with its own scale."""
    text = format(number, "f")
    scale = len(text.partition(".")[2])
    return Value(f"cast({text} as decimal(38,{scale}))", scale)


def present(value: Value) -> str:
    parts = [value.numerator, *([value.denominator] if value.denominator else [])]
    return " and ".join(f"{part} is not null" for part in parts)


def _checked(value: Value) -> Value:
    if max(value.scale, value.denominator_scale) > MAX_SCALE:
        raise FormulaError("the formula multiplies too many numbers with decimals; give a part of it a step of its own")
    return value


def multiply(left: Value, right: Value) -> Value:
    """The exact product of two fractions."""
    denominators = [value for value in (left, right) if value.denominator is not None]
    denominator = " * ".join(str(value.denominator) for value in denominators)
    return _checked(
        Value(
            f"({left.numerator} * {right.numerator})",
            left.scale + right.scale,
            f"({denominator})" if denominators else None,
            sum(value.denominator_scale for value in denominators),
        )
    )


def divide(left: Value, right: Value) -> Value:
    """The exact quotient; absent where the divisor is 0."""
    numerator = Value(left.numerator, left.scale)
    if right.denominator is not None:
        numerator = multiply(numerator, Value(right.denominator, right.denominator_scale))
    denominator = Value(right.numerator, right.scale)
    if left.denominator is not None:
        denominator = multiply(denominator, Value(left.denominator, left.denominator_scale))
    return _checked(
        Value(numerator.numerator, numerator.scale, f"nullif({denominator.numerator}, 0)", denominator.scale)
    )


def add(left: Value, sign: str, right: Value) -> Value:
    """The exact sum or difference."""
    if left.denominator is None and right.denominator is None:
        return Value(f"({left.numerator} {sign} {right.numerator})", max(left.scale, right.scale))
    if left.denominator == right.denominator:
        return Value(
            f"({left.numerator} {sign} {right.numerator})",
            max(left.scale, right.scale),
            left.denominator,
            left.denominator_scale,
        )
    one = Value("1")
    left_below = Value(left.denominator, left.denominator_scale) if left.denominator else one
    right_below = Value(right.denominator, right.denominator_scale) if right.denominator else one
    first = multiply(Value(left.numerator, left.scale), right_below) if right.denominator else left
    second = multiply(Value(right.numerator, right.scale), left_below) if left.denominator else right
    below = multiply(left_below, right_below)
    return _checked(
        Value(
            f"({first.numerator} {sign} {second.numerator})",
            max(first.scale, second.scale),
            below.numerator,
            below.scale,
        )
    )


def compare(left: Value, operator: str, right: Value) -> Value:
    """A comparison of two fractions, without dividing."""
    if left.denominator is None and right.denominator is None:
        return Value(f"({left.numerator} {operator} {right.numerator})", kind="truth")
    difference = add(left, "-", right)
    sign = f" * sign({difference.denominator})" if difference.denominator else ""
    return Value(f"({difference.numerator}{sign} {operator} 0)", kind="truth")


def choose(branches: list[tuple[Value, Value]], default: Value | None) -> Value:
    """`case when … then …` over fractions: numerator and denominator are chosen alike."""
    values = [value for _, value in branches] + ([default] if default is not None else [])

    def case(part: Callable[[Value], str]) -> str:
        whens = " ".join(f"when {truth.numerator} then {part(value)}" for truth, value in branches)
        return f"(case {whens}{f' else {part(default)}' if default is not None else ''} end)"

    scale = max(value.scale for value in values)
    if all(value.denominator is None for value in values):
        return Value(case(lambda value: wide(value.numerator, scale)), scale)
    below = max(value.denominator_scale for value in values)
    return Value(
        case(lambda value: wide(value.numerator, scale)),
        scale,
        case(lambda value: wide(value.denominator or "1", below)),
        below,
    )
