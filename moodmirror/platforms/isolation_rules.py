"""How the server starts a decoder process, as each system's `isolation_rules()` returns it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# None of the server's environment, which holds secrets; one thread for numerical libraries, which decoding does not use.
ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": os.defpath,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class IsolationRules:
    """How to start a decoder process: its `environment`, further `options` of Popen, and which protections are `missing`."""

    environment: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
