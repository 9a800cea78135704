"""docs/plans.md taken apart: the plans it builds step by step, its examples, formulas, mistakes and what is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from csperf.policy.documents import read_document
from csperf.policy.library import _Loader

PAGE = Path(__file__).parents[2] / "docs" / "plans.md"
FORMULA_PLAN = "page_formulas"


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind the fence's ``` and its text."""

    kind: str
    text: str

    def content(self) -> Any:
        return yaml.load(self.text, _Loader)


@dataclass
class Stage:
    """A plan as the page has built it up to some block, under a code of its own, with the examples of that state."""

    code: str
    plan: dict[str, Any]
    examples: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Page:
    blocks: list[Block]
    stages: list[Stage]
    parts: dict[str, str]
    """Shared parts by code, as they stand on the page."""
    formulas: list[tuple[str, str, Decimal | None]]
    """Of each formula on the page: whose it is, the formula, the value (None: absent)."""

    def one(self, kind: str) -> Block:
        (found,) = (block for block in self.blocks if block.kind == kind)
        return found


def read_page() -> Page:
    text = PAGE.read_text(encoding="utf-8")
    blocks = [Block(kind.strip(), body) for kind, body in re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S)]
    stages: list[Stage] = []
    parts = {}
    for block in blocks:
        if block.kind == "yaml example":
            stages[-1].examples |= block.content()
        elif block.kind == "yaml":
            content = block.content()
            if "shared" in content:
                parts[content["shared"]] = block.text
            else:
                before = content if "plan" in content else _added(stages[-1].plan, content)
                stages.append(Stage(f"stage_{len(stages):02}", before))
    formulas = list(_formulas(next(block.text for block in blocks if block.kind == "formulas")))
    return Page(blocks, stages, parts, formulas)


def _added(plan: Mapping[str, Any], fragment: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with a fragment's entries in its last version."""
    *earlier, last = plan["versions"]
    merged = {
        key: {**last.get(key, {}), **entry} if isinstance(entry, dict) and key != "scorecard" else entry
        for key, entry in fragment.items()
    }
    return {**plan, "versions": [*earlier, {**last, **merged}]}


def _formulas(text: str) -> Iterator[tuple[str, str, Decimal | None]]:
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        written, value = re.fullmatch(r"(.*?)\s{2,}(\S+)", line).groups()
        who, formula = re.fullmatch(r"(?:(\w+): )?(.*)", written).groups()
        yield who or "Ben", formula, None if value == "absent" else Decimal(value)


def write_stages(page: Page, folder: Path) -> None:
    """Each stage as a plan file of its own, the shared parts, and a plan whose measures are the page's formulas."""
    (folder / "shared").mkdir(parents=True)
    for code, text in page.parts.items():
        (folder / "shared" / f"{code}.yaml").write_text(text, encoding="utf-8")
    for stage in page.stages:
        _dump(folder / f"{stage.code}.yaml", {**stage.plan, "plan": stage.code})
    labels = {"zh": "例", "en": "example"}
    measures = {
        f"formula_{number:02}": {"labels": labels, "formula": formula}
        for number, (_, formula, _) in enumerate(page.formulas)
    }
    version = {"effective_from": "2026-01-01", "figures": page.one("yaml figures").content(), "measures": measures}
    plan = {"plan": FORMULA_PLAN, "labels": labels, "source": "docs/plans.md", "versions": [version]}
    _dump(folder / f"{FORMULA_PLAN}.yaml", plan)


def _dump(path: Path, content: Any) -> None:
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(
        Decimal, lambda dumper, number: dumper.represent_scalar("tag:yaml.org,2002:float", str(number))
    )
    path.write_text(yaml.dump(content, Dumper=Dumper, allow_unicode=True, sort_keys=False), encoding="utf-8")
    document, problems = read_document(path)
    assert document is not None
    assert problems == []
