"""The commands of `csperf payroll`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from csperf import console
from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.settings import Settings, load_settings

app = typer.Typer(help="Look after published pay.", no_args_is_help=True)

AskedBy = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who asks [CSPERF_ASKED_BY; else a terminal asks, a script's account]."),
]


def asker(settings: Settings, named: str | None) -> str:
    """Who looks pay up: as named, else asked for on a terminal, else the account that a script runs under."""
    from csperf.lookups import account

    given = named if named is not None else settings.asked_by
    if given is not None:
        return given
    return str(typer.prompt("Who asks?", default=account(), err=True)) if _attended() else account()


def _attended() -> bool:
    return sys.stdin.isatty()


@app.command("verify")
def payroll_verify(
    month: Annotated[str | None, typer.Argument(metavar="MONTH", help="Default: all published months.")] = None,
    revision: Annotated[int | None, typer.Argument(metavar="REVISION", help="Default: all of the month.")] = None,
    amounts: Annotated[
        bool, typer.Option("--amounts", help="Show by how much a line differs; kept as a look-up.")
    ] = False,
    asked_by: AskedBy = None,
) -> None:
    """Compute published revisions again from the records as they were, and prove them equal to the byte."""
    from csperf import views
    from csperf.lookups import EVERYBODY, record_lookup
    from csperf.verify import verify

    settings = load_settings()
    with console.bars() as progress:
        done = verify(settings, Month.parse(month) if month else None, revision, progress, amounts)
    for shown in sorted({each.month for each in done if each.differences}) if amounts else ():
        record_lookup(settings, asker(settings, asked_by), EVERYBODY, shown, "verify", datetime.now(UTC))
    console.show(*views.verified(done))
    if not all(each.equal for each in done):
        raise CsperfError("\n".join(views.not_proven(done)))


@app.command("export")
def payroll_export(
    month: Annotated[str, typer.Argument(metavar="MONTH")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    asked_by: AskedBy = None,
) -> None:
    """Write the newest revision of a month again, in the language and layout that the settings name now."""
    from csperf.lookups import EVERYBODY, record_lookup
    from csperf.other_form import write_again

    settings, period = load_settings(), Month.parse(month)
    who = asker(settings, asked_by)
    with write_again(settings, period, out) as files:
        record_lookup(settings, who, EVERYBODY, period, "export", datetime.now(UTC))
        console.show(*(str(path) for path in files.put()))


@app.command("lookups")
def payroll_lookups(
    employee: Annotated[str | None, typer.Option(metavar="EMPLOYEE", help="Whose pay was looked up.")] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who looked it up: name or account.")] = None,
) -> None:
    """Who looked whose pay up, when and why; ends with 1 when the log is not as it was written."""
    from csperf import views
    from csperf.lookups import read_lookups

    log = read_lookups(load_settings())
    console.show(*views.lookups(log, employee, by))
    if log.damages:
        raise CsperfError("\n".join(log.damages))
