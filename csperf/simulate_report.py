"""A simulation as people and programs read it: tables for the terminal, Markdown for a review, csv, json.

What is shown is pay: it belongs in front of those who may see it. Names can be left out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from csperf.errors import UsageError
from csperf.extract.form import cell_text
from csperf.settings import Settings
from csperf.simulate import (
    CONTRIBUTION,
    ZERO,
    Decision,
    Line,
    MonthState,
    Person,
    Simulation,
    Sums,
    Total,
    Unpaid,
    add_up,
    by,
)
from csperf.storage import json_bytes, write_bytes

Kind = Literal["text", "md", "csv", "json"]

SHOWN = 20
"""Employees shown unless all are asked for (those with the largest difference), and decisions."""

_AMOUNTS = ("before", "after", "difference")
_SUMS = ("people", "better", "worse", "gross before", "gross after", "difference", "difference in contributions")
_WHO = ("employee", "name", "team", "plan")


@dataclass(frozen=True)
class _Table:
    """A table under a title, with sentences below it. `numbers` columns at the end are figures."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: int = 0
    below: Sequence[str] = ()

    def without(self, name: str) -> _Table:
        """The table without a column, if it has that."""
        kept = [place for place, column in enumerate(self.columns) if column != name]
        rows = [tuple(row[place] for place in kept) for row in self.rows]
        return _Table(self.title, tuple(self.columns[place] for place in kept), rows, self.numbers, self.below)


def kind(settings: Settings, asked: Kind | None, out: Path | None) -> Kind:
    """What is to be written: what is asked for, or what the file's name ends in. UsageError when it cannot be there."""
    if out is not None:
        if out.is_dir():
            raise UsageError(f"{out} is a folder; name a file in it with --out.")
        if out.resolve().is_relative_to(settings.home):
            raise UsageError(f"{out} lies in CSPERF_HOME, where a simulation changes nothing; name a file elsewhere.")
    suffixes: dict[str, Kind] = {".md": "md", ".csv": "csv", ".json": "json"}
    return asked or suffixes.get(out.suffix if out else "", "text")


def parts(simulation: Simulation, kind: Kind, everybody: bool, names: bool) -> list[Any]:
    """The simulation as texts and rich tables to be shown; all but `text` is one text."""
    if kind == "text":
        return terminal(simulation, everybody, names)
    if kind == "md":
        return [markdown(simulation, everybody, names)]
    return [csv_text(simulation, names) if kind == "csv" else json_text(simulation, names)]


def write(out: Path, kind: Kind, text: str) -> None:
    """Write the file for its owner alone; csv with a mark at its start, by which spreadsheets know UTF-8."""
    write_bytes(out, text.encode("utf-8-sig" if kind == "csv" else "utf-8"))


# ---- to read ----------------------------------------------------------------------------------------------------


