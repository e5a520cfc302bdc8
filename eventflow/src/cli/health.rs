//! `health`: for containers, which have no other program to ask with.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::Failure;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of its answer that are read.
const ANSWER_BYTES: u64 = 16 * 1024;

/// Where a server on this machine is reached that listens at `listen`.
pub(super) fn reached_at(listen: SocketAddr) -> Result<SocketAddr, Failure> {
    if listen.port() == 0 {
        return Err("server.listen takes any free port: say which one with --addr".into());
    }
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

pub(super) fn ask(addr: SocketAddr) -> Result<(), Failure> {
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)
        .map_err(|error| format!("nobody answers at {addr}: {error}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let silent = |error| format!("the server at {addr} does not answer: {error}");
    // In one piece: a server that breaks off must not meet a second one.
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(silent)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer).map_err(silent)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or("nothing");
    if status != "200" {
        return Err(format!("the server at {addr} is not ready: it answered {status}").into());
    }
    eprintln!("the server at {addr} is ready");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_loopback() {
        let reached = |listen: &str| reached_at(listen.parse().unwrap()).map(|at| at.to_string());
        assert_eq!(reached("0.0.0.0:8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(reached("[::]:9000").unwrap(), "[::1]:9000");
        assert_eq!(reached("192.0.2.7:80").unwrap(), "192.0.2.7:80");
        assert!(reached("127.0.0.1:0").unwrap_err().to_string().contains("--addr"));
    }

    #[test]
    fn a_server_that_breaks_off_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            // Closed with bytes unread: a reset, not an end.
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0]).unwrap();
        });
        let told = ask(addr).unwrap_err().to_string();
        server.join().unwrap();
        assert!(told.contains(&addr.to_string()), "{told}");
    }
}
