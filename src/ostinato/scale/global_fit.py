"""One model trained by several workers of a Ray cluster: Ray Train starts them, and ``ostinato.fit`` does the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ostinato.errors import LostError, OstinatoError
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.result import DirectRung, Fit, Rung, fit_of
from ostinato.fitting import fit as fit_here
from ostinato.model_file import load_model, save_model
from ostinato.scale.cluster import Cluster
from ostinato.scale.progress import Teller, shown
from ostinato.scale.threads import environment
from ostinato.training.workers import current, parted

#: Times that the workers are started again after one of them died; they go on from the last checkpoint.
RESTARTS = 10


def fit(
    source: str | Path,
    output: str | Path,
    *,
    on: Cluster,
    reading: dict[str, Any] | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_rung: Callable[[Rung | DirectRung], None] | None = None,
    **options: Any,
) -> Fit:
    """``ostinato.fit`` of a file or folder by ``on.workers`` workers (2 if that is None), each with whole rows.

    output   the model file; beside it, while the fit goes on, is the checkpoint, as ``options["checkpoint"]`` says or
             in output.checkpoint. Every worker must see source, output and checkpoint under the same paths
    reading  arguments of ``read``; options: those of ``ostinato.fit``. Of on_progress a few events a second come here,
             and in another thread

    The losses are those of one process with all the rows, but for rounding. A worker that dies takes the others along;
    they begin again from the last checkpoint.

    Raises what ``ostinato.fit`` raises, and LostError where the workers die over and over.
    """
    source, output = Path(source).absolute(), Path(output).absolute()
    options["checkpoint"] = str(Path(options.get("checkpoint") or f"{output}.checkpoint").absolute())
    asked = {"source": str(source), "reading": reading or {}, "options": {**options, "threads": on.threads}}
    with on.joined(), shown(on_progress, on_rung) as queue:
        from ray.exceptions import RayError
        from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
        from ray.train.torch import TorchConfig, TorchTrainer

        scaling = ScalingConfig(num_workers=on.workers or 2, resources_per_worker={"CPU": on.threads})
        run = RunConfig(
            storage_path=f"{options['checkpoint']}/ray",
            failure_config=FailureConfig(max_failures=RESTARTS),
            worker_runtime_env={"env_vars": environment(on.threads)},
        )
        trainer = TorchTrainer(
            _work,
            train_loop_config={**asked, "output": str(output), "queue": queue},
            torch_config=TorchConfig(backend="gloo"),
            scaling_config=scaling,
            run_config=run,
        )
        try:
            told = trainer.fit().return_value
        except (TrainingFailedError, RayError) as error:
            fix = "run it again with --resume, or the same checkpoint: it goes on from there"
            raise LostError(f"the workers died: {error}", where=options["checkpoint"], fix=fix) from error
    if isinstance(told, OstinatoError):
        raise told
    return fit_of(load_model(output), told)


def _work(asked: dict[str, Any]) -> list[str] | OstinatoError:
    """What every worker does: notes, and the first one writes the model. A mistake is given back, not tried again."""
    from ostinato.data.read import read

    told: dict[str, Any] = {}
    if asked["queue"] is not None and current().leads:
        teller = Teller(asked["queue"])
        told = {"on_progress": teller.progress, "on_rung": teller.rung}
    try:
        with parted():
            found = fit_here(read(asked["source"], **asked["reading"]), **told, **asked["options"])
            if current().leads:
                save_model(found.model, asked["output"])
    except OstinatoError as error:
        return error
    return list(found.notes)
