"""What a plan file may say, as pydantic models: the grammar of `csperf/policy/plans/*.yaml`."""

from __future__ import annotations

import itertools
import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "post": ("basic", "vip", "voice"),
    "grade": ("trial", "junior", "intermediate", "senior", "principal", "reserve", "lead", "supervisor", "manager"),
    "employment": ("full_time", "part_time"),
    "education": ("high_school", "college", "bachelor", "master"),
    "team": (),
    "city": (),
}
"""Attributes of an employee that a plan may look at, with the codes each may take (empty: any text)."""

NUMBERS = {"base_salary": 6, "grade_decided": 0, "previous_gross": 2}
"""Numbers of an employee that are no measures, and their decimal places: what the roster says of the base salary,
whether the grade in force was decided here (1) or comes from the roster (0), and in pay components the gross pay last
published for the month before (absent without one)."""

OTHER = "other"
"""The key of a table by city or team for all that it does not name."""

STAND_INS = {"reserve": "senior", "trial": "junior"}
"""Grades that read another's figure where a table has none of their own."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Number = Annotated[Decimal, Field(max_digits=18, decimal_places=6)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Strict(BaseModel):
    """A model that refuses keys it does not know, so that a typing slip is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Labels(Strict):
    """What people read beside the code: the seed's Chinese term and its English one."""

    zh: str
    en: str


class Band(Strict):
    """One band of a scale: an interval with open or closed ends and the value it gives."""

    low: Decimal | None
    low_closed: bool
    high: Decimal | None
    high_closed: bool
    value: Decimal

    @classmethod
    def parse(cls, interval: str, value: Any) -> Band:
        """`(20, 30]` (without 20, with 30) and its value; `inf` or `-inf` for an end without a limit.

        The value `none` gives 0: the plan pays nothing in that band.
        """
        match = re.fullmatch(r"([\[(])\s*(-inf|-?[\d.]+)\s*,\s*(inf|-?[\d.]+)\s*([\])])", interval.strip())
        if not match:
            raise ValueError(f"'{interval}' is not a band; write it like '(20, 30]' or '[70, inf)'")
        low = None if match[2] == "-inf" else Decimal(match[2])
        high = None if match[3] == "inf" else Decimal(match[3])
        if low is not None and high is not None and low > high:
            raise ValueError(f"band '{interval}' ends before it starts")
        return cls(
            low=low,
            low_closed=match[1] == "[",
            high=high,
            high_closed=match[4] == "]",
            value=Decimal(0) if value == "none" else Decimal(value),
        )

    def __str__(self) -> str:
        low = "-∞" if self.low is None else f"{self.low}"
        high = "∞" if self.high is None else f"{self.high}"
        return f"{'[' if self.low_closed else '('}{low}, {high}{']' if self.high_closed else ')'}"


class Figure(Strict):
    """A number of a plan, a table of numbers by attributes, or a scale of bands (by attributes or not).

    `provenance` tells whether the seed document gives it or we had to assume it; `assumed` lists the keys of a
    seed table that are assumptions of ours.
    """

    provenance: Literal["seed", "assumption"]
    assumed: tuple[str, ...] = ()
    value: Number | None = None
    by: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    values: dict[str, Any] | None = None
    bands: dict[str, Any] | None = None
    labels: Labels | None = None
    unit: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _one_shape(self) -> Figure:
        shapes = [shape for shape in ("value", "values", "bands") if getattr(self, shape) is not None]
        if len(shapes) != 1:
            raise ValueError("give exactly one of value, values (a table) or bands")
        if self.values is not None and not self.by:
            raise ValueError("a table needs 'by': the attributes its keys stand for")
        unknown = [name for name in self.by if name not in ATTRIBUTES]
        if unknown:
            raise ValueError(f"'{unknown[0]}' is no attribute; the attributes are {', '.join(ATTRIBUTES)}")
        self.cells()
        return self

    def cells(self) -> list[tuple[tuple[str, ...], Decimal | tuple[Band, ...]]]:
        """The figure as rows: the keys by attribute (empty for a plain value), and a number or a scale of bands.

        A key may name several codes (`basic, voice`); each gets its row.
        """
        if self.value is not None:
            return [((), self.value)]
        rows: list[tuple[tuple[str, ...], Decimal | tuple[Band, ...]]] = []

        def walk(keys: tuple[str, ...], node: Any) -> None:
            if len(keys) == len(self.by):
                rows.append((keys, self._leaf(node)))
                return
            if not isinstance(node, dict):
                raise ValueError(f"a table by {self.by[len(keys)]} is missing below '{'/'.join(keys)}'")
            for text, child in node.items():
                for key in (part.strip() for part in str(text).split(",")):
                    codes = ATTRIBUTES[self.by[len(keys)]]
                    if codes and key not in codes:
                        raise ValueError(f"'{key}' is no {self.by[len(keys)]}; the codes are {', '.join(codes)}")
                    walk((*keys, key), child)

        walk((), self.values if self.values is not None else self.bands)
        doubled = {keys for keys, _ in rows if [k for k, _ in rows].count(keys) > 1}
        if doubled:
            raise ValueError(f"'{'/'.join(sorted(doubled)[0])}' stands twice")
        return sorted(rows + self._stand_ins(rows), key=lambda row: OTHER in row[0])

    def _stand_ins(
        self, rows: list[tuple[tuple[str, ...], Decimal | tuple[Band, ...]]]
    ) -> list[tuple[tuple[str, ...], Decimal | tuple[Band, ...]]]:
        """Rows for the grades that are paid as another where the table has no figure for them."""
        if "grade" not in self.by:
            return []
        place = self.by.index("grade")
        known = {keys for keys, _ in rows}
        added = []
        for grade, paid_as in STAND_INS.items():
            for keys, leaf in rows:
                other = (*keys[:place], grade, *keys[place + 1 :])
                if keys[place] == paid_as and other not in known:
                    added.append((other, leaf))
        return added

    def _leaf(self, node: Any) -> Decimal | tuple[Band, ...]:
        if self.values is not None:
            if not isinstance(node, (int, Decimal)):
                raise ValueError(f"'{node}' is not a number")
            return Decimal(node)
        if not isinstance(node, dict):
            raise ValueError("bands are written as a table: interval, value")
        return order_bands([Band.parse(interval, value) for interval, value in node.items()])


