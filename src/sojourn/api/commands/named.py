"""What a request names: a service, a function, one of its versions.

In generations with services a function that is not there is told from a service that is not there.
"""

from __future__ import annotations

from sojourn.api.call import Call
from sojourn.errors import FunctionNotFound
from sojourn.function import LATEST, Function
from sojourn.service import Service


def service_of(call: Call) -> Service:
    """The service that the path names, of the caller's account."""
    return call.backend.services.service(call.account_id, call.dialect.service_name(call))


def function_of(call: Call) -> Function:
    """The function that the path names, whatever version is meant; a qualifier must name something."""
    name = call.dialect.function_name(call)
    try:
        function = call.backend.catalog.function(call.account_id, name)
    except FunctionNotFound:
        if call.dialect.services:
            service_of(call)
        raise
    qualifier_of(call, function)
    return function


def version_of(call: Call) -> Function:
    """The version of the function that the request means; an alias is resolved by the request's number."""
    name, qualifier = call.dialect.function_name(call), call.dialect.qualifier(call)
    try:
        return call.backend.catalog.qualified(call.account_id, name, qualifier, call.number)
    except FunctionNotFound:
        if call.dialect.services:
            service_of(call)
        raise


def qualifier_of(call: Call, function: Function) -> str:
    """The qualifier that the request gives, checked; LATEST for none."""
    return call.backend.catalog.check_qualifier(function, call.dialect.qualifier(call))


def remembered(call: Call) -> Function:
    """The function that the path names, also one that was deleted: its tasks stay there."""
    name, qualifier = call.dialect.function_name(call), call.dialect.qualifier(call)
    try:
        function = call.backend.catalog.remembered(call.account_id, name)
    except FunctionNotFound:
        if call.dialect.services:
            service_of(call)
        raise
    if qualifier not in (None, "", LATEST) and not function.deleted:
        call.backend.catalog.check_qualifier(function, qualifier)
    return function
