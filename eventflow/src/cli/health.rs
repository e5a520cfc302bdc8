//! `health`: for containers, which have no other program to ask with.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Failure;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of its answer that are read.
const ANSWER_BYTES: u64 = 16 * 1024;

pub(super) fn ask(addr: SocketAddr) -> Result<(), Failure> {
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)
        .map_err(|error| format!("nobody answers at {addr}: {error}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or("nothing");
    if status != "200" {
        return Err(format!("the server at {addr} is not ready: it answered {status}").into());
    }
    eprintln!("ready");
    Ok(())
}
