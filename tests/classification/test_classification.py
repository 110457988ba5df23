"""Bayes' rule is exact, the head learns, the figures have their uncertainty, and files are read back."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
from scipy.special import logsumexp
from scipy.stats import binomtest

import ostinato
from ostinato.classification import fit as fit_module
from ostinato.classification.head import Head
from ostinato.classification.judgement import judge, wilson
from ostinato.classification.labels import read_labelled, read_labelled_like
from ostinato.classification.model import checked_prior, posterior
from ostinato.data.sequences import SequenceSet
from ostinato.errors import ConfigError, DataError, ModelFileError
from ostinato.fits.budget import Budget
from ostinato.training.text_network import network_for
from ostinato.training.vocabulary import in_vocabulary


def _frame(count: int = 24, seed: int = 0) -> pl.DataFrame:
    rng, rows = np.random.default_rng(seed), []
    for i in range(count):
        y = [0.0]
        for _ in range(29):
            y.append((0.9 if i % 2 else -0.6) * y[-1] + rng.normal())
        rows += [{"unique_id": f"s{i:02}", "ds": t, "y": v, "kind": "ab"[i % 2]} for t, v in enumerate(y)]
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> tuple[ostinato.Classifier, Path]:
    path = tmp_path_factory.mktemp("classes") / "y.csv"
    _frame().write_csv(path)
    found = read_labelled(str(path), "kind")
    fit = ostinato.fit_classifier(found.data, found.labels, label="kind")
    assert fit.bayes.count == 2
    return fit.classifier, path


def test_bayes_is_the_likelihoods_and_the_prior(series: tuple[ostinato.Classifier, Path]) -> None:
    classifier, path = series
    data = ostinato.read(_frame().drop("kind"), kind="series")
    nats = np.stack([ostinato.score(m, data).log_prob for m in classifier.models], axis=1)
    prior = np.array([0.2, 0.8])
    joint = nats + np.log(prior)
    expected = joint - logsumexp(joint, axis=1, keepdims=True)
    found = ostinato.classify(classifier, str(path), rule="bayes", prior="a=0.2,b=0.8")
    np.testing.assert_allclose(found.log_prob, expected, atol=1e-9)
    np.testing.assert_allclose(found.probabilities.sum(1), 1.0)


@pytest.mark.parametrize("rule", ["bayes", "head"])
def test_two_laws_are_told_apart_and_read_back(
    series: tuple[ostinato.Classifier, Path], tmp_path: Path, rule: str
) -> None:
    classifier, path = series
    classifier.save(tmp_path / "c.ost")
    found = ostinato.classify(tmp_path / "c.ost", str(path), rule=rule)
    np.testing.assert_array_equal(found.log_prob, ostinato.classify(classifier, str(path), rule=rule).log_prob)
    judged = found.judged()
    assert judged is not None
    assert judged.accuracy.value > 0.85
    assert judged.accuracy.low < judged.accuracy.value <= judged.accuracy.high
    frame = found.frame()
    assert frame.columns == ["unique_id", "class", "p", "p_a", "p_b", "label"]
    # the same sequences without their classes have the same probabilities
    bare = ostinato.classify(classifier, _frame().drop("kind"), rule=rule)
    np.testing.assert_allclose(bare.log_prob, found.log_prob)
    assert bare.judged() is None
    with pytest.raises(ModelFileError, match="holds a classifier"):
        ostinato.load_model(tmp_path / "c.ost")


@pytest.mark.parametrize("vocabulary", [None, "jamo"])
def test_texts_are_classified(tmp_path: Path, vocabulary: str | None) -> None:
    rows = [
        {"text": t * (1 + i % 3), "good": g}
        for i in range(8)
        for t, g in (("아주 좋아요 ", "yes"), ("별로네요 ", "no"))
    ]
    path = tmp_path / "t.csv"
    pl.DataFrame(rows).write_csv(path)
    found = read_labelled(str(path), "good", kind="text")
    fit = ostinato.fit_classifier(found.data, found.labels, label="good", vocabulary=vocabulary)
    answer = ostinato.classify(fit.classifier, str(path))
    assert answer.named == [row["good"] for row in rows]
    again = ostinato.classify(fit.classifier, str(path))  # classifying teaches the counts nothing
    np.testing.assert_array_equal(again.log_prob, answer.log_prob)


class AskedError(Exception):
    """Ends a fit where its class models are made."""


def test_a_network_of_text_follows_the_budget_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of one training on the largest class; a longer budget passes over the text more often."""
    texts = [f"{word}{i % 7} {word} " * (2 + (word == "b")) for i in range(24) for word in "ab"]
    data, labels, asked = ostinato.read(texts, kind="text"), [t[0] for t in texts], list[Any]()

    def keep(*arguments: Any) -> None:
        asked.append(arguments)
        raise AskedError

    monkeypatch.setattr(fit_module, "ClassModels", keep)
    symbols = int(sum(n for n, label in zip(data.lengths, labels, strict=True) if label == "b"))
    for budget in (Budget(None, 1), Budget(None, 100), Budget(0.6), Budget(60.0)):
        with pytest.raises(AskedError):
            ostinato.fit_classifier(data, labels, model="lstm", budget=budget)
        *_, options, share, _ = asked[-1]
        # two classes, each trained on all sequences and without each of five folds
        assert share.seconds == (budget.seconds and pytest.approx(budget.seconds / (2 * 6)))
        wanted = network_for(symbols, share, short=True)
        assert (options.hidden, options.dropout) == (wanted.hidden, wanted.dropout)
    assert asked[0][4].dropout < asked[1][4].dropout


