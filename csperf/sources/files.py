"""The file source: a directory with one folder a dataset and one file a date (contract section 2)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path

import duckdb

from csperf.datasets import DATASETS, Dataset
from csperf.errors import UsageError
from csperf.settings import Settings
from csperf.sources.convert import connect, copy_parquet, inside, quote, typed_select
from csperf.sources.spool import Delivery, Spool, Unparsed
from csperf.sources.tables import FORMATS, FileFormat, Table, read_table, stamp
from csperf.sources.texts import Unreadable
from csperf.storage import private_dir

log = logging.getLogger(__name__)
# Letters of a list of columns in a sentence.
MOST_SHOWN = 600


class FileSource:
    """Deliveries as files: `<root>/<dataset>/<YYYY-MM-DD>.csv`, .csv.gz, .jsonl, .jsonl.gz or .parquet."""

    def __init__(self, settings: Settings, root: Path) -> None:
        """A UsageError when `root` is no directory or holds no dataset's folder."""
        self._settings = settings
        self._root = root
        self.name = str(root)
        if not root.is_dir():
            raise UsageError(f"The source directory {root} does not exist; give a directory with the deliveries.")
        if not self.datasets():
            raise UsageError(
                f"The source directory {root} has no folder named like a dataset ({', '.join(DATASETS)}); "
                "a delivery lies at <dataset>/<YYYY-MM-DD>.csv."
            )

    def datasets(self) -> list[str]:
        """The datasets that have a folder."""
        return [name for name in DATASETS if (self._root / name).is_dir()]

    def extract(self, dataset: Dataset, dates: Sequence[date], spool: Path) -> Spool:
        """The files of those dates; of a full dataset also the one in force before them."""
        private_dir(spool)
        result = Spool(dataset, spool)
        files = self._files(dataset)
        with connect(self._settings, spool, self._root) as con:
            for day in chosen_dates(dataset, dates, sorted(files)):
                if day in files:
                    self._extract_file(con, result, day, files[day])
        return result

    def fingerprint(self, dataset: Dataset, day: date) -> str | None:
        """A mark that changes when the date's file is written anew, so that it need not be read to see; or None."""
        paths = self._files(dataset).get(day, [])
        if not paths:
            return None
        marks = [(path.name, *stamp(path)) for path in paths]
        return f"{self._settings.encoding} {marks}"

    def _files(self, dataset: Dataset) -> dict[date, list[Path]]:
        """The dataset's files by their date."""
        found: dict[date, list[Path]] = {}
        folder = self._root / dataset.name
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            match = re.fullmatch(r"(\d{4}-\d\d-\d\d)(\.[a-z.]+)", path.name)
            if match and match[2] in FORMATS:
                try:
                    found.setdefault(date.fromisoformat(match[1]), []).append(path)
                    continue
                except ValueError:
                    pass
            if not path.name.startswith("."):
                log.warning("%s/%s is not read: a delivery is named <YYYY-MM-DD>.csv", dataset.name, path.name)
        return found

    def _extract_file(self, con: duckdb.DuckDBPyConnection, result: Spool, day: date, paths: list[Path]) -> None:
        dataset, path = result.dataset, paths[0]
        origin = f"{dataset.name}/{path.name}"
        target = result.folder / f"{day}.parquet"
        seen: list[str] = []
        types: list[str] = []

        def consume(table: Table) -> None:
            seen[:] = table.names
            types[:] = [native for _, _, native in table.columns]
            columns = with_contract_columns(
                dataset, table, optional_may_lack=path.name.endswith((".jsonl", ".jsonl.gz"))
            )
            copy_parquet(con, typed_select(dataset, table.relation, columns, f"date {quote(str(day))}"), str(target))

        try:
            if len(paths) > 1:
                raise Unreadable(
                    f"the date was delivered more than once, as {' and '.join(other.name for other in paths)}; "
                    "leave the right one"
                )
            if not inside(path, self._root):
                raise Unreadable("it is a link that leads out of the source directory; deliver the file itself")
            style = FileFormat(FORMATS["".join(path.suffixes)], self._settings.encoding)
            unparsed = read_table(con, path, style, result.folder, consume)
        except Unreadable as error:
            target.unlink(missing_ok=True)
            result.deliveries[day] = Delivery(day, origin, seen, 0, {}, f"{origin}: {error}.")
            return
        result.deliveries[day] = Delivery(day, origin, seen, count_rows(con, target), types=types)
        result.rows.append(target)
        result.unparsed.extend(Unparsed(day, line, raw, f"line {line}: {why}") for line, raw, why in unparsed)


def chosen_dates(dataset: Dataset, dates: Sequence[date], there: Sequence[date]) -> list[date]:
    """Which delivery dates answer for `dates`; `there` are all dates delivered, in order.

    Daily: those asked for. Full: every one from the first asked for to the last, and the newest before the first,
    which is in force until then; the oldest of all when there is none up to the last.
    """
    if dataset.kind == "daily":
        return sorted(set(dates))
    first, last = min(dates), max(dates)
    before = [day for day in there if day < first]
    chosen = before[-1:] + [day for day in there if first <= day <= last]
    return chosen or list(there[:1])


def with_contract_columns(dataset: Dataset, table: Table, optional_may_lack: bool) -> list[tuple[str, str, str]]:
    """The delivered columns, the contract's all among them; Unreadable naming those that are missing.

    A JSON object leaves out what is empty, so there an optional column may lack in every row, and without rows
    every column may (`optional_may_lack`).
    """
    missing = [column for column in dataset.columns if column.name not in table.names]
    if optional_may_lack and (not table.names or all(column.optional for column in missing)):
        return [*table.columns, *((column.name, "cast(null as varchar)", "VARCHAR") for column in missing)]
    if missing:
        names = ", ".join(column.name for column in missing)
        there = shown(table.names) or "no columns at all"
        raise Unreadable(
            f"{'column' if len(missing) == 1 else 'columns'} {names} {'is' if len(missing) == 1 else 'are'} missing; "
            f"it has {there}{renamed(dataset, [column.name for column in missing], table.names)}"
        )
    return table.columns


def shown(names: Sequence[str]) -> str:
    """Columns as a sentence names them: whatever they are called, one line that is not too long."""
    text = "".join(letter if letter.isprintable() else "?" for letter in ", ".join(names))
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} …"


def renamed(dataset: Dataset, missing: Sequence[str], there: Sequence[str]) -> str:
    """A guess which of the delivered columns that the contract does not know are missing ones renamed; or nothing."""
    unknown = [name for name in there if name not in dataset.column_names]
    guesses = [
        f"{shown(near[:1])} may be {name} renamed"
        for name in missing
        if (near := unknown if len(missing) == len(unknown) == 1 else get_close_matches(name, unknown, 1))
    ]
    return f" ({', '.join(guesses)})" if guesses else ""


def count_rows(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Rows of a Parquet file, read from its footer."""
    row = con.execute(f"select count(*) from read_parquet({quote(str(path))})").fetchone()
    return int(row[0]) if row else 0
