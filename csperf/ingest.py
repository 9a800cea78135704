"""Taking deliveries in: extract, check, land, for each dataset and the dates of a run."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from csperf.checks import Batch
from csperf.datasets import DATASETS, Dataset
from csperf.errors import CsperfError
from csperf.expectations import Expectations
from csperf.landing import (
    QUARANTINE,
    SET_ASIDE,
    Partition,
    load_dated,
    load_roster_ids,
    partitions,
    read_manifest,
    read_parquet_sql,
)
from csperf.landing import partition as landed_partition
from csperf.progress import Progress, silent
from csperf.secrets import masked
from csperf.settings import Settings
from csperf.sources import Delivery, Source, Spool, Unparsed
from csperf.stopping import raise_if_all_ends
from csperf.storage import home_lock, private_dir, scratch_dir
from csperf.versions import Lander, Origin, Outcome

log = logging.getLogger(__name__)
# Dates are taken in together, to share what a check costs at least: a few at first, then as many as stay below
# these numbers, so that a year of a large company does not fill the scratch space.
FIRST_DATES, MOST_DATES, ROWS_AT_ONCE = 7, 100, 4_000_000


@dataclass
class IngestReport:
    """What a run took in: an outcome a dataset and date, and the datasets that failed as a whole, with a sentence.

    `healed` are outcomes of earlier dates that were checked again because something they waited for arrived.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    healed: list[Outcome] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    data_docs: Path | None = None

    @property
    def refused(self) -> list[Outcome]:
        """The dates that were refused."""
        return [outcome for outcome in self.outcomes if outcome.state == "refused"]

    @property
    def missing(self) -> list[Outcome]:
        """The dates that were asked for and not delivered."""
        return [outcome for outcome in self.outcomes if outcome.state == "missing"]

    @property
    def quarantined(self) -> int:
        """Rows set aside in the dates that were accepted."""
        return sum(outcome.quarantined for outcome in self.outcomes if outcome.state in ("landed", "unchanged"))

    @property
    def changed(self) -> bool:
        """Whether anything in the landing zone is new."""
        return any(outcome.state == "landed" for outcome in [*self.outcomes, *self.healed])

    @property
    def messages(self) -> list[str]:
        """A sentence for everything that was refused or failed."""
        refused = [outcome.message for outcome in [*self.outcomes, *self.healed] if outcome.message]
        return [*self.failures.values(), *refused]


def ingest(
    settings: Settings,
    source: Source,
    dates: Sequence[date],
    extracted_at: datetime,
    progress: Progress | None = None,
) -> IngestReport:
    """Take in the datasets of `source` for `dates`, and again the days before the first date, for late rows.

    How many days before is a setting; only dates since the first one ever landed are read again. Then dates whose
    quarantined rows have become good (the roster now names the agent, the session is now accepted) are checked
    again from the landing zone. A dataset or date that fails stops no other: see the report. Equal content changes
    nothing. CSPERF_HOME is locked meanwhile.
    """
    progress = progress or silent
    report = IngestReport()
    with home_lock(settings), scratch_dir(settings, "ingest") as scratch:
        run = _Run(settings, extracted_at, scratch)
        offered = source.datasets()
        names = [name for name in DATASETS if name in offered]
        start = _first_landed(settings)
        for number, name in enumerate(names):
            progress("extract and check", number, len(names))
            dataset = DATASETS[name]
            try:
                again = _lookback(settings, source, dataset, dates, start)
                left = [*again, *sorted(set(dates))]
                # Which deliveries of a full dataset answer for some dates depends on all of them.
                size = FIRST_DATES if dataset.kind == "daily" else len(left)
                while left:
                    outcomes = run.take_in(source, dataset, left[:size], set(dates))
                    report.outcomes += outcomes
                    left, size = left[size:], _next_size(outcomes, size)
            except Exception as error:
                report.failures[name] = _sentence(name, error)
        progress("extract and check", len(names), len(names))
        for name in DATASETS:
            try:
                report.healed += run.heal(DATASETS[name])
            except Exception as error:
                report.failures.setdefault(name, _sentence(name, error))
        report.data_docs = run.expectations.build_docs()
    return report


