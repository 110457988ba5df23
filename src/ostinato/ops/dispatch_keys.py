"""The dispatch keys of tensors and of threads: what torch keeps apart from their bytes, to be compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

#: Whether two sets of keys are compared by what is in them. An older torch, such as 2.7, asks whether they are one
#: object, which they never are; there the number of a set stands for it.
_COMPARED: Final = torch._C.DispatchKeySet.__eq__ is not object.__eq__

#: Returns the dispatch keys of a tensor.
keys_of: Final[Callable[[Tensor], Any]] = (
    torch._C._dispatch_keys if _COMPARED else lambda tensor: torch._C._dispatch_keys(tensor).raw_repr()
)
#: Returns the dispatch keys that this thread adds to those of tensors.
included: Final[Callable[[], Any]] = (
    torch._C._dispatch_tls_local_include_set
    if _COMPARED
    else lambda: torch._C._dispatch_tls_local_include_set().raw_repr()
)
