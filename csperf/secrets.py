"""Passwords and tokens kept out of what people and logs see.

Two nets: whoever knows the settings hides what they hold, piece by piece; and whatever looks like a URL with a user in
front of its host loses that part, wherever the URL came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from csperf.settings import Settings

HIDDEN = "***"
# Shorter pieces are no secrets worth the name, and hiding them would eat ordinary words.
LEAST = 6
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]+")
_ORDINARY = {"localhost", "services", "webhook", "markdown"}
_CREDENTIALS = re.compile(r"(\w[\w+.-]*:/+)[^\s'\"]*@")


def secrets_of(settings: Settings) -> set[str]:
    """What must not be read anywhere: the passwords of the database URLs, and every part of a notification URL."""
    found = {piece for url in (settings.source, settings.serving_url) if url for piece in _passwords(url)}
    if settings.notify is not None:
        found |= url_pieces(settings.notify.get_secret_value())
    return found


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the `secrets`, and without user and password of any URL in it."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _CREDENTIALS.sub(rf"\1{HIDDEN}@", text)


def url_pieces(text: str) -> set[str]:
    """The parts of notification URLs that may be tokens: in these even the host can be one.

    Host names with a dot, the names of options and ordinary words are none, so that logs stay readable.
    """
    found: set[str] = set()
    for url in re.findall(r"\w://(\S+)", text):
        words = re.split(r"[/?&@:,#]+", re.sub(r"[\w-]+=", "/", url))
        found |= {word for word in words if len(word) >= LEAST and word not in _ORDINARY and not _HOST.fullmatch(word)}
    return found | {unquote(piece) for piece in found}


def _passwords(url: str) -> set[str]:
    """The password of a database URL, as written and as read; the URL may be no valid one."""
    if "://" not in url:
        return set()
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    return {each for each in (password, unquote(password or "")) if each}
