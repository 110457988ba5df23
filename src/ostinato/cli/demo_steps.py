"""What ``ostinato demo`` shows for each kind of data: commands, why they are run, and how their results are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final


@final
@dataclass(frozen=True)
class Step:
    """One command of a walk.

    Attributes:
        why: What the command is for.
        command: The words after ``ostinato``.
        meaning: How its result is read.
        stdin: The file that the command reads from standard input; empty if none.
    """

    why: str
    command: str
    meaning: str
    stdin: str = ""


#: The walk of each kind.
WALKS: Final[dict[str, tuple[Step, ...]]] = {
    "series": (
        Step(
            "See how the file is read.",
            "inspect sales.csv",
            "ostinato found the kind, the number of steps and the frequency from the content. A note names each guess.",
        ),
        Step(
            "Forecast the next six months, without a model file.",
            "forecast sales.csv --horizon 6 --level 80",
            "Each row is a month: the forecast, and an interval that should contain its value in 80 of 100 months.",
        ),
        Step(
            "Check whether the forecast is better than repeating the last year.",
            "backtest sales.csv --model local --horizon 6 --n-windows 2 --level 80",
            "Each method forecasts months that it has not seen. wQL is the error of its quantiles: lower is better. "
            "'in 80%' should be near 80.",
        ),
        Step(
            "Fit a model that gives every step a probability, and keep it.",
            "fit sales.csv --model ar -o sales.ost",
            "The file sales.ost holds the model. It was judged on the held-out part and then fitted to all data.",
        ),
        Step(
            "Find the months that surprise the model.",
            "score sales.ost sales.csv --top 3",
            "A surprisal is -log P of a step given all steps before it: a month of 5 nats is e^5 = 148 times less "
            "probable than a month of 0 nats.",
        ),
    ),
    "panel": (
        Step("See what is in the file.", "inspect shops.csv", "The column unique_id names the shop of each row."),
        Step(
            "Forecast every shop with one command.",
            "forecast shops.csv --horizon 2 --level 80",
            "Each shop has its own rows. Its methods are weighted by their held-out errors on this shop and on the "
            "other shops.",
        ),
        Step(
            "Compare with simple baselines, over all shops.",
            "backtest shops.csv --model local --horizon 6 --level 80",
            "A MASE below 1 is better than the naive forecasts in the past. The last line names the best model and the "
            "best baseline.",
        ),
    ),
    "prices": (
        Step(
            "Check that ostinato takes the file for prices.",
            "inspect prices.csv",
            "Prices are modelled by their log returns, on the calendar of the file: weekends are not gaps.",
        ),
        Step(
            "Fit a model of the returns.",
            "fit prices.csv --model ar -o prices.ost",
            "'over AR' is the gain in nats per step: 0.0000 for the AR itself. Returns are hard to predict, but their "
            "spread is not.",
        ),
        Step(
            "Forecast the next days, with the risk.",
            "forecast prices.ost --horizon 3 --level 90",
            "The model expects the price to fall below lo-90 on 5 of 100 days.",
        ),
        Step(
            "Find the days that surprise the model.",
            "score prices.ost prices.csv --top 3",
            "These days are shocks, measured against the volatility that the model expected for the day.",
        ),
    ),
    "text": (
        Step("See how the file is read.", "inspect sentences.txt --per-line", "Each line is a sequence of characters."),
        Step(
            "Fit adaptive counts, the quickest model of a text.",
            "fit sentences.txt --per-line --model counts -o text.ost",
            "Fewer bits are better: a byte of plain text takes 8, and good compressors need about 2.",
        ),
        Step(
            "Measure how surprising each word is.",
            "score text.ost three.txt --frozen --by word",
            "There is one row for each word. Words in the wrong place cost the most nats.",
        ),
        Step(
            "Let the model write.",
            "sample text.ost --n-samples 3 --length 60 --seed 1",
            "These sentences are new: the model draws them character by character.",
        ),
        Step(
            "Compress the file with the model.",
            "compress text.ost three.txt -o three.osz",
            "The file has the size that score says. ostinato decompress restores the original bit for bit.",
        ),
    ),
    "korean": (
        Step(
            "See how the file is read.",
            "inspect korean.txt --per-line",
            "Each line is a sequence of syllables.",
        ),
        Step(
            "Fit adaptive counts to the sentences.",
            "fit korean.txt --per-line --model counts -o korean.ost",
            "The alphabet is the characters of the file. An unseen character is possible, but improbable.",
        ),
        Step(
            "Score the same words in three orders: dog bites man, man bites dog, and no sentence.",
            "score korean.ost orders.txt --frozen --by line",
            "The particles 이/가 and 을/를 say who did what to whom. An order that nobody writes costs the most nats.",
        ),
        Step(
            "Let the model write.",
            "sample korean.ost --n-samples 3 --length 30 --seed 1",
            "These sentences are new: the model draws them syllable by syllable.",
        ),
    ),
    "sound": (
        Step(
            "See how the file is read.", "inspect string.wav", "Every sample is one step. Its value is a whole number."
        ),
        Step(
            "Fit filters that learn while they listen.",
            "fit string.wav --model filter --max-order 32 -o string.ost",
            "The figure is in bits per sample, as for lossless audio: the plain file has 16.",
        ),
        Step(
            "Find the moments that surprise the model.",
            "score string.ost string.wav --top 3",
            "The most surprising samples are the starts of the three notes.",
        ),
        Step(
            "Compress the sound without loss.",
            "compress string.ost string.wav -o string.osz",
            "The file has the size that score says. ostinato decompress restores the original bit for bit.",
        ),
    ),
    "stream": (
        Step(
            "Fit a model to old readings of a sensor.",
            "fit sensor.csv --model ar -o sensor.ost",
            "The AR has learned the daily rhythm and how one reading follows from the last.",
        ),
        Step(
            "Read a new day line by line, with one false alarm in a thousand readings.",
            "stream sensor.ost --alarm 0.001",
            "There is one answer for each line: the expected value, and how surprising the reading is. The seventh "
            "reading is 8 degrees too high. The same command reads lines of JSON, with a time and an id.",
            stdin="live.txt",
        ),
    ),
}
