"""The sktime forecaster passes the checks of sktime and forecasts a series."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sktime", reason="needs ostinato[sktime]")
pytestmark = pytest.mark.filterwarnings("default")

import pandas as pd  # noqa: E402

from ostinato.integrations.sktime import DirectForecaster  # noqa: E402


def series(steps: int = 120) -> pd.Series:
    t = np.arange(steps)
    y = 10 + 3 * np.sin(t / 12 * 2 * np.pi) + 0.1 * np.random.default_rng(0).standard_normal(steps)
    return pd.Series(y, index=pd.period_range("2010-01", periods=steps, freq="M"), name="sales")


def test_sktimes_own_checks() -> None:
    from sktime.utils.estimator_checks import check_estimator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(DirectForecaster, raise_exceptions=True, verbose=False)


def test_forecast_intervals_and_update() -> None:
    y = series()
    one = DirectForecaster(networks=0).fit(y.iloc[:-12], fh=range(1, 13))
    ahead = one.predict()
    assert list(ahead.index) == list(y.index[-12:])
    assert np.abs(ahead - y.iloc[-12:]).mean() < 0.5
    inside = one.predict_interval(coverage=0.95)["sales"][0.95]
    assert (inside["lower"] < inside["upper"]).all()
    model = one.model_
    one.update(y.iloc[-12:], update_params=False)
    assert one.model_ is model
    later = one.predict()
    assert later.index[0] == y.index[-1] + 1
