"""How a method's maps change when the classifier loses what it has learned."""

import pandas as pd

from counterwarp.figures.style import GREY, figure
from counterwarp.stats.sanity import LARGEST_SIMILARITY


def sanity_figure(table: pd.DataFrame):
    """Similarity of the maps over the layers drawn anew, one line a method, and with shuffled labels.

    Args:
        table: of `counterwarp.stats.sanity.verdicts`, any number of seeds, whose mean is drawn.
    """
    drawn = figure(8, 3.6)
    left, right = drawn.subplots(1, 2, width_ratios=[2, 1], sharey=True)
    layered = table[table["check"] == "layers drawn anew"]
    for method, part in layered.groupby("method", sort=False):
        mean = part.groupby("layers")["similarity"].mean()
        left.plot([0, *mean.index], [1, *mean], "o-", markersize=4, label=method)
    left.set(
        xlabel="Layers drawn anew, from the last", ylabel="Similarity of the maps\n(mean absolute NCC)", ylim=(0, 1.05)
    )
    left.set_title("Weights randomised layer by layer")
    left.legend()
    shuffled = table[table["check"] == "labels shuffled"].groupby("method", sort=False)["similarity"].mean()
    right.bar(range(len(shuffled)), shuffled, color=[f"C{i}" for i in range(len(shuffled))], width=0.6)
    right.set_xticks(range(len(shuffled)), shuffled.index, rotation=30, ha="right")
    right.set_title("Trained on shuffled labels")
    for axes in (left, right):
        axes.axhline(LARGEST_SIMILARITY, color=GREY, linestyle=":", linewidth=1)
    return drawn
