"""Every refusal says itself, in both languages, from the same facts, and names only commands that exist."""

from __future__ import annotations

import re

import click
import pytest

from qanat.console.main import main
from qanat.refusals import WORDS, Refusal

_FACT = re.compile(r"{\w+}")


@pytest.mark.parametrize("reason", Refusal)
def test_both_languages_rest_on_the_same_facts(reason: Refusal) -> None:
    words = WORDS[reason]
    assert set(_FACT.findall(words.sentence)) == set(_FACT.findall(words.sentence_zh))
    assert set(_FACT.findall(words.cure)) == set(_FACT.findall(words.cure_zh))
    assert re.search("[一-鿿]", words.sentence_zh)
    assert re.search("[一-鿿]", words.cure_zh)


@pytest.mark.parametrize("reason", Refusal)
def test_a_cure_names_only_commands_that_exist(reason: Refusal) -> None:
    for named in re.findall(r"`qanat ([a-z -]+)`", WORDS[reason].cure + WORDS[reason].cure_zh):
        command: click.Command = main
        for word in named.split():
            if word.startswith("-"):
                assert any(word in option.opts for option in command.params), named
            else:
                assert isinstance(command, click.Group), named
                found = command.get_command(click.Context(command), word)
                assert found is not None, named
                command = found
