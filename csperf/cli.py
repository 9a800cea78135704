"""The command line. Each command reads its arguments, calls one function and shows what it returns.

Everything heavy is imported inside the commands, so that `csperf --help` is quick.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from csperf import cli_notify, cli_payroll, cli_policy, cli_quarantine, cli_records, console
from csperf.cli_payroll import AskedBy, asker
from csperf.errors import CsperfError
from csperf.periods import Month, Quarter, parse_date, parse_period
from csperf.settings import load_settings

app = typer.Typer(
    help="Customer-service records into scorecards, grade decisions and pay that anyone can check. "
    "Settings are environment variables: CSPERF_HOME, CSPERF_SOURCE, CSPERF_TIMEZONE, … (see README).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cli_policy.app, name="policy")
app.add_typer(cli_payroll.app, name="payroll")
app.add_typer(cli_quarantine.app, name="quarantine")
app.command("notify")(cli_notify.notify)

From = Annotated[str, typer.Option("--from", metavar="DATE", help="First business date, like 2026-07-01.")]
To = Annotated[str, typer.Option("--to", metavar="DATE", help="Last business date, included.")]
SourceOption = Annotated[
    str | None,
    typer.Option(help="Landing directory, database URL, mapping file or name of a shipped mapping [CSPERF_SOURCE]."),
]
SourceRoot = Annotated[
    Path | None, typer.Option(help="Folder that a mapping's file names start from [CSPERF_SOURCE_ROOT].")
]
ApprovedBy = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who approves; without it the command stops at a draft.")
]
_debug = False


@app.callback()
def _options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    global _debug
    _debug = debug


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the landing files; an older demo in it is replaced.")],
    from_: From,
    to: To,
    agents: Annotated[int, typer.Option(help="People employed on the first day, team leads included.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed gives the same company.")] = 1,
    profile: Annotated[Path | None, typer.Option(help="YAML file with another kind of company.")] = None,
    format: Annotated[Literal["csv", "parquet"], typer.Option(help="Kind of file to write.")] = "csv",
) -> None:
    """Write a made-up company as landing files."""
    from csperf.demo import load_profile, write_demo

    with console.bars() as progress:
        made = write_demo(out, agents, parse_date(from_), parse_date(to), seed, progress, load_profile(profile), format)
    rows = [("people", made.people), *sorted(made.rows.items()), ("of these dirty rows", sum(made.dirty.values()))]
    console.show(console.facts("Demo company (all people and figures are invented)", rows))
    console.show(f"Files in {out}. Next: csperf run --source {out} --from {from_} --to {to}")


@app.command()
def run(from_: From, to: To, source: SourceOption = None, source_root: SourceRoot = None) -> None:
    """The nightly job: extract, check, land, build, report."""
    from csperf import nightly, notify, views

    settings, first, last, at = load_settings(), parse_date(from_), parse_date(to), datetime.now(UTC)
    with console.bars() as progress, notify.failures_told(settings, "csperf run", [f"{first} … {last}"], at):
        done = nightly.run(settings, first, last, source, source_root, at, progress)
    console.show(*views.run_report(done, settings))
    refused = views.refusals(done)
    if refused:
        raise CsperfError("\n".join(refused))


cli_records.add_to(app)


@app.command()
def sample(day: Annotated[str, typer.Option("--date", metavar="DATE", help="Business date.")]) -> None:
    """Draw the day's QA sample and write the reviewers' worklist."""
    from csperf.sample import draw

    drawn = draw(load_settings(), parse_date(day))
    figures = [("agents", drawn.agents), ("drawn", drawn.drawn), ("reviewed", drawn.reviewed)]
    console.show(console.facts(f"QA sample {day}", [*figures, ("missing", drawn.missing)]))
    console.show(f"Worklist in {drawn.folder}")


@app.command()
def report(from_: From, to: To) -> None:
    """Write the daily report page of each date again."""
    from csperf.report import write_days

    with console.bars() as progress:
        pages = write_days(load_settings(), parse_date(from_), parse_date(to), progress=progress)
    console.show(*(str(page.path) for page in pages))


@app.command("close-month")
def close_month(
    month: Annotated[str, typer.Argument(metavar="2026-09")],
    approved_by: ApprovedBy = None,
    override: Annotated[
        str | None, typer.Option(metavar="REASON", help="Why the approver publishes what the release gate stops.")
    ] = None,
) -> None:
    """Build the month, check it and publish its payroll extract."""
    from csperf import closing, notify, views

    settings, period = load_settings(), Month.parse(month)
    with console.bars() as progress:
        done = closing.close_month(settings, period, approved_by, datetime.now(UTC), progress, override)
    notify.tell(settings, notify.occasions.left_waiting([done]), datetime.now(UTC))
    console.show(*views.closed(done))
    if done.stopped:
        raise CsperfError("\n".join(views.stopped(done)))


@app.command("close-quarter")
def close_quarter(quarter: Annotated[str, typer.Argument(metavar="2026Q3")], approved_by: ApprovedBy = None) -> None:
    """Decide the tiers of a quarter and publish the decisions."""
    from csperf import closing, notify, views

    settings, period = load_settings(), Quarter.parse(quarter)
    with console.bars() as progress:
        done = closing.close_quarter(settings, period, approved_by, datetime.now(UTC), progress=progress)
    notify.tell(settings, notify.occasions.left_waiting([done]), datetime.now(UTC))
    console.show(*views.closed(done))


@app.command()
def refuse(
    period: Annotated[str, typer.Argument(metavar="2026-09|2026Q3", help="The month or quarter whose draft waits.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who refuses it.")],
    why: Annotated[str, typer.Option(metavar="TEXT", help="What is wrong, for whoever mends it.")],
) -> None:
    """Refuse the draft of a month or quarter: it goes back with the reason and is drafted again once it is mended."""
    from csperf import publication, views

    which = parse_period(period)
    done = publication.refuse(load_settings(), which, by, datetime.now(UTC), why)
    console.show(*views.refused(done))


@app.command()
def backfill(
    from_: Annotated[str, typer.Option("--from", metavar="MONTH", help="First month, like 2026-01.")],
    to: Annotated[str, typer.Option("--to", metavar="MONTH", help="Last month, included.")],
    source: SourceOption = None,
    source_root: SourceRoot = None,
    approved_by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who approves new revisions of closed months [CSPERF_APPROVER].")
    ] = None,
) -> None:
    """Re-extract and rebuild past months; closed months as new revisions."""
    from csperf import closing, notify, views

    settings, first, last, at = load_settings(), Month.parse(from_), Month.parse(to), datetime.now(UTC)
    with console.bars() as progress, notify.failures_told(settings, "csperf backfill", [f"{first} … {last}"], at):
        done = closing.backfill(
            settings,
            first,
            last,
            source=source,
            source_root=source_root,
            approved_by=approved_by or settings.approver,
            approved_at=at,
            progress=progress,
        )
    notify.tell(settings, notify.occasions.left_waiting((*done.quarters, *done.months)), at)
    console.show(*views.backfilled(done, settings))
    stopped = [sentence for closed in done.months if closed.stopped for sentence in views.stopped(closed)]
    if stopped:
        raise CsperfError("\n".join(stopped))


@app.command()
def explain(
    employee: Annotated[str, typer.Argument(metavar="EMPLOYEE")],
    period: Annotated[str, typer.Argument(metavar="2026-09|2026Q3", help="A month: the pay. A quarter: the grade.")],
    all_rows: Annotated[bool, typer.Option(help="List all source rows instead of the first few.")] = False,
    asked_by: AskedBy = None,
    why: Annotated[str | None, typer.Option(help="The reason, for the log.")] = None,
) -> None:
    """Every pay line of a month, or the grade decision of a quarter, down to measure, band, figure and source rows.

    Whose pay was looked up, by whom and when is kept: csperf payroll lookups lists it.
    """
    from csperf.explain import explain as explain_pay
    from csperf.explain_tiers import explain_decision
    from csperf.lookups import record_lookup

    settings = load_settings()
    if "Q" in period:
        console.show(explain_decision(settings, employee, Quarter.parse(period), all_rows).tree())
    else:
        month = Month.parse(period)
        told = explain_pay(settings, employee, month, all_rows)
        record_lookup(settings, asker(settings, asked_by), employee, month, "explain", datetime.now(UTC), why)
        console.show(told.tree())


@app.command()
def simulate(
    months: Annotated[str, typer.Argument(metavar="MONTH[..MONTH]", help="2026-09, or 2026-07..2026-09.")],
    policies: Annotated[Path, typer.Option("--policy", metavar="DIR", help="Folder as CSPERF_POLICY_DIR names one.")],
    format: Annotated[
        Literal["text", "md", "csv", "json"] | None,
        typer.Option(help="md: to paste into a review; csv: every pay line; json: everything [by --out, else text]."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write, for its owner alone; else it is printed.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Show all employees, not only the 20 largest.")] = False,
    ids_only: Annotated[bool, typer.Option("--ids-only", help="Leave names out.")] = False,
    asked_by: AskedBy = None,
) -> None:
    """What months would pay under other plans, as a difference; changes nothing. It shows pay: who asks is kept."""
    from csperf import simulate_report
    from csperf.lookups import EVERYBODY, record_lookup
    from csperf.periods import parse_months
    from csperf.simulate import simulate as compute

    settings = load_settings()
    first, last = parse_months(months)
    kind = simulate_report.kind(settings, format, out)
    with console.bars() as progress:
        done = compute(settings, first, last, policies, progress)
    parts = simulate_report.parts(done, kind, everybody, not ids_only)
    record_lookup(settings, asker(settings, asked_by), EVERYBODY, months, "simulate", datetime.now(UTC))
    if out is None:
        console.show(*parts)
    else:
        simulate_report.write(out, kind, console.as_text(*parts))
        console.show(f"Written to {out}.")


@app.command()
def status() -> None:
    """What is landed, built, closed, and what is missing."""
    from csperf import notify
    from csperf.status import look, render

    settings = load_settings()
    console.show(*render(look(settings, datetime.now(UTC))), *notify.standing(settings))


def main() -> None:
    """The `csperf` command."""
    console.run(app, lambda: _debug)
