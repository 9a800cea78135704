"""The outward tables in a PostgreSQL database, for BI tools that cannot open a DuckDB file.

Everything happens in one transaction: readers see the old night until the new one is complete. A table is sent in
parts (a business date, a month); a part whose content has not changed since it was sent stays as it is, so that a
night costs what the night has changed. Views that people made on the tables live on unless a table's columns change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import adbc_driver_postgresql.dbapi as postgres
import duckdb

from csperf.errors import CsperfError
from csperf.serving import ServedTable

# Who may read what. Roles cannot log in themselves; a person's login is granted one of them.
ROLES = {
    "csperf_bi": ("scorecards", "tiers", "quality"),
    "csperf_payroll": ("scorecards", "tiers", "quality", "payroll"),
}
_BOOK = "csperf_serving"
_TYPES = {
    "VARCHAR": "text",
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "SMALLINT": "smallint",
    "HUGEINT": "numeric(38,0)",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double precision",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}


def send(url: str, con: duckdb.DuckDBPyConnection, tables: Sequence[ServedTable]) -> int:
    """Make the database's tables equal to `tables` (queries on `con`) and grant the roles; returns the rows sent.

    CsperfError, without the password, when the database cannot be reached or refuses.
    """
    try:
        with postgres.connect(re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", url)) as target:
            with target.cursor() as cursor:
                _prepare(cursor, {table.schema for table in tables})
                sent = sum(_send_table(cursor, con, table) for table in tables)
                _drop_others(cursor, tables)
                _grant(cursor)
            target.commit()
            return sent
    except postgres.Error as error:
        raise CsperfError(
            f"The serving database {_without_secret(url)} could not be brought up to date, it still shows the last "
            f"night: {_one_line(error, url)}"
        ) from None


def _prepare(cursor: postgres.Cursor, schemas: set[str]) -> None:
    cursor.execute(f"create schema if not exists {_BOOK}")
    # Whoever comes second waits here for the first to finish, instead of failing half-way.
    cursor.execute(
        f"create table if not exists {_BOOK}.parts "
        "(table_name text, part text, digest text, primary key (table_name, part))"
    )
    cursor.execute(f"lock table {_BOOK}.parts in exclusive mode")
    for schema in sorted(schemas):
        cursor.execute(f"create schema if not exists {schema}")


def _send_table(cursor: postgres.Cursor, con: duckdb.DuckDBPyConnection, table: ServedTable) -> int:
    name = f"{table.schema}.{table.name}"
    wanted = [(column, _postgres_type(type_)) for column, type_ in table.columns]
    if _columns(cursor, table) != [column for column, _ in wanted]:
        cursor.execute(f'drop table if exists "{table.schema}"."{table.name}" cascade')
        listed = ", ".join(f'"{column}" {type_}' for column, type_ in wanted)
        cursor.execute(f'create table "{table.schema}"."{table.name}" ({listed})')
        if table.part_column:
            cursor.execute(f'create index on "{table.schema}"."{table.name}" ("{table.part_column}")')
        cursor.execute(f"delete from {_BOOK}.parts where table_name = $1", (name,))
    part = f"coalesce(cast(\"{table.part_column}\" as varchar), '')" if table.part_column else "''"
    digests = {
        str(key): str(digest)
        for key, digest in con.execute(
            f"select {part}, count(*) || ':' || sum(hash(rows)::hugeint) from ({table.query}) as rows group by 1"
        ).fetchall()
    }
    cursor.execute(f"select part, digest from {_BOOK}.parts where table_name = $1", (name,))
    there = {str(key): str(digest) for key, digest in cursor.fetchall()}
    stale = sorted(key for key in digests.keys() | there.keys() if digests.get(key) != there.get(key))
    if not stale:
        return 0
    of_part = f"coalesce(cast(\"{table.part_column}\" as text), '')" if table.part_column else "''"
    for key in stale:
        cursor.execute(f'delete from "{table.schema}"."{table.name}" where {of_part} = $1', (key,))
        cursor.execute(f"delete from {_BOOK}.parts where table_name = $1 and part = $2", (name, key))
    columns = ", ".join(_cast(column, type_) for column, type_ in table.columns)
    reader = con.execute(
        f"select {columns} from ({table.query}) where list_contains(?, {part})", [stale]
    ).to_arrow_reader(50_000)
    sent = cursor.adbc_ingest(table.name, reader, mode="append", db_schema_name=table.schema)
    for key in stale:
        if key in digests:
            cursor.execute(f"insert into {_BOOK}.parts values ($1, $2, $3)", (name, key, digests[key]))
    return int(sent)


def _columns(cursor: postgres.Cursor, table: ServedTable) -> list[str]:
    cursor.execute(
        "select column_name::text from information_schema.columns where table_schema = $1 and table_name = $2 "
        "order by ordinal_position",
        (table.schema, table.name),
    )
    return [str(row[0]) for row in cursor.fetchall()]


def _drop_others(cursor: postgres.Cursor, tables: Sequence[ServedTable]) -> None:
    """Drop what we served once and serve no more (a table of somebody else's is not ours to drop)."""
    cursor.execute(f"select distinct table_name from {_BOOK}.parts")
    served = {f"{table.schema}.{table.name}" for table in tables}
    for (name,) in cursor.fetchall():
        if name not in served:
            schema, table = str(name).split(".", 1)
            cursor.execute(f'drop table if exists "{schema}"."{table}" cascade')
            cursor.execute(f"delete from {_BOOK}.parts where table_name = $1", (name,))


def _grant(cursor: postgres.Cursor) -> None:
    cursor.execute("select nspname::text from pg_namespace")
    schemas = {str(row[0]) for row in cursor.fetchall()}
    for role, readable in ROLES.items():
        cursor.execute("select 1 from pg_roles where rolname = $1", (role,))
        if cursor.fetchone() is None:
            cursor.execute(f"create role {role} nologin")
        for schema in sorted(schemas & set(ROLES["csperf_payroll"])):
            if schema in readable:
                cursor.execute(f"grant usage on schema {schema} to {role}")
                cursor.execute(f"grant select on all tables in schema {schema} to {role}")
            else:
                cursor.execute(f"revoke all on all tables in schema {schema} from {role}, public")
                cursor.execute(f"revoke all on schema {schema} from {role}, public")


def _postgres_type(type_: str) -> str:
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", type_)
    return f"numeric({decimal[1]},{decimal[2]})" if decimal else _TYPES.get(type_, "text")


def _cast(column: str, type_: str) -> str:
    """A column in a type that the driver can send."""
    if type_ == "HUGEINT":
        return f'cast("{column}" as decimal(38,0)) as "{column}"'
    if type_ in _TYPES or type_.startswith("DECIMAL"):
        return f'"{column}"'
    return f'cast("{column}" as varchar) as "{column}"'


def _without_secret(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or 'local'}{':' + str(parts.port) if parts.port else ''}{parts.path}"


def _one_line(error: BaseException, url: str) -> str:
    text = " ".join(str(error).split())
    secret = urlsplit(url).password
    return text.replace(secret, "…") if secret else text
