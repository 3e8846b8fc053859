"""The checker finds what it is there to find."""

from __future__ import annotations

from tests.faults.history import History, Operation


def history(*operations: Operation) -> History:
    made = History()
    for operation in operations:
        made.add(operation)
    return made


def test_what_was_acknowledged_and_is_there_once_is_right() -> None:
    asked = history(Operation("a", 0, 1, 200, b"x"), Operation("b", 0, 1), Operation("b", 1, 2, 200, b"x"))
    assert asked.faults(["a", "b"]) == []


def test_an_item_nobody_heard_of_may_be_there_or_not() -> None:
    asked = history(Operation("a", 0, 1), Operation("b", 0, 1, 503))
    assert asked.faults([]) == asked.faults(["a", "b"]) == []


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    assert history(Operation("a", 0, 1, 200)).faults([]) == ["lost: a"]


def test_what_is_there_twice_is_doubled() -> None:
    assert history(Operation("a", 0, 1)).faults(["a", "a"]) == ["doubled: a"]


def test_what_nobody_sent_is_invented() -> None:
    assert history().faults(["a"]) == ["invented: a"]


def test_two_acknowledgements_that_differ_are_a_fault() -> None:
    asked = history(Operation("a", 0, 1, 200, b"x"), Operation("a", 0, 1, 200, b"y"), Operation("a", 0, 1, 503, b"z"))
    assert asked.faults(["a"]) == ["differing replies: a"]
