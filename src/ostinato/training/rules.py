"""A digest of the code that the weights of a fit follow from: its constants, its rules and their order."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

#: What the weights follow from, beside the data and the options: rooms and files of the package.
ROOMS = ("data", "emissions", "gradients", "layers", "ops", "training", "assemble.py", "model.py")


def digest_of(package: Path, rooms: tuple[str, ...] = ROOMS) -> str:
    """Return a hash of the source of some rooms and files of a package.

    The text is hashed and not a list of constants, because a list forgets the next constant, and the order of the steps
    of a refit is none. Ends of lines count as one character, so that each way of checking the source out agrees.

    Args:
        package: The folder of the package.
        rooms: The names of folders, of which all modules count, and of files within it.
    """
    files = [path for room in rooms for path in sorted((package / room).rglob("*.py"))]
    files += [package / room for room in rooms if (package / room).is_file()]
    found = hashlib.sha256()
    for path in files:
        text = path.read_bytes().replace(b"\r\n", b"\n")
        found.update(f"{path.relative_to(package).as_posix()} {len(text)}\n".encode() + text)
    return found.hexdigest()


@cache
def rules() -> str:
    """Return the digest of this package. An installation without its source has that of no file, for every release."""
    return digest_of(Path(__file__).parent.parent)
