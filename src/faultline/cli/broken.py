"""An import that failed in, what is wrong with the installation and what to do about it on stderr out.

Only the standard library is used: anything else may be what is missing.
"""

from __future__ import annotations

import json
import sys

from faultline.cli.checks.installation import check_dependencies
from faultline.cli.checks.outcome import State
from faultline.errors import ConfigError

__all__ = ("explain",)


def explain(failure: ImportError, *, as_json: bool) -> int:
    """Print one error, and say everything that is missing rather than the first; returns the exit code."""
    outcome = check_dependencies()
    if outcome.state is not State.FAIL:
        # Every dependency loads: the fault is in the package itself, and its traceback is what helps.
        raise failure
    error = ConfigError(
        f"Faultline cannot start: {outcome.found}", where=sys.prefix, hint=outcome.fix
    ).as_dict()
    if as_json:
        print(json.dumps({"error": error}), file=sys.stderr)  # noqa: T201 - there may be no console library
    else:
        for word, text in (("error", error["message"]), ("where", error["where"]), ("hint", error["hint"])):
            print(f"{word}: {text}", file=sys.stderr)  # noqa: T201 - the same
    return 1
