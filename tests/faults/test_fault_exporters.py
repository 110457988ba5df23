"""Tables as offices, exchanges, monitors and programs export them: right by pandas, or refused with what to do.

Each row is written by the rules that its program has for its own files. The right values are those that the file was
written from, and the right times are those of pandas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from files_read import in_file, refused
from rows import Row, rows_of

from ostinato.data.read import read
from ostinato.errors import DataError

N = 30
Y = (100 + np.random.default_rng(7).normal(size=N).cumsum()).round(2)
DAYS = pd.Series(pd.date_range("2024-01-01", periods=N))
HOURS = pd.Series(pd.date_range("2024-01-01", periods=N, freq="h"))
MONTHS = pd.Series(pd.date_range("2020-01-01", periods=N, freq="MS"))
YEARS = pd.Series(pd.date_range("1994-01-01", periods=N, freq="YS"))
QUARTERS = pd.Series(pd.date_range("2018-01-01", periods=N, freq="QS"))


def right(
    text: str,
    times: pd.Series,
    values: Any = Y,
    *,
    ending: str = ".csv",
    ids: Sequence[str] | None = None,
    channel: str | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Each series of a file has these times and values, the channel if it is given, and the notes."""
    data = in_file(text, ending)
    assert ids is None or data.ids == tuple(ids), data.ids
    names = data.channels or ()
    column = names.index(channel) if channel else 0
    assert data.times is not None, data.notes
    for name in data.ids:
        rows = slice(*data.offsets[data.ids.index(name) :][:2])
        np.testing.assert_allclose(data.values[rows, column], values, rtol=1e-12)
        np.testing.assert_array_equal(data.times[rows], times.to_numpy().astype("datetime64[us]"))
    for note in notes:
        assert any(note in one for one in data.notes), data.notes
    return f"right: {times[0]}"


def steps(text: str, channels: int, *, ending: str = ".csv", notes: Sequence[str] = ()) -> str:
    """The rows of a file are steps without dates, with the values Y in the last of as many channels."""
    data = in_file(text, ending)
    assert data.times is None or data.times.dtype.kind == "i"
    assert data.values.shape == (N, channels), data.channels
    np.testing.assert_array_equal(data.values[:, -1], Y)
    for note in notes:
        assert any(note in one for one in data.notes), data.notes
    return f"right: {channels} channels"


def lines(row: Callable[[int], str], n: int = N) -> str:
    """Return the text of rows, each from its number."""
    return "".join(row(i) + "\n" for i in range(n))


def table(cells: Sequence[Any], header: str = "ds,y", gap: str = ",") -> str:
    """Return a table of two columns, with the values Y in the second."""
    return header + "\n" + lines(lambda i: f"{cells[i]}{gap}{Y[i]}")


def without(i: int) -> Any:
    """Return the values Y, of which one is missing."""
    return np.where(np.arange(N) == i, np.nan, Y)


def stamps(form: str, times: pd.Series = DAYS) -> list[str]:
    """Return times in a form."""
    return [t.strftime(form) for t in times]


def flux(blocks: Sequence[str]) -> str:
    """Return what InfluxDB writes: three annotations and the names above the rows of each table."""
    head = "#group,false,false,false,true\n#datatype,string,long,dateTime:RFC3339,double,string\n#default,_result,,,,\n"
    at = stamps("%Y-%m-%dT%H:%M:%SZ", HOURS)

    def block(number: int, name: str) -> str:
        rows = lines(lambda i: f",,{number},{at[i]},{Y[i]},{name}")
        return head + ",result,table,_time,_value,_field\n" + rows

    return "\n".join(block(number, name) for number, name in enumerate(blocks))


def prometheus(indent: int | None) -> str:
    """Return the answer of Prometheus to a query of a range, with two series."""
    first = [[int(t.timestamp()), str(y)] for t, y in zip(HOURS, Y, strict=True)]
    series = [{"metric": {"__name__": "up", "job": job}, "values": first} for job in ("a", "b")]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": series}}, indent=indent)


def alpha_vantage() -> str:
    """Return a list of days, newest first, below facts about it, as Alpha Vantage writes it."""
    days = {day: {"4. close": str(y)} for day, y in zip(stamps("%Y-%m-%d")[::-1], Y[::-1], strict=True)}
    return json.dumps({"Meta Data": {"2. Symbol": "IBM"}, "Time Series (Daily)": days}, indent=4)


def hours(first: int, last: int, form: str, name: str) -> str:
    """Return rows of a date and an hour, for as many days as there are values."""
    day = [f"2024-01-{1 + i // 24:02d}" for i in range(N)]
    assert last - first == 23
    return f"Date,{name},Load\n" + lines(lambda i: f"{day[i]},{form.format(first + i % 24)},{Y[i]}")


def day_of_25(form: str = "{}") -> str:
    """Return the hours of two days in local time; the first has 25."""
    rows = [("2024-10-27", k) for k in range(1, 26)] + [("2024-10-28", k) for k in range(1, 25)]
    return "Date,Hour,Load\n" + "".join(f"{d},{form.format(k)},{k}.5\n" for d, k in rows)


