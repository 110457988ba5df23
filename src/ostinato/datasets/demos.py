"""Small files for a first try: one of every kind of data, made by the program with a fixed seed."""

from __future__ import annotations

import io
import random
import wave
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from ostinato.shapes import Array

#: The samples a second of the made sound.
RATE: Final = 8_000


def _csv(header: str, rows: list[str]) -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


def _noise(rng: np.random.Generator, steps: int, keep: float) -> Array:
    """Return noise in which a share of each value is kept for the next one, (T,)."""
    out = rng.normal(size=steps)
    for t in range(1, steps):
        out[t] += keep * out[t - 1]
    return out


def _monthly(rng: np.random.Generator, months: int) -> Array:
    """Return sales a month: a trend, a season of a year that grows with it, and noise, (T,)."""
    t = np.arange(months)
    season = 1 + 0.25 * np.sin(2 * np.pi * (t - 3) / 12) + 0.15 * (t % 12 == 11)
    return np.asarray((400 + 4 * t) * season + 12 * _noise(rng, months, 0.5))


def _months(count: int) -> list[date]:
    return [date(2015 + m // 12, 1 + m % 12, 1) for m in range(count)]


def series() -> dict[str, bytes]:
    """Return ten years of monthly sales."""
    values = _monthly(np.random.default_rng(1), 120)
    return {"sales.csv": _csv("ds,y", [f"{day},{y:.0f}" for day, y in zip(_months(120), values, strict=True)])}


def panel() -> dict[str, bytes]:
    """Return six years of monthly sales of five shops, in the long form."""
    rng, rows = np.random.default_rng(2), []
    for shop in ("Bergen", "Gwangju", "Lyon", "Porto", "Turku"):
        values = _monthly(rng, 72) * rng.uniform(0.3, 2)
        rows += [f"{shop},{day},{y:.0f}" for day, y in zip(_months(72), values, strict=True)]
    return {"shops.csv": _csv("unique_id,ds,y", rows)}


def prices() -> dict[str, bytes]:
    """Return three years of daily prices whose volatility comes in waves."""
    rng, day, price, swing, rows = np.random.default_rng(3), date(2021, 1, 4), 100.0, 1e-4, []
    for _ in range(750):
        rows.append(f"{day},{price:.2f}")
        move = np.sqrt(swing) * rng.standard_t(5) * np.sqrt(3 / 5)
        price, swing = price * float(np.exp(move)), 4e-6 + 0.1 * move**2 + 0.86 * swing
        day += timedelta(days=3 if day.weekday() == 4 else 1)
    return {"prices.csv": _csv("Date,Close", rows)}


def text() -> dict[str, bytes]:
    """Return short English sentences, one a line."""
    rng = random.Random(4)
    who, verb = ["the baker", "my sister", "a sailor", "the old judge"], ["saw", "heard", "remembered", "painted"]
    what, when = ["the harbour", "a long winter", "the church bell", "her brother"], ["", " at dawn", " last year"]
    lines = [f"{rng.choice(who)} {rng.choice(verb)} {rng.choice(what)}{rng.choice(when)}." for _ in range(600)]
    three = "the baker saw the harbour.\nthe harbour saw the baker.\nharbour the saw baker the.\n"
    return {"sentences.txt": ("\n".join(lines) + "\n").encode(), "three.txt": three.encode()}


def korean() -> dict[str, bytes]:
    """Return short Korean sentences, one a line: who does what to whom is said by particles."""
    rng = random.Random(5)
    scenes = [
        (["개가", "강아지가"], ["사람을", "아이를", "도둑을"], ["물었다", "쫓았다", "반겼다"]),
        (["사람이", "아이가", "할머니가"], ["개를", "강아지를", "고양이를"], ["불렀다", "씻겼다", "찾았다"]),
        (["고양이가", "올빼미가"], ["쥐를", "새를", "나비를"], ["잡았다", "쫓았다", "놓쳤다"]),
        (["선생님이", "할머니가"], ["아이를", "학생을"], ["가르쳤다", "칭찬했다", "기다렸다"]),
    ]
    lines = []
    for _ in range(800):
        who, whom, verbs = rng.choice(scenes)
        lines.append(f"{rng.choice(['', '어제 ', '저녁에 '])}{rng.choice(who)} {rng.choice(whom)} {rng.choice(verbs)}")
    orders = ["개가 사람을 물었다", "사람이 개를 물었다", "물었다 개가 사람을"]
    return {"korean.txt": ("\n".join(lines) + "\n").encode(), "orders.txt": ("\n".join(orders) + "\n").encode()}


def sound() -> dict[str, bytes]:
    """Return three notes of a made plucked string as WAV, a third of a second each."""
    rng, note = np.random.default_rng(6), []
    for pitch in (220.0, 277.2, 329.6):
        t = np.arange(RATE // 3) / RATE
        tone = sum(np.sin(2 * np.pi * pitch * k * t) / k * np.exp(-(2 + k) * t) for k in range(1, 7))
        note.append(0.3 * tone + 0.002 * rng.normal(size=len(t)))
    samples = np.clip(np.concatenate(note) * 32_767, -32_768, 32_767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return {"string.wav": buffer.getvalue()}


def stream() -> dict[str, bytes]:
    """Return hourly readings of a sensor, and twelve later ones with a fault in the seventh."""
    rng, start = np.random.default_rng(7), datetime(2024, 1, 1)
    hours = np.arange(2_012)
    values = 20 + 3 * np.sin(2 * np.pi * hours / 24) + 0.3 * _noise(rng, len(hours), 0.8)
    values[2_006] += 8
    rows = [
        f"attic,{(start + timedelta(hours=hour)).isoformat()},{y:.2f}" for hour, y in enumerate(values[:2_000].tolist())
    ]
    live = "".join(f"{y:.2f}\n" for y in values[2_000:])
    return {"sensor.csv": _csv("unique_id,ds,y", rows), "live.txt": live.encode()}


#: What makes the files of each kind: the name of each file with its bytes.
DEMOS: Final[dict[str, Callable[[], dict[str, bytes]]]] = {
    "series": series,
    "panel": panel,
    "prices": prices,
    "text": text,
    "korean": korean,
    "sound": sound,
    "stream": stream,
}
