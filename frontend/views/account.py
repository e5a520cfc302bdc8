"""Logging in, a new account, the own profile."""

from __future__ import annotations

import streamlit as st

from frontend import widgets
from frontend.api import Api, ApiError, SessionOver
from frontend.logins import LOGGED_IN, Login

_REGISTER = ("username", "email", "full_name", "password")
_PROFILE = ("full_name", "email")


def _enter(username: str, password: str) -> None:
    """Logs in; the browser gets a ticket for its cookie at the end of the next run."""
    anonymous = Api(address=widgets.address())
    login = Login(anonymous.log_in(username, password))
    login.user = Api(login, widgets.address()).read("/users/me").value
    st.session_state["login"] = login
    st.session_state["ticket"] = LOGGED_IN.add(login)


def _return() -> None:
    page, query = st.session_state.pop("come_back", ("events", {}))
    widgets.go("events" if page in ("login", "register") else page, **query)


def login_page() -> None:
    """User name or address, and password."""
    if widgets.me():
        _return()
    _, middle, _ = st.columns([1, 2, 1])
    with middle:
        widgets.title("Log in")
        with st.form("login-form"):
            username = st.text_input("User name or e-mail address", key="login-name")
            password = st.text_input("Password", type="password", key="login-password")
            sent = st.form_submit_button("Log in", type="primary", width="stretch")
        if sent:
            _log_in(username.strip(), password)
        st.caption("New here?")
        widgets.link("register", "Create an account", icon=":material/person_add:")


def _log_in(username: str, password: str) -> None:
    if not username or not password:
        st.error("Please fill in both fields.", icon=":material/error:")
        return
    try:
        _enter(username, password)
    except ApiError as error:
        widgets.problem(error)
        return
    widgets.flash(f"Welcome, {widgets.me()['username']}.", ":material/waving_hand:")
    _return()


def register_page() -> None:
    """A new account; whoever made it is logged in."""
    if widgets.me():
        _return()
    if name := st.session_state.pop("registered", None):
        st.session_state["login-name"] = name
        widgets.flash("Your account is ready. Please log in.")
        widgets.go("login")
    error: ApiError | None = st.session_state.pop("register-error", None)
    errors = error.errors if error else {}
    _, middle, _ = st.columns([1, 2, 1])
    with middle:
        widgets.title("Create an account")
        with st.form("register-form"):
            st.text_input("User name", key="register-name", help="3 to 50 characters")
            widgets.field_error(errors, "username")
            st.text_input("E-mail address", key="register-email")
            widgets.field_error(errors, "email")
            st.text_input("Full name (optional)", key="register-full-name")
            widgets.field_error(errors, "full_name")
            st.text_input(
                "Password", type="password", key="register-password", help="8 to 128 characters"
            )
            widgets.field_error(errors, "password")
            st.form_submit_button(
                "Create the account", type="primary", width="stretch", on_click=_register
            )
        if error:
            widgets.other_errors(error, _REGISTER)
        st.caption("Already have one?")
        widgets.link("login", "Log in", icon=":material/login:")


def _register() -> None:
    """Before the run, so that the form shows what was wrong at each field."""
    state = st.session_state
    name, password = state["register-name"].strip(), state["register-password"]
    try:
        Api(address=widgets.address()).register(
            name, state["register-email"].strip(), password, state["register-full-name"].strip()
        )
    except ApiError as error:
        state["register-error"] = error
        return
    try:
        _enter(name, password)
    except ApiError:
        # The account is there all the same: sent again, the form would find its name taken.
        state["registered"] = name
    else:
        widgets.flash(f"Welcome, {name}. Your account is ready.", ":material/waving_hand:")


def profile_page() -> None:
    """Own name and address, and the way out."""
    if not widgets.need_login("see your account"):
        return
    person = widgets.me()
    error: ApiError | None = st.session_state.pop("profile-error", None)
    errors = error.errors if error else {}
    _, middle, _ = st.columns([1, 2, 1])
    with middle:
        widgets.title(person["username"])
        with st.form("profile-form"):
            st.text_input("Full name", value=person.get("full_name") or "", key="profile-name")
            widgets.field_error(errors, "full_name")
            st.text_input("E-mail address", value=person["email"], key="profile-email")
            widgets.field_error(errors, "email")
            st.form_submit_button("Save", type="primary", on_click=_save)
        if error:
            widgets.other_errors(error, _PROFILE)
        if st.button("Log out", icon=":material/logout:", key="log-out"):
            _log_out()


def _save() -> None:
    state, login = st.session_state, st.session_state["login"]
    wanted = {
        "full_name": state["profile-name"].strip() or None,
        "email": state["profile-email"].strip(),
    }
    changed = {name: value for name, value in wanted.items() if value != login.user.get(name)}
    if not changed:
        widgets.flash("There is nothing to save.", ":material/info:")
        return
    try:
        login.user = widgets.api().call("PATCH", "/users/me", body=changed).value
    except ApiError as error:
        state["profile-error"] = error
    else:
        widgets.flash("Your profile is saved.")


def _log_out() -> None:
    login, told = st.session_state["login"], "You are logged out."
    try:
        widgets.api().log_out()
    except SessionOver:
        # That is what was asked for.
        pass
    except ApiError:
        told = "You are logged out here. EventFlow could not be told: there it runs out by itself."
    login.end()
    st.session_state["login"] = None
    st.session_state.pop("ticket", None)
    widgets.flash(told, ":material/logout:")
    widgets.go("events")