def local(day: str, row: str, *, header: str = "Date,Hour,Load", ends: bool = False, **options: Any) -> str:
    """The hours of three days around a change of the clock in Berlin are read by the zone.

    The clock and the length of each day are those of zoneinfo.

    Args:
        day: The day of the change.
        row: The first cells of a row. It may have d (the local start of the hour), n (its number in its day, from 1),
            k (the hour of the clock) and s (the letter of an hour that comes twice).
        header: The names of the columns.
        ends: Whether the times are the ends of the hours.
        options: Options of the reader.
    """
    berlin, hour = ZoneInfo("Europe/Berlin"), timedelta(hours=1)
    first = datetime.fromisoformat(day).replace(tzinfo=berlin) - timedelta(days=1)
    start, stop = first.astimezone(UTC), (first + timedelta(days=3)).astimezone(UTC)
    starts = [start + i * hour for i in range((stop - start) // hour)]
    text, number = header + "\n", 0
    for i, at in enumerate(starts):
        d = at.astimezone(berlin)
        number = 1 if d.date() != (at - hour).astimezone(berlin).date() else number + 1
        twice = d.replace(fold=0).utcoffset() != d.replace(fold=1).utcoffset()
        letter = "AB"[d.fold] if twice else ""
        text += row.format(d=d, n=number, k=d.hour, k1=d.hour + 1, s=letter) + f",{i}.5\n"
    data = in_file(text, zone="Europe/Berlin", **options)
    expected = np.array([(at + ends * hour).replace(tzinfo=None) for at in starts], dtype="datetime64[us]")
    assert data.times is not None, data.notes
    np.testing.assert_array_equal(data.times, expected)
    np.testing.assert_array_equal(data.values[:, 0], np.arange(len(starts)) + 0.5)
    return f"right: {len(starts)} hours"


#: Rows of a table of hours of a local clock: the header, the cells of a row, and whether the times are ends.
LOCAL = {
    "1 to 25": ("Date,Hour,Load", "{d:%Y-%m-%d},{n}", True),
    "H01 to H25": ("Datum,Stunde,MWh", "{d:%d.%m.%Y},H{n:02}", True),
    "year, month, day and 1 to 25": ("year,month,day,hour,y", "{d:%Y,%m,%d},{n}", True),
    "1 to 24, 3A and 3B": ("Date,Hour,Load", "{d:%Y-%m-%d},{k1}{s}", True),
    "0 to 23, 2A and 2B": ("Date,Hour,Load", "{d:%Y-%m-%d},{k}{s}", False),
    "clock 02A:00": ("ds,y", "{d:%d.%m.%Y} {k:02}{s}:00", False),
    "clock 2A:00": ("ds,y", "{d:%Y-%m-%d} {k}{s}:00", False),
    "clock 02:00A": ("ds,y", "{d:%d/%m/%Y} {k:02}:00{s}", False),
    "day and clock 02A:00": ("Datum,Uhrzeit,MWh", "{d:%d.%m.%Y},{k:02}{s}:00", False),
}
CHANGES = {"summer ends": "2024-10-27", "summer begins": "2024-03-31", "no change": "2024-06-12"}

ENDS = HOURS + pd.Timedelta(hours=1)
#: The hours of a day with 25, of which two have letters, and of the day after it.
SUMMER_ENDS = [f"27.10.2024 {h}:00" for h in ("00", "01", "02A", "02B", *(f"{h:02}" for h in range(3, 24)))]
SUMMER_ENDS += [f"28.10.2024 {h:02}:00" for h in range(N - len(SUMMER_ENDS))]
STOOQ = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<CLOSE>,<VOL>\n"
ONS = (
    '"Title","CPI"\n"CDID","D7BT"\n"PreUnit",""\n"Unit","Index, base year = 100"\n"Release date","17-01-2024"\n'
    '"Next release","14 February 2024"\n"Important notes",\n'
)
LVM = (
    "LabVIEW Measurement\t\nSeparator\tTab\nX_Columns\tOne\n***End_of_Header***\t\n\t\nChannels\t1\t\n"
    "X_Dimension\tTime\n***End_of_Header***\t\n"
)
E_STAT = '"統計名：","消費者物価指数"\n"表番号：","1"\n\n'
RDB = "# data of a river\n#\nagency_cd\tdatetime\t1_00060\t1_00060_cd\n5s\t20d\t14n\t10s\n"
WIDE = ",".join(f'"{y}"' for y in range(2000, 2024))


def era(i: int) -> str:
    """Return a month by the eras of Japan: Heisei ends in April 2019."""
    month = pd.Timestamp("2018-01-01") + pd.DateOffset(months=i)
    if month < pd.Timestamp("2019-05-01"):
        return f"平成{month.year - 1988}年{month.month}月"
    return f"令和{'元' if month.year == 2019 else month.year - 2018}年{month.month}月"


HEISEI = pd.Series(pd.date_range("2018-01-01", periods=N, freq="MS"))
BUNDESBANK = (
    '"";A.B;A.B_FLAGS\n"";"Kurs / 1 EUR = ... USD";\nEinheit;USD (US-Dollar);\nDimension;Eins;\n'
    "Stand vom;02.01.2025 16:01:03 Uhr;\n"
)
YEARLY = ",".join(f'"{1960 + i}"' for i in range(N))
KINDS: dict[str, dict[str, Callable[[], str]]] = {
    "monitors": {
        "Zabbix, items of one clock": partial(
            right, "itemid,clock,value,ns\n" + "".join(
                f"{item},{1704067200 + 3600 * i},{Y[i]},{i * 7919}\n" for i in range(N) for item in (23296, 23297)),
            HOURS, ids=["23296", "23297"], notes=["seconds since 1970"]),
        "Zabbix, a date beside its clock": partial(
            right, lines(lambda i: f"{HOURS[i]:%Y-%m-%d %H:%M:%S}\t{1704063600 + 3600 * i}\t{Y[i]}"),
            HOURS, ending=".txt", notes=["holds them: channel_2"]),
        "a clock in digits": partial(
            steps, "time,y\n" + lines(lambda i: f"{i // 2:02d}{i % 2 * 30:02d}00,{Y[i]}"), 1,
            notes=["if they are clocks"]),
        "Grafana with undefined": partial(
            right, table(stamps("%Y-%m-%d %H:%M:%S", HOURS), '"Time","cpu"').replace(f",{Y[3]}\n", ",undefined\n"),
            HOURS, without(3), notes=["'undefined'"]),
        "Home Assistant, unavailable": partial(
            right, "entity_id,state,last_changed\n" + lines(
                lambda i: f"sensor.t,{'unavailable' if i == 4 else Y[i]},{HOURS[i]:%Y-%m-%dT%H:%M:%S.000Z}"),
            HOURS, without(4), notes=["'unavailable'"]),
        "InfluxDB, one table": partial(right, flux(["cpu"]), HOURS, channel="_value", notes=["result"]),
        "InfluxDB, two tables": partial(right, flux(["cpu", "mem"]), HOURS, ids=["cpu", "mem"]),
        "Prometheus in one line": partial(
            right, prometheus(None), HOURS, ending=".json", ids=['up{job="a"}', 'up{job="b"}']),
        "Prometheus in many lines": partial(right, prometheus(1), HOURS, ending=".json"),
        "ThingSpeak with empty columns": partial(
            right, "created_at,entry_id,field1,latitude,elevation\n" + lines(
                lambda i: f"{HOURS[i]:%Y-%m-%d %H:%M:%S} UTC,{i + 1},{Y[i]},,"), HOURS,
            channel="field1", notes=["every cell is empty: latitude, elevation"]),
    },
    "exchanges": {
        "Stooq, days": partial(
            right, STOOQ + lines(lambda i: f"AAPL.US,D,{DAYS[i]:%Y%m%d},000000,{Y[i] - 1:.2f},{Y[i]},{i * i}"), DAYS,
            ending=".txt", channel="CLOSE"),
        "Stooq, hours": partial(
            right, STOOQ + lines(lambda i: f"AAPL.US,60,{HOURS[i]:%Y%m%d,%H%M%S},{Y[i] - 1:.2f},{Y[i]},{i * i}"),
            HOURS, ending=".txt", channel="CLOSE"),
        "MetaTrader": partial(
            right, "<DATE>\t<TIME>\t<OPEN>\t<CLOSE>\n" + lines(
                lambda i: f"{HOURS[i]:%Y.%m.%d}\t{HOURS[i]:%H:%M:%S}\t1\t{Y[i]}"), HOURS, channel="CLOSE"),
        "Alpha Vantage": partial(right, alpha_vantage(), DAYS, ending=".json", notes=["'Time Series (Daily)'"]),
        "orders that begin with #": partial(
            right, "Name,Paid at,Total\n" + lines(lambda i: f"#{1000 + i},{DAYS[i]:%Y-%m-%d},{Y[i]}"), DAYS),
    },
    "columns without names": {
        "days and a decimal year (SILSO)": partial(
            right, lines(lambda i: f"2024;{DAYS[i].month:02d};{DAYS[i].day:02d};{2024 + (i + 0.5) / 366:.3f};{Y[i]}"),
            DAYS, notes=["holds them: channel_4"]),
        "Bundesbank": partial(
            right, BUNDESBANK + lines(lambda i: f"{DAYS[i]:%Y-%m-%d};" + (
                ".;Kein Wert vorhanden" if i == 6 else f"{Y[i]};".replace(".", ","))),
            DAYS, without(6), notes=["left out above the rows: lines 2 to 5"]),
        "World Bank, one row": partial(
            refused, '"Data Source","World Development Indicators",\n\n"Last Updated Date","2024-06-28",\n\n'
            f'"Country Name","Country Code",{YEARLY},\n"Germany","DEU",' + ",".join(map(str, Y)) + ",\n",
            "columns 1960, 1961, ... 1989 are times"),
        "World Bank, DataBank": partial(
            refused, "Country Name,Country Code," + ",".join(f"{y} [YR{y}]" for y in range(1960, 1960 + N)) + "\n"
            + "".join(f"{c},{c}," + ",".join(map(str, Y)) + "\n" for c in ("DEU", "KOR", "ABW")), "are times"),
        "GENESIS, months as words": partial(
            refused, "Zeit;Code;Monate;Wert\n" + lines(
                lambda i: f"{2020 + i // 12};MONAT{i % 12 + 1:02d};{MONTHS[i]:%B};{Y[i]}"), "seem to be months"),
        "BLS with means of years": partial(
            refused, "Year,Period,Value\n" + lines(lambda i: f"{2020 + i // 13},M{i % 13 + 1:02d},{Y[i]}"),
            "whole years"),
        "year and month (SILSO)": partial(
            right, lines(lambda i: f"{MONTHS[i]:%Y %m} {2020 + (i + 0.5) / 12:.3f} {Y[i]} 5.1 {i + 30}"), MONTHS,
            ending=".txt", channel="channel_4", notes=["'channel_1' and 'channel_2' are read together as the time"]),
        "year and month (NOAA)": partial(
            right, lines(lambda i: f" {MONTHS[i].year}  {MONTHS[i].month:2}  {Y[i]:7.2f}"), MONTHS, ending=".txt"),
        "year, month and day": partial(
            right, lines(lambda i: f"{DAYS[i]:%Y;%m;%d};{Y[i]}"), DAYS, notes=["'channel_3' are read together"]),
        "day and clock in digits": partial(
            right, lines(lambda i: f"{HOURS[i]:%Y%m%d,%H%M%S},{Y[i]}"), HOURS, notes=["are read together as the time"]),
        "numbers that only look like months": partial(
            steps, lines(lambda i: f"{1990 + i * 7 % 31},{1 + i * 5 % 12},{Y[i]}"), 3),
        "numbers beside days that are no clocks": partial(
            right, lines(lambda i: f"{DAYS[i]:%Y%m%d},{i * 991},{Y[i]}"), DAYS, channel="channel_3"),
    },
    "machines": {
        "LabVIEW, its time": partial(
            steps, LVM + "X_Value\tVoltage\tComment\n" + lines(lambda i: f"{i / 1000:.6f}\t{Y[i]}"), 1, ending=".lvm",
            notes=["X_Value is the time"]),
        "LabVIEW, no time": partial(
            steps, LVM + "X_Value\tVoltage\tComment\n" + lines(lambda i: f"\t{Y[i]}"), 1, ending=".lvm"),
        "clock 18.00.00 (UCI)": partial(
            right, "Date;Time;CO(GT)\n" + lines(lambda i: f"{HOURS[i]:%d/%m/%Y;%H.%M.%S};{Y[i]}"),
            HOURS),
        "Monash": partial(
            refused, "# made\n@relation x\n@attribute series_name string\n@frequency monthly\n@horizon 12\n@data\n"
            + lines(lambda i: f"T{i}:1990-01-01 00-00-00:" + ",".join(map(str, Y)), 9), ".tsf of Monash", "as CSV",
            ending=".tsf"),
        "ARFF": partial(
            refused, "@RELATION x\n\n@ATTRIBUTE y NUMERIC\n@ATTRIBUTE z NUMERIC\n@DATA\n" + lines(
                lambda i: f"{Y[i]},{i}"), "ARFF", "loadarff", ending=".arff"),
        "LibSVM": partial(
            refused, lines(lambda i: f"{i % 2 * 2 - 1} 1:{Y[i]} {2 + i % 3}:0.3"), "LibSVM", "load_svmlight_file",
            ending=".libsvm"),
    },
    "hours": {
        "1 to 24": partial(right, hours(1, 24, "{}", "Hour"), ENDS, notes=["an hour from 1 to 24"]),
        "HE 1 to 24": partial(right, hours(1, 24, "{}", "HE"), ENDS, notes=["an hour from 1 to 24"]),
        "H01 to H24": partial(right, hours(1, 24, "H{:02d}", "Hour"), ENDS, notes=["an hour from 1 to 24"]),
        "01:00 to 24:00": partial(right, hours(1, 24, "{:02d}:00", "Hour"), ENDS, notes=["midnight"]),
        "0 to 23": partial(right, hours(0, 23, "{}", "Hour"), HOURS),
        "year, month, day and 1 to 24": partial(
            right, "year,month,day,hour,y\n" + lines(lambda i: f"2024,1,{1 + i // 24},{1 + i % 24},{Y[i]}"), ENDS,
            notes=["an hour from 1 to 24"]),
        **{f"0100 to 2400, {name}": partial(
            right, hours(1, 24, "{:02d}00", name), ENDS, notes=["0100", "midnight"])
           for name in ("Hour", "Hour Ending", "Time", "HrMn", "HHMM")},
        "100 to 2400": partial(right, hours(1, 24, "{}00", "Hour"), ENDS, notes=["01:00"]),
        "0000 to 2300": partial(right, hours(0, 23, "{:02d}00", "Time"), HOURS, notes=["0000"]),
        "2500": partial(refused, hours(2, 25, "{:02d}00", "Hour"), "occurs twice"),
        "1 to 25": partial(refused, day_of_25(), "the hour 25", "line 26", "offset", 'zone="Europe/Berlin"'),
        "H01 to H25": partial(refused, day_of_25("H{:02d}"), "the hour 25", "line 26"),
        "02A and 02B": partial(
            refused, table(SUMMER_ENDS), "'27.10.2024 02A:00'", "twice", "offset", 'zone="Europe/Berlin"'),
        "02A in a column of clocks": partial(
            refused, table([h.replace(" ", ",") for h in SUMMER_ENDS], "Datum,Uhrzeit,y"), "02A:00", "zone="),
        "02A of a zone without it": partial(
            refused, table(SUMMER_ENDS), "'27.10.2024 02A:00'", "Europe/London does not", zone="Europe/London"),
        "3A without a zone": partial(
            refused, day_of_25().replace("-27,3,", "-27,3A,").replace("-27,25,", "-27,3B,"), "hour 3A", "zone="),
        "25 on another day": partial(
            refused, day_of_25().replace("10-2", "09-2"), "hour 25", "Europe/Berlin", zone="Europe/Berlin"),
        **{f"{name}, {what}": partial(local, day, row, header=header, ends=ends)
           for name, (header, row, ends) in LOCAL.items() for what, day in CHANGES.items()},
        "a clock called Anfang": partial(
            right, "Datum;Anfang;Ende;MWh\n" + lines(
                lambda i: f"{HOURS[i]:%d.%m.%Y;%H:%M};{ENDS[i]:%H:%M};{Y[i]:.2f}"), HOURS),
    },
    "offices": {
        "SDMX, years of a panel": partial(
            right, "LAST UPDATE,geo,TIME_PERIOD,OBS_VALUE\n" + "".join(
                lines(lambda i: f"01/02/24 23:00:00,{geo},{1994 + i},{Y[i]}") for geo in ("DE", "FR")),  # noqa: B023
            YEARS, ids=["DE", "FR"], channel="OBS_VALUE"),
        "years of a panel called Jahr": partial(
            right, "Jahr;Land;Wert\n" + "".join(
                lines(lambda i: f"{1994 + i};{geo};{Y[i]:.2f}") for geo in ("DE", "FR")),  # noqa: B023
            YEARS, ids=["DE", "FR"]),
        "ONS, months": partial(right, ONS + lines(lambda i: f'"{MONTHS[i]:%Y %b}","{Y[i]}"'.upper()), MONTHS,
                               notes=["left out above the rows: lines 2 to 7"]),
        "ONS, years and months": partial(
            refused, ONS + "".join(f'"{y}","{y}.5"\n' for y in range(2015, 2020))
            + lines(lambda i: f'"{MONTHS[i]:%Y %b}","{Y[i]}"'.upper()), "several lengths", "'2015'", "'2020 JAN'"),
        "e-Stat": partial(right, E_STAT + '"時間軸（月）","全国"\n' + lines(
            lambda i: f'"{MONTHS[i].year}年{MONTHS[i].month}月","{Y[i]}"'), MONTHS, channel="全国"),
        "e-Stat, ***": partial(
            right, table(stamps("%Y年%m月", MONTHS), "時間軸（月）,全国").replace(f",{Y[2]}\n", ",***\n"), MONTHS,
            without(2), notes=["'***'"]),
        "KOSIS, months": partial(
            right, table(stamps("%Y.%m", MONTHS), "시점,서울"), MONTHS, notes=["years and months"]),
        **{f"quarters 2018.1, {name}": partial(
            right, table([f"{t.year}.{t.quarter}" for t in QUARTERS], f"{name},y"), QUARTERS,
            notes=["years and quarters"]) for name in ("quarter", "ds", "period", "Quartal")},
        **{f"months 2020.1 to 2020.12, {name}": partial(
            refused, table([f"{t.year}.{t.month}" for t in MONTHS], f"{name},y"), "January and October", "2019-01")
           for name in ("month", "ds", "period", "Monat")},
        "tenths that are no quarters": partial(steps, table([f"{2018 + i / 10:.1f}" for i in range(N)]), 1),
        "KOSIS, months in words": partial(right, table(stamps("%Y.%m 월", MONTHS), "시점,서울"), MONTHS),
        "KOSIS, quarters": partial(
            right, table([f"{t.year}.{t.quarter}/4" for t in QUARTERS], "시점,서울"), QUARTERS, notes=["quarter"]),
        "KOSIS, months as columns": partial(
            refused, "시도별," + ",".join(stamps("%Y.%m", MONTHS)) + "\n"
            + "".join(f"{s}," + ",".join(map(str, Y)) + "\n" for s in ("서울", "부산")), "are times", "melt"),
        "World Bank": partial(
            refused, '"Data Source","World Development Indicators",\n\n"Last Updated Date","2024-01-01",\n\n'
            f'"Country Name","Country Code",{WIDE},\n' + "".join(
                f'"{c}","{c[:3]}",' + ",".join(f'"{i}.5"' for i in range(24)) + ",\n"
                for c in ("Aruba", "Germany", "Korea", "Kosovo")), "are times", "melt"),
        "USGS": partial(right, RDB + lines(lambda i: f"USGS\t{DAYS[i]:%Y-%m-%d}\t{Y[i]}\tA"), DAYS, ending=".txt",
                        notes=["5s, 20d, 14n, 10s"]),
        **{f"WHO, an interval, {name}": partial(
            refused, "Year,Male,Female\n" + lines(lambda i: f"{1994 + i},X,X").replace("X", form),
            "'Male' hold a value and its interval", "in a column each")
           for name, form in (("brackets", "71.2 [70.1-72.3]"), ("words", "71.2 (70.1 to 72.3)"))},
        "WHO, an interval beside values": partial(
            right, "ds,y,Male\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{Y[i]},71.2 [70.1-72.3]"), DAYS,
            notes=["'Male' hold a value and its interval"]),
        "durations alone": partial(
            refused, "ds,dur\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{20 + i}:30:15"),
            "'dur' hold clocks or durations", "1.5 hours"),
        "NOAA, a trace": partial(refused, table(stamps("%Y-%m-%d")).replace(f",{Y[0]}\n", ",T\n"), "'T'", "trace"),
        "NOAA, a value and its quality": partial(
            refused, "DATE,TMP\n" + lines(lambda i: f'{DAYS[i]:%Y-%m-%d},"+{100 + i:04d},1"'), "two numbers",
            target="TMP"),
        "Google Trends, <1": partial(refused, table(stamps("%Y-%m-%d")).replace(f",{Y[0]}\n", ",<1\n"), "'<1'", "half"),
    },
    "years of other calendars": {
        "year from 2537": partial(right, table([2537 + i for i in range(N)], "year,y"), YEARS, notes=["Buddhist"]),
        "ปี": partial(right, table([2537 + i for i in range(N)], "ปี,y"), YEARS, notes=["Buddhist"]),
        "ปี พ.ศ.": partial(right, table([2537 + i for i in range(N)], "ปี พ.ศ.,y"), YEARS, notes=["2537 is 1994"]),
        "Heisei and Reiwa": partial(
            right, table([era(i) for i in range(N)], "年月,値"), HEISEI, notes=["eras of Japan"]),
        "Reiwa, days": partial(
            right, table([f"令和6年{t.month}月{t.day}日" for t in DAYS], "日付,値"), DAYS, notes=["2024-01-01"]),
        "a month of the calendar of the moon": partial(
            refused, table([f"明治5年{1 + i % 12}月" for i in range(N)], "日付,値"), "'明治5年1月'", "era"),
        "a year that its era does not have": partial(
            refused, table([f"平成32年{t.month}月{t.day}日" for t in DAYS], "日付,値"), "era"),
    },
    "programs": {
        "psql": partial(
            right, " ds         |   y    \n------------+--------\n"
            + lines(lambda i: f" {DAYS[i]:%Y-%m-%d} | {Y[i]:6.2f}")
            + "(30 rows)\n\n", DAYS, ending=".txt"),
        "write.table with labels of rows": partial(
            right, '"ds","y"\n' + lines(lambda i: f'"{i + 1}","{DAYS[i]:%Y-%m-%d}",{Y[i]}'), DAYS, notes=["labels"]),
        "an inch among words": partial(
            right, "ds,y,pipe\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{Y[i]}," + ('5" pipe' if i % 3 else "a")),
            DAYS),
        "a decimal comma beside a comma": partial(
            refused, "step,y\n" + lines(lambda i: f"{i + 1},{12 + i % 3},5"), "3 cells, expected 2"),
        "a remark behind each row": partial(
            refused, "ds,y\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{Y[i]},ok"), "3 cells, expected 2"),
        "SAS, .A": partial(right, table(stamps("%d%b%Y")).replace(f",{Y[5]}\n", ",.A\n"), DAYS,
                           without(5), notes=["'.A'"]),
        "GluonTS": partial(
            refused, json.dumps({"start": "2024-01-01", "target": Y.tolist()}) + "\n", "list of 30 values",
            "one record for each value", ending=".jsonl"),
        "durations": partial(refused, table(stamps("%Y-%m-%d")).replace(f",{Y[0]}\n", ",1:23:45\n"), "duration"),
        "credit and debit": partial(
            refused, "Date,Balance\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{Y[i]} {'CR' if i % 3 else 'DR'}"),
            "minus sign in place of DR"),
        "several units": partial(
            refused, "Time,mem\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{Y[i]} {'GiB' if i % 3 else 'MiB'}"),
            "to one unit"),
        **{f"another table above: {name}": partial(
            refused, f"{above}{gap}ds,y,z\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{Y[i]},0"),
            "another table begins in line", "from line 1", "a file of its own")
           for name, above, gap in (
               ("days", "date,pop\n2024-01-01,5\n2024-01-02,6\n2024-01-03,7\n", "\n"),
               ("no gap", "year,pop\n2001,5\n2002,6\n2003,7\n", ""),
               ("wider", "place,a,b,c\nA,5,1,2\nB,6,1,3\nC,7,2,3\n", "\n\n"))},
        "another table below": partial(
            refused, table(stamps("%Y-%m-%d")) + "\nplace,a,b\nA,5,1\nB,6,1\n", "3 cells", "'place,a,b'",
            "a file of its own"),
        **{f"facts above: {name}": partial(
            right, f"{above}\n" + table(stamps("%Y-%m-%d")), DAYS, notes=["left out above the table"])
           for name, above in (
               ("a place", "latitude,longitude,elevation\n52.5,13.4,38.0\n"),
               ("units", "Station,Berlin,x\nLatitude,52.5,N\nLongitude,13.4,E\nElevation,34,m\n"))},
        "fractions": partial(refused, table(stamps("%Y-%m-%d")).replace(f",{Y[0]}\n", ",1/2\n"), "0.5 for 1/2"),
    },
}  # fmt: skip
ROWS = rows_of(KINDS, "pandas, or an error")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_exporters(row: Row) -> None:
    assert row.check()


