"""Terms: in which blocks of a segment a value stands, by four bytes of its hash.

A hash may be that of another value too: who finds a block this way still looks into it.

≠ which fields there are, SQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from zlib import crc32

BUCKETS = 64

_WIDTH = 5


def hashed(field: str, value: str) -> bytes:
    """Return the hash of a value of a field."""
    return crc32(value.encode("utf-8", "surrogatepass"), _seed(field)).to_bytes(4, "big")


@cache
def _seed(field: str) -> int:
    return crc32(field.encode())


def bucket_of(term: bytes) -> int:
    """Return where a hash is kept."""
    return term[3] % BUCKETS


def pack(blocks: Iterable[set[bytes]]) -> dict[int, bytes]:
    """Return what each bucket holds of a segment; `blocks` are the hashes of each of its blocks, in order."""
    buckets = [bytearray() for _ in range(BUCKETS)]
    for number, terms in enumerate(blocks):
        place = bytes([number])
        for term in terms:
            buckets[term[3] % BUCKETS] += term + place
    return {number: bytes(bucket) for number, bucket in enumerate(buckets) if bucket}


def find(term: bytes, bucket: bytes) -> set[int]:
    """Return the blocks in which a hash stands."""
    found: set[int] = set()
    at = bucket.find(term)
    while at >= 0:
        # Elsewhere it is the end of one entry and the beginning of the next.
        if at % _WIDTH == 0:
            found.add(bucket[at + 4])
        at = bucket.find(term, at + 1)
    return found
