"""The static return types of public functions. test_reveal.py checks this file with mypy; nothing runs it."""

from __future__ import annotations

from typing import assert_type

import ostinato

data = ostinato.read("sales.csv", future_covariates=["promotion"])
assert_type(data, ostinato.SequenceSet)
result = ostinato.fit(data, model="ar")
assert_type(result, ostinato.Fit)
assert_type(ostinato.score(result.model, data), ostinato.Scores)
assert_type(ostinato.forecast(result.model, data, horizon=3), ostinato.Forecast)
assert_type(ostinato.backtest(data, horizon=3, n_windows=2), ostinato.Backtest)
assert_type(ostinato.cross_validation(data, horizon=3), ostinato.Backtest)
assert_type(ostinato.diagnose(result.model, data), ostinato.Diagnosis)
assert_type(ostinato.inspect_model(result.model), list[str])
