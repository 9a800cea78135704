"""docs/plans.md says what is so: its plans load, its examples come out to the cent, its messages are those printed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from csperf.cli import app
from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.policy.commands import check_plans, show_plan
from csperf.policy.figures import ATTRIBUTES
from csperf.policy.formula import _SQL_FUNCTIONS
from csperf.policy.functions import FUNCTIONS
from csperf.policy.schema import plan_schema
from csperf.settings import load_settings
from csperf.warehouse import call_dbt, connect
from tests.plan_rows import prepare, wide_row
from tests.policy.plans_page import FORMULA_PLAN, PAGE, Stage, read_page, write_stages

DECEMBER = Month(2026, 12)
MODELS = (
    "derived_monthly derived_quarterly derived_yearly derived_measures computed_lines computed_conditions "
    "computed_decisions"
)
READ = read_page()
EXAMPLES = [
    pytest.param(stage, name, who, person, id=f"{stage.code}: {name}{f' ({who})' if who else ''}")
    for stage in READ.stages
    for name, example in stage.examples.items()
    for who, person in (example.get("people") or {"": example}).items()
]

pytestmark = pytest.mark.xdist_group("plans page")  # one build serves all of them


def person_id(stage: Stage, name: str, who: str) -> str:
    return f"{stage.code}/{name}/{who}"


def month_of(example: dict[str, Any]) -> Month:
    return Month.parse(str(example["month"])) if "month" in example else DECEMBER


def rows_of_examples() -> Iterator[dict[str, Any]]:
    """Each example's people, a team an example."""
    for stage in READ.stages:
        for name, example in stage.examples.items():
            month = month_of(example)
            for who, person in (example.get("people") or {"": example}).items():
                employee = {"team": name} | person.get("employee", {})
                known = (stage.code, person_id(stage, name, who))
                if "decision" in example:  # decided in December on its quarter
                    for back in range(3):
                        yield wide_row(*known, "month", month.plus(-back), employee, person.get("each", {}))
                else:
                    yield wide_row(*known, "month", month, employee, person.get("given", {}))
                yield wide_row(*known, "quarter", month, employee, person.get("quarter", {}))
                yield wide_row(*known, "year", month, employee, person.get("year", {}))


