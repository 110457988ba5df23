"""Fit a probability model to a file of sequences, then score, forecast and sample with it.

A model factorizes P(x_1..x_T) = prod P(x_t | x_<t): a recurrent network keeps a hidden state, and an emission turns it
into the distribution of the next step. Names are loaded when they are first used, so that ``import ostinato`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostinato import datasets as datasets
    from ostinato import nn as nn
    from ostinato import scale as scale
    from ostinato.classification.fit import ClassifierFit as ClassifierFit
    from ostinato.classification.fit import fit_classifier as fit_classifier
    from ostinato.classification.judgement import Judgement as Judgement
    from ostinato.classification.model import Classifier as Classifier
    from ostinato.classification.model import load_classifier as load_classifier
    from ostinato.classification.verb import Classification as Classification
    from ostinato.classification.verb import classify as classify
    from ostinato.compression.verbs import compress as compress
    from ostinato.compression.verbs import decompress as decompress
    from ostinato.data.append import update as update
    from ostinato.data.read import read as read
    from ostinato.data.sequences import SequenceSet as SequenceSet
    from ostinato.description import Description as Description
    from ostinato.diagnosis.diagnose import diagnose as diagnose
    from ostinato.diagnosis.result import Diagnosis as Diagnosis
    from ostinato.direct.model import DirectModel as DirectModel
    from ostinato.direct_fit.options import DirectOptions as DirectOptions
    from ostinato.dispatch.fit import fit as fit
    from ostinato.dispatch.forecast import forecast as forecast
    from ostinato.errors import ConfigError as ConfigError
    from ostinato.errors import DataError as DataError
    from ostinato.errors import LostError as LostError
    from ostinato.errors import ModelFileError as ModelFileError
    from ostinato.errors import NonFiniteLossError as NonFiniteLossError
    from ostinato.errors import OstinatoError as OstinatoError
    from ostinato.errors import WriteError as WriteError
    from ostinato.evaluation.backtest import Backtest as Backtest
    from ostinato.evaluation.backtest import cross_validation as backtest
    from ostinato.evaluation.backtest import cross_validation as cross_validation
    from ostinato.export.verb import Exported as Exported
    from ostinato.export.verb import export_onnx as export_onnx
    from ostinato.fits.budget import Budget as Budget
    from ostinato.fits.progress import TrainingProgress as TrainingProgress
    from ostinato.fits.result import Fit as Fit
    from ostinato.forecasting.table import Forecast as Forecast
    from ostinato.gradients.methods import AdaptiveBPTT as AdaptiveBPTT
    from ostinato.gradients.methods import CheckpointedBPTT as CheckpointedBPTT
    from ostinato.gradients.methods import FullBPTT as FullBPTT
    from ostinato.gradients.methods import TruncatedBPTT as TruncatedBPTT
    from ostinato.inference.alarm import AlarmThreshold as AlarmThreshold
    from ostinato.inference.alarm_verb import alarm_rule as alarm_rule
    from ostinato.inference.describe import describe_model as describe_model
    from ostinato.inference.describe import describe_model as inspect_model
    from ostinato.inference.monitor import Monitor as Monitor
    from ostinato.inference.monitor import Reading as Reading
    from ostinato.inference.sample import sample as sample
    from ostinato.inference.score import score as score
    from ostinato.inference.scores import Scores as Scores
    from ostinato.inference.stream import Seen as Seen
    from ostinato.inference.stream import Stream as Stream
    from ostinato.kinds import KindTraits as KindTraits
    from ostinato.layers.autoregression import fit_ar as fit_ar
    from ostinato.model import SequenceModel as SequenceModel
    from ostinato.model_file import load_model as load_model
    from ostinato.model_file import save_model as save_model
    from ostinato.record import DirectRung as DirectRung
    from ostinato.record import Rung as Rung
    from ostinato.record import Trial as Trial
    from ostinato.report.page import write_report as write_report
    from ostinato.training.config import Config as Config
    from ostinato.training.config import LadderOptions as LadderOptions

from ostinato._version import __version__ as __version__

#: The public names, with the module that each one is in.
_HOMES = {
    "AdaptiveBPTT": "gradients.methods",
    "AlarmThreshold": "inference.alarm",
    "Backtest": "evaluation.backtest",
    "Budget": "fits.budget",
    "CheckpointedBPTT": "gradients.methods",
    "Classification": "classification.verb",
    "Classifier": "classification.model",
    "ClassifierFit": "classification.fit",
    "ConfigError": "errors",
    "DataError": "errors",
    "Description": "description",
    "Diagnosis": "diagnosis.result",
    "DirectModel": "direct.model",
    "DirectOptions": "direct_fit.options",
    "DirectRung": "record",
    "Exported": "export.verb",
    "Fit": "fits.result",
    "Forecast": "forecasting.table",
    "FullBPTT": "gradients.methods",
    "Judgement": "classification.judgement",
    "KindTraits": "kinds",
    "LadderOptions": "training.config",
    "LostError": "errors",
    "ModelFileError": "errors",
    "Monitor": "inference.monitor",
    "NonFiniteLossError": "errors",
    "OstinatoError": "errors",
    "Reading": "inference.monitor",
    "Rung": "record",
    "Scores": "inference.scores",
    "Seen": "inference.stream",
    "SequenceModel": "model",
    "SequenceSet": "data.sequences",
    "Stream": "inference.stream",
    "TrainingProgress": "fits.progress",
    "Trial": "record",
    "TruncatedBPTT": "gradients.methods",
    "WriteError": "errors",
    "alarm_rule": "inference.alarm_verb",
    "classify": "classification.verb",
    "compress": "compression.verbs",
    "cross_validation": "evaluation.backtest",
    "decompress": "compression.verbs",
    "describe_model": "inference.describe",
    "diagnose": "diagnosis.diagnose",
    "export_onnx": "export.verb",
    "fit": "dispatch.fit",
    "fit_ar": "layers.autoregression",
    "fit_classifier": "classification.fit",
    "forecast": "dispatch.forecast",
    "load_classifier": "classification.model",
    "load_model": "model_file",
    "read": "data.read",
    "sample": "inference.sample",
    "save_model": "model_file",
    "score": "inference.score",
    "update": "data.append",
    "write_report": "report.page",
}

#: The second names of functions and classes, with the first name of each.
_ALIASES = {"Config": "LadderOptions", "backtest": "cross_validation", "inspect_model": "describe_model"}

_PACKAGES = ("datasets", "nn", "scale")

__all__ = [
    "AdaptiveBPTT",
    "AlarmThreshold",
    "Backtest",
    "Budget",
    "CheckpointedBPTT",
    "Classification",
    "Classifier",
    "ClassifierFit",
    "Config",
    "ConfigError",
    "DataError",
    "Description",
    "Diagnosis",
    "DirectModel",
    "DirectOptions",
    "DirectRung",
    "Exported",
    "Fit",
    "Forecast",
    "FullBPTT",
    "Judgement",
    "KindTraits",
    "LadderOptions",
    "LostError",
    "ModelFileError",
    "Monitor",
    "NonFiniteLossError",
    "OstinatoError",
    "Reading",
    "Rung",
    "Scores",
    "Seen",
    "SequenceModel",
    "SequenceSet",
    "Stream",
    "TrainingProgress",
    "Trial",
    "TruncatedBPTT",
    "WriteError",
    "__version__",
    "alarm_rule",
    "backtest",
    "classify",
    "compress",
    "cross_validation",
    "datasets",
    "decompress",
    "describe_model",
    "diagnose",
    "export_onnx",
    "fit",
    "fit_ar",
    "fit_classifier",
    "forecast",
    "inspect_model",
    "load_classifier",
    "load_model",
    "nn",
    "read",
    "sample",
    "save_model",
    "scale",
    "score",
    "update",
    "write_report",
]


def __getattr__(name: str) -> Any:
    value: Any
    if name in _PACKAGES:
        value = import_module(f"ostinato.{name}")
    elif name in _ALIASES:
        value = __getattr__(_ALIASES[name])
    elif name in _HOMES:
        value = getattr(import_module(f"ostinato.{_HOMES[name]}"), name)
    else:
        raise _no_name(name)
    globals()[name] = value
    return value


def _no_name(name: str) -> AttributeError:
    """Return the error about a name that the package does not have, with the one that was probably meant."""
    from ostinato.choices import nearest  # here, because it is needed for an error alone

    meant = None if name.startswith("_") else nearest(name, sorted(__all__, key=len))
    said = "" if meant is None else f"; did you mean {meant!r}?"
    return AttributeError(f"module 'ostinato' has no attribute {name!r}{said}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
