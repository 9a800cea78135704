"""A plan version as a person reads it: what is paid and when, how it is reckoned, by which numbers and whose, and who
moves up or down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

from sqlglot import exp

from csperf.errors import CsperfError
from csperf.policy.expanding import Expanded
from csperf.policy.figures import ATTRIBUTES, Cell, Figure, Labels
from csperf.policy.formula import parse
from csperf.policy.library import Library, base_measures
from csperf.policy.models import Plan, Rule
from csperf.policy.words import Both, Lang, Words

Language = Literal["zh", "en", "both"]

PAY_DATES: dict[str, Both] = {
    "next_month_25": ("次月25日", "on the 25th of the next month"),
    "same_month_25": ("当月25日", "on the 25th of the month"),
    "last_working_day": ("当月最后一个工作日", "on the month's last working day"),
}
FREQUENCIES: dict[str, Both] = {
    "month": ("每月", "each month"),
    "quarter": ("每季，于季末月发放", "each quarter, in its last month"),
    "year": ("每年，于12月发放", "each year, in December"),
}
PERIODS: dict[str, Both] = {"month": ("月", "month"), "quarter": ("季度", "quarter"), "year": ("年度", "year")}
PROVENANCE: dict[str, Both] = {"seed": ("原文", "seed"), "assumption": ("假定", "assumption")}
DECISIONS: dict[str, Both] = {
    "promote": ("晋升", "promote"),
    "demote": ("降级", "demote"),
    "hold": ("保持", "hold"),
    "dismiss_review": ("淘汰评审", "review for dismissal"),
}
UNITS: dict[str, Both] = {
    **{"ratio": ("比率", "ratio"), "points": ("分", "points"), "score": ("得分", "score"), "share": ("比例", "share")},
    **{"count": ("次数", "count"), "money": ("金额", "money"), "level": ("等级", "level"), "flag": ("是否", "0 or 1")},
    **{"days": ("天数", "days"), "rank": ("名次", "rank"), "listed": ("名单", "list")},
}


@dataclass(frozen=True)
class Text:
    """A piece of text: plain, or of a style (`seed`, `assumption`, `code`) that also says itself in words."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Entry:
    """Something with a name: what it is called, its code, short facts beside it, and lines below it."""

    title: str
    code: str = ""
    facts: tuple[str, ...] = ()
    lines: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[Text, ...], ...], ...]
    """Of each row the cells, of each cell the lines."""


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it."""

    title: str
    intro: str = ""
    entries: tuple[Entry, ...] = ()
    table: Table | None = None


@dataclass(frozen=True)
class Page:
    """A plan as it is shown."""

    title: str
    facts: tuple[tuple[str, Text], ...]
    sections: tuple[Section, ...]


def plan_page(library: Library, code: str, day: date, lang: Language = "both") -> Page:
    """A plan as in force on a day; CsperfError before its first version."""
    plan = library[code].plan
    expanded = library[code].expanded_on(day)
    if expanded is None:
        raise CsperfError(f"Plan {code} is not in force on {day}: it starts on {plan.versions[0].effective_from}.")
    shared = {name: part.part.labels for name, part in library.parts.items()}
    labels = {name: loaded.plan.labels for name, loaded in library.items()}
    return Shown(expanded, {**base_measures(), **_for_everyone(library)}, {**labels, **shared}, lang).page(plan, day)


def _for_everyone(library: Library) -> dict[str, dict[str, str]]:
    """The labels of the measures that every plan may read."""
    versions = [version for part in library.parts.values() for version in part.part.versions]
    versions += [version for loaded in library.values() for version in loaded.versions]
    return {
        name: {"zh": measure.labels.zh, "en": measure.labels.en}
        for version in versions
        for name, measure in version.measures.items()
        if measure.everyone
    }


@dataclass
class Shown:
    """Puts one version of a plan into words. `shared` are the labels of the shared parts (and plans) by code."""

    expanded: Expanded
    catalogue: Mapping[str, Mapping[str, Any]]
    shared: Mapping[str, Labels]
    lang: Language = "both"
    words: tuple[Words, ...] = field(init=False)

    def __post_init__(self) -> None:
        langs: tuple[Lang, ...] = ("zh", "en") if self.lang == "both" else (self.lang,)
        self.words = tuple(Words(self.expanded.version, self.catalogue, lang) for lang in langs)

    def page(self, plan: Plan, day: date) -> Page:
        """The whole plan as in force on a day."""
        sections = [
            self._components("pay", ("薪资项目", "What is paid")),
            self._components("contribution", ("社保公积金，不计入应发工资", "Contributions, outside gross pay")),
            self._measures(),
            self._terms(),
            self._figures(),
            self._scorecard(),
            *self._tiers(),
            self._review(),
        ]
        shown = tuple(section for section in sections if section is not None)
        return Page(self._labels(plan.labels), tuple(self._facts(plan, day)), shown)

    # ---- words ------------------------------------------------------------------------------------------------

    def _say(self, both: Both) -> str:
        return " · ".join(dict.fromkeys(words.pick(both) for words in self.words))

    def _labels(self, labels: Labels) -> str:
        return self._say((labels.zh, labels.en))

    def _name(self, name: str) -> str:
        return " · ".join(dict.fromkeys(words.name(name) for words in self.words))

    def _code(self, code: str) -> str:
        return " ".join(dict.fromkeys(words.code(code) for words in self.words))

    def _listed(self, parts: list[str]) -> str:
        return self.words[0].listed(parts)

    def _formula(self, text: str) -> Iterator[Text]:
        """A formula in words, and as it stands in the file."""
        code = " ".join(text.split())
        said = dict.fromkeys(words(text) for words in self.words)
        yield from (Text(words) for words in said if words != code)
        yield Text(code, "code")

    def _from(self, kind: str, name: str = "") -> tuple[str, ...]:
        """Where an entry comes from, when another file says it."""
        reading, _ = self.expanded.origin(kind, name)
        if reading is self.expanded.reading or reading.model is None:
            return ()
        labels = reading.model.labels
        return (self._say((f"见「{labels.zh}」", f"from {labels.en}")),)

    # ---- sections ---------------------------------------------------------------------------------------------

    def _facts(self, plan: Plan, day: date) -> Iterator[tuple[str, Text]]:
        version, end = self.expanded.version, self.expanded.end
        yield self._say(("方案代码", "plan")), Text(plan.plan, "code")
        yield self._say(("依据", "source")), Text(plan.source)
        since = (f"{version.effective_from} 起", f"from {version.effective_from}")
        if end < date.max:
            last = end - timedelta(days=1)
            since = (f"{since[0]}，至 {last}", f"{since[1]} to {last}")
        yield self._say(("有效期", "in force")), Text(self._say(since))
        yield self._say(("查询日期", "shown for")), Text(day.isoformat())
        yield self._say(("发放日", "paid")), Text(self._say(PAY_DATES[plan.pay_date]))
        if version.uses:
            used = [f"{self._labels(self.shared[code])} ({code})" for code in version.uses]
            yield self._say(("引用", "uses")), Text("; ".join(used))
        assumed, all_figures = self._assumed()
        zh = f"{all_figures} 项中 {assumed} 项为假定，须由公司确认"
        en = f"{assumed} of {all_figures} are or hold assumptions, which the company must decide"
        yield self._say(("数字", "figures")), Text(self._say((zh, en)), "assumption" if assumed else "seed")

    def _assumed(self) -> tuple[int, int]:
        figures = self.expanded.version.figures.values()
        return sum(entry.provenance == "assumption" or bool(entry.assumed) for entry in figures), len(figures)

    def _components(self, group: str, title: Both) -> Section | None:
        entries = []
        for name, component in self.expanded.version.components.items():
            if component.group == group:
                facts = (self._say(FREQUENCIES[component.frequency]), *self._from("components", name))
                limits = (("最低", "at least", component.least), ("最高", "at most", component.most))
                facts += tuple(self._say((f"{zh} {end}", f"{en} {end}")) for zh, en, end in limits if end is not None)
                lines = tuple(self._formula(component.formula))
                entries.append(Entry(self._labels(component.labels), name, facts, lines))
        return Section(self._say(title), entries=tuple(entries)) if entries else None

    def _measures(self) -> Section | None:
        entries = []
        for name, measure in self.expanded.version.measures.items():
            of = self._say(("按" + "、".join(PERIODS[period][0] for period in measure.period),
                            "of each " + " and ".join(PERIODS[period][1] for period in measure.period)))  # fmt: skip
            facts = (of, self._say(UNITS[measure.unit]), *self._from("measures", name))
            facts += (self._say(("全体员工", "for everyone, whatever the plan")),) if measure.everyone else ()
            levels = [f"{number} = {self._say((level.zh, level.en))}" for number, level in measure.levels.items()]
            lines = (*self._formula(measure.formula), *([Text("; ".join(levels))] if levels else []))
            entries.append(Entry(self._labels(measure.labels), name, facts, lines))
        return Section(self._say(("计算指标", "Derived measures")), entries=tuple(entries)) if entries else None

    def _terms(self) -> Section | None:
        entries = tuple(
            Entry(name, "", self._from("terms", name), tuple(self._formula(text)))
            for name, text in self.expanded.version.terms.items()
        )
        intro = self._say(("公式中的共用部分，不取整", "parts that formulas share; they are not rounded"))
        return Section(self._say(("公式片段", "Terms")), intro, entries) if entries else None

    def _figures(self) -> Section | None:
        rows: list[tuple[tuple[Text, ...], ...]] = []
        for name, figure in self.expanded.version.figures.items():
            title = [Text(self._labels(figure.labels))] if figure.labels else []
            title += [Text(name, "code"), *(Text(part) for part in (figure.unit, figure.note) if part)]
            title += [Text(part) for part in self._from("figures", name)]
            for place, (keys, value, assumed) in enumerate(self._values(name, figure)):
                source = "assumption" if assumed else "seed"
                first = tuple(title) if place == 0 else (Text(""),)
                cells = (
                    (Text(keys),),
                    tuple(Text(line) for line in value),
                    (Text(self._say(PROVENANCE[source]), source),),
                )
                rows.append((first, *cells))
        headers = [("数字", "figure"), ("适用", "for"), ("取值", "value"), ("来源", "provenance")]
        table = Table(tuple(self._say(header) for header in headers), tuple(rows))
        intro = self._say(
            (
                "原文：方案原件所载；假定：原件未载，须由公司确认",
                "seed: the source document gives it; assumption: it does not, and the company must decide",
            )
        )
        return Section(self._say(("数字与标准", "Figures")), intro, table=table) if rows else None

    def _values(self, name: str, figure: Figure) -> Iterator[tuple[str, list[str], bool]]:
        """The rows of a figure: for whom, the values, whether assumed. Keys with equal values share a row."""
        grouped: dict[tuple[tuple[str, ...], bool], list[tuple[str, ...]]] = {}
        if len(figure.by) > 1 and figure.values is not None:  # the last attribute goes across
            across: dict[tuple[tuple[str, ...], bool], dict[str, list[str]]] = {}
            for keys, number in _in_order(figure):
                assumed = figure.provenance == "assumption" or bool(set(keys) & set(figure.assumed))
                across.setdefault((keys[:-1], assumed), {}).setdefault(str(number), []).append(self._code(keys[-1]))
            for (keys, assumed), values in across.items():
                lines = tuple(f"{self._listed(codes)}: {number}" for number, codes in values.items())
                grouped.setdefault((lines, assumed), []).append(keys)
        else:
            for keys, number in _in_order(figure):
                assumed = figure.provenance == "assumption" or bool(set(keys) & set(figure.assumed))
                grouped.setdefault((tuple(self._leaf(name, number)), assumed), []).append(keys)
        for (lines, assumed), keys_list in grouped.items():
            keys_told = [" / ".join(map(self._code, keys)) for keys in keys_list if keys]
            yield self._listed(keys_told), list(lines), assumed

    def _leaf(self, name: str, number: Any) -> Iterator[str]:
        if isinstance(number, Decimal):
            yield str(number)
            return
        levels = self._levels_by(name)
        for band in number:
            level = levels.get(band.value)
            yield f"{self.words[0].band(band)} → {band.value}{f' {level}' if level else ''}"

    def _levels_by(self, figure: str) -> dict[Decimal, str]:
        """What the numbers of a scale are called, where a level measure is that scale's value."""
        for measure in self.expanded.version.measures.values():
            node = parse(measure.formula) if measure.levels else None
            is_band = isinstance(node, exp.Anonymous) and str(node.this).lower() == "band"
            if node is not None and is_band and node.expressions[0].name == figure:
                return {Decimal(number): self._say((level.zh, level.en)) for number, level in measure.levels.items()}
        return {}

    def _scorecard(self) -> Section | None:
        version, card = self.expanded.version, self.expanded.version.scorecard
        lines = []
        if card.score is not None:
            ranked = self._say(("同方案同岗位内排名", "ranked within plan and post"))
            lines.append((("考核得分", "score"), f"{self._name(card.score)} ({ranked})"))
        if card.rating is not None:
            lines.append((("考核等级", "rating"), self._name(card.rating)))
        if card.director_below is not None and card.rating is not None:
            levels = version.measures[card.rating].levels.values()
            level = next(level for level in levels if level.code == card.director_below)
            told = self._say((f"等级低于「{level.zh}」者", f"whoever is rated below {level.en}"))
            lines.append((("交主管裁定", "for the director's ruling"), told))
        if version.sampling is not None:
            number = version.figures[version.sampling.figure].value
            told = self._say((f"每人每日 {number} 条", f"{number} interactions an agent and day"))
            lines.append((("质检抽样", "QA sample"), told))
        intro = "\n".join(f"{self._say(what)}: {told}" for what, told in lines)
        return Section(self._say(("考核与质检", "Scorecard and QA sample")), intro) if lines else None

    def _tiers(self) -> Iterator[Section]:
        tiers = self.expanded.version.tiers
        if tiers is None:
            return
        tracks = []
        for track, grades in tiers.all_tracks().items():
            path = " → ".join(map(self._code, grades))
            tracks.append(f"{track}: {path}" if track else path)
        order = ("按次序逐条判断，先满足者生效", "the rules are tried in this order; the first that holds decides")
        rules = tuple(self._rule(number, rule) for number, rule in enumerate(tiers.rules))
        title = self._say(("晋升与降级", "Grades: up and down"))
        yield Section(title, "\n".join([*tracks, self._say(order), *self._from("tiers")]), rules)

    def _rule(self, number: int, rule: Rule) -> Entry:
        facts = []
        if rule.grades:
            facts.append(self._say(("适用", "for")) + " " + self._listed([*map(self._code, rule.grades)]))
        if rule.levels > 1:
            facts.append(self._say((f"晋升 {rule.levels} 级", f"{rule.levels} grades up")))
        if rule.decision == "demote":
            lowest = DECISIONS[rule.lowest]
            facts.append(self._say((f"最低级别者{lowest[0]}", f"on the lowest grade: {lowest[1]}")))
        for name, told in (
            (rule.notice, ("公示工作日", "working days of public notice")),
            (rule.base_raise, ("基本工资上调比例", "share that the base rises by")),
            (rule.leave_days, ("增加年假天数", "days of leave a year")),
        ):
            if name is not None:
                facts.append(f"{self._say(told)}: {self.expanded.version.figures[name].value}")
        lines = [line for condition in rule.conditions for line in self._condition(condition)]
        if rule.contest is not None:
            lines.append(Text(f"• {self._labels(rule.contest.labels)}"))
            lines += self._contest(rule)
        if not lines:
            lines = [Text(self._say(("其余情形", "in all other cases")))]
        title = f"{number + 1}. {self._say(DECISIONS[rule.decision])} — {self._labels(rule.reason)}"
        return Entry(title, "", tuple(facts), tuple(lines))

    def _condition(self, condition: Any) -> Iterator[Text]:
        yield Text(f"• {self._labels(condition.labels)}")
        sign = {">=": "≥", "<=": "≤"}.get(condition.operator, condition.operator)
        code = " ".join(f"{condition.value} {condition.operator} {condition.threshold}".split())
        said = dict.fromkeys(f"{words(condition.value)} {sign} {words(condition.threshold)}" for words in self.words)
        yield from (Text(f"  {words}") for words in said)
        yield Text(f"  {code}", "code")

    def _contest(self, rule: Rule) -> Iterator[Text]:
        assert rule.contest is not None
        places = self.expanded.version.figures[rule.contest.places].value
        for words in self.words:
            within = words.listed([words.name(name) for name in rule.contest.within])
            by = words(rule.contest.by)
            group = words.pick((f"每个{within}", f"in each {within}") if within else ("全员", "in all"))
            told = (f"{group} {places} 个名额，按 {by} 排名", f"{places} places {group}, by {by}")
            yield Text(f"  {words.pick(told)}")
        yield Text("  " + " ".join(rule.contest.by.split()), "code")

    def _review(self) -> Section | None:
        version, entries = self.expanded.version, []
        if version.base is not None:
            title = self._say(("调薪基数", "base that raises are reckoned on"))
            entries.append(Entry(title, "base", self._from("base"), tuple(self._formula(version.base))))
        if version.review is not None:
            lines = tuple(self._formula(version.review.raise_share))
            entries.append(Entry(self._labels(version.review.labels), "raise_share", self._from("review"), lines))
        return Section(self._say(("薪资调整", "Salary review")), entries=tuple(entries)) if entries else None


def _in_order(figure: Figure) -> list[Cell]:
    """A figure's rows in the order of the codes, grades from low to high."""

    def place(row: Cell) -> list[int]:
        orders = (ATTRIBUTES[attribute] for attribute in figure.by)
        return [codes.index(key) if key in codes else len(codes) for codes, key in zip(orders, row[0], strict=True)]

    return sorted(figure.cells(), key=place)
