"""A folder of texts in Korean and English: one model, a score for each line, and the characters that surprise it.

Run: python examples/two_languages.py [STEPS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import ostinato

#: Proverbs, one on each line. The Korean file is written as Windows writes it, with a byte order mark and "\r\n".
ENGLISH = (
    "a rolling stone gathers no moss", "birds of a feather flock together", "all that glitters is not gold",
    "better late than never", "a stitch in time saves nine", "many hands make light work", "still waters run deep",
    "the early bird catches the worm", "no smoke without fire", "practice makes perfect", "time and tide wait for none",
)  # fmt: skip
KOREAN = (
    "가는 말이 고와야 오는 말이 곱다", "낮말은 새가 듣고 밤말은 쥐가 듣는다", "원숭이도 나무에서 떨어진다",
    "백지장도 맞들면 낫다", "천 리 길도 한 걸음부터", "고래 싸움에 새우 등 터진다", "소 잃고 외양간 고친다",
    "티끌 모아 태산", "아니 땐 굴뚝에 연기 나랴", "세 살 버릇 여든까지 간다", "발 없는 말이 천 리 간다",
)  # fmt: skip


def main(steps: int = 150) -> None:
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder)
        (texts / "english.txt").write_text("\n".join(ENGLISH * 4), encoding="utf-8")
        (texts / "korean.txt").write_bytes("\r\n".join(KOREAN * 4).encode("utf-8-sig"))
        lines = ostinato.read(texts, per_line=True)
    print(f"{len(lines)} lines, {len(set(lines.values[:, 0].tolist()))} different characters")

    model = ostinato.fit(lines, model="gru", budget=ostinato.Budget(steps=steps), hidden=48).model
    known, odd = "many hands make light work", "many hands make light wörk"
    for text in (known, odd, "백지장도 맞들면 낫다", "dlqhf wlsk"):
        scores = ostinato.score(model, ostinato.read([text], kind="text"))
        print(f"{scores.bits_per_step:6.2f} bits a character: {text}")
    surprisal = ostinato.score(model, ostinato.read([odd], kind="text")).surprisal
    print(f"most surprising in {odd!r}: {odd[int(np.argmax(surprisal))]!r}")
    for line in ostinato.sample(model, 40, n_samples=3, temperature=0.5, seed=1):
        print(f"sample: {line}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
