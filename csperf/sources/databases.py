"""Databases to read from: PostgreSQL by ADBC, MySQL, MariaDB and others by SQLAlchemy's server-side cursors.

Rows come as Arrow batches of bounded size; dates are bound parameters; the session's time zone is the business one,
so that a time without a zone is local business time on either side. Secrets appear in no name and no error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, Protocol

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import pyarrow as pa
import sqlalchemy
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from csperf.errors import CsperfError, UsageError
from csperf.settings import Settings

log = logging.getLogger(__name__)

BATCH = 50_000
_DRIVERS = {"postgres": "postgresql", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
# How long a connection is waited for, and a table that somebody has locked, in seconds.
CONNECT_SECONDS, LOCK_SECONDS = 30, 30
# A server that is gone without a word is noticed after a minute, not after hours.
_KEEPALIVE = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
Parameters = Mapping[str, date | datetime]


class QueryRefused(CsperfError):
    """The database answered that the query is wrong: a column or table is missing, a type does not fit."""


class ConnectionLost(CsperfError):
    """The database could not be reached or went away; trying again may help."""


def parse_url(text: str) -> URL:
    """A database URL with the driver we ship for it; a UsageError, without the text, when it is none."""
    try:
        url = make_url(text)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError, ImportError):
        scheme = text.split(":", 1)[0] if "://" in text else "it"
        raise UsageError(
            f"The source is no database URL that can be read ({scheme}); write it like "
            "postgresql://user:password@host:5432/database or mysql://user:password@host:3306/database."
        ) from None
    return url


def airflow_url(connection_id: str) -> URL:
    """The URL of an Airflow connection; a UsageError when Airflow has none of that name."""
    return parse_url(airflow_connection(connection_id).get_uri())


def airflow_connection(connection_id: str) -> Any:
    """An Airflow connection; a UsageError when Airflow has none of that name."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException  # heavy, and only wanted here

    try:
        return BaseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        raise UsageError(
            f"Airflow has no connection '{connection_id}'; add it under Admin, Connections, or as the variable "
            f"AIRFLOW_CONN_{connection_id.upper()}."
        ) from None


def public_name(url: URL) -> str:
    """The URL without user, password and options."""
    host = f"{url.host or ''}{f':{url.port}' if url.port else ''}"
    return f"{url.get_backend_name()}://{host}/{url.database or ''}"


