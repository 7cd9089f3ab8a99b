"""The grammar, compiled: from the annotated classes of ``messages`` to slots that walk, layouts and encoder follow.

One rule looks like ``*[Used-Service-Unit]`` (RFC 6733 §3.2). Braces and angles must come, brackets may; a number
before the star is the least count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import NoneType
from typing import Any, ClassVar, Final, get_args, get_origin, get_type_hints

from msgspec import Struct

from qanat.wire.diameter import leaves
from qanat.wire.diameter.avp import Avp, Kind
from qanat.wire.diameter.dictionary import BY_NAME
from qanat.wire.diameter.groups import Group
from qanat.wire.diameter.messages import ANSWERS, REQUESTS, ErrorAnswer, Message

_RULE: Final = re.compile(r"(?:\d?(\*))?([<{\[])([A-Za-z0-9-]+)[>}\]]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One place of a message or group: which AVP fills it, and how."""

    index: int
    field: str
    avp: Avp
    required: bool
    many: bool
    group: Grammar | None
    """The grammar inside, when the AVP is grouped and read."""
    whole: bool
    """The AVP is grouped and kept as it came, header included."""
    is_word: bool
    """The value is the payload's one 32-bit word, whatever it is."""
    read: leaves.Reader


@dataclass(frozen=True, slots=True)
class Grammar:
    """What may stand in a command or group, and the class it becomes."""

    make: type[Struct]
    fields: tuple[Slot, ...]
    slots: dict[int, Slot]
    """By AVP key (code and vendor), those of fields and after them what is judged only."""
    required: tuple[Slot, ...]
    blank: tuple[Any, ...]
    """What each slot holds when its AVP is absent."""


def _compile(made: type[Struct]) -> Grammar:
    hints = get_type_hints(made, include_extras=True)
    fields = {name: hints[name] for name in made.__struct_fields__ if hasattr(hints[name], "__metadata__")}
    judged = {name: rule for name, hint in hints.items() if (rule := _rule_only(hint)) is not None}
    slots = [_slot(index, field, hint) for index, (field, hint) in enumerate((fields | judged).items())]
    return Grammar(
        make=made,
        fields=tuple(slots[: len(fields)]),
        slots={slot.avp.key: slot for slot in slots},
        required=tuple(slot for slot in slots if slot.required),
        blank=tuple(() if slot.many and not slot.required else None for slot in slots),
    )


def _rule_only(hint: Any) -> Any:
    """Return the rule of an AVP that gets no field."""
    rule = get_args(hint)[0] if get_origin(hint) is ClassVar else None
    return rule if hasattr(rule, "__metadata__") else None


def _slot(index: int, field: str, hint: Any) -> Slot:
    rule = _RULE.fullmatch(hint.__metadata__[0])
    assert rule is not None, f"{field}: {hint.__metadata__[0]!r} is no rule"
    many, bracket, name = rule.groups()
    avp, item = BY_NAME[name], _item_type(hint.__origin__)
    group = _grammar_of(item) if isinstance(item, type) and issubclass(item, Group) else None
    assert group is None or avp.kind is Kind.GROUP, f"{name} is not grouped"
    return Slot(
        index=index,
        field=field,
        avp=avp,
        required=bracket != "[",
        many=bool(many),
        group=group,
        whole=group is None and avp.kind is Kind.GROUP,
        is_word=avp.kind is Kind.U32,
        read=leaves.reader(avp.kind, item),
    )


def _item_type(annotated: Any) -> Any:
    """Return T for T, ``T | None`` and ``tuple[T, ...]``."""
    inner = [one for one in get_args(annotated) if one not in (NoneType, ...)]
    return inner[0] if inner else annotated


COMPILED: Final[dict[type[Struct], Grammar]] = {}
"""Every message and group class with its grammar."""


def _grammar_of(made: type[Struct]) -> Grammar:
    if made not in COMPILED:
        COMPILED[made] = _compile(made)
    return COMPILED[made]


def _by_command(messages: tuple[type[Message], ...]) -> dict[int, Grammar]:
    return {message.command: _grammar_of(message) for message in messages}


REQUEST_GRAMMARS: Final = _by_command(REQUESTS)
ANSWER_GRAMMARS: Final = _by_command(ANSWERS)
ERROR_GRAMMAR: Final = _grammar_of(ErrorAnswer)
"""An answer with the E bit keeps to this one, whatever its command (RFC 6733 §7.2)."""
