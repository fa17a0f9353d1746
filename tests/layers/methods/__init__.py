"""Every method of the catalogue beside a formula in NumPy: ``python -m tests.layers.methods``.

Every file of this folder that defines ``CASES`` is one family of the methods that torch does not
have; ``gathered.py`` finds them, and ``test_methods.py`` checks them all alike. The methods that
torch has are cases in ``core.py``, those on weights in ``weights.py``, and what is neither in
``training.py``.
"""
