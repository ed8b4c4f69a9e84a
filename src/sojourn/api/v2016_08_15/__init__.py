"""Function Compute's API of 2016-08-15 (2.0, "classic"): that of 2021-04-06 with qualifiers in the path."""

from __future__ import annotations

from sojourn.api.commands import account, tags
from sojourn.api.operation import small
from sojourn.api.routing import Row, left_out
from sojourn.api.v2021_04_06 import SHARED

from .dialect import V1

DIALECT = V1()
OPERATIONS: tuple[Row, ...] = (
    *SHARED,
    ("DELETE", "/tag", tags.untag, small),
    ("GET", "/reservedCapacities", account.page_reserved, small),
    *left_out(
        "GET /accountConfigs GetAccountConfigs",
        "GET /tempBucketToken GetTempBucketToken",
        "GET /services/{service}/tempCodeBucketToken GetTempCodeBucketToken",
        "GET /layerarn/{arn} GetLayerVersionByArn",
    ),
)
