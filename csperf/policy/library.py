"""The plan files: shipped ones and the company's own, read with the place of each mistake and compiled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from csperf.errors import CsperfError, UsageError
from csperf.policy.bounds import Bounds, bounds, ranges_of
from csperf.policy.check import check_versions
from csperf.policy.compile import MEASURE_PLACES, Step, compile_version
from csperf.policy.documents import MAX_BYTES
from csperf.policy.expanding import Expanded, expand
from csperf.policy.models import Plan, SharedPart, Version
from csperf.policy.problems import PolicyError, Problem, shown_path
from csperf.policy.reading import Reading, read
from csperf.settings import Settings


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a number with a point is a Decimal: figures stay exact from text to cent."""


_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: Decimal(str(node.value)))


@dataclass(frozen=True)
class LoadedPlan:
    """A plan with its file, its versions with the shared parts they use filled in, and by version its steps and the
    bounds of its components.

    A shared part that changes within a plan version's time gives the plan a version from that date on.
    """

    plan: Plan
    path: Path
    expanded: tuple[Expanded, ...]
    steps: tuple[tuple[Step, ...], ...]
    bounds: tuple[Mapping[str, Bounds], ...]

    @property
    def versions(self) -> tuple[Version, ...]:
        return tuple(expanded.version for expanded in self.expanded)

    def expanded_on(self, day: date) -> Expanded | None:
        """The version in force on a day with where its entries come from, None before the first."""
        found = [expanded for expanded in self.expanded if expanded.version.effective_from <= day]
        return found[-1] if found else None

    def version_on(self, day: date) -> Version | None:
        """The version in force on a day, None before the first."""
        found = self.expanded_on(day)
        return found.version if found else None


@dataclass(frozen=True)
class LoadedPart:
    """A shared part with its file and, by version, the steps of its measures for everyone."""

    part: SharedPart
    path: Path
    steps: tuple[tuple[Step, ...], ...]


@dataclass(frozen=True)
class Library(Mapping[str, LoadedPlan]):
    """All plans by code, and the parts they share."""

    plans: dict[str, LoadedPlan]
    parts: dict[str, LoadedPart]

    def __getitem__(self, code: str) -> LoadedPlan:
        return self.plans[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plans)

    def __len__(self) -> int:
        return len(self.plans)


def version_code(plan: Plan, version: Version) -> str:
    """How a plan version is named in tables: the plan's code, `@` and the day it takes effect."""
    return f"{plan.plan}@{version.effective_from.isoformat()}"


@lru_cache(maxsize=1)
def base_measures() -> dict[str, dict[str, Any]]:
    """The catalogue of base measures: code to its labels, unit and aggregation."""
    text = files("csperf.policy").joinpath("measures.yaml").read_text(encoding="utf-8")
    return {entry["code"]: entry for entry in yaml.load(text, _Loader)["measures"]}


def plan_files(settings: Settings, folder: str = "plans") -> list[Path]:
    """The shipped plan files (or those of shared parts) and the company's own, which take the place of their namesakes.

    In the company's folder plans lie at the top and shared parts in `shared`. A setting leaves the shipped ones out.
    """
    shipped = Path(str(files("csperf.policy").joinpath(folder)))
    found = {path.name: path for path in sorted(shipped.glob("*.yaml"))} if settings.shipped_plans else {}
    if settings.policy_dir is not None:
        if not settings.policy_dir.is_dir():
            raise UsageError(f"CSPERF_POLICY_DIR names {settings.policy_dir}, which is no folder.")
        own = settings.policy_dir if folder == "plans" else settings.policy_dir / folder
        found |= {path.name: path for path in sorted(own.glob("*.yaml"))}
    return [found[name] for name in sorted(found)]


def load_plans(settings: Settings) -> Library:
    """All plans by code, checked and compiled. PolicyError names the first mistake with its file and line."""
    library, problems = examine(settings)
    for problem in problems:
        if not problem.warning:
            raise PolicyError(problem)
    assert library is not None
    return library


def examine(settings: Settings) -> tuple[Library | None, tuple[Problem, ...]]:
    """All plans, and everything that is wrong with them; no plans where something is worse than a warning.

    While the files stay as they are they are looked at once in a process.
    """
    shared, plans = plan_files(settings, "shared"), plan_files(settings)
    return _examined(
        settings.policy_dir, *(tuple((path, _content(path)) for path in paths) for paths in (shared, plans))
    )


Files = tuple[tuple[Path, bytes | None], ...]


def _content(path: Path) -> bytes | None:
    """What a file holds, as far as it can be a plan; what cannot is told when it is read as one."""
    try:
        return path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError:
        return None