#: Ordinary tables next to those above, with the channels that they have: no rule for the ones above may touch them.
USUAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "a number called start": (
        "ds,start,x\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{i % 7},{Y[i]}"), ("start", "x")),
    "years": (table([1994 + i for i in range(N)], "year,y"), ("y",)),
    "a comment with the width of a row": (table(stamps("%Y-%m-%d")) + "# made by hand, twice\n", ("y",)),
    "hours of one day": ("hour,x\n" + lines(lambda i: f"{i * 7 % 24},{Y[i]}", 24), ("hour", "x")),
    "25 hours as steps": ("hour,x\n" + lines(lambda i: f"{i + 1},{Y[i]}", 25), ("x",)),
    "channels called like years": (
        "ds,2001,2002,2003\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{Y[i]},{i % 3}.5,{i % 5}.25"),
        ("2001", "2002", "2003")),
    "a season beside the dates in it": (
        "season,played,y\n" + lines(lambda i: f"{2022 + i // 12}-{23 + i // 12},{DAYS[i]:%Y-%m-%d},{Y[i]}"), ("y",)),
    "a clock of one value a day": (
        "Date,Hour,load\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{(7 + i * 5 % 12) * 100},{Y[i]}"), ("Hour", "load")),
    "the level of a quality": (
        "ds,sleep_quality_level,load\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{i * 7 % 5},{Y[i]}"),
        ("sleep_quality_level", "load")),
    "lots of two numbers": ("lot,y\n" + lines(lambda i: f"{4711 + i}-{4712 + i},{Y[i]}"), ("y",)),
    "decimals that are no months": (table([f"{i / 100 + 1.5:.2f}" for i in range(N)], "period,x"), ("period", "x")),
}  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_ordinary_tables_stay_as_they_are(name: str) -> None:
    text, channels = USUAL[name]
    data = in_file(text)
    assert len(data.values) == text.count("\n") - 1 - text.count("#")
    assert data.channels == channels, data.notes
    assert not any(
        word in note for note in data.notes for word in ("eras", "Buddhist", "from 1 to", "years and months")
    )


