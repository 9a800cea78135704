"""How an extract is shown: the language of its headings, with or without names, and the payroll system's own layout.

The form is noted in the manifest, so that a revision comes out the same to the byte whatever the settings are by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from csperf.errors import CsperfError, UsageError
from csperf.extract.layout import Layout, load_layout
from csperf.settings import Settings

Language = Literal["codes", "zh", "en", "both"]

# Of the columns that are no components: Chinese, English, and what the legend adds.
LABELS: Mapping[str, tuple[str, str]] = {
    "employee_id": ("工号", "employee number"),
    "name": ("姓名", "name"),
    "team": ("小组", "team"),
    "post": ("岗位", "post"),
    "grade": ("级别", "grade"),
    "plan": ("薪资方案", "plan"),
    "gross_pay": ("应发合计", "gross pay"),
    "pay_date": ("发薪日", "pay date"),
    "leave_date": ("离职日", "last day of employment"),
    "still_due": ("未结清", "still due"),
    "component": ("薪资项目", "component"),
    "component_group": ("类别", "group"),
    "label": ("名称", "label"),
    "quantity": ("数量", "quantity"),
    "rate": ("单价", "rate"),
    "base_amount": ("基数", "base"),
    "amount": ("金额", "amount"),
    "policy_version": ("方案版本", "plan version"),
    "explanation": ("计算说明", "explanation"),
    "employees": ("人数", "employees"),
    "section": ("部分", "section"),
    "entry": ("条目", "entry"),
    "code": ("代码", "code"),
    "applies": ("适用", "for"),
    "content": ("内容", "content"),
    "provenance": ("来源", "provenance"),
    "column": ("列", "column"),
    "chinese": ("中文", "Chinese"),
    "english": ("英文", "English"),
    "note": ("备注", "note"),
    "pay_month": ("薪资月份", "pay month"),
    "revision": ("修订号", "revision"),
    "for_month": ("所属月份", "for month"),
    "for_revision": ("所属修订号", "for revision"),
    "cause": ("原因", "cause"),
    "changed": ("变更内容", "what has changed"),
}
NOTES: Mapping[str, str] = {
    "gross_pay": "the sum of pay and retro lines; contributions lie outside it",
    "still_due": "corrections that could not be taken back yet (below zero)",
}
# What a spreadsheet takes for the start of a formula, the full-width signs of Chinese ones included.
_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")


@dataclass(frozen=True)
class Form:
    """How an extract is shown; the default is the contract's."""

    language: Language = "codes"
    names: bool = True
    layout: Layout | None = None

    def in_manifest(self) -> dict[str, Any]:
        """The form as it stands in a manifest, the whole layout included."""
        layout = self.layout.model_dump(mode="json") if self.layout else None
        return {"language": self.language, "names": self.names, "layout": layout}

    def headings(self, columns: Sequence[str], labels: Mapping[str, tuple[str, str]]) -> list[str]:
        """The headings of columns by their codes; two that would read the same have their codes with them."""
        if self.language == "codes":
            return list(columns)
        told = [self.words(labels.get(name) or LABELS.get(name, ("", ""))) for name in columns]
        return [
            text if text and told.count(text) == 1 else f"{text} ({name})".strip()
            for name, text in zip(columns, told, strict=True)
        ]

    def words(self, label: tuple[str, str]) -> str:
        """A label (Chinese, English) in the form's language; in codes its English."""
        chinese, english = label
        if self.language == "both":
            return " · ".join(dict.fromkeys(part for part in label if part))
        return (chinese or english) if self.language == "zh" else (english or chinese)


def form_of(settings: Settings) -> Form:
    """The form that the settings ask for; UsageError when the layout cannot be used."""
    layout = load_layout(settings.extract_layout) if settings.extract_layout else None
    if layout is not None and not settings.extract_names and any(each.column == "name" for each in layout.columns):
        raise UsageError(
            f"The layout {settings.extract_layout} has a column with names, and CSPERF_EXTRACT_NAMES is false; take "
            "the column out of the layout."
        )
    return Form(settings.extract_language, settings.extract_names, layout)


def kept_form(manifest: Mapping[str, Any]) -> Form:
    """The form of a revision, from its manifest; CsperfError when today's code does not know it any more."""
    kept = manifest.get("form")
    if kept is None:  # of a revision from before there were forms
        return Form()
    try:
        layout = Layout.model_validate(kept["layout"]) if kept["layout"] is not None else None
    except ValidationError as error:
        first = error.errors()[0]
        raise CsperfError(
            f"The layout in the manifest of {manifest.get('pay_month')} is not one that this version of csperf knows "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']}); prove the revision with the version of its time."
        ) from None
    return Form(kept["language"], kept["names"], layout)


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that starts like it gets an apostrophe before it."""
    return f"'{text}" if text and text[0] in _FORMULA_STARTS else text


def unharmed(text: str) -> str:
    """The text that `harmless` was given."""
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA_STARTS else text


def cell_text(cell: object, decimal_point: str = ".") -> str:
    """A cell as a csv has it, unquoted. Amounts are numbers and stay as they are, negative ones too."""
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return str(cell).replace(".", decimal_point)
    return str(cell) if isinstance(cell, int | date) else harmless(str(cell))


def csv_line(texts: Iterable[str], delimiter: str = ",") -> str:
    """A line of a csv from texts, quoted where they must be."""
    special = {delimiter, '"', "\r", "\n"}
    quoted = ('"' + text.replace('"', '""') + '"' if special & set(text) else text for text in texts)
    return delimiter.join(quoted) + "\r\n"


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """A csv as the contract has it: UTF-8 with BOM."""
    lines = (csv_line(map(cell_text, row)) for row in rows)
    path.write_text("".join(lines), encoding="utf-8-sig", newline="")
