"""The rule of alarms: its rate on dependent data, what it finds, and that a file keeps what it remembers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import ostinato
from ostinato.errors import ConfigError, DataError, ModelFileError, OstinatoError
from ostinato.inference.alarm_rule import EVIDENCE, evidence_name
from ostinato.inference.alarm_verb import alarm_rule
from ostinato.inference.calibrated import CalibratedRule
from ostinato.inference.evidence import Evidence, evidence_of
from ostinato.inference.monitor import Monitor
from ostinato.inference.stream import Stream
from ostinato.serve.snapshot import ALARM, SKIPPED, alarm_in, flags_of
from ostinato.shapes import Array
from zoo import fitted, made


def _evidence(seed: int, steps: int, *, dependent: bool = True) -> Evidence:
    """Errors whose scale moves slowly, so that great surprisals come together."""
    rng = np.random.default_rng(seed)
    logs = [0.0]
    for moved in 0.08 * rng.standard_normal(steps - 1 if dependent else 0):
        logs.append(0.98 * logs[-1] + moved)
    error = (np.exp(logs) if dependent else 1.0) * rng.standard_normal(steps)
    return Evidence(0.5 * error**2, error[:, None], np.zeros((steps, 1)))


@cache
def _usual_rule(response: tuple[float, ...] = ()) -> CalibratedRule:
    """Return the rule of one alarm in a thousand events, from 12,000 independent ones."""
    return CalibratedRule([_evidence(1, 12_000, dependent=False)], 1e-3, response=response)


def _alarms(rule: CalibratedRule, one: Evidence) -> NDArray[np.int64]:
    return np.flatnonzero(_side_by_side(rule, [one]))


def _side_by_side(rule: CalibratedRule, streams: list[Evidence]) -> NDArray[np.bool_]:
    """Return which events of streams of equal lengths give an alarm, (T, B); a batch takes the time of one stream."""
    memory, out = np.tile(rule.start(), (len(streams), 1)), []
    for t in range(len(streams[0].surprisal)):
        s, y, m = (np.array([part[t] for part in parts]) for parts in zip(*(one[:3] for one in streams), strict=True))
        alarm, memory = rule.step(s, y, m, memory)
        out.append(alarm > 0)
    return np.array(out)


@pytest.mark.parametrize("dependent", [True, False])
def test_the_rate_is_the_one_that_was_asked_for(dependent: bool) -> None:
    rule = CalibratedRule([_evidence(1, 12_000, dependent=dependent)], 0.02)
    streams = [_evidence(seed, 1_000, dependent=dependent) for seed in (2, 12, 22, 32, 42, 52, 62, 72)]
    assert _side_by_side(rule, streams).mean() == pytest.approx(0.02, rel=0.2)


#: Each two of the number of values, their distribution and the response come together.
FEW = [(n, heavy, heavy != (n == 500)) for n in (200, 500, 1600) for heavy in (False, True)]


@pytest.mark.parametrize(
    ("steps", "heavy", "response"), [(n, heavy, (1.0, 0.3, 0.2) if moves else ()) for n, heavy, moves in FEW]
)
def test_few_held_out_values_do_not_multiply_the_alarms(steps: int, heavy: bool, response: tuple[float, ...]) -> None:
    """Two hundred values gave alarms at six to nineteen times the rate: their tails were too short, and crowded."""
    found = {0.01: 0, 0.001: 0}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        parts = [rng.standard_t(4, n) if heavy else rng.standard_normal(n) for n in (steps, 10_000)]
        known, new = (Evidence(2.5 * np.log1p(x**2 / 4), x[:, None], np.zeros((len(x), 1))) for x in parts)
        for rate in found:
            rule = CalibratedRule([known], rate, response=response)
            found[rate] += rule._count(new)
    for rate, count in found.items():
        assert count < 2 * rate * 80_000
    assert found[0.01] > 0.5 * 0.01 * 80_000


@pytest.mark.parametrize("dependent", [True, False])
@pytest.mark.parametrize("steps", [200, 1600])
def test_the_interval_of_the_rate_holds_what_is_found(steps: int, dependent: bool) -> None:
    """Of 24 rules from few values at least 20 come to a rate within their 90 % interval, and some leave half of it."""
    held, ratios = 0, []
    for seed in range(24):
        rule = CalibratedRule([_evidence(100 + seed, steps, dependent=dependent)], 0.01)
        new = _evidence(500 + seed, 10_000, dependent=dependent)
        found = rule._count(new) / 10_000
        held += rule.rates[0] <= found <= rule.rates[1]
        ratios.append(abs(np.log(found / 0.01)) / np.log(rule.rates[1] / 0.01))
    assert held >= 20
    assert max(ratios) > 0.5


def test_a_rule_says_how_sure_its_rate_is() -> None:
    few, many = (CalibratedRule([_evidence(1, n, dependent=False)], 0.01) for n in (200, 12_000))
    assert "because there are only 200 values: at least 2,000 make it narrower" in few.words()
    assert "make it narrower" not in many.words()
    assert few.rates[1] / few.rates[0] > 4
    # of values that depend on each other, more than the usual number may be few
    close = CalibratedRule([_evidence(1, 2_500)], 0.01)
    assert close.rates[1] > 0.02
    words = close.words()
    assert "for which" not in words
    enough = int(words.split("together here: about ")[1].split(" values")[0].replace(",", ""))
    assert enough > 2_500
    assert many.rates[1] / many.rates[0] < 1.6


@pytest.mark.parametrize("past", [700, 0], ids=["held-out ends", "newer series"])
@pytest.mark.parametrize("warm", [0, 60, 479])
def test_a_long_past_of_the_model_does_not_multiply_the_alarms(past: int, warm: int) -> None:
    """Held-out series shorter than the past that the model reads had no sums at all, and each later sum was an alarm.

    Six series of 300 events gave alarms at 27 times the rate, with a model that reads 479 events.
    """
    parts = [_evidence(k, 300, dependent=False)._replace(past=past) for k in range(6)]
    rule, new = CalibratedRule(parts, 0.005, warm=warm), [_evidence(k, 1_500, dependent=False) for k in range(20, 28)]
    assert 0.3 * 60 < _side_by_side(rule, new).sum() < 2 * 60
    assert ("longer held-out series" in rule.words()) == (warm == 479 and not past)


def test_the_past_of_held_out_events_is_counted_without_the_missing_ones() -> None:
    model, data = fitted("series", "gru"), made("series")
    found, *_ = evidence_of(model, data, 0.25)
    events = [int(np.isfinite(np.asarray(data[b], dtype=float)).all(1).sum()) for b in range(len(data))]
    assert {one.past + len(one.surprisal) for one in found} <= set(events)
    assert all(one.past > 0 for one in found)
    assert len(found) >= 2


def test_the_echo_of_an_alarm_gives_no_second_one() -> None:
    """The errors that follow a spike, because it is in the past of the model, fall into the cool-down."""
    rule, usual = _usual_rule(), _evidence(5, 400, dependent=False)
    error = usual.values[:, 0].copy()
    quiet = _alarms(rule, usual)
    error[200:206] = (12.0, -9.0, 5.0, -4.0, 4.0, 3.5)
    spiked = _alarms(rule, Evidence(0.5 * error**2, error[:, None], usual.expected))
    assert set(spiked) - set(quiet) == {200}


def test_a_spike_within_a_cool_down_leaves_no_move_of_the_level_after_it() -> None:
    """Such an alarm begins a cool-down that hides the next spike, and that one leaves such an alarm again."""
    response = (1.0, 0.3, 0.28, 0.26, 0.25, 0.24, 0.24, 0.23)
    rule = _usual_rule(response)
    error = _evidence(5, 120, dependent=False).values[:, 0].copy()
    for at in (20, 27, *range(50, 120, 15)):  # the second one falls into the cool-down of the first
        error[at : at + 2] = 30, -25
    found = _alarms(rule, Evidence(0.5 * error**2, error[:, None], np.zeros((120, 1))))
    assert found.tolist() == [20, *range(50, 120, 15)]


def test_a_stream_of_another_spread_comes_to_the_rate_by_itself() -> None:
    rule, others = CalibratedRule([_evidence(1, 12_000)], 0.02), [_evidence(seed, 6_000) for seed in (3, 13, 23, 33)]
    alarms = _side_by_side(rule, [one._replace(surprisal=1.25 * one.surprisal) for one in others])
    assert alarms[4_000:].mean() == pytest.approx(0.02, rel=0.2)
    assert alarms[:500].mean() > 0.024


@pytest.mark.parametrize("fault", ["spike", "shift", "stuck", "noisier"])
def test_each_fault_is_found_within_its_time(fault: str) -> None:
    rule, usual = _usual_rule(), _evidence(5, 400, dependent=False)
    error = usual.values[:, 0].copy()
    match fault:
        case "spike":
            error[300] = 6
        case "shift":
            error[300:] += 1.2
        case "stuck":
            error[300:] = error[299]
        case "noisier":
            error[300:] *= 2.5
    at = _alarms(rule, Evidence(0.5 * error**2, error[:, None], np.zeros((400, 1))))
    assert 300 <= at[at >= 300][0] <= {"spike": 300, "shift": 330, "stuck": 303, "noisier": 330}[fault]


@pytest.mark.parametrize("fault", ["surprisal", "surprisals", "errors", "repeats", "move"])
def test_an_alarm_names_its_evidence(fault: str) -> None:
    response: tuple[float, ...] = (1.0, -0.6, 0.3, -0.2) if fault == "move" else ()
    rule = _usual_rule(response)
    error = _evidence(5, 400, dependent=False).values[:, 0].copy()
    match fault:
        case "surprisal":
            error[300] = 8
        case "surprisals":
            error[300:] = 1.9 * (-1.0) ** np.arange(100)
        case "errors":
            error[300:] = 0.9 * np.abs(error[300:])
        case "repeats":
            error[300:] = error[299]
        case "move":
            error[300:304] = 3.2 * np.array(response)
    memory, named = rule.start()[None], []
    for t, y in enumerate(error):
        alarm, memory = rule.step(np.array([0.5 * y**2]), np.array([[y]]), np.zeros((1, 1)), memory)
        named += [evidence_name(int(alarm[0]))] if t >= 300 and alarm[0] else []
    assert named[0] == fault


def test_the_flags_of_the_history_keep_the_evidence() -> None:
    alarms = np.arange(len(EVIDENCE) + 1, dtype=np.uint8)
    assert [alarm_in(one) for one in flags_of(alarms)] == [(False, None), *((True, name) for name in EVIDENCE)]
    assert alarm_in(ALARM) == (True, None)  # earlier releases did not keep it
    assert alarm_in(SKIPPED) == (False, None)


def test_after_an_alarm_there_is_none_for_the_cool_down() -> None:
    rule = CalibratedRule([_evidence(1, 5_000, dependent=False)], 1e-3, cool_down=7)
    error: Array = np.linspace(9.0, 12.0, 40)
    at = _alarms(rule, Evidence(0.5 * error**2, error[:, None], np.zeros((40, 1))))
    assert np.diff(at).min() == np.diff(at).max() == 8


def test_what_is_far_rarer_passes_the_cool_down_and_begins_its_own() -> None:
    """A slow fault hid each spike of the ten events after it: the spike is news, and its like is not."""
    rule = _usual_rule()
    error = _evidence(5, 120, dependent=False).values[:, 0].copy()
    error[40:43] = 3.6
    error[44], error[47], error[49] = 9, 9, -8.5
    found = _alarms(rule, Evidence(0.5 * error**2, error[:, None], np.zeros((120, 1))))
    assert found[found < 55].tolist() == [40, 44]


@pytest.mark.parametrize("dependent", [True, False])
def test_the_rule_of_calibration_is_the_rule_of_streams(dependent: bool) -> None:
    """Both count the same alarms on events that have spikes in and out of cool-downs, before a stream learns."""
    usual = _evidence(1, 12_000, dependent=dependent)
    for response in ((), (1.0, -0.6, 0.3, -0.2)):
        rule, spiked = CalibratedRule([usual], 2e-3, response=response), []
        for seed in (7, 17, 27, 37):
            new, rng = _evidence(seed, 1_000, dependent=dependent), np.random.default_rng(seed)
            error = new.values[:, 0].copy()
            error[rng.choice(1_000, 100, replace=False)] *= rng.uniform(1, 12, 100)
            spiked.append(Evidence(0.5 * error**2, error[:, None], new.expected))
        counted = [rule._count(one) for one in spiked]
        assert sum(counted) > 100
        assert _side_by_side(rule, spiked).sum(0).tolist() == counted


def test_one_spike_is_one_alarm_however_short_the_cool_down() -> None:
    usual, response = _evidence(1, 5_000, dependent=False), (1.0, -0.6, 0.3, -0.2)
    rule = CalibratedRule([usual], 1e-3, cool_down=1, response=response)
    error = 0.5 * np.sin(np.arange(30.0))
    error[10] = 9
    assert _alarms(rule, Evidence(0.5 * error**2, error[:, None], np.zeros((30, 1)))).tolist() == [10]


def test_a_missing_value_gives_no_alarm_and_changes_nothing_remembered() -> None:
    rule = CalibratedRule([_evidence(1, 5_000)], 0.01)
    _, memory = rule.step(np.array([2.0]), np.array([[2.0]]), np.zeros((1, 1)), rule.start()[None])
    alarm, after = rule.step(np.array([np.nan]), np.array([[np.nan]]), np.zeros((1, 1)), memory)
    assert not alarm[0]
    np.testing.assert_array_equal(after, memory)


def test_a_batch_is_its_rows() -> None:
    rule, one, two = CalibratedRule([_evidence(1, 5_000)], 0.01), _evidence(8, 300), _evidence(9, 300)
    memory, out = np.tile(rule.start(), (2, 1)), []
    for t in range(300):
        s, y, m = (np.array([a[t], b[t]]) for a, b in zip(one[:3], two[:3], strict=True))
        alarm, memory = rule.step(s, y, m, memory)
        out.append(alarm)
    np.testing.assert_array_equal(np.flatnonzero(np.array(out)[:, 0]), _alarms(rule, one))
    np.testing.assert_array_equal(np.flatnonzero(np.array(out)[:, 1]), _alarms(rule, two))


def test_a_rate_without_room_for_the_cool_down_is_refused() -> None:
    with pytest.raises(ConfigError, match="impossible, because an alarm is followed by 10 events"):
        alarm_rule(fitted("series", "ar"), 0.1, made("series"), cool_down=10)
    with pytest.raises(DataError, match="got none"):
        alarm_rule(fitted("series", "ar"), 0.1)


@pytest.mark.parametrize("kind", ["series", "prices", "channels", "counts"])
def test_a_file_of_states_goes_on_where_it_stopped(kind: str, tmp_path: Path) -> None:
    model, data, path = fitted(kind, "gru"), made(kind), tmp_path / "states"
    values = np.asarray(data[4], dtype=float)
    expected = Stream(model, "e").update(values)
    first = Monitor(model)
    for row in values[:40]:
        first.update(row, "e")
        first.update(row, "other")
    first.save(path)
    second = Monitor(model)
    assert second.load(path) == []
    assert len(second) == 2
    found = [second.update(row, "e").surprisal for row in values[40:]]
    np.testing.assert_allclose(found, expected.surprisal[40:], rtol=2e-4, atol=2e-4)
    second.save(path)
    assert len(Monitor(model)._kept) == 0
    third = Monitor(model)
    third.load(path)
    assert len(third) == 2  # a series that did not come again is kept too


@pytest.mark.parametrize(("before", "after"), [(None, 0.01), (0.01, None), (0.01, 0.02)])
def test_states_of_another_rule_begin_the_alarm_anew(before: float | None, after: float | None, tmp_path: Path) -> None:
    """Also those of a series that does not come again, so that the next file has rows of one rule."""
    model, data, path = fitted("series", "ar"), made("series"), tmp_path / "states"
    first = Monitor(model, alarm=before, reference=data)
    for key in ("comes again", "is gone"):
        first.update(1.0, key)
    first.save(path)
    second = Monitor(model, alarm=after, reference=data)
    notes = second.load(path)
    assert bool(notes) == (before is None)
    second.update(2.0, "comes again")
    second.save(path)
    assert len(second) == 2
    assert Monitor(model, alarm=after, reference=data).load(path) == []


def test_states_of_another_model_or_of_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "states"
    Monitor(fitted("series", "gru")).save(path)
    with pytest.raises(ModelFileError, match="belong to another model"):
        Monitor(fitted("series", "lstm")).load(path)
    path.write_bytes(path.read_bytes()[:-3][:20])
    with pytest.raises(ModelFileError, match="cannot be read"):
        Monitor(fitted("series", "gru")).load(path)
    ostinato.save_model(fitted("series", "gru"), path)
    with pytest.raises(ModelFileError):
        Monitor(fitted("series", "gru")).load(path)


@pytest.mark.parametrize("cool_down", [None, 0, 10, 10**6, 10**18])
@pytest.mark.parametrize("rate", [1e-3, 1e-12, 1e-300, 5e-324])
def test_a_rate_that_few_values_cannot_show_is_refused_or_said(rate: float, cool_down: int | None) -> None:
    wave = np.random.default_rng(0).normal(50, 3, 72)
    model = fitted("series", "ar")
    try:
        found = alarm_rule(model, rate, wave, cool_down=cool_down).words()
    except OstinatoError as error:
        found = str(error)
    said = "Even a clear fault may give no alarm" in found and "ask for a rate of at least 0.01" in found
    refused = ("72 held-out values are too few for alarms at", "of events are impossible")
    may_refuse = rate != 1e-3 or (cool_down or 0) > 10
    assert said or (may_refuse and any(words in found for words in refused))
