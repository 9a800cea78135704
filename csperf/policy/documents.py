"""Reading a plan file: safe YAML with the line of every key, and one clear sentence for what cannot be read.

A plan's YAML is plain: texts, numbers, true and false, blocks and lists. Dates stay texts until a model reads them,
numbers with a point are decimals, `010` is ten and `no` a word. Doubled keys, tags, tabs and anything that is too long
or too deep for a plan, also by aliases of aliases, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from csperf.policy.problems import Problem

MAX_BYTES = 256_000
"""A plan of the size of all shipped ones together still fits."""
MAX_DEPTH = 30
"""Blocks within blocks; a plan needs nine."""
MAX_ENTRIES = 50_000
"""Texts, blocks and lists, aliases filled in."""


@dataclass(frozen=True)
class Document:
    """A file's content with its places."""

    path: Path
    content: Any
    root: yaml.Node

    def line(self, keys: tuple[str, ...]) -> int:
        """The line at which the keys lead to a node, as far as they lead."""
        node = self.root
        line = node.start_mark.line + 1
        for key in keys:
            found = None
            if isinstance(node, yaml.MappingNode):
                found = _entry(node, key)
            elif isinstance(node, yaml.SequenceNode):
                entries = list(enumerate(node.value))
                found = next(((v, v) for i, v in entries if str(i) == key or _named(v) == key), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return line

    def problem(self, keys: tuple[str, ...], reason: str, warning: bool = False) -> Problem:
        return Problem(self.path, self.line(keys), keys, reason, warning)


def _entry(node: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """A block's key and value; one that it takes over by `<<` where that is written."""
    for k, v in node.value:
        if str(k.value) == key:
            return k, v
    merged = [v for k, v in node.value if k.value == "<<"]
    blocks = [block for v in merged for block in (v.value if isinstance(v, yaml.SequenceNode) else [v])]
    return next(
        (found for block in blocks if isinstance(block, yaml.MappingNode) and (found := _entry(block, key))), None
    )


def _named(node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((str(v.value) for k, v in node.value if k.value == "name"), None)


class _Refused(Exception):
    def __init__(self, reason: str, line: int | None = None, keys: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason, self.line, self.keys = reason, line, keys


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without its surprises (see the module)."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line, tag = event.start_mark.line + 1, getattr(event, "tag", None)
        if tag is not None:
            raise _Refused(f"the tag {tag} is not read here; write plain texts and numbers", line)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Refused(_TOO_DEEP, line)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _tag, _pattern, _first in (
    ("merge", "<<", ["<"]),  # a later version takes over an earlier one's entries: `<<: *first`
    ("bool", "true|false|True|False|TRUE|FALSE", [*"tTfF"]),
    ("null", "~|null|Null|NULL|", [*"~nN", ""]),
    ("int", r"[-+]?[0-9][0-9_]*", [*"-+0123456789"]),
    ("float", r"[-+]?[0-9][0-9_]*\.[0-9]*", [*"-+0123456789"]),
):
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)
_PlainLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(str(node.value)))
_PlainLoader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: Decimal(str(node.value)))


def read_document(path: Path) -> tuple[Document | None, list[Problem]]:
    """A file as a document, and what is wrong with its text; None when it cannot be read at all."""
    try:
        content, root, doubled = _parsed(_bytes(path))
    except _Refused as refused:
        return None, [Problem(path, refused.line, refused.keys, refused.reason)]
    return Document(path, content, root), [Problem(path, line, keys, reason) for line, keys, reason in doubled]


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _Refused(f"the file is larger than {MAX_BYTES // 1000} kB, too large for a plan; cut it into parts")
        return path.read_bytes()
    except OSError as error:
        raise _Refused(f"the file cannot be read: {error.strerror or error}") from None


@lru_cache(maxsize=128)
def _parsed(data: bytes) -> tuple[Any, yaml.Node, list[tuple[int, tuple[str, ...], str]]]:
    """A file's content, its nodes and its doubled keys: kept, for the same files are loaded again and again."""
    text = _text(data)
    root = _root(text)
    if root is None:
        raise _Refused("the file is empty")
    _entries(root, {}, ())
    doubled = list(_doubled(root, ()))
    loader = _PlainLoader("")
    try:
        # Merged entries are filled in in the nodes themselves: those that tell the lines are kept apart from that.
        return loader.construct_document(_root(text) if "<<" in text else root), root, doubled
    except yaml.constructor.ConstructorError as error:  # a merge key of something that is no block
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _Refused("only a block, or a list of blocks, can be taken over by '<<'", line) from None
    finally:
        loader.dispose()


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Refused("the file is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _Refused("the line is not UTF-8 (GB18030, perhaps); save the file as UTF-8", line) from None


def _root(text: str) -> yaml.Node | None:
    try:
        loader = _PlainLoader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Refused(f"the line holds the character U+{int(error.character):04X}, no text", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        written = (text.splitlines()[line - 1 : line] or [""])[0][:300]
        raise _Refused(_broken(f"{error.problem}", written), line) from None


_TOO_DEEP = f"blocks lie more than {MAX_DEPTH} deep within each other; a plan needs fewer than ten"


def _entries(node: yaml.Node, known: dict[int, int], above: tuple[int, ...]) -> int:
    """How many entries a node has with its aliases filled in; refused when they are too many, or never end."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    line = node.start_mark.line + 1
    if id(node) in above:
        raise _Refused("an alias stands inside of what it repeats", line)
    if id(node) not in known:
        if len(above) > MAX_DEPTH:
            raise _Refused(_TOO_DEEP, line)
        children = (
            [child for pair in node.value for child in pair] if isinstance(node, yaml.MappingNode) else node.value
        )
        known[id(node)] = 1 + sum(_entries(child, known, (*above, id(node))) for child in children)
    if known[id(node)] > MAX_ENTRIES:
        told = f"the file has more than {MAX_ENTRIES:,} entries, aliases filled in"
        raise _Refused(f"{told}; that is too much for a plan", line)
    return known[id(node)]


def _broken(problem: str, written: str) -> str:
    """Why a line is no YAML, with what usually mends it."""
    if "'\\t'" in problem or written.lstrip(" ").startswith("\t"):
        return "a tab stands where YAML wants spaces"
    if "another document" in problem:
        return "a second document ('---') begins here; write one plan a file"
    hint = ""
    if re.search(r"""(^|[\s{,])[\[(][^"']*?,[^"']*?[\])]\s*:""", written):
        hint = '; put a band into quotes, like "(20, 30]": 0.8'
    elif "mapping values" in problem:
        hint = "; put a text that holds ': ' into quotes"
    elif "expected <block end>" in problem:
        hint = "; is the line indented like those above it?"
    return f"not valid YAML: {problem}{hint}"


def _doubled(node: yaml.Node, keys: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """Keys that stand twice in one block: YAML's loaders would silently keep the last."""
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            yield from _doubled(child, (*keys, str(number)))
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise _Refused('a key must be a text; put a band into quotes, like "[0, 20]": 1.2', line, keys)
        if key.value in lines:
            yield (
                line,
                (*keys, key.value),
                f"'{key.value}' stands twice in this block, first in line {lines[key.value]}",
            )
        lines.setdefault(key.value, line)
        yield from _doubled(value, (*keys, str(key.value)))
