"""The look of all pictures, and live figures that redraw only what moves."""

from __future__ import annotations

import struct
import threading
import zlib
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg, get_hinting_flag
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

# seaborn's "colorblind" palette, by meaning; shapes and positions repeat what colours say.
MAJORITY, MINORITY = "#0173b2", "#d55e00"
EXPLICIT, IMPLICIT = "#029e73", "#949494"
RUN_COLORS = ("#0173b2", "#de8f05", "#029e73", "#cc78bc", "#ca9161", "#56b4e9", "#ece133", "#949494")

BLANK = np.full((1, 1, 3), 255, dtype=np.uint8)

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def new_figure(width: float, height: float, **options: object) -> Figure:
    """Return a figure of width x height inches that pyplot does not know: safe in any thread."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), dpi=100, **options)
        FigureCanvasAgg(figure)
    return figure


def new_axes(ax: Axes | None, width: float = 6.0, height: float = 3.2, columns: int = 1) -> Axes:
    """Return ``ax``, or new axes in a new pyplot figure, which a notebook shows by itself."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # late: a library that never shows a window need not load it

    # Outside of the style: the first figure turns a notebook's display of figures on, for good.
    figure = plt.figure(figsize=(width, height), layout="constrained")
    with mpl.rc_context(STYLE):
        return figure.subplots(1, columns)


def encode_png(pixels: np.ndarray) -> bytes:
    """Return uint8 pixels [H, W, 3 or 4] as PNG, in a third of the time that Pillow takes, and as small.

    Pillow tries five filters on each row; a drawn picture compresses as well without any. After the PNG
    specification (third edition), W3C.
    """
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # a row begins with its filter: 0 is none
    places = rows[:, 1:].reshape(pixels.shape)  # no copy
    for channel in range(channels):  # one by one is ten times as fast where the fourth is left out
        places[:, :, channel] = pixels[:, :, channel]
    header = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)  # 8 bits; RGB is 2, RGBA 6
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        for kind, data in chunks
    )


class Pixels(Artist):
    """An animated picture that fills its axes, each pixel drawn as a block: in a tenth of imshow's time."""

    def __init__(self, ax: Axes):
        super().__init__()
        self.pixels = BLANK
        self.set_animated(True)
        ax.add_artist(self)

    def set_data(self, pixels: np.ndarray) -> None:
        """Show uint8 pixels [H, W, 3], the first row at the top."""
        self.pixels = pixels

    def draw(self, renderer: RendererAgg) -> None:
        box = self.axes.bbox
        left, low, right, high = (round(value) for value in (box.x0, box.y0, box.x1, box.y1))
        height, width = high - low, right - left
        rows, columns = (  # the nearest pixel
            ((np.arange(want) + 0.5) * (have / want)).astype(int)
            for have, want in zip(self.pixels.shape, (height, width), strict=False)
        )
        rgba = np.full((*self.pixels.shape[:2], 4), 255, np.uint8)
        for channel in range(3):  # one by one is quicker
            rgba[:, :, channel] = self.pixels[:, :, channel]
        whole = rgba.view(np.uint32)[:, :, 0]  # a pixel as one number: quicker to copy than three
        drawn = whole.take(columns, 1).take(rows[::-1], 0)  # Agg begins at the bottom
        drawn = drawn.view(np.uint8).reshape(height, width, 4)
        renderer.draw_image(renderer.new_gc(), left, low, drawn)


class Line(NamedTuple):
    """One line of letters: uint8 pixels, where they begin from where the line does, and the line's measures."""

    pixels: np.ndarray
    left: float
    low: float
    size: tuple[float, float, float]  # width, height, and how far it reaches below


