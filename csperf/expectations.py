"""Great Expectations on DuckDB: a suite run over one table, told as counts and as the query for the bad rows.

Everything that touches the library's private names or works around it sits here. Results hold counts only: no
value of a row reaches a result or the Data Docs, because rows of the roster carry pay.
"""

from __future__ import annotations

import enum
import gc
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb
import duckdb_engine
import sqlalchemy
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from csperf.errors import CsperfError
from csperf.stopping import DiskFull, says_full
from csperf.suites import Rule, Suite

# Pages of Data Docs kept for each dataset; older ones can be had again by checking their dates again.
DOCS_KEPT = 40
QUERY = "unexpected_rows_query"
# What may stay of a result: numbers.
_COUNTS = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "missing_count",
    "missing_percent",
    "observed_value",
)


@dataclass(frozen=True)
class Finding:
    """What a rule found: how many rows break it, and the query that gives all of them.

    `condition` is what a row of the table is bad by, where each row is judged by itself.
    """

    rule: Rule
    failed: int
    query: str
    condition: str | None = None


class _Duck(enum.StrEnum):
    DUCKDB = "duckdb"


@cache
def _library() -> Any:
    """Great Expectations, made to keep its connection to DuckDB open while it fetches.

    The library closes the connection of a dialect that it does not list as persistent before the rows are read,
    which DuckDB does not survive.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    gc.disable()  # nothing that it brings is ever garbage: looking for some among it is a tenth of a night's checks
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations
        from great_expectations.execution_engine import sqlalchemy_execution_engine
        from great_expectations.render.view import view
    gc.freeze()
    gc.enable()

    engine: Any = sqlalchemy_execution_engine
    if _Duck.DUCKDB not in engine._PERSISTED_CONNECTION_DIALECTS:
        engine._PERSISTED_CONNECTION_DIALECTS = (*engine._PERSISTED_CONNECTION_DIALECTS, _Duck.DUCKDB)
    # Each view of its pages compiles all templates anew, a quarter of a second; here they are compiled once.
    pages: Any = view
    pages.Environment = partial(pages.Environment, bytecode_cache=_Templates())
    return great_expectations


class _Templates(BytecodeCache):
    """Compiled templates, kept for the life of the process."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


def open_beside(database: Path, config: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file so that the library can open it as well meanwhile, with the same `config`.

    DuckDB wants all that open a file at once to configure it alike, and the library's driver adds its name.
    """
    driver = f"duckdb_engine/{duckdb_engine.__version__}(sqlalchemy/{sqlalchemy.__version__})"
    return duckdb.connect(str(database), config=config | {"custom_user_agent": driver})


class Expectations:
    """A Great Expectations context that lives for one run; `docs` is where its Data Docs are kept (None: nowhere)."""

    def __init__(self, docs: Path | None) -> None:
        self._gx = _library()
        self._docs = docs
        self._context = self._gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = {"globally": False}
        # Only our site: the ephemeral context makes one of its own in a temporary folder and leaves it there.
        for name, site in dict(self._context.list_data_docs_sites()).items():
            shutil.rmtree(site["store_backend"]["base_directory"], ignore_errors=True)
            self._context.delete_data_docs_site(name)
        if docs is not None:
            self._context.add_data_docs_site(
                "landing",
                {
                    "class_name": "SiteBuilder",
                    "show_how_to_buttons": False,
                    "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
                    "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                },
            )
        self._results: list[Any] = []
        self._runs = 0

    def validate(
        self,
        database: Path,
        config: dict[str, Any],
        timezone: str,
        suite: Suite,
        first: date,
        last: date,
        at: datetime,
    ) -> list[Finding]:
        """Run a suite over the table of `database` that is named like its dataset.

        `config` is the DuckDB configuration that the file is open with, `timezone` that of the session, in which a
        date and an instant are compared. The result is kept for the Data Docs as the
        check of the dates `first` to `last` at the time `at`. A CsperfError when an expectation cannot be evaluated.
        """
        _work_out(database, config, timezone, [suite])
        with self._source(database, config, timezone) as source:
            findings, result = self._check(source, suite)
        self._keep(suite, result, first, last, at)
        return findings

    def find(self, database: Path, config: dict[str, Any], suites: Sequence[Suite]) -> list[list[Finding]]:
        """Run suites as `validate` does one and keep nothing for the Data Docs."""
        _work_out(database, config, None, suites)
        with self._source(database, config) as source:
            return [self._check(source, suite)[0] for suite in suites]

    @contextmanager
    def _source(self, database: Path, config: dict[str, Any], timezone: str | None = None) -> Iterator[Any]:
        self._runs += 1
        source = self._context.data_sources.add_sql(
            f"check-{self._runs}",
            connection_string=f"duckdb:///{database}",
            kwargs={"connect_args": {"config": config}},
        )

        def at_home(connection: Any, _: Any) -> None:
            connection.execute(f"set TimeZone = '{timezone}'")

        try:
            if timezone is not None:
                sqlalchemy.event.listen(source.get_execution_engine().engine, "connect", at_home)
            yield source
        finally:
            source.get_execution_engine().close()
            source.get_engine().dispose()
            self._context.data_sources.delete(f"check-{self._runs}")

    def _check(self, source: Any, suite: Suite) -> tuple[list[Finding], Any]:
        asset = source.add_table_asset(suite.dataset, table_name=suite.dataset)
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
        gx_suite = self._gx.ExpectationSuite(
            name=suite.dataset, meta={"notes": suite.about}, expectations=[_config(suite, rule) for rule in suite.rules]
        )
        result = batch.validate(
            gx_suite,
            result_format={
                "result_format": "BASIC",
                "partial_unexpected_count": 0,
                "include_unexpected_rows": False,
                "return_unexpected_index_query": True,
                "unexpected_index_column_names": ["_business_date", "_row"],
            },
        )
        return _findings(suite, result), result

    def _keep(self, suite: Suite, result: Any, first: date, last: date, at: datetime) -> None:
        from great_expectations.core import RunIdentifier
        from great_expectations.data_context.types.resource_identifiers import (
            ExpectationSuiteIdentifier,
            ValidationResultIdentifier,
        )

        for item in result.results:
            item.result = {name: item.result[name] for name in _COUNTS if name in item.result}
        run = RunIdentifier(run_name=f"{first}_{last}", run_time=at)
        key = ValidationResultIdentifier(ExpectationSuiteIdentifier(suite.dataset), run, suite.dataset)
        result.meta["run_id"] = run
        self._context.validation_results_store.set(key, result)
        self._results.append(key)

    def build_docs(self) -> Path | None:
        """Write the pages of this run's results and the index; the newest pages of each dataset are kept."""
        if not self._results or self._docs is None:
            return None
        for key in self._results:
            folder = self._docs / "validations" / key.expectation_suite_identifier.name
            shutil.rmtree(folder / key.run_id.run_name, ignore_errors=True)
            runs = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime) if folder.is_dir() else []
            for old in runs[: max(0, len(runs) - DOCS_KEPT + 1)]:
                shutil.rmtree(old, ignore_errors=True)
        self._context.build_data_docs(["landing"], resource_identifiers=self._results)
        self._results.clear()
        return self._docs


