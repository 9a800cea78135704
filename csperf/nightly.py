"""The nightly job for a date or a range: extract, check and land, build, sample, report, serve."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from csperf import notify
from csperf.errors import UsageError
from csperf.notify import occasions
from csperf.periods import days
from csperf.progress import Progress
from csperf.settings import Settings
from csperf.storage import home_lock

if TYPE_CHECKING:
    from csperf.ingest import IngestReport
    from csperf.report import ReportPage
    from csperf.sample import SampleReport
    from csperf.touched import Touched
    from csperf.warehouse import BuildReport


@dataclass(frozen=True)
class RunReport:
    """What a run did, step by step. `touched` are closed periods whose deliveries have changed since."""

    first: date
    last: date
    ingest: IngestReport
    build: BuildReport
    samples: list[SampleReport]
    pages: list[ReportPage]
    touched: list[Touched] = field(default_factory=list)


def run(
    settings: Settings,
    first: date,
    last: date,
    source: str | None = None,
    source_root: Path | None = None,
    extracted_at: datetime | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Run the nightly job for every date from `first` to `last`, in one go.

    `source` is a landing directory, a database URL, a mapping file or the name of a shipped mapping (default: the
    setting). `extracted_at` goes into the manifests (default: the present). A dataset's date that is refused stops
    nothing else: the report names it. A UsageError when there is no source or the dates are the wrong way round.
    """
    from csperf import ingest, report, sample, serving, warehouse
    from csperf.landing import partitions
    from csperf.sources import open_source
    from csperf.touched import touched

    dates, at = days(first, last), extracted_at or datetime.now(UTC)
    source = source or settings.source
    if source is None:
        raise UsageError("No source is given; name one with --source or in CSPERF_SOURCE.")
    with home_lock(settings):
        opened = open_source(settings, source, source_root or settings.source_root)
        landed = ingest.ingest(settings, opened, dates, at, progress)
        built = warehouse.build(settings, progress)
        samples = sample.draw_days(settings, first, last, progress=progress)
        # Reviews and late rows of the days before have come in: their pages are written again.
        start = first - timedelta(days=settings.lookback_days)
        pages = report.write_days(settings, start, last, progress=progress)
        serving.publish(settings)
        concerned = touched(settings, partitions(settings))
    notify.tell(settings, occasions.taken_in(settings, landed, dates, at), at)
    return RunReport(first, last, landed, built, samples, pages, concerned)
