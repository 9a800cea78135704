"""Everything that can be computed, made anew from the records alone: warehouse, BI copy and daily reports."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from csperf import landing, report, serving, warehouse
from csperf.datasets import DATASETS
from csperf.errors import CsperfError
from csperf.progress import Progress
from csperf.settings import Settings
from csperf.storage import home_lock


@dataclass(frozen=True)
class Rebuilt:
    """What was made anew: the build from nothing, and so many daily reports."""

    build: warehouse.BuildReport
    pages: int


def rebuild(settings: Settings, progress: Progress | None = None) -> Rebuilt:
    """Throw away what can be computed and compute it from landing, policies and published revisions.

    Readers keep the BI copy they have until the new one takes its place. QA worklists and the pages of the checks stay
    as they are. CsperfError when nothing is landed; nothing is thrown away then. Stopped on the way, the next build
    goes on.
    """
    with home_lock(settings):
        daily = [name for name, dataset in DATASETS.items() if dataset.kind == "daily"]
        dates = [part.business_date for part in landing.partitions(settings, daily)]
        if not any(part.path for part in landing.partitions(settings, daily)):
            raise CsperfError(f"Nothing is landed in {settings.landing_dir} to rebuild from; restore a backup or run.")
        for folder in (settings.warehouse_path.parent, settings.reports_dir, settings.home / "dbt"):
            shutil.rmtree(folder, ignore_errors=True)
        built = warehouse.build(settings, progress)
        pages = report.write_days(settings, min(dates), max(dates), progress)
        serving.publish(settings)
    return Rebuilt(built, len(pages))
