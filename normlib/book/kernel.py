"""Runs in a process of its own: execute one notebook with papermill.

``python -m normlib.book.kernel INPUT OUTPUT PARAMETERS SECONDS FOLDER``: PARAMETERS is JSON that
``normlib.book.parameters`` has validated, SECONDS the limit of one cell, FOLDER where cells run.
Exit codes: 0 done, 1 a cell failed, 3 no kernel came up.
"""

import json
import sys

CELL_FAILED = 1
NO_KERNEL = 3


def main(source: str, target: str, parameters: str, seconds: str, folder: str) -> int:
    """Execute ``source`` into ``target`` and return the exit code."""
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    try:
        execute_notebook(
            source,
            target,
            json.loads(parameters),
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
            cwd=folder,
            start_timeout=60,
            execution_timeout=int(seconds),
        )
    except PapermillExecutionError as error:
        print(f"cell {error.cell_index + 1}: {error.ename}: {error.evalue}", file=sys.stderr)
        return CELL_FAILED
    except RuntimeError as error:
        # jupyter_client's words for a kernel that died or was silent before its first reply
        if "Kernel died before replying" in str(error) or "didn't respond" in str(error):
            print(error, file=sys.stderr)
            return NO_KERNEL
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
