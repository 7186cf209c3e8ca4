"""The picture: how much each server does for a second of its CPU, beside python-socketio."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

from bench.figures import Figures
from bench.scenarios import BY_NAME, NODE, OWN, OWN_OFF, R

SHOWN = ("echo50", "echo500", "echo50w16", "events50", "bcast500", "room250", "connect", "poll50")
COLOURS = {OWN: "#0b6e4f", OWN_OFF: "#8fc9b2", NODE: "#444444", R: "#c9c9c9"}


def draw(figures: Figures, to: Path) -> None:
    """Draw the picture into a PNG file."""
    mpl.use("Agg")
    names = [name for name in SHOWN if figures.good(name, R)]
    picture, axes = pyplot.subplots(figsize=(9, 0.75 * len(names) + 1.2), layout="constrained")
    height = 0.8 / len(COLOURS)
    for place, (server, colour) in enumerate(COLOURS.items()):
        found = [figures.speed(name, server, R) for name in names]
        values = [0.0 if ratio is None else ratio.median for ratio in found]
        places = [row + (place - 1.5) * height for row in range(len(names))]
        bars = axes.barh(places, values, height, label=server, color=colour)
        axes.bar_label(bars, [f"{value:.1f}" if value else "" for value in values], padding=2)
    axes.set_yticks(range(len(names)), [BY_NAME[name].title for name in names])
    axes.invert_yaxis()
    axes.set_xlabel("work for a second of the server's CPU, as a multiple of python-socketio's")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    picture.savefig(to, dpi=110)
    pyplot.close(picture)
