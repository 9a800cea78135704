"""docker-compose.yml and Dockerfile as data, with the variables of an environment put in."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from scripts.stack import ROOT

VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


def variables() -> dict[str, set[str]]:
    """Every variable that the file takes from outside, with how: `?` required, `-` with a default."""
    found: dict[str, set[str]] = {}
    text = (ROOT / "docker-compose.yml").read_text()
    for name, kind, _ in VARIABLE.findall(text):
        if name and not re.search(rf"\$\$\{{{name}", text):
            found.setdefault(name, set()).add(kind)
    return found


def compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """The file's content as compose would read it; KeyError names a required variable that is missing."""

    def put_in(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        value = environment.get(match[1], "")
        if not value and match[2] == "?":
            raise KeyError(match[1])
        return value or (match[3] if match[2] == "-" else "")

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: walk(value) for key, value in node.items()}
        if isinstance(node, list):
            return [walk(value) for value in node]
        return VARIABLE.sub(put_in, node) if isinstance(node, str) else node

    content: dict[str, Any] = walk(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))
    return content


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined, comments left out."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def image_environment() -> dict[str, str]:
    """The variables that the image sets."""
    pairs = [part for name, rest in instructions() if name == "ENV" for part in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)
