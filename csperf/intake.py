"""What takes rows into the landing zone: from a source, or from the landing zone itself, to be checked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb

from csperf.checks import Batch
from csperf.datasets import DATASETS, Dataset
from csperf.expectations import Expectations
from csperf.journal import discards, waived
from csperf.landing import Partition, load_roster_ids, partition, partition_dir, partitions, write_current
from csperf.references import reference_loader, references
from csperf.respool import Unreplayable, respool
from csperf.settings import Settings
from csperf.sources import Source, Spool
from csperf.sources.mapping import Mapping as SourceMapping
from csperf.storage import private_dir
from csperf.versions import Lander, Occasion, Origin, Outcome

# Dates are taken in together, to share what a check costs at least: a few at first, then as many as stay below
# these numbers, so that a year of a large company does not fill the scratch space.
FIRST_DATES, MOST_DATES, ROWS_AT_ONCE = 7, 100, 4_000_000


class Intake:
    """What the datasets of one run share. `at` is when it runs, `by` who runs it, for what leaves quarantine."""

    def __init__(self, settings: Settings, at: datetime, scratch: Path, by: str) -> None:
        self._settings = settings
        self._at = at
        self._scratch = scratch
        self._by = by
        self._number = 0
        daily = [name for name, dataset in DATASETS.items() if dataset.kind == "daily"]
        dates = [part.business_date for part in partitions(settings, daily)]
        self.first_landed, self._last_landed = min(dates, default=None), max(dates, default=None)
        self.expectations = Expectations(settings.quality_dir / "data_docs")

    def take_in(self, source: Source, dataset: Dataset, dates: Sequence[date], asked: set[date]) -> list[Outcome]:
        """Extract, check and land some dates of a dataset."""
        folder = self._folder(dataset)
        mark = fingerprints(source)
        before = {day: mark(dataset, day) for day in dates}
        spool = source.extract(dataset, dates, folder / "spool")
        origins = {}
        for day in spool.deliveries:
            # A file that was written anew while it was read is not known: it is read again next time.
            now = mark(dataset, day)
            same = now if day not in before or before[day] == now else None
            origins[day] = Origin(source.name, self._at, references(self._settings, dataset, day), same)
        why = f"another delivery of the date, from {source.name}"
        occasion = Occasion("delivered again", self._by, self._at, why, self._last_landed)
        outcomes = self._judge(spool, folder, origins, occasion)
        if dataset.kind == "daily":
            gone = [day for day in dates if day not in spool.deliveries]
            outcomes += [outcome for day in gone if (outcome := self._not_delivered(dataset, day, day in asked))]
        return outcomes

    def _not_delivered(self, dataset: Dataset, day: date, asked: bool) -> Outcome | None:
        """A date that the source does not have: what was landed of it stays, and is said to be withdrawn."""
        part = partition(self._settings, dataset.name, day)
        if part is None or part.path is None:
            return Outcome(dataset.name, day, "missing") if asked else None
        if part.current.withdrawn is None:
            write_current(part.folder, replace(part.current, withdrawn=self._at.isoformat()))
        notes = tuple(dict.fromkeys([*part.notes, "withdrawn"]))
        return Outcome(
            dataset.name, day, "withdrawn", part.rows, part.quarantined, discarded=part.discarded, notes=notes
        )

    def heal(self, dataset: Dataset) -> list[Outcome]:
        """Check again, from the landing zone, the dates that wait for something which is there now."""
        waiting = [part for part in partitions(self._settings, [dataset.name]) if part.current.accepted is not None]
        known: set[str] = set()
        if any(part.current.accepted.waiting for part in waiting if part.current.accepted):
            with duckdb.connect() as con:
                load_roster_ids(con, self._settings)
                known = {row[0] for row in con.execute("select employee_id from known_employees").fetchall()}
        due = [part for part in waiting if self._is_due(dataset, part, known)]
        return self.recheck(dataset, due, Occasion("came back", self._by, self._at, "what they waited for has come"))

    def _is_due(self, dataset: Dataset, part: Partition, known: set[str]) -> bool:
        accepted = part.current.accepted
        return accepted is not None and (
            not known.isdisjoint(accepted.waiting)
            or accepted.references != references(self._settings, dataset, part.business_date)
            or (part.quarantined > 0 and accepted.waived != waived(discards(part.folder)))
        )

    def recheck(
        self,
        dataset: Dataset,
        due: Sequence[Partition],
        occasion: Occasion,
        mappings: Mapping[str, SourceMapping] | None = None,
        told: list[str] | None = None,
    ) -> list[Outcome]:
        """Check landed dates again, from the landing zone; with `mappings` their quarantined rows are read anew first.

        Where that needs their source `told` gets a sentence, and they are checked as they were read.
        """
        outcomes: list[Outcome] = []
        left, size = list(due), FIRST_DATES
        while left:
            folder = self._folder(dataset)
            spool = Spool(dataset, folder / "spool")
            origins = {}
            for part in left[:size]:
                try:
                    manifest = respool(self._settings, part, spool, mappings)
                except Unreplayable as error:
                    manifest = respool(self._settings, part, spool)
                    if told is not None:
                        told.append(f"{dataset.name} of {part.business_date}: {error}.")
                accepted = part.current.accepted
                origins[part.business_date] = Origin(
                    manifest["source"],
                    datetime.fromisoformat(manifest["extracted_at"]),
                    references(self._settings, dataset, part.business_date),
                    accepted.fingerprint if accepted else None,
                    part.current.refused,
                    part.current.withdrawn,
                )
            judged = self._judge(spool, folder, origins, occasion)
            outcomes += judged
            left, size = left[size:], next_size(judged, size)
        return outcomes

    def _judge(self, spool: Spool, folder: Path, origins: Mapping[date, Origin], occasion: Occasion) -> list[Outcome]:
        """Check and land what a spool holds."""
        if not spool.deliveries:
            return []
        waivers = {day: discards(partition_dir(self._settings, spool.dataset.name, day)) for day in spool.deliveries}
        with Batch(self._settings, spool, folder, reference_loader(self._settings, spool), waivers) as batch:
            verdicts = batch.check(self.expectations, self._at)
            return Lander(batch, verdicts, origins, occasion).land()

    def _folder(self, dataset: Dataset) -> Path:
        self._number += 1
        return private_dir(self._scratch / f"{self._number:03d}-{dataset.name}")


def fingerprints(source: Source) -> Callable[[Dataset, date], str | None]:
    """How a source marks a delivery so that an unchanged one need not be read again; None where it cannot tell."""
    return getattr(source, "fingerprint", None) or (lambda dataset, day: None)


def next_size(outcomes: Sequence[Outcome], dates: int) -> int:
    """How many dates to take in next, after so many dates had these outcomes."""
    rows = sum(outcome.rows + outcome.quarantined for outcome in outcomes)
    return max(1, min(MOST_DATES, ROWS_AT_ONCE * dates // max(rows, 1)))
