"""The same training as a person would write it: plain scripts, each run in its own process.

They import nothing of normlib and get its numbers as arguments. Each takes a ``.npz`` with
``images`` (uint8, ``(N, 28, 28)``; for ResNets ``(N, 3, 32, 32)``) and ``labels``, trains for
``--warmup`` batches, prints ``warm`` and waits for a line, since two scripts side by side are to be
timed together. Then it trains for ``--steps`` batches and prints ``{"stamps": [...]}``: the times
at which those ended.
"""