def order_bands(bands: list[Band]) -> tuple[Band, ...]:
    """The bands from low to high; a ValueError names a gap or an overlap between two of them."""
    infinity = Decimal("Infinity")
    ordered = sorted(bands, key=lambda band: (band.low if band.low is not None else -infinity, not band.low_closed))
    for left, right in itertools.pairwise(ordered):
        high = left.high if left.high is not None else infinity
        low = right.low if right.low is not None else -infinity
        if high > low or (high == low and left.high_closed and right.low_closed):
            raise ValueError(f"bands {left} and {right} overlap")
        if high < low or not (left.high_closed or right.low_closed):
            raise ValueError(f"there is a gap between bands {left} and {right}")
    return tuple(ordered)


class Level(Strict):
    """The name of one number of a level measure (a rating, say)."""

    code: Name
    zh: str
    en: str


class Measure(Strict):
    """A derived measure: one formula per employee and period, rounded half up to 6 places.

    `everyone` is evaluated for every active employee, whatever the plan; otherwise for the plan's members.
    """

    formula: str
    labels: Labels
    unit: Literal["ratio", "points", "score", "share", "count", "money", "level", "flag", "days", "rank"] = "points"
    period: Annotated[tuple[Literal["month", "quarter", "year"], ...], BeforeValidator(_as_list)] = ("month",)
    everyone: bool = False
    levels: dict[int, Level] = {}


class Component(Strict):
    """A pay component: one line per employee and pay month. `base`, `rate` and `quantity` are shown beside it."""

    formula: str
    labels: Labels
    group: Literal["pay", "contribution"] = "pay"
    frequency: Literal["month", "quarter", "year"] = "month"
    base: str | None = None
    rate: str | None = None
    quantity: str | None = None


class Condition(Strict):
    """One thing a tier rule asks for: a value, compared with a threshold. An absent value is not met."""

    name: Name
    value: str
    operator: Literal[">=", ">", "<=", "<", "="]
    threshold: str
    labels: Labels


class Rule(Strict):
    """A tier rule: it decides when all its conditions are met. `lowest` decides instead where no grade is below."""

    decision: Literal["promote", "demote", "hold", "dismiss_review"]
    conditions: tuple[Condition, ...] = ()
    grades: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    lowest: Literal["hold", "dismiss_review"] = "hold"
    reason: Labels


class Tiers(Strict):
    """Who moves a grade up or down at a quarter's end: the ladder from low to high and the rules in order."""

    ladder: tuple[str, ...]
    rules: tuple[Rule, ...]


class Scorecard(Strict):
    """Which derived measures stand in the scorecard's common columns.

    `director_below` is the level of the rating below which a month goes on the director's list.
    """

    score: str | None = None
    rating: str | None = None
    director_below: str | None = None


class Sampling(Strict):
    """How many interactions per agent and business date are drawn for review."""

    figure: str


class Part(Strict):
    """What plan versions and the versions of shared parts have in common."""

    effective_from: date
    figures: dict[Name, Figure] = {}
    terms: dict[Name, str] = {}
    measures: dict[Name, Measure] = {}
    components: dict[Name, Component] = {}
    tiers: Tiers | None = None


class Version(Part):
    """A plan as in force from a date on, until the next version's date. `uses` names shared parts."""

    uses: tuple[Name, ...] = ()
    scorecard: Scorecard = Scorecard()
    sampling: Sampling | None = None


def _in_order(versions: tuple[Part, ...]) -> None:
    dates = [version.effective_from for version in versions]
    if dates != sorted(set(dates)):
        raise ValueError("versions must be in the order of their effective_from, no date twice")


class SharedPart(Strict):
    """A file of what several plans use: figures, measures, components or a ladder.

    A measure that is for everyone is reckoned whether a plan uses the part or not.
    """

    shared: Name
    labels: Labels
    source: str
    versions: Annotated[tuple[Part, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _versions_in_order(self) -> SharedPart:
        _in_order(self.versions)
        return self


class Plan(Strict):
    """A plan file."""

    plan: Name
    labels: Labels
    source: str = Field(description="Title of the scheme in the seed document, or where the plan comes from")
    default: bool = False
    pay_date: Literal["next_month_25", "same_month_25", "last_working_day"] = "next_month_25"
    negative_pay: bool = Field(False, description="Whether a month's gross pay may be below zero")
    versions: Annotated[tuple[Version, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _versions_in_order(self) -> Plan:
        _in_order(self.versions)
        return self
