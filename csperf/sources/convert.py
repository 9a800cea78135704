"""From what was delivered to the contract's types, in one SQL statement, with a sentence for each field that fails.

Nothing is guessed and nothing is lost: a field that cannot be read becomes null, its row says why in `_bad` and
keeps the delivered texts in `_raw`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from csperf.datasets import SQL_TYPES, Column, Dataset, Type
from csperf.settings import Settings
from csperf.sources.spool import BAD, DATE, RAW, ROW

# What a field must look like before DuckDB's own cast sees it: the casts alone would take 1_000 and 0x1F and
# round 4.5 to a whole number.
_PATTERNS: dict[Type, str] = {
    "integer": r"\s*[+-]?\d+(\.0*)?\s*",
    "decimal": r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*",
    "date": r"\s*\d{4}-\d\d-\d\d([T ]00:00(:00(\.0+)?)?)?\s*",
    "month": r"\s*\d{4}-(0[1-9]|1[0-2])\s*",
    "timestamp": r"\s*\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?\s*",
}
# A text as long as a small book is no name and no remark, and a NUL ends texts in other programs.
MAX_TEXT = 100_000
_EXPECTED: dict[Type, str] = {
    "text": f"is longer than {MAX_TEXT:,} bytes or holds a NUL character",
    "integer": "is not a whole number",
    "decimal": "is not a number",
    "boolean": "is not true or false",
    "date": "is not a date like 2026-09-30",
    "month": "is not a month like 2026-09",
    "timestamp": "is not a time like 2026-09-30T09:00:00+08:00",
}
# Pay is confidential: what stands in such a field is not repeated in a sentence that others may read.
CONFIDENTIAL = ("base_salary",)
# Types that need no look at their text, by the contract's type.
_NATIVE: dict[Type, tuple[str, ...]] = {
    "text": ("VARCHAR",),
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", "TIMESTAMP WITH TIME ZONE", "DATE"),
}


def connect(settings: Settings, spool: Path, *reads: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that keeps to the settings' memory and threads and spills under the folder `spool`.

    Its session time zone is the business one: a time without an offset is read as local business time. Whatever SQL a
    mapping holds, it reaches no file outside `spool` and the folders `reads`, no extension and no setting.
    """
    con = duckdb.connect(
        config={
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(spool / "tmp"),
            "autoinstall_known_extensions": False,
        }
    )
    con.execute(f"set TimeZone = {quote(settings.timezone)}")
    con.execute(f"set allowed_directories = [{', '.join(quote(str(path)) for path in (spool, *reads))}]")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")
    return con


def inside(path: Path, folder: Path) -> bool:
    """Whether a path, with its links followed, lies in a folder."""
    return path.resolve().is_relative_to(folder.resolve())


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def ident(name: str) -> str:
    """A quoted SQL name."""
    return '"' + name.replace('"', '""') + '"'


def _text(expression: str, native: str) -> str:
    """The delivered field as text, null when it is empty (a float's NaN is how pandas writes empty)."""
    if native in ("DOUBLE", "FLOAT"):
        return f"case when not isnan({expression}) then cast({expression} as varchar) end"
    if native == "VARCHAR":
        return f"nullif({expression}, '')"
    return f"nullif(cast({expression} as varchar), '')"


def typed(column: Column, expression: str, native: str) -> str:
    """The field in the contract's type; null where it cannot be read."""
    sql_type = SQL_TYPES[column.type]
    text = _text(expression, native)
    if column.type == "text":
        return f"case when strlen({text}) <= {MAX_TEXT} and not contains({text}, chr(0)) then {text} end"
    if native in _NATIVE.get(column.type, ()):
        return expression if native == sql_type.upper() else f"try_cast({expression} as {sql_type})"
    if column.type == "decimal" and (native.startswith("DECIMAL") or native in _NATIVE["integer"]):
        return f"try_cast({expression} as {sql_type})"
    if column.type == "date" and native.startswith("TIMESTAMP"):
        # Only midnight is a date; anything later would silently lose its time. With a time zone: local midnight.
        local = f"cast({expression} as timestamp)"
        return f"case when date_trunc('day', {local}) = {local} then cast({local} as date) end"
    if column.type == "boolean":
        return (
            f"case when lower(trim({text})) in ('true', 't', '1', 'yes') then true "
            f"when lower(trim({text})) in ('false', 'f', '0', 'no') then false end"
        )
    matched = f"regexp_full_match({text}, {quote(_PATTERNS[column.type])})"
    if column.type == "month":
        return f"case when {matched} then trim({text}) end"
    if column.type == "timestamp":
        # 09:00+08:00 is ISO 8601 too, but DuckDB's cast wants the seconds.
        padded = f"regexp_replace(trim({text}), '([T ]\\d\\d:\\d\\d)(Z|[+-][0-9:]+)$', '\\1:00\\2')"
        return (
            f"case when {matched} then coalesce(try_cast({text} as timestamptz), try_cast({padded} as timestamptz)) end"
        )
    return f"case when {matched} then try_cast({text} as {sql_type}) end"


