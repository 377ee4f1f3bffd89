"""Which products to offer together: one problem statement, several solvers, and a bound that trusts none of them."""

import hashlib
from pathlib import Path

import numba

from ml.optimizer import caches

_FOLDER = Path(__file__).parent
_SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_FOLDER.glob("*.py")))).hexdigest()

# Compiled code is cached by the file it stands in; a change of a function that it calls in another file would leave
# stale code in use. So each state of this folder has a cache of its own.
_CACHE = Path(numba.config.CACHE_DIR or _FOLDER / "__pycache__") / f"{caches.PREFIX}{_SOURCES[:12]}"
numba.config.CACHE_DIR = str(_CACHE)
caches.keep(_CACHE)
