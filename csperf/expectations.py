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

import sqlalchemy
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from csperf.errors import CsperfError
from csperf.stopping import DiskFull, says_full
from csperf.suites import Rule, Suite

# Pages of Data Docs kept for each dataset; older ones can be had again by checking their dates again.
DOCS_KEPT = 40
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
    """What a rule found: how many rows break it, and the query that gives all of them."""

    rule: Rule
    failed: int
    query: str


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
        with self._source(database, config, timezone) as source:
            findings, result = self._check(source, suite)
        self._keep(suite, result, first, last, at)
        return findings

    def find(self, database: Path, config: dict[str, Any], suites: Sequence[Suite]) -> list[list[Finding]]:
        """Run suites as `validate` does one and keep nothing for the Data Docs."""
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
            name=suite.dataset, meta={"notes": suite.about}, expectations=[rule.config for rule in suite.rules]
        )
        result = batch.validate(
            gx_suite,
            result_format={
                "result_format": "COMPLETE",
                "partial_unexpected_count": 0,
                "include_unexpected_rows": False,
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


def _findings(suite: Suite, result: Any) -> list[Finding]:
    """The results in the order of the suite's rules, each with the query for its bad rows."""
    by_check = {item.expectation_config.meta["check"]: item for item in result.results}
    findings = []
    for rule in suite.rules:
        item = by_check[rule.check]
        if "unexpected_rows_query" in rule.kwargs:
            failed = item.result.get("observed_value")
            query = rule.kwargs["unexpected_rows_query"].format(batch=suite.dataset)
        else:
            failed = item.result.get("unexpected_count")
            query = str(item.result.get("unexpected_index_query") or "").rstrip("; \n")
        if failed is None and item.success:
            failed = 0  # in a table without rows nothing is counted
        if failed is None or (failed and not query):
            why = _why(item.exception_info)
            if says_full(why):
                raise DiskFull
            raise CsperfError(
                f"Rule {rule.check} of suite {suite.dataset} cannot be evaluated: {why}; correct {suite.path}."
            )
        findings.append(Finding(rule, int(failed), query))
    return findings


def _why(info: Any) -> str:
    """The first sentence of what the library says went wrong."""
    entries: Sequence[Any] = [info] if "exception_message" in info else list(info.values())
    texts = [str(entry.get("exception_message") or "") for entry in entries if isinstance(entry, dict)]
    return next((text.strip().splitlines()[0] for text in texts if text.strip()), "no count came back")
