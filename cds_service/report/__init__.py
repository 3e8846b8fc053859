"""What became of the cards: counts and rates without names, as text, as a page, and as an export of each event."""
