"""Makes moto's answers cheap: what it computes again for each call of DynamoDB was two thirds of the call.

The answers are the same. tests/integration/conftest.py asks for it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from botocore import useragent
from moto.core import responses
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import method_names_from_class
from moto.dynamodb.models.dynamo_type import DynamoType

_serialize_structure = BaseJSONSerializer._serialize_type_structure
_cast_value = vars(DynamoType)["cast_value"].fget
_sanitize = useragent.sanitize_user_agent_string_component


def speed_up() -> None:
    """From now on, in this process."""
    changes: tuple[tuple[Any, str, Any], ...] = (
        (BaseJSONSerializer, "_serialize_type_structure", _serialize_present_members),
        (DynamoType, "cast_value", property(_cast)),
        (responses, "method_names_from_class", cache(method_names_from_class)),
        (useragent, "sanitize_user_agent_string_component", cache(_sanitize)),
    )
    for owner, name, quick in changes:
        setattr(owner, name, quick)
    # A task on Fargate has a network interface, and with EC2 came a thousand machine images, made anew for each test.
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"


def _serialize_present_members(
    serializer: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str
) -> None:
    """Serialize the one member that an attribute's value has.

    moto looks for each of the ten that it may have, under eight names each.
    """
    if shape.name != "AttributeValue" or type(value) is not dict:
        _serialize_structure(serializer, serialized, value, shape, key)
        return
    members: dict[str, Any] = {}
    for name, member in value.items():
        if member is not None:
            serializer._serialize(members, member, shape.members[name], name)
    serializer._default_serialize(serialized, members, shape, key)


def _cast(value: DynamoType) -> Any:
    """The value in Python's terms. Strings are most of them, and moto asks for every other type first."""
    return value.value if value.type == "S" else _cast_value(value)