def terminal(simulation: Simulation, everybody: bool, names: bool) -> list[Any]:
    """Sentences and rich tables."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = [_title(simulation), *_facts(simulation), ""]
    for table in _tables(simulation, everybody, names):
        shown = Table(title=Text(table.title), title_justify="left", box=box.SIMPLE_HEAD)
        for place, name in enumerate(table.columns, start=1):
            number = place > len(table.columns) - table.numbers
            shown.add_column(name, justify="right" if number else "left", no_wrap=number)
        for row in table.rows:
            shown.add_row(*map(Text, row))
        parts += [shown, *table.below, ""]
    return [*parts, *_notes(simulation)]


def markdown(simulation: Simulation, everybody: bool, names: bool) -> str:
    """Markdown to be pasted into a review."""
    lines = [f"## {_plain(_title(simulation))}", "", *(f"- {_plain(fact)}" for fact in _facts(simulation))]
    for table in _tables(simulation, everybody, names):
        words = len(table.columns) - table.numbers
        lines += ["", f"### {_plain(table.title)}", "", _row(table.columns)]
        lines.append(f"| {' | '.join(['---'] * words + ['---:'] * table.numbers)} |")
        lines += map(_row, table.rows)
        lines += [part for sentence in table.below for part in ("", _plain(sentence))]
    return "\n".join([*lines, "", *(f"- {_plain(note)}" for note in _notes(simulation))])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    for mark in "\\`*<>|[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _title(simulation: Simulation) -> str:
    first, last = simulation.months[0].month, simulation.months[-1].month
    return f"{first if first == last else f'{first} to {last}'} under the plans in {simulation.directory}"


def _facts(simulation: Simulation) -> Iterator[str]:
    old, new = (digest[:12] for digest in simulation.digests)
    yield f"before: the plans in force ({old}); after: those in {simulation.directory} ({new}); on the records of now"
    yield from (f"{state.month}: {_state(state)}" for state in simulation.months)


def _state(state: MonthState) -> str:
    if state.complete:
        landed = "landed to its end"
    else:
        landed = f"landed until {state.landed_until}" if state.landed_until else "nothing of it landed"
    if state.revision is None:
        return f"open, {landed}"
    if not state.otherwise:
        return f"closed as revision {state.revision}, which is what the plans in force come to today"
    return (
        f"closed as revision {state.revision}; the plans in force come to other pay today for "
        f"{_people(state.otherwise)} ({_signed(state.by)} gross): a correction of its own, not in the differences below"
    )


def _tables(simulation: Simulation, everybody: bool, names: bool) -> Iterator[_Table]:
    for table in _all_tables(simulation, everybody):
        yield table if names else table.without("name")


def _all_tables(simulation: Simulation, everybody: bool) -> Iterator[_Table]:
    lines = simulation.lines
    yield _Table("Plans that differ", ("plan", "how"), list(simulation.plans.items()), 0, simulation.warnings)
    yield _totals(lines)
    if _differ(lines):
        if len(simulation.months) > 1:
            yield _sums("month", by(lines, lambda line: line.month))
        yield _sums("plan", by(lines, lambda line: line.person.plan or "(none)"))
        yield _sums("team", by(lines, lambda line: line.person.team or "(none)"))
        yield _components(lines)
        yield _employees(lines, everybody)
    if simulation.decisions:
        columns = ("quarter", *_WHO, "grade", "before", "after", "why")
        decided = [
            (each.quarter, *_who(each.person), each.grade or "", each.before, each.after, each.reason or "")
            for each in simulation.decisions
        ]
        shown, more = _shown(decided, everybody)
        told = "The differences above are without these changes of grade: grades count as they were published."
        yield _Table("Grade decisions that would come out otherwise", columns, shown, 0, [*more, told])
    if simulation.unpaid:
        stuck = [(each.month, *_who(each.person), each.component, each.reason) for each in simulation.unpaid]
        shown, more = _shown(stuck, everybody)
        title = f"Cannot be paid by the plans in {simulation.directory}"
        yield _Table(title, ("month", *_WHO, "component", "reason"), shown, 0, more)


def _totals(lines: Sequence[Line]) -> _Table:
    sums = add_up(lines)
    if _differ(lines):
        same = sums.people - sums.better - sums.worse
        told = f"Of {_people(sums.people)} {sums.better} get more gross pay, {sums.worse} less and {same} the same."
    else:
        told = f"Nothing changes: every pay line of {_people(sums.people)} comes out the same."
    rows = [("gross pay", *_amounts(sums.gross)), ("contributions", *_amounts(sums.contributions))]
    return _Table("In all", ("", *_AMOUNTS), rows, 3, [told])


def _sums(heading: str, groups: Mapping[str, list[Line]]) -> _Table:
    changed = {name: add_up(lines) for name, lines in groups.items() if _differ(lines)}
    rows = [
        (
            *(name, *map(str, (sums.people, sums.better, sums.worse))),
            *(*_amounts(sums.gross), _signed(sums.contributions.difference)),
        )
        for name, sums in changed.items()
    ]
    return _Table(f"By {heading}", (heading, *_SUMS), rows, len(_SUMS), _unchanged(groups, changed))


def _components(lines: Sequence[Line]) -> _Table:
    groups = by(lines, lambda line: f"{line.component} {line.group}")
    changed = {name: found for name, found in groups.items() if _differ(found)}
    rows = [(*name.split(), str(add_up(found).people), *_sides(found)) for name, found in changed.items()]
    return _Table("By component", ("component", "group", "people", *_AMOUNTS), rows, 4, _unchanged(groups, changed))


def _employees(lines: Sequence[Line], everybody: bool) -> _Table:
    """A row for an employee's gross pay and one for each of his components that differs; the largest first."""
    groups = by(lines, lambda line: line.person.employee_id)
    changed = {who: add_up(found) for who, found in groups.items() if _differ(found)}
    order = sorted(
        changed,
        key=lambda who: (-abs(changed[who].gross.difference), -abs(changed[who].contributions.difference), who),
    )
    shown, more = _shown(order, everybody)
    rows: list[tuple[str, ...]] = []
    for who in shown:
        rows.append((*_who(groups[who][-1].person), "gross pay", *_amounts(changed[who].gross)))
        components = by(groups[who], _component)
        rows += [("", "", "", "", name, *_sides(found)) for name, found in components.items() if _differ(found)]
    return _Table("By employee and component", (*_WHO, "component", *_AMOUNTS), rows, 3, more)


