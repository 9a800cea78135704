"""What dbt's `adapter` is to sqlfluff: the models are rendered for linting without a database."""

from __future__ import annotations

from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context


@pass_context
def dispatch(context: Context, name: str) -> Any:
    """The default form of a macro that engines write differently."""
    return context.resolve(f"default__{name}")
