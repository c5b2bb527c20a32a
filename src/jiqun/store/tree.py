"""Shape of a Merkle tree 默克尔树的形状: which stored nodes a root, a proof and an extension are made of.

A node (level, position) stands for the leaves from `position << level` to `(position + 1) << level`; only nodes all of
whose leaves are there are kept, for they never change. Every other hash is folded from few of them: a range of the tree
of RFC 9162 splits into at most two per level. Leaves are level 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jiqun.store.proof import node_hash

Node = tuple[int, int]
Range = tuple[int, int]


def nodes_of(start: int, end: int) -> list[Node]:
    """Complete nodes that make up the leaves from `start` to before `end`, left to right.

    Examples
    --------
    >>> nodes_of(0, 7)
    [(2, 0), (1, 2), (0, 6)]
    """
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        found.append((level, start >> level))
        start += 1 << level
    return found


def fold(hashes: Sequence[bytes]) -> bytes:
    """Hash of a range from those of its `nodes_of`, of which there is at least one."""
    *rest, found = hashes
    for left in reversed(rest):
        found = node_hash(left, found)
    return found


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Ranges whose hashes are the inclusion proof of a leaf (RFC 9162, 2.1.3.1), 0 <= index < size.

    Examples
    --------
    >>> inclusion_ranges(2, 5)
    [(3, 4), (0, 2), (4, 5)]
    """
    start, end, found = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """Ranges whose hashes are the consistency proof of two sizes (RFC 9162, 2.1.4.1), 0 < first <= second.

    Examples
    --------
    >>> consistency_ranges(3, 7)
    [(2, 3), (3, 4), (0, 2), (4, 7)]
    """
    start, end, found = 0, second, []
    while first < end:
        middle = start + _split(end - start)
        if first <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    if start:
        found.append((start, end))
    return found[::-1]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def extend(peaks: Mapping[Node, bytes], size: int, leaves: Iterable[bytes]) -> list[tuple[int, int, bytes]]:
    """Nodes above the leaves that are completed by adding leaves: level, position, hash; a node after its children.

    Parameters
    ----------
    peaks
        Hashes of `nodes_of(0, size)`.
    size
        Leaves that are in the tree already.
    """
    stack = [peaks[node] for node in nodes_of(0, size)]
    found = []
    for found_leaf in leaves:
        stack.append(found_leaf)
        level, position = 0, size
        while position & 1:
            level, position = level + 1, position >> 1
            right = stack.pop()
            stack.append(node_hash(stack.pop(), right))
            found.append((level, position, stack[-1]))
        size += 1
    return found
