"""Bad inputs: model files, and data that do not suit the model."""

from __future__ import annotations

import json
from collections.abc import Callable

from bad_inputs import Bad, Content
from bad_tables import GOOD
from safetensors.torch import save

NEWER = save({}, {"ostinato": json.dumps({"format_version": 99, "document": {}})}) + bytes(32)
OTHER = save({}, {"made by": "something else"}) + bytes(32)


def altered(change: Callable[[bytes], bytes]) -> Content:
    """A good model file, changed."""
    return lambda models: change((models / "series.ost").read_bytes())


def broken(name: str, content: Content, *says: str) -> Bad:
    """Return a bad input whose file is not a model."""
    return Bad(name, "inspect bad.ost", says, {"bad.ost": content})


ROWS: tuple[Bad, ...] = (
    Bad("a model file that is not there", "inspect no.ost", ("cannot read the model file", "no.ost", "check the path")),
    Bad("a folder as model", "score d {models}/series.csv", ("cannot read the model file", "d"), {"d/x": ""}),
    broken("an empty model file", b"", "cut short or altered", "bad.ost", "another copy"),
    broken("a model file cut short", altered(lambda raw: raw[:-100]), "cut short or altered", "another copy"),
    broken("a model file with one bit flipped", altered(lambda raw: raw[:-99] + bytes([raw[-99] ^ 1]) + raw[-98:]),
           "cut short or altered", "fit the model again"),
    broken("a model file of another program", OTHER, "not an ostinato model file", "a file that fit wrote"),
    broken("a model file from a newer version", NEWER, "format 99, expected 2 or lower", "update ostinato"),
    Bad("model and data the wrong way round", "score good.csv {models}/series.ost", ("not an ostinato model", "first"),
        {"good.csv": GOOD}),
    Bad("a model as data", "fit {models}/series.ost -o m.ost", ("is a model, not data",)),
    Bad("a model of text for a series", "score {models}/names.ost {models}/series.csv",
        ("fitted to text", "are series")),
    Bad("a model of a series for text", "score {models}/series.ost {models}/names.txt",
        ("fitted to series", "are text")),
    Bad("a model of a series for sound", "score {models}/series.ost {models}/sound.wav",
        ("fitted to series", "are sound")),
    Bad("a model of sound for text", "score {models}/sound.ost {models}/names.txt", ("fitted to sound", "are text")),
    Bad("a model of prices for values below 0", "score {models}/prices.ost bad.csv", ("the price is -1", "line 3"),
        {"bad.csv": "price\n1\n-1\n2\n"}),
    Bad("a model of two channels for one", "score {models}/wide.ost one.csv", ("no column 'b'", "one of the columns a"),
        {"one.csv": "a\n1\n2\n"}),
    Bad("history that is not there", "forecast {models}/series.ost no.csv", ("there is no such file", "no.csv")),
    Bad("history of length 0", "forecast {models}/series.ost no.csv", ("a header but no rows", "no.csv"),
        {"no.csv": "y\n"}),
)  # fmt: skip