class Database:
    """One database; every `session` is a connection of its own."""

    def __init__(self, settings: Settings, url: URL) -> None:
        self._settings = settings
        self._url = url
        self.name = public_name(url)
        self.dialect = url.get_dialect()()

    def quote(self, name: str) -> str:
        """A name as this database quotes it."""
        return str(self.dialect.identifier_preparer.quote_identifier(name))

    @property
    def is_postgres(self) -> bool:
        return self._url.get_backend_name() == "postgresql"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A read-only session. ConnectionLost or QueryRefused, in one sentence without secrets."""
        try:
            if self.is_postgres:
                with self._adbc() as connection:
                    yield PostgresSession(connection)
            else:
                yield from self._sqlalchemy()
        except adbc_driver_manager.Error as error:
            raise self._sentence(error, _is_adbc_loss(error)) from None
        except DBAPIError as error:
            raise self._sentence(error.orig or error, isinstance(error, OperationalError)) from None
        except SQLAlchemyError as error:
            raise self._sentence(error, False) from None

    def _adbc(self) -> Any:
        options = {"connect_timeout": str(CONNECT_SECONDS), **_KEEPALIVE, **self._url.query}
        uri = self._url.set(drivername="postgresql", query=options).render_as_string(hide_password=False)
        connection = adbc_driver_postgresql.dbapi.connect(uri)
        try:
            with connection.cursor() as cursor:
                cursor.execute("select set_config('TimeZone', $1, false)", (self._settings.timezone,))
                cursor.fetchall()
                cursor.execute("set default_transaction_read_only = on")
                cursor.execute(f"set lock_timeout = '{LOCK_SECONDS}s'")
                cursor.execute(f"set statement_timeout = '{self._settings.source_timeout}s'")
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def _sqlalchemy(self) -> Iterator[Session]:
        mysql = self._url.get_backend_name() in ("mysql", "mariadb")
        limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": self._settings.source_timeout} if mysql else {}
        engine = sqlalchemy.create_engine(self._url, poolclass=sqlalchemy.NullPool, connect_args=limits)
        try:
            with engine.connect() as connection:
                if mysql:
                    self._set_mysql_zone(connection)
                    connection.execute(sqlalchemy.text(f"set session lock_wait_timeout = {LOCK_SECONDS}"))
                    connection.execute(sqlalchemy.text("set session transaction read only"))
                    connection.commit()
                yield SqlAlchemySession(connection)
        finally:
            engine.dispose()

    def _set_mysql_zone(self, connection: sqlalchemy.Connection) -> None:
        """The session in the business time zone: by name, or by offset where the server has no zone tables."""
        try:
            connection.execute(sqlalchemy.text("set time_zone = :zone"), {"zone": self._settings.timezone})
        except DBAPIError:
            offsets = {datetime(year, month, 1, tzinfo=self._settings.zone).strftime("%z")
                       for year in range(2000, 2040) for month in (1, 7)}  # fmt: skip
            if len(offsets) > 1:
                raise CsperfError(
                    f"The database {self.name} does not know the time zone {self._settings.timezone}; load its time "
                    "zone tables (mysql_tzinfo_to_sql)."
                ) from None
            offset = offsets.pop()
            zone = f"{offset[:3]}:{offset[3:]}"
            connection.execute(sqlalchemy.text("set time_zone = :zone"), {"zone": zone})

    def _sentence(self, error: BaseException, lost: bool) -> CsperfError:
        args = getattr(error, "args", ())
        text = str(args[-1]) if args else str(error)
        if self._url.password:
            text = text.replace(str(self._url.password), "***")
        text = re.sub(r"\s*Query was:.*", "", text, flags=re.DOTALL)
        text = " ".join(text.split()).removeprefix("[libpq] ")[:400].rstrip(".")
        if lost:
            return ConnectionLost(f"The database {self.name} could not be read: {text}.")
        return QueryRefused(f"The database {self.name} refused the query: {text}.")


def _is_adbc_loss(error: adbc_driver_manager.Error) -> bool:
    """Whether trying again may help: the server is away, full or slow, or somebody holds a lock."""
    state = error.sqlstate or ""
    if state:
        return state.startswith(("08", "53", "57P", "57014", "55P03", "40", "28", "3D"))
    return error.status_code in (adbc_driver_manager.AdbcStatusCode.IO, adbc_driver_manager.AdbcStatusCode.TIMEOUT)


class Session(Protocol):
    """A connection of one kind: see its two kinds below."""

    def has_table(self, name: str) -> bool:
        """Whether the database has a table or view of that name."""

    def stream(self, sql: str, parameters: Parameters) -> Iterator[pa.Table]:
        """The query's rows in batches of at most BATCH; at least one, so that the columns are always known.

        Parameters stand in the SQL as `:name`.
        """


class PostgresSession:
    """PostgreSQL by ADBC. A parameterised query would be buffered whole by the driver: a cursor streams it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def has_table(self, name: str) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute("select to_regclass($1) is not null", (name,))
            return bool(cursor.fetchone()[0])

    def stream(self, sql: str, parameters: Parameters) -> Iterator[pa.Table]:
        dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        compiled = statement(sql, parameters).compile(dialect=dialect)
        names: Sequence[str] = compiled.positiontup or []
        values = tuple(parameters[name] for name in names)
        with self._connection.cursor() as cursor:
            declare = f"declare csperf_rows no scroll cursor for {compiled}"
            if values:
                cursor.execute(declare, values)
            else:
                cursor.execute(declare)
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
            first = True
            while True:
                cursor.execute(f"fetch {BATCH} from csperf_rows")
                batch = _plain(cursor.fetch_arrow_table())
                if batch.num_rows or first:
                    yield batch
                first = False
                if batch.num_rows < BATCH:
                    break
            cursor.execute("close csperf_rows")
        self._connection.commit()


class SqlAlchemySession:
    """Any other database by SQLAlchemy, rows streamed by a server-side cursor."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection

    def has_table(self, name: str) -> bool:
        return sqlalchemy.inspect(self._connection).has_table(name)

    def stream(self, sql: str, parameters: Parameters) -> Iterator[pa.Table]:
        query = statement(sql, parameters)
        wanted = {name: parameters[name] for name in query._bindparams}
        options = {"stream_results": True, "max_row_buffer": BATCH // 5}
        with self._connection.execute(query, wanted, execution_options=options) as result:
            names = list(result.keys())
            first = True
            for rows in result.partitions(BATCH // 5):
                first = False
                yield _table(names, list(zip(*rows, strict=True)))
            if first:
                yield _table(names, [() for _ in names])


def statement(sql: str, parameters: Parameters) -> sqlalchemy.TextClause:
    """The SQL with `:name` bound for each known parameter; any other colon, as in 'HH24:MI', stays a colon."""
    quoted = r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/"
    names = "|".join(map(re.escape, parameters)) or "(?!)"

    def escaped(match: re.Match[str]) -> str:
        return match[0] if match["name"] else match[0].replace(":", "\\:")

    pattern = rf"{quoted}|::|:(?P<name>{names})\b|:"
    return sqlalchemy.text(re.sub(pattern, escaped, sql.strip().rstrip(";"), flags=re.DOTALL))


def _plain(table: pa.Table) -> pa.Table:
    """PostgreSQL's own types (numeric, enums) come as opaque texts: give them as texts."""
    columns = []
    for column in table.columns:
        if isinstance(column.type, pa.OpaqueType):
            column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def _table(names: list[str], columns: Sequence[Sequence[Any]]) -> pa.Table:
    return pa.table([_array(column) for column in columns], names=names)


def _array(values: Sequence[Any]) -> pa.Array:
    """Python values as an Arrow array; as texts where they are of several types or of one Arrow does not know."""
    if any(isinstance(value, bytes) for value in values):
        values = [_from_bytes(value) if isinstance(value, bytes) else value for value in values]
    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array


def _from_bytes(value: bytes) -> str:
    """MySQL gives BIT(1) and binary texts as bytes."""
    if value in (b"\x00", b"\x01"):
        return str(value[0])
    return value.decode("utf-8", "replace")
