"""Taking deliveries in: extract, check, land, for each dataset and the dates of a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from csperf.datasets import DATASETS, Dataset
from csperf.errors import CsperfError
from csperf.intake import FIRST_DATES, Intake, fingerprints, next_size
from csperf.landing import partition as landed_partition
from csperf.progress import Progress, silent
from csperf.secrets import masked
from csperf.settings import Settings
from csperf.sources import Source
from csperf.stopping import raise_if_all_ends
from csperf.storage import home_lock, scratch_dir
from csperf.versions import Outcome

log = logging.getLogger(__name__)


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
    def withdrawn(self) -> list[Outcome]:
        """The dates that were delivered once and are not any more."""
        return [outcome for outcome in self.outcomes if outcome.state == "withdrawn"]

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
        run = Intake(settings, extracted_at, scratch, by=settings.preparer)
        offered = source.datasets()
        names = [name for name in DATASETS if name in offered]
        for number, name in enumerate(names):
            progress("extract and check", number, len(names))
            dataset = DATASETS[name]
            try:
                again = _lookback(settings, source, dataset, dates, run.first_landed)
                left = [*again, *sorted(set(dates))]
                # Which deliveries of a full dataset answer for some dates depends on all of them.
                size = FIRST_DATES if dataset.kind == "daily" else len(left)
                while left:
                    outcomes = run.take_in(source, dataset, left[:size], set(dates))
                    report.outcomes += outcomes
                    left, size = left[size:], next_size(outcomes, size)
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


def _lookback(
    settings: Settings, source: Source, dataset: Dataset, dates: Sequence[date], start: date | None
) -> list[date]:
    """The days before the run's first date that are read again; none that the source shows to be as they were."""
    if dataset.kind == "full" or start is None:
        return []
    first = min(dates)
    wanted = [first - timedelta(days=number) for number in range(settings.lookback_days, 0, -1)]
    mark = fingerprints(source)
    again = []
    for day in wanted:
        part = landed_partition(settings, dataset.name, day)
        seen = part.current.accepted if part is not None and part.state == "accepted" else None
        same = seen is not None and seen.fingerprint is not None and seen.fingerprint == mark(dataset, day)
        if day >= start and not same:
            again.append(day)
    return again


def _sentence(dataset: str, error: Exception) -> str:
    """What went wrong with a dataset as a whole; an error that ends the whole run is raised again."""
    raise_if_all_ends(error)
    if isinstance(error, CsperfError):
        return f"{dataset}: {error}"
    log.debug("%s could not be taken in", dataset, exc_info=error)
    first = masked((str(error).strip().splitlines() or [""])[0])
    return f"{dataset} could not be taken in ({type(error).__name__}: {first}); run its dates again."
