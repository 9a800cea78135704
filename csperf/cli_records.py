"""The commands that look after records and warehouse as a whole: build, rebuild, backup, restore."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from csperf import console
from csperf.errors import CsperfError, UsageError
from csperf.settings import load_settings


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    for command in (build, rebuild, backup, restore):
        app.command()(command)


def build() -> None:
    """Bring the warehouse up to date with the records."""
    from csperf import serving, views, warehouse

    settings = load_settings()
    with console.bars() as progress:
        built = warehouse.build(settings, progress)
        serving.publish(settings)
    console.show(*views.build_report(built, settings))


def rebuild() -> None:
    """Make warehouse, BI copy and daily reports anew from the records alone."""
    from csperf.rebuild import rebuild as make_anew

    settings = load_settings()
    with console.bars() as progress:
        done = make_anew(settings, progress)
    months = ", ".join(map(str, done.build.months))
    console.show(f"Made anew: {len(done.build.dates)} business dates, the months {months}, {done.pages} daily reports.")
    console.show(f"Warehouse: {settings.warehouse_path}", f"For BI: {settings.serving_path}")


def backup(
    out: Annotated[Path, typer.Option(help="Folder of the backups, outside CSPERF_HOME; only what is new is copied.")],
    check: Annotated[bool, typer.Option("--check", help="Take none: read all that is there and compare it.")] = False,
    keep: Annotated[int | None, typer.Option(min=1, help="Drop all but so many of the newest, this one included.")] = (
        None
    ),
) -> None:
    """Copy the records (what was landed, plans, payroll, grades, journals) to another place, or check the copies."""
    from csperf import backup as backups

    if check and keep is not None:
        raise UsageError("--check takes no backup and drops none; give --keep without it.")
    if not check:
        with console.bars() as progress:
            taken = backups.take(load_settings(), out, datetime.now(UTC), progress)
        made = taken.backup
        rows = [("files", len(made.files)), ("bytes", made.size), ("copied now", taken.copied)]
        console.show(console.facts(f"Backup {made.name}", [*rows, ("bytes copied", taken.copied_bytes)]))
        if keep is not None:
            with console.bars() as progress:
                pruned = backups.prune(load_settings(), out, keep, progress)
            console.show(
                f"Older backups dropped: {len(pruned.dropped)}; contents dropped with them: {pruned.contents:,} "
                f"({pruned.size:,} bytes)"
            )
        console.show(f"To prove it: csperf backup --check --out {out}. To use it: csperf restore --from {out}")
        return
    with console.bars() as progress:
        checked = backups.check(out, progress)
    if checked.damages:
        told = [*checked.damages[:20], *(["…"] if len(checked.damages) > 20 else [])]
        raise CsperfError(
            "\n".join(told)
            + f"\n{len(checked.damages)} of {checked.contents} contents are not as they were; delete the "
            "damaged ones and take another backup, which copies them again where CSPERF_HOME still has them."
        )
    names = ", ".join(each.name for each in checked.backups[-5:])
    console.show(f"All {checked.contents:,} contents of {len(checked.backups)} backups are whole; the newest: {names}")


def restore(
    from_: Annotated[Path, typer.Option("--from", metavar="DIR", help="Folder that csperf backup --out was given.")],
    name: Annotated[
        str | None,
        typer.Option("--backup", metavar="NAME", help="Which backup, by its name [newest]."),
    ] = None,
) -> None:
    """Put the records of a backup into an empty CSPERF_HOME, each file compared before any is put in place."""
    from csperf import backup as backups

    settings = load_settings()
    with console.bars() as progress:
        done = backups.restore(settings, from_, name, progress)
    console.show(f"Restored {len(done.backup.files):,} files of backup {done.backup.name} into {settings.home}")
    if done.plans is not None:
        console.show(f"The company's own plans lie in {done.plans}: name this folder in CSPERF_POLICY_DIR.")
    console.show("Next: csperf rebuild, then csperf payroll verify")
