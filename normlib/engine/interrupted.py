"""What a stopped run raises."""

from normlib.errors import NormlibError
from normlib.records import Experiment


class Interrupted(NormlibError):  # noqa: N818 - a stop that was asked for is no error
    """The run was asked to stop; its checkpoint lets it go on with the result it would have had."""


def after(epoch: int, experiment: Experiment) -> Interrupted:
    """Return what a run raises that is stopped after ``epoch``."""
    return Interrupted(
        f"{experiment.name} stopped after epoch {epoch} of {experiment.epochs}; "
        "run it again to go on from there"
    )
