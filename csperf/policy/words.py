"""A formula in the words of the people who are paid by it, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import exp

from csperf.policy.figures import Band
from csperf.policy.formula import parse
from csperf.policy.models import Version
from csperf.policy.names import GROSS_PAY

Lang = Literal["zh", "en"]
Both = tuple[str, str]
"""A word in Chinese and in English."""

CODES: dict[str, Both] = {
    **{"basic": ("基础客服", "basic"), "vip": ("贵宾客服", "vip"), "voice": ("话务客服", "voice")},
    **{"trial": ("试用", "trial"), "junior": ("初级", "junior"), "intermediate": ("中级", "intermediate")},
    **{"senior": ("高级", "senior"), "principal": ("专家", "principal"), "reserve": ("储备干部", "reserve")},
    **{"lead": ("组长", "lead"), "supervisor": ("主管", "supervisor"), "manager": ("经理", "manager")},
    **{"full_time": ("全职", "full time"), "part_time": ("兼职", "part time")},
    **{"high_school": ("高中", "high school"), "college": ("大专", "college")},
    **{"bachelor": ("本科", "bachelor"), "master": ("硕士", "master"), "other": ("其他", "any other")},
}
NAMES: dict[str, Both] = {
    **{"post": ("岗位", "post"), "grade": ("级别", "grade"), "employment": ("用工形式", "employment")},
    **{"education": ("学历", "education"), "team": ("团队", "team"), "city": ("城市", "city")},
    **{"next_grade": ("上一级", "the next grade"), "lower_grade": ("下一级", "the grade below")},
    "base_salary": ("本人基本工资", "own base salary"),
    "grade_decided": ("级别由评定产生", "the grade was decided here"),
    "previous_gross": ("上月应发工资", "gross pay of the month before"),
    GROSS_PAY: ("本月应发工资", "gross pay of the month"),
    "score": ("考核得分", "score"),
}
"""What is no measure, figure or component and still has a name."""

_SIGNS: dict[type[exp.Expression], str] = {
    **{exp.Add: "+", exp.Sub: "−", exp.Mul: "×", exp.Div: "÷"},
    **{exp.EQ: "=", exp.NEQ: "≠", exp.GT: ">", exp.GTE: "≥", exp.LT: "<", exp.LTE: "≤"},
}


@dataclass(frozen=True)
class Words:
    """Says the formulas of a plan version in one language."""

    version: Version
    catalogue: Mapping[str, Mapping[str, Any]]
    lang: Lang

    def __call__(self, text: str) -> str:
        """A formula in words."""
        return self.say(parse(text))

    def pick(self, both: Both) -> str:
        return both[0] if self.lang == "zh" else both[1]

    def name(self, name: str) -> str:
        """What people call a measure, component or attribute, and the number that a figure is; a code where nobody
        named it."""
        version = self.version
        if name in version.figures:
            labels, value = version.figures[name].labels, version.figures[name].value
            called = getattr(labels, self.lang) if labels is not None else None
            if value is None:
                return called or name
            return self.pick((f"{called}（{value}）", f"{called} ({value})")) if called else str(value)
        for kind in (version.measures, version.components):
            if name in kind:
                return str(getattr(kind[name].labels, self.lang))
        if name in self.catalogue:
            return str(self.catalogue[name][self.lang])
        return self.pick(NAMES[name]) if name in NAMES and name not in version.terms else name

    def code(self, code: str) -> str:
        """A code of an attribute in words."""
        return self.pick(CODES.get(code, (code, code)))

    def listed(self, parts: list[str]) -> str:
        return self.pick(("、", ", ")).join(parts)

    def band(self, band: Band) -> str:
        """An interval as everyone reads it: `20 < x ≤ 30`."""
        if band.low is not None and band.low == band.high:
            return f"x = {band.low}"
        low = "" if band.low is None else f"{band.low} {'≤' if band.low_closed else '<'} "
        high = "" if band.high is None else f" {'≤' if band.high_closed else '<'} {band.high}"
        return f"{low}x{high}" if low or high else self.pick(("任意", "any x"))

    def say(self, node: exp.Expression) -> str:
        if type(node) in _SIGNS:
            return f"{self.say(node.this)} {_SIGNS[type(node)]} {self.say(node.expression)}"
        handler = _SAID.get(type(node))
        return (
            handler(self, node) if handler is not None else str(node.sql(dialect="duckdb", normalize_functions="lower"))
        )

    def _literal(self, node: exp.Literal) -> str:
        return self.code(str(node.this)) if node.is_string else str(node.this)

    def _column(self, node: exp.Column) -> str:
        name = self.name(node.name)
        period = self.pick(
            {"quarter": ("季度", "the quarter's "), "year": ("年度", "the year's ")}.get(node.table, ("", ""))
        )
        named_for_it = name.startswith(period) or (bool(period) and name.startswith(f"{node.table} "))
        return name if named_for_it else f"{period}{name}"

    def _paren(self, node: exp.Paren) -> str:
        return f"({self.say(node.this)})"

    def _joined(self, node: exp.And | exp.Or) -> str:
        word = (" 且 ", " and ") if isinstance(node, exp.And) else (" 或 ", " or ")
        return f"{self.say(node.this)}{self.pick(word)}{self.say(node.expression)}"

    def _not(self, node: exp.Not) -> str:
        if isinstance(node.this, exp.Is):
            return f"{self.say(node.this.this)} {self.pick(('有值', 'is there'))}"
        return f"{self.pick(('非', 'not'))} ({self.say(node.this)})"

    def _is(self, node: exp.Is) -> str:
        return f"{self.say(node.this)} {self.pick(('无值', 'is absent'))}"

    def _in(self, node: exp.In) -> str:
        options = self.listed([self.say(option) for option in node.expressions])
        return f"{self.say(node.this)} {self.pick(('为', 'is one of'))} {options}"

    def _case(self, node: exp.Case) -> str:
        parts = []
        for branch in node.args["ifs"]:
            when, then = self.say(branch.this), self.say(branch.args["true"])
            parts.append(self.pick((f"若 {when}，则 {then}", f"if {when}: {then}")))
        default = node.args.get("default")
        if default is not None:
            parts.append(self.pick((f"否则 {self.say(default)}", f"else {self.say(default)}")))
        else:
            parts.append(self.pick(("否则无", "else nothing")))
        return self.pick(("；", "; ")).join(parts)

    def _extreme(self, node: exp.Greatest | exp.Least) -> str:
        parts = [self.say(part) for part in (node.this, *node.expressions)]
        greatest = isinstance(node, exp.Greatest)
        if len(parts) == 2:
            limit = next((at for at, part in enumerate((node.this, *node.expressions)) if self._is_number(part)), None)
            if limit is not None:
                word = ("不低于", "at least") if greatest else ("不高于", "at most")
                left, right = parts[1 - limit], parts[limit]
                return self.pick((f"（{left}，{word[0]} {right}）", f"({left}, {word[1]} {right})"))
        word = ("中最大者", "the greatest of") if greatest else ("中最小者", "the least of")
        return self.pick((f"（{self.listed(parts)}）{word[0]}", f"{word[1]} ({self.listed(parts)})"))

    def _is_number(self, node: exp.Expression) -> bool:
        """Whether a part of greatest or least is a number of the plan, which the other part is held against."""
        return isinstance(node, exp.Literal) or (isinstance(node, exp.Column) and node.name in self.version.figures)

    def _floor(self, node: exp.Floor) -> str:
        inner = self.say(node.this)
        return self.pick((f"（{inner}）取整", f"the whole part of ({inner})"))

    def _round(self, node: exp.Round) -> str:
        places = node.args.get("decimals")
        count = str(places.this) if places is not None else "0"
        inner = self.say(node.this)
        return self.pick((f"（{inner}）四舍五入至 {count} 位小数", f"({inner}) rounded to {count} places"))

    def _coalesce(self, node: exp.Coalesce) -> str:
        first, *rest = [self.say(part) for part in (node.this, *node.expressions)]
        others = self.pick(("，再无则取 ", ", else ")).join(rest)
        return self.pick((f"{first}（无则取 {others}）", f"{first} (where absent: {others})"))

    def _call(self, node: exp.Anonymous) -> str:
        name = str(node.this).lower()
        said = [self.say(part) for part in node.expressions]
        template = _CALLS.get(name)
        if template is None or len(said) < template[2]:
            return f"{name}({', '.join(said)})"
        return template[self.lang == "en"](self, said)  # type: ignore[operator]


def _pairs(words: Words, said: list[str]) -> str:
    return " + ".join(f"{weight} × ({value})" for weight, value in zip(said[::2], said[1::2], strict=False))


def _within(words: Words, said: list[str], zh: str, en: str) -> str:
    if not said:
        return words.pick(("全员", "all members"))
    return words.pick((f"{zh}{words.listed(said)}", f"{en} {words.listed(said)}"))


Saying = Callable[[Words, list[str]], str]
_CALLS: dict[str, tuple[Saying, Saying, int]] = {
    "band": (lambda w, s: f"{s[0]}（按 {s[1]}）", lambda w, s: f"{s[0]} for {s[1]}", 2),
    "at": (lambda w, s: f"{s[0]}（{s[1]}）", lambda w, s: f"{s[0]} of {s[1]}", 2),
    "prorated": (
        lambda w, s: f"{s[0]}，按在职天数和计薪天数折算",
        lambda w, s: f"{s[0]}, prorated by days active and days paid",
        1,
    ),
    "all_met": (
        lambda w, s: f"全部满足：{w.listed(s)}",
        lambda w, s: f"all of these hold: {w.listed(s)}",
        1,
    ),
    "scaled_up": (
        lambda w, s: f"{_pairs(w, s)}（缺项的权重由其余各项按比例分担）",
        lambda w, s: f"{_pairs(w, s)} (what is absent drops out and the other weights are scaled up)",
        2,
    ),
    "months_met": (
        lambda w, s: f"近 {s[0]} 个月中满足「{s[1]}」的月数",
        lambda w, s: f"the number of the last {s[0]} months with ({s[1]})",
        2,
    ),
    "months_mean": (
        lambda w, s: f"近 {s[0]} 个月 {s[1]} 的平均",
        lambda w, s: f"the mean of {s[1]} over the last {s[0]} months",
        2,
    ),
    "months_sum": (
        lambda w, s: f"近 {s[0]} 个月 {s[1]} 的合计",
        lambda w, s: f"the sum of {s[1]} over the last {s[0]} months",
        2,
    ),
    "quarters_mean": (
        lambda w, s: f"近 {s[0]} 个季度 {s[1]} 的平均",
        lambda w, s: f"the mean of {s[1]} over the last {s[0]} quarters",
        2,
    ),
    "previous": (lambda w, s: f"上月 {s[0]}", lambda w, s: f"last month's {s[0]}", 1),
    "marginal": (
        lambda w, s: f"{s[1]} 按 {s[0]} 分段累进",
        lambda w, s: f"each part of {s[1]} at its own band of {s[0]}",
        2,
    ),
    "rank_of": (
        lambda w, s: f"{s[0]} 在{_within(w, s[1:], '同', '')}中的名次",
        lambda w, s: f"the place by {s[0]} among {_within(w, s[1:], '', 'those of the same')}",
        1,
    ),
    "group_mean": (
        lambda w, s: f"{_within(w, s[1:], '同', '')}的 {s[0]} 平均",
        lambda w, s: f"the mean {s[0]} of {_within(w, s[1:], '', 'those of the same')}",
        1,
    ),
    "group_max": (
        lambda w, s: f"{_within(w, s[1:], '同', '')}的最高 {s[0]}",
        lambda w, s: f"the highest {s[0]} of {_within(w, s[1:], '', 'those of the same')}",
        1,
    ),
    "reports_mean": (
        lambda w, s: f"全部下属 {s[0]} 的平均",
        lambda w, s: f"the mean {s[0]} of all who report to the employee",
        1,
    ),
    "due": (
        lambda w, s: f"每 {s[0]} 个月到期为 1，否则为 0",
        lambda w, s: f"1 at the end of each stretch of {s[0]} months, else 0",
        1,
    ),
}
"""How each function is said in Chinese and English, and how many arguments that needs; others show as they are."""

_SAID: dict[type[exp.Expression], Callable[[Words, Any], str]] = {
    exp.Literal: Words._literal,
    exp.Column: Words._column,
    exp.Paren: Words._paren,
    exp.Neg: lambda words, node: f"−{words.say(node.this)}",
    exp.And: Words._joined,
    exp.Or: Words._joined,
    exp.Not: Words._not,
    exp.Is: Words._is,
    exp.In: Words._in,
    exp.Case: Words._case,
    exp.Greatest: Words._extreme,
    exp.Least: Words._extreme,
    exp.Floor: Words._floor,
    exp.Round: Words._round,
    exp.Coalesce: Words._coalesce,
    exp.Anonymous: Words._call,
}
