"""What a source hands over: one dataset's rows for some dates, on disk, with what was wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb

from csperf.datasets import SQL_TYPES, Dataset

# Columns of the Parquet files beside the contract's own.
DATE, ROW, BAD, RAW = "_business_date", "_row", "_bad", "_raw"


@dataclass(frozen=True)
class Delivery:
    """What a source gave for one business date.

    `columns` are those delivered, extra ones too, `types` what the source has them in; `rows` counts the rows in the
    Parquet files; `skipped` counts rows left out by the source's own rules, by reason; `problem` says why nothing of
    it could be read (then it has no rows). `raw` says what the rows' raw texts are: the row in the dataset's own
    columns, or a mapping's source row, to which its rules and its select can be applied again.
    """

    business_date: date
    origin: str
    columns: list[str]
    rows: int
    skipped: dict[str, int] = field(default_factory=dict)
    problem: str | None = None
    types: list[str] = field(default_factory=list)
    raw: Literal["row", "source"] = "row"


@dataclass(frozen=True)
class Unparsed:
    """A line that is no row: broken encoding, a wrong number of fields, malformed JSON.

    `line` is the line's number in its file, the header counted, where the format has lines.
    """

    business_date: date
    line: int | None
    raw: str
    reason: str


@dataclass
class Spool:
    """One dataset for some dates, in Parquet files under `folder`.

    The files hold `_business_date DATE, _row BIGINT` (1.. within the delivery, in the order delivered), every
    column of the dataset in its SQL type (timestamps are UTC instants), `_bad VARCHAR` (null when each field
    could be read, else a sentence; the field itself is null then) and `_raw VARCHAR` (the row as delivered, as
    a JSON object, where `_bad` is not null). A date that was asked for and has no `Delivery` was not delivered.
    """

    dataset: Dataset
    folder: Path
    rows: list[Path] = field(default_factory=list)
    unparsed: list[Unparsed] = field(default_factory=list)
    deliveries: dict[date, Delivery] = field(default_factory=dict)

    def relation(self, con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """All rows as a relation; one without rows, but with every column, when there are none."""
        if self.rows:
            return con.read_parquet([str(path) for path in self.rows])
        columns = ", ".join(f"null::{type_} as {name}" for name, type_ in spool_columns(self.dataset))
        return con.sql(f"select {columns} where false")


def spool_columns(dataset: Dataset) -> list[tuple[str, str]]:
    """Names (quoted) and SQL types of the Parquet files' columns, in order."""
    return [
        (DATE, "date"),
        (ROW, "bigint"),
        *((f'"{column.name}"', SQL_TYPES[column.type]) for column in dataset.columns),
        (BAD, "varchar"),
        (RAW, "varchar"),
    ]