def typed_select(
    dataset: Dataset,
    relation: str,
    delivered: Sequence[tuple[str, str, str]],
    business_date: str,
    carried: Mapping[str, str] | None = None,
    row: str = "row_number() over ()",
    reason: str | None = None,
    raw: str | None = None,
) -> str:
    """The statement that gives the spool's columns from a relation.

    `delivered` lists (name, SQL expression over the relation, DuckDB type) of what was delivered; it must hold
    each column of the dataset. `carried` are further expressions over the relation by name; `business_date` is an
    expression over those and the typed columns; `row` is one over the relation. With a `reason` every row is bad
    for that reason, whatever else is wrong with it. `raw` is an expression over the relation for the row's text as it
    came, which is then kept of every row.
    """
    given = [f"{expression} as d{index}" for index, (_, expression, _) in enumerate(delivered)]
    given += [f"{expression} as {name}" for name, expression in (carried or {}).items()]
    given += [f"{raw} as came"] if raw else []
    position = {name: (index, native) for index, (name, _, native) in reversed(list(enumerate(delivered)))}
    fields, failed, failures = [], [], []
    for column in dataset.columns:
        index, native = position[column.name]
        fields.append(f"{typed(column, f'd{index}', native)} as {ident(column.name)}")
        if not (column.type == "timestamp" and native in _NATIVE["timestamp"]):
            text = _text(f"d{index}", native)
            failed.append(f"({ident(column.name)} is null and {text} is not null)")
            shown = (
                "'it '" if column.name in CONFIDENTIAL else f"'''' || replace(left({text}, 60), chr(0), '?') || ''' '"
            )
            failures.append(
                f"case when {failed[-1]} then {quote(column.name + ': ')} || {shown} "
                f"|| {quote(_EXPECTED[column.type])} end"
            )
    wrong = [f"concat_ws('; ', {', '.join([quote(reason), *failures])})"] if reason else []
    if failures and not reason:
        wrong = [f"case when {' or '.join(failed)} then concat_ws('; ', {', '.join(failures)}) end"]
    bad = wrong[0] if wrong else "cast(null as varchar)"
    texts = ", ".join(f"{quote(name)}, cast(d{index} as varchar)" for index, (name, _, _) in enumerate(delivered))
    columns = ", ".join(ident(name) for name in dataset.column_names)
    kept = "came" if raw else f"case when {BAD} is not null then cast(json_object({texts}) as varchar) end"
    return (
        f"with given as (select {row} as {ROW}, {', '.join(given)} from {relation}), "
        f"typed as (select *, {', '.join(fields)} from given), "
        f"judged as (select *, {bad} as {BAD} from typed) "
        f"select cast({business_date} as date) as {DATE}, {ROW}, {columns}, {BAD}, "
        f"{kept} as {RAW} from judged"
    )


def date_of(expression: str, native: str) -> str:
    """A business date given outright: a date, or a time whose local date counts."""
    as_time = typed(Column("business_date", "timestamp"), expression, native)
    if native in _NATIVE["timestamp"]:
        return f"cast({as_time} as date)"
    return f"coalesce({typed(Column('business_date', 'date'), expression, native)}, cast({as_time} as date))"


def copy_parquet(con: duckdb.DuckDBPyConnection, select: str, path: str) -> None:
    """Write a statement's rows to a Parquet file, few at once: a row group stays in memory until it is full."""
    con.execute(f"copy ({select}) to {quote(path)} (format parquet, compression lz4_raw, row_group_size 61440)")
