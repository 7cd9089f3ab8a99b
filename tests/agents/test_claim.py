"""Who holds an interface, and for how long."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest
from tests.namespaces import Namespace

from qanat.agents.claim import InterfaceInUse, claim

pytestmark = pytest.mark.namespaces


def test_an_interface_is_held_once_in_each_role_until_it_is_let_go(namespace: Namespace) -> None:
    with namespace.inside():
        with claim("terminal", "wwan0"), claim("station", "wwan0"), claim("terminal", "wwan1"):
            for _ in range(3):
                with pytest.raises(InterfaceInUse, match=rf"^wwan0 .*\(process {os.getpid()}\): stop that one"):
                    ExitStack().enter_context(claim("terminal", "wwan0"))
        with claim("terminal", "wwan0"):
            pass


def test_the_interfaces_of_another_namespace_are_others(namespace: Namespace) -> None:
    with claim("terminal", "wwan0"), namespace.inside(), claim("terminal", "wwan0"):
        pass
