"""The two-way room index, against a set of pairs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sioproto.socketio._rooms import RoomIndex

names = st.sampled_from(["a", "b", "c", ""])
steps = st.lists(st.tuples(st.sampled_from(["join", "leave", "all"]), names, names), max_size=40)


@given(steps)
def test_both_ways_agree(program: list[tuple[str, str, str]]) -> None:
    index = RoomIndex()
    pairs: dict[tuple[str, str], None] = {}
    for step, id, room in program:
        if step == "join":
            assert index.join(id, room) is ((id, room) not in pairs)
            pairs.setdefault((id, room))
        elif step == "leave":
            assert index.leave(id, room) is ((id, room) in pairs)
            pairs.pop((id, room), None)
        else:
            left = [pair for pair in pairs if pair[0] == id]
            assert list(index.leave_all(id)) == [room for _, room in left]
            for pair in left:
                del pairs[pair]
        for id in ("a", "b", "c", ""):
            assert list(index.rooms_of(id)) == [room for other, room in pairs if other == id]
        for room in ("a", "b", "c", ""):
            assert list(index.members(room)) == [id for id, other in pairs if other == room]
        assert len(index) == len({room for _, room in pairs})


def test_union_names_each_once_in_order() -> None:
    index = RoomIndex()
    for id, room in [("x", "a"), ("y", "b"), ("x", "b"), ("z", "a")]:
        index.join(id, room)
    assert list(index.union(["a", "b"])) == ["x", "z", "y"]
    assert list(index.union(["b", "nobody"])) == ["y", "x"]
    assert list(index.union([])) == []
