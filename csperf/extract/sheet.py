"""The extract as a workbook that opens well: the lists as in the csv, totals, every line, the plans in force, a legend.

Equal figures give equal bytes: nothing in it comes from the clock. Formulas have their value beside them, so that a
viewer that does not compute shows it too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from csperf.extract.content import Content, Table
from csperf.extract.form import LABELS, NOTES, Form, harmless
from csperf.extract.totals import Total, Totals
from csperf.periods import Month
from csperf.policy.library import Library, version_code
from csperf.policy.show import Language, Page, Text, plan_page

LINE_COLUMNS = (
    "employee_id", "name", "component", "label", "component_group", "quantity", "rate", "base_amount", "amount",
    "policy_version", "explanation",
)  # fmt: skip
_TOTAL_COLUMNS = ("component", "chinese", "english", "component_group", "employees", "amount")
_POLICY_COLUMNS = ("policy_version", "section", "entry", "code", "applies", "content", "provenance")
_LEGEND_COLUMNS = ("column", "chinese", "english", "note")
_MAX_ROWS = 1_048_576
_MAX_TEXT = 32_767
"""What a sheet and a cell can hold."""
_MEASURED_ROWS = 500
_WIDTHS = (8, 60)
_A4 = 9


@dataclass(frozen=True)
class Book:
    """What goes into the workbook. `lines` are rows with the columns of LINE_COLUMNS without label, name first found
    by the number; `plans` the plans in force and the codes of those that the month's people are on."""

    content: Content
    lines: Sequence[Sequence[object]]
    totals: Totals
    library: Library
    plans: Sequence[str]
    form: Form
    month: Month


def write_sheet(path: Path, book: Book) -> None:
    """Write the workbook."""
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as file:
        # A fixed date instead of the clock: equal figures give equal bytes.
        created = datetime.combine(book.month.last_day, datetime.min.time())
        file.set_properties({"title": f"Payroll {book.month}", "created": created})
        sheets = _Sheets(file, book.form, book.content.labels)
        lists = {_TITLES[part].format(month=book.month): table for part, table in book.content.lists().items()}
        for title, table in lists.items():
            sheet = sheets.listing(title, table.columns, table.rows, fixed=2 if book.form.names else 1)
            sheets.total(sheet, table, [*book.content.groups, "gross_pay", "still_due"])
        _totals(sheets, book, lists)
        rows = list(_line_rows(book))
        columns = LINE_COLUMNS if book.form.names else tuple(name for name in LINE_COLUMNS if name != "name")
        for number, start in enumerate(range(0, max(len(rows), 1), _MAX_ROWS - 1), start=1):
            part = rows[start : start + _MAX_ROWS - 1]
            sheets.listing(f"lines {number}" if number > 1 else "lines", columns, part, fixed=1)
        sheets.listing("policy", _POLICY_COLUMNS, list(_policy_rows(book)), fixed=1, wrapped=True)
        named = dict.fromkeys(name for table in lists.values() for name in table.columns)
        legend = [[name, *_label(book, name), NOTES.get(name, "")] for name in named]
        sheets.listing("columns", _LEGEND_COLUMNS, legend)


_TOTAL = ("合计", "total")
_TITLES = {"extract": "payroll {month}", "leavers": "left {month}"}


