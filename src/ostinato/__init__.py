"""ostinato: a file of sequences in, an honest probability model out.

P(x_1..x_T) = prod P(x_t | x_<t), as a recurrence (what is remembered) and an emission (what distribution is asserted).
Names are loaded when they are first used, so that importing the package is quick and opens nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostinato.data.append import update as update
    from ostinato.data.read import read as read
    from ostinato.data.sequences import SequenceSet as SequenceSet
    from ostinato.diagnosis.diagnose import diagnose as diagnose
    from ostinato.diagnosis.result import Diagnosis as Diagnosis
    from ostinato.direct.model import DirectModel as DirectModel
    from ostinato.direct_fit.options import DirectOptions as DirectOptions
    from ostinato.errors import ConfigError as ConfigError
    from ostinato.errors import DataError as DataError
    from ostinato.errors import LostError as LostError
    from ostinato.errors import ModelFileError as ModelFileError
    from ostinato.errors import NonFiniteLossError as NonFiniteLossError
    from ostinato.errors import OstinatoError as OstinatoError
    from ostinato.errors import WriteError as WriteError
    from ostinato.evaluation.backtest import cross_validation as cross_validation
    from ostinato.fits.budget import Budget as Budget
    from ostinato.fits.result import Fit as Fit
    from ostinato.fitting import fit as fit
    from ostinato.gradients.methods import AdaptiveBPTT as AdaptiveBPTT
    from ostinato.gradients.methods import CheckpointedBPTT as CheckpointedBPTT
    from ostinato.gradients.methods import FullBPTT as FullBPTT
    from ostinato.gradients.methods import TruncatedBPTT as TruncatedBPTT
    from ostinato.inference.describe import describe_model as describe_model
    from ostinato.inference.forecast import forecast as forecast
    from ostinato.inference.sample import sample as sample
    from ostinato.inference.score import score as score
    from ostinato.inference.stream import Stream as Stream
    from ostinato.layers.autoregression import fit_ar as fit_ar
    from ostinato.model import SequenceModel as SequenceModel
    from ostinato.model_file import load_model as load_model
    from ostinato.model_file import save_model as save_model
    from ostinato.report.page import write_report as write_report
    from ostinato.training.config import LadderOptions as LadderOptions

from ostinato._version import __version__ as __version__

_HOMES = {
    "AdaptiveBPTT": "gradients.methods",
    "Budget": "fits.budget",
    "CheckpointedBPTT": "gradients.methods",
    "ConfigError": "errors",
    "DataError": "errors",
    "Diagnosis": "diagnosis.result",
    "DirectModel": "direct.model",
    "DirectOptions": "direct_fit.options",
    "Fit": "fits.result",
    "FullBPTT": "gradients.methods",
    "LadderOptions": "training.config",
    "LostError": "errors",
    "ModelFileError": "errors",
    "NonFiniteLossError": "errors",
    "OstinatoError": "errors",
    "SequenceModel": "model",
    "SequenceSet": "data.sequences",
    "Stream": "inference.stream",
    "TruncatedBPTT": "gradients.methods",
    "WriteError": "errors",
    "cross_validation": "evaluation.backtest",
    "describe_model": "inference.describe",
    "diagnose": "diagnosis.diagnose",
    "fit": "fitting",
    "fit_ar": "layers.autoregression",
    "forecast": "inference.forecast",
    "load_model": "model_file",
    "read": "data.read",
    "sample": "inference.sample",
    "save_model": "model_file",
    "score": "inference.score",
    "update": "data.append",
    "write_report": "report.page",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ostinato' has no attribute {name!r}")
    value = getattr(import_module(f"ostinato.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
