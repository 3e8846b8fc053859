"""What the store promises, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import multiprocessing
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.exc import IntegrityError

from cds_service.hooks.feedback import FeedbackItem, OverrideReason
from cds_service.store.database import FOR_FEEDBACK, Database, database_url
from cds_service.store.feedback import FeedbackStore
from cds_service.store.ledger import MOST_WAITING, IssuedCard, Ledger
from cds_service.store.operations import upgrade
from cds_service.store.remembered import Remembered
from cds_service.store.replay import PURGE_EVERY, StoredReplay
from cds_service.store.tables import (
    accepted_suggestion,
    feedback_event,
    issued_card,
    issued_suggestion,
    override_reason,
    seen_token,
)
from tests.store.conftest import Opened

NOW = 1_800_000_000.0
EHR = "https://ehr.example.org"
REASON = ("urn:rr-all:override-reason", "on-a-trial")
WHEN = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
PATIENCE = 10.0


def rows(database: Database, table: Any) -> list[Row[Any]]:
    return database.run(lambda connection: list(connection.execute(select(table))))


def count(database: Database, table: Any) -> int:
    return database.run(lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one())


def item(card: str, **changes: Any) -> FeedbackItem:
    return FeedbackItem(**({"card": card, "outcome": "overridden", "outcome_timestamp": WHEN} | changes))


def feedback(database: Database) -> FeedbackStore:
    return FeedbackStore(database, [REASON], lambda comment: comment)


def card(**changes: Any) -> IssuedCard:
    given = {"card": str(uuid.uuid4()), "issued": 1, "service": "s", "client": "site", "classification": "relapsed"}
    return IssuedCard(**(given | {"rule": "R7", "digest": "sha256:0", "display": "shown"} | changes))


def write(database: Database, *cards: IssuedCard) -> None:
    """Through the ledger, until all are there."""
    ledger = Ledger(database)
    for each in cards:
        ledger.note(each)
    ledger.close(PATIENCE)
    assert not ledger.waiting


def at_once(calls: Sequence[Callable[[], object]]) -> None:
    """All of *calls* in threads of their own, begun together."""
    gate = threading.Barrier(len(calls))
    failed: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            gate.wait(PATIENCE)
            call()
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * PATIENCE)
    assert not failed


# Tables.


def test_what_was_committed_is_there_for_the_next_process(opened: Opened) -> None:
    first = opened()
    first.run(lambda c: c.execute(insert(seen_token).values(token=b"1", expires=NOW)))
    first.close()
    assert count(opened(), seen_token) == 1


def test_a_row_that_is_there_already_is_told_apart_from_a_database_that_is_away(database: Database) -> None:
    row = insert(seen_token).values(token=b"1", expires=NOW)
    database.run(lambda c: c.execute(row))
    with pytest.raises(IntegrityError):
        database.run(lambda c: c.execute(row))
    assert database.up
    assert count(database, seen_token) == 1


def _upgrade(url: str, barrier: Any) -> None:
    barrier.wait(timeout=30)
    upgrade(url)


def test_processes_that_migrate_at_the_same_moment_all_succeed(url: str, opened: Opened) -> None:
    made = multiprocessing.get_context("spawn")
    barrier = made.Barrier(2)
    workers = [made.Process(target=_upgrade, args=(url, barrier)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert count(opened(), issued_card) == 0


# Tokens.


def test_a_token_is_used_once_in_all_processes(opened: Opened) -> None:
    here, there = StoredReplay(opened()), StoredReplay(opened())
    assert here.first_use(EHR, "jti-1", NOW + 300, NOW)
    assert not here.first_use(EHR, "jti-1", NOW + 300, NOW)
    assert not there.first_use(EHR, "jti-1", NOW + 300, NOW)
    assert there.first_use("https://other.example.org", "jti-1", NOW + 300, NOW)


def test_a_token_seen_by_several_at_the_same_moment_is_accepted_by_one(opened: Opened) -> None:
    doors = [StoredReplay(opened()) for _ in range(3)]
    for door in doors:
        door.first_use(EHR, f"warm-up-{id(door)}", NOW + 300, NOW)
    accepted: list[tuple[int, bool]] = []

    def use(door: StoredReplay, turn: int) -> None:
        accepted.append((turn, door.first_use(EHR, f"jti-{turn}", NOW + 300, NOW)))

    for turn in range(10):
        at_once([lambda door=door, turn=turn: use(door, turn) for door in doors])  # type: ignore[misc]
    assert [sum(first for turn, first in accepted if turn == asked) for asked in range(10)] == [1] * 10


def test_expired_tokens_are_removed_and_others_kept(database: Database) -> None:
    replay = StoredReplay(database)
    replay.first_use(EHR, "short", NOW + 10, NOW)
    replay.first_use(EHR, "long", NOW + 1200, NOW)
    replay.first_use(EHR, "later", NOW + 1500, NOW + PURGE_EVERY)
    assert sorted(row.expires for row in rows(database, seen_token)) == [NOW + 1200, NOW + 1500]


# The ledger.


def test_the_ledger_keeps_each_card_with_its_suggestions(database: Database) -> None:
    suggestion = str(uuid.uuid4())
    first = card(suggestions={suggestion: "expert-review"}, patient=b"p" * 32, evidence=b"e" * 32)
    write(database, first, card())
    kept = {row.card: row for row in rows(database, issued_card)}
    assert len(kept) == 2
    assert (kept[first.card].rule, kept[first.card].patient) == ("R7", b"p" * 32)
    assert [(row.suggestion, row.card) for row in rows(database, issued_suggestion)] == [(suggestion, first.card)]


def test_a_batch_that_was_kept_although_nobody_heard_is_tried_again_without_harm(database: Database) -> None:
    first = card(suggestions={str(uuid.uuid4()): "expert-review"})
    write(database, first)
    write(database, first, card())
    assert count(database, issued_card) == 2
    assert count(database, issued_suggestion) == 1


class Gated(Database):
    """A database whose first caller tells that it came, and waits."""

    came, go_on = threading.Event(), threading.Event()

    def run(self, work: Any) -> Any:
        self.came.set()
        assert self.go_on.wait(PATIENCE)
        return super().run(work)


def test_a_card_dropped_while_it_was_being_written_is_kept_and_no_other_is_lost(tmp_path: Path) -> None:
    database = Gated(database_url(f"sqlite:///{tmp_path}/store.db"), time.monotonic, FOR_FEEDBACK)
    ledger = Ledger(database)
    ledger.note(card())
    assert database.came.wait(PATIENCE)
    for _ in range(MOST_WAITING):
        ledger.note(card())
    assert (ledger.waiting, ledger.dropped) == (MOST_WAITING, 1)
    database.go_on.set()
    ledger.close(3 * PATIENCE)
    assert count(database, issued_card) == MOST_WAITING + 1


# Feedback.


def test_feedback_is_appended_once(opened: Opened) -> None:
    here, there = feedback(opened()), feedback(opened())
    first = item(str(uuid.uuid4()), accepted_suggestions=(str(uuid.uuid4()),), outcome="accepted")
    assert [here.keep([first], "site", 1), here.keep([first], "site", 2), there.keep([first], "site", 3)] == [1, 0, 0]
    assert there.keep([first], "another site", 4) == 1
    assert [row.received for row in rows(opened(), feedback_event)] == [1, 4]


def test_a_batch_keeps_reasons_comments_and_suggestions(database: Database) -> None:
    suggestion = str(uuid.uuid4())
    reasons = (OverrideReason(*reversed(REASON), user_comment="why"), OverrideReason("canary", "canary"))
    accepted = item(str(uuid.uuid4()), outcome="accepted", accepted_suggestions=(suggestion, "canary"))
    assert feedback(database).keep([accepted, item(str(uuid.uuid4()), override_reasons=reasons)], "site", 1) == 2
    assert [row.suggestion for row in rows(database, accepted_suggestion)] == [suggestion]
    kept = [(row.position, row.system, row.code, row.comment) for row in rows(database, override_reason)]
    assert kept == [(0, *REASON, "why"), (1, None, "other", None)]


def test_of_one_item_twice_in_a_batch_the_first_is_kept(database: Database) -> None:
    same = str(uuid.uuid4())
    first, second = (item(same, override_reasons=(OverrideReason(user_comment=text),)) for text in ("one", "two"))
    assert feedback(database).keep([first, second], "site", 1) == 1
    assert [row.comment for row in rows(database, override_reason)] == ["one"]


def test_one_item_sent_by_many_at_the_same_moment_is_one_event(opened: Opened) -> None:
    stores = [feedback(opened()) for _ in range(2)]
    items = [item(str(uuid.uuid4())) for _ in range(10)]
    new: list[int] = []
    for store in stores:
        store.keep([item(str(uuid.uuid4()))], "site", 1)
    at_once([lambda s=s, i=i: new.append(s.keep([i], "site", 1)) for s in stores for i in items])  # type: ignore[misc]
    assert sum(new) == 10
    assert count(opened(), feedback_event) == 12


def test_batches_that_share_items_in_opposite_order_do_not_block_one_another(opened: Opened) -> None:
    one, other = feedback(opened()), feedback(opened())
    new = [store.keep([item(str(uuid.uuid4()))], "site", 1) for store in (one, other)]
    for _ in range(5):
        batch = [item(str(uuid.uuid4())) for _ in range(100)]
        ways = ((one, batch), (other, batch[::-1]))
        at_once([lambda s=s, b=b: new.append(s.keep(b, "site", 1)) for s, b in ways])  # type: ignore[misc]
    assert sum(new) == 502
    assert count(opened(), feedback_event) == 502


# Answered cards.


def test_an_answer_given_at_one_process_is_remembered_at_another(opened: Opened) -> None:
    here, there = Remembered(opened(), KEY), Remembered(opened(), KEY)
    patient, evidence = here.patient(EHR, "p1"), b"e" * 32
    shown = card(patient=patient, evidence=evidence)
    write(opened(), shown)
    assert not there.was_answered(patient, evidence, since=0)
    feedback(opened()).keep([item(shown.card)], "site", 100)
    assert there.was_answered(patient, evidence, since=100)
    assert not there.was_answered(patient, evidence, since=101)
    assert not there.was_answered(there.patient(EHR, "p2"), evidence, since=0)
    assert not there.was_answered(patient, b"f" * 32, since=0)


def test_an_answer_from_another_site_does_not_count(database: Database) -> None:
    shown = card(patient=b"p" * 32, evidence=b"e" * 32)
    write(database, shown)
    feedback(database).keep([item(shown.card, outcome_timestamp=WHEN + timedelta(1))], "another site", 100)
    assert not Remembered(database, KEY).was_answered(b"p" * 32, b"e" * 32, since=0)


def test_numbers_of_events_rise(database: Database) -> None:
    store = feedback(database)
    for at in range(3):
        store.keep([item(str(uuid.uuid4()))], "site", at)
    made = sorted((row.id, row.received) for row in rows(database, feedback_event))
    assert [received for _, received in made] == [0, 1, 2]


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(insert(seen_token).values(token=b"1", expires=time.time()))
        raise KeyError

    with pytest.raises(KeyError):
        database.run(fail)
    assert count(database, seen_token) == 0
