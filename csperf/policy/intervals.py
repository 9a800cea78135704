"""Ranges of numbers: what a measure's unit allows, and what becomes of ranges that are added, multiplied or rounded.

The reckoning is by intervals. A range may allow more numbers than there are (nothing is known of how two measures hang
together), never fewer; `trust` says which: a scale that misses a number of a TIGHT range misses one that occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import product
from typing import Any

from csperf.policy.figures import Band

UNKNOWN, WIDE, TIGHT = 0, 1, 2
"""Nothing is known; no number lies outside, but not each inside may occur; each may."""
_MOST_VALUES = 200

ZERO, ONE = Decimal(0), Decimal(1)
Operation = Callable[[Decimal, Decimal], Decimal]
UNITS: dict[str, tuple[Decimal | None, Decimal | None, bool]] = {
    "count": (ZERO, None, True),
    "calendar": (ZERO, None, True),
    "months": (ZERO, None, True),
    "days": (ZERO, None, False),
    "hours": (ZERO, None, False),
    "seconds": (ZERO, None, False),
    "points": (ZERO, None, False),
    "ratio": (ZERO, None, False),
    "share": (ZERO, ONE, False),
    "score": (ZERO, Decimal(100), False),
    "flag": (ZERO, ONE, True),
    "money": (None, None, False),
}
"""Of a base measure by its unit: the least it can be, the most, and whether it is counted in whole numbers."""


@dataclass(frozen=True)
class Range:
    """The numbers a formula can give: `values` where these are few, else all from `low` to `high` (None: no end)."""

    low: Decimal | None = None
    high: Decimal | None = None
    whole: bool = False
    values: frozenset[Decimal] | None = None
    trust: int = UNKNOWN

    @classmethod
    def of(cls, values: Iterable[Decimal], trust: int = TIGHT) -> Range:
        listed = frozenset(values)
        if not listed:
            return cls()
        whole = all(value == value.to_integral_value() for value in listed)
        return cls(min(listed), max(listed), whole, listed if len(listed) <= _MOST_VALUES else None, trust)

    @property
    def single(self) -> bool:
        return self.values is not None and len(self.values) == 1

    def listed(self) -> list[Decimal] | None:
        """The numbers from low to high, None when they are too many to list."""
        if self.values is not None:
            return sorted(self.values)
        if self.whole and self.low is not None and self.high is not None and self.high - self.low < _MOST_VALUES:
            return [Decimal(number) for number in range(int(self.low), int(self.high) + 1)]
        return None

    def reaches(self, band: Band) -> bool:
        """Whether some number of the range lies in the band."""
        listed = self.listed()
        if listed is not None:
            return any(band.holds(value) for value in listed)
        low, low_closed = self.low, True
        if band.low is not None and (low is None or band.low >= low):
            low, low_closed = band.low, band.low_closed
        high, high_closed = self.high, True
        if band.high is not None and (high is None or band.high <= high):
            high, high_closed = band.high, band.high_closed
        if low is None or high is None:
            return True
        if self.whole:
            first = low.to_integral_value("ROUND_CEILING")
            first += 1 if first == low and not low_closed else 0
            return first < high or (first == high and high_closed)
        return low < high or (low == high and low_closed and high_closed)

    def missed(self, bands: tuple[Band, ...]) -> tuple[str, str] | None:
        """What of the range lies in none of the bands, in words, and a band that would hold it; the bands leave no gap
        between them."""
        lowest, highest = bands[0], bands[-1]
        below = f"(-inf, {lowest.low}{')' if lowest.low_closed else ']'}"
        above = f"{'(' if highest.high_closed else '['}{highest.high}, inf)"
        listed = self.listed()
        if listed is not None:
            missing = [value for value in listed if not any(band.holds(value) for band in bands)]
            words = ", ".join(f"{value.normalize():f}" for value in missing[:5])
            low_end = lowest.low is not None and bool(missing) and missing[0] <= lowest.low
            return (f"may be {words}", below if low_end else above) if missing else None
        if lowest.low is not None:
            if self.low is None or self.low < lowest.low:
                return f"may be below {lowest.low}", below
            if self.low == lowest.low and not lowest.low_closed:
                return f"may be {lowest.low}", below
        if highest.high is not None:
            if self.high is None or self.high > highest.high:
                return f"may be above {highest.high}", above
            if self.high == highest.high and not highest.high_closed:
                return f"may be {highest.high}", above
        return None


def union(ranges: Iterable[Range], trust: int | None = None) -> Range:
    """All that one of the ranges can be."""
    found = list(ranges)
    if not found:
        return Range()
    lowest = min(item.trust for item in found)
    trust = lowest if trust is None else min(lowest, trust)
    if all(item.values is not None for item in found):
        return Range.of((value for item in found for value in item.values or ()), trust)
    lows, highs = [item.low for item in found], [item.high for item in found]
    return Range(
        None if None in lows else min(low for low in lows if low is not None),
        None if None in highs else max(high for high in highs if high is not None),
        all(item.whole for item in found),
        None,
        trust,
    )


def rounded(found: Range, places: int) -> Range:
    """The range of what is rounded half up to so many places."""

    def to_places(number: Decimal) -> Decimal:
        with localcontext(prec=60):
            return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)

    low, high = (None if end is None else to_places(end) for end in (found.low, found.high))
    values = None if found.values is None else frozenset(map(to_places, found.values))
    return replace(found, low=low, high=high, values=values)


def base_range(entry: Mapping[str, Any]) -> Range:
    """What a base measure can be, by its unit and what the catalogue says besides."""
    low, high, whole = UNITS[entry["unit"]]
    low, high = (_limit(entry.get(key, end)) for key, end in (("least", low), ("most", high)))
    return Range(low, high, whole, None, TIGHT)


def _limit(end: Any) -> Decimal | None:
    return None if end is None else Decimal(end)


def combined(left: Range, right: Range, operation: Operation, trust: int) -> Range | None:
    """What an operation makes of each two listed numbers; None when there are too many of them."""
    if left.values is None or right.values is None or len(left.values) * len(right.values) > _MOST_VALUES:
        return None
    return Range.of((operation(a, b) for a, b in product(left.values, right.values)), trust)


def times(left: Range, right: Range, trust: int, operation: Operation = lambda a, b: a * b) -> Range:
    """The product of two ranges, or their quotient: it is widest at their ends."""
    infinity = Decimal("Infinity")
    ends = [ZERO if ZERO in (a, b) else operation(a, b) for a, b in product(_ends(left), _ends(right))]
    low, high = min(ends), max(ends)
    whole = left.whole and right.whole
    return Range(None if low == -infinity else low, None if high == infinity else high, whole, None, trust)


def negated(found: Range) -> Range:
    """The range with the other sign."""
    if found.values is not None:
        return Range.of((-value for value in found.values), found.trust)
    low, high = (None if end is None else -end for end in (found.high, found.low))
    return replace(found, low=low, high=high)


def _ends(found: Range) -> tuple[Decimal, Decimal]:
    infinity = Decimal("Infinity")
    return (-infinity if found.low is None else found.low), (infinity if found.high is None else found.high)


def mean(found: Range) -> Range:
    """What a mean of numbers of the range can be: anything between them."""
    return replace(found, whole=False, values=None)
