"""The commands of `csperf quarantine`."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from csperf import console
from csperf.periods import parse_date
from csperf.settings import load_settings

if TYPE_CHECKING:
    from csperf.quarantine import Choice, Group, Released, Row

app = typer.Typer(help="Rows set aside by the checks: see them, take them in, or waive them.", no_args_is_help=True)

Dataset = Annotated[str | None, typer.Option(metavar="NAME", help="Only this dataset.")]
Day = Annotated[str | None, typer.Option("--date", metavar="DATE", help="Only this business date.")]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="From this business date on.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Up to this business date, included.")]
Check = Annotated[str | None, typer.Option(metavar="REASON", help="Only rows with this reason, as `list` names it.")]
Discarded = Annotated[bool, typer.Option("--discarded", help="Rows that were discarded, instead of those waiting.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Rows by their id, as `show` names them.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who does it; by default this account.")]


def _choice(
    dataset: str | None,
    day: str | None,
    from_: str | None = None,
    to: str | None = None,
    check: str | None = None,
    ids: Sequence[str] | None = None,
    discarded: bool = False,
) -> Choice:
    from csperf.quarantine import Choice

    first, last = day or from_, day or to
    return Choice(
        dataset,
        parse_date(first) if first else None,
        parse_date(last) if last else None,
        check,
        tuple(ids or ()),
        discarded,
    )


@app.command("list")
def list_rows(
    dataset: Dataset = None,
    day: Day = None,
    from_: From = None,
    to: To = None,
    check: Check = None,
    discarded: Discarded = False,
) -> None:
    """How many rows wait, by dataset, date and reason, and since when."""
    from csperf.quarantine import groups, total

    settings, choice = load_settings(), _choice(dataset, day, from_, to, check, None, discarded)
    found = groups(settings, choice)
    if not found:
        console.show("No row was discarded." if discarded else "No row waits in quarantine.")
        return
    today = datetime.now(settings.zone).date()
    days = {group.business_date for group in found}
    rows = total(settings, choice)
    console.show(
        _table(found, discarded, today),
        f"{rows:,} row{'s' * (rows > 1)} on {len(days):,} date{'s' * (len(days) > 1)}; a row with two reasons stands "
        "under both. csperf quarantine show tells each, and what to do.",
    )


def _table(found: Sequence[Group], discarded: bool, today: Any) -> Any:
    from rich.table import Table

    table = Table(title="Discarded" if discarded else "In quarantine", title_justify="left")
    for heading in ("dataset", "date", "reason"):
        table.add_column(heading)
    table.add_column("rows", justify="right")
    table.add_column("days waiting", justify="right")
    table.add_column("date is")
    for group in found:
        age = str((today - group.since).days)
        state = "refused" if group.refused else "accepted"
        table.add_row(group.dataset, str(group.business_date), group.check, f"{group.rows:,}", age, state)
    return table


@app.command()
def show(
    ids: Ids = None,
    dataset: Dataset = None,
    day: Day = None,
    from_: From = None,
    to: To = None,
    check: Check = None,
    discarded: Discarded = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 20,
) -> None:
    """The rows themselves, with line number, reasons and what to do. Salaries are not shown."""
    from itertools import islice

    from csperf.quarantine import rows

    found = rows(load_settings(), _choice(dataset, day, from_, to, check, ids, discarded))
    shown = list(islice(found, limit))
    if not shown:
        console.show("No such row is in quarantine.")
    for row in shown:
        console.show(*_told(row))
    if next(found, None) is not None:
        console.show(f"… and more; --limit shows more than {limit}.")


def _told(row: Row) -> list[str]:
    place = f"line {row.line}" if row.line is not None else f"row {row.row}"
    copies = f", {row.copies} equal rows" if row.copies > 1 else ""
    state = ", the whole date was refused" if row.refused else ""
    content = row.content if len(row.content) <= 2000 else f"{row.content[:2000]} …"
    return [
        f"{row.id}  {row.dataset} of {row.business_date}, {place}{copies}{state}",
        *(f"  {check}: {reason}" for check, reason in row.reasons),
        f"  {content}",
        *(f"  → {each}" for each in row.remedies),
    ]


@app.command()
def replay(
    dataset: Dataset = None,
    day: Day = None,
    from_: From = None,
    to: To = None,
    source: Annotated[
        str | None, typer.Option(help="The mapping that the rows came by, mended [CSPERF_SOURCE]; no data is read.")
    ] = None,
    by: By = None,
) -> None:
    """Check waiting rows again by today's mapping, rules and references, and take in those that pass."""
    from csperf.quarantine import replay as check_again

    settings = load_settings()
    with console.bars() as progress:
        done = check_again(
            settings, _choice(dataset, day, from_, to), by or getpass.getuser(), datetime.now(UTC), source, progress
        )
    console.show(*_released(done))


@app.command()
def discard(
    why: Annotated[str, typer.Option(help="The reason, for the record.")],
    ids: Ids = None,
    dataset: Dataset = None,
    day: Day = None,
    check: Check = None,
    by: By = None,
) -> None:
    """Waive rows for good: they stay readable, and a delivery that repeats them does not bring them back."""
    from csperf.quarantine import discard as waive

    with console.bars() as progress:
        done = waive(
            load_settings(),
            _choice(dataset, day, None, None, check, ids),
            by or getpass.getuser(),
            why,
            datetime.now(UTC),
            progress,
        )
    console.show(f"{done.discarded:,} row{'s' * (done.discarded > 1)} discarded.", *_released(done))


def _released(done: Released) -> list[str]:
    if not done.outcomes:
        return [*done.notes] or ["Nothing waits in quarantine there."]
    landed = [outcome for outcome in done.outcomes if outcome.state == "landed"]
    lines = [f"{done.taken_in:,} rows taken in, {done.left:,} still wait."]
    lines += [outcome.message for outcome in done.outcomes if outcome.message]
    lines += [*done.notes, *(each.sentence for each in done.touched)]
    if landed:
        dates = sorted({f"{outcome.dataset} of {outcome.business_date}" for outcome in landed})
        shown = ", ".join(dates[:8]) + (f" and {len(dates) - 8} more" if len(dates) > 8 else "")
        lines.append(f"New versions: {shown}; csperf build (or the next run) brings the tables up to date.")
    return lines
