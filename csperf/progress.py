"""How a long step tells whoever started it how far it is: one small callable, or none at all."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the step's name, how much of it is done, and of how much (0 of 0: not known)."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


def silent(step: str, done: int, total: int) -> None:
    """Tells nobody: what a step uses when no progress is wanted."""
