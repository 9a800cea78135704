"""The steps as tasks hand them on: dates as text in; counts, digests and sentences out, nothing confidential."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from csperf import notify
from csperf.errors import UsageError
from csperf.notify import occasions
from csperf.orchestration.approval import answered_at, answered_by, check_answer, draft_facts
from csperf.periods import Month, Quarter, parse_date, parse_period
from csperf.progress import Progress
from csperf.settings import Settings


def extract(settings: Settings, dates: Sequence[str], extracted_at: datetime, progress: Progress) -> dict[str, Any]:
    """Extract, check and land the dates from the setting's source.

    Returns how many deliveries were landed, unchanged, refused and missing, how many rows were set aside, and
    sentences for whatever was refused, for unusual deliveries and for closed periods that are touched. UsageError when
    no source is set.
    """
    from csperf.ingest import ingest
    from csperf.landing import partitions
    from csperf.sources import open_source
    from csperf.touched import touched
    from csperf.views import kinds

    if settings.source is None:
        raise UsageError("No source is given; name one in CSPERF_SOURCE.")
    source = open_source(settings, settings.source, settings.source_root)
    on = [parse_date(day) for day in dates]
    landed = ingest(settings, source, on, extracted_at, progress)
    notify.tell(settings, occasions.taken_in(settings, landed, on, extracted_at), extracted_at)
    states = Counter(str(outcome.state) for outcome in landed.outcomes)
    return {
        "deliveries": dict(states),
        "quarantined_rows": landed.quarantined,
        "refusals": list(landed.messages),
        "kinds": kinds(landed.outcomes),
        "touched": [each.sentence for each in touched(settings, partitions(settings))],
    }


def sample(settings: Settings, dates: Sequence[str], progress: Progress) -> int:
    """Draw the QA sample of the dates; returns how many interactions were drawn."""
    from csperf.sample import draw_days

    drawn = draw_days(settings, parse_date(dates[0]), parse_date(dates[-1]), progress=progress)
    return sum(each.drawn for each in drawn)


def report(settings: Settings, dates: Sequence[str], progress: Progress) -> int:
    """Write the report page of each of the dates; returns how many there are."""
    from csperf.report import write_days

    return len(write_days(settings, parse_date(dates[0]), parse_date(dates[-1]), progress=progress))


def verdict(landed: dict[str, Any]) -> None:
    """Fail the run, after everything else is done, when something was refused; the message says what."""
    if landed["refusals"]:
        raise AirflowFailException("\n".join(landed["refusals"]))


def draft(settings: Settings, period: Month | Quarter, drafted_at: datetime, progress: Progress) -> dict[str, Any]:
    """Build the warehouse and draft a month's payroll or a quarter's decisions; skips the task when nothing is new.

    Returns the digest, `drafted_at` and the text for the approver. The task fails with what the release gate stops it
    for; the draft stays, and somebody can override the gate on the command line.
    """
    from csperf import closing, views, warehouse

    warehouse.build(settings, progress)
    drafted = (
        closing.draft_month(settings, period, drafted_at, progress)
        if isinstance(period, Month)
        else closing.draft_quarter(settings, period, drafted_at)
    )
    if not drafted.changed:
        raise AirflowSkipException(f"{period} is published as revision {drafted.revision} and nothing has changed.")
    if drafted.stopped or settings.approver is None:
        notify.tell(settings, [occasions.waiting(drafted)], drafted_at)
    if drafted.stopped:
        raise AirflowFailException("\n".join(views.stopped(closing.Closed("draft", drafted, None, drafted.stopped))))
    return {"period": str(period), **draft_facts(drafted, drafted_at)}


def publish(
    settings: Settings,
    drafted: Mapping[str, Any],
    answer: Mapping[str, Any] | None,
    started_by: str | None,
    at: datetime,
) -> str:
    """Publish what was drafted if the answer approves it, at the time `at`; returns the revision's folder.

    `started_by` is who started the run by hand (None: its schedule did); neither that person nor the setting's
    preparer can approve. CsperfError when there is no approval or the figures are not those that were approved.
    """
    from csperf import closing

    approved = check_answer(
        answer,
        datetime.fromisoformat(drafted["drafted_at"]),
        settings.approver,
        [settings.preparer, started_by or ""],
    )
    period, digest = parse_period(drafted["period"]), drafted["digest"]
    if isinstance(period, Quarter):
        done = closing.publish_quarter(settings, period, digest, approved.by, approved.at, at)
    else:
        done = closing.publish_month(settings, period, digest, approved.by, approved.at, at)
    return str(done.path)


def refuse(settings: Settings, drafted: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """Keep with the draft that it was rejected, by whom, when and why; returns a sentence on it.

    CsperfError when that draft no longer waits or nobody is named.
    """
    from csperf import publication, views

    period = parse_period(drafted["period"])
    reason = str((answer.get("params_input") or {}).get("reason") or "").strip() or "no reason was given"
    who = (answered_by(answer) or [""])[0]
    done = publication.refuse(settings, period, who, answered_at(answer), reason, drafted["digest"])
    return views.refused(done)[0]


def serve(settings: Settings, progress: Progress) -> None:
    """Bring the warehouse up to a publication and serve it."""
    from csperf import serving, warehouse

    warehouse.build(settings, progress)
    serving.publish(settings)


def backfill(
    settings: Settings, params: Mapping[str, Any], started_by: str | None, at: datetime, progress: Progress
) -> dict[str, Any]:
    """Run the months `from` to `to` again; closed ones become new revisions.

    They are approved by whom the setting names; where it names nobody, or whoever started the run, they stay drafts.

    Returns what became of each closed period, and a sentence for whatever was refused.
    """
    from csperf import closing, serving, views
    from csperf.orchestration.runs import month_range

    first, last = month_range(params)
    own = settings.approver is not None and settings.approver.casefold() == (started_by or "").casefold()
    approver = None if own else settings.approver
    done = closing.backfill(settings, first, last, approved_by=approver, approved_at=at, progress=progress)
    serving.publish(settings)
    notify.tell(settings, occasions.left_waiting((*done.quarters, *done.months)), at)
    outcomes = {each.draft.period: each.outcome for each in (*done.quarters, *done.months)}
    stopped = [sentence for each in done.months if each.stopped for sentence in views.stopped(each)]
    return {"periods": outcomes, "refusals": [*done.run.ingest.messages, *stopped]}
