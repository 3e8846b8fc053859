"""What a reader must know to take the figures for what they are."""

from __future__ import annotations

from cds_service.report.figures import ENOUGH_ANSWERS, TOO_OFTEN

NOTES = (
    "Rates are of cards, not of clicks: a card counts as accepted when any of its suggestions was accepted, else as "
    "overridden when anyone overrode it, else as without an answer.",
    "A card belongs to the day it was issued, in UTC, whenever it was answered; weeks begin on Monday.",
    "Brackets hold the 95 % interval by Wilson's method. It tells the play of chance, not why clinicians answered as "
    "they did; those who answer may differ from those who do not.",
    "A count of one to four is shown as <5. Further counts are withheld where they would give it away.",
    f"A rule is called out when more than {TOO_OFTEN} % of at least {ENOUGH_ANSWERS} answered cards were overridden, "
    "even where its counts are withheld.",
    "Cards that were not shown (silent sites; answered before) and events that match no card of the site that sent "
    "them are in no rate.",
    "No patient and no user is recorded here. An override says that the card did not help then; it does not say "
    "whether the classification was right.",
)
