"""The fit of one model by several workers of a Ray cluster: Ray Train starts them, each runs ``ostinato.fit``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ostinato.data.read import read
from ostinato.dispatch.fit import fit as fit_here
from ostinato.errors import LostError, OstinatoError
from ostinato.fits.progress import TrainingProgress
from ostinato.fits.result import DirectRung, Fit, Rung, fit_of
from ostinato.model_file import load_model, save_model
from ostinato.scale.cluster import Cluster
from ostinato.scale.progress import ProgressSender, progress_queue
from ostinato.scale.threads import environment
from ostinato.training.workers import current, parted
from ostinato.wording import either, for_a_command, of_a_command

#: The number of times that the workers are restarted, from the last checkpoint, after one of them died.
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
    """Fit one model with several workers, each with its own sequences.

    The losses are those of one process with all the sequences, up to rounding. If a worker dies, all of them start
    again from the last checkpoint. Every worker must see source, output and checkpoint under the same paths.

    Args:
        source: The file or folder with the data.
        output: The model file. During the fit, the checkpoint is in ``options["checkpoint"]`` or in a folder next to
            the model file.
        on: The cluster; 2 workers are used if its number of workers is None.
        reading: The arguments of ``read``.
        on_progress: A function that is called a few times a second with the progress, in another thread.
        on_rung: A function that is called with each finished model of the ladder, in another thread.
        options: The other arguments of ``ostinato.fit``.

    Returns:
        The fit, as ``ostinato.fit`` returns it.

    Raises:
        OstinatoError: As for ``ostinato.fit``.
        LostError: The workers died several times.
    """
    source, output = Path(source).absolute(), Path(output).absolute()
    options["checkpoint"] = str(Path(options.get("checkpoint") or f"{output}.checkpoint").absolute())
    arguments = {"source": str(source), "reading": reading or {}, "options": {**options, "threads": on.threads}}
    with on.joined(), progress_queue(on_progress, on_rung) as queue:
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
            train_loop_config={**arguments, "output": str(output), "queue": queue, "commanded": of_a_command()},
            torch_config=TorchConfig(backend="gloo"),
            scaling_config=scaling,
            run_config=run,
        )
        try:
            result = trainer.fit().return_value
        except (TrainingFailedError, RayError) as error:
            fix = either("run the command again with --resume to continue", "fit with the same checkpoint to continue")
            raise LostError(f"the training workers failed: {error}", where=options["checkpoint"], fix=fix) from error
    if isinstance(result, OstinatoError):
        raise result
    return fit_of(load_model(output), result)


def _work(arguments: dict[str, Any]) -> list[str] | OstinatoError:
    """Fit on one worker and return the notes, or the user's error, which must not be retried. The first one saves."""
    callbacks: dict[str, Any] = {}
    if arguments["queue"] is not None and current().leads:
        sender = ProgressSender(arguments["queue"])
        callbacks = {"on_progress": sender.progress, "on_rung": sender.rung}
    try:
        with for_a_command(arguments["commanded"]), parted():
            result = fit_here(read(arguments["source"], **arguments["reading"]), **callbacks, **arguments["options"])
            if current().leads:
                save_model(result.model, arguments["output"])
    except OstinatoError as error:
        return error
    return list(result.notes)
