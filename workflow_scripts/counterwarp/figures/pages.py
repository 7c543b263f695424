"""Pages of the report: tables and text as HTML that needs nothing but itself."""

import base64
from dataclasses import dataclass
from math import isnan

import pandas as pd
from jinja2 import Environment

TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2733; background: #fff; margin: 1.5rem auto; max-width: 75rem;
  padding: 0 1.5rem; }
h1 { font-size: 1.4rem; margin: 0 0 .6rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
p { max-width: 50rem; margin: .4rem 0; } li { max-width: 50rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
th { text-align: left; border-bottom: 2px solid #1c2733; padding: .3rem .8rem .3rem 0; vertical-align: bottom; }
td { border-bottom: 1px solid #dde3e8; padding: .25rem .8rem .25rem 0; vertical-align: top; }
.number { text-align: right; }
td:first-child { white-space: nowrap; }
.good { color: #005a8c; font-weight: 600; }
code { font-size: .85em; background: #eef2f5; padding: .05rem .3rem; }
a { color: #005a8c; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for paragraph in paragraphs %}
<p>{{ paragraph }}</p>
{% endfor %}
{% for section in sections %}
{% if section.heading %}
<h2>{{ section.heading }}</h2>
{% endif %}
{% for paragraph in section.paragraphs %}
<p>{{ paragraph }}</p>
{% endfor %}
{% if section.items %}
<ol>
{% for item in section.items %}
<li>{{ item }}</li>
{% endfor %}
</ol>
{% endif %}
{% if section.columns and not section.rows %}
<p class="good">{{ section.empty }}</p>
{% elif section.columns %}
<div class="scroll"><table>
<thead><tr>
{% for cell in section.columns %}
<th{% if cell.number %} class="number"{% endif %}>{{ cell.text }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in section.rows %}
<tr>{% for cell in row %}<td{% if cell.number %} class="number"{% endif %}>{{ cell.text }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
<p><a download="{{ section.file }}" href="{{ section.address }}">{{ section.file }}</a> is this table for programs.</p>
{% endif %}
{% endfor %}
</body>
</html>
""")


@dataclass(frozen=True)
class Cell:
    """The text of one cell, and whether it is a number."""

    text: str
    number: bool


@dataclass(frozen=True)
class Section:
    """A part of a page: a heading, paragraphs, a numbered list, a table; any may be missing.

    empty: what is said in place of a table without rows. file: the name under which the table can be saved.
    """

    heading: str = ""
    paragraphs: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    columns: tuple[Cell, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    empty: str = "None."
    file: str = ""
    address: str = ""


def page(title: str, paragraphs: list[str], sections: list[Section]) -> str:
    """The HTML of a page; every text is escaped."""
    return TEMPLATE.render(title=title, paragraphs=paragraphs, sections=sections)


def table_section(table: pd.DataFrame, file: str, heading: str = "", empty: str = "None.") -> Section:
    """A section that shows a table and offers it as a file."""
    rows = tuple(tuple(map(_cell, row)) for row in table.itertuples(index=False))
    columns = tuple(
        Cell(str(name).replace("_", " "), any(row[place].number for row in rows)) for place, name in enumerate(table)
    )
    saved = base64.b64encode(table.to_csv(sep="\t", index=False).encode()).decode()
    return Section(
        heading=heading,
        columns=columns,
        rows=rows,
        empty=empty,
        file=file,
        address=f"data:text/tab-separated-values;base64,{saved}",
    )


def _cell(value) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Cell("" if value is None else str(value), False)
    if isinstance(value, float):
        if isnan(value):
            return Cell("", True)
        if not value.is_integer():
            return Cell(f"{value:.2e}" if 0 < abs(value) < 0.001 else f"{value:.4g}", True)
    return Cell(f"{int(value):d}", True)
