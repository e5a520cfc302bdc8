"""What several pages show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from frontend import format as fmt
from frontend.api import Api, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.delta_generator import DeltaGenerator

# Rules of our own, as few as will do. Streamlit's own names are those that it keeps for tests.
_STYLE = """
<style>
[data-testid="stHeader"] { background: none; pointer-events: none; }
.stMainBlockContainer { max-width: 70rem; margin: 0 auto; padding-top: 1rem; }
[data-testid="stToastContainer"] { top: auto; bottom: 1rem; }
.ef-title { font-size: 1.9rem; font-weight: 700; line-height: 1.25; margin: 0; padding: 0;
  overflow-wrap: anywhere; }
.ef-card-title { font-size: 1rem; font-weight: 700; line-height: 1.4; margin: 0; padding: 0;
  overflow-wrap: anywhere; }
.ef-text { overflow-wrap: anywhere; line-height: 1.55; }
.ef-facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .8rem;
  line-height: 1.45; overflow-wrap: anywhere; }
.ef-facts span:nth-child(odd) { opacity: .65; }
.ef-error { color: #d92d20; font-size: .875rem; margin-top: -.7rem; overflow-wrap: anywhere; }
.ef-big { font-size: 2.2rem; font-weight: 700; font-variant-numeric: tabular-nums;
  line-height: 1.1; }
.ef-empty { text-align: center; padding: 2.2rem 1rem .6rem; opacity: .85; }
.ef-empty b { display: block; font-size: 1.15rem; margin-bottom: .3rem; }
.stMainBlockContainer [data-testid="stPageLink-NavLink"] { background: none; padding: 0; }
.stMainBlockContainer [data-testid="stPageLink-NavLink"]:hover { text-decoration: underline; }
.stMainBlockContainer [data-testid="stPageLink-NavLink"] * { white-space: normal;
  overflow-wrap: anywhere; line-height: 1.35; }
.st-key-nav { border-bottom: 1px solid rgba(128, 128, 128, .25); padding-bottom: .7rem;
  margin-bottom: .6rem; column-gap: 1.6rem; }
@media (prefers-color-scheme: dark) { .ef-error { color: #ff7b72; } }
@media (max-width: 640px) {
  .stMainBlockContainer { padding: 1rem 1rem 4rem; }
  .ef-title { font-size: 1.5rem; }
  .st-key-nav { flex-wrap: nowrap; justify-content: space-between; column-gap: .3rem; }
  .st-key-nav > *:first-child { display: none; }
  .st-key-nav > *, .st-key-nav > * * { min-width: 0; max-width: 100%; }
  .st-key-nav > *:last-child { flex-shrink: 100; }
  .st-key-nav a { flex-direction: column; gap: 0; text-align: center; }
  .st-key-nav [data-testid="stPageLink-NavLink"] * { white-space: nowrap; }
  .st-key-nav p { font-size: .72rem; overflow: hidden; text-overflow: ellipsis; }
}
</style>
"""


def style() -> None:
    """The few rules of our own; once a run."""
    st.html(_STYLE)


def navigation(shown: tuple[str, ...], current: str) -> None:
    """The menu: a row at every width, so that nobody has to look for it."""
    pages = st.session_state["pages"]
    with st.container(key="nav", horizontal=True, vertical_alignment="center"):
        # No emoji: not every machine has a font for them.
        home = ":material/local_activity:"
        st.page_link(pages["events"], label="**EventFlow**", icon=home, width="content")
        for name in shown:
            page = pages[name]
            words = fmt.plain(page.title)
            label = f":primary[**{words}**]" if name == current else words
            st.page_link(page, label=label, icon=page.icon, width="content")


def api() -> Api:
    """EventFlow for whoever looks at the page."""
    return Api(st.session_state.get("login"), address())


def address() -> str | None:
    """Where the browser is; nothing for one on this machine."""
    return st.context.ip_address


def me() -> dict[str, Any] | None:
    """Who is logged in."""
    login = st.session_state.get("login")
    return login.user if login and not login.over else None


def title(words: str, *, small: bool = False, width: str = "stretch") -> None:
    """A heading, which somebody may have written."""
    tag, name = ("h3", "ef-card-title") if small else ("h1", "ef-title")
    st.html(f'<{tag} class="{name}">{fmt.safe_html(words)}</{tag}>', width=width)


def head(words: str) -> DeltaGenerator:
    """The top of a page; what goes into it stands at the right."""
    row = st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    )
    with row:
        title(words, width="content")
    return row


def facts(pairs: dict[str, str]) -> None:
    """Names and values, the values as somebody wrote them."""
    rows = "".join(
        f"<span>{fmt.safe_html(name)}</span><span>{fmt.safe_html(value)}</span>"
        for name, value in pairs.items()
    )
    st.html(f'<div class="ef-facts">{rows}</div>')


def text(body: str) -> None:
    """What somebody wrote, with its line breaks."""
    st.html(f'<div class="ef-text">{fmt.safe_html(body)}</div>')


def badge(status: str) -> None:
    """A status."""
    word, color = fmt.state(status)
    st.badge(word, color=color)


def empty(head: str, sentence: str) -> None:
    """Where a list would be."""
    st.html(f'<div class="ef-empty"><b>{fmt.safe_html(head)}</b>{fmt.safe_html(sentence)}</div>')


def problem(error: ApiError) -> None:
    """Why something wasn't done. The detail may quote what somebody wrote."""
    (st.warning if error.status in (0, 409, 429) or error.status >= 500 else st.error)(
        fmt.plain(error.words()), icon=":material/error:"
    )


def field_error(errors: dict[str, str], name: str) -> None:
    """What is wrong with a field, below it."""
    if name in errors:
        _wrong(errors[name])


def _wrong(words: str) -> None:
    st.html(f'<div class="ef-error" role="alert">{fmt.safe_html(words)}</div>')


def other_errors(error: ApiError, fields: tuple[str, ...]) -> None:
    """A refused form: the sentence, and what belongs to no field that is shown."""
    problem(error)
    for name, detail in error.errors.items():
        if name not in fields:
            _wrong(f"{name} {detail}")


def flash(sentence: str, icon: str = ":material/check_circle:") -> None:
    """Shown on the next run, which may be another page."""
    st.session_state.setdefault("flashes", []).append((sentence, icon))


def show_flashes() -> None:
    """Shows what was left by the last run."""
    for sentence, icon in st.session_state.pop("flashes", []):
        st.toast(fmt.plain(sentence), icon=icon, duration="long")


def ask(
    head: str, sentence: str, yes: str, act: Callable[[], None], *, no: str = "Keep it"
) -> None:
    """Asks before something is taken away; `act` runs on a yes, and the page anew after it."""

    @st.dialog(head)
    def question() -> None:
        st.write(fmt.plain(sentence))
        with st.container(horizontal=True):
            agreed = st.button(yes, type="primary", key="ask-yes")
            if st.button(no, key="ask-no"):
                st.rerun()
        if agreed:
            try:
                act()
            except ApiError as error:
                problem(error)
            else:
                st.rerun()

    question()


def open_event(event_id: str) -> None:
    """Goes to an event's page."""
    go("event", event=event_id)


def go(page: str, **query: str) -> None:
    """Goes to a page of ours."""
    st.switch_page(st.session_state["pages"][page], query_params=query or None)


def link(page: str, label: str, *, icon: str = "", width: str = "content", **query: str) -> None:
    """A link to a page of ours."""
    target = st.session_state["pages"][page]
    st.page_link(target, label=label, icon=icon, query_params=query or None, width=width)


def event_link(event_id: str, name: str) -> None:
    """A link to an event's page by its title."""
    title_link("event", name, event_id)


def title_link(page: str, name: str, event_id: str) -> None:
    """An event's title that leads to a page about it."""
    link(page, f":primary[**{fmt.plain(name)}**]", event=event_id)


def need_login(what: str) -> bool:
    """Whether somebody is logged in; otherwise says what for, and offers it."""
    if me():
        return True
    empty("Please log in", f"Log in to {what}.")
    with st.container(horizontal=True, horizontal_alignment="center"):
        if st.button("Log in", type="primary", key="need-login"):
            to_login()
        if st.button("Create an account", key="need-account"):
            to_login("register")
    return False


def to_login(page: str = "login") -> None:
    """Goes to log in, and comes back to this page afterwards."""
    st.session_state["come_back"] = (
        st.session_state["page"],
        dict(st.query_params),
    )
    go(page)
