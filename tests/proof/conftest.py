"""`proof` is a folder of scripts at the root, not installed: make it importable however pytest was started."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
