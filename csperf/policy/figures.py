"""The numbers of a plan: single ones, tables by attributes, scales of bands; every mistake in them at its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from csperf.policy.problems import nearest

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


def as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


STRICT = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)
"""Keys that are not known are refused, so that a typing slip is found; a number is a formula too."""

Entry = tuple[tuple[str, ...], str]
"""A mistake inside a block: the keys to it from there, and the reason."""


def refuse(entries: list[Entry]) -> None:
    """Refuse a block with all of its mistakes, each at its own place."""
    if entries:
        told = "; ".join(reason for _, reason in entries)
        raise PydanticCustomError("entries", "{told}", {"told": told, "entries": entries})


class Labels(BaseModel):
    """What people read beside the code: the seed's Chinese term and its English one."""

    model_config = STRICT

    zh: str = Field(description="The Chinese term")
    en: str = Field(description="The English term")


class Band(BaseModel):
    """One band of a scale: an interval with open or closed ends and the value it gives."""

    model_config = STRICT

    low: Decimal | None
    low_closed: bool
    high: Decimal | None
    high_closed: bool
    value: Decimal

    @classmethod
    def parse(cls, interval: str, value: Any) -> Band:
        """`(20, 30]` (without 20, with 30) and its value; `inf` or `-inf` for an end without a limit.

        The value `none` gives 0: the plan pays nothing in that band. ValueError for what is no band or holds no number.
        """
        match = re.fullmatch(rf"([\[(])\s*(-inf|{_NUMBER})\s*,\s*(inf|{_NUMBER})\s*([\])])", interval.strip())
        if not match:
            raise ValueError(f"'{interval}' is not a band; write it like '(20, 30]' or '[70, inf)'")
        low = None if match[2] == "-inf" else Decimal(match[2])
        high = None if match[3] == "inf" else Decimal(match[3])
        low_closed, high_closed = match[1] == "[", match[4] == "]"
        if low is not None and high is not None:
            if low > high:
                raise ValueError(f"band '{interval}' ends before it starts")
            if low == high and not (low_closed and high_closed):
                raise ValueError(f"band '{interval}' holds no number; write '[{low}, {high}]' for the number alone")
        return cls(
            low=low,
            low_closed=low_closed,
            high=high,
            high_closed=high_closed,
            value=Decimal(0) if value == "none" else exact(value),
        )

    def holds(self, number: Decimal) -> bool:
        above = self.low is None or number > self.low or (number == self.low and self.low_closed)
        return above and (self.high is None or number < self.high or (number == self.high and self.high_closed))

    def __str__(self) -> str:
        low = "-∞" if self.low is None else f"{self.low}"
        high = "∞" if self.high is None else f"{self.high}"
        return f"{'[' if self.low_closed else '('}{low}, {high}{']' if self.high_closed else ')'}"


_NUMBER = r"-?\d+(?:\.\d+)?"


def exact(node: Any) -> Decimal:
    """A number of a table or a band as it was written; ValueError for anything else, or beyond 6 places."""
    if node is None:
        raise ValueError("a number is missing")
    if isinstance(node, bool) or not isinstance(node, int | Decimal):
        raise ValueError(f"'{node}' is not a number")
    number = Decimal(node)
    if number != round(number, 6) or abs(number) >= 10**12:
        raise ValueError(f"'{node}' has more than 6 decimal places or 12 digits before them")
    return number


Cell = tuple[tuple[str, ...], Decimal | tuple[Band, ...]]
"""A row of a figure: the keys by attribute, and a number or a scale of bands."""


