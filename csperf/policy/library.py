"""The plan files: shipped ones and the company's own, read with the place of each mistake and compiled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from csperf.errors import CsperfError, UsageError
from csperf.policy.compile import MEASURE_PLACES, Located, Step, compile_version
from csperf.policy.models import Plan, Version
from csperf.settings import Settings


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
    """A plan with its file and, by version, its compiled steps."""

    plan: Plan
    path: Path
    steps: tuple[tuple[Step, ...], ...]

    def version_on(self, day: date) -> Version | None:
        """The version in force on a day, None before the first."""
        found = [version for version in self.plan.versions if version.effective_from <= day]
        return found[-1] if found else None


def version_code(plan: Plan, version: Version) -> str:
    """How a plan version is named in tables: `cs_2017@2000-01-01` for a plan of that code."""
    return f"{plan.plan}@{version.effective_from.isoformat()}"


@lru_cache(maxsize=1)
def base_measures() -> dict[str, dict[str, Any]]:
    """The catalogue of base measures: code to its labels, unit and aggregation."""
    text = files("csperf.policy").joinpath("measures.yaml").read_text(encoding="utf-8")
    return {entry["code"]: entry for entry in yaml.load(text, _Loader)["measures"]}


def plan_files(settings: Settings) -> list[Path]:
    """The shipped plan files and the company's own; its file of the same name takes a shipped one's place."""
    shipped = Path(str(files("csperf.policy").joinpath("plans")))
    found = {path.name: path for path in sorted(shipped.glob("*.yaml"))}
    if settings.policy_dir is not None:
        if not settings.policy_dir.is_dir():
            raise UsageError(f"CSPERF_POLICY_DIR names {settings.policy_dir}, which is no folder.")
        found |= {path.name: path for path in sorted(settings.policy_dir.glob("*.yaml"))}
    return [found[name] for name in sorted(found)]


def load_plans(settings: Settings) -> dict[str, LoadedPlan]:
    """All plans by code, checked and compiled. PolicyError names the first mistake with its file and line."""
    read = [(path, read_plan(path)) for path in plan_files(settings)]
    codes: dict[str, Path] = {}
    for path, plan in read:
        if plan.plan in codes:
            raise PolicyError(path, 1, ("plan",), f"plan '{plan.plan}' stands in {codes[plan.plan].name} too")
        codes[plan.plan] = path
    defaults = [plan.plan for _, plan in read if plan.default]
    if len(defaults) != 1:
        raise CsperfError(f"Exactly one plan must be the default, not {len(defaults)} ({', '.join(defaults)}).")
    everyone = _everyone(read)
    return {plan.plan: LoadedPlan(plan, path, compile_plan(path, plan, everyone)) for path, plan in read}


def read_plan(path: Path) -> Plan:
    """One plan file as a model; PolicyError with the line of a mistake."""
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise PolicyError(path, line, (), f"not valid YAML: {error.problem}") from None
    try:
        return Plan.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        keys = tuple(str(part) for part in first["loc"])
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise PolicyError(path, _line(text, keys), keys, reason) from None


def compile_plan(path: Path, plan: Plan, everyone: Mapping[str, int]) -> tuple[tuple[Step, ...], ...]:
    """The steps of each version; PolicyError names file, line and key of a wrong formula."""
    units = {code: entry["unit"] for code, entry in base_measures().items()}
    result = []
    for number, version in enumerate(plan.versions):
        others = {name: scale for name, scale in everyone.items() if name not in version.measures}
        try:
            result.append(tuple(compile_version(version, units, others)))
        except Located as error:
            keys = ("versions", str(number), *error.keys)
            raise PolicyError(path, _line(path.read_text(encoding="utf-8"), keys), keys, error.reason) from None
    return tuple(result)


def _everyone(read: list[tuple[Path, Plan]]) -> dict[str, int]:
    owners: dict[str, str] = {}
    for path, plan in read:
        for number, version in enumerate(plan.versions):
            for name, measure in version.measures.items():
                if not measure.everyone:
                    continue
                if owners.setdefault(name, plan.plan) != plan.plan:
                    keys = ("versions", str(number), "measures", name)
                    reason = f"'{name}' is for everyone and already defined by plan '{owners[name]}'"
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


def plans_digest(plans: Mapping[str, LoadedPlan]) -> str:
    """A digest of all that the plans say (not of their comments or order)."""
    content = {code: loaded.plan.model_dump(mode="json") for code, loaded in sorted(plans.items())}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