class _Run:
    """What the datasets of one run share."""

    def __init__(self, settings: Settings, extracted_at: datetime, scratch: Path) -> None:
        self._settings = settings
        self._at = extracted_at
        self._scratch = scratch
        self._number = 0
        self.expectations = Expectations(settings.quality_dir / "data_docs")

    def take_in(self, source: Source, dataset: Dataset, dates: Sequence[date], asked: set[date]) -> list[Outcome]:
        """Extract, check and land some dates of a dataset."""
        folder = self._folder(dataset)
        spool = source.extract(dataset, dates, folder / "spool")
        fingerprint = _fingerprints(source)
        origins = {
            day: Origin(source.name, self._at, self._references(dataset, day), fingerprint(dataset, day))
            for day in spool.deliveries
        }
        outcomes = self._judge(spool, folder, origins)
        if dataset.kind == "daily":
            outcomes += [
                Outcome(dataset.name, day, "missing") for day in dates if day in asked and day not in spool.deliveries
            ]
        return outcomes

    def heal(self, dataset: Dataset) -> list[Outcome]:
        """Check again, from the landing zone, the dates that wait for something which is there now."""
        waiting = [part for part in partitions(self._settings, [dataset.name]) if part.current.accepted is not None]
        known: set[str] = set()
        if any(part.current.accepted.waiting for part in waiting if part.current.accepted):
            with duckdb.connect() as con:
                load_roster_ids(con, self._settings)
                known = {row[0] for row in con.execute("select employee_id from known_employees").fetchall()}
        due = [part for part in waiting if self._is_due(dataset, part, known)]
        outcomes: list[Outcome] = []
        size = FIRST_DATES
        while due:
            folder = self._folder(dataset)
            spool = Spool(dataset, folder / "spool")
            origins = {part.business_date: self._restore(part, spool) for part in due[:size]}
            judged = self._judge(spool, folder, origins)
            outcomes += judged
            due, size = due[size:], _next_size(judged, size)
        return outcomes

    def _is_due(self, dataset: Dataset, part: Partition, known: set[str]) -> bool:
        accepted = part.current.accepted
        return accepted is not None and (
            not known.isdisjoint(accepted.waiting)
            or accepted.references != self._references(dataset, part.business_date)
        )

    def _restore(self, part: Partition, spool: Spool) -> Origin:
        """Put a landed delivery back into a spool as it was extracted; where it came from is in its manifest."""
        assert part.path is not None
        manifest, version = read_manifest(part.manifest_path), part.path.parent
        target = private_dir(spool.folder) / f"{part.business_date}.parquet"
        aside = (version / SET_ASIDE).exists()
        with duckdb.connect(config={"memory_limit": self._settings.memory_limit}) as con:
            names = ", ".join(f'"{name}"' for name in spool.dataset.column_names)
            parts = [
                f"select date '{part.business_date}' as _business_date, _row, {names}, cast(null as varchar) as _bad, "
                f"cast(null as varchar) as _raw from {read_parquet_sql([part.path])}"
            ]
            if aside:
                parts.append(f"select * from {read_parquet_sql([version / SET_ASIDE])}")
                lines = con.execute(
                    f"select line, content, reason from {read_parquet_sql([version / QUARANTINE])} where row is null"
                ).fetchall()
                spool.unparsed += [
                    Unparsed(part.business_date, line, json.loads(raw), reason) for line, raw, reason in lines
                ]
            con.execute(f"copy ({' union all '.join(parts)} order by _row) to '{target}' (format parquet)")
            counted = con.execute(f"select count(*) from {read_parquet_sql([target])}").fetchone()
        spool.rows.append(target)
        spool.deliveries[part.business_date] = Delivery(
            part.business_date,
            manifest["origin"],
            manifest["columns"],
            counted[0] if counted else 0,
            manifest["rows"]["skipped"],
        )
        accepted = part.current.accepted
        return Origin(
            manifest["source"],
            datetime.fromisoformat(manifest["extracted_at"]),
            self._references(spool.dataset, part.business_date),
            accepted.fingerprint if accepted else None,
            part.current.refused,
        )

    def _judge(self, spool: Spool, folder: Path, origins: Mapping[date, Origin]) -> list[Outcome]:
        """Check and land what a spool holds."""
        if not spool.deliveries:
            return []
        batch = Batch(self._settings, spool, folder, self._reference_loader(spool.dataset, sorted(origins)))
        verdicts = batch.check(self.expectations, self._at)
        return Lander(batch, verdicts, origins).land()

    def _reference_loader(self, dataset: Dataset, dates: Sequence[date]) -> Callable[[duckdb.DuckDBPyConnection], None]:
        """What puts the tables into a batch's database that the dataset's suite looks things up in."""

        def landed(name: str) -> list[Partition]:
            found = (landed_partition(self._settings, name, day) for day in dates)
            return [part for part in found if part is not None and part.path is not None]

        def load(con: duckdb.DuckDBPyConnection) -> None:
            load_roster_ids(con, self._settings)
            if dataset.name == "chat_messages":
                sessions = landed("chat_sessions")
                con.execute("create table accepted_dates (business_date date)")
                for part in sessions:
                    con.execute("insert into accepted_dates values (?)", [part.business_date])
                con.execute("create table accepted_sessions (business_date date, session_id varchar)")
                load_dated(con, "accepted_sessions", "session_id", sessions)
            if dataset.name == "qa_reviews":
                con.execute("create table handled_rows (business_date date, agent_id varchar)")
                load_dated(con, "handled_rows", "agent_id", landed("chat_sessions"))
                load_dated(con, "handled_rows", "agent_id", landed("calls"), "answered_at is not null")
                con.execute("create table handled as select distinct business_date, agent_id from handled_rows")

        return load

    def _references(self, dataset: Dataset, day: date) -> dict[str, str | None]:
        """The digests of what a date's rows are checked against, beside the roster, which only ever grows."""
        if dataset.name != "chat_messages":
            return {}
        sessions = landed_partition(self._settings, "chat_sessions", day)
        return {"chat_sessions": sessions.digest if sessions else None}

    def _folder(self, dataset: Dataset) -> Path:
        self._number += 1
        return private_dir(self._scratch / f"{self._number:03d}-{dataset.name}")


