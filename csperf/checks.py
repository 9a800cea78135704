"""Checking one dataset's rows for some dates before they are accepted: a verdict a date, a reason a bad row.

The rows stay where the source put them (Parquet); a scratch DuckDB file shows them to the rules beside what they are
checked against. Great Expectations counts what breaks each rule; the bad rows themselves, all of them, are then
fetched by the rule's own query, and both counts must agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from csperf.errors import CsperfError
from csperf.expectations import Expectations, Finding
from csperf.settings import Settings
from csperf.sources.spool import Spool, spool_columns
from csperf.suites import Suite, load_suite, reason_sql

# A share of bad rows says something only about enough rows. A roster says more in fewer: each row is a person's pay.
ENOUGH_ROWS = {"daily": 100, "full": 20}
UNPARSED = "unparsed"
# Many small files, up to so many rows, are copied into the scratch database: each look at them there is quicker. Few
# large ones are not: each look reads the columns it needs alone, which costs less than the copy.
COPIED_ROWS, FEW_FILES = 1_500_000, 4


@dataclass(frozen=True)
class Result:
    """One rule on one date: how many rows it saw and how many broke it (for some warnings: agents, not rows)."""

    business_date: date
    check: str
    severity: str
    reason: str
    rows: int
    failed: int


@dataclass
class Verdict:
    """What the check says of a date: `refusal` is the sentence when it is refused.

    `delivered` counts rows and lines that are no rows, `quarantined` those of them that are set aside; `waiting` lists
    ids of people that quarantined rows wait for.
    """

    business_date: date
    delivered: int
    quarantined: int = 0
    results: list[Result] = field(default_factory=list)
    refusal: str | None = None
    waiting: list[str] = field(default_factory=list)


class Batch:
    """A spool under check, in a scratch DuckDB file `folder`/check.duckdb.

    The file has a table or view named like the dataset (the spool's columns and `_date`, the row's own local business
    date), the table `deliveries(business_date, rows)`, what `references` puts in for the rules to look up, and after
    `check` the table `bad(business_date, row, "check", reason)`.
    """

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        folder: Path,
        references: Callable[[duckdb.DuckDBPyConnection], None],
    ) -> None:
        self.settings = settings
        self.spool = spool
        self.dataset = spool.dataset
        self.suite: Suite = load_suite(spool.dataset.name)
        self.folder = folder
        self._path = folder / "check.duckdb"
        self._config: dict[str, Any] = {
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(folder / "spill"),
            "autoinstall_known_extensions": False,
        }
        with self.connect() as con:
            self._prepare(con)
            references(con)

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The scratch database, with the business time zone in its session."""
        with duckdb.connect(str(self._path), config=self._config) as con:
            con.execute(f"set TimeZone = '{self.settings.timezone}'")
            yield con

    def _prepare(self, con: duckdb.DuckDBPyConnection) -> None:
        own = f'"{self.dataset.date_column}"' if self.dataset.date_column else "null"
        if self.dataset.date_column and self.dataset.column(self.dataset.date_column).type == "timestamp":
            own = f"timezone('{self.settings.timezone}', {own})"
        rows = (
            "read_parquet([" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in self.spool.rows) + "])"
            if self.spool.rows
            else "(select "
            + ", ".join(f"cast(null as {t}) as {n}" for n, t in spool_columns(self.dataset))
            + " limit 0)"
        )
        copied = len(self.spool.rows) > FEW_FILES and (
            sum(delivery.rows for delivery in self.spool.deliveries.values()) <= COPIED_ROWS
        )
        con.execute(
            f"create {'table' if copied else 'view'} {self.dataset.name} as "
            f"select *, cast({own} as date) as _date from {rows}"
        )
        con.execute("create table deliveries (business_date date, rows bigint)")
        for delivery in self.spool.deliveries.values():
            if delivery.problem is None:
                con.execute("insert into deliveries values (?, ?)", [delivery.business_date, delivery.rows])

    def check(self, expectations: Expectations, at: datetime) -> dict[date, Verdict]:
        """The verdicts of all deliveries, by date."""
        dates = sorted(self.spool.deliveries)
        unparsed: dict[date, int] = defaultdict(int)
        for line in self.spool.unparsed:
            unparsed[line.business_date] += 1
        verdicts = {day: Verdict(day, self.spool.deliveries[day].rows + unparsed[day], unparsed[day]) for day in dates}
        findings = expectations.validate(self._path, self._config, self.suite, dates[0], dates[-1], at)
        with self.connect() as con:
            con.execute('create table bad (business_date date, row bigint, "check" varchar, reason varchar)')
            for finding in sorted(findings, key=lambda found: found.rule.keeps_first):
                self._take(con, finding, verdicts)
            for day, count in con.execute(
                "select business_date, count(distinct row) from bad group by business_date"
            ).fetchall():
                verdicts[day].quarantined += count
            self._collect_waiting(con, verdicts)
        for day, verdict in verdicts.items():
            verdict.results.sort(key=lambda result: result.check)
            problem = self.spool.deliveries[day].problem
            verdict.refusal = self._refusal(verdict, problem)
        return verdicts

    def _take(self, con: duckdb.DuckDBPyConnection, finding: Finding, verdicts: dict[date, Verdict]) -> None:
        """Split a finding by date and set its rows aside when the rule says so."""
        rule, counts = finding.rule, {}
        if finding.failed:
            con.execute(f"create or replace temp table found_rows as {finding.query}")
            counts = dict(con.execute("select _business_date, count(*) from found_rows group by 1").fetchall())
        if sum(counts.values()) != finding.failed:
            raise CsperfError(
                f"Rule {rule.check} of suite {self.dataset.name} found {finding.failed} rows and its query gives "
                f"{sum(counts.values())}; correct expectations/landing/{self.dataset.name}.json."
            )
        for day, verdict in verdicts.items():
            delivery = self.spool.deliveries[day]
            if delivery.problem is None:
                verdict.results.append(
                    Result(day, rule.check, rule.severity, rule.reason, delivery.rows, int(counts.get(day, 0)))
                )
        if finding.failed and rule.severity == "quarantine":
            bad_rows = f"({self._repeated()})" if rule.keeps_first else "found_rows"
            # A field that could not be read is not missing as well.
            read = (
                f"where rows_of._bad is null or not contains(rows_of._bad, '{rule.kwargs['column']}: ')"
                if rule.type == "expect_column_values_to_not_be_null"
                else ""
            )
            reason = reason_sql(rule, self.dataset, self.settings.timezone, "rows_of")
            kept = reason.replace('rows_of."_kept"', "found._kept")
            con.execute(
                f"insert into bad select found._business_date, found._row, '{rule.check}', {kept} "
                f"from {bad_rows} as found join {self.dataset.name} as rows_of using (_business_date, _row) {read}"
            )

    def _repeated(self) -> str:
        """The rows to set aside of those with equal keys: all but the first that has no other fault.

        `found_rows` has a row at least of each repeated key.
        """
        keys = ", ".join(f'"{name}"' for name in self.dataset.key)
        by = f"partition by _business_date, {keys} order by faulty.row is not null, _row"
        return f"""
            with repeated as (
                select distinct _business_date, {keys}
                from {self.dataset.name} semi join found_rows using (_business_date, _row)
            ),
            faulty as (select distinct business_date, row from bad),
            ranked as (
                select _business_date, _row, row_number() over ({by}) as place, first_value(_row) over ({by}) as _kept
                from {self.dataset.name} semi join repeated using (_business_date, {keys})
                left join faulty on faulty.business_date = _business_date and faulty.row = _row
            )
            select _business_date, _row, _kept from ranked where place > 1"""

    def _collect_waiting(self, con: duckdb.DuckDBPyConnection, verdicts: dict[date, Verdict]) -> None:
        for rule in self.suite.rules:
            if rule.column:
                for day, person in con.execute(
                    f'select distinct business_date, rows_of."{rule.column}" from bad '
                    f"join {self.dataset.name} as rows_of on _business_date = business_date and _row = row "
                    'where "check" = ? order by all',
                    [rule.check],
                ).fetchall():
                    verdicts[day].waiting.append(person)

    def _refusal(self, verdict: Verdict, problem: str | None) -> str | None:
        """Why the date is refused, as one sentence; None when it is not."""
        which = f"{self.dataset.name} of {verdict.business_date}"
        if problem is not None:
            return f"{which} is refused: {problem.rstrip('.')}; deliver the date again and run it."
        for result in verdict.results:
            if result.severity == "block" and result.failed:
                message = self.suite.rule(result.check).message
                return f"{which} is refused: {message} (rule {result.check}); deliver it again and run the date."
        limit = self.settings.quarantine_limit
        share = verdict.quarantined / verdict.delivered if verdict.delivered else 0.0
        if share > limit and verdict.delivered >= ENOUGH_ROWS[self.dataset.kind]:
            return (
                f"{which} is refused: {verdict.quarantined:,} of {verdict.delivered:,} rows are bad, more than the "
                f"{limit:.0%} that the setting CSPERF_QUARANTINE_LIMIT allows ({self._commonest(verdict)}); "
                "see its quarantine, deliver it again and run the date."
            )
        return None

    def _commonest(self, verdict: Verdict) -> str:
        """The rule that most of the bad rows break."""
        found: list[tuple[int, str]] = [
            (result.failed, result.check) for result in verdict.results if result.severity == "quarantine"
        ]
        lines = sum(line.business_date == verdict.business_date for line in self.spool.unparsed)
        failed, check = max([*found, (lines, UNPARSED)])
        return f"mostly {check}, {failed:,} rows"
