"""Settings of every test."""

from hypothesis import settings

# No deadline: on two cores that run other tests too, a slow example says nothing about the code.
# Derandomized: `make test` passes or fails the same way twice; explore with
# `--hypothesis-profile=explore`.
settings.register_profile("steady", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("steady")
