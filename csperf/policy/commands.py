"""What `csperf policy` does: the plans, one plan as a person reads it, and what is wrong with plan files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from rich.table import Table

from csperf.errors import CsperfError, UsageError
from csperf.policy.library import examine, load_plans
from csperf.policy.problems import Problem, nearest
from csperf.policy.show import Language, Page, plan_page
from csperf.settings import Settings


def list_plans(settings: Settings) -> Table:
    """All plans with their labels, the titles they follow, versions and files."""
    table = Table("plan", "title", "source in the seed", "versions from", "components", "file")
    for code, loaded in load_plans(settings).items():
        plan = loaded.plan
        components = {name for version in loaded.versions for name in version.components}
        table.add_row(
            f"{code} (default)" if plan.default else code,
            f"{plan.labels.zh}\n{plan.labels.en}",
            plan.source,
            "\n".join(version.effective_from.isoformat() for version in plan.versions),
            str(len(components)),
            loaded.path.name,
        )
    return table


def show_plan(settings: Settings, code: str, day: date, lang: Language = "both") -> Page:
    """A plan as in force on a day: what is paid, how it is reckoned, figures with their provenance, tier rules."""
    library = load_plans(settings)
    if code not in library:
        known = ", ".join(library)
        raise UsageError(f"There is no plan '{code}'{nearest(code, library, f'; the plans are {known}.')}")
    return plan_page(library, code, day, lang)


def check_plans(settings: Settings, directory: Path | None = None) -> list[Problem]:
    """What is wrong with the plan files (those of `directory` beside the shipped ones), errors and warnings."""
    if directory is not None:
        if not directory.is_dir():
            raise UsageError(f"There is no folder {directory}.")
        settings = settings.model_copy(update={"policy_dir": directory.resolve()})
    return [*examine(settings)[1], *_unread_files(settings.policy_dir)]


def verdict(problems: Sequence[Problem]) -> list[str]:
    """The problems as sentences, and what follows from them; CsperfError with all of that when one is an error."""
    told = [str(problem) for problem in problems]
    warnings = sum(problem.warning for problem in problems)
    with_warnings = f" and {warnings} warning{'s' * (warnings > 1)}" if warnings else ""
    errors = len(problems) - warnings
    if errors:
        raise CsperfError("\n".join([*told, f"{errors} error{'s' * (errors > 1)}{with_warnings}."]))
    return [*told, f"All plans are valid{with_warnings.replace(' and', ', with')}."]


def _unread_files(folder: Path | None) -> Iterator[Problem]:
    """Files of the company's folder that look like plans and are none."""
    if folder is None:
        return
    places = (folder, folder / "shared")
    for path in (path for place in places for path in sorted(place.glob("*.yml"))):
        yield Problem(path, None, (), f"the file is not read; name it {path.stem}.yaml", warning=True)
    if not any(path for place in places for path in place.glob("*.y*ml")):
        yield Problem(None, None, (), f"there is no plan (*.yaml) in {folder}", warning=True)
