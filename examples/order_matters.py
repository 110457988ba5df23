"""Show that order matters: the same Korean words in three orders have three probabilities.

Korean marks roles by particles: 이/가 follows the one who acts, and 을/를 follows the one who is acted on. So the same
two nouns and a verb can say that a dog bit a man, that a man bit a dog, or nothing that anyone would say. The script
makes the sentences on which the model is trained.

Run: python examples/order_matters.py [training steps]
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import ostinato

#: The subjects, objects and verbs of each scene, and the relative frequency of the scene.
SCENES = [
    (["개", "강아지"], ["사람", "아이", "우체부", "도둑"], ["물었다", "쫓았다", "반겼다"], 10),
    (["사람", "아이", "할머니", "주인"], ["개", "강아지", "고양이"], ["쓰다듬었다", "불렀다", "씻겼다", "찾았다"], 10),
    (["고양이", "올빼미"], ["쥐", "새", "나비"], ["잡았다", "쫓았다", "놓쳤다"], 8),
    (["선생님", "할머니", "감독"], ["아이", "학생", "선수"], ["가르쳤다", "칭찬했다", "기다렸다"], 8),
    (["기자", "학생", "시인"], ["기사", "편지", "책", "시"], ["썼다", "읽었다", "고쳤다"], 8),
    (["사람"], ["개"], ["물었다"], 0.2),  # this is news
]
WHEN = ["", "", "어제 ", "오늘 아침 ", "저녁에 ", "집 앞에서 ", "공원에서 "]


def particle(noun: str, after_consonant: str, after_vowel: str) -> str:
    """Return the noun with its particle, which depends on whether the last syllable ends in a consonant."""
    return noun + (after_consonant if (ord(noun[-1]) - 0xAC00) % 28 else after_vowel)


def sentence(rng: random.Random) -> str:
    """Return a random sentence of one of the scenes."""
    who, whom, verbs, _ = rng.choices(SCENES, [scene[3] for scene in SCENES])[0]
    subject, thing = particle(rng.choice(who), "이", "가"), particle(rng.choice(whom), "을", "를")
    return f"{rng.choice(WHEN)}{subject} {thing} {rng.choice(verbs)}"


def main() -> None:
    """Train a small GRU on random sentences and print the probabilities of three orders of the same words."""
    rng = random.Random(0)
    budget = ostinato.Budget(None, int(sys.argv[1]) if len(sys.argv) > 1 else 600)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "sentences.txt"
        corpus.write_text("\n".join(sentence(rng) for _ in range(3000)) + "\n", encoding="utf-8")
        data = ostinato.read(corpus, per_line=True)
    model = ostinato.fit(data, model="gru", budget=budget, hidden=64, learning_rate=0.01, dropout=0.0).model

    orders = Path(tempfile.mkdtemp()) / "orders.txt"
    lines = ["개가 사람을 물었다", "사람이 개를 물었다", "물었다 개가 사람을"]
    orders.write_text("\n".join(lines), encoding="utf-8")
    scores = ostinato.score(model, ostinato.read(orders, per_line=True))
    for line, meaning, nats in zip(lines, ("dog bit man", "man bit dog", "bit dog man"), scores.log_prob, strict=True):
        print(f"log P({line}) = {nats:7.2f} nats   ({meaning})")


if __name__ == "__main__":
    main()