def rows_of_people() -> Iterator[dict[str, Any]]:
    """The people that the formulas are about."""
    for who, person in READ.one("yaml people").content().items():
        known = (FORMULA_PLAN, who)
        yield wide_row(*known, "month", DECEMBER, person["employee"], person["given"])
        for back, given in enumerate(person.get("before", []), start=1):
            yield wide_row(*known, "month", DECEMBER.plus(-back), person["employee"], given)
        for kind in ("quarter", "year"):
            yield wide_row(*known, kind, DECEMBER, person["employee"], person.get(kind, {}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "plans"
    write_stages(READ, folder)
    return folder


@pytest.fixture(scope="module")
def computed(tmp_path_factory, folder):
    """November and December of everyone on the page, built by dbt."""
    settings = load_settings(home=tmp_path_factory.mktemp("page-home"), policy_dir=folder)
    with connect(settings) as con:
        prepare(con, settings, [*rows_of_examples(), *rows_of_people()])
    bounds = ["--event-time-start", "2026-11-01", "--event-time-end", "2027-01-01"]
    call_dbt(settings, ["run", "--select", MODELS, *bounds])
    with connect(settings, read_only=True) as con:
        yield con


def test_every_state_of_the_plan_is_without_problems(folder):
    assert [str(problem) for problem in check_plans(load_settings(), folder)] == []


@pytest.mark.parametrize(("stage", "name", "who", "person"), EXAMPLES)
def test_an_example_comes_out_as_the_page_says(computed, stage, name, who, person):
    employee_id = person_id(stage, name, who)
    month = str(month_of(stage.examples[name]))
    query = "select component, amount from payroll.computed_lines where employee_id = ? and pay_month = ?"
    lines = dict(computed.execute(query, [employee_id, month]).fetchall())
    measures = dict(
        computed.execute(
            "select measure, value from measures.derived_measures where employee_id = ? and period = ?",
            [employee_id, month],
        ).fetchall()
    )
    wanted = person.get("lines", {})
    assert {component: lines.get(component) for component in wanted} == wanted
    wanted = person.get("measures", {})
    assert {measure: measures.get(measure) for measure in wanted} == wanted
    if "decision" in person:
        found = computed.execute(
            "select decision, grade_after from tiers.computed_decisions where employee_id = ?", [employee_id]
        ).fetchall()
        assert found == [(person["decision"], person["grade_after"])]
    assert {"lines", "measures", "decision"} & set(person), "the example claims nothing"


@pytest.mark.parametrize(
    ("number", "who", "formula", "value"),
    [pytest.param(n, *entry, id=f"{entry[0]}: {entry[1]}") for n, entry in enumerate(READ.formulas)],
)
def test_a_formula_gives_what_the_page_says(computed, number, who, formula, value):
    found = computed.execute(
        "select value from measures.derived_measures where employee_id = ? and measure = ? and period_kind = 'month' "
        "and period = '2026-12'",
        [who, f"formula_{number:02}"],
    ).fetchall()
    assert found == ([] if value is None else [(value,)]), formula


def test_the_page_has_every_function_attribute_and_key():
    text = PAGE.read_text(encoding="utf-8")
    formulas = READ.one("formulas").text
    functions = {*FUNCTIONS, *_SQL_FUNCTIONS} - {"quarters_mean"}
    assert [name for name in sorted(functions) if f"{name}(" not in formulas] == []
    assert "`quarters_mean(n, x)`" in text
    assert all(name in text for name in ATTRIBUTES)
    keys = {key for definition in plan_schema()["definitions"].values() for key in definition.get("properties", {})}
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", text)] == []


def test_the_mistakes_are_told_as_the_page_prints_them(tmp_path):
    (tmp_path / "book_desk.yaml").write_text(READ.one("yaml mistake").text, encoding="utf-8")
    with pytest.raises(CsperfError) as told:
        check_command(tmp_path)
    assert READ.one("console").text == f"$ csperf policy check\n{told.value}\n"


def check_command(folder: Path) -> str:
    """What `csperf policy check` says about a folder; a CsperfError where it fails."""
    result = CliRunner().invoke(app, ["policy", "check", str(folder)], catch_exceptions=False)
    return result.output


def unreadable() -> list[tuple[str, str]]:
    """The table of what cannot be read: the snippet and what is said."""
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("| in the file | what is said |") :].split("\n\n")[0].splitlines()[2:]
    rows = [re.fullmatch(r"\| (.*?) \| (.*) \|", line).groups() for line in table]
    return [(snippet, said.replace("\\|", "|")) for snippet, said in rows]


FILES: dict[str, bytes] = {
    "a key twice in one block": b"plan: a\nsource: b\nsource: c\n",
    "a tab at a line's start": b"plan: a\nlabels:\n\tzh: a\n",
    "`note: see: below`": b"note: see: below\n",
    "`bands: {[0, 20]: 1}`": b"bands: {[0, 20]: 1}\n",
    "`bands: {(20, 30]: 1}`": b"bands: {(20, 30]: 1}\n",
    "GB18030 instead of UTF-8": "plan: a\nlabels: {zh: 夜班}\n".encode("gb18030"),
    "UTF-16": "plan: a\n".encode("utf-16"),
    "a second document": b"plan: a\n---\nplan: b\n",
    "`!!python/name:os.system`": b"plan: !!python/name:os.system\n",
    "blocks without end": b"plan: " + b"[" * 100 + b"]" * 100,
    "aliases of aliases": b"a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    + b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b", ".join([b"*%c" % n] * 9)) for n in b"abcdefg"),
    "a file of 300 kB": b"# " + b"x" * 300_000,
}


@pytest.mark.parametrize(("snippet", "said"), unreadable())
def test_what_cannot_be_read_is_told_as_the_page_says(tmp_path, snippet, said):
    (tmp_path / "a.yaml").write_bytes(FILES[snippet])
    assert said in [f"`{problem}`" for problem in check_plans(load_settings(), tmp_path)]


def test_the_table_has_every_file_of_this_test():
    assert [snippet for snippet, _ in unreadable()] == list(FILES)


def test_the_commands_of_the_page_run(tmp_path, folder, monkeypatch):
    plans = tmp_path / "plans"
    shutil.copytree(folder, plans)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CSPERF_POLICY_DIR", "plans")
    for line in READ.one("sh").text.splitlines():
        command = line.partition("#")[0].replace("book_desk", "stage_00").split()
        if command[0] == "csperf":
            assert CliRunner().invoke(app, command[1:], catch_exceptions=False).exit_code == 0
    assert (plans / "plan.schema.json").exists()


@pytest.mark.parametrize("stage", READ.stages, ids=lambda stage: stage.code)
def test_each_state_can_be_shown(folder, stage):
    page = show_plan(load_settings(policy_dir=folder), stage.code, date(2026, 12, 31))
    assert page.title


def test_the_numbers_of_examples_are_exact():
    amounts = [amount for param in EXAMPLES for amount in param.values[3].get("lines", {}).values()]
    assert amounts
    assert all(amount is None or isinstance(amount, Decimal) for amount in amounts)
