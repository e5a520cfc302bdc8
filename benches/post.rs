//! A mail server that counts what it is given and keeps nothing. It can be away, or silent.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Most connections at once; further ones are closed.
const CONNECTIONS: usize = 64;

/// Most messages that are told apart.
const MESSAGES: usize = 1_000_000;

/// Longest silence of a client.
const SILENCE: Duration = Duration::from_secs(120);

/// How often is looked whether something has changed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a mail server begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It takes messages.
    Up,
    /// Connections are refused.
    Away,
    /// It takes connections and says nothing.
    Silent,
}

/// A mail server.
#[derive(Debug)]
pub struct Post {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    talks: AtomicBool,
    connections: AtomicUsize,
    ids: Mutex<HashSet<String>>,
    taken: AtomicUsize,
}

impl Post {
    /// One on a port of its own.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start(mood: Mood) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let post = Self { address: listener.local_addr()?, shared: Arc::default() };
        post.shared.talks.store(mood == Mood::Up, Ordering::Relaxed);
        if mood != Mood::Away {
            post.listen(listener);
        }
        Ok(post)
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// It takes messages from now on, whatever it did before.
    ///
    /// # Errors
    /// When somebody has its port.
    pub fn come_back(&self, from: Mood) -> Result<()> {
        if from == Mood::Away {
            self.listen(TcpListener::bind(self.address)?);
        }
        self.shared.talks.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// How many different messages it has taken.
    ///
    /// # Panics
    /// Never: a thread that died with the lock held leaves the set as it was.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.shared.ids.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many it has taken in all, the same ones again among them.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.shared.taken.load(Ordering::Relaxed)
    }

    /// Waits until it has taken so many different ones; how long that took.
    ///
    /// # Errors
    /// When they do not come within `limit`.
    pub fn wait_for(&self, messages: usize, limit: Duration) -> Result<Duration> {
        let began = Instant::now();
        while self.messages() < messages {
            if began.elapsed() > limit {
                let (have, limit) = (self.messages(), limit.as_secs());
                bail!("{have} of {messages} messages within {limit} s");
            }
            thread::park_timeout(LOOK_EVERY);
        }
        Ok(began.elapsed())
    }

    /// The thread ends with the process.
    fn listen(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                if shared.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
                    shared.connections.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                thread::spawn(move || {
                    // A client that goes away is the end of it.
                    let _ended = talk(stream, &shared);
                    shared.connections.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
    }
}

fn talk(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let began = Instant::now();
    while !shared.talks.load(Ordering::Relaxed) {
        if began.elapsed() > SILENCE {
            return Ok(());
        }
        thread::park_timeout(LOOK_EVERY);
    }
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    let mut answers = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    answers.write_all(b"220 here\r\n")?;
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match line.get(..4).unwrap_or_default() {
            "DATA" => {
                answers.write_all(b"354 go on\r\n")?;
                take(&mut lines, shared)?;
                answers.write_all(b"250 taken\r\n")?;
            }
            "QUIT" => return answers.write_all(b"221 bye\r\n"),
            _ => answers.write_all(b"250 yes\r\n")?,
        }
    }
}

/// One message, to its final dot.
fn take(lines: &mut impl BufRead, shared: &Shared) -> io::Result<()> {
    let mut line = String::new();
    let mut id = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            break;
        }
        if let Some(rest) = line.strip_prefix("Message-ID:") {
            rest.trim().clone_into(&mut id);
        }
    }
    shared.taken.fetch_add(1, Ordering::Relaxed);
    let mut ids = shared.ids.lock().unwrap_or_else(PoisonError::into_inner);
    if ids.len() < MESSAGES {
        ids.insert(id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_comes_twice_is_one() {
        let post = Post::start(Mood::Up).unwrap();
        for id in ["<a@b>", "<a@b>", "<c@b>"] {
            let mut stream = TcpStream::connect(post.address).unwrap();
            let mail = format!("EHLO x\r\nMAIL FROM:<>\r\nDATA\r\nMessage-ID: {id}\r\n\r\n.\r\n");
            stream.write_all(mail.as_bytes()).unwrap();
            let answers: Vec<String> =
                BufReader::new(stream).lines().take(5).map(Result::unwrap).collect();
            assert_eq!(answers[4], "250 taken");
        }
        assert_eq!((post.messages(), post.taken()), (2, 3));
    }

    #[test]
    fn one_that_was_away_comes_back_on_its_port() {
        let post = Post::start(Mood::Away).unwrap();
        assert!(TcpStream::connect(post.address).is_err());
        post.come_back(Mood::Away).unwrap();
        let mut line = String::new();
        BufReader::new(TcpStream::connect(post.address).unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "220 here\r\n");
    }
}
