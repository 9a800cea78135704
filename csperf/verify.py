"""Proving a published revision: computed again from the records as they were, it comes out the same to the byte.

The landed versions, the policies, the grade decisions and the earlier revisions that it rested on are looked at first:
each has the digest that the revision noted, or is named. Then the month is computed from them in a scratch warehouse
by today's code, and its lines and files are compared with the published ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from csperf import figures, kept_policies, landing, published
from csperf.basis import Basis, Before, basis_of, ledger_code
from csperf.errors import CsperfError, UsageError
from csperf.extract import kept_form, write_extract
from csperf.periods import Month
from csperf.progress import Progress, silent
from csperf.published import RETRO_PREFIX, Revision, column_names, revisions
from csperf.replay import Replay, replay
from csperf.settings import Settings
from csperf.storage import file_digest, home_lock, scratch_dir

SHOWN_DIFFERENCES = 50
"""Differences told of a revision; the rest is counted."""


@dataclass(frozen=True)
class Verified:
    """What became of a revision's proof.

    `damages` names each record that is not as the revision noted it (nothing is computed then), `differences` each
    line and file that came out otherwise. `code_changed`: other code computes today than computed the revision.
    """

    month: str
    revision: int
    code_changed: bool
    damages: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        return not self.damages and not self.differences


def verify(
    settings: Settings,
    month: Month | None = None,
    revision: int | None = None,
    progress: Progress | None = None,
    amounts: bool = False,
) -> list[Verified]:
    """Prove one published revision, all of a month, or all there are, in the order of months and revisions.

    With `amounts` differences say what was published and what comes out, which is pay; else only where they are.
    CSPERF_HOME is locked meanwhile and nothing in it changes. UsageError when there is no such revision.
    """
    told = progress or silent
    with home_lock(settings):
        months = [str(month)] if month else published.closed_periods(settings.payroll_dir)
        wanted = [
            each
            for period in months
            for each in revisions(settings.payroll_dir, period)
            if revision in (None, each.number)
        ]
        if not wanted:
            which = f"revision {revision} of {month}" if revision else str(month) if month else "any month"
            raise UsageError(f"There is no published {which}; csperf status shows what is there.")
        checked: dict[Path, str] = {}
        with replay(settings) as scratch:
            done = []
            for number, each in enumerate(wanted):
                told(f"verify {each.period} revision {each.number}", number, len(wanted))
                done.append(_verify(settings, each, scratch, checked, told, amounts))
        return done


def _verify(
    settings: Settings, revision: Revision, scratch: Replay, checked: dict[Path, str], told: Progress, amounts: bool
) -> Verified:
    result = Verified(revision.period, revision.number, code_changed=False)
    damages = published.damages(revision)
    if damages:
        return _with(result, damages=damages)
    basis = basis_of(revision)
    result = _with(result, code_changed=basis.code != ledger_code(settings))
    damages = [
        *kept_policies.damages(settings, basis.policies, revision.manifest["policies"]["files"]),
        *_damaged_inputs(settings, basis, checked),
        *_damaged_record(settings.payroll_dir, basis.payroll),
        *_damaged_record(settings.tiers_dir, basis.tiers),
    ]
    if damages:
        return _with(result, damages=damages)
    month = Month.parse(revision.period)
    computed = scratch.build(basis, month, told)
    with figures.open_figures(computed) as con, scratch_dir(computed, "verify") as folder:
        figures.prepare_month(con, month, revision.number)
        plans = kept_policies.kept_plans(computed, basis.policies)
        write_extract(con, folder, month, kept_form(revision.manifest), plans)
        return _with(result, differences=list(_differences(con, revision, folder, amounts)))


def _with(
    result: Verified,
    *,
    code_changed: bool | None = None,
    damages: Sequence[str] = (),
    differences: Sequence[str] = (),
) -> Verified:
    more = len(differences) - SHOWN_DIFFERENCES
    shown = [*differences[:SHOWN_DIFFERENCES], *([f"… and {more} more differences."] if more > 0 else [])]
    changed = result.code_changed if code_changed is None else code_changed
    return Verified(result.month, result.revision, changed, tuple(damages), tuple(shown))


# ---- the records ----------------------------------------------------------------------------------------------


def _damaged_inputs(settings: Settings, basis: Basis, checked: dict[Path, str]) -> Iterator[str]:
    """A sentence for each landed file that is gone or not as the revision used it; each file is read once."""
    for dataset, days in basis.inputs.items():
        for day, used in days.items():
            path = settings.landing_dir / dataset / day / used.version / landing.ACCEPTED
            if not path.is_file():
                yield f"{path} ({dataset} of {day}) is gone; restore it from a backup: published pay rests on it."
                continue
            if path not in checked:
                checked[path] = file_digest(path)
            if checked[path] != used.sha256:
                yield f"{path} ({dataset} of {day}) is not what was landed; restore it from a backup."


def _damaged_record(root: Path, periods: Mapping[str, Before]) -> Iterator[str]:
    """A sentence for each file of the revisions published before that is not as it was then."""
    for period, newest in periods.items():
        try:
            found = revisions(root, period)[: newest.revision]
        except CsperfError as error:
            yield str(error)
            continue
        if len(found) < newest.revision:
            yield f"{root / period} has no rev-{newest.revision:03d} any more; restore it from a backup."
            continue
        for each in found:
            yield from published.damages(each)
        if found[-1].seal != newest.seal:
            yield f"{found[-1].path} is not the revision that was there then; restore it from a backup."


# ---- the figures ----------------------------------------------------------------------------------------------


def _differences(con: duckdb.DuckDBPyConnection, revision: Revision, folder: Path, amounts: bool) -> Iterator[str]:
    """Line by line what came out otherwise, then each file whose bytes differ."""
    lines = revision.file("lines")
    assert lines is not None  # every month has lines, be there none in them
    con.execute("create or replace temp table was as from read_parquet(?, hive_partitioning = false)", [str(lines)])
    rows = con.execute(
        "select coalesce(was.employee_id, now.employee_id), coalesce(was.component, now.component), was, now "
        "from was full outer join draft.lines as now using (employee_id, component) "
        "where was is distinct from now order by 1, 2"
    ).fetchall()
    for employee, component, was, now in rows:
        yield f"{revision.period} {employee} {component}: {_told(was, now, amounts)}."
    yield from _wrong_causes(con, revision, amounts)
    for name, facts in revision.manifest["files"].items():
        path = folder / name
        if path.is_file() and name in _computed(revision) and file_digest(path) != facts["sha256"]:
            same = "; its lines are the same" if name == lines.name and not rows else ""
            yield f"{revision.path / name} came out with other bytes{same}."
        elif not path.is_file() and name in _computed(revision):
            yield f"{revision.path / name} did not come out at all."


def _wrong_causes(con: duckdb.DuckDBPyConnection, revision: Revision, amounts: bool) -> Iterator[str]:
    """What the published causes do not explain: a difference to the revision before, or a retro line paid."""
    con.execute("create or replace temp table causes as from published.corrections where false")
    causes = revision.file("corrections")
    if causes is not None:
        con.execute("insert into causes by name from read_parquet(?, hive_partitioning = false)", [str(causes)])
    # The record that was linked for the computation ends with the revision before this one.
    rows = con.execute(
        "with differences as ("
        "select employee_id, component, amount from was where $revision > 1 or starts_with(component, $prefix) "
        "union all select employee_id, component, -amount from published.pay_lines "
        "where pay_month = $month and revision = $revision - 1 and not starts_with(component, $prefix) "
        "union all select employee_id, component, -amount from causes"
        ") select employee_id, component, sum(amount) from differences group by all having sum(amount) <> 0 "
        "order by all",
        {"month": revision.period, "revision": revision.number, "prefix": RETRO_PREFIX},
    ).fetchall()
    for employee, component, amount in rows:
        what = f"{amount} of the difference" if amounts else "a part of the difference"
        yield f"{revision.period} {employee} {component}: {what} has no cause on record."


def _computed(revision: Revision) -> set[str]:
    parts = revision.manifest["parts"]
    return {parts[part] for part in ("extract", "sheet", "lines", "retro", "leavers", "export") if part in parts}


def _told(was: dict[str, object] | None, now: dict[str, object] | None, amounts: bool) -> str:
    if was is None or now is None:
        only = was or now or {}
        what = only["amount"] if amounts else "a line"
        return f"{what} {'was published and does not come out' if was else 'comes out and was not published'}"
    changed = [name for name in column_names("pay_lines") if was[name] != now[name]]
    if not amounts:
        return f"{', '.join(changed)} came out otherwise than published"
    return ", ".join(f"{name} was published as {was[name]} and comes out as {now[name]}" for name in changed)
