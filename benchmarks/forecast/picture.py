"""A picture of the wQL of every method relative to seasonal naive, one row of bars for each panel."""

from __future__ import annotations

from pathlib import Path

import polars as pl


def draw(tables: dict[str, pl.DataFrame], path: Path) -> None:
    """Write a PNG; bars left of the line are better than the seasonal naive method."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sizes = [len(table) for table in tables.values()]
    figure, all_axes = plt.subplots(
        len(tables),
        figsize=(8, 0.24 * sum(sizes) + 0.7 * len(tables)),
        layout="constrained",
        height_ratios=sizes,
        squeeze=False,
    )
    for axes, (name, table) in zip(all_axes[:, 0], tables.items(), strict=True):
        models, ratios = table["model"].to_list(), table["wql / seasonal naive"].to_list()
        colours = ["#228833" if m == "ostinato" else "#bbbbbb" if "-" not in m else "#4477aa" for m in models]
        axes.barh(models, ratios, color=colours)
        axes.axvline(1, color="black", linewidth=1)
        axes.set_xlim(0, 2)
        axes.invert_yaxis()
        axes.tick_params(labelsize=7)
        axes.set_title(f"{name}: wQL over seasonal naive's (bars are cut at 2)", fontsize=8, loc="left")
    figure.savefig(path, dpi=150)
    plt.close(figure)
