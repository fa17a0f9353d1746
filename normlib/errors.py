"""The one root of all errors meant for a person."""


class NormlibError(Exception):
    """Something a user can put right; the message says what was wrong and what to do."""
