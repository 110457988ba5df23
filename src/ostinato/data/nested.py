"""Objects within objects of JSON, as one object."""

from __future__ import annotations

from typing import Any


def flat(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object whose fields are not objects: a field of an object within it is named ``room.temperature``.

    An object without fields stays as it is, so that its field is not lost.

    Args:
        item: The object.

    Returns:
        The fields in their order.

    Raises:
        ValueError: Two fields get the same name.
    """
    if not any(isinstance(value, dict) for value in item.values()):
        return item
    out: dict[str, Any] = {}
    for key, value in item.items():
        deep = isinstance(value, dict) and bool(value)
        inner = {f"{key}.{name}": one for name, one in flat(value).items()} if deep else {key: value}
        twice = next((name for name in inner if name in out), None)
        if twice is not None:
            raise ValueError(f"two fields have the name {twice!r}")
        out |= inner
    return out
