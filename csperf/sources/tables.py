"""One delivered file as a relation in DuckDB, whatever its format, with the lines that are no rows set apart."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from csperf.sources.convert import ident, quote
from csperf.sources.texts import BeingWritten, Repaired, Unreadable, read_header, repair_csv, repair_jsonl, transcode

# The endings that are read, longest first, and what is inside.
FORMATS = {".csv.gz": "csv", ".jsonl.gz": "jsonl", ".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
# A character that is malformed in JSON: no line of JSON has a second field.
_NEVER = "\x01"


@dataclass(frozen=True)
class FileFormat:
    """How a text file is written. `format` is csv, jsonl or parquet; the rest is for CSV."""

    format: str
    encoding: str = "utf-8"
    delimiter: str = ","


@dataclass(frozen=True)
class Table:
    """A file's rows: a FROM item, and per delivered column its name, an expression over it and its DuckDB type."""

    relation: str
    columns: list[tuple[str, str, str]]

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.columns]


def stamp(path: Path) -> tuple[int, int, int]:
    """What tells that a file was written to or replaced: its size, its time of change and its number."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


# Somebody may just be writing the file: it is read again before it is given up, for a quarter of a minute in all.
@retry(
    retry=retry_if_exception_type(BeingWritten),
    stop=stop_after_attempt(6),
    wait=wait_exponential(multiplier=0.5, max=8),
    reraise=True,
)
def read_table(
    con: duckdb.DuckDBPyConnection, path: Path, style: FileFormat, scratch: Path, consume: Callable[[Table], None]
) -> list[tuple[int, str, str]]:
    """Give a file's rows to `consume`, as `_read_table` does; a file that changes meanwhile is read again.

    `consume` must replace what it wrote before. BeingWritten when the file keeps changing.
    """
    before = _stamp(path)
    try:
        lines = _read_table(con, path, style, scratch, consume)
    except Unreadable:
        if _stamp(path) == before:
            raise
        lines = []
    if _stamp(path) != before:
        raise BeingWritten(
            "the file is still being written; deliver it under another name and rename it when it is whole"
        )
    return lines


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        return stamp(path)
    except OSError:
        return None


def _read_table(
    con: duckdb.DuckDBPyConnection, path: Path, style: FileFormat, scratch: Path, consume: Callable[[Table], None]
) -> list[tuple[int, str, str]]:
    """Give a file's rows to `consume`; return the lines that are no rows (number, raw text, reason).

    `consume` runs a statement over the Table. When DuckDB refuses a line of a text file, the file is repaired
    into `scratch` and `consume` is called again, so it must replace what it wrote the first time. Unreadable when
    nothing of the file can be read.
    """
    try:
        if path.stat().st_size == 0:
            raise Unreadable(
                "the file is empty (0 bytes); a day without rows is a CSV file with its header, or a JSON Lines "
                "file with one empty line"
            )
        if style.format == "parquet":
            consume(_parquet(con, path))
            return []
        return _read_text(con, path, style, scratch, consume)
    except (OSError, EOFError, zlib.error) as error:
        what = "the compressed file is damaged" if path.suffix == ".gz" else "the file cannot be opened"
        raise Unreadable(
            f"{what} ({error.strerror if isinstance(error, OSError) and error.strerror else error})"
        ) from None
    except duckdb.Error as error:
        raise Unreadable(f"it cannot be read as {style.format} ({_first_line(error)})") from None


def _read_text(
    con: duckdb.DuckDBPyConnection, path: Path, style: FileFormat, scratch: Path, consume: Callable[[Table], None]
) -> list[tuple[int, str, str]]:
    names, blank = read_header(path, style.encoding, style.delimiter) if style.format == "csv" else ([], 0)
    plain = path
    if style.format == "csv" and style.encoding.lower().replace("-", "") != "utf8":
        plain = scratch / f"{path.name}.utf8"
        transcode(path, plain, style.encoding)
    mended = scratch / f"{path.name}.mended"
    try:
        try:
            table: Table | None = None
            if style.format == "jsonl":
                table = _jsonl(con, plain)
            elif not blank:  # after blank lines DuckDB takes the header for a row
                table = _csv(plain, names, style.delimiter)
            if table is not None:
                consume(table)
                if not _refused(con):
                    return []
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:
            pass  # the reader gave up on a line: what is wrong with it is found by repair
        finally:
            _refused(con)
        repaired: Repaired
        if style.format == "csv":
            repaired = repair_csv(path, mended, style.encoding, len(names), style.delimiter)
            clean: Table | None = _csv(mended, names, ",", header=False)
        else:
            repaired = repair_jsonl(path, mended)
            clean = _jsonl(con, mended)
        if clean is None:
            raise Unreadable("its lines are no JSON objects")
        consume(clean)
        if _refused(con):
            raise Unreadable("some of its lines cannot be read even one by one")
        return repaired.unparsed
    finally:
        mended.unlink(missing_ok=True)
        if plain != path:
            plain.unlink(missing_ok=True)


def _refused(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the reader refused a line since the last call."""
    tables = {row[0] for row in con.execute("select table_name from duckdb_tables()").fetchall()}
    if "reject_errors" not in tables:
        return False
    count = con.execute("select count(*) from reject_errors").fetchone()
    con.execute("drop table reject_errors")
    con.execute("drop table if exists reject_scans")
    return bool(count and count[0])


def _csv(path: Path, names: list[str], delimiter: str, header: bool = True) -> Table:
    # A trailing delimiter gives a last column without a name, which nobody delivered.
    columns = ", ".join(f"'c{index}': 'varchar'" for index in range(len(names)))
    relation = (
        f"read_csv({quote(str(path))}, auto_detect=false, header={str(header).lower()}, delim={quote(delimiter)}, "
        f"quote='\"', escape='\"', columns={{{columns}}}, store_rejects=true, rejects_limit=0, max_line_size=2200000)"
    )
    return Table(relation, [(name, f"c{index}", "VARCHAR") for index, name in enumerate(names) if name])


def _jsonl(con: duckdb.DuckDBPyConnection, path: Path) -> Table | None:
    """The lines' keys as columns; None when a line is no JSON object."""
    lines = (
        f"read_csv({quote(str(path))}, auto_detect=false, header=false, delim={quote(_NEVER)}, quote='', escape='', "
        "columns={'line': 'varchar'}, store_rejects=true, rejects_limit=0, max_line_size=2200000)"
    )
    if path.stat().st_size:
        wrong = con.execute(
            f"select count(*) from {lines} where line is not null and "
            "not case when json_valid(line) then json_type(line) = 'OBJECT' else false end"
        ).fetchone()
        if wrong and wrong[0]:
            return None
        rows = con.execute(f"select distinct unnest(json_keys(line)) from {lines} where line is not null").fetchall()
        keys = sorted(row[0] for row in rows)
    else:
        keys, lines = [], "(select null::varchar as line where false)"
    paths = ", ".join(quote("$." + ident(key)) for key in keys)
    extracted = f"json_extract_string(line, [{paths}])" if keys else "cast([] as varchar[])"
    relation = f"(select {extracted} as v from {lines} where line is not null)"
    return Table(relation, [(key, f"v[{index}]", "VARCHAR") for index, key in enumerate(keys, start=1)])


def _parquet(con: duckdb.DuckDBPyConnection, path: Path) -> Table:
    relation = f"read_parquet({quote(str(path))})"
    described = con.execute(f"describe select * from {relation}").fetchall()
    return Table(relation, [(row[0], ident(row[0]), row[1]) for row in described])


def _first_line(error: duckdb.Error) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
