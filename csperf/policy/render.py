"""A shown plan on the terminal (rich) or as Markdown for a handbook."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text as RichText

from csperf.policy.show import Entry, Page, Section, Table, Text

_STYLES = {"seed": "green", "assumption": "bold yellow", "code": "dim"}


def terminal(page: Page) -> Group:
    """The plan for the terminal: words wrap, what is assumed is yellow and says so."""
    facts = RichTable(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, text in page.facts:
        facts.add_row(name, _styled(text))
    parts: list[RenderableType] = [RichText(page.title, style="bold"), facts]
    for section in page.sections:
        parts += ["", RichText(section.title, style="bold underline")]
        parts += [RichText(line) for line in section.intro.splitlines()]
        parts += [part for entry in section.entries for part in _entry(entry)]
        if section.table is not None:
            parts.append(_table(section.table))
    return Group(*parts)


def _styled(text: Text) -> RichText:
    return RichText(text.text, style=_STYLES.get(text.style, ""))


def _entry(entry: Entry) -> Iterator[RenderableType]:
    title = RichText(entry.title, style="bold")
    if entry.code and entry.code != entry.title:
        title.append(f"  {entry.code}", style="dim")
    if entry.facts:
        title.append(f"  [{'; '.join(entry.facts)}]", style="not bold")
    yield Padding(title, (0, 0, 0, 2), expand=False)
    for line in entry.lines:
        indent = len(line.text) - len(line.text.lstrip())
        yield Padding(_styled(Text(line.text.lstrip(), line.style)), (0, 0, 0, 6 + indent), expand=False)


def _table(table: Table) -> RichTable:
    shown = RichTable(*(Column(name, overflow="fold") for name in table.columns), box=box.SIMPLE_HEAD)
    for row in table.rows:
        shown.add_row(*(RichText("\n").join(map(_styled, cell)) for cell in row))
    return shown


def markdown(page: Page) -> str:
    """The plan as Markdown."""
    return "\n".join([*_lines(page), ""])


def _lines(page: Page) -> Iterator[str]:
    yield f"# {page.title}"
    yield ""
    for name, text in page.facts:
        yield f"- {name}: {_marked(text)}"
    for section in page.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield ""
    yield f"## {section.title}"
    for number, words in enumerate(section.intro.splitlines()):
        yield from ("", _plain(words)) if number == 0 else (f"<br>{_plain(words)}",)
    for entry in section.entries:
        yield ""
        code = f" `{entry.code}`" if entry.code and entry.code != entry.title else ""
        facts = f" ({'; '.join(entry.facts)})" if entry.facts else ""
        yield f"**{_plain(entry.title)}**{code}{facts}"
        yield ""
        for line in entry.lines:
            below = line.text.startswith("  ")
            marked = _marked(Text(line.text.strip().removeprefix("• "), line.style))
            yield f"{'  ' if below else ''}- {marked}"
    if section.table is not None:
        yield ""
        yield f"| {' | '.join(section.table.columns)} |"
        yield f"|{' --- |' * len(section.table.columns)}"
        for row in section.table.rows:
            cells = ["<br>".join(_marked(part).replace("|", "\\|") for part in cell) for cell in row]
            yield f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text in which Markdown finds nothing of its own."""
    return text.replace("*", "\\*").replace("<", "&lt;")


def _marked(text: Text) -> str:
    if text.style == "code":
        return f"`{text.text}`"
    return f"**{_plain(text.text)}**" if text.style == "assumption" else _plain(text.text)
