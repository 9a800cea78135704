"""Columns of the deliveries, made of whole numbers: times, exact decimals, identifiers."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from csperf.demo.chance import Flags, Ints

HOUR = 3_600_000  # all times here are milliseconds of local time


def midnight(day: date) -> int:
    """When a day begins, in milliseconds of local time."""
    return (day - date(1970, 1, 1)) // timedelta(milliseconds=1)


def times(values: Ints, missing: Flags | None = None) -> pa.Array:
    """Local times, milliseconds, as a column without a zone; the writer adds the offset."""
    return pa.array(values, pa.int64(), mask=missing).cast(pa.timestamp("ms"))


def exact(values: Ints, places: int) -> pa.Array:
    """Whole tenths, hundredths, … as a decimal column."""
    unit = pa.scalar(Decimal(1).scaleb(-places), pa.decimal128(places + 1, places))
    whole = pa.array(values, pa.int64()).cast(pa.decimal128(19, 0))
    return pc.multiply(whole, unit).cast(pa.decimal128(18, places))


def row_ids(letter: str, day: date, count: int) -> pa.Array:
    """Identifiers of a day's rows of one kind."""
    numbers = pc.utf8_lpad(pa.array(np.arange(1, count + 1)).cast(pa.string()), 6, "0")
    return pc.binary_join_element_wise(f"{letter}{day:%Y%m%d}-", numbers, "")


def people_ids(ids: list[str], who: Ints) -> pa.Array:
    """Employee numbers of people given by index, -1 for nobody."""
    return pa.array(ids).take(pa.array(who, pa.int64(), mask=who < 0))
