"""The pictures of lesson 01. None of them computes a gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from course_lib.errors import require_choice
from course_lib.gradients.activations import ACTIVATIONS
from course_lib.gradients.experiment import Profile
from course_lib.plotting import MAJORITY, MINORITY, RUN_COLORS, STYLE, LiveFigure, new_axes, new_figure

LN10 = np.log(10)
LIMITS = {"float32": -44.85, "float64": -323.3}  # log10 of the smallest positive number
LINES = ("-", "--", "-.", ":")
GREY = "#606060"


def plot_gradients(profiles: Profile | Mapping[str, Profile], *, ax: Axes | None = None) -> Axes:
    """Plot log10 of the gradient norm of every layer's weights, for one profile or several by name.

    Layers whose gradient is exactly 0 have no point. Taught in: notebook 01.
    """
    several = {profiles.config.activation: profiles} if isinstance(profiles, Profile) else profiles
    ax = new_axes(ax)
    with mpl.rc_context(STYLE):
        ax.set(xlabel="layer (1 is next to the input)", ylabel="$\\log_{10}$ of the gradient norm")
        for i, (name, profile) in enumerate(several.items()):
            layers = np.arange(1, profile.config.depth + 1)
            color, style = RUN_COLORS[i % len(RUN_COLORS)], LINES[i % len(LINES)]
            ax.plot(layers, finite(profile.log_gradient) / LN10, style, color=color, label=name)
        ax.legend(fontsize=8)
    return ax


def plot_activation(name: str, *, ax: Axes | None = None) -> Axes:
    """Plot an activation, a key of `ACTIVATIONS`, and its derivative, from -4 to 4. Taught in: notebook 01."""
    require_choice("activation", name, ACTIVATIONS)
    ax = new_axes(ax, 4.0, 3.0)
    with mpl.rc_context(STYLE):
        ActivationPlot(ax).update(name)
        ax.set_title(ACTIVATIONS[name].title)
        ax.legend(loc="upper left")
    return ax


def finite(values: np.ndarray) -> np.ndarray:
    """Return ``values`` with NaN, which is not drawn, in place of what is not finite."""
    return np.where(np.isfinite(values), values, np.nan)


def round_limits(values: Sequence[float], least: float) -> tuple[float, float]:
    """Return limits around the finite ``values`` and 0, at least ``least`` apart, that change in large steps only."""
    low, high = _span(values)
    unit = least
    while unit * 4 < high - low:
        unit *= 2
    return float(np.floor(low / unit - 0.05) * unit), float(np.ceil(high / unit + 0.05) * unit)


def settle(now: tuple[float, float], values: Sequence[float], least: float) -> tuple[float, float]:
    """Return the limits as they are ``now`` if ``values`` fit into them and fill enough, else new ones.

    New limits draw a whole figure anew, so they must not change to and fro with every move.
    """
    low, high = _span(values)
    wanted = round_limits(values, least)
    fits = now[0] <= low and high <= now[1] and now[1] - now[0] <= 2 * (wanted[1] - wanted[0])
    return now if fits else wanted


def _span(values: Sequence[float]) -> tuple[float, float]:
    values = np.append(np.asarray(values)[np.isfinite(values)], 0.0)
    return values.min(), values.max()


class ActivationPlot:
    """An activation and its derivative, with the histogram of pre-activations behind them."""

    GRID = np.linspace(-4, 4, 161)
    EDGES = np.linspace(-4, 4, 41)

    def __init__(self, ax: Axes, *, animated: bool = False):
        self.ax, moving = ax, {"animated": animated}
        self.title = ax.set_title("activation")
        ax.set(xlim=(-4, 4), ylim=(-1.5, 2.5), xlabel="pre-activation z")
        widths = np.diff(self.EDGES)
        self.bars = ax.bar(self.EDGES[:-1], 0, widths, bottom=-1.5, align="edge", color="#d9d9d9", **moving)
        (self.f,) = ax.plot(self.GRID, self.GRID, color=MAJORITY, lw=2, label="activation", **moving)
        (self.slope,) = ax.plot(self.GRID, self.GRID, "--", color=MINORITY, lw=2, label="derivative", **moving)

    def update(self, name: str, z: np.ndarray | None = None) -> None:
        """Show the activation, and how often pre-activations ``z`` fall where (what is outside: at the edge)."""
        f = ACTIVATIONS[name]
        self.f.set_ydata(f.f(self.GRID))
        slopes = f.derivative(self.GRID)
        self.slope.set_ydata(np.where(np.abs(np.diff(slopes, prepend=slopes[0])) > 0.3, np.nan, slopes))
        if z is None:
            return
        counts = np.histogram(np.clip(z, -3.999, 3.999), self.EDGES)[0]
        for bar, count in zip(self.bars, counts, strict=True):
            bar.set_height(1.4 * count / max(1, counts.max()))


class ProfilePicture(LiveFigure):
    """A profile: gradient norm, spread and dead share by layer, and the activation."""

    SIZE = (8.4, 3.9)

    def __init__(self, figure: Figure | SubFigure | None = None):
        super().__init__(figure or new_figure(*self.SIZE))
        with mpl.rc_context(STYLE):
            self.gradient = self._axes((0.075, 0.16, 0.345, 0.68), "gradient norm by layer, $\\log_{10}$")
            self.spread = self._axes((0.485, 0.59, 0.205, 0.25), "spread of outputs, $\\log_{10}$")
            self.spread.set_xlabel("")
            self.dead = self._axes((0.485, 0.16, 0.205, 0.25), "share of dead units")
            self.dead.set_ylim(-0.03, 1.03)
            self.shape = ActivationPlot(self.figure.add_axes((0.755, 0.16, 0.235, 0.68)), animated=True)
            moving = {"animated": True, "lw": 1.8}
            (self.weights,) = self.gradient.plot([], [], color=MAJORITY, label="of the weights, dL/dW", **moving)
            (self.errors,) = self.gradient.plot([], [], "--", color=MINORITY, label="of z, dL/dz", **moving)
            (self.spread_line,) = self.spread.plot([], [], color=MAJORITY, **moving)
            (self.dead_line,) = self.dead.plot([], [], color=MAJORITY, **moving)
            self.shape.bars.set_label("all z")
            for ax in (self.gradient, self.shape.ax):
                ax.legend(loc="upper left", frameon=True, framealpha=0.9, edgecolor="white")
            self.limits = [self.gradient.axhline(y, color=GREY, lw=0.8, ls=":") for y in LIMITS.values()]
            self.names = [self.gradient.text(0.99, y, f"smallest {name}", **RIGHT) for name, y in LIMITS.items()]
            self.zero = self.gradient.text(0.5, 0.4, "", transform=self.gradient.transAxes, ha="center", animated=True)
            self.title = self.figure.text(0.01, 0.975, "", fontsize=8.5, color="#404040", va="top")

    def _axes(self, box: tuple[float, float, float, float], title: str) -> Axes:
        ax = self.figure.add_axes(box)
        ax.set(
            title=title, xlim=(-0.02, 1.02), xticks=[0, 0.5, 1], xticklabels=[], xlabel="\nlayer, from input to output"
        )
        ax.numbers = [
            ax.text(x, -0.03, "", transform=ax.get_xaxis_transform(), ha="center", va="top", fontsize=8, animated=True)
            for x in (0, 0.5, 1)
        ]
        return ax

    def update(self, profile: Profile) -> None:
        """Show ``profile``; what stands still is redrawn only when it has to be."""
        c = profile.config
        x = np.linspace(0, 1, c.depth) if c.depth > 1 else np.array([0.5])
        self.weights.set_data(x, finite(profile.log_gradient) / LN10)
        self.errors.set_data(x, finite(profile.log_error) / LN10)
        self.spread_line.set_data(x, finite(profile.log_spread) / LN10)
        self.dead_line.set_data(x, profile.dead)
        marker = "o" if c.depth < 20 else ""
        for line in (self.weights, self.errors, self.spread_line, self.dead_line):
            line.set(marker=marker, ms=3)
        self.shape.update(c.activation, profile.z)
        gone = int(np.isneginf(profile.log_gradient).sum())
        self.zero.set_text(f"dL/dW is exactly 0\nin {gone:,} of {c.depth:,} layers" if gone else "")
        for ax in (self.gradient, self.spread, self.dead):
            for number, layer in zip(ax.numbers, (1, (c.depth + 1) // 2, c.depth), strict=True):
                number.set_text(f"{layer:,}")
        self._frame(profile)

    def _frame(self, profile: Profile) -> None:
        both = np.concatenate([profile.log_gradient, profile.log_error]) / LN10
        axes = (self.gradient, both, 4.0), (self.spread, profile.log_spread / LN10, 1.0)
        wanted = {ax: settle(ax.get_ylim(), values, least) for ax, values, least in axes}
        title = caption(profile)
        if all(ax.get_ylim() == limits for ax, limits in wanted.items()) and title == self.title.get_text():
            return
        for ax, limits in wanted.items():
            ax.set_ylim(limits)
        low, high = self.gradient.get_ylim()
        for line, name, y in zip(self.limits, self.names, LIMITS.values(), strict=True):
            shown = low < y and high - low < 30 * -y
            line.set_visible(shown)
            name.set_visible(shown)
        self.title.set_text(title)
        self.shape.title.set_text(ACTIVATIONS[profile.config.activation].title)
        self.refresh()

    @staticmethod
    def describe(profile: Profile) -> str:
        """Return a profile in words, for those who do not see its picture."""
        c = profile.config
        return f"{caption(profile)}, {c.depth} layers. {summarise(profile)}"


RIGHT = {"ha": "right", "va": "bottom", "fontsize": 7.5, "color": GREY}


def caption(profile: Profile) -> str:
    """Return what a profile is of, in one line, without its depth."""
    c = profile.config
    parts = [ACTIVATIONS[c.activation].title, f"width {c.width}", f"{c.init} initialisation", f"bias {c.bias}"]
    parts += ["residual connections"] * c.residual + ["layer normalisation"] * (c.norm == "layer")
    return " · ".join([*parts, f"seed {c.seed}"])


def summarise(profile: Profile) -> str:
    """Return in one sentence what happens to the gradient on its way to the first layer."""
    log, depth = profile.log_error, profile.config.depth
    if not np.isfinite(log[0]):
        return f"The gradient is exactly 0 in {np.isneginf(log).sum():,} of {depth:,} layers."
    if depth == 1:
        return f"One layer: dL/dz is 10^{log[0] / LN10:.3g}."
    factor = float(np.exp((log[0] - log[-1]) / (depth - 1)))
    share = (log[0] - log[-1]) / LN10
    power = f"{share:,.0f}" if abs(share) >= 100 else f"{share:.3g}"
    text = f"Layer 1 gets 10^{power} of the last layer's dL/dz, a factor of {factor:.3g} a layer"
    below = int((profile.log_gradient / LN10 < LIMITS["float32"]).sum())
    return f"{text}; {below:,} layers' dL/dW would be 0 in float32." if below else f"{text}."
