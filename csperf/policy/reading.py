"""From a plan file to its model, with every mistake in it.

A mistake must not hide the others: what is wrong is reported, mended in memory by what was probably meant or by
something harmless, and the rest is looked at as if it were right. A file with mistakes is never used, only checked.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from csperf.policy.documents import Document, read_document
from csperf.policy.models import Plan, SharedPart
from csperf.policy.problems import Mistake, PolicyError, Problem, mistakes

Model = TypeVar("Model", Plan, SharedPart)

_ROUNDS = 8
"""Mending one mistake can bring up another; a file that is still wrong after so many rounds is given up."""

_FILLERS: dict[str, Any] = {
    "labels": {"zh": "", "en": ""},
    "reason": {"zh": "", "en": ""},
    "zh": "",
    "en": "",
    "source": "",
    "provenance": "assumption",
    "formula": "0",
    "value": "0",
    "threshold": "0",
    "name": "unnamed",
    "operator": ">=",
    "decision": "hold",
}

_BLANKS: dict[str, dict[str, Any]] = {
    "bands": {"bands": {"(-inf, inf)": 0}},
    "values": {"by": "grade", "values": {"junior": 0}},
    "value": {"value": 0},
}
"""A harmless figure of each shape."""


@dataclass
class Reading(Generic[Model]):
    """A file with its model (None when it cannot be made out) and its problems.

    `mended` are the places that now say something harmless in place of what is wrong there, `lost` the names that
    had to be left out: what follows from these is no mistake of its own.
    """

    path: Path
    document: Document | None
    model: Model | None
    problems: list[Problem]
    mended: set[tuple[str, ...]] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    def follows_from_another(self, keys: tuple[str, ...], reason: str) -> bool:
        """Whether a problem only follows from what was mended or left out."""
        below = any(keys[: len(place)] == place for place in self.mended)
        return below or any(f"'{name}'" in reason or f".{name}'" in reason for name in self.lost)


def read_file(path: Path, model: type[Model]) -> Model:
    """One plan file (or shared part) as a model; PolicyError with the line of the first mistake."""
    reading = read(path, model)
    if reading.model is None or reading.problems:
        raise PolicyError(reading.problems[0])
    return reading.model


def read(path: Path, model: type[Model]) -> Reading[Model]:
    """One plan file (or shared part) with all its mistakes."""
    document, problems = read_document(path)
    reading: Reading[Model] = Reading(path, document, None, problems)
    if document is None:
        return reading
    first = {Plan: "plan", SharedPart: "shared"}
    other = next(key for kind, key in first.items() if kind is not model)
    if isinstance(document.content, dict) and other in document.content and first[model] not in document.content:
        here = "this is a plan" if other == "plan" else "this is a shared part"
        away = "beside the folder 'shared', not in it" if other == "plan" else "in the folder 'shared' beside the plans"
        problems.append(document.problem((other,), f"{here}; its place is {away}"))
        return reading
    _validate(reading, document, model)
    if reading.model is not None:
        _versions_in_order(reading.model, document, problems)
    return reading


def _versions_in_order(model: Plan | SharedPart, document: Document, problems: list[Problem]) -> None:
    for number, (before, version) in enumerate(itertools.pairwise(model.versions), start=1):
        day, keys = version.effective_from, ("versions", str(number), "effective_from")
        if day == before.effective_from:
            problems.append(document.problem(keys, f"the version above is from {day} too; a date has one version"))
        elif day < before.effective_from:
            told = f"{day} comes before the version above it ({before.effective_from}); write versions from old to new"
            problems.append(document.problem(keys, told))


def _validate(reading: Reading[Model], document: Document, model: type[Model]) -> None:
    content = _unshared(document.content)
    silenced: set[tuple[str, ...]] = set()
    for _ in range(_ROUNDS):
        try:
            reading.model = model.model_validate(content)
            return
        except ValidationError as error:
            found = list(mistakes(error, model))
        for mistake in found:
            if not any(mistake.keys[: len(place)] == place for place in silenced):
                reading.problems.append(document.problem(mistake.keys, mistake.reason))
        mended = [_mend(content, mistake, reading, silenced) for mistake in found]
        if not all(mended):
            return


def _unshared(content: Any) -> Any:
    """A copy in which what an alias repeats is a thing of its own, so that mending one leaves the other."""
    if isinstance(content, dict):
        return {key: _unshared(child) for key, child in content.items()}
    return [_unshared(child) for child in content] if isinstance(content, list) else content


def _mend(content: Any, mistake: Mistake, reading: Reading[Model], silenced: set[tuple[str, ...]]) -> bool:
    """Put something harmless in a mistake's place; False when nothing can be done."""
    keys = mistake.keys
    if mistake.kind == "entries" or (keys[2:3] == ("figures",) and len(keys) > 4 and mistake.better is None):
        figure = _at(content, keys[:4])  # a number, table or scale is right or wrong as a whole
        if not isinstance(figure, dict):
            return False
        shape = next((shape for shape in ("bands", "values") if shape in figure), "value")
        figure.clear()
        figure |= {"provenance": "assumption", **_BLANKS[shape]}
        reading.mended.add(keys[:4])
        silenced.add(keys[:4])
        return True
    parent = _at(content, keys[:-1])
    if not keys or not isinstance(parent, dict | list):
        return False
    key = _key(parent, keys[-1])
    if mistake.kind == "missing" and isinstance(parent, dict):
        silenced.add(keys)
        if keys[-1] not in _FILLERS:
            return _leave_out(content, keys[:-1], reading, silenced)
        parent[keys[-1]] = copy.deepcopy(_FILLERS[keys[-1]])
        reading.mended.add(keys)
        return True
    if mistake.kind == "literal_error" and mistake.better is not None:
        parent[key] = mistake.better
        return True
    if mistake.kind in ("extra_forbidden", "string_pattern_mismatch") and isinstance(parent, dict) and key in parent:
        renamed = mistake.kind == "extra_forbidden" or parent[key] is None or isinstance(parent[key], dict)
        if mistake.better is not None and mistake.better not in parent and renamed:
            parent[mistake.better] = parent.pop(key)
            return True
        if mistake.better is not None and isinstance(parent[key], str):
            parent[key] = mistake.better
            return True
    if mistake.kind == "extra_forbidden":
        silenced.add(keys[:-1])
        parent.pop(key)
        return True
    return _leave_out(content, keys, reading, silenced)


def _leave_out(content: Any, keys: tuple[str, ...], reading: Reading[Model], silenced: set[tuple[str, ...]]) -> bool:
    parent = _at(content, keys[:-1])
    key = _key(parent, keys[-1]) if keys else None
    if not isinstance(parent, dict) or key not in parent:  # an entry of a list: the others would move up
        return False
    if len(keys) == 4 and keys[2] in ("figures", "terms", "measures", "components"):
        reading.lost.add(keys[3])
    silenced.add(keys)
    del parent[key]
    return True


def _at(content: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if not isinstance(content, dict | list):
            return None
        found = _key(content, key)
        content = content[found] if isinstance(content, list) or found in content else None
    return content


def _key(parent: Any, key: str) -> Any:
    """A key as it stands in the content: keys of levels are whole numbers there, lists are counted."""
    if isinstance(parent, list):
        return int(key)
    return key if not isinstance(parent, dict) or key in parent else next((k for k in parent if str(k) == key), key)
