"""`Settings` to the fields of the same names in a task's message, and back."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from occscene.settings import Settings


def fill_message(settings: Settings, message: Message) -> None:
    """Sets those settings that a message has a field for; None leaves a field absent.

    Raises:
        ValueError: a value does not fit its field.
    """
    for name, field in message.DESCRIPTOR.fields_by_name.items():
        value = getattr(settings, name, None)
        if value is not None:
            setattr(message, name, value if field.enum_type is None else _number(field.enum_type, value))


def settings_from_message(message: Message) -> Settings:
    """The settings that a message has; defaults where a field is absent or the message has none."""
    values = {}
    for setting in Settings.listed():
        field = message.DESCRIPTOR.fields_by_name.get(setting.name)
        if field is None or (field.has_presence and not message.HasField(setting.name)):
            continue
        value = getattr(message, setting.name)
        if field.enum_type is not None:
            if not value:
                continue
            value = field.enum_type.values_by_number[value].name.removeprefix(_prefix(field.enum_type))
        values[setting.name] = value
    return Settings(**values)


def _number(enum: Any, value: str) -> Any:
    """The number of an enum's value: protobuf's implementation in Python takes no names.

    Raises:
        ValueError: the enum has no such value.
    """
    known = enum.values_by_name.get(_prefix(enum) + value)
    if known is None:
        raise ValueError(f"{value!r} is no {enum.name}")
    return known.number


def _prefix(enum: Any) -> str:
    """What all values of an enum begin with."""
    return enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