@lru_cache(maxsize=2)
def _examined(own: Path | None, part_files: Files, files: Files) -> tuple[Library | None, tuple[Problem, ...]]:
    parts = [read(path, SharedPart) for path, _ in part_files]
    plans = [read(path, Plan) for path, _ in files]
    readings: list[Reading[Any]] = [*parts, *plans]
    problems = [problem for reading in readings for problem in reading.problems]
    problems += [*_codes_twice(parts, "shared"), *_codes_twice(plans, "plan")]
    _own_default_first(own, plans)
    defaults = [reading.model.plan for reading in plans if reading.model and reading.model.default]
    if len(defaults) != 1 and all(reading.model for reading in plans):
        told = f"not {len(defaults)} ({', '.join(defaults)})" if defaults else "not none"
        problems.append(Problem(None, None, (), f"exactly one plan must be the default, {told}"))
    versions = expand(parts, plans, problems)
    everyone = _everyone(readings, problems)
    compiled = {id(version): _compile(version, everyone, problems) for version in versions}
    problems += check_versions(versions, base_measures(), problems)
    # A shared part is looked at with each plan that uses it.
    found = tuple(sorted(dict.fromkeys(problems), key=_place))
    if any(not problem.warning for problem in found):
        return None, found
    return Library(*_loaded(readings, versions, compiled)), found


def _place(problem: Problem) -> tuple[bool, str, int]:
    return problem.path is None, str(problem.path or ""), problem.line or 0


def _own_default_first(folder: Path | None, plans: list[Reading[Plan]]) -> None:
    """A default plan of the company's own takes the place of the shipped one."""
    own = [reading for reading in plans if folder and reading.path.parent == folder]
    if any(reading.model and reading.model.default for reading in own):
        for reading in plans:
            if reading not in own and reading.model:
                reading.model = reading.model.model_copy(update={"default": False})


def _codes_twice(readings: Sequence[Reading[Any]], kind: str) -> Iterator[Problem]:
    owners: dict[str, Path] = {}
    for reading in readings:
        if reading.model is None or reading.document is None:
            continue
        code = getattr(reading.model, kind)
        if code in owners:
            other = shown_path(owners[code])
            reason = f"'{code}' stands in {other} too; take another code, or the other's file name to take its place"
            yield reading.document.problem((kind,), reason)
        owners.setdefault(code, reading.path)


def _everyone(readings: Sequence[Reading[Any]], problems: list[Problem]) -> dict[str, int]:
    """The measures for everyone, which stand in one file each, with their decimal places."""
    owners: dict[str, Path] = {}
    for reading in readings:
        for number, version in enumerate(reading.model.versions if reading.model else ()):
            for name, measure in version.measures.items():
                taken = measure.everyone and owners.setdefault(name, reading.path) != reading.path
                if taken and reading.document is not None:
                    reason = f"'{name}' is for everyone and already defined in {shown_path(owners[name])}"
                    problems.append(reading.document.problem(("versions", str(number), "measures", name), reason))
    return dict.fromkeys(owners, MEASURE_PLACES)


def _compile(expanded: Expanded, everyone: Mapping[str, int], problems: list[Problem]) -> tuple[Step, ...]:
    units = {code: entry["unit"] for code, entry in base_measures().items()}
    others = {name: scale for name, scale in everyone.items() if name not in expanded.version.measures}
    steps, found = compile_version(expanded.version, units, others)
    for located in found:
        problems += expanded.problem(located.keys, located.reason)
    return tuple(steps)


def _loaded(
    readings: list[Reading[Any]],
    versions: list[Expanded],
    compiled: dict[int, tuple[Step, ...]],
) -> tuple[dict[str, LoadedPlan], dict[str, LoadedPart]]:
    loaded_plans, loaded_parts = {}, {}
    ranges = ranges_of(versions, base_measures())
    for reading in readings:
        own = [version for version in versions if version.reading is reading]
        steps = tuple(compiled[id(version)] for version in own)
        if isinstance(reading.model, Plan):
            limits = tuple(bounds(ranges[id(version)]) for version in own)
            loaded_plans[reading.model.plan] = LoadedPlan(reading.model, reading.path, tuple(own), steps, limits)
        elif reading.model is not None:
            loaded_parts[reading.model.shared] = LoadedPart(reading.model, reading.path, steps)
    return loaded_plans, loaded_parts


def plans_digest(library: Library) -> str:
    """A digest of all that the plans and their shared parts say (not of their comments or order)."""
    content = {code: loaded.plan.model_dump(mode="json") for code, loaded in sorted(library.plans.items())}
    content |= {f"shared/{code}": part.part.model_dump(mode="json") for code, part in sorted(library.parts.items())}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def reads_gross_before(library: Library) -> bool:
    """Whether a plan reckons anything on the gross pay published for the month before."""
    steps = (step for plan in library.plans.values() for version in plan.steps for step in version)
    return any("previous_gross" in step.inputs for step in steps)


def figure(plans: Mapping[str, LoadedPlan], plan: str, name: str, day: date) -> Decimal:
    """A plain figure of a plan as in force on a day."""
    loaded = plans.get(plan)
    version = loaded.version_on(day) if loaded else None
    found = version.figures.get(name) if version else None
    if found is None or found.value is None:
        raise CsperfError(f"Plan {plan} has no figure {name} on {day}.")
    return found.value


def default_plan(plans: Mapping[str, LoadedPlan]) -> LoadedPlan:
    return next(loaded for loaded in plans.values() if loaded.plan.default)


def sample_size(plans: Mapping[str, LoadedPlan], plan: str, day: date) -> int | None:
    """How many interactions of an agent on that plan are drawn for review a day; None if the plan names none."""
    loaded = plans.get(plan)
    version = loaded.version_on(day) if loaded else None
    if version is None or version.sampling is None:
        return None
    return int(figure(plans, plan, version.sampling.figure, day))
