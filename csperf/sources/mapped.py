"""The source of a mapping: files or database queries, turned into the contract's columns by its selects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from csperf.datasets import DATASETS, Dataset
from csperf.errors import UsageError
from csperf.settings import Settings
from csperf.sources.collect import BUSINESS_DATE, Collector, dating
from csperf.sources.convert import connect, ident, inside, quote, typed_select
from csperf.sources.databases import Database, QueryRefused
from csperf.sources.files import chosen_dates
from csperf.sources.mapping import MappedDataset, Mapping
from csperf.sources.selects import FILE, LINE, SOURCE, judge, select_rows
from csperf.sources.spool import DATE, Delivery, Spool, Unparsed
from csperf.sources.sql import missing_columns, range_parameters, retrying, runs
from csperf.sources.tables import FORMATS, FileFormat, Table, read_table
from csperf.sources.texts import Unreadable
from csperf.storage import private_dir


@dataclass(frozen=True)
class _Delivered:
    """What answers for some dates: files (or inline rows), all of one date when `day` is given."""

    paths: list[Path]
    origin: str
    day: date | None = None


class MappedSource:
    """Deliveries by a mapping."""

    def __init__(
        self, settings: Settings, mapping: Mapping, folder: Path, root: Path, database: Database | None
    ) -> None:
        """`folder` is where the mapping lies, `root` where its files lie. A UsageError when files are not there."""
        self._settings = settings
        self._mapping = mapping
        self._folder = folder
        self._root = root
        self._database = database
        self.name = f"mapping {mapping.name}" + (f" on {database.name}" if database else "")
        for name, mapped in mapping.datasets.items():
            if mapped.files and "{date" not in mapped.files and not self._matches(mapped.files):
                raise UsageError(
                    f"The mapping {mapping.name} finds no file {mapped.files} under {self._root} for {name}; give "
                    "the folder with --source-root."
                )

    def datasets(self) -> list[str]:
        """The datasets of the mapping."""
        return [name for name in DATASETS if name in self._mapping.datasets]

    def extract(self, dataset: Dataset, dates: Sequence[date], spool: Path) -> Spool:
        """The mapped rows of those dates, with what the mapping's rules leave out counted in the deliveries."""
        private_dir(spool)
        asked, mapped = sorted(set(dates)), self._mapping.datasets[dataset.name]
        with connect(self._settings, spool, self._root, self._folder) as con:
            if mapped.sources:
                result = Spool(dataset, spool)
                for delivered in self._delivered(dataset, mapped, asked):
                    self._extract_files(con, result, mapped, asked, delivered)
                return result
            return self._extract_query(con, dataset, mapped, asked, spool)

    # Files

    def _matches(self, pattern: str) -> list[Path]:
        return sorted(path for path in self._root.glob(pattern) if path.is_file())

    def _delivered(self, dataset: Dataset, mapped: MappedDataset, asked: list[date]) -> Iterator[_Delivered]:
        """The deliveries that answer for the dates asked for."""
        if mapped.files and "{date" in mapped.files:
            there = self._dated(mapped.files)
            for day in chosen_dates(dataset, asked, sorted(there)):
                if day in there:
                    yield _Delivered(there[day], ", ".join(path.name for path in there[day]), day)
            return
        paths = self._matches(mapped.files) if mapped.files else []
        if mapped.beside:
            paths = [self._folder / mapped.beside]
        origin = ", ".join(path.name for path in paths) or f"{self._mapping.name}.yaml"
        yield _Delivered(paths, origin, (mapped.as_of or asked[-1]) if dataset.kind == "full" else None)

    def _dated(self, pattern: str) -> dict[date, list[Path]]:
        """Files of a pattern with {date} (or {date:%Y%m%d}) by the date in their names."""
        literals = re.split(r"\{date(?::[^}]*)?\}", pattern)
        styles = [style or "%Y-%m-%d" for style in re.findall(r"\{date:?([^}]*)\}", pattern)]
        expression = ""
        for literal, style in zip(literals, [*styles, ""], strict=True):
            expression += re.escape(literal).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
            if style:
                digits = re.escape(style).replace("%Y", r"\d{4}")
                expression += f"({re.sub('%[ymd]', lambda match: '[0-9]{2}', digits)})"
        found: dict[date, list[Path]] = {}
        for path in self._matches("*".join(literals)):
            match = re.fullmatch(expression, path.relative_to(self._root).as_posix())
            with suppress(ValueError):
                days = {datetime.strptime(text, style).date()
                        for text, style in zip(match.groups(), styles, strict=True)} if match else set()  # fmt: skip
                if len(days) == 1:
                    found.setdefault(days.pop(), []).append(path)
        return found

    def _extract_files(
        self, con: duckdb.DuckDBPyConnection, result: Spool, mapped: MappedDataset, asked: list[date], what: _Delivered
    ) -> None:
        dataset = result.dataset
        days = asked if what.day is None else [what.day]
        columns: list[str] = []
        try:
            lines, lacking = self._load(con, mapped, what.paths, result.folder)
            columns = _columns(con, "raw")[:-2]
            try:
                self._select_files(con, result, mapped, days, what, lines)
            except duckdb.Error as error:
                raise Unreadable(self._explain(error, what.origin, columns, lacking)) from None
        except Unreadable as error:
            for day in days:
                problem = f"{dataset.name}: {what.origin}: {error}."
                result.deliveries[day] = Delivery(day, what.origin, columns, 0, {}, problem)

    def _load(
        self, con: duckdb.DuckDBPyConnection, mapped: MappedDataset, paths: list[Path], scratch: Path
    ) -> tuple[list[tuple[int, str, str]], dict[str, str]]:
        """Fill the table `raw`; return the lines that are no rows, and which file lacks a column that others have."""
        lines: list[tuple[int, str, str]] = []
        if mapped.rows is not None:
            texts = [
                {key: None if value is None else _text(value) for key, value in row.items()} for row in mapped.rows
            ]
            names = list(dict.fromkeys(key for row in texts for key in row))
            inline = pa.table({key: pa.array([row.get(key) for row in texts], pa.string()) for key in names})
            con.register("inline_rows", inline)
            con.execute(f"create or replace temp table raw as select *, row_number() over () as {LINE}, "
                        f"'' as {FILE} from inline_rows")  # fmt: skip
            return lines, {}
        seen: list[list[str]] = []
        for number, path in enumerate(paths):
            if not (inside(path, self._root) or inside(path, self._folder)):
                raise Unreadable(f"{path.name} is a link that leads out of its folder; put the file itself there")

            def consume(table: Table, number: int = number, path: Path = path) -> None:
                items = [f"{expression} as {ident(name)}" for name, expression, _ in table.columns]
                items += [f"row_number() over () as {LINE}", f"{quote(path.name)} as {FILE}"]
                con.execute(f"create or replace temp table raw_{number} as select {', '.join(items)} "
                            f"from {table.relation}")  # fmt: skip
                seen[number:] = [table.names]

            ending = next((ending for ending in FORMATS if path.name.lower().endswith(ending)), "")
            style = FileFormat(
                mapped.format or FORMATS.get(ending, "csv"),
                mapped.encoding or self._settings.encoding,
                mapped.delimiter,
            )
            lines += read_table(con, path, style, scratch, consume)
        common = [name for name in seen[0] if all(name in names for names in seen)]
        lacking = {name: paths[number].name for names in seen for name in names if name not in common
                   for number, others in enumerate(seen) if name not in others}  # fmt: skip
        items = ", ".join(ident(name) for name in [*common, LINE, FILE])
        union = " union all ".join(f"select {items} from raw_{number}" for number in range(len(paths)))
        con.execute(f"create or replace temp table raw as {union}")
        return lines, lacking

    def _select_files(
        self,
        con: duckdb.DuckDBPyConnection,
        result: Spool,
        mapped: MappedDataset,
        days: list[date],
        what: _Delivered,
        lines: list[tuple[int, str, str]],
    ) -> None:
        """Run the select over the rows that stay, those set aside and those left out, and count each by date."""
        dataset = result.dataset
        collector = Collector(con, result, days)
        skipped: dict[date, dict[str, int]] = {}
        first = last = what.day
        groups = judge(con, mapped)
        for action, reason in groups:
            selected = select_rows(con, dataset, self._mapping.name, mapped, days, action, reason)
            dated, carried = dating(dataset, dict(selected))
            if what.day is not None:
                dated, carried = f"date {quote(str(what.day))}", {}
            delivered = [
                (name, ident(name), native) for name, native in selected if name not in (BUSINESS_DATE, SOURCE)
            ]
            raw = SOURCE if any(name == SOURCE for name, _ in selected) else None
            by_date = con.execute(
                f"select {DATE}, count(*) from ({typed_select(dataset, 'selected', delivered, dated, carried)}) "
                "group by all order by all"
            ).fetchall()
            known = [day for day, _ in by_date if day is not None]
            first = min([day for day in (first, *known) if day is not None], default=None)
            last = max([day for day in (last, *known) if day is not None], default=None)
            # A row without a readable date lies with the earliest date there is, whatever dates are asked for.
            undated = first or days[0]
            if action == "skip":
                for day, count in by_date:
                    counts = skipped.setdefault(day or undated, {})
                    counts[reason] = counts.get(reason, 0) + count
            else:
                collector.add("selected", delivered, dated, undated, carried, reason or None, raw)
        for day, count in collector.counts.items():
            if (first is not None and last is not None and first <= day <= last) or what.day is not None:
                result.deliveries[day] = Delivery(
                    day,
                    what.origin,
                    _columns(con, "raw")[:-2],
                    count,
                    skipped.get(day, {}),
                    raw="source" if raw else "row",
                )
        start = first or days[0]
        if start in days:
            result.unparsed.extend(Unparsed(start, line, raw, f"line {line}: {why}") for line, raw, why in lines)

    def _explain(self, error: duckdb.Error, origin: str, columns: list[str], lacking: dict[str, str]) -> str:
        """What DuckDB's refusal of a select means to the mapping's writer."""
        text = str(error).strip()
        match = re.search(r'(?:Referenced column|column named) "([^"]+)"', text)
        if isinstance(error, duckdb.BinderException) and match:
            where = f"the file {lacking[match[1]]}" if match[1] in lacking else "the file"
            return f"the column {match[1]} that the mapping {self._mapping.name} reads is not in {where}; it has " + (
                ", ".join(columns)
            )
        return f"the mapping {self._mapping.name} cannot be applied: {text.splitlines()[0].rstrip('.')}"

    # Databases

    @retrying
    def _extract_query(
        self, con: duckdb.DuckDBPyConnection, dataset: Dataset, mapped: MappedDataset, asked: list[date], spool: Path
    ) -> Spool:
        """The select, as the database's own SQL; the rules look at the rows that it gives."""
        assert self._database is not None and mapped.select is not None
        result = Spool(dataset, spool)
        sql = mapped.select
        if dataset.kind == "daily":
            ranges = [(first, last, asked) for first, last in runs(asked)]
        elif re.search(r":date\b", sql):
            ranges = [(day, day, [day]) for day in asked]
        else:
            day = mapped.as_of or asked[-1]
            ranges = [(day, day, [day])]
        origin = f"the select of {dataset.name}"
        days = sorted({day for _, _, some in ranges for day in some})
        collector = Collector(con, result, days)
        skipped: dict[date, dict[str, int]] = {}
        columns: list[str] = []
        try:
            with self._database.session() as session:
                for first, last, _ in ranges:
                    for batch in session.stream(sql, range_parameters(first, last)):
                        columns = batch.column_names
                        problem = missing_columns(dataset, columns, f"the select of the mapping {self._mapping.name}")
                        if problem:
                            raise QueryRefused(problem)
                        self._take(con, dataset, mapped, collector, skipped, batch, first)
        except (QueryRefused, duckdb.Error) as error:
            problem = str(error).splitlines()[0]
            problem = problem if problem.startswith(f"{dataset.name}: ") else f"{dataset.name}: {problem}"
            for day in days:
                result.deliveries[day] = Delivery(day, origin, columns, 0, {}, problem)
            result.rows.clear()
            return result
        for day, count in collector.counts.items():
            result.deliveries[day] = Delivery(day, origin, columns, count, skipped.get(day, {}))
        return result

    def _take(
        self,
        con: duckdb.DuckDBPyConnection,
        dataset: Dataset,
        mapped: MappedDataset,
        collector: Collector,
        skipped: dict[date, dict[str, int]],
        batch: pa.Table,
        first: date,
    ) -> None:
        if not batch.num_rows:
            return
        con.register("arrived", batch)
        con.execute("create or replace temp table raw as from arrived")
        con.unregister("arrived")
        natives = {row[0]: row[1] for row in con.execute("describe raw").fetchall()}
        delivered = [(name, ident(name), native) for name, native in natives.items() if name != BUSINESS_DATE]
        dated, carried = dating(dataset, natives)
        if dataset.kind == "full":
            dated, carried = f"date {quote(str(first))}", {}
        for action, reason in judge(con, mapped):
            relation = f"(from judged where _action = {quote(action)} and _reason = {quote(reason)})"
            if action != "skip":
                collector.add(relation, delivered, dated, first, carried, reason or None)
                continue
            select = typed_select(dataset, relation, delivered, dated, carried)
            for day, count in con.execute(f"select {DATE}, count(*) from ({select}) group by all").fetchall():
                counts = skipped.setdefault(day or first, {})
                counts[reason] = counts.get(reason, 0) + count


def _columns(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in con.execute(f"describe {table}").fetchall()]


def _text(value: object) -> str:
    """An inline value as a file would write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
