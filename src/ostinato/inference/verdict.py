"""A diagnosis in a sentence: what the model can use, what the data reward, and what to do about the difference."""

from __future__ import annotations

import math

#: Memories whose gradient need not vanish: what they lack is a window, or training.
LASTING = ("lstm", "linear")


def verdict(
    memory: str,
    *,
    farthest: int,
    window: int | None,
    order: int,
    effective: int | None,
    lyapunov: float | None,
    model_reach: int,
    data_reach: int,
) -> str:
    """In words. See Diagnosis for the numbers; order: that of the closed form under the memory; farthest: K."""
    rewarded = max(data_reach, model_reach)
    if window is not None:
        seen = "nothing" if not window else "lag 1" if window == 1 else f"lags 1 to {window}"
        what = f"the {'closed form' if memory == 'ar' else 'convolution'} sees {seen} and no farther"
        able = window
    elif effective is not None:
        what, able = f"gradients vanish by lag {effective}", max(effective, order)
    else:
        growing = lyapunov is not None and lyapunov > 0
        what, able = f"gradients {'grow with the lag' if growing else f'still come back at lag {farthest}'}", farthest
    gained = f"the model gains from inputs up to lag {model_reach}" if model_reach else "no input brings the model much"
    asked = f"the data reward lag {rewarded}" if rewarded else "the data reward no lag"
    end = ", the farthest looked at" if rewarded == farthest else ""
    return f"{what}; {gained}; {asked}{end}: {_advice(memory, able, rewarded, model_reach)}"


def _advice(memory: str, able: int, rewarded: int, model_reach: int) -> str:
    if not rewarded:
        return "a constant distribution does as well as a memory"
    if rewarded > able:
        match memory:
            case "ar":
                return f"raise the order to {rewarded} (--max-order {rewarded}), or use a memory without a window"
            case "conv":
                return f"use {layers_for(rewarded)} layers (--depth {layers_for(rewarded)})"
            case _ if memory in LASTING:
                return f"train with a window of at least {rewarded}"
            case _:
                return f"use LSTM, or a window of at least {rewarded}"
    if rewarded > 1.5 * model_reach and rewarded - model_reach > 2:
        # the state could carry it, and does not
        return "fit its order anew" if memory == "ar" else f"train longer, with a window of at least {rewarded}"
    return "it looks back far enough"


def layers_for(lag: int) -> int:
    """Layers of a convolution of kernel 2 with doubling dilation that see so far: together they see 2^layers steps."""
    return max(1, math.ceil(math.log2(max(lag, 1))))
