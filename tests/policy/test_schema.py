"""The JSON Schema that editors use is the models' own, explains every key, and holds the shipped plans."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from csperf.cli import app
from csperf.policy.documents import read_document
from csperf.policy.schema import plan_schema, schema_text
from tests.policy.plan_texts import PLAN, write

COMMITTED = Path(__file__).parents[2] / "docs" / "plan.schema.json"
SHIPPED = sorted(
    path for folder in ("plans", "shared") for path in Path(str(files("csperf.policy") / folder)).iterdir()
)


def as_json(content: Any) -> Any:
    """YAML's content as JSON has it: keys are texts."""
    if isinstance(content, dict):
        return {str(key): as_json(child) for key, child in content.items()}
    return [as_json(child) for child in content] if isinstance(content, list) else content


def errors(path: Path) -> list[str]:
    document, _ = read_document(path)
    return [error.message for error in Draft7Validator(plan_schema()).iter_errors(as_json(document.content))]


def test_the_committed_schema_is_up_to_date():
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(), (
        "run: csperf policy schema --out docs/plan.schema.json"
    )


def test_the_schema_is_one():
    Draft7Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_file_is_valid_and_names_the_schema(path):
    assert errors(path) == []
    first = path.read_text(encoding="utf-8").splitlines()[0]
    marker = "# yaml-language-server: $schema="
    assert first.startswith(marker)
    assert (path.parent / first.removeprefix(marker)).resolve() == COMMITTED


def test_every_key_is_explained():
    bare = [
        f"{name}.{key}"
        for name, definition in plan_schema()["definitions"].items()
        for key, entry in definition.get("properties", {}).items()
        if not entry.get("description")
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("value: 100.10", "vlaue: 100.10", "'vlaue' was unexpected"),
        ("provenance: assumption", "provenance: guess", "'guess' is not one of"),
        ("value: 100.10", "value: 1, values: {junior: 1}, by: grade", "is valid under each of"),
        ("{value: 100.10,", "{bands: {20..30: 1},", "1 is not of type 'object'"),
        ("{value: 100.10,", "{by: grad, values: {junior: 1},", "'grad' is not valid under any"),
        ("        formula: prorated(wage)\n", "", "'formula' is a required property"),
        ("source: written for this test\n", "", "'source' is a required property"),
        ("plan: night_watch", "plan: Night Watch", "does not match"),
    ],
)
def test_a_mistake_shows_in_the_editor_too(tmp_path, old, new, words):
    assert any(words in error for error in errors(write(tmp_path, PLAN.replace(old, new))))


def test_numbers_stand_where_formulas_may(tmp_path):
    assert errors(write(tmp_path, PLAN.replace("prorated(wage)", "100"))) == []


def test_the_command_prints_the_schema_or_writes_it(tmp_path):
    printed = CliRunner().invoke(app, ["policy", "schema"])
    assert printed.stdout == schema_text()
    written = CliRunner().invoke(app, ["policy", "schema", "--out", str(tmp_path / "plan.schema.json")])
    assert (tmp_path / "plan.schema.json").read_text(encoding="utf-8") == schema_text()
    assert "# yaml-language-server: $schema=plan.schema.json" in written.stdout
