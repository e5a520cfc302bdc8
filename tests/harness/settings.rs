//! What a test run may set from outside. The only place here that reads the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Another binary than the one that cargo built beside the test.
pub const BINARY: &str = "EVENTFLOW_TEST_BINARY";

/// Another seed than the usual one.
pub const SEED: &str = "EVENTFLOW_TEST_SEED";

/// A server that runs already, `host:port`, for the tests of routes.
pub const SERVER: &str = "EVENTFLOW_TEST_SERVER";

/// The folder with that server's signing key.
pub const SERVER_DATA: &str = "EVENTFLOW_TEST_SERVER_DATA";

/// The control port of `services/notification/tests/smtp_server.py`, `host:port`.
pub const MAIL: &str = "EVENTFLOW_TEST_MAIL";

/// The seed of a run in which nobody asks for another one.
const USUAL_SEED: u64 = 20_261_123;

/// The binary named by [`BINARY`].
#[must_use]
pub fn binary() -> Option<PathBuf> {
    variable(BINARY).map(PathBuf::from)
}

/// The server named by [`SERVER`] and [`SERVER_DATA`], if one is.
///
/// # Panics
/// When its address is none, or its folder is not named.
#[must_use]
pub fn server() -> Option<(SocketAddr, PathBuf)> {
    let address = variable(SERVER)?;
    let address = address.parse().unwrap_or_else(|_| panic!("{SERVER} is no address: {address}"));
    let data = variable(SERVER_DATA).unwrap_or_else(|| panic!("{SERVER_DATA} is not set"));
    Some((address, PathBuf::from(data)))
}

/// The control port named by [`MAIL`].
///
/// # Panics
/// When none is named.
#[must_use]
pub fn mail() -> String {
    variable(MAIL).unwrap_or_else(|| panic!("{MAIL} is not set: `cargo xtask test --with mail`"))
}

/// The seed named by [`SEED`], or the usual one.
///
/// # Panics
/// When it is named and not a whole number.
#[must_use]
pub fn seed() -> u64 {
    number(SEED).unwrap_or(USUAL_SEED)
}

/// The number of this name, if it is set.
///
/// # Panics
/// When it is set and not a whole number.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| {
        text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not {text:?}"))
    })
}

fn variable(name: &str) -> Option<String> {
    #[allow(
        clippy::disallowed_methods,
        reason = "a test binary has no other door: cargo's own arguments belong to libtest"
    )]
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
