"""Closing months and quarters: draft, approval, publication; and the backfill of past months.

`draft_*` and `publish_*` (see `csperf.publication`) take the warehouse as it was built last; `close_*` and `backfill`
build it first. Meanings:

- A month or quarter can be closed when a delivery for its last day (or a later one) has been landed.
- Months are closed in their order from the first one ever closed on: with an open month in between, a correction
  could be paid before the month it corrects. Months before the first closed one were paid elsewhere; they may be
  closed, never have to be.
- A period whose figures are those of its newest revision gets no new one, whatever else was delivered since.
- A quarter's decisions stand on their own: they need no closed month, and months need no closed quarter (a grade
  decided late corrects what was paid).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb

from csperf import figures, gate, review, summary
from csperf.approval import check_approver, drop_draft, put_draft
from csperf.basis import basis_now
from csperf.corrections import add_corrections
from csperf.errors import CsperfError, UsageError
from csperf.extract import figures_digest, form_of, write_decisions, write_extract
from csperf.kept_policies import kept_plans
from csperf.periods import Month, Quarter
from csperf.progress import Progress
from csperf.publication import publish_month as publish_month
from csperf.publication import publish_quarter as publish_quarter
from csperf.publication import refresh
from csperf.published import Revision, closed_periods, newest
from csperf.settings import Settings
from csperf.storage import home_lock


@dataclass(frozen=True)
class Draft:
    """What would be published. With `changed` false the newest revision says the same already and no draft is kept.

    Holds no pay amounts: it may be shown and logged. `path` is the private folder with the figures and the approver's
    page. `notes` is what the approver is told, `stopped` what the release gate stops it for, `final` what of that
    nobody may override, `refusals` how often it was refused.
    """

    period: str
    revision: int
    digest: str
    changed: bool
    path: Path
    employees: int
    rows: int
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    final: tuple[str, ...] = ()
    refusals: int = 0

    @property
    def page(self) -> Path:
        """The approver's page, with the amounts."""
        return self.path / summary.PAGE


@dataclass(frozen=True)
class Closed:
    """How a closing ended: a new revision, a draft that waits for approval, or nothing to do.

    `stopped` is what the release gate kept from being published; an override leaves what nobody may override.
    """

    outcome: Literal["published", "draft", "unchanged"]
    draft: Draft
    revision: Revision | None
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Backfilled:
    """What a backfill did: the range run again, and how each closed period in and after it came out."""

    first: Month
    last: Month
    run: Any
    quarters: tuple[Closed, ...]
    months: tuple[Closed, ...]


def draft_month(settings: Settings, month: Month, at: datetime, progress: Progress | None = None) -> Draft:
    """Draft the next revision of a month's payroll from the warehouse as it is, at the time `at`.

    CsperfError when the month is not complete, an earlier one is still open, or its lines do not add up.
    """
    root, period, form = settings.payroll_dir, str(month), form_of(settings)
    with home_lock(settings), figures.open_figures(settings) as con:
        last = newest(root, period)
        inputs = figures.input_digest(con, month)
        figures.check_complete(con, month, period)
        if last is None:
            _check_order(con, settings, month)
        number = last.number + 1 if last else 1
        figures.prepare_month(con, month, number)
        digest = figures_digest(con)
        if last is not None and last.figures_digest == digest:
            drop_draft(settings, root, period)
            return _draft_of(last, changed=False)
        basis = basis_now(con, settings, month)
        if last is not None:
            add_corrections(con, settings, month, last, basis, progress)

        def write(folder: Path) -> Mapping[str, Any]:
            written = write_extract(con, folder, month, form, kept_plans(settings, basis.policies))
            reviewed = review.review_month(con, settings, month, number, folder, written, form.names)
            return {
                "kind": "payroll",
                "pay_month": period,
                "revision": number,
                "figures_digest": written.figures_digest,
                "input_digest": inputs,
                "policy_digest": figures.policy_digest(con, month),
                **basis.in_manifest(settings),
                "employees": written.employees,
                "row_count": written.row_count,
                "control_total": str(written.control_total),
                "control_totals": written.control_totals,
                "form": form.in_manifest(),
                **reviewed,
            }

        return _draft_of(put_draft(settings, root, period, at, write), changed=True)


def draft_quarter(settings: Settings, quarter: Quarter, at: datetime) -> Draft:
    """Draft the next revision of a quarter's tier decisions from the warehouse as it is, at the time `at`.

    CsperfError when the quarter is not complete or nobody was employed in it.
    """
    root, period = settings.tiers_dir, str(quarter)
    with home_lock(settings), figures.open_figures(settings) as con:
        last = newest(root, period)
        inputs = figures.input_digest(con, quarter.months[2])
        figures.check_complete(con, quarter.months[2], period)
        number = last.number + 1 if last else 1
        figures.prepare_quarter(con, quarter, number)
        digest = figures.quarter_digest(con)
        if last is not None and last.figures_digest == digest:
            drop_draft(settings, root, period)
            return _draft_of(last, changed=False)
        decided = sum(review.quarter_counts(con).values())
        if not decided:
            raise CsperfError(f"{period} has no tier decisions in the warehouse: nobody was employed in it.")

        def write(folder: Path) -> Mapping[str, Any]:
            files, parts = write_decisions(con, folder)
            return {
                "kind": "tiers",
                "quarter": period,
                "revision": number,
                "figures_digest": digest,
                "input_digest": inputs,
                "policy_digest": figures.policy_digest(con, quarter.months[2]),
                **basis_now(con, settings, quarter.months[2]).in_manifest(settings),
                "employees": decided,
                "row_count": decided,
                **review.review_quarter(con, quarter, number, folder, files, parts),
            }

        return _draft_of(put_draft(settings, root, period, at, write), changed=True)


