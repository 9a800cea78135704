"""The names of a plan version: each stands for one thing, and what is named is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from csperf.policy.figures import ATTRIBUTES, NUMBERS
from csperf.policy.models import Version
from csperf.policy.problems import Located, nearest
from csperf.published import RETRO_PREFIX

GROSS_PAY = "gross_pay"
"""What the month's pay components come to, for components that are reckoned on it."""
TIER_GRADES = ("next_grade", "lower_grade")
"""In tier rules: the grade above and below the employee's own."""


def names_twice(version: Version, base: Mapping[str, str]) -> Iterator[Located]:
    """Names that stand for two things, and names that no plan may use."""
    seen: dict[str, str] = {
        **dict.fromkeys(base, "a measure of the catalogue"),
        **dict.fromkeys([*ATTRIBUTES, *TIER_GRADES], "an attribute"),
        **dict.fromkeys([*NUMBERS, GROSS_PAY], "a number that every plan may read"),
    }
    for kind in ("figures", "terms", "measures", "components"):
        for name in getattr(version, kind):
            if name in seen:
                yield Located((kind, name), f"'{name}' is already {seen[name]}; choose another name")
            seen[name] = f"one of the plan's {kind}"
    for name in version.components:
        if name.startswith(RETRO_PREFIX):
            reason = f"names of components that start with '{RETRO_PREFIX}' are kept for corrections of earlier months"
            yield Located(("components", name), reason)


def scorecard_names(version: Version, derived: Mapping[str, int]) -> Iterator[Located]:
    """What the scorecard and the sample name that is not there."""
    card = version.scorecard
    for part, known in (("score", derived), ("rating", version.measures)):
        name = getattr(card, part)
        if name is not None and name not in known:
            yield Located(("scorecard", part), f"there is no derived measure '{name}'{nearest(name, known)}")
    rating = version.measures.get(card.rating) if card.rating else None
    if rating is not None and rating.unit != "level":
        reason = f"'{card.rating}' is no level measure; give it 'unit: level' and levels"
        yield Located(("scorecard", "rating"), reason)
    codes = [level.code for level in rating.levels.values()] if rating else []
    if card.director_below is not None and card.director_below not in codes:
        told = f"the rating has no level '{card.director_below}'{nearest(card.director_below, codes)}"
        yield Located(("scorecard", "director_below"), told if rating else "there is no rating with levels")
    figure = version.figures.get(version.sampling.figure) if version.sampling else None
    if version.sampling is not None and (figure is None or figure.value is None):
        plain = [name for name, entry in version.figures.items() if entry.value is not None]
        name = version.sampling.figure
        yield Located(("sampling", "figure"), f"there is no plain figure '{name}'{nearest(name, plain)}")
