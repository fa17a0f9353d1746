"""Which fields of an experiment have a meaning beside each other."""

from typing import TYPE_CHECKING

from normlib.records.choices import (
    COLOR_DATASETS,
    INITIALIZATIONS,
    RESNETS,
    STARTED_AS,
    WITH_GROUPS,
    WITHIN_CHANNELS,
    WITHOUT_EPS,
    ExperimentError,
)

if TYPE_CHECKING:
    from normlib.records.experiment import Experiment

RESNET_CHANNELS = 64
"""Of a ResNet's first norm; those of all others are multiples."""


def check(experiment: "Experiment") -> None:
    """Raise ExperimentError if a field has no meaning, or a value none, beside the others."""
    _check_norm(experiment)
    _check_model(experiment)
    _check_initialization(experiment)
    if experiment.optimizer != "sgd":
        _leave_out(experiment, ("momentum",), "optimizer")
    if experiment.train_size is not None and experiment.batch_size > experiment.train_size:
        raise ExperimentError(
            f"batch_size={experiment.batch_size} exceeds train_size={experiment.train_size}; "
            "choose a smaller batch"
        )


def _check_norm(experiment: "Experiment") -> None:
    norm, groups = experiment.norm, experiment.norm_groups
    method = norm.rpartition(":")[2]
    if experiment.norm_eps is not None and method in WITHOUT_EPS:
        raise ExperimentError(
            f"norm_eps={experiment.norm_eps!r} has no meaning for norm={norm!r}; leave it out"
        )
    if groups is None:
        return
    if method not in WITH_GROUPS:
        raise ExperimentError(
            f"norm_groups={groups} has no meaning for norm={norm!r}; "
            f"leave it out or choose one of {', '.join(WITH_GROUPS)}"
        )
    if experiment.model in RESNETS and RESNET_CHANNELS % groups:
        raise ExperimentError(
            f"norm_groups={groups} does not divide the {RESNET_CHANNELS} channels of the first "
            f"norm of model={experiment.model!r}; choose a divisor"
        )
    counted = "hidden" if experiment.model == "mlp" else "width"
    if experiment.model not in RESNETS and getattr(experiment, counted) % groups:
        raise ExperimentError(
            f"norm_groups={groups} does not divide {counted}={getattr(experiment, counted)}; "
            "choose a divisor"
        )


def _check_model(experiment: "Experiment") -> None:
    model = experiment.model
    if model != "cnn" and experiment.framework == "tensorflow":
        raise ExperimentError(
            f"norm={experiment.norm!r} is trained with model='cnn' only, not {model!r}; "
            "choose model='cnn', or one of normlib's or torch's norms"
        )
    one_position = model in RESNETS or model == "mlp"
    if one_position and experiment.norm.rpartition(":")[2] in WITHIN_CHANNELS:
        raise ExperimentError(
            f"norm={experiment.norm!r} has nothing to normalize where model={model!r} has one "
            "position left; choose another norm"
        )
    if model == "mlp":
        _leave_out(experiment, ("width",), "model")
    if model not in RESNETS:
        return
    if experiment.dataset not in COLOR_DATASETS:
        raise ExperimentError(
            f"dataset={experiment.dataset!r} has no images of three channels, which "
            f"model={model!r} takes; choose one of {', '.join(COLOR_DATASETS)}"
        )
    _leave_out(experiment, ("width", "hidden"), "model")


def _check_initialization(experiment: "Experiment") -> None:
    model, initialization = experiment.model, experiment.initialization
    known = INITIALIZATIONS[model]
    if initialization not in known:
        raise ExperimentError(
            f"initialization={initialization!r} is not known for model={model!r}; "
            f"choose {' or '.join(known)}"
        )
    norms = STARTED_AS.get(initialization, (experiment.norm,))
    if experiment.norm not in norms:
        raise ExperimentError(
            f"initialization={initialization!r} is no start for norm={experiment.norm!r}; "
            f"choose norm={' or '.join(map(repr, norms))}"
        )


def _leave_out(experiment: "Experiment", fields: tuple[str, ...], why: str) -> None:
    changed = experiment.changes()
    for field in fields:
        if field in changed:
            raise ExperimentError(
                f"{field}={getattr(experiment, field)!r} has no meaning for "
                f"{why}={getattr(experiment, why)!r}; leave it out"
            )