class Figure(BaseModel):
    """A number of a plan, a table of numbers by attributes, or a scale of bands (by attributes or not)."""

    model_config = STRICT

    provenance: Literal["seed", "assumption"] = Field(
        description="seed: the document that the plan follows gives the number; assumption: somebody must still decide"
    )
    assumed: tuple[str, ...] = Field((), description="Keys of a seed table whose numbers are assumptions")
    value: Number | None = Field(None, description="The number, of a figure that is the same for all")
    by: Annotated[tuple[str, ...], BeforeValidator(as_list)] = Field(
        (), description="The attribute, or list of attributes, that the keys of values or bands stand for, in order"
    )
    values: dict[str, Any] | None = Field(
        None,
        description="A table: a number by code; several codes may share one (`basic, voice: 3000`); by city or team "
        "the key `other` is for all that are not named",
    )
    bands: dict[str, Any] | None = Field(
        None,
        description='A scale: a number by interval, "(20, 30]" without 20 and with 30, inf or -inf for no limit, '
        "`none` for 0; below the codes where there is `by`",
    )
    labels: Labels | None = Field(None, description="What people read beside the code")
    unit: str = Field("", description="What the number counts, in words: CNY a month, share, points")
    note: str = Field("", description="What a reader should know of the number")

    @model_validator(mode="after")
    def _one_shape(self) -> Figure:
        shapes = [shape for shape in ("value", "values", "bands") if getattr(self, shape) is not None]
        unknown = [name for name in self.by if name not in ATTRIBUTES]
        if len(shapes) != 1:
            refuse([((), "give exactly one of value, values (a table) or bands (a scale)")])
        if unknown:
            known = f"; the attributes are {', '.join(ATTRIBUTES)}"
            refuse([(("by",), f"'{unknown[0]}' is no attribute{nearest(unknown[0], ATTRIBUTES, known)}")])
        if len(set(self.by)) < len(self.by):
            refuse([(("by",), "an attribute stands twice")])
        if self.values is not None and not self.by:
            refuse([((), "a table needs 'by': the attributes its keys stand for")])
        if self.value is not None and self.by:
            refuse([(("by",), "a single value is the same for all; leave 'by' away or write values")])
        rows, entries = self._read()
        known_keys = {key for keys, _ in rows for key in keys}
        for key in self.assumed:
            if key not in known_keys:
                entries.append((("assumed",), f"the table has no key '{key}'{nearest(key, known_keys)}"))
        refuse(entries)
        return self

    def cells(self) -> list[Cell]:
        """The figure as rows; a key that names several codes (`basic, voice`) gives a row for each."""
        return self._read()[0]

    def _read(self) -> tuple[list[Cell], list[Entry]]:
        """The rows, and the mistakes in them with their places."""
        if self.value is not None:
            return [((), self.value)], []
        rows: list[Cell] = []
        entries: list[Entry] = []
        shape = "values" if self.values is not None else "bands"

        def walk(keys: tuple[str, ...], place: tuple[str, ...], node: Any) -> None:
            if len(keys) == len(self.by):
                leaf, wrong = _number(node) if shape == "values" else _scale(node)
                rows.append((keys, leaf))
                entries.extend(((*place, *inner), reason) for inner, reason in wrong)
                return
            attribute = self.by[len(keys)]
            if not isinstance(node, dict):
                entries.append((place, f"a table by {attribute} is wanted here"))
                return
            codes = ATTRIBUTES[attribute]
            for text, child in node.items():
                for key in (part.strip() for part in str(text).split(",")):
                    known = f"; the codes are {', '.join(codes)}"
                    if codes and key not in codes:
                        entries.append(((*place, str(text)), f"'{key}' is no {attribute}{nearest(key, codes, known)}"))
                    else:
                        walk((*keys, key), (*place, str(text)), child)

        walk((), (shape,), getattr(self, shape))
        for keys in {keys for keys, _ in rows if [k for k, _ in rows].count(keys) > 1}:
            entries.append(((shape,), f"'{'/'.join(keys)}' stands twice"))
        unique = list(dict.fromkeys(entries))
        return sorted(rows + self._stand_ins(rows), key=lambda row: OTHER in row[0]), unique

    def _stand_ins(self, rows: list[Cell]) -> list[Cell]:
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


def _number(node: Any) -> tuple[Decimal, list[Entry]]:
    try:
        return exact(node), []
    except ValueError as error:
        return Decimal(0), [((), str(error))]


def _scale(node: Any) -> tuple[tuple[Band, ...], list[Entry]]:
    if not isinstance(node, dict):
        return (), [((), "bands are written as a block: interval, value")]
    bands: list[Band] = []
    entries: list[Entry] = []
    for interval, value in node.items():
        try:
            bands.append(Band.parse(str(interval), value))
        except ValueError as error:
            entries.append(((str(interval),), str(error)))
    if not node:
        entries.append(((), "a scale needs a band"))
    ordered, readable = _ordered(bands), not entries  # a band that could not be read looks like a gap
    return tuple(ordered), [*entries, *(((), reason) for reason in _misfits(ordered, gaps=readable))]


def _ordered(bands: list[Band]) -> list[Band]:
    infinity = Decimal("Infinity")
    return sorted(bands, key=lambda band: (band.low if band.low is not None else -infinity, not band.low_closed))


def _misfits(ordered: list[Band], gaps: bool) -> Iterator[str]:
    """Overlaps, and `gaps` if asked for, between bands that are sorted from low to high."""
    infinity = Decimal("Infinity")
    highest = ordered[0] if ordered else None
    for band in ordered[1:]:
        assert highest is not None
        high = highest.high if highest.high is not None else infinity
        low = band.low if band.low is not None else -infinity
        if high > low or (high == low and highest.high_closed and band.low_closed):
            yield f"bands {highest} and {band} overlap"
        elif gaps and (high < low or not (highest.high_closed or band.low_closed)):
            yield f"there is a gap between bands {highest} and {band}"
        end = band.high if band.high is not None else infinity
        if (end, band.high_closed) > (high, highest.high_closed):
            highest = band
