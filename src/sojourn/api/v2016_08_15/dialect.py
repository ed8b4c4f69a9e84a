"""The words of API 2016-08-15: those of 2021-04-06, but `SERVICE.QUALIFIER` stands in the path."""

from __future__ import annotations

from sojourn.api.call import Call
from sojourn.api.v2021_04_06.dialect import V2


class V1(V2):
    """API 2016-08-15."""

    version = "2016-08-15"
    tasks_limit = 50

    def service_name(self, call: Call) -> str:
        """The service in the path, without its qualifier."""
        return call.path["service"].partition(".")[0]

    def qualifier(self, call: Call) -> str | None:
        """What follows the service's name, else what the query says."""
        return call.path.get("service", "").partition(".")[2] or call.query.get("qualifier")
