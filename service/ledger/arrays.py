"""PostgreSQL arrays as bytes, for the one statement that sends whole columns. Read by the bulk insert.

psycopg makes them item by item, and chooses the type of numbers by their size, so that one statement would be prepared many times.
"""

from collections.abc import Iterable, Sequence
from struct import Struct

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

BYTEA_OID, INT8_OID, INT4_OID, TEXT_OID, UUID_OID = 17, 20, 23, 25, 2950

HEAD = Struct(">iiIii")  # dimensions, whether there are nulls, type of the elements, length, first index
LENGTH = Struct(">i")
NULL = b"\xff\xff\xff\xff"


class Blobs(bytes):
    """bytea[]"""


class Bigs(bytes):
    """int8[]"""


class Ints(bytes):
    """int4[]"""


class Texts(bytes):
    """text[]"""


class Uuids(bytes):
    """uuid[]"""


def array_of(element: int, items: Sequence[bytes | None]) -> bytes:
    """The array's binary form. The items are each in the binary form of the element's type."""
    return b"".join([HEAD.pack(1, None in items, element, len(items), 1), *_with_lengths(items)])


def _with_lengths(items: Iterable[bytes | None]) -> list[bytes]:
    pack = LENGTH.pack
    return [NULL if item is None else pack(len(item)) + item for item in items]


class Ready(Dumper):
    """Hands over what is in its binary form already."""

    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


for kind, array_oid in ((Blobs, 1001), (Bigs, 1016), (Ints, 1007), (Texts, 1009), (Uuids, 2951)):
    psycopg.adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (Ready,), {"oid": array_oid}))
