"""A digest of the code that the weights of a fit follow from: its constants, its rules and their order."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

#: What the weights follow from besides the data and the options: folders and files of the package.
SOURCES = ("data", "emissions", "gradients", "layers", "ops", "training", "assemble.py", "model.py")


def digest_of(package: Path) -> str:
    """Return a hash of the source of the folders and files in ``SOURCES``.

    The text is hashed and not a list of constants, because such a list would miss a constant that is added later, and
    the order of the steps of a refit. An end of line counts as one character, so that a checkout with CRLF agrees.

    Args:
        package: The folder of the package. Of its folders all modules count.
    """
    files = [path for name in SOURCES for path in sorted((package / name).rglob("*.py"))]
    files += [package / name for name in SOURCES if (package / name).is_file()]
    found = hashlib.sha256()
    for path in files:
        text = path.read_bytes().replace(b"\r\n", b"\n")
        found.update(f"{path.relative_to(package).as_posix()} {len(text)}\n".encode() + text)
    return found.hexdigest()


@cache
def rules() -> str:
    """Return the digest of this package. Where its source files are not installed, it is that of no file."""
    return digest_of(Path(__file__).parent.parent)
