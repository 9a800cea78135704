"""The right person hears of it: failures, refused and overdue deliveries, drafts that wait or were refused.

`tell` is all that the rest of csperf calls. It never fails a run: a target that cannot be reached is warned of, what it
was to hear waits in the record and goes with the next message, and `csperf status` shows it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from csperf.errors import CsperfError
from csperf.notify import occasions
from csperf.notify.notices import Notice, messages, test_message
from csperf.notify.targets import Sent, send, send_message, targets
from csperf.secrets import masked
from csperf.settings import Settings

__all__ = ["Notice", "Sent", "failures_told", "occasions", "standing", "tell", "test"]

log = logging.getLogger(__name__)
_WARNING = "%s could not be told of %d things (%s); they go with the next message, csperf notify --test tries it now"


def tell(settings: Settings, notices: Iterable[Notice], at: datetime) -> list[Sent]:
    """Tell each target what it is to hear and has not heard, with what still waits for it; returns how each went.

    Nothing happens without the setting CSPERF_NOTIFY. Never raises: what goes wrong is a warning in the log.
    """
    if settings.notify is None:
        return []
    from csperf.notify.record import open_record

    wanted, done = list(notices), []
    try:
        with open_record(settings, at) as record:
            record.keep(found := targets(settings))
            for target in found:
                left = messages(record.due(target, wanted), settings.notify_language)
                while left:
                    done.append(sent := send_message(target, left[0]))
                    if not sent.ok:  # the others would wait as long again: they stay with this one
                        waiting = [notice for message in left for notice in message.notices]
                        record.failed(sent, waiting, at)
                        log.warning(_WARNING, target.name, len(waiting), sent.why)
                        break
                    record.went(target, left.pop(0).notices, at)
    except CsperfError as error:
        log.warning("Nobody could be told: %s", error)
    except Exception as error:
        log.warning("Nobody could be told (%s: %s)", type(error).__name__, masked(str(error)))
    return done


@contextmanager
def failures_told(settings: Settings, command: str, dates: Iterable[str], at: datetime) -> Iterator[None]:
    """Whatever goes wrong in the block is told, as a failure of the command, and raised as it is."""
    try:
        yield
    except Exception:
        tell(settings, [occasions.command_failed(command, dates, at)], at)
        raise


def test(settings: Settings, at: datetime) -> list[Sent]:
    """Send a test to every target; returns how each went. A target that answers again gets what waits for it."""
    from csperf.notify.record import open_record

    title, body = test_message(settings.notify_language)
    done = [send(target, title, body) for target in targets(settings)]
    with open_record(settings, at) as record:
        for sent in done:
            if sent.ok:
                record.reached(sent.target)
            else:
                record.failed(sent, (), at)
    tell(settings, (), at)
    return done


def standing(settings: Settings) -> list[str]:
    """A sentence for each target: what it hears, and whether it could be reached; none without the setting."""
    if settings.notify is None:
        return []
    from csperf.notify.notices import EVENTS
    from csperf.notify.record import read_record

    try:
        found, record = targets(settings), read_record(settings)
    except CsperfError as error:
        return [str(error)]
    lines = []
    for target in found:
        trouble = record.trouble(target)
        heard = ", ".join(event for event in EVENTS if event in target.events)
        lines.append(f"{target.name} is told of {heard}.")
        if trouble is not None:
            at, why, waiting = trouble
            lines.append(
                f"{target.name} could not be reached at {at} ({why}); {waiting} notices wait for it: mend its URL or "
                "the service and run csperf notify --test."
            )
    return lines
