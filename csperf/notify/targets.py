"""Who is told: the targets of CSPERF_NOTIFY, each an apprise URL with the events that it hears.

The setting is words in a row, `[who=]URL`: who is a group (data, payroll, all) or events with commas between; without
it the target hears everything. `airflow:CONN_ID` stands for the words kept as the password of an Airflow connection.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from csperf.errors import UsageError
from csperf.notify.notices import EVENTS, GROUPS, Event, Message
from csperf.secrets import masked, url_pieces

if TYPE_CHECKING:
    from csperf.settings import Settings

_FROM_AIRFLOW = "airflow:"
_WORD = re.compile(r"(?:(?P<who>[\w,]+)=)?(?P<url>[A-Za-z][\w+.-]*://\S+)")
_ATTEMPTS, _LONGEST_SECONDS = 3, 20


@dataclass(frozen=True)
class Target:
    """One place that messages go to. `number` counts from 1 in the order of the setting; `url` is secret."""

    number: int
    events: frozenset[Event]
    url: str

    def __repr__(self) -> str:
        return f"Target({self.number})"

    @property
    def id(self) -> str:
        """What the record knows the target by, without its URL."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """What people know it by: service and number. In some services even the host is a token."""
        service = _service(self.url)
        return f"{service.service_name if service is not None else 'unknown service'} (target {self.number})"


@dataclass(frozen=True)
class Sent:
    """Whether a message went to a target, and if not, why."""

    target: Target
    ok: bool
    why: str = ""


def parse(text: str) -> list[Target]:
    """The targets of the setting's text; a ValueError in one sentence that quotes no URL."""
    targets = []
    for number, word in enumerate(text.split(), start=1):
        match = _WORD.fullmatch(word)
        if match is None:
            raise ValueError(f"word {number} is not [who=]URL with an apprise URL, like data=dingtalk://TOKEN")
        events: set[Event] = set()
        for name in (match["who"] or "all").split(","):
            if name not in GROUPS and name not in EVENTS:
                raise ValueError(f"'{name}' of word {number} is none of {', '.join([*GROUPS, *EVENTS])}")
            events |= set(GROUPS.get(name) or [event for event in EVENTS if event == name])
        targets.append(Target(number, frozenset(events), match["url"]))
    return targets


def check(text: str) -> None:
    """A ValueError when the setting cannot be read; a connection of Airflow's is looked at when it is used."""
    if not text.startswith(_FROM_AIRFLOW):
        parse(text)


def targets(settings: Settings) -> list[Target]:
    """Everyone who is to be told. UsageError when Airflow has no such connection or it cannot be read."""
    text = settings.notify.get_secret_value() if settings.notify is not None else ""
    if not text.startswith(_FROM_AIRFLOW):
        return parse(text)
    from csperf.sources.databases import airflow_connection

    name = text.removeprefix(_FROM_AIRFLOW).strip()
    try:
        return parse(airflow_connection(name).password or "")
    except ValueError as error:
        raise UsageError(f"The password of Airflow's connection '{name}' is wrong: {error}.") from None


def send(target: Target, title: str, body: str, event: Event | None = None) -> Sent:
    """Send a text to a target, a few times if need be; never raises."""
    from tenacity import RetryError, retry, retry_if_result, stop_after_attempt, stop_after_delay, wait_exponential

    service = _service(target.url)
    if service is None:
        return Sent(target, False, "apprise does not know this kind of URL or it is incomplete")
    with _overheard() as heard:

        @retry(
            retry=retry_if_result(lambda went: not went),
            stop=stop_after_attempt(_ATTEMPTS) | stop_after_delay(_LONGEST_SECONDS),
            wait=wait_exponential(multiplier=0.25, max=4),
        )
        def once() -> bool:
            heard.clear()
            return bool(service.notify(body=body, title=title, notify_type=_tone(event), body_format="text"))

        try:
            once()
        except RetryError:
            why = heard[0] if heard else "no answer"
        except Exception as error:
            why = type(error).__name__
        else:
            return Sent(target, True)
    return Sent(target, False, masked(" ".join(why.split()), url_pieces(target.url)).rstrip("."))


def send_message(target: Target, message: Message) -> Sent:
    """Send a message to a target."""
    return send(target, message.title, message.body, message.event)


def _service(url: str) -> Any:
    import apprise

    with _overheard():
        return apprise.Apprise.instantiate(url)


def _tone(event: Event | None) -> str:
    if event == "failure":
        return "failure"
    return "info" if event in (None, "ready") else "warning"


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What apprise warns of meanwhile, kept from every log: it and what it calls may name parts of a URL."""
    ear = _Ear()
    loggers = [logging.getLogger(name) for name in ("apprise", "urllib3", "requests_oauthlib")]
    before = [(logger, logger.propagate, logger.level, logger.handlers[:]) for logger in loggers]
    for logger in loggers:
        logger.propagate, logger.handlers = False, [ear] if logger.name == "apprise" else [logging.NullHandler()]
        logger.setLevel(logging.WARNING)
    try:
        yield ear.heard
    finally:
        for logger, propagate, level, handlers in before:
            logger.propagate, logger.handlers = propagate, handlers
            logger.setLevel(level)
