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
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from csperf.errors import CsperfError, UsageError
from csperf.policy.compile import MEASURE_PLACES, Located, Step, compile_version
from csperf.policy.models import Part, Plan, SharedPart, Version
from csperf.settings import Settings

Model = TypeVar("Model", Plan, SharedPart)


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a number with a point is a Decimal: figures stay exact from text to cent."""


_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: Decimal(str(node.value)))


class PolicyError(CsperfError):
    """A plan file that cannot be used: file, line, key and reason."""

    def __init__(self, path: Path, line: int | None, keys: tuple[str, ...], reason: str) -> None:
        place = f"{path.name}:{line}" if line else path.name
        key = f" at {'.'.join(keys)}" if keys else ""
        super().__init__(f"{place}{key}: {reason.rstrip('.')}{'' if reason.endswith('?') else '.'}")
        self.line = line
        self.keys = keys
        self.reason = reason


@dataclass(frozen=True)
class LoadedPlan:
    """A plan with its file, its versions with the shared parts they use filled in, and by version its steps.

    A shared part that changes within a plan version's time gives the plan a version from that date on.
    """

    plan: Plan
    path: Path
    versions: tuple[Version, ...]
    steps: tuple[tuple[Step, ...], ...]

    def version_on(self, day: date) -> Version | None:
        """The version in force on a day, None before the first."""
        found = [version for version in self.versions if version.effective_from <= day]
        return found[-1] if found else None


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
    shared = [(path, read_file(path, SharedPart)) for path in plan_files(settings, "shared")]
    parts = {part.shared: (path, part) for path, part in shared}
    read = [(path, read_file(path, Plan)) for path in plan_files(settings)]
    codes: dict[str, Path] = {}
    for path, plan in read:
        if plan.plan in codes:
            raise PolicyError(path, 1, ("plan",), f"plan '{plan.plan}' stands in {codes[plan.plan].name} too")
        codes[plan.plan] = path
    defaults = [plan.plan for _, plan in read if plan.default]
    if len(defaults) != 1:
        raise CsperfError(f"Exactly one plan must be the default, not {len(defaults)} ({', '.join(defaults)}).")
    everyone = _everyone([*read, *parts.values()])
    loaded_parts = {
        code: LoadedPart(
            part, path, tuple(_compile(path, n, _common(v), everyone) for n, v in enumerate(part.versions))
        )
        for code, (path, part) in parts.items()
    }
    plans = {}
    for path, plan in read:
        versions = tuple(_expand(path, plan, {code: part for code, (_, part) in parts.items()}))
        steps = tuple(_compile(path, number, version, everyone) for number, version in enumerate(versions))
        plans[plan.plan] = LoadedPlan(plan, path, versions, steps)
    return Library(plans, loaded_parts)


def read_file(path: Path, model: type[Model]) -> Model:
    """One plan file (or shared part) as a model; PolicyError with the line of a mistake."""
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise PolicyError(path, line, (), f"not valid YAML: {error.problem}") from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        keys = tuple(str(part) for part in first["loc"])
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise PolicyError(path, _line(text, keys), keys, reason) from None


def _common(part: Part) -> Version:
    """Of a shared part what is reckoned for everyone, as a version of its own."""
    measures = {name: measure for name, measure in part.measures.items() if measure.everyone}
    return Version(effective_from=part.effective_from, figures=part.figures, terms=part.terms, measures=measures)


def _expand(path: Path, plan: Plan, parts: Mapping[str, SharedPart]) -> Iterator[Version]:
    """A plan's versions with what they use filled in; what the plan says itself goes before a shared part."""
    for number, version in enumerate(plan.versions):
        keys = ("versions", str(number), "uses")
        unknown = [code for code in version.uses if code not in parts]
        if unknown:
            text = path.read_text(encoding="utf-8")
            known = ", ".join(parts) or "none"
            raise PolicyError(
                path, _line(text, keys), keys, f"there is no shared part '{unknown[0]}'; there are {known}"
            )
        end = plan.versions[number + 1].effective_from if number + 1 < len(plan.versions) else date.max
        changes = {v.effective_from for code in version.uses for v in parts[code].versions}
        for start in sorted({version.effective_from} | {day for day in changes if version.effective_from < day < end}):
            used = [
                [part for part in parts[code].versions if part.effective_from <= start][-1:] for code in version.uses
            ]
            yield _merge(version, [part for found in used for part in found], start)


def _merge(version: Version, used: list[Part], start: date) -> Version:
    filled: dict[str, Any] = {"effective_from": start, "tiers": version.tiers}
    for kind in ("figures", "terms", "measures", "components"):
        # The plan's own components come first in the extract; a measure for everyone stays with its shared part.
        names = dict(getattr(version, kind))
        for part in used:
            for name, entry in getattr(part, kind).items():
                if not (kind == "measures" and entry.everyone):
                    names.setdefault(name, entry)
        filled[kind] = names
    if version.tiers is None:
        filled["tiers"] = next((part.tiers for part in used if part.tiers is not None), None)
    return version.model_copy(update=filled)


def _compile(path: Path, number: int, version: Version, everyone: Mapping[str, int]) -> tuple[Step, ...]:
    """The steps of a version; PolicyError names file, line and key of a wrong formula."""
    units = {code: entry["unit"] for code, entry in base_measures().items()}
    others = {name: scale for name, scale in everyone.items() if name not in version.measures}
    try:
        return tuple(compile_version(version, units, others))
    except Located as error:
        keys = ("versions", str(number), *error.keys)
        raise PolicyError(path, _line(path.read_text(encoding="utf-8"), keys), keys, error.reason) from None


def _everyone(read: Sequence[tuple[Path, Plan | SharedPart]]) -> dict[str, int]:
    owners: dict[str, Path] = {}
    for path, content in read:
        for number, version in enumerate(content.versions):
            for name, measure in version.measures.items():
                if measure.everyone and owners.setdefault(name, path) != path:
                    keys = ("versions", str(number), "measures", name)
                    reason = f"'{name}' is for everyone and already defined in {owners[name].name}"
                    raise PolicyError(path, _line(path.read_text(encoding="utf-8"), keys), keys, reason)
    return dict.fromkeys(owners, MEASURE_PLACES)


def _line(text: str, keys: tuple[str, ...]) -> int | None:
    """The line at which the keys lead to a node, as far as they lead."""
    node = yaml.compose(text, yaml.SafeLoader)
    line = node.start_mark.line + 1 if node is not None else None
    for key in keys:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if str(k.value) == key), None)
        elif isinstance(node, yaml.SequenceNode):
            entries = list(enumerate(node.value))
            found = next(((v, v) for i, v in entries if str(i) == key or _named(v) == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _named(node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((str(v.value) for k, v in node.value if k.value == "name"), None)


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