def _shown(entries: Sequence[Any], everybody: bool) -> tuple[Sequence[Any], list[str]]:
    """The first of them unless all are asked for, and a sentence on how many are left out."""
    more = 0 if everybody else max(0, len(entries) - SHOWN)
    return entries[: len(entries) - more], [f"… and {more} more; --all shows them."] if more else []


def _unchanged(groups: Mapping[str, object], changed: Mapping[str, object]) -> list[str]:
    same = len(groups) - len(changed)
    return [f"{same} more without a difference."] if same else []


def _differ(lines: Iterable[Line]) -> bool:
    return any(line.difference for line in lines)


def _component(line: Line) -> str:
    return f"{line.component} (contribution)" if line.group == CONTRIBUTION else line.component


def _who(person: Person) -> tuple[str, ...]:
    return person.employee_id, person.name or "", person.team or "", person.plan or ""


def _sides(lines: Sequence[Line]) -> tuple[str, ...]:
    """What lines of a component come to; a dash where a side has none at all."""
    both = [[line.before for line in lines], [line.after for line in lines]]
    sides = ["–" if set(side) == {None} else f"{sum(filter(None, side), ZERO):,.2f}" for side in both]
    return *sides, _signed(sum((line.difference for line in lines), ZERO))


def _amounts(total: Total) -> tuple[str, ...]:
    return f"{total.before:,.2f}", f"{total.after:,.2f}", _signed(total.difference)


def _signed(amount: Decimal) -> str:
    return f"{amount:+,.2f}" if amount else "0.00"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _notes(simulation: Simulation) -> Iterator[str]:
    for plan, count in simulation.plans_gone.items():
        yield f"The plan {plan} is gone, and {_people(count)} on it would have no pay lines until the roster is mended."
    if any(line.group == CONTRIBUTION for line in simulation.lines):
        yield "Contributions reckoned on the gross pay of the month before stand on what was published, in both."
    yield "Grades are those of the roster and of the published decisions, in both."


# ---- to reckon with ---------------------------------------------------------------------------------------------


def csv_text(simulation: Simulation, names: bool) -> str:
    """A row for each pay line of each month, those without a difference too; an empty amount: no such line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    name = ("name",) if names else ()
    writer.writerow(("month", "employee_id", *name, "team", "plan", "component", "component_group", *_AMOUNTS))
    for line in simulation.lines:
        who = line.person
        named = (who.name,) if names else ()
        amounts = (line.before, line.after, line.difference)
        row = (line.month, who.employee_id, *named, who.team, who.plan, line.component, line.group, *amounts)
        writer.writerow(map(cell_text, row))
    return text.getvalue().rstrip()


def json_text(simulation: Simulation, names: bool) -> str:
    """Everything, sums included. Amounts are texts, so that no cent is lost on the way."""

    def entry(one: Line | Decision | Unpaid) -> dict[str, Any]:
        fields = asdict(one)
        person = fields.pop("person")
        if not names:
            del person["name"]
        return {**person, **fields, **({"difference": one.difference} if isinstance(one, Line) else {})}

    def sums(groups: Mapping[str, list[Line]]) -> dict[str, Any]:
        return {name: _sums_entry(add_up(lines)) for name, lines in groups.items()}

    lines = simulation.lines
    content = {
        "months": list(map(asdict, simulation.months)),
        "policies": {
            "directory": str(simulation.directory),
            "before": simulation.digests[0],
            "after": simulation.digests[1],
            "plans_that_differ": dict(simulation.plans),
            "plans_gone": dict(simulation.plans_gone),
            "warnings": simulation.warnings,
        },
        "in_all": _sums_entry(add_up(lines)),
        "by_month": sums(by(lines, lambda line: line.month)),
        "by_plan": sums(by(lines, lambda line: line.person.plan or "")),
        "by_team": sums(by(lines, lambda line: line.person.team or "")),
        "by_component": sums(by(lines, lambda line: line.component)),
        "by_employee": sums(by(lines, lambda line: line.person.employee_id)),
        "lines": list(map(entry, lines)),
        "decisions": list(map(entry, simulation.decisions)),
        "unpaid": list(map(entry, simulation.unpaid)),
        "notes": list(_notes(simulation)),
    }
    return json_bytes(content).decode().rstrip()


def _sums_entry(sums: Sums) -> dict[str, Any]:
    return {
        "people": sums.people,
        "better": sums.better,
        "worse": sums.worse,
        "gross": {**asdict(sums.gross), "difference": sums.gross.difference},
        "contributions": {**asdict(sums.contributions), "difference": sums.contributions.difference},
    }