def test_no_held_out_text_reaches_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ostinato.read([f"{word}{i % 4} " * 3 for i in range(20) for word in "ab"], kind="text")
    labels = ["ab"[i % 2] for i in range(len(data))]
    seen: list[int] = []

    def watched(
        data: SequenceSet, vocabulary: str | None, held_out: float | str
    ) -> tuple[SequenceSet, tuple[str, ...]]:
        seen.append(len(data))
        return in_vocabulary(data, vocabulary, held_out)

    monkeypatch.setattr("ostinato.classification.fit.in_vocabulary", watched)
    fit = ostinato.fit_classifier(data, labels, vocabulary="jamo", held_out=0.4)
    assert seen == [24]  # of 40, less two fifths of each class
    assert fit.bayes.count == 16


def test_the_head_takes_the_prior_of_the_fit(series: tuple[ostinato.Classifier, Path]) -> None:
    classifier, path = series
    prior = np.array([0.2, 0.8])
    shares = replace(classifier, record={"counts": [18.0, 6.0]}, prior=prior)
    learned = ostinato.classify(replace(classifier, prior=classifier.shares), str(path), rule="head").log_prob
    expected = posterior(learned - np.log([0.75, 0.25]), prior)
    np.testing.assert_allclose(ostinato.classify(shares, str(path), rule="head").log_prob, expected, atol=1e-12)
    # the shares of the training data are what it has learned, whatever the prior of the fit is
    found = ostinato.classify(shares, str(path), rule="head", prior="counts").log_prob
    np.testing.assert_allclose(found, learned, atol=1e-12)


def test_a_table_is_read_with_all_options(tmp_path: Path) -> None:
    rows = [(f"s{i}", t, f"{t + 1},{100 + i}", float(i % 2) if i else None) for i in range(9) for t in range(9)]
    frame = pl.DataFrame(rows, schema=["unique_id", "ds", "y", "kind"], orient="row")
    frame.write_csv(tmp_path / "a.csv", separator="\t")
    frame.drop("kind").write_csv(tmp_path / "b.csv", separator="\t")
    found = read_labelled(str(tmp_path / "a.csv"), "kind", decimal=",")
    bare = ostinato.read(str(tmp_path / "b.csv"), decimal=",")
    np.testing.assert_array_equal(found.data.values, bare.values)
    assert found.data.notes == bare.notes
    assert found.data.meta["source"] == str(tmp_path / "a.csv")
    # a missing class makes the column one of floats, and its classes stay whole numbers
    assert found.labels == (None, *(str(i % 2) for i in range(1, 9)))
    again = read_labelled_like(str(tmp_path / "a.csv"), "kind", found.data.meta, asked=False)
    np.testing.assert_array_equal(again.data.values, bare.values)
    assert again.labels == found.labels


def test_a_frame_of_pandas_is_a_table() -> None:
    pytest.importorskip("pandas")
    frame = _frame(8)
    found = read_labelled(frame.to_pandas(use_pyarrow_extension_array=False), "kind", kind="series")
    assert found.labels == ("a", "b") * 4
    assert found.data.values.tolist() == frame["y"].to_numpy()[:, None].tolist()


def test_the_name_of_a_column_is_no_expression_for_ids() -> None:
    rows = [{"text": t * 4, "good": g} for _ in range(5) for t, g in (("abab ", "yes"), ("cdcd ", "no"))]
    frame = pl.DataFrame(rows)
    found = read_labelled(frame, "good", kind="text", target="text")
    fit = ostinato.fit_classifier(found.data, found.labels, label="good")
    assert ostinato.classify(fit.classifier, {"good": "abab", "very good": "cd"}).judged() is None


def test_sounds_are_classified_by_their_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(16):
        x, y = np.zeros(400), rng.normal(size=400)
        for t in range(1, 400):
            x[t] = (0.95 if i % 2 else -0.5) * x[t - 1] + y[t]
        soundfile.write(tmp_path / f"{'low' if i % 2 else 'high'}_{i}.wav", (x * 1000).astype(np.int16), 8000)
    found = read_labelled(str(tmp_path), "^([a-z]+)_")
    fit = ostinato.fit_classifier(found.data, found.labels, max_order=4)
    assert ostinato.classify(fit.classifier, found.data).named == list(found.labels)
    with pytest.raises(DataError, match="no name matches"):
        read_labelled(str(tmp_path), "^[0-9]+$")
    with pytest.raises(ConfigError, match="cannot read the expression"):
        read_labelled(str(tmp_path), "(")