def _work_out(database: Path, config: dict[str, Any], timezone: str | None, suites: Sequence[Suite]) -> None:
    """Fill the suites' tables, and a table with the rows of each rule that is a query.

    The library runs a query once for its rows and once for their count, and the bad rows are wanted a third time.
    """
    with open_beside(database, config) as con:
        if timezone is not None:
            con.execute(f"set TimeZone = '{timezone}'")
        con.begin()
        for suite in suites:
            queries = {f"table {name}": (name, query) for name, query in suite.tables.items()}
            asked = [rule for rule in suite.rules if QUERY in rule.kwargs]
            queries |= {f"Rule {rule.check}": (_found(suite, rule), rule.kwargs[QUERY]) for rule in asked}
            for what, (table, query) in queries.items():
                try:
                    con.execute(f'create table "{table}" as {query.format(batch=suite.dataset)}')
                except (duckdb.Error, KeyError, ValueError, IndexError) as error:
                    raise _broken(suite, what, str(error)) from error
        con.commit()


def _found(suite: Suite, rule: Rule) -> str:
    return f"found_{suite.dataset}_{rule.check}"


def _config(suite: Suite, rule: Rule) -> dict[str, Any]:
    """The expectation as the library runs it: of a query's rows, those that were worked out."""
    config = rule.config
    if QUERY in rule.kwargs:
        config["kwargs"][QUERY] = f'select * from "{_found(suite, rule)}" /* of {{batch}} */'
    return config


def _broken(suite: Suite, what: str, why: str) -> Exception:
    """What is to be raised when a suite cannot be evaluated."""
    if says_full(why):
        return DiskFull()
    first = next((line for line in why.strip().splitlines() if line), "no count came back")
    return CsperfError(f"{what} of suite {suite.dataset} cannot be evaluated: {first}; correct {suite.path}.")


def _findings(suite: Suite, result: Any) -> list[Finding]:
    """The results in the order of the suite's rules, each with the query for its bad rows."""
    by_check = {item.expectation_config.meta["check"]: item for item in result.results}
    findings = []
    for rule in suite.rules:
        condition = None
        item = by_check[rule.check]
        if QUERY in rule.kwargs:
            failed = item.result.get("observed_value")
            query = f'select * from "{_found(suite, rule)}"'
            item.expectation_config["kwargs"][QUERY] = rule.kwargs[QUERY]
        else:
            failed = item.result.get("unexpected_count")
            query = str(item.result.get("unexpected_index_query") or "").rstrip("; \n")
            condition = query.partition("WHERE ")[2] or None
        if failed is None and item.success:
            failed = 0  # in a table without rows nothing is counted
        if failed is None or (failed and not query):
            raise _broken(suite, f"Rule {rule.check}", _why(item.exception_info))
        findings.append(Finding(rule, int(failed), query, condition))
    return findings


def _why(info: Any) -> str:
    """What the library says went wrong."""
    entries: Sequence[Any] = [info] if "exception_message" in info else list(info.values())
    texts = [str(entry.get("exception_message") or "") for entry in entries if isinstance(entry, dict)]
    return next((text for text in texts if text.strip()), "")