class _Sheets:
    """Writes lists as sheets of one look."""

    def __init__(self, file: xlsxwriter.Workbook, form: Form, labels: Mapping[str, tuple[str, str]]) -> None:
        self._file, self._form, self._labels = file, form, labels
        self.bold = file.add_format({"bold": True, "bottom": 1})
        self._wrapped_bold = file.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.money = file.add_format({"num_format": "#,##0.00"})
        self._total = file.add_format({"bold": True, "top": 1, "num_format": "#,##0.00"})
        self.count = file.add_format({"num_format": "#,##0"})
        self._day = file.add_format({"num_format": "yyyy-mm-dd"})
        self._wrap = file.add_format({"text_wrap": True, "valign": "top"})

    def listing(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        fixed: int = 1,
        wrapped: bool = False,
    ) -> Worksheet:
        """A list with its headings, which stay in sight and are printed on each page, and a filter."""
        sheet = self._file.add_worksheet(title)
        sheet.freeze_panes(1, fixed)
        sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)
        sheet.set_landscape()
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        sheet.set_footer("&L&A&R&P / &N")
        headings = self._form.headings(columns, self._labels)
        for column, heading in enumerate(headings):
            self.text(sheet, 0, column, harmless(heading), self._wrapped_bold if wrapped else self.bold)
            measured = max((_width(row[column]) for row in rows[:_MEASURED_ROWS]), default=0)
            # Two more for the filter's button.
            sheet.set_column(column, column, min(max(_width(heading) + 3, measured + 1, _WIDTHS[0]), _WIDTHS[1]))
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                self._cell(sheet, number, column, columns[column], cell, wrapped)
        return sheet

    def total(self, sheet: Worksheet, table: Table, summed: Sequence[str]) -> None:
        """The totals row below a list: of what the filter leaves in sight, with the total of all beside the formula."""
        last = len(table.rows)
        if not last:
            return
        for place, column in enumerate(table.columns):
            if column in summed:
                value = sum((cell for row in table.rows if isinstance(cell := row[place], Decimal)), Decimal(0))
                letter = xl_col_to_name(place)
                formula = f"=SUBTOTAL(9,{letter}2:{letter}{last + 1})"
                sheet.write_formula(last + 1, place, formula, self._total, float(value))
            else:
                sheet.write(last + 1, place, self._form.words(_TOTAL) if place == 0 else None, self._total)

    def _cell(self, sheet: Worksheet, row: int, column: int, name: str, cell: object, wrapped: bool) -> None:
        if isinstance(cell, Decimal):
            # A sheet has no decimals; a double holds an amount to the cent as far as 15 digits go.
            plain = name in ("quantity", "rate", "base_amount")
            sheet.write_number(row, column, float(cell), None if plain else self.money)
        elif isinstance(cell, int):
            sheet.write_number(row, column, cell, self.count)
        elif isinstance(cell, date):
            sheet.write_datetime(row, column, datetime.combine(cell, datetime.min.time()), self._day)
        elif cell is not None and cell != "":
            self.text(sheet, row, column, str(cell), self._wrap if wrapped else None)

    def text(self, sheet: Worksheet, row: int, column: int, text: str, look: object = None) -> None:
        """A text as a text, whatever it looks like; the little that no cell can hold is cut."""
        sheet.write_string(row, column, text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…", look)


def _width(cell: object) -> int:
    """How many letters wide a cell is shown; a Chinese one is as wide as two."""
    if isinstance(cell, Decimal):
        return len(f"{cell:,.2f}")
    lines = str(cell if cell is not None else "").splitlines() or [""]
    return max(
        len(line) + (0 if line.isascii() else sum(unicodedata.east_asian_width(letter) in "WF" for letter in line))
        for line in lines
    )


def _label(book: Book, name: str) -> tuple[str, str]:
    return book.content.labels.get(name) or LABELS.get(name, ("", ""))


# ---- totals ---------------------------------------------------------------------------------------------------


def _totals(sheets: _Sheets, book: Book, lists: Mapping[str, Table]) -> None:
    """The control totals: of each component and of gross pay as formulas over the lists, then by plan and team."""
    totals, groups = book.totals, book.content.groups
    known: list[tuple[str, str, Total]] = [(name, groups[name], each) for name, each in totals.components.items()]
    rows: list[list[object]] = [
        [name, *_label(book, name), group, each.employees, each.amount]
        for name, group, each in [*known, ("gross_pay", "", totals.gross)]
    ]
    below: list[list[object]] = [[None] * len(_TOTAL_COLUMNS)]
    for column, found in (("plan", totals.plans), ("team", totals.teams)):
        for name, each in found.items():
            chinese, english = LABELS[column]
            below.append([name, chinese, english, "gross_pay", each.employees, each.amount])
    sheet = sheets.listing("totals", _TOTAL_COLUMNS, [*rows, *below])
    for number, row in enumerate(rows, start=1):
        ranges = [
            f"'{title}'!{_letter(table, str(row[0]))}2:{_letter(table, str(row[0]))}{len(table.rows) + 1}"
            for title, table in lists.items()
            if str(row[0]) in table.columns and table.rows
        ]
        if ranges:
            both = ",".join(ranges)
            sheet.write_formula(number, 4, f"=COUNT({both})", sheets.count, row[4])
            sheet.write_formula(number, 5, f"=SUM({both})", sheets.money, float(str(row[5])))


def _letter(table: Table, column: str) -> str:
    return str(xl_col_to_name(table.columns.index(column)))


# ---- lines and policy -----------------------------------------------------------------------------------------


def _line_rows(book: Book) -> Iterator[list[object]]:
    """Every pay line with the employee's name and the component's label."""
    lists = (book.content.people, book.content.leavers)
    names = {row[0]: table.of(row, "name") for table in lists for row in table.rows}
    for who, component, *rest in book.lines:
        chinese, english = _label(book, str(component))
        shown = {"zh": chinese or english, "en": english or chinese}
        label = shown.get(book.form.language) or " · ".join(dict.fromkeys(each for each in (chinese, english) if each))
        yield [who, *([names.get(who)] if book.form.names else []), component, label, *rest]


def _policy_rows(book: Book) -> Iterator[list[object]]:
    """Each plan of the month as in force on its last day: what `csperf policy show` tells of it."""
    lang: Language = "both" if book.form.language == "codes" else book.form.language
    for code in book.plans:
        loaded, day = book.library.get(code), book.month.last_day
        version = loaded.version_on(day) if loaded else None
        if loaded is not None and version is not None:
            yield from _page_rows(version_code(loaded.plan, version), plan_page(book.library, code, day, lang))


def _page_rows(code: str, page: Page) -> Iterator[list[object]]:
    for name, text in page.facts:
        yield [code, page.title, name, "", "", text.text, ""]
    for section in page.sections:
        if section.intro:
            yield [code, section.title, "", "", "", section.intro, ""]
        for entry in section.entries:
            yield [code, section.title, entry.title, entry.code, "\n".join(entry.facts), _told(entry.lines), ""]
        title: tuple[Text, ...] = ()
        for first, keys, value, provenance in section.table.rows if section.table else ():
            title = first if any(text.text for text in first) else title  # a figure's later rows do not repeat it
            name = "\n".join(text.text for text in title if text.style != "code")
            codes = "\n".join(text.text for text in title if text.style == "code")
            yield [code, section.title, name, codes, _told(keys), _told(value), _told(provenance)]


def _told(texts: Sequence[Text]) -> str:
    return "\n".join(text.text for text in texts)
