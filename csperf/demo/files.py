"""Writes one delivery of the made-up company: CSV or Parquet, with its dirty row behind the good ones."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from csperf.demo.dirt import Dirt
from csperf.demo.profile import Profile

Format = Literal["csv", "parquet"]


def write_delivery(folder: Path, name: str, table: pa.Table, dirt: Dirt | None, profile: Profile, kind: Format) -> int:
    """Write `table` as `<folder>/<name>.<kind>`. Returns the number of rows, the dirty one included."""
    folder.mkdir(parents=True, exist_ok=True)
    dirt = dirt if table.num_rows else None
    path = folder / f"{name}.{kind}"
    if kind == "parquet":
        table = _typed(table, profile)
        if dirt:
            table = pa.concat_tables([table, _typed_row(table, dirt)])
        pq.write_table(table, path, compression="zstd", compression_level=1)
        return int(table.num_rows)
    table = _as_text(table, profile)
    with path.open("wb") as file:
        _write_csv(table, file)
        if dirt:
            row = dirt.spoil(_first_row(table))
            file.write(_line(list(row.values()), broken=dirt.kind == "wrong_number_of_fields").encode())
    return int(table.num_rows) + (dirt is not None)


def _write_csv(table: pa.Table, file: io.BufferedWriter) -> None:
    file.write((",".join(table.column_names) + "\n").encode())
    start = file.tell()
    try:
        pacsv.write_csv(table, file, pacsv.WriteOptions(include_header=False, quoting_style="none"))
    except pa.ArrowInvalid:  # a text holds a comma or a quote
        file.seek(start)
        file.truncate()
        pacsv.write_csv(table, file, pacsv.WriteOptions(include_header=False, quoting_style="needed"))


def _as_text(table: pa.Table, profile: Profile) -> pa.Table:
    """Timestamps as ISO 8601 text with the offset; the rest is left to the CSV writer."""
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            text = pc.strftime(table[field.name], "%Y-%m-%dT%H:%M:%S")
            column = pc.binary_join_element_wise(text, profile.utc_offset, "")
            table = table.set_column(index, field.name, column)
    return table


def _typed(table: pa.Table, profile: Profile) -> pa.Table:
    """Timestamps as UTC instants."""
    ahead = pa.scalar(timedelta(minutes=profile.offset_minutes), pa.duration("ms"))
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            instants = pc.subtract(table[field.name], ahead).cast(pa.timestamp("us"))
            table = table.set_column(index, field.name, instants.cast(pa.timestamp("us", tz="UTC")))
    return table


def _typed_row(table: pa.Table, dirt: Dirt) -> pa.Table:
    row = dirt.spoil(_first_row(table))
    empty_as_null = {name: pa.array([row[name] or None], pa.string()) for name in table.column_names}
    return pa.table({name: array.cast(table.schema.field(name).type) for name, array in empty_as_null.items()})


def _first_row(table: pa.Table) -> dict[str, str]:
    """The first row's texts as a CSV would show them, an empty one for null."""
    row = {name: table[name][:1].cast(pa.string())[0].as_py() for name in table.column_names}
    return {name: "" if value is None else value for name, value in row.items()}


def _line(values: list[str], broken: bool) -> str:
    if broken:
        return ",".join(values) + "\n"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
