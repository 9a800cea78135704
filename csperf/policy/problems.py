"""What is wrong with a plan file, as sentences that name file, line, key, reason and, where it can, a remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from csperf.errors import CsperfError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file, or with all of them (`path` None). A warning stops nothing."""

    path: Path | None
    line: int | None
    keys: tuple[str, ...]
    reason: str
    warning: bool = False

    def __str__(self) -> str:
        reason = self.reason if self.reason.endswith(("?", ".")) else f"{self.reason}."
        told = f"warning: {reason}" if self.warning else reason
        if self.path is None:
            return told
        place = f"{shown_path(self.path)}:{self.line}" if self.line else shown_path(self.path)
        key = f" at {'.'.join(self.keys)}" if self.keys else ""
        return f"{place}{key}: {told}"


class PolicyError(CsperfError):
    """A plan file that cannot be used: file, line, key and reason."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Located(Exception):
    """A mistake in a plan: the reason, and the keys that lead to it in the file."""

    def __init__(self, keys: tuple[str, ...], reason: str) -> None:
        super().__init__(reason)
        self.keys = keys
        self.reason = reason


def shown_path(path: Path) -> str:
    """A plan file by its name, a shared part with its folder."""
    return f"shared/{path.name}" if path.parent.name == "shared" else path.name


def close(name: str, known: Iterable[str]) -> str | None:
    """What is known and nearest to a name, None when nothing is near."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def nearest(name: str, known: Iterable[str], rest: str = "") -> str:
    """`; did you mean '…'?` when something known is near, else `rest`."""
    better = close(name, known)
    return f"; did you mean '{better}'?" if better else rest


@dataclass(frozen=True)
class Mistake:
    """What a model says against a file's content: the keys to the place, the reason, pydantic's name for the kind.

    `better` is what was probably meant: a key, a code, one of the allowed words.
    """

    keys: tuple[str, ...]
    reason: str
    kind: str
    better: str | None = None


def mistakes(error: ValidationError, model: type[BaseModel]) -> Iterator[Mistake]:
    """A model's errors in the words of the person who writes the file."""
    errors = error.errors()
    for found in errors:
        place = found["loc"]
        if found["type"] == "too_short" and any(
            other["loc"][: len(place)] == place for other in errors if other != found
        ):
            continue  # a list whose only entry is wrong has none in pydantic's eyes
        keys = tuple(str(part) for part in found["loc"] if part != "[key]")
        kind, given, context = found["type"], found["input"], found.get("ctx") or {}
        if kind == "entries":
            for inner, reason in context["entries"]:
                yield Mistake((*keys, *inner), reason, kind)
        elif kind in _SUGGESTED:
            reason, better = _SUGGESTED[kind](keys, given, context, model)
            yield Mistake(keys, f"{reason}; did you mean '{better}'?" if better else reason, kind, better)
        else:
            yield Mistake(keys, _reason(kind, keys, given, context, found["msg"], model), kind)


Context = Mapping[str, Any]
Suggested = tuple[str, str | None]


def _unknown_key(keys: tuple[str, ...], given: Any, context: Context, model: type[BaseModel]) -> Suggested:
    known = known_keys(model, keys[:-1])
    if given is None and keys[-1].endswith(")"):  # the rest of a formula between braces, after its comma
        return f"'{keys[-1]}' stands after a comma; put a formula between braces into quotes", None
    better = close(keys[-1], known)
    rest = "" if better else f"; the keys are {', '.join(known)}"
    return f"there is no key '{keys[-1]}' here{rest}", better


def _unknown_word(keys: tuple[str, ...], given: Any, context: Context, model: type[BaseModel]) -> Suggested:
    options = re.findall(r"'([^']*)'", context["expected"])
    return f"'{given}' is not one of {', '.join(options)}", close(str(given), options)


def _no_code(keys: tuple[str, ...], given: Any, context: Context, model: type[BaseModel]) -> Suggested:
    code = re.sub(r"[^a-z0-9]+", "_", str(given).lower()).strip("_")
    reason = f"'{given}' is no code: lower-case letters, digits and _, a letter first"
    return reason, code if re.match("[a-z]", code) else None


_SUGGESTED = {
    "extra_forbidden": _unknown_key,
    "literal_error": _unknown_word,
    "string_pattern_mismatch": _no_code,
}


def _reason(
    kind: str, keys: tuple[str, ...], given: Any, context: Context, message: str, model: type[BaseModel]
) -> str:
    told = f"'{given}'" if isinstance(given, str | int | Decimal) else "this"
    if kind == "missing":
        what = known_keys(model, keys[:-1]).get(keys[-1], "")
        return f"'{keys[-1]}' is missing" + (f" ({what[0].lower()}{what[1:]})" if what else "")
    if kind.startswith("date"):
        return f"{told} is no date; write it like 2026-01-01"
    if kind == "decimal_max_places":
        return f"{told} has more than {context['decimal_places']} decimal places"
    if kind in ("decimal_parsing", "decimal_type", "finite_number"):
        return f"{told} is not a number"
    if kind in _WANTED:
        return f"{_WANTED[kind]} is wanted here" + ("" if told == "this" else f", not {told}")
    return message.removeprefix("Value error, ")


_WANTED = {
    "string_type": "a text",
    "tuple_type": "a list like [a, b]",
    "model_type": "a block of keys",
    "dict_type": "a block of keys",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "too_short": "at least one entry",
}


def known_keys(model: type[BaseModel], keys: tuple[str, ...]) -> dict[str, str]:
    """The keys that a model knows below `keys`, each with its description."""
    from csperf.policy.schema import described

    schema = described(model)
    node: Mapping[str, Any] = schema

    def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in part or "anyOf" in part:
            if "$ref" in part:
                part = schema["definitions"][part["$ref"].rpartition("/")[2]]
            else:
                part = next((option for option in part["anyOf"] if option.get("type") != "null"), {})
        return part

    for key in keys:
        node = resolved(node)
        children = [node.get("properties", {}).get(key), *node.get("patternProperties", {}).values()]
        children += [node.get("items"), node.get("additionalProperties")]
        node = next((child for child in children if isinstance(child, Mapping)), {})
    properties = resolved(node).get("properties", {})
    return {name: str(entry.get("description", "")) for name, entry in properties.items()}
