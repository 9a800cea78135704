"""Sources of landing datasets: directories of files, databases, and mappings from other people's exports."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.engine import URL

from csperf.errors import UsageError
from csperf.secrets import masked
from csperf.settings import Settings
from csperf.sources.base import Source
from csperf.sources.databases import Database, airflow_url, parse_url
from csperf.sources.files import FileSource
from csperf.sources.mapped import MappedSource
from csperf.sources.mapping import SHIPPED, Mapping, load_mapping, shipped_mappings
from csperf.sources.spool import Delivery, Spool, Unparsed
from csperf.sources.sql import SqlSource

__all__ = ["Delivery", "Source", "Spool", "Unparsed", "open_source"]


def open_source(settings: Settings, source: str | None = None, source_root: Path | None = None) -> Source:
    """The source that `source` names: a landing directory, a database URL, `airflow:CONN_ID`, a mapping file
    (`.yaml`) or the name of a shipped mapping.

    Without one the setting CSPERF_SOURCE counts; `source_root` (or CSPERF_SOURCE_ROOT) is the directory that a
    mapping's files lie under. A UsageError when there is no such source.
    """
    chosen = source or settings.source
    if not chosen:
        raise UsageError("No source is given; set CSPERF_SOURCE or pass --source with a landing directory or a URL.")
    if chosen.startswith("airflow:"):
        return SqlSource(settings, Database(settings, airflow_url(chosen.removeprefix("airflow:"))))
    if "://" in chosen:
        return SqlSource(settings, Database(settings, parse_url(chosen)))
    path = Path(chosen).expanduser()
    if path.suffix in (".yaml", ".yml"):
        return _mapped(settings, path.resolve(), source_root)
    if chosen in shipped_mappings() and not path.is_dir():
        return _mapped(settings, SHIPPED / f"{chosen}.yaml", source_root)
    if not path.is_dir():
        raise UsageError(
            f"There is no source '{masked(chosen)}'; give a landing directory, a database URL, airflow:CONNECTION, a "
            f"mapping file (.yaml) or one of the mappings {', '.join(shipped_mappings())}."
        )
    return FileSource(settings, path.resolve())


def _mapped(settings: Settings, path: Path, source_root: Path | None) -> Source:
    mapping = load_mapping(path)
    root = (source_root or settings.source_root or Path()).expanduser().resolve()
    if not root.is_dir():
        raise UsageError(f"The source root {root} does not exist; give the folder of the mapping's files.")
    database = None
    if mapping.database:
        database = Database(settings, _mapped_url(mapping))
    return MappedSource(settings, mapping, path.parent, root, database)


def _mapped_url(mapping: Mapping) -> URL:
    where = mapping.database or ""
    if where.startswith("airflow:"):
        return airflow_url(where.removeprefix("airflow:"))
    if where.startswith("env:"):
        name = where.removeprefix("env:")
        if not os.environ.get(name):
            raise UsageError(f"The mapping {mapping.name} wants a database URL in the variable {name}; set it.")
        return parse_url(os.environ[name])
    return parse_url(where)
