"""A digest of the code that the weights of a fit follow from: its constants, its rules and their order."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

#: What the weights follow from, beside the data and the options: folders and files of the package.
SOURCES = ("data", "emissions", "gradients", "layers", "ops", "training", "assemble.py", "model.py")


def digest_of(package: Path, sources: tuple[str, ...] = SOURCES) -> str:
    """Return a hash of the source of some folders and files of a package.

    The text is hashed and not a list of constants, because such a list would miss a constant that is added later, and
    the order of the steps of a refit. An end of line counts as one character, so that a checkout with CRLF agrees.

    Args:
        package: The folder of the package.
        sources: The names of folders, of which all modules count, and of files within it.
    """
    files = [path for name in sources for path in sorted((package / name).rglob("*.py"))]
    files += [package / name for name in sources if (package / name).is_file()]
    found = hashlib.sha256()
    for path in files:
        text = path.read_bytes().replace(b"\r\n", b"\n")
        found.update(f"{path.relative_to(package).as_posix()} {len(text)}\n".encode() + text)
    return found.hexdigest()


@cache
def rules() -> str:
    """Return the digest of this package. Where its source files are not installed, it is that of no file."""
    return digest_of(Path(__file__).parent.parent)
