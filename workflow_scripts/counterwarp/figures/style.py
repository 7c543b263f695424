"""The look that all figures share, and how they are saved."""

import textwrap
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

# Okabe and Ito's colours keep apart for every kind of colour vision.
COLOURS = {"control": "#0072B2", "patient": "#D55E00"}
STATES = {"raw": "#000000", "simulated": "#D55E00", "cycled": "#56B4E9"}
GREY = "#6e6e6e"
WARNING = "#b00020"
LETTERS_AN_INCH = 11
# Blue and red, not red and green: expansion is red, contraction blue, no change white.
DIVERGING = "RdBu_r"
SEQUENTIAL = "viridis"

matplotlib.rcParams.update(
    {
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "figure.dpi": 100,
        "savefig.dpi": 150,
        "pdf.fonttype": 42,
    }
)


def figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches whose parts find their own room."""
    return Figure(figsize=(width, height), layout="constrained")


def save(drawn: Figure, png: str | Path, pdf: str | Path, warning: str = "") -> None:
    """Save a figure as PNG and PDF, without dates so that the same data give the same bytes.

    Args:
        drawn: the figure.
        png, pdf: where it goes.
        warning: what must be read before it; above the figure, whatever it is shown in.
    """
    size = {}
    if warning:
        width = int(drawn.get_figwidth() * LETTERS_AN_INCH)
        text = textwrap.fill(warning, width)
        drawn.text(0.5, 1.0, f"{text}\n", ha="center", va="bottom", color=WARNING, fontsize=10, weight="bold")
        size = {"bbox_inches": "tight"}
    drawn.savefig(png, facecolor="white", metadata={"Software": None}, **size)
    drawn.savefig(pdf, facecolor="white", metadata={"CreationDate": None, "Producer": None, "Creator": None}, **size)


def percent(log_jacobian: np.ndarray) -> np.ndarray:
    """Tissue volume change in per cent, from its logarithm."""
    return 100 * np.expm1(log_jacobian)


def short(value: float, position: int) -> str:
    """A number beside a colour bar, in three digits: no power of ten set apart, which moves the bar."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def p_text(p: float, name: str = "p") -> str:
    """A probability as papers write it."""
    return f"{name} < 0.001" if p < 0.001 else f"{name} = {p:.3f}" if p < 0.1 else f"{name} = {p:.2f}"
