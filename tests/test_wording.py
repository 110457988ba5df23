"""Every option that a message names can be typed by its reader: by the user of a command, and in Python."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import ostinato
from ostinato.cli.main import app, main
from ostinato.dispatch.fit import FitFields
from ostinato.wording import IN_PYTHON, for_a_command, option

HOME = Path(ostinato.__file__).parent
#: Only a command runs these, so that their messages have one reader.
COMMANDS_ALONE = ("cli", "serve")
#: An option of torchrun, and options of the compiler of CUDA.
OF_OTHERS = ("--max-restarts", "--gpu-architecture", "--std")
#: An option, but not a line between words or in a table.
NAMED = re.compile(r"(?<![\w-])--[a-z][a-z-]+|\bostinato (?:classify|fit|forecast|report|score|stream)\b")


Modules = list[tuple[Path, ast.Module]]


@pytest.fixture(scope="module")
def modules() -> Modules:
    """The modules whose messages have two readers."""
    places = [path.relative_to(HOME) for path in sorted(HOME.rglob("*.py"))]
    read = [one for one in places if one.parts[0] not in COMMANDS_ALONE and one.name != "wording.py"]
    return [(place, ast.parse((HOME / place).read_text())) for place in read]


def inside(*nodes: ast.AST) -> set[int]:
    """Return the identities of nodes and of all that is in them."""
    return {id(child) for node in nodes for child in ast.walk(node)}


def worded(tree: ast.AST) -> list[ast.Call]:
    """Return the calls of option and either."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return [call for call in calls if call.func.id in {"option", "either"}]  # type: ignore[attr-defined]


def test_no_message_has_the_form_of_a_command_alone(modules: Modules) -> None:
    found = []
    for place, tree in modules:
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        bad = [one for one in texts if any(not n.startswith(OF_OTHERS) for n in NAMED.findall(str(one.value)))]
        fine = inside(*worded(tree), *(node for node in ast.walk(tree) if isinstance(node, ast.Expr))) if bad else set()
        found += [f"{place}:{node.lineno}: {node.value!r}" for node in bad if id(node) not in fine]
    assert found == [], "write option('--id-col'), or either('the command', 'the call')"


def test_no_message_is_worded_while_a_module_is_loaded(modules: Modules) -> None:
    """Only when the message is made is it known who reads it."""
    found = []
    for place, tree in modules:
        if calls := worded(tree):
            late = inside(*(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)))
            found += [f"{place}:{call.lineno}" for call in calls if id(call) not in late]
    assert found == []


@cache
def arguments() -> set[str]:
    """Return the arguments of all public functions and classes."""
    public: list[Any] = [getattr(ostinato, name) for name in ostinato.__all__]
    found = {name for one in public if callable(one) for name in inspect.signature(one).parameters}
    fields = {field.name for one in public if dataclasses.is_dataclass(one) for field in dataclasses.fields(one)}
    return found | fields | {*FitFields.__annotations__}


def test_an_option_of_a_message_is_accepted_by_a_command_and_in_python(modules: Modules) -> None:
    calls = [call for _, tree in modules for call in worded(tree) if call.func.id == "option"]  # type: ignore[attr-defined]
    names = {ast.literal_eval(call.args[0]) for call in calls} | IN_PYTHON.keys()
    assert len(names) > 20
    verbs: Any = typer.main.get_command(app)
    taken = {one for verb in verbs.commands.values() for p in verb.params for one in (*p.opts, *p.secondary_opts)}
    assert names <= taken
    for name in names:
        argument, _, value = option(name).partition("=")
        assert argument in arguments(), name
        assert value in {"", "True", "False"}, name


@pytest.mark.parametrize(
    ("name", "value", "command", "python"),
    [
        ("--id-col", None, "--id-col", "id_col="),
        ("--season", 1, "--season 1", "season=1"),
        ("--model", "auto", "--model auto", 'model="auto"'),
        ("--target", "all sales", "--target 'all sales'", 'target="all sales"'),
        ("--target", "매출", "--target '매출'", 'target="매출"'),
        ("--decimal", ",", "--decimal ,", 'decimal=","'),
        ("--month-first", None, "--month-first", "day_first=False"),
        ("--whole", None, "--whole", "per_line=False"),
    ],
)
def test_an_option_has_the_form_of_its_reader(name: str, value: object, command: str, python: str) -> None:
    assert option(name, value) == python
    with for_a_command():
        assert option(name, value) == command
    assert option(name, value) == python


@pytest.mark.parametrize(
    ("table", "command", "python"),
    [
        ("shop,city,y\na,x,1\na,y,2\nb,x,3\nb,y,4\n", "name it with --id-col", "name it with id_col="),
        ("ds,y\n2024-01-01,1\n2024-01-02,??\n", "choose another --target", "choose another target="),
        ("ds,y\n2024-01-01,1\n2024-13-01,2\n", "choose another --time-col", "choose another time_col="),
    ],
)
def test_notes_and_errors_are_for_their_reader(
    table: str, command: str, python: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "table.csv"
    file.write_text(table)
    with pytest.raises(SystemExit):
        main(["inspect", str(file)])
    said = "".join(capsys.readouterr())
    assert command in said
    assert python not in said
    try:
        words = " ".join(ostinato.read(file).notes)
    except ostinato.OstinatoError as error:
        words = str(error)
    assert python in words
    assert "--" not in words
