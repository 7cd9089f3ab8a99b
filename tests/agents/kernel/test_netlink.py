"""Netlink: vectors for the pure part, the real kernel for the socket."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.namespaces import Namespace

from qanat.agents.kernel import link, netlink, nft, route
from qanat.agents.kernel.netlink import EventsLost, KernelFault, Malformed, Message
from qanat.agents.kernel.nft import Nft, Table
from qanat.errors import Fault
from qanat.units import Octets

VECTORS = [
    (Message(0x12, b"", flags=5, seq=7), "10000000 1200 0500 07000000 00000000"),
    (Message(0xA12, b"\1\2\3", flags=0, seq=1), "13000000 120a 0000 01000000 00000000 010203 00"),
    (
        Message(0x1A, netlink.attribute(1, b"\xaa\xbb") + netlink.u32(2, 9), flags=0x301, seq=2**32 - 1),
        "20000000 1a00 0103 ffffffff 00000000 06000100 aabb0000 08000200 09000000",
    ),
]
"""Written by hand from linux/netlink.h, little-endian."""

ERROR_WITH_SENTENCE = bytes.fromhex(
    "feffffff"  # -ENOENT
    "14000000 120a 0500 07000000 00000000"  # the header that failed, its payload cut off
    "0c000100 6e6f2073 657400 00"  # NLMSGERR_ATTR_MSG "no set"
)

OBJECT_EVENT = bytes.fromhex(
    "02000002 06000100 78000000 06000200 71000000 08000300 00000002 0c000600 0000000000000002"
    "08000500 00000001 24000400 0c000100 00000000000003e8 0c000400 00000000000003e8 08000200 00000002"
)
"""The depletion of quota ``q``, 1000 octets, in table ``x``, as kernel 6.18 sent it."""


@pytest.mark.parametrize(("message", "octets"), VECTORS)
def test_messages_are_packed_and_parsed_as_the_header_file_says(message: Message, octets: str) -> None:
    assert netlink.pack(message) == bytes.fromhex(octets)
    assert netlink.parse(bytes.fromhex(octets)) == [message]


def test_several_messages_in_one_datagram_come_out_in_order() -> None:
    assert netlink.parse(b"".join(netlink.pack(message) for message, _ in VECTORS)) == [each for each, _ in VECTORS]


@pytest.mark.parametrize(("message", "octets"), VECTORS)
def test_a_datagram_cut_anywhere_is_malformed_never_half_believed(message: Message, octets: str) -> None:
    whole = bytes.fromhex(octets)
    for length in range(1, 16 + len(message.payload)):
        with pytest.raises(Malformed):
            netlink.parse(whole[:length])


@pytest.mark.parametrize("length", [0, 3, 5, 65535])
def test_an_attribute_that_points_outside_is_malformed(length: int) -> None:
    with pytest.raises(Malformed):
        netlink.attributes(length.to_bytes(2, "little") + b"\1\0")


def test_a_missing_attribute_is_malformed_and_named() -> None:
    with pytest.raises(Malformed, match="without attribute 3"):
        netlink.attributes(b"")[3]


def test_an_error_carries_errno_and_the_kernels_own_sentence() -> None:
    assert netlink.error_of(Message(2, ERROR_WITH_SENTENCE, flags=0x300)) == (errno.ENOENT, "no set")
    assert netlink.error_of(Message(2, ERROR_WITH_SENTENCE[:20], flags=0x100)) == (errno.ENOENT, "")
    assert netlink.error_of(Message(2, bytes(20))) == (0, "")


def test_a_depletion_is_told_from_every_other_event() -> None:
    event = Message(0xA12, OBJECT_EVENT)
    assert nft.depleted_in(event, Table(nft.INET, "x")) == "q"
    assert nft.depleted_in(event, Table(nft.INET, "y")) is None
    assert nft.depleted_in(Message(0xA12, OBJECT_EVENT[:-1] + b"\0"), Table(nft.INET, "x")) is None
    assert nft.depleted_in(Message(0xA0F, OBJECT_EVENT), Table(nft.INET, "x")) is None


READERS = {
    "link": link.link_of,
    "statistics": lambda data: link.octets_of(data, (14, 0)),
    "route": route.route_of,
    "elements": nft.elements_of,
    "counter": nft.counter_of,
    "quota": nft.quota_of,
    "depletion": lambda data: nft.depleted_in(Message(0xA12, data), Table(nft.INET, "x")),
    "error": lambda data: netlink.error_of(Message(2, data, flags=0x200)),
    "datagram": netlink.parse,
}


@pytest.mark.parametrize("reader", READERS)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda place, value: OBJECT_EVENT[:place] + bytes([value]) + OBJECT_EVENT[place + 1 :],
            st.integers(0, len(OBJECT_EVENT) - 1),
            st.integers(0, 255),
        ),
        st.builds(lambda length: OBJECT_EVENT[:length], st.integers(0, len(OBJECT_EVENT))),
        st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=40))).map(
            lambda found: bytes(16) + b"".join(netlink.attribute(*each) for each in found)
        ),
    )
)
def test_whatever_octets_come_are_read_or_are_a_fault(reader: str, octets: bytes) -> None:
    with suppress(Fault):
        READERS[reader](octets)


@pytest.mark.namespaces
def test_a_batch_is_done_wholly_or_not_at_all_and_the_failing_message_is_named(namespace: Namespace) -> None:
    namespace.run("nft", "add table inet t")
    table = Table(nft.INET, "t")
    with namespace.inside(), closing(Nft()) as kernel:
        good = table.add_quota("a", limit=Octets(1000))
        with pytest.raises(KernelFault, match="message 2 of the batch") as failed:
            kernel.commit([good, table.add_counter("c"), table.delete_quota("missing"), table.add_counter("d")])
        assert (failed.value.code, failed.value.index) == (errno.ENOENT, 2)
        assert kernel.quotas(table) == {}
        kernel.commit([good])
        assert list(kernel.quotas(table)) == ["a"]


@pytest.mark.namespaces
def test_a_question_about_nothing_is_a_fault_with_its_errno(namespace: Namespace) -> None:
    with namespace.inside(), closing(Nft()) as kernel:
        with pytest.raises(KernelFault) as failed:
            kernel.quota(Table(nft.INET, "nowhere"), "q")
        assert failed.value.code == errno.ENOENT


@pytest.mark.namespaces
def test_events_that_nobody_fetched_are_reported_lost_and_hearing_goes_on(namespace: Namespace) -> None:
    namespace.run("nft", "add table inet t")
    table = Table(nft.INET, "t")
    with namespace.inside(), closing(nft.Depletions(table)) as hearing, closing(Nft()) as kernel:
        keep_at_most(1, hearing)
        for number in range(100):
            kernel.commit([table.add_counter(f"c{number}")])
        with pytest.raises(EventsLost):
            hearing.take()
        keep_at_most(200_000, hearing)
        namespace.run("nft", "delete table inet t")
        with pytest.raises(nft.TableGone):
            hearing.take()


def keep_at_most(octets: int, hearing: nft.Depletions) -> None:
    with socket.socket(fileno=os.dup(hearing.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)


def test_objects_of_one_layout_are_read_alike_and_others_are_taken_apart_anew() -> None:
    """A kernel may order or add attributes as it likes: what is not where it was last time is looked for."""

    def payload(name: str, data: bytes, *, data_first: bool = False) -> bytes:
        table, named, held = netlink.text(1, "qanat"), netlink.text(2, name), netlink.attribute(4, data)
        return bytes(4) + b"".join([table, held, named] if data_first else [table, named, held])

    read = nft.names_and_data(
        [
            payload("u_s1", b"aaaa"),
            payload("u_s22", b"bbbb"),  # as long, with less padding
            payload("u_s3", b"cccc", data_first=True),  # as long, in another order
            payload("u_s4", b"dddd"),
            payload("u_s5", b"eeeeeeee"),
            payload("u_s6666", b"ffff"),
        ]
    )
    assert list(read) == [
        ("u_s1", b"aaaa"),
        ("u_s22", b"bbbb"),
        ("u_s3", b"cccc"),
        ("u_s4", b"dddd"),
        ("u_s5", b"eeeeeeee"),
        ("u_s6666", b"ffff"),
    ]


def test_an_object_without_a_name_is_malformed() -> None:
    with pytest.raises(Malformed, match="without name"):
        list(nft.names_and_data([bytes(4) + netlink.attribute(4, b"data")]))
