"""The reference store is a store: what tests of the loops prove on it means something on any other."""

from __future__ import annotations

import pytest

from reference_data import Data
from reference_store import ReferenceStore
from stores.conformance import StoreConformance
from stores.samples import Factory


class TestReferenceStore(StoreConformance):
    """The conformance suite."""

    @pytest.fixture
    def factory(self) -> Factory:
        """Stores on the same rows."""
        data = Data()
        return lambda: ReferenceStore(data)
