"""Pictures of a report as SVG, each with a title that says in words what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from noa_mlops.audit.pages import written

STYLE = """
.whole{max-width:100%;height:auto}svg text{fill:var(--faint);font:11px system-ui,sans-serif}.axis{stroke:var(--line)}.ideal{stroke:var(--faint);stroke-dasharray:4 4}
.bar{stroke:var(--mark);stroke-width:2}.dot{fill:var(--mark)}.limit{stroke:var(--is);stroke-width:2}.rows{fill:var(--was)}
"""


def interval(title: str, found: Mapping[str, Any], limits: Sequence[float]) -> str:
    """A value with its interval on a line, and a stroke at each limit that it is held against; nothing without both."""
    value, bounds = found["value"], found["interval"] or ()
    if value is None or not limits:
        return ""
    across = _Scale.over((value, *bounds, *limits), 4, 216)
    parts = ["<line class=axis x1=0 x2=220 y1=11 y2=11 />"]
    parts += [f"<line class=limit x1={x} x2={x} y1=2 y2=20 />" for x in map(across.place, limits)]
    if bounds:
        low, high = map(across.place, bounds)
        parts += [f"<line class=bar x1={low} x2={high} y1=11 y2=11 />"]
        parts += [f"<line class=bar x1={x} x2={x} y1=7 y2=15 />" for x in (low, high)]
    parts.append(f"<circle class=dot cx={across.place(value)} cy=11 r=4 />")
    return _svg(title, 220, 22, parts)


def calibration(title: str, bins: Sequence[Mapping[str, Any]]) -> str:
    """The reliability curve: the share that came true over the probability, with its bounds, and the rows of each bin below."""
    across, up = _Scale(0, 1, 40, 330), _Scale(0, 1, 300, 10)
    most = max(one["rows"] for one in bins)
    parts = list(_axes(across, up, (0, 0.5, 1), (0, 0.5, 1)))
    parts.append("<line class=ideal x1=40 y1=300 x2=330 y2=10 />")
    line = " ".join(f"{across.place(one['probability'])},{up.place(one['share'])}" for one in bins)
    parts.append(f"<polyline points='{line}' fill=none class=bar />")
    for one in bins:
        x, high = across.place(one["probability"]), 30 * one["rows"] / most
        words = f"{one['rows']} rows: probability {one['probability']:.3f}, came true {one['share']:.3f}"
        parts += [
            f"<g><title>{words} ({one['lower']:.3f} .. {one['upper']:.3f})</title>",
            f"<line class=bar x1={x} x2={x} y1={up.place(one['lower'])} y2={up.place(one['upper'])} />",
            f"<circle class=dot cx={x} cy={up.place(one['share'])} r=4 />",
            f"<rect class=rows x={x - 3:g} y={360 - high:.1f} width=6 height={high:.1f} /></g>",
        ]
    parts.append("<text x=40 y=378>probability given; below: rows of each point</text>")
    return _svg(title, 350, 384, parts)


def residuals(title: str, bins: Sequence[Mapping[str, Any]]) -> str:
    """Prediction minus label along the prediction: a dot at the median, a line from the 10 % to the 90 % quantile."""
    across = _Scale.over([one["prediction"] for one in bins], 60, 500)
    up = _Scale.over([0.0, *(one[end] for one in bins for end in ("low", "high"))], 250, 10)
    parts = list(_axes(across, up, across.ends, (*up.ends, 0.0)))
    parts.append(f"<line class=ideal x1=60 x2=500 y1={up.place(0)} y2={up.place(0)} />")
    for one in bins:
        x = across.place(one["prediction"])
        words = f"{one['rows']} rows: prediction {one['prediction']:.4g}, off by {one['median']:.4g}"
        parts += [
            f"<g><title>{words} ({one['low']:.4g} .. {one['high']:.4g})</title>",
            f"<line class=bar x1={x} x2={x} y1={up.place(one['low'])} y2={up.place(one['high'])} />",
            f"<circle class=dot cx={x} cy={up.place(one['median'])} r=4 /></g>",
        ]
    parts.append("<text x=60 y=288>prediction; upwards: prediction minus label</text>")
    return _svg(title, 520, 294, parts)


def shares(title: str, parts_of_one: Mapping[str, float]) -> str:
    """A bar for each part of one, the largest first."""
    parts = []
    for place, (name, share) in enumerate(sorted(parts_of_one.items(), key=lambda item: -item[1])):
        y = 6 + 22 * place
        parts += [
            f"<text x=190 y={y + 12} text-anchor=end>{written(name[:32])}</text>",
            f"<rect class=dot x=200 y={y} width={round(max(1.0, 240 * share), 1)} height=15 />",
            f"<text x={round(206 + 240 * share, 1)} y={y + 12}>{share:.0%}</text>",
        ]
    return _svg(title, 500, 22 * len(parts_of_one) + 10, parts)


def before_and_now(title: str, pair: tuple[float, float]) -> str:
    """Two shares as bars, one above the other."""
    before, now = (round(max(1.0, 200 * share), 1) for share in pair)
    bars = [f"<rect class=was width={before} height=8 />", f"<rect class=is y=9 width={now} height=8 />"]
    return _svg(f"{title}: {pair[0]:.1%} before, {pair[1]:.1%} now", 204, 18, bars)


def intervals(title: str, pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> str:
    """Two values with their intervals on one scale, the first above the second; nothing where one is missing."""
    if any(found["value"] is None for found in pair):
        return ""
    across = _Scale.over([n for found in pair for n in (found["value"], *(found["interval"] or ()))], 4, 216)
    parts = []
    for found, y, name in zip(pair, (6, 18), ("was", "is"), strict=True):
        if found["interval"]:
            low, high = map(across.place, found["interval"])
            parts.append(f"<line class=bar x1={low} x2={high} y1={y} y2={y} />")
        parts.append(f"<circle class={name} cx={across.place(found['value'])} cy={y} r=4 />")
    return _svg(title, 220, 24, parts)


class _Scale:
    """From numbers to places in a picture."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.ends = (low, high)
        self._start, self._end = start, end

    @classmethod
    def over(cls, numbers: Sequence[float], start: float, end: float) -> _Scale:
        """One that holds all ``numbers``."""
        low, high = min(numbers), max(numbers)
        return cls(low, high, start, end) if high > low else cls(low - 1, high + 1, start, end)

    def place(self, number: float) -> float:
        """Where a number stands, to a tenth of a pixel; the division comes first, as numbers may be huge."""
        low, high = self.ends
        share = number / 2 - low / 2
        return round(self._start + (self._end - self._start) * (share / (high / 2 - low / 2)), 1)


def _axes(across: _Scale, up: _Scale, along: Sequence[float], upwards: Sequence[float]) -> Iterator[str]:
    left, right = across.place(across.ends[0]), across.place(across.ends[1])
    bottom, top = up.place(up.ends[0]), up.place(up.ends[1])
    yield f"<path class=axis fill=none d='M{left} {top}V{bottom}H{right}' />"
    for number in along:
        yield f"<text x={across.place(number)} y={bottom + 16:g} text-anchor=middle>{number:.3g}</text>"
    for number in upwards:
        yield f"<text x={left - 6:g} y={up.place(number) + 4:g} text-anchor=end>{number:.3g}</text>"


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    shown = written(title)
    size = f"width={width} height={height} viewBox='0 0 {width} {height}'" + (" class=whole" if width > 300 else "")
    return f'<svg {size} role=img aria-label="{shown}"><title>{shown}</title>{"".join(parts)}</svg>'