def _lookback(
    settings: Settings, source: Source, dataset: Dataset, dates: Sequence[date], start: date | None
) -> list[date]:
    """The days before the run's first date that are read again; none that the source shows to be as they were."""
    if dataset.kind == "full" or start is None:
        return []
    first = min(dates)
    wanted = [first - timedelta(days=number) for number in range(settings.lookback_days, 0, -1)]
    mark = _fingerprints(source)
    again = []
    for day in wanted:
        part = landed_partition(settings, dataset.name, day)
        seen = part.current.accepted if part is not None and part.state == "accepted" else None
        same = seen is not None and seen.fingerprint is not None and seen.fingerprint == mark(dataset, day)
        if day >= start and not same:
            again.append(day)
    return again


def _fingerprints(source: Source) -> Callable[[Dataset, date], str | None]:
    """How a source marks a delivery so that an unchanged one need not be read again; None where it cannot tell."""
    return getattr(source, "fingerprint", None) or (lambda dataset, day: None)


def _first_landed(settings: Settings) -> date | None:
    """The first date of any daily dataset in the landing zone."""
    daily = [name for name, dataset in DATASETS.items() if dataset.kind == "daily"]
    return min((part.business_date for part in partitions(settings, daily)), default=None)


def _next_size(outcomes: Sequence[Outcome], dates: int) -> int:
    """How many dates to take in next, after so many dates had these outcomes."""
    rows = sum(outcome.rows + outcome.quarantined for outcome in outcomes)
    return max(1, min(MOST_DATES, ROWS_AT_ONCE * dates // max(rows, 1)))


def _sentence(dataset: str, error: Exception) -> str:
    """What went wrong with a dataset as a whole; an error that ends the whole run is raised again."""
    raise_if_all_ends(error)
    if isinstance(error, CsperfError):
        return f"{dataset}: {error}"
    log.debug("%s could not be taken in", dataset, exc_info=error)
    first = masked((str(error).strip().splitlines() or [""])[0])
    return f"{dataset} could not be taken in ({type(error).__name__}: {first}); run its dates again."
