"""What an account can ask of this server as a whole."""

from __future__ import annotations

from sojourn.api import answer, paging
from sojourn.api.answer import Answer
from sojourn.api.call import Call


async def get_settings(call: Call) -> Answer:
    """GetAccountSettings: one zone, and no role, because nothing here takes one on."""
    return answer.of_json({"availableAZs": [call.backend.settings.region], "defaultRole": ""})


async def get_regions(call: Call) -> Answer:
    """DescribeRegions: a server is one region."""
    region = call.backend.settings.region
    return answer.of_json({"Regions": {"Region": [{"RegionId": region, "LocalName": region}]}})


async def page_reserved(call: Call) -> Answer:
    """ListReservedCapacities: nothing here is sold in advance."""
    paging.limit_of(call.query)
    return answer.of_json({"reservedCapacities": [], "nextToken": ""})
