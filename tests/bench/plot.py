"""The outcome as a picture: how near each figure is to its aim, one bar each, as SVG."""

from collections.abc import Sequence
from math import log10
from xml.sax.saxutils import escape

from tests.bench.figures import Measure, Section

ROW, LABEL, BAR, VALUE, HEAD = 24, 420, 420, 230, 44
SPAN = 1.0
"""The bar reaches from a tenth of the aim to ten times it, in logarithms."""
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2937 } .value { fill: #4b5563 } .head { font-weight: 600 }
.reached { fill: #15803d } .missed { fill: #b91c1c } .aim { stroke: #1f2937; stroke-dasharray: 3 3 }
.paper { fill: #fff }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb } .value { fill: #9ca3af } .reached { fill: #22c55e } .missed { fill: #ef4444 }
  .aim { stroke: #e5e7eb } .paper { fill: #0f172a } }
"""


def picture(sections: Sequence[Section]) -> str:
    """Bars that reach the dashed line have reached their aim; each step of ten is half of the width."""
    measures = [(section.part, m) for section in sections for m in section.measures if m.aim]
    width, height = LABEL + BAR + VALUE, HEAD + ROW * len(measures) + 12
    aim_at = LABEL + BAR / 2
    rows = "".join(_row(HEAD + ROW * n, part, measure) for n, (part, measure) in enumerate(measures))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<style>{STYLE}</style><rect class="paper" width="{width}" height="{height}"/>'
        f'<text class="head" x="12" y="24">Pulse OTA bench</text>'
        f'<text class="head" x="{aim_at}" y="24" text-anchor="middle">aim</text>{rows}'
        f'<line class="aim" x1="{aim_at}" x2="{aim_at}" y1="32" y2="{height - 8}"/></svg>\n'
    )


def _row(y: float, part: str, measure: Measure) -> str:
    length = BAR * (goodness(measure) + SPAN) / (2 * SPAN)
    kind = "reached" if measure.is_reached else "missed"
    of = "of the limit" if measure.ratio is not None else measure.unit
    value = f"{measure.figure:,.3g} {of}, aim {'≤' if measure.at_most else '≥'} {measure.aim:g}"
    return (
        f'<text x="12" y="{y + 15}">{escape(part)}: {escape(measure.name)}</text>'
        f'<rect class="{kind}" x="{LABEL}" y="{y + 4}" width="{length:.1f}" height="14" rx="2"/>'
        f'<text class="value" x="{LABEL + BAR + 10}" y="{y + 15}">{escape(value)}</text>'
    )


def goodness(measure: Measure) -> float:
    """In powers of ten from the aim on, better is more: 0 just reaches it; -1 to 1."""
    aim, figure = measure.aim or 1.0, max(measure.figure, 1e-9)
    power = log10(aim / figure) if measure.at_most else log10(figure / aim)
    return max(-SPAN, min(SPAN, power))
