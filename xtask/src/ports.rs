//! Free ports on 127.0.0.1.

use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// The first port that is given out.
const FIRST: u16 = 10_000;

/// Where the system begins to give ports to connections, if it does not say so.
const CONNECTIONS: u16 = 32_768;

/// Ports that one process of ours looks at before it comes to those of another.
const STRIDE: u32 = 50;

/// Ports that were given out by this process, or looked at: nobody listens on them yet.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// The first of so many ports in a row on which nobody listens now.
///
/// They lie below those that the system gives to connections: a server that is killed and
/// started again would now and then find its port taken.
///
/// # Errors
/// When there are none.
pub(crate) fn free_ports(count: u16) -> Result<u16> {
    let all = u32::from(end().saturating_sub(FIRST)).max(1);
    // Two that run at the same time begin in different places.
    let begin = std::process::id().wrapping_mul(STRIDE) % all;
    loop {
        let given = GIVEN.fetch_add(count, Ordering::Relaxed);
        if u32::from(given) + u32::from(count) > all {
            bail!("there are no {count} free ports in a row");
        }
        let Ok(first) = u16::try_from((begin + u32::from(given)) % all) else { continue };
        let mut row = (FIRST + first..).take(usize::from(count));
        if row.all(|port| port < end() && TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return Ok(FIRST + first);
        }
    }
}

/// The first port that the system gives to connections.
fn end() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    // A system that gives out nearly all of them leaves us no other choice.
    first.filter(|first| *first > FIRST + 1_000).unwrap_or(CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_do_not_meet_and_are_not_those_of_connections() {
        let (one, two) = (free_ports(20).unwrap(), free_ports(4).unwrap());
        assert!(one.abs_diff(two) >= 4, "{one} {two}");
        assert!(one >= FIRST && one + 20 <= end(), "{one}");
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(TcpListener::bind(("127.0.0.1", port)).is_err());
        let first = free_ports(3).unwrap();
        assert!((first..first + 3).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()));
    }
}
