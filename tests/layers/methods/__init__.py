"""The methods that torch does not have: one case each, checked alike by ``test_methods.py``.

Every file of this folder that defines ``CASES`` is one family; ``gathered.py`` finds them.
"""
