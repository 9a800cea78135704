"""Sources of landing datasets: directories of files, databases, and mappings from other people's exports."""

from __future__ import annotations

from pathlib import Path

from csperf.errors import UsageError
from csperf.settings import Settings
from csperf.sources.base import Source
from csperf.sources.databases import Database, airflow_url, parse_url
from csperf.sources.files import FileSource
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
    return FileSource(settings, Path(chosen).expanduser().resolve())
