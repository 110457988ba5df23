"""Forecast the sales of two shops from a file as a German spreadsheet writes it.

The file has semicolons, decimal commas, euro signs, a title, the newest day first and a row of sums at the end.

Run: python examples/shop_csv.py
"""

from __future__ import annotations

import datetime
import math
import tempfile
from pathlib import Path

import ostinato

SHOPS = {"001": 1500.0, "002": 640.0}


def export() -> str:
    """Return the text of the file: 12 weeks of two shops, with a busy Saturday."""
    first, total, rows = datetime.date(2024, 1, 1), 0.0, []
    for day in range(84):
        for shop, level in SHOPS.items():
            amount = level * (1.4 if day % 7 == 5 else 1.0) * (1 + 0.05 * math.sin(day * 1.7 + level))
            total += amount
            rows.append(f"{first + datetime.timedelta(days=day):%d.%m.%Y};{shop};{german(amount)} €")
    return "\n".join(["Umsatz 2024", "", "Datum;Filiale;Umsatz", *reversed(rows), f"Summe;;{german(total)} €"]) + "\n"


def german(amount: float) -> str:
    """Return an amount as 1.603,05."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def main() -> None:
    """Read the file, print what was left out, and forecast a week of each shop."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "umsatz.csv"
        path.write_text(export(), encoding="utf-8")
        data = ostinato.read(path, id_col="Filiale", target="Umsatz")
    for note in data.notes:
        print(f"note: {note}")
    result = ostinato.fit(data, model="direct", horizon=7, networks=0)
    table = ostinato.forecast(result.model, data, horizon=7).frame
    for shop, day, amount in table.select("unique_id", "ds", "ostinato").iter_rows():
        print(f"{shop} {day:%Y-%m-%d} {amount:,.2f}")


if __name__ == "__main__":
    main()
