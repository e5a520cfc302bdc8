//! How many files this process may have open: each connection is one.

/// Files beside connections: the store's, the listener, the log, room to spare.
const OTHERS: u64 = 200;

/// Raise the limit as far as the system lets us, and say so if it is too low for this many
/// connections: beyond it, new ones wait as if there were no room.
pub fn allow_for(connections: u32) {
    let wanted = u64::from(connections) + OTHERS;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit >= wanted => {}
        Ok(limit) => {
            tracing::warn!(limit, wanted, "fewer files may be open than there may be connections");
        }
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}
