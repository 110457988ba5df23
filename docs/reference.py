"""A Sphinx extension that writes the lists of all options and of all error messages, from the source of the package.

``{options}`` lists the options of every command, as typer defines them. ``{messages}`` lists the texts of errors: it
reads every ``raise`` of an error of ostinato in the source, and shows the parts of a message that vary as expressions
in angle quotes. Both come from the source alone, so the pages cannot fall behind the program.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import ostinato
from ostinato import errors
from ostinato.cli.main import app

SOURCE = Path(ostinato.__file__).parent
ERRORS = {name for name in vars(errors) if name.endswith("Error")}


class Option(NamedTuple):
    """An option or argument of a command: its spellings, and what it does."""

    names: str
    help: str


class Message(NamedTuple):
    """An error in the source: its subpackage, its class, what it says, and how to correct it."""

    package: str
    error: str
    what: str
    fix: str


def options() -> dict[str, list[Option]]:
    """Return the options of every command that the help shows."""
    group: Any = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        if command.hidden:
            continue
        found[name] = [
            Option(
                ", ".join([*p.opts, *p.secondary_opts]),
                " ".join((getattr(p, "help", "") or "").split()),
            )
            for p in command.params
            if not getattr(p, "hidden", False)
        ]
    return found


def _words(node: ast.expr) -> str:
    """Return the text of an expression; what is computed stands in angle quotes."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_words, node.values))
    if isinstance(node, ast.FormattedValue):
        return _hole(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _words(node.left) + _words(node.right)
    if isinstance(node, ast.IfExp):
        return f"{_words(node.body)} | {_words(node.orelse)}"
    return _hole(node)


def _hole(node: ast.expr) -> str:
    """Return what stands where a message varies: a name in angle quotes, as near to a word as the source allows."""
    match node:
        case ast.Constant() | ast.JoinedStr() | ast.BinOp(op=ast.Add()) | ast.IfExp():
            return _words(node)
        case ast.Call(func=ast.Name(id="counted"), args=[_, one, *many]):
            return f"‹number› {_words(many[0]) if many else f'{_words(one)}s'}"
        case ast.Call(func=ast.Name(id="option" | "either" as form), args=words):
            return (" " if form == "option" else " | ").join(map(_words, words))
        case ast.Call(func=ast.Name(id="advice")):
            return "‹the nearest right name›"
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return f"‹{name.strip('_').replace('_', ' ')}›"
    inner = _named(node)
    return "‹...›" if inner is None else _hole(inner)


def _named(node: ast.expr) -> ast.expr | None:
    """Return the part of an expression that has its name: ``ids`` of ``", ".join(ids[:5])``."""
    match node:
        case (
            ast.Call(func=ast.Attribute(attr="join") | ast.Name(), args=[inner, *_])
            | ast.Call(func=ast.Attribute(value=inner))
        ):
            return inner
        case ast.Subscript(value=inner) | ast.Starred(value=inner):
            return inner
        case ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner):
            return inner
        case ast.BinOp(left=inner) if not isinstance(inner, ast.Constant):
            return inner
    return None


def messages() -> list[Message]:
    """Return every error that the source makes with a text of its own, by subpackage."""

    def calls(path: Path) -> Iterator[Message]:
        package = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            words = {k.arg: _words(k.value) for k in node.keywords}
            if node.func.id == "unknown" and len(node.args) > 1:
                # choices.unknown makes the error about a name that does not exist
                what = f"unknown {_words(node.args[0])} {_words(node.args[1])} {words.get('place', '')}"
                error = words.get("error", "‹ConfigError›").strip("‹›")
                yield Message(
                    package, error, what.strip(), "use one of the names that exist"
                )
            elif node.func.id in ERRORS:
                what = _words(node.args[0]) if node.args else ""
                fix = words.get("fix", "")
                if any(
                    character.isalpha()
                    for character in what.split("‹")[0] + what.split("›")[-1]
                ):
                    yield Message(package, node.func.id, what, fix)

    return [message for path in sorted(SOURCE.rglob("*.py")) for message in calls(path)]


def _section(title: str, entries: list[tuple[nodes.Node, str]]) -> nodes.section:
    """Return a section with a list of terms and their explanations."""
    rows = nodes.definition_list()
    for term, text in entries:
        meaning = nodes.definition("", nodes.paragraph("", text))
        rows += nodes.definition_list_item("", nodes.term("", "", term), meaning)
    name = nodes.make_id(title)
    return nodes.section("", nodes.title("", title), rows, ids=[name], names=[name])


class Options(SphinxDirective):
    """The directive that lists the options of every command."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each command."""
        return [
            _section(
                f"ostinato {verb}",
                [(nodes.literal("", o.names), o.help) for o in found],
            )
            for verb, found in options().items()
        ]


class Messages(SphinxDirective):
    """The directive that lists the error messages."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each subpackage."""
        packages: dict[str, list[tuple[nodes.Node, str]]] = {}
        for m in dict.fromkeys(messages()):
            packages.setdefault(m.package, []).append(
                (nodes.inline("", m.what), f"{m.error}. {m.fix}".strip())
            )
        return [_section(package, found) for package, found in packages.items()]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension; Sphinx calls this function."""
    app.add_directive("options", Options)
    app.add_directive("messages", Messages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
