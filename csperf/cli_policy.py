"""The commands of `csperf policy`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from csperf import console
from csperf.periods import parse_date
from csperf.settings import load_settings

app = typer.Typer(help="Look at plans and validate plan files.", no_args_is_help=True)


@app.command("list")
def policy_list() -> None:
    """The plans with their versions."""
    from csperf.policy.commands import list_plans

    console.show(list_plans(load_settings()))


@app.command("show")
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
    page = show_plan(settings, plan, parse_date(on) if on else datetime.now(settings.zone).date(), lang)
    console.show(terminal(page) if format == "text" else markdown(page).rstrip())


@app.command("check")
def policy_check(
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder with plans of your own.")] = None,
) -> None:
    """Validate the plan files: every problem with file, line, key and reason. Warnings alone are no failure."""
    from csperf.policy.commands import check_plans, verdict

    console.show(*verdict(check_plans(load_settings(), directory)))


@app.command("schema")
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
