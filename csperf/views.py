"""What the commands show of what the steps return: tables for the terminal and sentences.

No pay amounts, but in the approver's page of a draft, which goes to a terminal alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from csperf.console import facts, is_terminal
from csperf.settings import Settings

if TYPE_CHECKING:
    from csperf.closing import Backfilled, Closed
    from csperf.lookups import Lookups
    from csperf.nightly import RunReport
    from csperf.published import Revision
    from csperf.verify import Verified
    from csperf.versions import Outcome
    from csperf.warehouse import BuildReport


def build_report(built: BuildReport, settings: Settings) -> list[Any]:
    """What was rebuilt."""
    if not built.dates and not built.months:
        return [f"The warehouse {settings.warehouse_path} is up to date."]
    start = "from nothing, " if built.from_nothing else ""
    months = ", ".join(str(month) for month in built.months)
    return [f"Built {start}{len(built.dates)} business dates and the months {months}: {settings.warehouse_path}"]


def run_report(done: RunReport, settings: Settings) -> list[Any]:
    """What a run landed by dataset, what it built and where to look."""
    from rich.table import Table

    table = Table(title=f"Landed for {done.first} to {done.last}", title_justify="left")
    table.add_column("dataset")
    for heading in (
        "new deliveries",
        "unchanged",
        "accepted rows",
        "quarantined",
        "discarded",
        "skipped",
        "no delivery",
        "refused",
    ):
        table.add_column(heading, justify="right")
    outcomes = done.ingest.outcomes
    for name in dict.fromkeys(outcome.dataset for outcome in outcomes):
        found = [outcome for outcome in outcomes if outcome.dataset == name]
        states = Counter(outcome.state for outcome in found)
        accepted = [outcome for outcome in found if outcome.state in ("landed", "unchanged")]
        sums = (
            sum(getattr(outcome, part) for outcome in accepted)
            for part in ("rows", "quarantined", "discarded", "skipped")
        )
        numbers = (
            states["landed"],
            states["unchanged"],
            *sums,
            states["missing"] + states["withdrawn"],
            states["refused"],
        )
        table.add_row(name, *(f"{number:,}" for number in numbers))
    drawn = sum(sample.drawn for sample in done.samples)
    missing = sum(sample.missing for sample in done.samples)
    lines = [f"QA sample: {drawn:,} interactions drawn on {len(done.samples)} dates, {missing:,} not reviewed yet."]
    if done.pages:
        lines.append(f"Daily reports: {done.pages[-1].path.parent}")
    if done.ingest.healed:
        lines.insert(0, f"{len(done.ingest.healed)} earlier dates were checked again: what they waited for has come.")
    lines += [*kinds(outcomes), *(each.sentence for each in done.touched)]
    return [table, *build_report(done.build, settings), *lines, f"For BI: {settings.serving_path}"]


def kinds(outcomes: Sequence[Outcome]) -> list[str]:
    """A sentence for each kind of delivery that is not the usual one: late, corrected, empty, withdrawn, partial."""
    told: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.state in ("landed", "withdrawn"):
            for note in outcome.notes:
                told.setdefault(note, []).append(f"{outcome.dataset} of {outcome.business_date}")
    return [
        f"{note.capitalize()}: {', '.join(found[:6])}{f' and {len(found) - 6} more' if len(found) > 6 else ''}."
        for note, found in told.items()
    ]


def refusals(done: RunReport) -> list[str]:
    """A sentence for each dataset that failed and each delivery that was refused in the run."""
    return list(done.ingest.messages)


def closed(done: Closed) -> list[Any]:
    """How the closing of a month or quarter ended."""
    draft = done.draft
    if done.outcome == "unchanged":
        by = f"approved by {done.revision.manifest['approved_by']}" if done.revision else ""
        told = f"{draft.period} is closed as revision {draft.revision} already, {by}, and nothing has changed"
        return [f"{told}: {draft.path}"]
    rows: Sequence[tuple[str, object]] = [
        ("revision", draft.revision),
        ("employees", draft.employees),
        ("rows", draft.rows),
        *((name.replace("_", " "), count) for name, count in draft.counts.items()),
        ("digest", draft.digest[:16]),
    ]
    parts: list[Any] = [facts(f"{draft.period}: {done.outcome}", rows)]
    if done.revision is not None and done.outcome == "published":
        parts += [f"Note: {warning}" for warning in draft.warnings]
        return [*parts, *_overridden(done.revision), f"Published in {done.revision.path}"]
    if is_terminal():
        from rich.markdown import Markdown

        parts.append(Markdown(draft.page.read_text(encoding="utf-8")))
    else:
        parts += [*draft.notes, *(f"Note: {warning}" for warning in draft.warnings)]
    parts.append(f"The draft is in {draft.path}; what its approver looks at, with the amounts: {draft.page}")
    if not done.stopped:
        command = "close-quarter" if "Q" in draft.period else "close-month"
        parts += [
            f"To publish it: csperf {command} {draft.period} --approved-by NAME",
            f"To refuse it: csperf refuse {draft.period} --by NAME --why TEXT",
        ]
    return parts


def stopped(done: Closed) -> list[str]:
    """What the release gate stops a month for, a sentence each, and what may be done about it."""
    period, left = done.draft.period, len(done.stopped)
    first = f"{period} stays a draft: the release gate stops it for {left} reason{'s' * (left > 1)}."
    if done.draft.final:
        last = f"Mend that and close it again; {len(done.draft.final)} of it nobody can override."
    else:
        last = f"Mend that and close it again, or: csperf close-month {period} --approved-by NAME --override REASON"
    return [first, *done.stopped, last]


def refused(done: Revision) -> list[str]:
    """That a draft was refused."""
    last = done.manifest["refusals"][-1]
    return [f"{last['by']} refused the draft of {done.period}: {last['reason']}. It stays in {done.path}."]


def _overridden(revision: Revision) -> list[str]:
    override = revision.manifest.get("override")
    return (
        [
            f"{override['by']} overrode the release gate ({override['reason']}):",
            *(f"  {sentence}" for sentence in override["overridden"]),
        ]
        if override
        else []
    )


def verified(done: Sequence[Verified]) -> list[Any]:
    """Which revisions are proven and which are not."""
    from rich.table import Table

    table = Table(title="Computed again from the records as they were", title_justify="left")
    for heading in ("month", "revision", "outcome", "code since then"):
        table.add_column(heading)
    for each in done:
        outcome = "equal" if each.equal else "records damaged" if each.damages else "differs"
        table.add_row(each.month, str(each.revision), outcome, "changed" if each.code_changed else "the same")
    return [table]


def not_proven(done: Sequence[Verified]) -> list[str]:
    """A sentence for all that keeps a revision from being proven."""
    told = []
    for each in done:
        what = f"{each.month} revision {each.revision}"
        told += [f"{what} rests on a damaged record: {damage}" for damage in each.damages]
        if each.differences:
            since = "; the code has changed since it was published" if each.code_changed else ""
            told.append(f"{what} comes out otherwise than it was published{since}:")
            told += [f"  {difference}" for difference in each.differences]
    return list(dict.fromkeys(told))


def lookups(log: Lookups, employee: str | None, by: str | None) -> list[Any]:
    """The look-ups of pay, those of one employee or by one person if named, and the digest that the log ends with."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Look-ups of pay", title_justify="left")
    for heading in ("at", "by", "account", "employee", "month", "command", "why"):
        table.add_column(heading, overflow="fold")
    for each in log.found:
        # Who shows everybody's pay shows this employee's too.
        whose = employee in (None, each.employee) or each.employee == "*"
        if whose and (by is None or by.casefold() in (each.by.casefold(), each.account.casefold())):
            cells = (each.at, each.by, each.account, each.employee, each.month, each.kind, each.why or "")
            table.add_row(*map(Text, cells))
    return [table, f"Lines in the log: {log.lines:,}; digest of the last: {log.digest}"]


def backfilled(done: Backfilled, settings: Settings) -> list[Any]:
    """What a backfill ran and what came of the closed periods."""
    outcomes = [
        f"{closing.draft.period}: {closing.outcome}, revision {closing.draft.revision}"
        for closing in (*done.quarters, *done.months)
    ]
    nothing = ["No closed month or quarter is touched by it."]
    return [*run_report(done.run, settings), *(outcomes or nothing)]
