"""A small document that is written as Markdown or as one self-contained HTML page; every text in it is only text.

Titles, hosts, reasons and licenses come from the web. Nothing of them may become a link, a tag or a cell of its own.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_TEXT = 300
"""Characters of a text from the web that a document shows."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Grid:
    """A table; numbers are set to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]


@dataclass(frozen=True)
class Code:
    """Lines of a program, shown as they are; never holds text from the web."""

    language: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A picture: with its bytes in a page of HTML, as a file beside the document in Markdown.

    Attributes:
        title: what it shows.
        png: its bytes.
        file: name of the file that holds them: small letters, digits and hyphens, and .png.
    """

    title: str
    png: bytes
    file: str


Block = Text | Items | Grid | Code | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]


_SPECIAL = re.compile(r"([\\`*_\[\]<>|#!~@$&^{}]|:(?=\S))")
_WORLD_WIDE = re.compile(r"\bwww\.", re.IGNORECASE)
_PNG = b"\x89PNG\r\n\x1a\n"
_FILE = re.compile(r"[a-z0-9-]+\.png")
_LINE_START = re.compile(r"^([-+=]|\d+[.)](?=\s|$))")


def one_line(text: str, most: int = MAX_TEXT) -> str:
    """Text without line breaks, control characters or marks that turn the direction of writing, cut at `most`."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def escape_markdown(text: str, most: int = MAX_TEXT) -> str:
    """Text that Markdown shows as it is: no emphasis, link, address, tag, mention, formula or cell border."""
    escaped = _WORLD_WIDE.sub(lambda found: found[0][:-1] + "\\.", _SPECIAL.sub(r"\\\1", one_line(text, most)))
    return _LINE_START.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", escaped)


def escape_html(text: str, most: int = MAX_TEXT) -> str:
    """Text that HTML shows as it is, in elements and in quoted attributes."""
    return html.escape(one_line(text, most), quote=True)


def number(value: str | int | float | None) -> str:
    """A cell's text: thousands set apart, shares with two decimals."""
    if value is None:
        return ""
    if isinstance(value, (bool, str)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


def markdown(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The document as Markdown; pictures are files beside it."""
    parts = [f"# {escape_markdown(title)}", escape_markdown(lead, 2000)]
    for section in sections:
        blocks = [made for block in section.blocks if (made := _markdown_block(block))]
        if blocks:
            parts += [f"## {escape_markdown(section.title)}", *blocks]
    return "\n\n".join(parts) + "\n"


def _markdown_block(block: Block) -> str:
    if isinstance(block, Text):
        return escape_markdown(block.text, 4000)
    if isinstance(block, Items):
        return "\n".join(f"- {escape_markdown(item, 2000)}" for item in block.items)
    if isinstance(block, Code):
        return f"```{block.language}\n{block.text}\n```"
    if isinstance(block, Picture):
        return f"![{escape_markdown(block.title)}]({_checked(block).file})"
    if isinstance(block, Grid):
        sides = ["--:" if _is_number(block, index) else "---" for index in range(len(block.columns))]
        rows = [_row([number(cell) for cell in row]) for row in block.rows]
        return "\n".join([_row(block.columns), f"|{'|'.join(sides)}|", *rows]) if rows else ""
    raise TypeError(f"{type(block).__name__} has no form in Markdown")


def _checked(picture: Picture) -> Picture:
    """The picture; raises ValueError where its bytes or its name are not those of a PNG file."""
    if not picture.png.startswith(_PNG) or not _FILE.fullmatch(picture.file):
        raise ValueError(f"picture {picture.title!r} is no PNG, or {picture.file!r} no name for one")
    return picture


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escape_markdown(cell) for cell in cells) + " |"


_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}
th,td{border:1px solid #ccc;padding:.25rem .6rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}th{background:#f3f3f3}
pre{background:#f6f6f6;padding:.8rem;overflow-x:auto}img{max-width:100%}"""


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The document as one HTML page that loads nothing and runs nothing."""
    parts = [f"<h1>{escape_html(title)}</h1>", f"<p>{escape_html(lead, 2000)}</p>"]
    for section in sections:
        blocks = [made for block in section.blocks if (made := _html_block(block))]
        if blocks:
            parts += [f"<h2>{escape_html(section.title)}</h2>", *blocks]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape_html(title)}</title>'
    )
    body = "\n".join(parts)
    head = f"<head>{head}<style>{_STYLE}</style></head>"
    return f'<!DOCTYPE html>\n<html lang="en">{head}<body>\n{body}\n</body></html>\n'


def _html_block(block: Block) -> str:
    if isinstance(block, Text):
        return f"<p>{escape_html(block.text, 4000)}</p>" if block.text else ""
    if isinstance(block, Items):
        items = "".join(f"<li>{escape_html(item, 2000)}</li>" for item in block.items)
        return f"<ul>{items}</ul>" if items else ""
    if isinstance(block, Code):
        return f"<pre><code>{html.escape(block.text)}</code></pre>"
    if isinstance(block, Picture):
        data = base64.b64encode(_checked(block).png).decode()
        title = escape_html(block.title)
        return (
            f'<figure><img alt="{title}" src="data:image/png;base64,{data}"><figcaption>{title}</figcaption></figure>'
        )
    return _html_grid(block) if block.rows else ""


def _html_grid(grid: Grid) -> str:
    marks = [' class="n"' if _is_number(grid, index) else "" for index in range(len(grid.columns))]

    def row(tag: str, cells: Sequence[str]) -> str:
        made = (f"<{tag}{mark}>{escape_html(cell)}</{tag}>" for cell, mark in zip(cells, marks, strict=True))
        return f"<tr>{''.join(made)}</tr>"

    rows = "\n".join(row("td", [number(cell) for cell in cells]) for cells in grid.rows)
    return f"<table><thead>{row('th', grid.columns)}</thead><tbody>\n{rows}\n</tbody></table>"


def _is_number(grid: Grid, index: int) -> bool:
    cells = [row[index] for row in grid.rows if row[index] is not None]
    return bool(cells) and all(isinstance(cell, (int, float)) for cell in cells)
