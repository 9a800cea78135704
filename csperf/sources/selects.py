"""A mapping's rules and its select over delivered rows, in DuckDB."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import duckdb

from csperf.datasets import Dataset
from csperf.sources.convert import ident, quote
from csperf.sources.mapping import MappedDataset
from csperf.sources.sql import range_parameters
from csperf.sources.texts import Unreadable

# Columns that a select finds in `source` beside the file's own. The last is the row as it came, as JSON.
LINE, FILE, SOURCE = "_line", "_file", "_source"


def judge(con: duckdb.DuckDBPyConnection, mapped: MappedDataset) -> list[tuple[str, str]]:
    """Make `judged` from `raw`: each row with what happens to it (keep, quarantine, skip) and all its reasons.

    Returns the pairs that occur, kept rows first.
    """

    def reasons(rules: Sequence[tuple[str, str]]) -> str:
        cases = [f"case when ({where}) then {quote(reason)} end" for reason, where in rules]
        return f"concat_ws('; ', {', '.join(cases)})" if cases else "''"

    skip = [(rule.reason, rule.where) for rule in mapped.skip]
    both = skip + [(rule.reason, rule.where) for rule in mapped.quarantine]
    con.execute(
        f"create or replace temp table judged as select *, {reasons(both)} as _reason, "
        f"case when {reasons(skip)} <> '' then 'skip' when {reasons(both)} <> '' then 'quarantine' else 'keep' end "
        "as _action from raw"
    )
    pairs = con.execute("select distinct _action, _reason from judged").fetchall()
    order = ("keep", "quarantine", "skip")
    kept = [("keep", "")] if ("keep", "") not in pairs else []
    return sorted([*kept, *pairs], key=lambda pair: (order.index(pair[0]), pair[1]))


def select_rows(
    con: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    mapping: str,
    mapped: MappedDataset,
    days: Sequence[date],
    action: str,
    reason: str,
) -> list[tuple[str, str]]:
    """Make the table `selected` from one group of the rows in `judged`; its columns and types.

    Unreadable when the select leaves out a column of the dataset.
    """
    names = [row[0] for row in con.execute("describe judged").fetchall() if row[0] not in ("_action", "_reason")]
    source = [] if SOURCE in names else [f"{_json(names)} as {SOURCE}"]
    con.execute(
        f"create or replace temp view source as select {', '.join([*map(ident, names), *source])} from judged "
        f"where _action = {quote(action)} and _reason = {quote(reason)}"
    )
    sql = (mapped.select or f"select * exclude ({LINE}, {FILE}) from source").strip().rstrip(";")
    check_select(con, sql, mapping)
    parameters = {
        name: value for name, value in range_parameters(days[0], days[-1]).items() if re.search(rf"\${name}\b", sql)
    }
    con.execute(f"create or replace temp table selected as {sql}", parameters or None)
    columns = [(row[0], row[1]) for row in con.execute("describe selected").fetchall()]
    missing = [column.name for column in dataset.columns if column.name not in dict(columns)]
    if missing:
        raise Unreadable(
            f"the select of the mapping {mapping} does not give {', '.join(missing)}; it gives "
            f"{', '.join(name for name, _ in columns)}"
        )
    return columns


def check_select(con: duckdb.DuckDBPyConnection, sql: str, mapping: str) -> None:
    """Unreadable when the text is not one select."""
    kinds = [statement.type for statement in con.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        raise Unreadable(f"the select of the mapping {mapping} is not one select; write one, without a semicolon in it")


def _json(names: Sequence[str]) -> str:
    fields = ", ".join(f"{quote(name)}, cast({ident(name)} as varchar)" for name in names)
    return f"cast(json_object({fields}) as varchar)"
