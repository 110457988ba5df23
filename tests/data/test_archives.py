"""A zip archive is read if it holds one file of data; files about the data are left out with a note."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import ostinato
from ostinato.errors import DataError

TABLE = "ds,y\n" + "".join(f"2024-01-{day:02d},{day}.5\n" for day in range(1, 20))
ABOUT = [
    ["Metadata_Country_API_SP.POP.TOTL.csv", "Metadata_Indicator_API_SP.POP.TOTL.csv"],
    ["README.md"],
    ["LICENSE", "codebook.pdf"],
    ["folder/readme.txt", "folder/.hidden"],
]


def packed(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, TABLE)
    return path


@pytest.mark.parametrize("about", ABOUT)
def test_files_about_the_data_are_left_out_with_a_note(tmp_path: Path, about: list[str]) -> None:
    data = ostinato.read(packed(tmp_path / "a.zip", [about[0], "API_SP.csv", *about[1:]]))
    assert data.lengths.tolist() == [19]
    note = next(note for note in data.notes if "API_SP.csv of the zip archive is read" in note)
    assert all(name in note for name in about)


def test_one_file_is_read_without_a_note(tmp_path: Path) -> None:
    for name in ("data.csv", "metadata.csv", "readme.csv"):
        data = ostinato.read(packed(tmp_path / f"{name}.zip", [name]))
        assert data.lengths.tolist() == [19]
        assert not any("archive" in note for note in data.notes)


@pytest.mark.parametrize("names", [["a.csv", "b.csv"], ["a.csv", "b.csv", "README.md"], ["metadata.csv", "readme.csv"]])
def test_several_files_are_named(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(DataError, match=f"holds 2 files, expected 1: {names[0]}, {names[1]}"):
        ostinato.read(packed(tmp_path / "a.zip", names))
