"""Checking one dataset's rows for some dates before they are accepted: a verdict a date, a reason a bad row.

The rows stay where the source put them (Parquet); a scratch DuckDB file shows them to the rules beside what they are
checked against. Great Expectations counts what breaks each rule; the bad rows themselves, all of them, are then
fetched by the rule's own query, and both counts must agree.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

import duckdb

from csperf.errors import CsperfError
from csperf.expectations import Expectations, Finding, open_beside
from csperf.landing import content_json_sql, row_id_sql
from csperf.settings import Settings
from csperf.sources.spool import DATE, ROW, Spool, spool_columns
from csperf.suites import Rule, Suite, load_suite, reason_sql

# A share of bad rows says something only about enough rows. A roster says more in fewer: each row is a person's pay.
ENOUGH_ROWS = {"daily": 100, "full": 20}
UNPARSED = "unparsed"
# The check of a row that was discarded and breaks no rule any more.
DISCARDED = "discarded"
# Many small files, up to so many rows, are copied into the scratch database: each look at them there is quicker. Few
# large ones are not: each look reads the columns it needs alone, which costs less than the copy.
COPIED_ROWS, FEW_FILES = 1_500_000, 4
# How many rows and lines of a date are set aside, and how many of these were discarded.
_COUNTED = """
    with aside as (
        select distinct business_date, row, null as line from bad
        union all
        select business_date, null, line from lines
    ),
    gone as (select business_date, count(*) as discarded from discarded group by all)
    select business_date, count(*), coalesce(any_value(discarded), 0)
    from aside left join gone using (business_date) group by business_date"""


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

    `delivered` counts rows and lines that are no rows; of these `quarantined` are set aside and `discarded` are left
    out for good. `waiting` lists ids of people that quarantined rows wait for.
    """

    business_date: date
    delivered: int
    quarantined: int = 0
    discarded: int = 0
    results: list[Result] = field(default_factory=list)
    refusal: str | None = None
    waiting: list[str] = field(default_factory=list)