def close_month(
    settings: Settings,
    month: Month,
    approved_by: str | None,
    approved_at: datetime,
    progress: Progress | None = None,
    override: str | None = None,
) -> Closed:
    """Build the warehouse, draft the month and, with an approver, publish it. Without one it stops at the draft.

    It stops there too where the release gate does not let it pass, unless the approver overrides that for a reason.
    """
    if override is not None and (approved_by is None or not override.strip()):
        raise UsageError("An override needs who overrides (--approved-by) and the reason (--override).")
    form_of(settings)  # a layout that cannot be used is told before the build
    if approved_by is not None:
        check_approver(settings, approved_by, settings.preparer)
    with home_lock(settings):
        _build(settings, progress)
        return _close_month(settings, month, approved_by, approved_at, progress, override)


def close_quarter(
    settings: Settings,
    quarter: Quarter,
    approved_by: str | None,
    approved_at: datetime,
    progress: Progress | None = None,
) -> Closed:
    """Build the warehouse, draft the quarter's decisions and, with an approver, publish them.

    After a publication the months that the new grades reach are built again.
    """
    if approved_by is not None:
        check_approver(settings, approved_by, settings.preparer)
    with home_lock(settings):
        _build(settings, progress)
        done = _close_quarter(settings, quarter, approved_by, approved_at)
        if done.outcome == "published":
            _build(settings, progress)
            refresh(settings)
        return done


def backfill(
    settings: Settings,
    first: Month,
    last: Month,
    source: str | None = None,
    source_root: Path | None = None,
    approved_by: str | None = None,
    approved_at: datetime | None = None,
    progress: Progress | None = None,
) -> Backfilled:
    """Extract and rebuild past months again; closed periods whose figures differ then get a new revision.

    Closed months and quarters after the range are looked at too, as are those that the re-read days before it lie
    in: what follows from a changed month changes with it. Quarters come first, for their grades are paid by. Without
    an approver the new revisions stay drafts. Open months stay open.
    """
    from csperf import nightly

    if approved_at is None:
        raise CsperfError("A backfill needs the time of its approval.")
    if approved_by is not None:
        check_approver(settings, approved_by, settings.preparer)
    with home_lock(settings):
        run = nightly.run(settings, first.first_day, last.last_day, source, source_root, approved_at, progress)
        start = Month.of(first.first_day - timedelta(days=settings.lookback_days))
        quarters = []
        for quarter in map(Quarter.parse, closed_periods(settings.tiers_dir)):
            if quarter.months[2] >= start:
                quarters.append(_close_quarter(settings, quarter, approved_by, approved_at))
                if quarters[-1].outcome == "published":
                    _build(settings, progress)
        months = [
            _close_month(settings, month, approved_by, approved_at, progress)
            for month in map(Month.parse, closed_periods(settings.payroll_dir))
            if month >= start
        ]
        refresh(settings)
    return Backfilled(first, last, run, tuple(quarters), tuple(months))


def _close_month(
    settings: Settings,
    month: Month,
    approved_by: str | None,
    approved_at: datetime,
    progress: Progress | None = None,
    override: str | None = None,
) -> Closed:
    drafted = draft_month(settings, month, approved_at, progress)
    if not drafted.changed:
        refresh(settings)  # the publication may have been killed before it did that
        return Closed("unchanged", drafted, newest(settings.payroll_dir, month))
    stopped = drafted.stopped if override is None else drafted.final
    if approved_by is None or stopped:
        refresh(settings)
        return Closed("draft", drafted, None, stopped)
    done = publish_month(settings, month, drafted.digest, approved_by, approved_at, override=override)
    return Closed("published", drafted, done)


def _close_quarter(settings: Settings, quarter: Quarter, approved_by: str | None, approved_at: datetime) -> Closed:
    drafted = draft_quarter(settings, quarter, approved_at)
    if not drafted.changed:
        refresh(settings)  # the publication may have been killed before it did that
        return Closed("unchanged", drafted, newest(settings.tiers_dir, quarter))
    if approved_by is None:
        refresh(settings)
        return Closed("draft", drafted, None)
    return Closed("published", drafted, publish_quarter(settings, quarter, drafted.digest, approved_by, approved_at))


def _build(settings: Settings, progress: Progress | None) -> None:
    from csperf import warehouse

    warehouse.build(settings, progress)


def _draft_of(revision: Revision, changed: bool) -> Draft:
    manifest = revision.manifest
    return Draft(
        period=revision.period,
        revision=revision.number,
        digest=revision.figures_digest,
        changed=changed,
        path=revision.path,
        employees=int(manifest["employees"]),
        rows=int(manifest["row_count"]),
        counts=dict(manifest.get("counts", {})),
        warnings=tuple(manifest.get("warnings", ())),
        notes=tuple(summary.told(manifest.get("facts", {}), manifest.get("gate", {}), manifest.get("refusals", ()))),
        stopped=tuple(gate.refused(manifest.get("gate", {}), None)),
        final=tuple(gate.refused(manifest.get("gate", {}), "whatever the reason")),
        refusals=len(manifest.get("refusals", ())),
    )


def _check_order(con: duckdb.DuckDBPyConnection, settings: Settings, month: Month) -> None:
    closed = [Month.parse(period) for period in closed_periods(settings.payroll_dir)]
    if not closed or month < closed[0]:
        return
    built = {str(row[0]) for row in con.execute("select month from csperf.control.months").fetchall()}
    still_open = [each for each in closed[0].until(month.plus(-1)) if each not in closed and str(each) in built]
    if still_open:
        raise CsperfError(
            f"{month} cannot be closed while {', '.join(map(str, still_open))} is open; close months in their order."
        )