def test_an_empty_column_that_is_asked_for_or_called_y_is_an_error() -> None:
    text = "ds,y,x\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},,{Y[i]}")
    with pytest.raises(DataError, match="every value in column 'y'"):
        in_file(text)
    with pytest.raises(DataError, match="every value in column 'z'"):
        in_file(text.replace("ds,y,x", "ds,z,x"), target="z")


def overlap(labels: Callable[[range], Sequence[Any]], rows: int, values: Any) -> dict[str, str]:
    """Return two downloads of one series that share some rows, with a column of labels."""
    parts = {"a": range(20), "b": range(20 - rows, N)}
    frames = {
        name: pd.DataFrame(
            {"id": "x", "ds": DAYS.to_numpy()[list(part)], "y": values[list(part)], "label": labels(part)},
            index=list(part),
        )
        for name, part in parts.items()
    }
    return {name: frame.to_csv(index=False) for name, frame in frames.items()}


@pytest.mark.parametrize(
    ("labels", "rows", "values", "kept"),
    [
        (lambda part: range(len(part)), 1, Y, True),
        (lambda part: range(len(part)), 5, Y, True),
        (lambda part: [f"2024-0{1 + part[0] // 10}-01"] * len(part), 5, Y, True),
        (lambda part: ["ab"[part[0] > 0]] * len(part), 1, Y, False),  # one row may agree by chance
        (lambda part: ["ab"[part[0] > 0]] * len(part), 5, np.zeros(N), False),
        (lambda part: [i % 2 + 2 * (part[0] > 0) for i in part], 5, Y, False),
    ],
)
def test_downloads_that_overlap(
    tmp_path: Path, labels: Callable[[range], Sequence[Any]], rows: int, values: Any, kept: bool
) -> None:
    for name, text in overlap(labels, rows, values).items():
        (tmp_path / f"{name}.csv").write_text(text)
    if not kept:
        with pytest.raises(DataError, match="differ in 'label'"):
            read(tmp_path, target="y")
        return
    data = read(tmp_path, target="y")
    np.testing.assert_array_equal(data.values[:, 0], values)
    assert any("number the rows or the files: 'label'" in note for note in data.notes), data.notes


