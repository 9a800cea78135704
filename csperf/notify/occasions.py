"""From what happened to what is told of it: names, dates and counts out of the reports of the steps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from csperf.notify.notices import Event, Notice
from csperf.overdue import overdue

if TYPE_CHECKING:
    from csperf.closing import Closed, Draft
    from csperf.ingest import IngestReport
    from csperf.landing import Partition
    from csperf.settings import Settings

# How far back a look at the calendar tells of what has never come: older gaps are the business of `csperf status`.
_LOOK_BACK = timedelta(days=31)


def taken_in(settings: Settings, report: IngestReport, dates: Iterable[date], at: datetime) -> list[Notice]:
    """What a run that took in `dates` has to tell: refused, largely quarantined and overdue deliveries.

    Nothing without the setting CSPERF_NOTIFY: nobody would hear it.
    """
    from csperf.landing import partitions

    if settings.notify is None:
        return []
    asked = sorted(str(day) for day in set(dates))
    told = [
        Notice("blocked", _key("blocked", name, *asked, _digest(sentence)), name, tuple(asked))
        for name, sentence in report.failures.items()
    ]
    for outcome in (*report.outcomes, *report.healed):
        day, delivered = str(outcome.business_date), outcome.rows + outcome.quarantined
        if outcome.state == "refused":
            key = _key("blocked", outcome.dataset, day, _digest(outcome.message or ""))
            told.append(Notice("blocked", key, outcome.dataset, (day,)))
        elif outcome.state in ("landed", "unchanged") and outcome.quarantined > settings.notify_quarantine * delivered:
            key = _key("quarantine", outcome.dataset, day, str(outcome.quarantined), str(delivered))
            counts = {"quarantined": outcome.quarantined, "delivered": delivered}
            told.append(Notice("quarantine", key, outcome.dataset, (day,), facts=counts))
    missing = {(outcome.dataset, outcome.business_date) for outcome in report.missing}
    late = overdue(settings, partitions(settings), at) if missing else {}
    return told + _late({name: [day for day in days if (name, day) in missing] for name, days in late.items()})


def overdue_now(settings: Settings, landed: Iterable[Partition], at: datetime) -> list[Notice]:
    """What is overdue of the last month."""
    oldest = at.astimezone(settings.zone).date() - _LOOK_BACK
    late = overdue(settings, list(landed), at)
    return _late({name: [day for day in days if day >= oldest] for name, days in late.items()})


def waiting(drafted: Draft) -> Notice:
    """A draft of a month or quarter that waits for approval, or that the release gate stops."""
    event: Event = "stopped" if drafted.stopped else "ready"
    facts: dict[str, str | int] = {"revision": drafted.revision, "kind": _kind(drafted.period)}
    return Notice(
        event, _key(event, drafted.period, drafted.digest, str(drafted.refusals)), drafted.period, facts=facts
    )


def left_waiting(done: Iterable[Closed]) -> list[Notice]:
    """The closings that ended in a draft."""
    return [waiting(closed.draft) for closed in done if closed.outcome == "draft"]


def draft_refused(period: str, refusal: Mapping[str, str]) -> Notice:
    """A draft that somebody refused; `refusal` as its manifest keeps it (by, at, reason)."""
    return Notice("refused", _key("refused", period, refusal["at"]), period, facts={"by": refusal["by"]})


def run_failed(what: str, dates: Iterable[str], step: str, run: str, at: datetime) -> Notice:
    """A run of a DAG that failed in a step at the time `at`; `run` is its name."""
    return Notice("failure", _key("failure", what, run, _stamp(at)), what, tuple(dates), facts={"step": step})


def command_failed(what: str, dates: Iterable[str], at: datetime) -> Notice:
    """A command that failed."""
    return Notice("failure", _key("failure", what, _stamp(at)), what, tuple(dates), kind="command")


def night_late(what: str, dates: Iterable[str], run: str) -> Notice:
    """A night that is not done by its deadline."""
    return Notice("overdue", _key("night", what, run), what, tuple(dates), kind="night")


def _late(late: Mapping[str, Iterable[date]]) -> list[Notice]:
    return [
        Notice("overdue", _key("overdue", name, str(day)), name, (str(day),))
        for name, days in late.items()
        for day in days
    ]


def _kind(period: str) -> str:
    return "quarter" if "Q" in period else "month"


def _key(*parts: str) -> str:
    return ":".join(parts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
