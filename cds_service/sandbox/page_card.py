"""The card's Markdown as three kinds of client show it; whatever HTML comes out is made harmless."""

from __future__ import annotations

from dataclasses import dataclass

TAGS = {
    *("p", "br", "hr", "em", "strong", "del", "code", "pre", "blockquote", "a", "ul", "ol", "li"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "b", "i", "u", "span", "div", "sub", "sup"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}


@dataclass(frozen=True, slots=True)
class View:
    """A client: how wide its frame is and what its Markdown does with HTML."""

    id: str
    name: str
    note: str
    html: bool


VIEWS = {
    view.id: view
    for view in (
        View("sandbox", "Official sandbox", "GitHub Flavored Markdown; raw HTML is rendered", html=True),
        View("epic", "Epic-like", "GitHub Flavored Markdown; raw HTML is shown as text", html=False),
        View("narrow", "Narrow panel", "One eighth of a screen of 1920 pixels; raw HTML is shown as text", html=False),
    )
}


def rendered(markdown: str, view: View) -> str:
    """*markdown* as safe HTML."""
    import nh3  # as below: a service that shows no page needs neither
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": view.html}).enable(["table", "strikethrough"]).render(markdown)
    return nh3.clean(made, tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https"})
