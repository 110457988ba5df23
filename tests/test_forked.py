"""A forked process computes, or refuses at once what would wait for ever there."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from warm import programs

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

#: The parent uses all that has threads; each verb is then called in a fork, which ends after 60 s if it waits.
PROGRAM = """
import faulthandler, json, os, sys
from pathlib import Path
import numpy as np, pandas as pd, polars as pl
import ostinato

pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=60), "y": np.arange(60.0) % 7}).to_csv("y.csv", index=False)
Path("t.txt").write_text("the cat sat on the mat and the dog ran away\\n" * 300)
data, text = ostinato.read("y.csv"), ostinato.read("t.txt")
ostinato.fit(data, model="ar").model.save("y.ost")
ostinato.fit(text, model="counts", budget="5s", threads=2).model.save("t.ost")
model = ostinato.load_model("y.ost")
frame = pd.read_csv("y.csv")
lazy = pl.from_pandas(frame).lazy()
ostinato.score(ostinato.load_model("t.ost"), text, threads=2).by("word")
verbs = {
    "load": lambda: ostinato.load_model("t.ost"),
    "score text": lambda: ostinato.score(ostinato.load_model("t.ost"), ostinato.read("t.txt"), threads=2).by("word"),
    "score": lambda: ostinato.score(model, data),
    "forecast": lambda: ostinato.forecast(model, data, horizon=3).frame,
    "forecast without a model": lambda: ostinato.forecast(data, horizon=3).frame,
    "sample": lambda: ostinato.sample(model, n=2, length=5),
    "stream": lambda: ostinato.Stream(model).update([3.0]),
    "array": lambda: ostinato.read(np.arange(50.0)),
    "fit": lambda: ostinato.fit(data, model="gru", budget=ostinato.Budget(max_steps=2)),
    "table": lambda: ostinato.read("y.csv"),
    "frame": lambda: ostinato.read(frame),
    "lazy frame": lambda: ostinato.read(lazy),
    "query": lambda: ostinato.read("sqlite:///none.db", query="select 1"),
    "backtest": lambda: ostinato.cross_validation(data, (), horizon=3),
}
said = {}
for name, verb in verbs.items():
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(60, exit=True)
        try:
            verb()
            Path(name).write_text("computed")
        except Exception as error:
            Path(name).write_text(f"{type(error).__name__}: {error}")
        os._exit(0)
    os.waitpid(child, 0)
    said[name] = Path(name).read_text() if Path(name).exists() else "waited"
print(json.dumps(said))
"""


def test_a_verb_in_a_fork_computes_or_is_refused(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    ran = subprocess.run(
        [programs() / "python", "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout.splitlines()[-1])
    refused = {"table", "frame", "lazy frame", "query", "backtest"}
    assert {name: text for name, text in said.items() if name not in refused} == dict.fromkeys(
        set(said) - refused, "computed"
    )
    for name in refused:
        assert said[name].startswith("ConfigError: no table can be read or computed"), (name, said[name])
        assert "get_context('spawn')" in said[name], name
