"""Benchmarks beside peers: layers against ``torch.nn``, our sweep against plain scripts.

`timing` holds the statistics, `result` what is reported, `layers` and `training` the two
benchmarks. Whatever is timed runs in a process of its own (`layer_process`, `engine_process` and
the scripts in ``peers``), so this process imports no framework.
"""

from normlib.bench.result import BenchError, Result

__all__ = ["BenchError", "Result"]
