//! Redis that keeps what it acknowledges.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(2);

pub(super) fn command(folder: &Path, port: u16) -> Result<Command> {
    let settings = folder.join("redis.conf");
    fs::write(
        &settings,
        format!(
            "bind 127.0.0.1\nport {port}\ndir {}\ndaemonize no\nsave \"\"\nappendonly yes\n\
             appendfsync always\nno-appendfsync-on-rewrite no\nmaxmemory-policy noeviction\n",
            folder.display()
        ),
    )?;
    let mut command = Command::new("redis-server");
    command.arg(settings);
    Ok(command)
}

/// A PING is answered by a PONG, not by word that it is still loading.
pub(super) fn answers(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, LIMIT) else { return false };
    let mut answer = [0; 7];
    stream.set_read_timeout(Some(LIMIT)).is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"+PONG\r\n"
}
