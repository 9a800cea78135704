"""Sources of landing datasets: directories of files, databases, and mappings from other people's exports."""

from csperf.sources.base import Source
from csperf.sources.spool import Delivery, Spool, Unparsed

__all__ = ["Delivery", "Source", "Spool", "Unparsed"]
