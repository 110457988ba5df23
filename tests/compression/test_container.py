"""What a container holds beside the symbols takes few bytes and comes back; containers of versions before are read."""

from __future__ import annotations

import hashlib
import lzma
import math
import random
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ostinato import load_model, read, score
from ostinato.compression import earlier
from ostinato.compression.coder import Coded, Decoder, Encoder
from ostinato.compression.container import VERSION, Container
from ostinato.compression.facts import Facts, Remembered
from ostinato.compression.verbs import compress, decompress, digest_of_model
from ostinato.errors import DataError, OstinatoError
from ostinato.model_file import Model
from ostinato.ops.engine.extension import ABSENT

pytestmark = pytest.mark.skipif(bool(ABSENT), reason="the engine is not compiled")
FIXTURES = Path(__file__).parent.parent / "fixtures"
SPEAKERS = ["0_jackson_38", "1_nicolas_33", "4_theo_0", "7_jackson_20", "8_nicolas_45", "9_theo_2"]


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return a model of text that a version before saved."""
    path = tmp_path_factory.mktemp("model") / "counts.ost"
    path.write_bytes(lzma.decompress((FIXTURES / "format2" / "text-counts.ost.xz").read_bytes()))
    return load_model(path)


def there_and_back(
    files: list[Any], usual: list[int | None], remembered: Remembered | None = None
) -> tuple[list[Any], int]:
    """Return facts that were coded and decoded, and the bytes that they take."""
    encoder = Encoder()
    assert Facts(encoder, usual, remembered).files(files) == files
    coded = encoder.coded(b"")
    return Facts(Decoder(coded, "a"), usual, remembered).files(None), len(coded.segments[0])


numbers = st.integers(0, (1 << 62) - 1)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.text(), st.lists(numbers | st.binary(max_size=9), max_size=5)), min_size=1, max_size=5))
@example([("a\0b.wav", [0]), ("a\0c.wav", [0]), ("\x7f09\uac00\uffff9", [(1 << 62) - 1, 1])])
@example([("\udcff.txt", [3, 4]), ("", [3, 4])])
@example([])
@example([("7", [1]), ("8", [1]), ("9" * 30, [1]), ("009", [2]), ("010", [2]), ("", []), ("a", [b""])])
@example([("9" * digits, [digits]) for digits in (17, 18, 19, 30, 31, 32, 62, 63, 64)])
@example([("1", [2]), ("1_", [3]), ("10", [2]), ("1a", [1]), ("2", [1])])  # parts that begin alike
@example([("099", [2]), ("101", [2]), ("9", [2]), ("9" * 18, [2]), ("1" + "0" * 18, [2])])
def test_facts_come_back(files: list[tuple[str, list[Any]]]) -> None:
    """In any order, and sorted by a model that remembers files."""
    given_files = [[name, *left] for name, left in files]
    each = {name: [name, *left] for name, *left in given_files}
    by_bytes = [each[name] for name in sorted(each, key=lambda name: name.encode(errors="surrogateescape"))]
    remembered = Remembered(
        ["1_a", "1", "", "10", *[name for name, *_ in given_files[:2]]], [[0, 1, 5000, 1 << 61], [4, 7]]
    )
    assert there_and_back(given_files, [None, 4])[0] == given_files
    assert there_and_back(by_bytes, [None, 4], remembered)[0] == by_bytes


#: Facts as earlier versions wrote them.
WRITTEN = {
    "1a820b116bb8880ee81920164ea7f123516e45d86bff9225120dd643468c21c54215b1805e1731": [
        [f"{name}.wav", 2000 + 517 * i % 1900, 2, 1 << i % 3] for i, name in enumerate(SPEAKERS)
    ],
    "5ea83472a045d38d98b42dd437": [["", 0, 3, 1, b"head", b"", 48000]],
    "17a74f63c11b93944d09ad7c2a450f7e3f": [
        [f"{name}.wav", 5 + i, 2, 1] for i, name in enumerate(("IMG_007", "IMG_008", "IMG_019", "take 2"))
    ],
    "02fa7db0281563d4e9efc9f0f6e0076c1eb5dc8a7a2c9662a1c66f426807751d7399a2afe2be4d33821e2d1a1519f8bd8454c2": [
        [f"{name}.wav", 2000 + 517 * i % 1900, 2, 1 << i % 3] for i, name in enumerate(SPEAKERS)
    ],
    "6466d00663890c77769c4e8eb9": [["", 0, 3, 1, b"head", b"", 48000]],
}


@pytest.mark.parametrize("written", WRITTEN)
def test_facts_of_earlier_versions_are_read_and_take_no_fewer_bytes(written: str) -> None:
    files, raw = WRITTEN[written], bytes.fromhex(written)
    facts = earlier.facts_3 if list(WRITTEN).index(written) > 2 else earlier.facts_4
    assert facts(Decoder(Coded([raw], [0], 4), "a"), [None, 2, 1]).files(None) == files
    assert there_and_back(files, [None, 2, 1])[1] <= len(raw)


@pytest.mark.parametrize(
    ("names", "most"),
    [
        (["0_jackson_38.wav", "1_nicolas_33.wav", "4_theo_0.wav", "7_jackson_20.wav", "8_nicolas_45.wav"], 24),
        ([f"chapter{i}.txt" for i in range(1, 13)], 10),
        ([f"IMG_2023{i:02d}.WAV" for i in range(4, 12)], 13),
        (["\uc18c\uc124_1\uc7a5.txt", "\uc18c\uc124_2\uc7a5.txt"], 17),
        (["README.md", "LICENSE", "Makefile"], 20),
    ],
)
def test_names_of_many_kinds_take_few_bytes(names: list[str], most: int) -> None:
    """With nothing but names: the files have the same length."""
    assert there_and_back([[name, 1] for name in names], [1])[1] <= most


def test_files_like_those_that_a_model_remembers_take_three_bytes_each() -> None:
    """Recordings by digit, speaker and number, of lengths about 3,000: 12 bits of a length are its own."""
    rng = random.Random(0)
    every = [
        f"{digit}_{speaker}_{i}.wav" for digit in range(10) for speaker in ("ada", "grace", "yun") for i in range(50)
    ]
    lengths = {name: int(3000 * 2 ** rng.gauss(0, 0.45)) for name in every}
    remembered = rng.sample(every, 128)
    new = sorted(set(every) - set(remembered))
    known = Remembered(remembered, [[lengths[name] for name in remembered]])
    for count, most in ((6, 3.3), (20, 3.1)):  # the last byte is a whole one
        taken = [
            there_and_back(
                [[name, lengths[name], 2, 1] for name in sorted(rng.sample(new, count))], [None, 2, 1], known
            )[1]
            for _ in range(10)
        ]
        assert sum(taken) / len(taken) <= most * count, taken


def test_facts_take_fewer_bytes_than_deflate_would_need() -> None:
    """An outside comparison: raw deflate of the same names and numbers, each number in the bytes that it needs."""
    several: list[list[Any]] = [[f"{name}.wav", 2000 + 517 * i % 1900, 2, 1] for i, name in enumerate(SPEAKERS)]
    counted: list[list[Any]] = [[f"chapter{i}.txt", 40000 + 7919 * i % 9000, 4] for i in range(1, 31)]
    for files, usual in ((several, [None, 2, 1]), (counted, [None, 4])):
        plain = b"".join(name.encode() + b"\0" + size.to_bytes(2, "little") for name, size, *_ in files)
        deflater = zlib.compressobj(9, wbits=-15)
        deflated = len(deflater.compress(plain) + deflater.flush())
        assert there_and_back(files, usual)[1] < 0.6 * deflated


def test_a_lone_usual_file_takes_ten_bytes_beside_its_symbols(counts: Model) -> None:
    assert len(compress(counts, {"": b""})) <= 10


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_file_of_version_2_is_restored_and_its_damage_is_refused(counts: Model, name: str) -> None:
    whole = (FIXTURES / "containers" / f"version2-{name}.osz").read_bytes()
    text = (FIXTURES / "format2" / "sentences.txt").read_bytes()
    two = {"first.txt": text[:300].replace(b"\n", b"\r\n", 1), "second.txt": text[300:500]}
    assert decompress(counts, whole) == ({"": text[:700]} if name == "one" else two)
    for at in range(0, len(whole), 5):
        for damaged in (whole[:at], flipped(whole, at, at % 8)):
            with pytest.raises(OstinatoError):
                decompress(counts, damaged)


@pytest.mark.parametrize("name", ["one", "many"])
@pytest.mark.parametrize("version", [3, 4])
def test_a_file_of_an_earlier_version_is_restored_and_its_damage_is_refused(
    counts: Model, version: int, name: str
) -> None:
    whole = (FIXTURES / "containers" / f"version{version}-{name}.osz").read_bytes()
    text = (FIXTURES / "format2" / "sentences.txt").read_bytes()
    many = {
        "0_jackson_38.txt": text[:200],
        "1_nicolas_33.txt": text[200:330].replace(b"\n", b"\r\n", 1),
        "A b-009.TXT": b"",
        "A b-010.TXT": text[:90].replace(b"\n", b"\r\n"),
        "\uac00\ub098.txt": text[400:420],
    }
    assert decompress(counts, whole) == ({"": text[:700]} if name == "one" else many)
    # with the version of today the facts are others, and the check of the container is made anew
    body = whole[:1] + bytes([whole[1] ^ version << 3 ^ VERSION << 3]) + whole[2:-3]
    key = digest_of_model(counts.likelihood("test"))
    other = body + hashlib.blake2b(body, digest_size=3, key=key).digest()
    for damaged in (
        other,
        *(whole[:at] for at in range(0, len(whole), 7)),
        *(flipped(whole, at, at % 8) for at in range(3, len(whole), 7)),
    ):
        with pytest.raises(OstinatoError):
            decompress(counts, damaged)


@cache
def markov() -> Model:
    """Return a small model of text."""
    return load_model(FIXTURES / "format2" / "text-markov.ost")


def test_every_flipped_bit_cut_and_version_is_refused() -> None:
    """Of a lone file and of two with names: all cuts, all flips of one bit, all other second bytes, bytes added."""
    text = (FIXTURES / "format2" / "sentences.txt").read_bytes()
    for files in ({"": text[:60]}, {"a.txt": text[:45], "b.txt": text[45:90]}):
        whole = compress(markov(), files)
        assert decompress(markov(), whole) == files
        flips = [flipped(whole, at, bit) for at in range(len(whole)) for bit in range(8)]
        versions = [whole[:1] + bytes([b]) + whole[2:] for b in range(256) if b != whole[1]]
        longer = [whole + bytes([b]) for b in range(256)]
        for damaged in [*flips, *versions, *longer, *(whole[:at] for at in range(len(whole)))]:
            with pytest.raises(OstinatoError):
                decompress(markov(), damaged)


def test_unknown_characters_take_what_score_says() -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E64)))
    bits = -float(score(markov(), read({"a": text}, kind="text")).log_prob.sum()) / math.log(2)
    whole = compress(markov(), {"": text.encode()})
    assert decompress(markov(), whole) == {"": text.encode()}
    assert len(whole) <= bits / 8 + 13


def flipped(whole: bytes, at: int, bit: int) -> bytes:
    """Return bytes of which one bit is another."""
    return whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]


def test_what_passes_the_digest_is_still_refused() -> None:
    """The digest of the probabilities and the original bytes stands alone where that of the container is made anew."""
    whole = compress(markov(), {"": b"the baker saw her brother last year.\n" * 3})
    model = digest_of_model(markov().likelihood("test"))
    for at in range(4, len(whole) - 3):
        body = whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 : -3]
        damaged = body + hashlib.blake2b(body, digest_size=3, key=model).digest()
        with pytest.raises(OstinatoError):
            decompress(markov(), damaged)


def test_a_code_that_leaves_every_interval_is_refused() -> None:
    """The range coder ends at such a code before the digest of a block could tell that the probabilities differ."""
    model = digest_of_model(markov().likelihood("test"))
    code = b"".join(Container(model, Coded([b"\xff" * 8], [0], 3, 2)).parts())
    with pytest.raises(DataError, match="different probabilities"):
        decompress(markov(), code)