class Page(RendererAgg):
    """A page for single texts, on which a line is drawn as a whole: matplotlib 3.11 lays letter by letter, in Python.

    Letters stand on whole pixels, as they did before 3.11. Lines are kept: a number comes again.
    """

    KEPT = 256

    def __init__(self, width: float, height: float, dpi: float):
        super().__init__(width, height, dpi)
        self._lines: dict[tuple[str, int], Line] = {}

    def get_text_width_height_descent(self, s, prop, ismath) -> tuple[float, float, float]:
        line = None if ismath else self._line(s, prop)
        return line.size if line else super().get_text_width_height_descent(s, prop, ismath)

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None) -> None:
        line = None if ismath or angle or not gc.get_antialiased() else self._line(s, prop)
        if line:
            self._renderer.draw_text_image(line.pixels, round(x + line.left), round(y + line.low) + 1, 0, gc)
        else:
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)

    def _line(self, s: str, prop: FontProperties) -> Line | None:
        """Return a line of letters, or None where this matplotlib cannot draw one as a whole."""
        key = s, hash(prop)
        if key not in self._lines:
            font = self._prepare_font(prop)
            if not hasattr(font, "draw_glyphs_to_bitmap"):
                return None
            font.set_text(s, 0, flags=get_hinting_flag())
            font.draw_glyphs_to_bitmap()
            left, low = (offset / 64 for offset in font.get_bitmap_offset())
            width, height, below = (value / 64 for value in (*font.get_width_height(), font.get_descent()))
            if len(self._lines) >= self.KEPT:
                self._lines.clear()
            self._lines[key] = Line(np.array(font.get_image()), left, low + below, (width, height, below))
        return self._lines[key]


class Words:
    """An animated text whose pixels are kept while it says the same in the same place: letters are slow to draw."""

    def __init__(self, text: Text):
        self.text = text
        self.drawn: tuple | None = None  # where it stands, how large the page is; from where the pixels are to show

    def draw(self, renderer: RendererAgg, blank: Page) -> None:
        """Draw the text as it is now; ``blank`` is a page of the same size to draw it on alone."""
        text = self.text
        if not text.get_visible() or not text.get_text():
            return
        x, y = text.get_transform().transform(text.get_unitless_position())
        page = (x, y, renderer.width, renderer.height, renderer.dpi)
        if text.stale or self.drawn is None or self.drawn[0] != page:
            self.drawn = page, *self._pixels(blank)
        _, left, low, pixels = self.drawn
        renderer.draw_image(renderer.new_gc(), left, low, pixels)

    def _pixels(self, blank: Page) -> tuple[int, int, np.ndarray]:
        blank.clear()
        self.text.draw(blank)
        pixels = np.asarray(blank.buffer_rgba())[::-1]  # Agg begins at the bottom
        box = self.text.get_window_extent(blank).padded(3)  # some letters reach out of their box
        left, low = max(0, int(box.x0)), max(0, int(box.y0))
        return left, low, pixels[low : int(box.y1) + 1, left : int(box.x1) + 1].copy()


class LiveFigure:
    """A figure whose animated artists are redrawn on a kept background: some 5 ms instead of 50.

    Call ``refresh()`` after changing anything that is not animated (a limit, a title, a tick).
    """

    _drawing = threading.RLock()  # of all figures: a run draws in its thread, a slider in another, and fonts are shared

    def __init__(self, figure: Figure):
        self.figure = figure
        self._background = None
        self._blank: Page | None = None  # kept: it knows how large the words are that it has drawn before
        self._words: dict[Text, Words] = {}
        self._thread = threading.get_ident()

    def refresh(self) -> None:
        """Have the background drawn again with the next picture."""
        self._background = None

    def scale(self, pixel_ratio: float) -> None:
        """Draw ``pixel_ratio`` pixels for each one on the page (2 on a high-resolution screen)."""
        with self._drawing:
            self.figure.set_dpi(100 * pixel_ratio)
            self.refresh()

    def png(self) -> bytes:
        """Return the figure as it is now, as PNG."""
        with self._drawing:
            if self._thread != threading.get_ident():  # a canvas keeps the fonts of the thread that has drawn on it
                self._thread, self._background = threading.get_ident(), None
                FigureCanvasAgg(self.figure)
            canvas = self.figure.canvas
            if self._background is None:
                canvas.draw()  # leaves the animated artists out
                self._background = canvas.copy_from_bbox(self.figure.bbox)
                page = canvas.get_renderer()
                self._blank = Page(page.width, page.height, page.dpi)
            canvas.restore_region(self._background)
            for ax in self.figure.axes:
                for artist in sorted(ax.get_children(), key=lambda artist: artist.zorder):
                    if artist.get_animated() and isinstance(artist, Text):
                        self._words.setdefault(artist, Words(artist)).draw(canvas.get_renderer(), self._blank)
                    elif artist.get_animated():
                        ax.draw_artist(artist)
            return encode_png(np.asarray(canvas.buffer_rgba())[:, :, :3])  # all of it is opaque