class Batch:
    """A spool under check, in a scratch DuckDB file `folder`/check.duckdb.

    The file has a table or view named like the dataset (the spool's columns and `_date`, the row's own local business
    date), the table `deliveries(business_date, rows)`, what `references` puts in for the rules to look up, and after
    `check` the tables `bad(business_date, row, "check", reason)`, `lines(business_date, line, reason, content)` of what
    is no row, and `discarded(business_date, row, line)`.

    `waivers` are the rows that somebody discarded, by date: how many of each id. They are left out even when they have
    become good.
    """

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        folder: Path,
        references: Callable[[duckdb.DuckDBPyConnection], None],
        waivers: Mapping[date, Counter[str]] | None = None,
    ) -> None:
        self.settings = settings
        self.spool = spool
        self.dataset = spool.dataset
        self.suite: Suite = load_suite(spool.dataset.name)
        self.folder = folder
        self.waivers = {day: found for day, found in (waivers or {}).items() if found}
        self._path = folder / "check.duckdb"
        self._config: dict[str, Any] = {
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(folder / "spill"),
            "autoinstall_known_extensions": False,
        }
        # Held open until the batch is done with: the last to close the file would write all of it to the disk.
        self._held = open_beside(self._path, self._config)
        self._held.execute("pragma disable_checkpoint_on_shutdown")
        with self.connect() as con:
            self._prepare(con)
            references(con)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The scratch database, with the business time zone in its session; what is done there is kept as a whole."""
        with self._held.cursor() as con:
            con.execute(f"set TimeZone = '{self.settings.timezone}'")
            con.begin()
            yield con
            con.commit()

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
        verdicts = {day: Verdict(day, self.spool.deliveries[day].rows + unparsed[day]) for day in dates}
        findings = expectations.validate(
            self._path, self._config, self.settings.timezone, self.suite, dates[0], dates[-1], at
        )
        with self.connect() as con:
            con.execute('create table bad (business_date date, row bigint, "check" varchar, reason varchar)')
            self._list_lines(con)
            # Of equal keys the first good row stays, and one that was discarded is none: that is decided before.
            self._take(con, [finding for finding in findings if not finding.rule.keeps_first], verdicts)
            self._discard(con)
            self._take(con, [finding for finding in findings if finding.rule.keeps_first], verdicts)
            for day, aside, gone in con.execute(_COUNTED).fetchall():
                verdicts[day].quarantined, verdicts[day].discarded = aside - gone, gone
            self._collect_waiting(con, verdicts)
        for day, verdict in verdicts.items():
            verdict.results.sort(key=lambda result: result.check)
            problem = self.spool.deliveries[day].problem
            verdict.refusal = self._refusal(verdict, problem)
        return verdicts

    def _take(self, con: duckdb.DuckDBPyConnection, findings: Sequence[Finding], verdicts: dict[date, Verdict]) -> None:
        """Split findings by date and set their rows aside where the rule says so."""
        con.execute(f"create or replace temp table found (_rule varchar, {DATE} date, {ROW} bigint, _kept bigint)")
        counts: dict[str, dict[date, int]] = defaultdict(dict)
        broken = [finding for finding in findings if finding.failed]
        aside = [finding.rule for finding in broken if finding.rule.severity == "quarantine"]
        by_row = {f.rule.check: f.condition for f in broken if f.condition and f.rule.severity == "quarantine"}
        if by_row:
            rules = ", ".join(f"case when {condition} then '{check}' end" for check, condition in by_row.items())
            con.execute(
                f"insert into found select unnest(list_filter([{rules}], lambda rule: rule is not null)), "
                f"{DATE}, {ROW}, null from {self.dataset.name} where {' or '.join(f'({c})' for c in by_row.values())}"
            )
        for finding in broken:
            rule, rows = finding.rule, f"select {DATE}, {ROW}, null from ({finding.query})"
            if rule.severity != "quarantine" or rule.keeps_first:
                found = con.execute(f"select {DATE}, count(*) from ({finding.query}) group by 1").fetchall()
                counts[rule.check] = dict(found)
                rows = self._repeated(finding.query)
            if rule.severity == "quarantine" and rule.check not in by_row:
                con.execute(f"insert into found select '{rule.check}', * from ({rows})")
        for check, day, count in con.execute(f"select _rule, {DATE}, count(*) from found group by all").fetchall():
            if not self.suite.rule(check).keeps_first:
                counts[check][day] = count
        for finding in findings:
            rule, by_date = finding.rule, counts[finding.rule.check]
            if sum(by_date.values()) != finding.failed:
                raise CsperfError(
                    f"Rule {rule.check} of suite {self.dataset.name} found {finding.failed} rows and its query gives "
                    f"{sum(by_date.values())}; correct expectations/landing/{self.dataset.name}.json."
                )
            for day, verdict in verdicts.items():
                delivery = self.spool.deliveries[day]
                if delivery.problem is None:
                    count = by_date.get(day, 0)
                    verdict.results.append(Result(day, rule.check, rule.severity, rule.reason, delivery.rows, count))
        self._set_aside(con, aside)

    def _set_aside(self, con: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> None:
        """Add the rows in `found` to `bad`, each with what its rule says of it."""
        if not rules:
            return
        # Of a million rows few are bad: these are looked up once, for all rules.
        told = {name for rule in rules for name in rule.told} - {"_kept"}
        columns = ", ".join([DATE, ROW, *(f'"{name}"' for name in sorted(told | {"_bad"}))])
        con.execute(
            f"create or replace temp table rows_of as select {columns} from {self.dataset.name} "
            f"semi join found using ({DATE}, {ROW})"
        )
        for rule in rules:
            # A field that could not be read is not missing as well.
            read = (
                f"and (_bad is null or not contains(_bad, '{rule.kwargs['column']}: '))"
                if rule.type == "expect_column_values_to_not_be_null"
                else ""
            )
            reason = reason_sql(rule, self.dataset, self.settings.timezone)
            con.execute(
                f"insert into bad select {DATE}, {ROW}, _rule, {reason} from found join rows_of using ({DATE}, {ROW}) "
                f"where _rule = '{rule.check}' {read}"
            )

    def _list_lines(self, con: duckdb.DuckDBPyConnection) -> None:
        """The table `lines` of what is no row, its raw text as JSON."""
        con.execute("create table lines (business_date date, line bigint, reason varchar, content varchar)")
        found = [
            [line.business_date, line.line, line.reason, json.dumps(line.raw, ensure_ascii=False)]
            for line in self.spool.unparsed
        ]
        if found:
            con.executemany("insert into lines values (?, ?, ?, ?)", found)

    def _discard(self, con: duckdb.DuckDBPyConnection) -> None:
        """Fill the table `discarded`, and set aside what was discarded though no rule is broken any more.

        Of equal rows as many are left out as were discarded: those that break a rule first, then the later ones.
        """
        con.execute("create table discarded (business_date date, row bigint, line bigint)")
        if not self.waivers:
            return
        con.execute("create table waivers (business_date date, id varchar, copies bigint)")
        for day, found in self.waivers.items():
            con.executemany("insert into waivers values (?, ?, ?)", [[day, *each] for each in sorted(found.items())])
        con.execute(
            f"""insert into discarded
            with delivered as (
                select {DATE} as day, {ROW} as row, null as line, {content_json_sql(self.dataset)} as content
                from {self.dataset.name} where {DATE} in (select business_date from waivers)
                union all
                select business_date, null, line, content from lines
            ),
            ids as (
                select day, row, line, {row_id_sql(self.dataset.name, "day", "content")} as id from delivered
            ),
            faulty as (select distinct business_date, row from bad),
            ranked as (
                select ids.day, ids.row, ids.line, copies, row_number() over (
                    partition by ids.day, ids.id
                    order by faulty.row is not null desc, ids.row desc, ids.line desc
                ) as place
                from ids inner join waivers on waivers.business_date = ids.day and waivers.id = ids.id
                left join faulty on faulty.business_date = ids.day and faulty.row = ids.row
            )
            select day, row, line from ranked where place <= copies"""
        )
        con.execute(
            f"insert into bad select business_date, row, '{DISCARDED}', 'it was discarded' from discarded "
            "anti join bad using (business_date, row) where row is not null"
        )

    def _repeated(self, found: str) -> str:
        """The rows to set aside of those with equal keys: all but the first that has no other fault.

        `found` is a query with a row at least of each repeated key.
        """
        keys = ", ".join(f'"{name}"' for name in self.dataset.key)
        by = f"partition by _business_date, {keys} order by faulty.row is not null, _row"
        return f"""
            with repeated as (
                select distinct _business_date, {keys}
                from {self.dataset.name} semi join ({found}) using (_business_date, _row)
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
                    f'select distinct business_date, rows_of."{rule.column}" '
                    "from bad anti join discarded using (business_date, row) "
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
        limit, whose = self._limit()
        share = verdict.quarantined / verdict.delivered if verdict.delivered else 0.0
        if share > limit and verdict.delivered >= ENOUGH_ROWS[self.dataset.kind]:
            return (
                f"{which} is refused: {verdict.quarantined:,} of {verdict.delivered:,} rows are bad, more than the "
                f"{limit:.0%} that {whose} allows ({self._commonest(verdict)}); "
                "see its quarantine, deliver it again and run the date."
            )
        return None

    def _limit(self) -> tuple[float, str]:
        """The share of bad rows that is allowed, and what says so: the setting, if it is given, else the suite."""
        settings, own = self.settings, self.suite.quarantine_limit
        if own is not None and "quarantine_limit" not in settings.model_fields_set:
            return own, f"the suite of {self.dataset.name}"
        return settings.quarantine_limit, "the setting CSPERF_QUARANTINE_LIMIT"

    def _commonest(self, verdict: Verdict) -> str:
        """The rule that most of the bad rows break."""
        found: list[tuple[int, str]] = [
            (result.failed, result.check) for result in verdict.results if result.severity == "quarantine"
        ]
        lines = sum(line.business_date == verdict.business_date for line in self.spool.unparsed)
        failed, check = max([*found, (lines, UNPARSED)])
        return f"mostly {check}, {failed:,} rows"
