# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Draw docs/architecture.svg from docs/architecture.yml: rows of boxes and the arrows between them."""

from html import escape
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).with_name("architecture.yml")
PICTURE = SOURCE.with_suffix(".svg")
MARGIN, LINE, PADDING = 20, 17, 12
# Arcs of arrows that pass over other boxes rise by this much for each box.
RISE = 22
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.label{fill:#59636e;font-weight:600}"
    ".note{font-style:italic;fill:#59636e}.box{fill:#ddf4ff;stroke:#0969da}"
    ".arrow{fill:none;stroke:#59636e;stroke-width:1.5;marker-end:url(#head)}"
)


def text(x: float, y: float, words: str, kind: str, anchor: str = "middle") -> str:
    """One line of text."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def draw(picture: dict[str, Any]) -> str:
    """Render the picture as SVG; the same text always gives the same bytes."""
    parts: list[str] = []
    places: dict[str, tuple[int, float, float, float, float]] = {}
    top = float(MARGIN)
    for row in picture["rows"]:
        boxes = row["boxes"]
        parts.append(text(MARGIN, top + LINE, row["label"], "label", "start"))
        gap = row["gap"]
        top += LINE + 10 + row.get("padding", 0)
        width = (picture["width"] - 2 * MARGIN - gap * (len(boxes) - 1)) / len(boxes)
        height = LINE * (1 + max(len(box["lines"]) for box in boxes)) + 2 * PADDING
        for number, box in enumerate(boxes):
            left = MARGIN + number * (width + gap)
            places[box["id"]] = (number, left, top, width, height)
            parts.append(f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="6" class="box"/>')
            lines = [(box["title"], "title"), *((line, "line") for line in box["lines"])]
            for index, (words, kind) in enumerate(lines, 1):
                parts.append(text(left + width / 2, top + PADDING + LINE * (index - 0.25), words, kind))
            for index, words in enumerate(box.get("note", ()), 1):
                parts.append(text(left + width / 2, top + height + LINE * index, words, "note"))
        top += height + LINE * max(len(box.get("note", ())) for box in boxes) + MARGIN
    for start, end, *label in picture["arrows"]:
        first, left, row_top, width, height = places[start]
        last, target = places[end][0], places[end][1]
        if last == first + 1:
            middle = row_top + height / 2
            parts.append(f'<path d="M{left + width:g},{middle:g} H{target:g}" class="arrow"/>')
        else:
            rise = RISE * (last - first - 1)
            x, y = left + width / 2 + 10 * (last - first), target + width / 2
            path = f"M{x:g},{row_top:g} C{x:g},{row_top - rise:g} {y:g},{row_top - rise:g} {y:g},{row_top:g}"
            parts.append(f'<path d="{path}" class="arrow"/>')
        for words in label:
            if last == first + 1:
                parts.append(text((left + width + target) / 2, row_top + height / 2 - 6, words, "note"))
            else:
                parts.append(text(target + width / 2 + 8, row_top - 8, words, "note", "start"))
    size = f'width="{picture["width"]}" height="{top:g}" viewBox="0 0 {picture["width"]} {top:g}"'
    head = '<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    lines = [
        "<!-- Drawn from architecture.yml by architecture_picture.py. -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<style>{STYLE}</style>",
        f'<defs>{head}<path d="M0,0 L8,4 L0,8 z" fill="#59636e"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(yaml.safe_load(SOURCE.read_text())))
