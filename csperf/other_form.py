"""A published month in another form: what a later setting of language, names or layout would have written.

The revision itself stays as it is. Its figures are taken from the warehouse, if that still says the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from csperf import figures
from csperf.basis import basis_of
from csperf.errors import CsperfError, UsageError
from csperf.extract import figures_digest, form_of, write_extract
from csperf.kept_policies import kept_plans
from csperf.periods import Month
from csperf.published import newest
from csperf.settings import Settings
from csperf.storage import home_lock, scratch_dir, write_bytes

_PARTS = ("extract", "sheet", "leavers", "export")


@dataclass(frozen=True)
class Files:
    """Files that are written but not handed out yet."""

    paths: tuple[Path, ...]
    out: Path

    def put(self) -> list[Path]:
        """Put them into their folder, each readable by its owner alone; returns where they are."""
        placed = [self.out / path.name for path in self.paths]
        for path, place in zip(self.paths, placed, strict=True):
            write_bytes(place, path.read_bytes())
        return placed


@contextmanager
def write_again(settings: Settings, month: Month, out: Path) -> Iterator[Files]:
    """The lists of a month's newest revision in the form of the settings; CSPERF_HOME is locked meanwhile.

    UsageError when the month is not published or `out` lies in CSPERF_HOME, CsperfError when the warehouse says
    something else by now.
    """
    if out.resolve().is_relative_to(settings.home):
        raise UsageError(f"{out} lies in CSPERF_HOME, whose records never change; name a folder elsewhere with --out.")
    form = form_of(settings)
    with home_lock(settings), figures.open_figures(settings) as con, scratch_dir(settings, "form") as folder:
        revision = newest(settings.payroll_dir, month)
        if revision is None:
            raise UsageError(f"{month} is not published; csperf status shows what is.")
        figures.prepare_month(con, month, revision.number)
        if figures_digest(con) != revision.figures_digest:
            raise CsperfError(
                f"The warehouse says something else on {month} than revision {revision.number}; close the month again "
                "for a correction, which comes in the form of the settings."
            )
        written = write_extract(con, folder, month, form, kept_plans(settings, basis_of(revision).policies))
        yield Files(tuple(folder / written.parts[part] for part in _PARTS if part in written.parts), out)
