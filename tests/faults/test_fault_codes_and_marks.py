"""Files of offices, banks, loggers and spreadsheets with codes, days and marks that are no measured values.

Each row is written by the rules that its program has for its own files. The right values are those that the file was
written from, and the right times are those of pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from files_read import in_file, refused
from rows import Row, rows_of
from test_fault_exporters import DAYS, HOURS, LVM, MONTHS, QUARTERS, N, Y, lines, right, stamps, steps, table

LEAP = pd.Series(pd.date_range("2023-12-20", periods=N))


def coded(name: str, cells: Sequence[Any], note: str = "are codes", *, kept: bool = False) -> str:
    """A column of codes beside a value is left out, or kept, with a note; a column of values is kept without one."""
    data = in_file(f"ds,{name},height\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{cells[i * 7 % len(cells)]},{Y[i]}"))
    assert data.channels == ((name, "height") if kept else ("height",)), data.notes
    assert any((note or "codes") in one for one in data.notes) == bool(note), data.notes
    return f"right: {data.channels}"


def datev(days: Sequence[str], sides: str = "S", *, year: str = "20240101;4;20240101;20240630") -> str:
    """Return bookings as DATEV writes them: dates without a year, accounts, and sides of these in letters."""
    head = f'"EXTF";700;21;"Buchungsstapel";13;20240130140440439;;"RE";"";"";29098;55003;{year};"";"WD";1;0;0;"EUR"\n'
    names = "Umsatz (ohne Soll/Haben-Kz);Soll/Haben-Kennzeichen;Konto;Gegenkonto (ohne BU-Schlüssel);Belegdatum;Text\n"
    return (
        head
        + names
        + lines(
            lambda i: (
                f"{Y[i]:.2f}".replace(".", ",")
                + f';"{sides[i % len(sides)]}";{8400 - i % 3};{10000 + i % 7};{days[i]};"a"'
            )
        )
    )


def genesis(cells: Sequence[str]) -> str:
    """Return a table of the office of statistics of Germany: titles, two lines of names, and notes below a line."""
    return (
        "Tabelle: 61111-0002\nVerbraucherpreisindex: Deutschland, Monate;;;\nDeutschland;;;\n"
        ";;Verbraucherpreisindex;Veränderung\n;;2020=100;in (%)\n"
        + lines(lambda i: f"{cells[i]};" + f"{Y[i]:.2f};{Y[i] / 50:.1f}".replace(".", ","))
        + "__________\n1) Vorläufiges Ergebnis.\n© Statistisches Bundesamt (Destatis), 2024 | Stand: 30.01.2024\n"
    )


#: The months of GENESIS in words, the numbers of six goods, and the rows of a recording with two columns of times.
MONATE = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
          "Dezember"]  # fmt: skip
GOODS = [4006381333931, 5449000000996, 4008400401621, 4000417025005, 7613034626844, 8710398500038]
TWO_X = "X_Value\tVoltage\tX_Value\tCurrent\tComment\n"
SERIAL = [45292 + i for i in range(N)]  # from 2024-01-01, as pandas counts from 1899-12-30
#: Columns of codes by their names, and columns of values with similar names.
CODES: dict[str, Sequence[Any]] = {
    "PLZ": ["01067", "80331"], "Kundennummer": [70123, 70455, 70031], "invoice_number": [*range(500, 800, 7)],
    "Invoice #": [91, 17, 33], "Código postal": [28001, 41004], "우편번호": [6236, 4524],
    "n° client": [12, 99, 31], "phone": [1512345678, 1708765432], "account": [4400, 8400],
    "customerId": [5, 3, 9], "номер счета": [4081, 4070], "STATIONS_ID": [433], "art": GOODS,
}  # fmt: skip
VALUES: dict[str, Sequence[Any]] = {
    "sunspot_number": [12, 90, 33], "number of customers": [120, 99, 130], "NO": [12, 15, 11],
    "lines of code": [1200, 1250, 1190], "Skonto": [3, 2, 5], "phone": [12, 15, 9], "zip": [1.5, 2.5],
    "Kontostand": [1200, 1300, 1150], "users": [1234567, 1234569, 1234572, 1234580],
    "net": [1200000, 3400000, 1500000, 9900000],
}  # fmt: skip
KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "codes": {
        **{name: partial(coded, name, cells) for name, cells in CODES.items()},
        "zeros in front": partial(coded, "art", ["00012", "00345", "01067"], "zeros in front are dropped", kept=True),
        "large numbers again": partial(coded, "art", [1234567, 3456781, 9876543, 2345671], "may hold codes", kept=True),
        **{f"{name}, values": partial(coded, name, cells, "", kept=True) for name, cells in VALUES.items()},
        "nothing else": partial(
            refused, "ds,PLZ\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{80331 + i % 3}"), "codes", "target="),
    },
    "accounts": {
        "DATEV": partial(
            right, datev(stamps("%d%m")), DAYS, channel="Umsatz (ohne Soll/Haben-Kz)",
            notes=["of DATEV", "years of 'Belegdatum'", "codes that measure nothing: Konto, Gegenkonto"]),
        "DATEV, a day of one digit": partial(right, datev([d.lstrip("0") for d in stamps("%d%m")]), DAYS),
        "DATEV, two years": partial(
            right, datev(stamps("%d%m", DAYS - pd.Timedelta(days=10)), year="20230701;4;20230701;20240630"),
            DAYS - pd.Timedelta(days=10)),
        "DATEV, both sides": partial(refused, datev(stamps("%d%m"), "SH"), "side of an account", "target="),
        "DATEV, another year": partial(
            refused, datev(stamps("%d%m"), year="20240601;4;20240601;20240630"), "'0101'", "no year", "t.csv, line 3"),
        "days without a year": partial(
            refused, "Belegdatum;Umsatz\n" + lines(lambda i: f"{DAYS[i]:%d%m};{Y[i]}"), "'Belegdatum'", "no year"),
        "Af Bij": partial(
            refused, "Datum;Af Bij;Bedrag\n" + lines(lambda i: f"{DAYS[i]:%Y%m%d};{'Af' if i % 3 else 'Bij'};{Y[i]}"),
            "side of an account"),
        "two columns of currencies": partial(
            right, "Buchung;Saldo;Währung;Betrag;Währung\n" + lines(
                lambda i: f"{DAYS[i]:%d.%m.%Y};1,5;EUR;{str(Y[i]).replace('.', ',')};EUR"), DAYS, channel="Betrag"),
        "a line of the account above": partial(
            refused, "Compte;Cheque;****1234;05/02/2024;;1 234,56\n" + lines(
                lambda i: f"{DAYS[i]:%d/%m/%Y};CB;Achat;Carte;{f'{Y[i]:.2f}'.replace('.', ',')}"), "5 cells"),
    },
    "days of a spreadsheet": {
        **{name: partial(right, table(SERIAL, f"{name},y"), DAYS, notes=["days of a spreadsheet: 2024-01-01"])
           for name in ("Week starting", "Tag", "Day", "Period", "Fecha", "Monat")},
        **{name: partial(right, table([f"{45292 + i / 24:.5f}" for i in range(N)], f"{name},y"), HOURS,
                         notes=["days of a spreadsheet"]) for name in ("Time", "Heure", "start")},
        "steps or days": partial(steps, table(SERIAL, "Time,y"), 1, notes=["from 2024-01-01, call the column date"]),
        "halves of seconds": partial(steps, table([45292 + i / 2 for i in range(N)], "Time,y"), 1),
    },
    "years and seconds": {
        "middles of months": partial(
            right, lines(lambda i: f"{2020 + (i + 0.5) / 12:.3f},{Y[i]}"), MONTHS,
            notes=["middles of months: 2020-01"]),
        "middles of months in a column": partial(
            right, table([f"{2020 + (i + 0.5) / 12:.3f}" for i in range(N)], "year,y"), MONTHS, notes=["middles"]),
        "days as years": partial(
            steps, lines(lambda i: f"{2020 + (i + 0.5) / 366:.4f},{Y[i]}"), 1, notes=["count the rows: channel_1"]),
        "parts of seconds": partial(
            right, lines(lambda i: f"{HOURS[i].timestamp() + 0.25:.2f},{Y[i]}"), HOURS + pd.Timedelta(milliseconds=250),
            notes=["seconds since 1970"]),
        "a day of the year": partial(
            right, "YEAR,DOY,y\n" + lines(lambda i: f"{LEAP[i]:%Y},{int(LEAP[i].strftime('%j'))},{Y[i]}"),
            LEAP, notes=["'YEAR' and 'DOY'"]),
        "a day that its year does not have": partial(
            refused, "YEAR,DOY,y\n" + lines(lambda i: f"2023,{337 + i},{Y[i]}"), "2023-366", "line 31"),
        "YEAR, MO and DY": partial(
            right, "YEAR,MO,DY,T2M\n" + lines(lambda i: f"{DAYS[i]:%Y,%-m,%-d},{Y[i]}"), DAYS),
        "dates and hours": partial(
            right, lines(lambda i: f"{HOURS[i]:%Y-%m-%d},{HOURS[i].hour},{Y[i]},,3"), HOURS, channel="channel_3"),
    },
    "marks and blocks": {
        "SILSO, provisional": partial(
            right, lines(
                lambda i: f"{DAYS[i]:%Y %m %d} 2024.{i:03} {Y[i]:6.2f} 5.1 {i % 9}{' *' if i > 19 else ''}"), DAYS,
            ending=".txt", channel="channel_5", notes=["the sign * at the ends of 10 rows"]),
        "GENESIS, months": partial(
            right, genesis([f"{t.year};{MONATE[t.month - 1]}" for t in MONTHS]), MONTHS,
            channel="Verbraucherpreisindex",
            notes=["left out above the table: lines 1 to 3", "in (%)", "lines 36 to 38"]),
        "GENESIS, quarters": partial(
            right, genesis([f"{t.year};{t.quarter}. Quartal" for t in QUARTERS]), QUARTERS),
        "GENESIS, years as columns": partial(
            refused, "Inlandsprodukt;;;\nVGR;;;\n;2020;2021;2022\n" + lines(lambda i: f"G{i};1,5;2,5;3,5"),
            "are times"),
        "facts with names of their own": partial(
            right, "latitude,longitude,elevation,timezone\n52.52,13.41,38.0,GMT\n\ntime,temperature\n" + lines(
                lambda i: f"{HOURS[i]:%Y-%m-%dT%H:%M},{Y[i]}"), HOURS, notes=["lines 1 to 3"]),
        "LabVIEW, equal times": partial(
            steps, LVM + TWO_X + lines(lambda i: f"{i / 1000:.6f}\t1.5\t{i / 1000:.6f}\t{Y[i]}\t"), 2, ending=".lvm",
            notes=["the first is kept"]),
        "LabVIEW, other times": partial(
            refused, LVM + TWO_X + lines(lambda i: f"{i / 1000:.6f}\t1.5\t{i / 500:.6f}\t{Y[i]}\t"), "differ",
            ending=".lvm"),
        "WinCC": partial(
            right, '"VarName";"TimeString";"VarValue";"Time_ms"\n' + lines(
                lambda i: f'"T";"{HOURS[i]:%d.%m.%Y %H:%M:%S}";{f"{Y[i]:.2f}".replace(".", ",")};'
                f'{45292e6 + i / 24 * 1e6:.0f}') + '"$RT_OFF$";"03.01.2024 06:00:00";0;45294250000\n', HOURS,
            channel="VarValue", notes=["pause", "Time_ms"]),
        "DWD, three decimals": partial(
            right, "MESS_DATUM;SDK;TMK;eor\n" + lines(lambda i: f"{DAYS[i]:%Y%m%d};   5.500;  {Y[i]:.2f};eor"), DAYS,
            np.full(N, 5.5), channel="SDK", ending=".txt"),
        "NMEA": partial(
            refused, lines(lambda i: f"$GPGGA,{120000 + i},4807.0{i:02},N,01131.000,E,1,08,0.9,{Y[i]},M,46.9,M,,*47"),
            "NMEA", ending=".txt"),
        "GHCN": partial(
            refused, lines(lambda i: f"GM000003342{2000 + i}01TMAX" + "".join(f"{d - i:5d}  E" for d in range(31))),
            "GHCN", ending=".dly"),
    },
}  # fmt: skip
ROWS = rows_of(KINDS, "pandas, or an error")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_codes_and_marks(row: Row) -> None:
    assert row.check()
