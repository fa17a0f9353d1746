"""The same training as a person would write it: plain scripts, each run in its own process.

They import nothing of normlib and get its numbers as arguments. Each takes a ``.npz`` with
``images`` (uint8, ``(N, 28, 28)``) and ``labels``, trains for ``--warmup`` and ``--steps`` batches
and prints ``{"stamps": [...]}``: the times at which steps after the warm-up ended.
"""
