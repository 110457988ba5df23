"""Bad inputs: tables."""

from __future__ import annotations

import gzip

from bad_inputs import Bad

DAYS = [f"2024-01-{d:02}" for d in range(1, 31)]
GOOD = "ds,y\n" + "".join(f"{day},{i % 7}.5\n" for i, day in enumerate(DAYS))
FIT = "fit bad.csv -o m.ost"


def long(edit: dict[int, str]) -> str:
    """The good table with some of its lines, counted from 1, replaced."""
    lines = GOOD.splitlines()
    for number, text in edit.items():
        lines[number - 1] = text
    return "\n".join(lines) + "\n"


def csv(name: str, content: bytes | str, *says: str, command: str = FIT, file: str = "bad.csv") -> Bad:
    """A fit to one bad file."""
    return Bad(name, command, says, {file: content})


PANEL = "id,ds,y\n" + "".join(f"{i},{day},{d}.25\n" for d, day in enumerate(DAYS) for i in "ab")

ROWS: tuple[Bad, ...] = (
    Bad("no such file", FIT, ("there is no such file", "bad.csv", "check the path")),
    Bad("an empty path", "fit '' -o m.ost", ("the path is empty",)),
    Bad("a pattern without a match", "fit '*.csv' -o m.ost", ("no file matches the pattern", "*.csv")),
    Bad("a folder without data", "fit d -o m.ost", ("the folder holds no data", "CSV"), {"d/readme.md": "x"}),
    Bad(
        "a folder of mixed kinds", "fit d -o m.ost", ("several kinds: *.csv, *.txt",), {"d/a.csv": GOOD, "d/b.txt": "x"}
    ),
    Bad(
        "two tables with different columns", "fit d -o m.ost", ("different columns: y, z", "d/a.csv and d/b.csv"),
        {"d/a.csv": GOOD, "d/b.csv": "ds,z\n2024-01-01,1\n"},
    ),
    Bad(
        "a bad row in the second file of a folder", "fit d -o m.ost",
        ("cannot read 'x' in column 'y' as a number", "d/b.csv, line 3"),
        {"d/a.csv": GOOD, "d/b.csv": long({3: "2024-01-02,x"})},
    ),
    csv("an empty file", "", "the file is empty", "bad.csv"),
    csv("blank lines only", "\n\n  \n", "the file is empty", "bad.csv"),
    csv("a header and no rows", "ds,y\n", "a header but no rows", "bad.csv"),
    csv("one row", "ds,y\n2024-01-01,1\n", "too few", "bad.csv"),
    csv(
        "a column that is not there", GOOD, "no column 'z'", "use one of the columns ds, y",
        command=f"{FIT} --target z",
    ),
    csv("a column written otherwise", GOOD, "did you mean 'y'", command=f"{FIT} --target Y"),
    csv("a time column that is not there", GOOD, "no column 'when'", command=f"{FIT} --time-col when"),
    csv("an id column that is not there", GOOD, "no column 'shop'", command=f"{FIT} --id-col shop"),
    csv("no column of numbers", "a,b\nx,y\nz,w\nu,v\n", "no column of numbers", "--target b"),
    csv(
        "a word in a column of numbers", long({4: "2024-01-03,lots"}), "cannot read 'lots' in column 'y' as a number",
        "bad.csv, line 4",
    ),
    csv(
        "a word in one of several columns", "a,b\n1,2\n3,x\n5,6\n7,8\n", "cannot read 'x' in column 'b' as a number",
        "bad.csv, line 3"
    ),
    csv(
        "the same after blank lines", "\n\ny\n1\n2\nx\n3\n4\n", "cannot read 'x' in column 'y' as a number",
        "bad.csv, line 6",
    ),
    csv(
        "the same after blank lines and no header", "\n\n1\n2\nx\n3\n4\n", "cannot read 'x' in column 'y' as a number",
        "bad.csv, line 5",
    ),
    csv(
        "the same after a blank line within", "a,b\n1,2\n\n3,x\n5,6\n7,8\n",
        "cannot read 'x' in column 'b' as a number", "line 4",
    ),
    csv(
        "the same without a header", "1,2\n3,4\n5,x\n7,8\n", "cannot read 'x' in column 'channel_2' as a number",
        "bad.csv, line 3",
    ),
    csv(
        "the same after a cell of two lines", 'n,y\n"a\nb",1\nc,x\nd,2\ne,4\n',
        "cannot read 'x' in column 'y' as a number", "bad.csv, line 4",
    ),
    csv(
        "the same in a gzip'd file", gzip.compress(long({9: "2024-01-08,??"}).encode()),
        "cannot read '??' in column 'y' as a number", "line 9",
        command="fit bad.csv.gz -o m.ost", file="bad.csv.gz",
    ),
    csv(
        "thousands with two signs", long({5: '2024-01-04,"1,200,5.0"'}),
        "cannot read '1,200,5.0' in column 'y' as a number", "line 5",
    ),
    csv("two currencies", "ds,y\n2024-01-01,$5\n2024-01-02,$6\n2024-01-03,€7\n", "several units: $, €", "line 4"),
    csv("a percent sign in some rows", "ds,y\n2024-01-01,5%\n2024-01-02,6\n2024-01-03,7%\n", "percent sign", "line 3"),
    csv("a sales column of words", "ds,sales,shop\n2024-01-01,5 per day,1\n2024-01-02,6 per day,2\n", "'5 per day'"),
    csv("an id that is missing", PANEL + ",2024-01-30,1\n", "the id in column 'id' is empty", "line 62", "--id-col"),
    csv(
        "one id in two ways", "id,ds,y\n1,2024-01-01,2\n1.0,2024-01-01,3\n",
        "the ids '1' and '1.0' in column 'id' are one number", "line 3",
    ),
    csv("an unknown decimal sign", GOOD, "unknown decimal sign ';'", command=f"{FIT} --decimal ';'"),
    csv(
        "a row of too many cells", long({6: "2024-01-05,1,2"}), "has 3 cells, expected 2 as in the first row", "line 6",
    ),
    csv("a row of too few cells", long({6: "2024-01-05"}), "has 1 cell, expected 2 as in the first row", "line 6"),
    csv("a quote that is never closed", long({7: '2024-01-06,"1'}), "a double quote is never closed", "line 7"),
    csv("two columns of one name", "y,y\n1,2\n3,4\n", "2 columns have the name 'y'", "line 1"),
    csv("an infinite value", long({8: "2024-01-07,inf"}), "the infinite value inf", "line 8", "leave the cell empty"),
    csv("a number beyond floating point", long({8: "2024-01-07,1e999"}), "the infinite value inf", "line 8"),
    csv("a number whose square is infinite", long({8: "2024-01-07,-1e200"}), "too large to compute", "line 8"),
    csv("nothing observed", "ds,y\n2024-01-01,\n2024-01-02,NaN\n", "every value in column 'y' is missing"),
    csv(
        "one series of several with nothing observed", PANEL + "c,2024-01-01,\nc,2024-01-02,\n",
        "every value in column 'y' is missing", "series 'c'",
    ),
    csv(
        "a date twice in rows out of order", long({5: DAYS[8] + ",1"}), "the time 2024-01-09 occurs twice",
        "line 10, series 'y'; the other is line 5",
    ),
    csv("a date twice", long({5: DAYS[2] + ",1"}), "the time 2024-01-03 occurs twice", "line 5", "--id-col"),
    csv(
        "a date twice in one series of several", PANEL + "b,2024-01-30,1\n", "the time 2024-01-30 occurs twice",
        "line 62, series 'b'",
    ),
    csv(
        "a date that is none", long({5: "someday,1"}), "cannot read 'someday' in column 'ds' as a time", "line 5",
        "2024-01-31",
    ),
    csv(
        "a date that cannot be", long({5: "2024-02-31,1"}), "cannot read '2024-02-31' in column 'ds' as a time",
        "line 5",
    ),
    csv("a date that is missing", long({5: ",1"}), "the time in column 'ds' is missing", "line 5"),
    csv("an unknown kind", GOOD, "unknown kind 'musik'", "series, prices", command=f"{FIT} --kind musik"),
    csv("a table as sound", GOOD, "cannot read the file as sound", "bad.csv", command=f"{FIT} --kind sound"),
    csv(
        "a price of zero", "price\n5\n0\n6\n7\n", "the price is 0, expected a number above 0", "line 3",
        command=f"{FIT} --kind prices",
    ),
    csv(
        "a price below zero", "price\n5\n4\n-6\n7\n", "the price is -6, expected a number above 0", "line 4",
        command=f"{FIT} --kind prices",
    ),
    csv("a binary file called .csv", bytes(range(256)) * 8, "the file is binary", "bad.csv"),
    csv("a spreadsheet called .csv", b"PK\x03\x04" + bytes(60), "spreadsheet"),
    csv("UTF-16, cut", GOOD.encode("utf-16")[:-1], "the file is UTF-16", "save the file as UTF-8"),
    csv("bad UTF-8", b"ds,y\n2024-01-01,1\n2024-01-02,\xe9\n", "byte 0xe9 is not valid UTF-8", "line 3, byte 12"),
    csv("a damaged gzip file", gzip.compress(GOOD.encode())[:60] + b"\0" * 9, "gzip file is damaged"),
    csv("a gzip file cut short", gzip.compress(GOOD.encode())[:-30], "gzip file is damaged or cut short"),
    csv(
        "a damaged Parquet file", b"PAR1" + bytes(99), "cannot read the file as Parquet: it is damaged",
        command="fit bad.parquet -o m.ost", file="bad.parquet",
    ),
    csv(
        "text called Parquet", GOOD, "cannot read the file as Parquet: it is damaged", command="fit b.parquet -o m.ost",
        file="b.parquet",
    ),
)  # fmt: skip
