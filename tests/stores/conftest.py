import pytest

pytest.register_assert_rewrite(
    "stores.conformance",
    "stores.conformance_deliveries",
    "stores.conformance_functions",
    "stores.conformance_pages",
    "stores.conformance_races",
    "stores.conformance_retention",
)
