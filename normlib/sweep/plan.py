"""What a plan is."""

from dataclasses import dataclass

from normlib.errors import NormlibError
from normlib.records import Experiment
from normlib.sweep.ordering import balanced


class PlanError(NormlibError, KeyError):
    """A plan that does not exist."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Plan:
    """A named set of runs, in the order in which they are computed.

    ``probes`` is what it needs measured in every run: a record without their arrays does not serve
    it, and is computed again. They decide no result, so such a run serves other plans as well.
    """

    name: str
    title: str
    experiments: tuple[Experiment, ...]
    probes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "experiments", balanced(self.experiments))
