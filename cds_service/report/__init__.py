"""What became of the cards: counts and rates without names, as text, as a page, and as an export of each event."""

from typing import Literal, get_args

Form = Literal["text", "html", "json", "csv"]
FORMS: tuple[Form, ...] = get_args(Form)
