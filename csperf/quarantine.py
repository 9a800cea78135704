"""Rows in quarantine: what waits and why, and the two ways that a person lets rows out of it.

A row leaves quarantine when it is delivered again or what it waits for has come (`csperf run` sees to both), when it is
checked again by `replay` and passes, or when somebody waives it by `discard`. Each of these is an entry in the journal
of its date (`csperf.journal`); the rows themselves stay readable in the landed versions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import duckdb

from csperf.checks import DISCARDED, UNPARSED
from csperf.datasets import DATASETS, dataset
from csperf.errors import CsperfError, UsageError
from csperf.intake import Intake
from csperf.journal import Entry, append
from csperf.landing import QUARANTINE, Partition, partitions, quarantine_sql, read_manifest
from csperf.progress import Progress, silent
from csperf.respool import mapping_of
from csperf.settings import Settings
from csperf.sources.convert import CONFIDENTIAL, quote
from csperf.sources.mapping import SHIPPED, load_mapping, shipped_mappings
from csperf.sources.mapping import Mapping as SourceMapping
from csperf.storage import home_lock, scratch_dir
from csperf.suites import load_suite
from csperf.touched import Touched, touched
from csperf.versions import Occasion, Outcome


@dataclass(frozen=True)
class Choice:
    """Which rows are meant: all that fit everything given. `discarded` asks for those waived, not for those waiting."""

    dataset: str | None = None
    first: date | None = None
    last: date | None = None
    check: str | None = None
    ids: tuple[str, ...] = ()
    discarded: bool = False

    def __post_init__(self) -> None:
        if self.dataset is not None:
            dataset(self.dataset)

    def takes(self, part: Partition) -> bool:
        """Whether a date can hold rows that are meant."""
        return (
            self.dataset in (None, part.dataset)
            and (self.first is None or part.business_date >= self.first)
            and (self.last is None or part.business_date <= self.last)
        )


@dataclass(frozen=True)
class Group:
    """Rows of a date with the same reason. `since` is when they were delivered; `refused`: with the whole date."""

    dataset: str
    business_date: date
    check: str
    rows: int
    since: date
    refused: bool


@dataclass(frozen=True)
class Row:
    """One row in quarantine with all its reasons (check, sentence); `copies` of it are equal and share the id."""

    id: str
    dataset: str
    business_date: date
    copies: int
    row: int | None
    line: int | None
    reasons: tuple[tuple[str, str], ...]
    content: str
    refused: bool

    @property
    def remedies(self) -> list[str]:
        """What to do, a sentence for each kind of reason."""
        return list(dict.fromkeys(remedy(self.dataset, check) for check, _ in self.reasons))


@dataclass
class Released:
    """What became of dates that were checked again: `taken_in` rows are accepted now, `waiting` and `discarded` are
    what is left; `notes` are sentences on what could not be read anew, `touched` the closed periods concerned."""

    outcomes: list[Outcome] = field(default_factory=list)
    taken_in: int = 0
    left: int = 0
    discarded: int = 0
    notes: list[str] = field(default_factory=list)
    touched: list[Touched] = field(default_factory=list)


def groups(settings: Settings, choice: Choice) -> list[Group]:
    """The rows meant, by dataset, date and reason; one with two reasons stands under both."""
    found = []
    with duckdb.connect() as con:
        for part, version, refused in _versions(settings, choice):
            table, since = _table(con, part, version), _since(settings, version)
            for check, rows in con.execute(
                f'select "check", count(*) from {table} where {_where(choice)} group by all order by all'
            ).fetchall():
                found.append(Group(part.dataset, part.business_date, check, rows, since, refused))
    return found


def total(settings: Settings, choice: Choice) -> int:
    """How many rows are meant, each counted once."""
    return sum(row.copies for row in rows(settings, choice))


def rows(settings: Settings, choice: Choice) -> Iterator[Row]:
    """The rows meant, by dataset, date and place in their delivery. No salary is shown: see the landed file for it."""
    with duckdb.connect() as con:
        for part, version, refused in _versions(settings, choice):
            ids = f"(select id from {_table(con, part, version)} where {_where(choice)})"
            for row_id, content, places, row, line, checks, reasons in con.execute(
                f"""select id, any_value(content), count(distinct (row, line)), min(row), min(line),
                    list("check" order by row, line, "check"), list(reason order by row, line, "check")
                from {_table(con, part, version)}
                where id in {ids} and discarded = {str(choice.discarded).lower()}
                group by id order by min(row) nulls last, min(line)"""
            ).fetchall():
                told = tuple(dict.fromkeys(zip(checks, reasons, strict=True)))
                shown = _shown(part.dataset, content, line is not None)
                yield Row(row_id, part.dataset, part.business_date, places, row, line, told, shown, refused)


def replay(
    settings: Settings,
    choice: Choice,
    by: str,
    at: datetime,
    source: str | None = None,
    progress: Progress | None = None,
) -> Released:
    """Check the waiting rows of the dates meant again, by today's mapping, rules and references; what passes is taken
    into its date as a new landed version. The source is not needed. A refused date has to be run again instead."""
    if choice.check or choice.ids:
        raise UsageError("A replay checks whole dates; choose them with --dataset and --date.")
    chosen = [part for part in partitions(settings) if choice.takes(part) and part.path and part.quarantined]
    mappings = _mappings(settings, chosen, source)
    occasion = Occasion("replayed", by, at, "checked again by csperf quarantine replay")
    done = _recheck(settings, chosen, occasion, mappings, progress)
    for part in partitions(settings):
        if choice.takes(part) and part.state == "refused":
            done.notes.append(f"{part.dataset} of {part.business_date} was refused whole; run the date again.")
    return done


def discard(
    settings: Settings, choice: Choice, by: str, why: str, at: datetime, progress: Progress | None = None
) -> Released:
    """Waive the rows meant for good. They are named in the journal of their date and stay readable; a delivery that
    repeats them does not bring them back. CsperfError when nothing is meant, or an id is not waiting."""
    if not why.strip() or not by.strip():
        raise UsageError("A discard needs its reason and who answers for it; give --why and --by.")
    if not choice.ids and choice.dataset is None:
        raise UsageError("Say which rows: give their ids, or --dataset (with --date and --check where it is not all).")
    with home_lock(settings):
        meant = list(rows(settings, choice))
        unknown = sorted({*choice.ids} - {row.id for row in meant})
        if unknown or not meant:
            raise CsperfError(
                f"No row {', '.join(unknown)} waits in quarantine; see csperf quarantine list and show."
                if unknown
                else "No row waits in quarantine that fits; see csperf quarantine list."
            )
        by_date: dict[tuple[str, date], Counter[str]] = {}
        for row in meant:  # a row may stand in the version in force and in a refused attempt
            found = by_date.setdefault((row.dataset, row.business_date), Counter())
            found[row.id] = max(found[row.id], row.copies)
        concerned = [part for part in partitions(settings) if (part.dataset, part.business_date) in by_date]
        for part in concerned:
            newest = part.current.refused or part.current.accepted
            entry = Entry(
                at.isoformat(),
                by,
                "discarded",
                why.strip(),
                dict(sorted(by_date[part.dataset, part.business_date].items())),
                newest.version if newest else None,
            )
            append(part.folder, entry)
        occasion = Occasion("replayed", by, at, "checked again when other rows were discarded")
        accepted = [part for part in concerned if part.path is not None]
        done = _recheck(settings, accepted, occasion, None, progress)
        done.discarded = sum(found.total() for found in by_date.values())
        done.notes += [
            f"{part.dataset} of {part.business_date} was refused whole; run it again, without these rows it may pass."
            for part in concerned
            if part.state == "refused"
        ]
    return done


def remedy(name: str, check: str) -> str:
    """What to do about rows with a reason."""
    if check == UNPARSED:
        return "Have the line mended where the file is made, deliver the date again and run it."
    if check == DISCARDED:
        return "Nothing: it was discarded. A mended row that is delivered again counts as a new one."
    rule = next((rule for rule in load_suite(name).rules if rule.check == check), None)
    if rule is not None and rule.waits_for:
        return f"Deliver the {rule.waits_for} that name it: the row is taken up by itself at the next run."
    if rule is not None and rule.keeps_first:
        return "Deliver the date again with each key once, or discard the row if the one that stays is right."
    return (
        "Mend it at its source, deliver the date again and run it; after a change of the mapping or the rules: csperf "
        "quarantine replay; if it is to be left out: csperf quarantine discard."
    )


def _recheck(
    settings: Settings,
    chosen: Sequence[Partition],
    occasion: Occasion,
    mappings: Mapping[str, SourceMapping] | None,
    progress: Progress | None,
) -> Released:
    done, told = Released(), progress or silent
    if not chosen:
        return done
    with home_lock(settings), scratch_dir(settings, "quarantine") as scratch:
        intake = Intake(settings, occasion.at, scratch, occasion.by)
        names = [name for name in DATASETS if any(part.dataset == name for part in chosen)]
        for number, name in enumerate(names):
            told("check again", number, len(names))
            due = [part for part in chosen if part.dataset == name]
            done.outcomes += intake.recheck(DATASETS[name], due, occasion, mappings, done.notes)
        for each in DATASETS.values():  # what waited for the rows that are accepted now
            done.outcomes += intake.heal(each)
        told("check again", len(names), len(names))
        intake.expectations.build_docs()
        landed = partitions(settings)
        done.touched = touched(settings, landed)
    before = {(part.dataset, part.business_date): part for part in chosen}
    for outcome in done.outcomes:
        part = before.get((outcome.dataset, outcome.business_date))
        done.taken_in += outcome.rows - part.rows if part is not None and outcome.state != "refused" else 0
    done.left = sum(part.quarantined for part in landed if (part.dataset, part.business_date) in before)
    return done


def _mappings(settings: Settings, chosen: Iterable[Partition], source: str | None) -> dict[str, SourceMapping]:
    """The mappings that rows may have come by, by name: the shipped ones and the one given (or of the settings)."""
    given = source or settings.source or ""
    found = {}
    for name in {mapping_of(read_manifest(part.manifest_path)) for part in chosen} & set(shipped_mappings()):
        if name is not None:
            found[name] = load_mapping(SHIPPED / f"{name}.yaml")
    if given.endswith((".yaml", ".yml")):
        mapping = load_mapping(Path(given).expanduser())
        found[mapping.name] = mapping
    elif source is not None and source not in found:
        raise UsageError(f"'{source}' is no mapping that any of the rows came by; give a mapping file (.yaml).")
    return found


def _versions(settings: Settings, choice: Choice) -> Iterator[tuple[Partition, Path, bool]]:
    """The versions that hold rows meant: of each date the one in force and the refused attempt."""
    for part in partitions(settings, [choice.dataset] if choice.dataset else None):
        if choice.takes(part):
            for each, refused in ((part.current.accepted, False), (part.current.refused, True)):
                if each is not None and (part.folder / each.version / QUARANTINE).exists():
                    yield part, part.folder / each.version, refused


def _table(con: duckdb.DuckDBPyConnection, part: Partition, version: Path) -> str:
    return quarantine_sql(con, version / QUARANTINE, part.dataset, part.business_date)


def _where(choice: Choice) -> str:
    terms = [f"discarded = {str(choice.discarded).lower()}"]
    if choice.check:
        terms.append(f'"check" = {quote(choice.check)}')
    if choice.ids:
        terms.append(f"id in ({', '.join(map(quote, choice.ids))})")
    return " and ".join(terms)


def _since(settings: Settings, version: Path) -> date:
    extracted = datetime.fromisoformat(read_manifest(version / "manifest.json")["extracted_at"])
    return extracted.astimezone(settings.zone).date()


def _shown(name: str, content: str, is_line: bool) -> str:
    """A row's content without what is confidential."""
    if not any(column in CONFIDENTIAL for column in DATASETS[name].column_names):
        return content
    if is_line:
        return "(the line may hold a salary; see it in the file)"
    fields = json.loads(content)
    hidden = {key: "(not shown)" if key in CONFIDENTIAL and value else value for key, value in fields.items()}
    return json.dumps(hidden, ensure_ascii=False)
