"""Experiments, their records, and the store of both; imports no framework."""

from normlib.records.choices import ExperimentError
from normlib.records.experiment import PROTOCOL, Experiment
from normlib.records.record import Record
from normlib.records.schema import RecordError
from normlib.records.store import Problem, Store, Stored, StoreError

__all__ = [
    "PROTOCOL",
    "Experiment",
    "ExperimentError",
    "Problem",
    "Record",
    "RecordError",
    "Store",
    "StoreError",
    "Stored",
]
