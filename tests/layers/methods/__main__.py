"""``python -m tests.layers.methods``: every method beside its NumPy formula, as a table."""

from tests.layers.methods.gathered import CASES
from tests.layers.methods.worst import rows, table

print(table(rows(CASES)))
