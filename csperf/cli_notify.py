"""The command `csperf notify`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from csperf import console
from csperf.errors import CsperfError, UsageError
from csperf.settings import load_settings


def notify(
    test: Annotated[bool, typer.Option("--test", help="Send a test to each target and say whether it went.")] = False,
) -> None:
    """Tell what is overdue and what could not be told before (a line for cron) to those named in CSPERF_NOTIFY."""
    from csperf import notify as told
    from csperf.landing import partitions
    from csperf.notify import occasions

    settings, at = load_settings(), datetime.now(UTC)
    if settings.notify is None:
        raise UsageError("Nobody is to be told; name targets in CSPERF_NOTIFY, like data=dingtalk://TOKEN.")
    if test:
        done = told.test(settings, at)
    else:
        done = told.tell(settings, occasions.overdue_now(settings, partitions(settings), at), at)
    console.show(*(f"{sent.target.name}: sent." for sent in done if sent.ok))
    failed = [f"{sent.target.name} was not reached: {sent.why}." for sent in done if not sent.ok]
    if failed:
        raise CsperfError("\n".join(failed))
    if not done:
        console.show("There was nothing to tell.")
