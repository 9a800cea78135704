"""The command line. Each command reads its arguments, calls one function and shows what it returns.

Everything heavy is imported inside the commands, so that `csperf --help` is quick.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from csperf import cli_notify, cli_quarantine, cli_records, console
from csperf.errors import CsperfError
from csperf.periods import Month, Quarter, parse_date
from csperf.settings import Settings, load_settings

app = typer.Typer(
    help="Customer-service records into scorecards, grade decisions and pay that anyone can check. "
    "Settings are environment variables: CSPERF_HOME, CSPERF_SOURCE, CSPERF_TIMEZONE, … (see README).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
policy = typer.Typer(help="Look at plans and validate plan files.", no_args_is_help=True)
app.add_typer(policy, name="policy")
payroll = typer.Typer(help="Look after published pay.", no_args_is_help=True)
app.add_typer(payroll, name="payroll")
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
AskedBy = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who asks [CSPERF_ASKED_BY; else a terminal asks, a script's account]."),
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

    which = Quarter.parse(period) if "Q" in period else Month.parse(period)
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
        record_lookup(settings, _asker(settings, asked_by), employee, month, "explain", datetime.now(UTC), why)
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
    record_lookup(settings, _asker(settings, asked_by), EVERYBODY, months, "simulate", datetime.now(UTC))
    if out is None:
        console.show(*parts)
    else:
        simulate_report.write(out, kind, console.as_text(*parts))
        console.show(f"Written to {out}.")


@payroll.command("verify")
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
        record_lookup(settings, _asker(settings, asked_by), EVERYBODY, shown, "verify", datetime.now(UTC))
    console.show(*views.verified(done))
    if not all(each.equal for each in done):
        raise CsperfError("\n".join(views.not_proven(done)))


@payroll.command("export")
def payroll_export(
    month: Annotated[str, typer.Argument(metavar="MONTH")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    asked_by: AskedBy = None,
) -> None:
    """Write the newest revision of a month again, in the language and layout that the settings name now."""
    from csperf.lookups import EVERYBODY, record_lookup
    from csperf.other_form import write_again

    settings, period = load_settings(), Month.parse(month)
    asker = _asker(settings, asked_by)
    with write_again(settings, period, out) as files:
        record_lookup(settings, asker, EVERYBODY, period, "export", datetime.now(UTC))
        console.show(*(str(path) for path in files.put()))


@payroll.command("lookups")
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


@policy.command("list")
def policy_list() -> None:
    """The plans with their versions."""
    from csperf.policy.commands import list_plans

    console.show(list_plans(load_settings()))


@policy.command("show")
def policy_show(
    plan: Annotated[str, typer.Argument(metavar="PLAN")],
    on: Annotated[str | None, typer.Option(metavar="DATE", help="The day asked about (default: today).")] = None,
    lang: Annotated[Literal["zh", "en", "both"], typer.Option(help="Language of labels and words.")] = "both",
    format: Annotated[Literal["text", "md"], typer.Option(help="md: Markdown, for a handbook.")] = "text",
) -> None:
    """One plan as in force on a date: what is paid, how, by which numbers, and who moves up or down."""
    from csperf.policy.commands import show_plan
    from csperf.policy.render import markdown, terminal

    settings = load_settings()
    page = show_plan(settings, plan, parse_date(on) if on else _today(settings), lang)
    console.show(terminal(page) if format == "text" else markdown(page).rstrip())


@policy.command("check")
def policy_check(
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder with plans of your own.")] = None,
) -> None:
    """Validate the plan files: every problem with file, line, key and reason. Warnings alone are no failure."""
    from csperf.policy.commands import check_plans, verdict

    console.show(*verdict(check_plans(load_settings(), directory)))


@policy.command("schema")
def policy_schema(
    out: Annotated[Path | None, typer.Option(help="File to write; without it the schema is printed.")] = None,
) -> None:
    """The plan language as a JSON Schema, by which an editor completes and explains keys."""
    from csperf.policy.schema import schema_text

    if out is None:
        print(schema_text(), end="")
        return
    out.write_text(schema_text(), encoding="utf-8")
    console.show(f"Written to {out}. First line of a plan beside it: # yaml-language-server: $schema={out.name}")


@app.command()
def status() -> None:
    """What is landed, built, closed, and what is missing."""
    from csperf import notify
    from csperf.status import look, render

    settings = load_settings()
    console.show(*render(look(settings, datetime.now(UTC))), *notify.standing(settings))


def _asker(settings: Settings, named: str | None) -> str:
    """Who looks pay up: as named, else asked for on a terminal, else the account that a script runs under."""
    from csperf.lookups import account

    given = named if named is not None else settings.asked_by
    if given is not None:
        return given
    return str(typer.prompt("Who asks?", default=account(), err=True)) if _attended() else account()


def _attended() -> bool:
    return sys.stdin.isatty()


def _today(settings: Settings) -> date:
    return datetime.now(settings.zone).date()


def main() -> None:
    """The `csperf` command."""
    console.run(app, lambda: _debug)
