"""Regular expressions, compiled when they are first used.

A module that compiles its patterns at import makes every start pay for them: a command or a
function at its cold start uses a few of more than a hundred.
"""

from __future__ import annotations

import re
from functools import cache


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The compiled pattern. Call it only with constants, because the cache is not bounded."""
    return re.compile(pattern)