def test_the_posterior_is_safe() -> None:
    nats = np.array([[-1e6, -1e6 - 1.0], [-np.inf, -3.0], [-np.inf, -np.inf], [0.0, 0.0]])
    found = np.exp(posterior(nats, np.array([0.25, 0.75])))
    odds = 0.25 / (0.25 + 0.75 * math.exp(-1))
    expected = np.array([[odds, 1 - odds], [0, 1], [0.25, 0.75], [0.25, 0.75]])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_wilson_is_that_of_scipy() -> None:
    for right, count in ((0, 5), (3, 7), (361, 370), (20, 20)):
        interval = binomtest(right, count).proportion_ci(method="wilson")
        found = wilson(right, count)
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_right_probabilities_are_calibrated_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1.0, 4000)
    labels = (rng.random(4000) > p).astype(np.int64)
    logs = np.log(np.stack([p, 1 - p], axis=1))
    found, sure = judge(logs, labels), judge(np.log(np.tile([0.999, 0.001], (4000, 1))), labels)
    assert found.calibration.value < 2 * found.by_chance
    assert sure.calibration.low > 0.2
    assert found.log_loss.low < -float(logs[np.arange(4000), labels].mean()) < found.log_loss.high
    assert sum(one.count for one in found.bins) == 4000
    assert sum(one.count * one.confidence for one in found.bins) == pytest.approx(np.exp(logs.max(1)).sum())


def test_the_confidence_of_a_bin_has_its_earlier_name_too() -> None:
    found = judge(np.log(np.array([[0.8, 0.2], [0.3, 0.7]])), np.array([0, 0]))
    with pytest.warns(DeprecationWarning, match=r"Bin\.asserted is called confidence since version 0\.1") as told:
        assert found.bins[1].asserted == pytest.approx(0.8)
    assert told[0].filename == __file__
    assert [one["asserted"] for one in found.to_json()["bins"]] == [one.confidence for one in found.bins]


def test_a_head_finds_the_informative_block() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    noise, signal = rng.normal(size=(90, 4)), np.eye(3)[y] + 0.1 * rng.normal(size=(90, 3))
    head, logs = Head.fit([noise, signal], y, np.arange(90) // 18, 3)
    assert head.blocks.tolist() == [1]
    assert (head.log_prob([noise, signal]).argmax(1) == y).all()
    assert logs[np.arange(90), y].mean() > -0.2


def test_what_cannot_be_a_class_is_refused() -> None:
    frame = _frame(8)
    data = ostinato.read(frame.drop("kind"), kind="series")
    with pytest.raises(DataError, match="there is one class"):
        ostinato.fit_classifier(data, ["a"] * 8)
    with pytest.raises(DataError, match="b has 1"):
        ostinato.fit_classifier(data, ["a"] * 7 + ["b"])
    with pytest.raises(DataError, match="3 labels for 8"):
        ostinato.fit_classifier(data, ["a"] * 3)
    with pytest.raises(DataError, match="no sequence has a class"):
        ostinato.fit_classifier(data, [math.nan] * 4 + [""] * 4)  # type: ignore[arg-type]
    for held_out in (0, 1, 1.5):
        with pytest.raises(ConfigError, match="held-out share"):
            ostinato.fit_classifier(data, ["a", "b"] * 4, held_out=held_out)
    assert ostinato.fit_classifier(data, ["a", "b"] * 4, held_out=0.9).bayes.count == 6
    with pytest.raises(ConfigError, match="does not use the model 'counts'"):
        ostinato.fit_classifier(data, ["a", "b"] * 4, model="counts")
    mixed = frame.with_columns(kind=pl.Series([str(i % 2) for i in range(len(frame))]))
    with pytest.raises(DataError, match="several classes"):
        read_labelled(mixed, "kind", kind="series")
    with pytest.raises(DataError, match="no column 'klass'"):
        read_labelled(frame, "klass", kind="series")
    for prior in ("a=1", "a=1,b=x", "a=1,b=-1", "a=1,b=1,c=1", "a=1,b=1,a=3", "a=1,b=nan", "", "=1", "a"):
        with pytest.raises(ConfigError, match="prior"):
            checked_prior(prior, ("a", "b"), np.ones(2))


def test_a_class_may_have_any_name_in_a_prior() -> None:
    names = ("a, b", "c=1", "d")
    found = checked_prior("a, b=1, c=1=2,d = 1", names, np.ones(3))
    np.testing.assert_array_equal(found, [0.25, 0.5, 0.25])
