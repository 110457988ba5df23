"""Options, levels, temperatures and the numbers of streams: the right value, or an error of ours that says why."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from rows import Row
from scipy import optimize, stats

import ostinato
from ostinato.data.number import read_number
from ostinato.data.sequences import SequenceSet
from ostinato.datasets.tasks import AddingProblem
from ostinato.emissions.build import build_emission
from ostinato.emissions.emission import Support
from ostinato.errors import ConfigError
from ostinato.inference.rollout import state_after

KIND = "numbers"


def series(values: Any) -> SequenceSet:
    x = np.asarray(values, dtype=float)[:, None]
    return SequenceSet("series", x, np.array([0, len(x)]), ("y",))


@cache
def model(kind: str, emission: str | None = None) -> ostinato.SequenceModel:
    """Return an autoregression of white noise or of an AR(1), or a Markov chain of a short text."""
    rng = np.random.default_rng(3)
    if kind == "text":
        data: Any = SequenceSet(
            "text", np.array([[ord(c)] for c in "abab abac " * 30], np.int32), np.array([0, 300]), ("t",)
        )
    else:
        e = rng.standard_normal(600)
        data = series(e if kind == "noise" else [*np.zeros(1), *_ar1(e)])
    fitted = ostinato.fit(data, model="ar", emission=emission, max_order=1, budget=5).model
    assert isinstance(fitted, ostinato.SequenceModel)
    return fitted


def _ar1(e: np.ndarray) -> list[float]:
    out = [0.0]
    for x in e:
        out.append(0.7 * out[-1] + float(x))
    return out


HISTORY = series([0.3, -0.2, 0.9])


# refused options: every public function with each bad value


def _fit(**options: Any) -> Any:
    return ostinato.fit(HISTORY, model="ar", **options)


CALLS: dict[str, Callable[[Any], Any]] = {
    "forecast horizon": lambda v: ostinato.forecast(model("noise"), HISTORY, v),
    "forecast n_paths": lambda v: ostinato.forecast(model("noise"), HISTORY, 2, n_paths=v),
    "forecast seed": lambda v: ostinato.forecast(model("noise"), HISTORY, 2, seed=v),
    "sample length": lambda v: ostinato.sample(model("noise"), v),
    "sample n_samples": lambda v: ostinato.sample(model("noise"), 3, n_samples=v),
    "sample seed": lambda v: ostinato.sample(model("noise"), 3, seed=v),
    "sample temperature": lambda v: ostinato.sample(model("text"), 3, temperature=v),
    "sample top_p": lambda v: ostinato.sample(model("text"), 3, top_p=v),
    "fit hidden": lambda v: _fit(hidden=v),
    "fit batch_steps": lambda v: _fit(batch_steps=v),
    "fit learning_rate": lambda v: _fit(learning_rate=v),
    "fit dropout": lambda v: _fit(dropout=v),
    "fit weight_decay": lambda v: _fit(weight_decay=v),
    "fit clip": lambda v: _fit(clip=v),
    "fit max_order": lambda v: _fit(max_order=v),
    "fit seed": lambda v: _fit(seed=v),
    "fit threads": lambda v: _fit(threads=v),
    "fit held_out": lambda v: _fit(held_out=v),
    "fit budget": lambda v: _fit(budget=v),
    "Budget max_steps": lambda v: ostinato.Budget(max_steps=v),
    "DirectOptions batch": lambda v: ostinato.DirectOptions(batch=v),
    "DirectOptions networks": lambda v: ostinato.DirectOptions(networks=v),
    "DirectOptions season": lambda v: ostinato.DirectOptions(season=v),
    "TruncatedBPTT window": lambda v: ostinato.TruncatedBPTT(window=v),
    "CheckpointedBPTT segments": lambda v: ostinato.CheckpointedBPTT(segments=v),
    "AdaptiveBPTT bias": lambda v: ostinato.AdaptiveBPTT(bias=v),
    "backtest n_windows": lambda v: ostinato.backtest(HISTORY, (), horizon=1, n_windows=v),
    "backtest step_size": lambda v: ostinato.backtest(HISTORY, (), horizon=1, step_size=v),
    "backtest season": lambda v: ostinato.backtest(HISTORY, (), horizon=1, season=v),
    "diagnose max_lag": lambda v: ostinato.diagnose(model("noise"), HISTORY, max_lag=v),
    "Stream robust": lambda v: ostinato.Stream(model("noise"), robust=v),
    "Stream step": lambda v: ostinato.Stream(model("noise"), step=v),
    "Monitor alarm": lambda v: ostinato.Monitor(model("noise"), alarm=v, reference=series(np.zeros(99))),
    "AddingProblem steps": AddingProblem,
}
#: Values that no numeric option takes.
NEVER: dict[str, Any] = {
    "a string of a number": "12",
    "a bool": True,
    "nan": math.nan,
    "infinity": math.inf,
    "below 0": -3,
    "beyond 64 bits": 10**400,
    "a list": [3],
    "an array with an axis": np.array([1.0, 2.0]),
    "a complex number": 1 + 2j,
    "Decimal nan": Decimal("nan"),
}


def refused(name: str) -> Row:
    def check() -> str:
        for value in NEVER.values():
            if isinstance(value, str) and name in ("fit held_out", "fit budget"):
                continue  # a pattern of ids, and twelve seconds
            with pytest.raises(ConfigError) as error:
                CALLS[name](value)
            assert error.value.fix, value
        return f"refused: ConfigError for {len(NEVER)} values"

    return Row(KIND, f"{name} with no number", "the type and range of the option", check)


#: Numbers in other clothes that every count takes.
CLOTHES: dict[str, Any] = {
    "int64": np.int64(4), "uint8": np.uint8(4), "float 4.0": 4.0, "0-d array": np.array(4), "Decimal": Decimal(4),
    "Fraction": Fraction(8, 2), "0-d tensor": torch.tensor(4),
}  # fmt: skip


def taken(name: str, value: Any) -> Row:
    def check() -> str:
        one = ostinato.forecast(model("noise"), HISTORY, value, n_paths=8, seed=1).frame
        assert one.equals(ostinato.forecast(model("noise"), HISTORY, 4, n_paths=8, seed=1).frame)
        return "right: 4 steps"

    return Row(KIND, f"a horizon as {name}", "the horizon 4", check)


# levels


def level_refused(value: Any, says: str) -> Row:
    def check() -> str:
        for call in (
            lambda: ostinato.forecast(model("noise"), HISTORY, 2, value),
            lambda: ostinato.backtest(HISTORY, (), horizon=1, level=value),
            lambda: ostinato.Monitor(model("noise"), level=value),
        ):
            with pytest.raises(ConfigError) as error:
                call()
            assert says in str(error.value)
        return f"refused: {says}"

    return Row(KIND, f"level {value!r}", "percent between 0 and 100", check)


def level_as_list(value: Any, columns: list[str]) -> Row:
    def check() -> str:
        found = ostinato.forecast(model("noise"), HISTORY, 1, value).frame.columns
        assert [c for c in found if "-lo-" in c] == columns
        return f"right: {columns}"

    return Row(KIND, f"level {value!r} as a list", "Nixtla's names of columns", check)


def one_step(level: float, emission: str) -> Row:
    def check() -> str:
        fitted = model("noise", emission)
        frame = ostinato.forecast(fitted, HISTORY, 1, [level]).frame
        params = fitted.constant[0].detach().double()
        softplus = torch.nn.functional.softplus
        scale = float(softplus(params[1])) + 1e-4
        law = stats.norm if emission == "normal" else stats.t(float(softplus(params[2])) + 2.05)
        loc, sd = _next(fitted)
        mean, spread = fitted.encoding.affine("y") or (np.zeros(1), np.ones(1))
        z = law.ppf([0.5 - level / 200, 0.5 + level / 200]) * scale + float(params[0])
        right = (loc + sd * z) * spread[0] + mean[0]
        name = f"{level:g}"
        found = frame[0, f"ostinato-lo-{name}"], frame[0, f"ostinato-hi-{name}"]
        np.testing.assert_allclose(found, right, rtol=2e-4)
        return f"right: {found[0]:.3f}, {found[1]:.3f}"

    return Row(KIND, f"level {level:g} one step ahead, {emission}", "scipy.stats", check)


def _next(fitted: ostinato.SequenceModel) -> tuple[float, float]:
    """Return location and scale of the step after HISTORY, in model space."""
    with torch.no_grad():
        conditional, _ = fitted.predict(state_after(fitted, fitted.encoding.encode(HISTORY), [0]))
    assert conditional.loc is not None
    assert conditional.scale is not None
    return float(conditional.loc), float(conditional.scale)


def many_steps(level: float) -> Row:
    """Four steps ahead in an AR(1) with normal innovations the distribution is normal, with a known variance."""

    def check() -> str:
        fitted = model("ar1", "normal")
        frame = ostinato.forecast(fitted, HISTORY, 4, [level], n_paths=5000).frame
        phi = float(fitted.state_dict()["front.ar.weight"][0, 1, 0])
        scale = float(torch.nn.functional.softplus(fitted.constant.detach()[0, 1])) + 1e-4
        spread = float((fitted.encoding.affine("y") or (None, np.ones(1)))[1][0])
        sd = spread * _next(fitted)[1] * scale * math.sqrt(sum(phi ** (2 * k) for k in range(4)))
        name = f"{level:g}"
        width = frame[3, f"ostinato-hi-{name}"] - frame[3, f"ostinato-lo-{name}"]
        right = 2 * stats.norm.ppf(0.5 + level / 200) * sd
        assert abs(width / right - 1) < 0.06
        return f"right: width {width:.3f}, {right:.3f} expected"

    return Row(KIND, f"level {level:g} four steps ahead of an AR(1)", "scipy.stats.norm and psi weights", check)


# temperature


def coldest(temperature: Any) -> Row:
    def check() -> str:
        found = ostinato.sample(model("text"), 40, temperature=temperature, seed=int(1 + 5 * (temperature == 0)))
        assert found == ostinato.sample(model("text"), 40, temperature=0, seed=9)
        return f"right: {found[0][:6]!r}"

    return Row(KIND, f"temperature {temperature!r} of text", "argmax", check)


def likeliest(name: str, law: Any, raw: list[float], unit: float) -> Row:
    """At temperature 0 an emission gives its mode."""

    def check() -> str:
        emission = build_emission(name, symbols=None, components=2)
        zero = torch.zeros(1)
        support = Support(zero + unit, zero if unit else zero - torch.inf, zero + torch.inf)
        found = float(emission.sample(torch.tensor([raw]), support, torch.Generator().manual_seed(0), 0.0))
        if unit:
            right = float(np.argmax(law(np.arange(200))))
        else:
            right = float(optimize.minimize_scalar(lambda x: -law(x), bounds=(-9, 9), method="bounded").x)
        assert abs(found - right) < 0.02
        return f"right: {found:g}"

    return Row(KIND, f"temperature 0 of {name} {raw}", "scipy.stats", check)


def _nb(mean_raw: float, raw: float, extra: float = 0.0) -> Callable[[Any], Any]:
    mean = math.log1p(math.exp(5 * mean_raw)) / 5
    size = 1 / (math.log1p(math.exp(raw)) + 1e-4)
    return lambda k: (k == 0) * extra + (1 - extra) * stats.nbinom.pmf(k, size, size / (size + mean))


def _mixture(x: Any) -> Any:
    return 0.4 * stats.logistic.pdf(x, -2, math.exp(-1)) + 0.6 * stats.logistic.pdf(x, 3, math.exp(0.5))


# numbers of a stream


def read(text: str, right: float | None) -> Row:
    def check() -> str:
        if right is None:
            with pytest.raises(ValueError, match=r"cannot read|infinite|too large"):
                read_number(text)
            return "refused"
        found = read_number(text)
        assert found == right or (math.isnan(found) and math.isnan(right))
        return f"right: {found!r}"

    return Row(KIND, f"{text!r} in a stream", "float, where it is a decimal number", check)


def streamed(name: str, value: Any, ok: float | None) -> Row:
    def check() -> str:
        stream = ostinato.Stream(model("noise"))
        if ok is None:
            with pytest.raises(ostinato.DataError):
                stream.update(value)
            assert stream.steps == 0
            return "refused: DataError"
        right = ostinato.Stream(model("noise")).update([ok]).surprisal
        np.testing.assert_allclose(stream.update(value).surprisal, right, rtol=1e-5)
        return f"right: {float(right[0]):.4f}"

    return Row(KIND, f"{name} in Stream.update", "the same number as a float", check)


DECIMAL = ["1", "-2.5", "+3", ".5", "5.", "1e3", "1E-3", " 7 ", "0", "-0.0", "1e-400", "00012"]
NO_NUMBER = [
    "1_000", "infinity", "-inf", "1e400", "1e200", "０", "٣", "0x10", "1,5", "1.2.3", "--1", "1e", "e5", "1 000",
    "true", "½", "1d", "+-1", "$5", "10%",
]  # fmt: skip
ZERO_INFLATED = 1 / (1 + math.exp(-1.0))

ROWS: list[Row] = [
    *[refused(name) for name in CALLS],
    *[taken(name, value) for name, value in CLOTHES.items()],
    level_refused(0.95, "use 95"),
    level_refused([0.5], "use 50"),
    level_refused([80, 0.8], "use 80"),
    *[level_refused(v, "between 0 and 100 percent") for v in (0, 100, -5, 150, math.nan, math.inf, 10**400)],
    level_refused("95", "use 95"),
    level_refused("95%", "use 95"),
    level_refused([80, 80.0], "given twice"),
    level_refused([True], "must be a number"),
    level_refused([None], "must be a number"),
    level_as_list(90, ["ostinato-lo-90"]),
    level_as_list(np.float32(99.9), ["ostinato-lo-99.9"]),
    level_as_list((80, 95), ["ostinato-lo-95", "ostinato-lo-80"]),
    level_as_list(np.array([95.0, 80.0]), ["ostinato-lo-95", "ostinato-lo-80"]),
    level_as_list([99.99999, 99.999999], ["ostinato-lo-99.999999", "ostinato-lo-99.99999"]),
    *[one_step(level, name) for name in ("normal", "student_t") for level in (1, 50, 95, 99.9, 99.99, 99.9999)],
    *[many_steps(level) for level in (80, 99.9, 99.99)],
    *[coldest(t) for t in (0, 0.0, -0.0, 1e-100, 1e-45, 5e-324, Decimal(0), np.float32(0))],
    likeliest("normal", lambda x: stats.norm.pdf(x, 1.5, 1), [1.5, 0.0], 0.0),
    likeliest("student_t", lambda x: stats.t.pdf(x, 5, 1.5, 1), [1.5, 0.0, 1.0], 0.0),
    likeliest("logistic_mixture", _mixture, [0.0, math.log(0.4), math.log(0.6), -2.0, 3.0, -1.0, 0.5], 0.0),
    likeliest("negative_binomial", _nb(7.3, -2.0), [7.3, -2.0], 1.0),
    likeliest("negative_binomial", _nb(2.0, 3.0), [2.0, 3.0], 1.0),
    likeliest("zero_inflated", _nb(7.3, -2.0, ZERO_INFLATED), [7.3, -2.0, 1.0], 1.0),
    likeliest("zero_inflated", _nb(7.3, -4.0, 1 / (1 + math.exp(5.0))), [7.3, -4.0, -5.0], 1.0),
    *[read(text, float(text)) for text in DECIMAL],
    *[read(text, math.nan) for text in ("", "nan", "NA", "null", "None", " ")],
    *[read(text, None) for text in NO_NUMBER],
    *[
        streamed(name, value, 0.5)
        for name, value in {
            "a number": 0.5, "a list": [0.5], "float32": [np.float32(0.5)], "Decimal": [Decimal("0.5")],
            "Fraction": [Fraction(1, 2)], "a 0-d array": np.array(0.5), "a tensor": torch.tensor([0.5]),
        }.items()
    ],
    *[
        streamed(name, value, None)
        for name, value in {
            "a string": "0.5", "a list of a string": ["0.5"], "1_000": ["1_000"], "a bool": [True],
            "an infinity": [math.inf], "beyond float32": [1e60], "a huge integer": [10**400], "a complex": [1j],
            "a date": [np.datetime64("2024-01-01")], "too many axes": [[[0.5]]], "two channels": [[0.5, 1.0]],
        }.items()
    ],
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_numbers(row: Row) -> None:
    assert row.check()
