"""Figures and their PNG: the look that all pictures share.

Only matplotlib's objects are used, never pyplot: a thread of the driver draws, while the user may
draw too. Pictures neither change nor follow the user's ``rcParams``, so each size and colour is set
here. Matplotlib is imported when a picture is drawn.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

__all__ = ["Canvas", "colors", "label", "mark", "render", "shortened"]

WIDTH = 8.0  # inches; Prefect shows a picture about 700 pixels wide
DPI = 120
INK, SOFT, FAINT, GRID = "#222222", "#666666", "#b5b5b5", "#e6e6e6"
# From Okabe and Ito's palette, distinct with any colour blindness.
BEST, MEAN = "#d55e00", "#0072b2"
SHADES = 24  # colours of trials; more than an eye can tell apart
FONT = "DejaVu Sans"  # part of matplotlib, so pictures are the same on every machine
LABEL = 14  # most characters of a tick label
_NOTE_COLUMNS = 128


@dataclass(frozen=True, slots=True)
class Canvas:
    """A figure with a header. Positions are in inches.

    Args:
        figure: The figure.
        height: The height below the header, in inches.
    """

    figure: Figure
    height: float

    @classmethod
    def titled(cls, title: str, notes: Sequence[str], height: float) -> Canvas:
        """Return a canvas with a title and at most three lines of notes.

        Args:
            title: What the picture shows.
            notes: Facts about the picture.
            height: Inches below the header.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        lines = textwrap.wrap(" · ".join(notes), _NOTE_COLUMNS)[:3]
        header = 0.5 + 0.17 * len(lines)
        whole = height + header
        figure = Figure((WIDTH, whole), DPI, facecolor="white", edgecolor="white", frameon=True)
        figure.set_layout_engine("none")
        FigureCanvasAgg(figure)
        canvas = cls(figure, height)
        canvas.write(0.12, height + header - 0.1, label(title, 80), size=12.5, va="top")
        for row, line in enumerate(lines):
            top = height + header - 0.38 - 0.17 * row
            canvas.write(0.12, top, label(line, 200), size=8.5, color=SOFT, va="top")
        return canvas

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Add axes without ticks, in inches from the lower left corner."""
        whole = self.figure.get_figheight()
        axes = self.figure.add_axes(
            (left / WIDTH, bottom / whole, width / WIDTH, height / whole), facecolor="white"
        )
        axes.grid(visible=False, which="both")
        axes.set_axisbelow(True)
        axes.minorticks_off()
        for side, spine in axes.spines.items():
            spine.set(visible=side in ("left", "bottom"), color=FAINT, linewidth=0.8)
        axes.tick_params(
            which="both", direction="out", color=FAINT, width=0.8, bottom=True, left=True,
            top=False, right=False, labelsize=8.5, labelcolor=INK, labelbottom=True,
            labelleft=True, labeltop=False, labelright=False, pad=3,
        )  # fmt: skip
        axes.tick_params(which="major", length=3.5)
        axes.tick_params(which="minor", length=1.8)
        axes.set_xlim(-0.04, 1.04)
        axes.set_ylim(-0.04, 1.04)
        return axes

    def write(self, x: float, y: float, text: str, **how: Any) -> None:
        """Write text, in inches from the lower left corner."""
        how = {"color": INK, "size": 9, "ha": "left", "va": "baseline", **how}
        self.figure.text(x / WIDTH, y / self.figure.get_figheight(), text, **how)


def mark(axes: Axes, along: str, ticks: Sequence[tuple[float, str]], **how: Any) -> None:
    """Set the ticks of an axis, their labels and grid lines.

    Args:
        axes: The axes.
        along: ``x`` or ``y``.
        ticks: Positions and labels.
        **how: Properties of the labels.
    """
    places = [place for place, _ in ticks]
    labels = [label(text, LABEL) for _, text in ticks]
    across = along == "x"
    usual = {"ha": "center", "va": "top"} if across else {"ha": "right", "va": "center_baseline"}
    (axes.xaxis if across else axes.yaxis).set_ticks(places, labels, **{**usual, **how})
    for place in places:
        draw = axes.axvline if across else axes.axhline
        draw(place, color=GRID, linewidth=0.7, linestyle="-", marker="", zorder=0)


def colors(count: int) -> list[Any]:
    """Return colours from light to dark, in an order that also shows in print.

    Args:
        count: Number of colours.
    """
    from matplotlib import colormaps

    palette = colormaps["viridis_r"]
    return [palette(0.12 + 0.88 * (k / (count - 1) if count > 1 else 0.7)) for k in range(count)]


def label(text: str, most: int = 24) -> str:
    """Return a text for matplotlib: shortened, and with ``$`` escaped, which begins a formula.

    Args:
        text: Any text.
        most: Most characters.
    """
    return shortened(text, most).replace("$", r"\$")


def shortened(text: str, most: int) -> str:
    """Return a text of bounded length, in letters that the font has.

    Other letters become Python escapes, which stay distinct where boxes would not.

    Args:
        text: Any text.
        most: Most characters; a longer text loses its middle.
    """
    known = _letters()
    text = " ".join(text.split()) or "''"
    text = "".join(c if ord(c) in known else c.encode("unicode_escape").decode() for c in text)
    if len(text) > most:
        tail = (most - 1) // 2
        text = f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"
    return text


@cache
def _letters() -> frozenset[int]:
    import matplotlib as mpl
    from matplotlib.ft2font import FT2Font

    path = Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return frozenset(FT2Font(str(path)).get_charmap())


def render(figure: Figure) -> bytes:
    """Return a figure as PNG. Equal figures give equal bytes.

    Args:
        figure: The figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image  # matplotlib requires Pillow, and writes PNG with it

    _undo_settings(figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = Image.frombytes("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba()))
    png = BytesIO()
    few = pixels.convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
    few.save(png, "png", optimize=True)
    return png.getvalue()


def _undo_settings(figure: Figure) -> None:
    """Undo the effects of the user's ``rcParams`` on a figure."""
    from matplotlib.artist import Artist
    from matplotlib.collections import Collection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    for artist in figure.findobj(Artist):
        artist.set_sketch_params(None)
        if isinstance(artist, Text):
            artist.set(fontfamily=FONT, usetex=False, fontstyle="normal", fontweight="normal")
            artist.set(antialiased=True)
            if box := artist.get_bbox_patch():
                box.set_sketch_params(None)
        elif isinstance(artist, Line2D):
            artist.set(antialiased=True, fillstyle="full", solid_capstyle="round")
            artist.set(dash_capstyle="butt")
        elif isinstance(artist, (Patch, Collection)):
            artist.set(antialiased=True)


@cache
def _palette() -> Image:
    """Return a palette of all pictures' colours, and their blends with white.

    A palette makes a PNG a quarter as large. One chosen by Pillow would lack the best trial's
    colour, which few pixels have.
    """
    from matplotlib.colors import to_rgb
    from PIL import Image

    bases = [*(to_rgb(color) for color in (INK, SOFT, BEST, MEAN)), *colors(SHADES)]
    blends = [
        round(255 * (1 - share * (1 - channel)))
        for base in bases
        for share in (0.14, 0.28, 0.46, 0.64, 0.82, 1.0)
        for channel in base[:3]
    ]
    palette = Image.new("P", (1, 1))
    palette.putpalette([255, 255, 255, *blends])
    return palette
