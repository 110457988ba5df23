"""The files that pass between this process and the peers, kept for the next run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from forecast.cases import Case
from ostinato.emissions.quantiles import LEVELS
from ostinato.shapes import Array

_COLUMNS = [f"q{p:g}" for p in LEVELS]


@dataclass(frozen=True)
class Said:
    """The forecasts of one model.

    Attributes:
        points: The point forecasts, (W, B, H).
        quantiles: The quantiles at LEVELS, (W, B, H, Q).
        processor_seconds: The processor time of everything, including the imports of a separate process. It does not
            depend on the load of the machine.
    """

    point: Array
    quantiles: Array
    fit_seconds: float
    predict_seconds: float
    processor_seconds: float = 0.0
    version: str = ""
    notes: tuple[str, ...] = ()


def write(case: Case, folder: Path) -> None:
    """Write CASE.parquet (unique_id, ds from 0, y, future covariates) and CASE.json (everything else)."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = [
        pl.DataFrame({"unique_id": [key] * len(y), "ds": np.arange(len(y)), "y": y, **case.known})
        for key, y in case.series.items()
    ]
    pl.concat(frames).write_parquet(folder / f"{case.name}.parquet")
    told = {key: getattr(case, key) for key in ("horizon", "season", "seasons", "backs", "freq", "start")}
    (folder / f"{case.name}.json").write_text(json.dumps({**told, "known": list(case.known)}) + "\n")


def kept(case: Case, model: str, folder: Path) -> Said | None:
    """Return the forecasts of a model from an earlier run, if there are any."""
    paths = [folder / f"{case.name}.{model}.{ending}" for ending in ("parquet", "json")]
    if not all(path.exists() for path in paths):
        return None
    frame, facts = pl.read_parquet(paths[0]), json.loads(paths[1].read_text())
    shape = (len(case.backs), len(case.series), case.horizon)
    return Said(
        frame["point"].to_numpy().reshape(shape),
        frame.select(_COLUMNS).to_numpy().reshape(*shape, len(_COLUMNS)),
        facts["fit seconds"],
        float(np.mean(facts["predict seconds"])),
        facts.get("processor seconds", 0.0),
        facts.get("version", ""),
        tuple(facts.get("notes", ())),
    )


def keep(case: Case, model: str, said: Said, folder: Path) -> None:
    """Write our forecasts in the same form."""
    columns = {name: said.quantiles[..., i].ravel() for i, name in enumerate(_COLUMNS)}
    pl.DataFrame({"point": said.point.ravel(), **columns}).write_parquet(folder / f"{case.name}.{model}.parquet")
    facts = {
        "fit seconds": said.fit_seconds,
        "predict seconds": [said.predict_seconds],
        "processor seconds": said.processor_seconds,
        "version": said.version,
        "notes": said.notes,
    }
    (folder / f"{case.name}.{model}.json").write_text(json.dumps(facts, indent=1) + "\n")