def wide(names: Sequence[str], first: pd.Series, form: str) -> str:
    """Return a table with a column for each part of its steps."""
    rows = [
        ",".join([t.strftime(form), *(str(100 * i + d + 0.5) for d in range(len(names)))]) for i, t in enumerate(first)
    ]
    return "\n".join(["when," + ",".join(names), *rows]) + "\n"


WEEKS = pd.Series(pd.date_range("2024-01-01", periods=N, freq="W-MON"))


@pytest.mark.parametrize(
    ("names", "times", "parts"),
    [
        ([f"{m}" for m in range(1, 13)], YEARS, True),
        ([f"W{w:02d}" for w in range(1, 53)], YEARS, True),
        ([f"{d}" for d in range(1, 32)], MONTHS, True),
        ([f"HE{h:02d}" for h in range(1, 25)], DAYS, True),
        ([f"INT{h}" for h in range(1, 49)], DAYS, True),
        (["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], WEEKS, True),
        (["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], DAYS, False),
        ([f"{d}" for d in range(1, 13)], DAYS, False),
        ([f"{m}" for m in range(1, 13)], YEARS[2:5], True),
        ([f"x{d}" for d in range(1, 25)], DAYS, False),
        ([f"q{d}" for d in range(1, 25)], DAYS, False),
        ([f"{age}" for age in range(18, 30)], YEARS, False),
    ],
    ids=str,
)
def test_columns_that_are_the_parts_of_a_step(names: Sequence[str], times: pd.Series, parts: bool) -> None:
    text = wide(names, times, "%Y-%m-%d")
    if parts:
        refused(text, "are times, so the steps of a series lie next to each other", "target")
    else:
        assert in_file(text).values.shape == (len(times), len(names))


def klines() -> list[list[Any]]:
    """Return what Binance answers: arrays without names, of times in milliseconds and of prices in quotes."""
    at = [int(t.timestamp() * 1000) for t in HOURS]
    return [[at[i], str(Y[i]), str(Y[i] + 1), at[i] + 3_599_999, 7 + i % 3] for i in range(N)]


def states() -> list[list[dict[str, Any]]]:
    """Return what Home Assistant answers for two entities."""
    at = stamps("%Y-%m-%dT%H:%M:%S+00:00", HOURS)
    return [[{"entity_id": e, "state": str(Y[i]), "last_changed": at[i]} for i in range(N)] for e in ("a.x", "b.x")]


def datev(encoding: str) -> bytes:
    """Return postings of DATEV with a letter outside of ASCII."""
    head = '"EXTF";700;21;"Buchungsstapel";13;20240130140440439;;"RE";"";"";29098;55003;20240101;4;20240101;20240831\n'
    rows = lines(lambda i: f'{Y[i]:.2f};"S";{DAYS[i]:%d%m};"Müller"'.replace(".", ","))
    return (head + "Umsatz;Soll/Haben-Kennzeichen;Belegdatum;Text\n" + rows).encode(encoding)


def pages(first: int) -> str:
    """Return a list of SAP with the head of a page between its rows."""
    head = f"{'-' * 25}\n|Datum     |    Betrag|\n{'-' * 25}\n"
    rows = [f"|{t}|{y:10.2f}|" for t, y in zip(stamps("%Y-%m-%d"), Y, strict=True)]
    return "\n".join([head + "\n".join(rows[:first]), "01.02.2024  Seite 2", head + "\n".join(rows[first:])]) + "\n"


def test_programs_of_today() -> None:
    right(json.dumps(klines()), HOURS, ending=".json", channel="channel_2", notes=["no names of columns"])
    right(json.dumps(states()), HOURS, ending=".json", ids=["a.x", "b.x"])
    in_cp1252 = in_file(datev("cp1252"))
    np.testing.assert_array_equal(in_cp1252.values, in_file(datev("utf-8")).values)
    assert any("cp1252" in note for note in in_cp1252.notes)
    right(pages(12), DAYS, notes=["1 head of a page above names that occur again left out (01.02.2024  Seite 2)"])
    refused(pages(12).replace("01.02.2024  Seite 2", "Paris"))  # two tables
    refused(
        "fiscal,quarter,y\n" + lines(lambda i: f"{i // 4 + 2010}/{i // 4 + 11},Q{i % 4 + 1},{Y[i]}"),
        "seem to be months",
    )
    refused(json.dumps([["name", "2020-01-01"], ["A", 1], ["B", 2]]), "no names of columns", ending=".json")
    refused("100,NEM12,202401150900,M,R\n200,N,E1,1,E1,N1,1,kWh,30,\n300,20240101,1.5,2.5,A\n900\n", "NEM12")


def test_a_first_series_is_no_row_of_names() -> None:
    below = "costs," + ",".join(map(str, Y)) + "\nsales," + ",".join(map(str, Y)) + "\n"
    refused("units," + ",".join(str(7 * i % 31) for i in range(N)) + "\n" + below, "may be one too", "line of names")
    assert in_file("id," + ",".join(map(str, range(1, N + 1))) + "\n" + below).ids == ("costs", "sales")


def test_two_tables_side_by_side() -> None:
    both = lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{Y[i]},{DAYS[(i + 1) % N]:%Y-%m-%d},{i}")
    for name in ("Date", "Date.1"):  # as pandas writes the second one
        refused(f"Date,a,{name},b\n" + both, "hold different times")
    data = in_file("created,end,y\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{DAYS[i]:%Y-%m-%d},{Y[i]}"))
    assert any("the times are those of 'created': end" in note for note in data.notes), data.notes


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ([1, 2, 3, 4, 5, 9, 99], "9 and 99 may be codes"),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 77, 88], "77 and 88 may be codes"),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], ""),
        ([0, 1, 2, 3, 4, 9], ""),
        ([-999, -999], "every value is -999"),
        ([999, 999], ""),
    ],
    ids=str,
)
def test_codes_in_place_of_values_are_named(kinds: Sequence[int], said: str) -> None:
    notes = in_file("ds,q,z\n" + lines(lambda i: f"{DAYS[i]:%Y-%m-%d},{kinds[i % len(kinds)]},{Y[i]}")).notes
    found = [note for note in notes if "codes" in note or "every value" in note]
    assert [said in note for note in found] == [True] * bool(said), notes


@pytest.mark.parametrize("zone", ["Europe/Paris", "Africa/Lagos", "Asia/Seoul", "America/Argentina/Buenos_Aires"])
def test_the_zone_behind_an_offset_is_kept(zone: str) -> None:
    walls = HOURS.dt.tz_localize(zone)
    words = [f"{t.isoformat()}[{zone}]" for t in walls]
    data = in_file(table(words))
    assert data.times is not None
    np.testing.assert_array_equal(data.times, walls.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    assert (data.meta["calendar"].get("zone"), [n for n in data.notes if "offset" in n]) in ((zone, []), (None, []))
    days = in_file(table([f"{t.isoformat()}[{zone}]" for t in DAYS.dt.tz_localize(zone)]))
    assert days.meta["calendar"]["zone"] == zone
