"""The rules that come with cascan: rules/*.yaml beside this file, so that every function's zip
holds them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from cascan.forms.document import read_document

FOLDER = Path(__file__).parent / "rules"


@cache
def read_bundled_rules() -> dict[str, dict[str, Any]]:
    """Each rule's manifest by the rule's name.

    They are not checked here: a test reads each one as a rule.
    """
    documents = (read_document(path.read_text()) for path in sorted(FOLDER.glob("*.yaml")))
    return {document["metadata"]["name"]: document for document in documents}
