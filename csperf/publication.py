"""Publishing what was drafted and approved, refusing it, and showing either at once.

Nothing is built here: the warehouse must still say what the draft says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb

from csperf import figures, notify
from csperf.approval import publish_draft, refuse_draft
from csperf.errors import CsperfError
from csperf.extract import figures_digest
from csperf.notify import occasions
from csperf.periods import Month, Quarter
from csperf.published import Revision, load_published, newest
from csperf.quality import load_release_checks
from csperf.settings import Settings
from csperf.storage import home_lock


def publish_month(
    settings: Settings,
    month: Month,
    expected_digest: str,
    approved_by: str,
    approved_at: datetime,
    published_at: datetime | None = None,
    override: str | None = None,
) -> Revision:
    """Publish the drafted revision of a month whose digest was approved; returns it (again, if it is done already).

    `published_at` is now, where the approval was given earlier; `override` is why the approver publishes it against
    the release gate.

    CsperfError when the draft is not what was approved, the gate stops it, the approver is the preparer or on the
    list, or the warehouse says something else by now.
    """

    def prepare(con: duckdb.DuckDBPyConnection, number: int) -> str:
        figures.prepare_month(con, month, number)
        return figures_digest(con)

    when = (approved_at, published_at or approved_at)
    return _publish(settings, settings.payroll_dir, month, prepare, expected_digest, approved_by, when, override)


def publish_quarter(
    settings: Settings,
    quarter: Quarter,
    expected_digest: str,
    approved_by: str,
    approved_at: datetime,
    published_at: datetime | None = None,
) -> Revision:
    """Publish the drafted decisions of a quarter whose digest was approved; returns the revision.

    The grades count from the next build on. CsperfError as in `publish_month`.
    """

    def prepare(con: duckdb.DuckDBPyConnection, number: int) -> str:
        figures.prepare_quarter(con, quarter, number)
        return figures.quarter_digest(con)

    when = (approved_at, published_at or approved_at)
    return _publish(settings, settings.tiers_dir, quarter, prepare, expected_digest, approved_by, when)


def refuse(
    settings: Settings,
    period: Month | Quarter,
    refused_by: str,
    refused_at: datetime,
    reason: str,
    expected_digest: str | None = None,
) -> Revision:
    """Refuse the waiting draft of a month or quarter: it is a draft again, with who refused it, when and why.

    `expected_digest` is the digest that was refused (None: whatever waits). Errors as in `approval.refuse_draft`.
    """
    root = settings.payroll_dir if isinstance(period, Month) else settings.tiers_dir
    with home_lock(settings):
        done = refuse_draft(root, str(period), expected_digest, refused_by, refused_at, reason)
        if settings.warehouse_path.is_file():
            refresh(settings)
    notify.tell(settings, [occasions.draft_refused(str(period), done.manifest["refusals"][-1])], refused_at)
    return done


def refresh(settings: Settings) -> None:
    """Bring schema `published` of the warehouse and what BI reads up to the record, so that both show it at once."""
    from csperf import serving

    with home_lock(settings):
        try:
            con = duckdb.connect(str(settings.warehouse_path))
        except duckdb.IOException:
            raise CsperfError(
                f"{settings.warehouse_path} is open in another program; what was approved is published, and the "
                "next build shows it there."
            ) from None
        with con:
            load_published(con, settings)
            load_release_checks(con)
        serving.publish(settings)


def _publish(
    settings: Settings,
    root: Path,
    period: Month | Quarter,
    prepare: Callable[[duckdb.DuckDBPyConnection, int], str],
    expected_digest: str,
    approved_by: str,
    when: tuple[datetime, datetime],
    override: str | None = None,
) -> Revision:
    """Publish what waits under `root` if the warehouse still says what was approved.

    `prepare` fills schema `draft` and gives its digest; `when` it was approved and is published.
    """
    listed: list[str] = []
    with home_lock(settings):
        with figures.open_figures(settings) as con:
            last = newest(root, period)
            if last is None or last.figures_digest != expected_digest:
                now = prepare(con, last.number + 1 if last else 1)
                _check_still(str(period), now, expected_digest)
                listed = figures.listed(con, period)
        done = publish_draft(
            settings, root, str(period), expected_digest, approved_by, *when, listed=listed, override=override
        )
        refresh(settings)
    return done


def _check_still(period: str, now: str, approved: str) -> None:
    if now != approved:
        raise CsperfError(
            f"The figures of {period} have changed since they were approved (digest {now[:12]}, approved "
            f"{approved[:12]}); draft them again and have that approved."
        )
