"""Whether `torch.compile` can be timed here: on a CPU it needs a C++ compiler."""

import shutil


def found() -> bool:
    """Return whether there is one."""
    return any(map(shutil.which, ("g++", "clang++")))
