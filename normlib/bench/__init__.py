"""Benchmarks beside peers: layers against ``torch.nn``, our sweep against plain scripts.

The six parts are `layers`, `methods`, `training`, `two_layers`, `resnets` and `replicas`; `timing`
holds the statistics and `result` what is reported. Whatever is timed runs in a process of its own:
one of the modules named ``*_process``, or a script of ``peers``.
"""

from normlib.bench.result import BenchError, Result

__all__ = ["BenchError", "Result"]
