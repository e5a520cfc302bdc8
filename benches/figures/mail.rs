//! Bookings while the mail server is up, away, or silent: mail is behind the booking path,
//! so they must not differ.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use benches::load::Generator;
use benches::people::Signer;
use benches::post::{Mood, Post};
use benches::process::Server;
use benches::spread::Spread;
use engine::UserId;
use serde_json::json;

use crate::Options;
use crate::sides::{self, bookings, create_event, reads};

/// Bookings of a round, each by somebody with an account and an address.
const BOOKINGS: usize = 10_000;

/// One in so many books once before anything is measured: a process that has just started
/// is slower.
const WARM_UP: usize = 10;

/// Connections that book.
const CONNECTIONS: usize = 64;

/// Connections that make accounts; fewer than may wait for a hash.
const REGISTRARS: usize = 32;

/// Longest time until all messages of a round were sent.
const ROUND_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Longest time until all messages of all rounds were sent, once mail is up.
const ALL_LIMIT: Duration = Duration::from_secs(20 * 60);

const MIB: f64 = 1_048_576.0;

/// One server with its mail server.
struct Side {
    name: &'static str,
    mood: Mood,
    post: Post,
    server: Server,
    signer: Signer,
    people: Vec<UserId>,
    rates: Vec<f64>,
    ratios: Vec<f64>,
    /// Messages that had not been handed over when the last booking was answered.
    waiting: Vec<f64>,
    /// Seconds until everything was sent, of each round or at the end.
    sent_after: Vec<f64>,
    resident_before: u64,
}

/// Prints the table.
pub(crate) fn measure(options: &Options) -> Result<()> {
    let count = options.users.min(BOOKINGS);
    let generator = Generator::new()?;
    let mut sides = Vec::new();
    for (name, mood) in
        [("up", Mood::Up), ("refuses connections", Mood::Away), ("hangs", Mood::Silent)]
    {
        let side = Side::begin(&generator, name, mood, count)?;
        let few = side.people.len().div_ceil(WARM_UP);
        side.book(&generator, few)?;
        sides.push(side);
    }
    for round in 0..options.rounds {
        let mut rates = [0.0; 3];
        // Each is first, second and third in turns.
        for turn in 0..sides.len() {
            let which = (turn + round) % sides.len();
            rates[which] = sides[which].round(&generator)?;
        }
        for (side, rate) in sides.iter_mut().zip(rates) {
            side.rates.push(rate);
            side.ratios.push(rate / rates[0]);
        }
    }
    for side in &mut sides {
        side.finish(count * options.rounds + count.div_ceil(WARM_UP))?;
    }
    print(count, options.rounds, &sides)?;
    for side in sides {
        side.server.stop()?;
    }
    Ok(())
}

/// What came of a run.
struct Booked {
    /// Bookings a second.
    rate: f64,
    /// Messages that had not been handed over when the last one was answered.
    waiting: usize,
    /// Seconds until everything was sent, where mail is up.
    sent_after: Option<f64>,
}

impl Side {
    fn begin(generator: &Generator, name: &'static str, mood: Mood, count: usize) -> Result<Self> {
        let post = Post::start(mood)?;
        let port = post.port().to_string();
        let server = sides::eventflow_in(&[
            ("EVENTFLOW_NOTIFICATION__SMTP__HOST", "127.0.0.1"),
            ("EVENTFLOW_NOTIFICATION__SMTP__PORT", &port),
            ("EVENTFLOW_NOTIFICATION__SMTP__TLS", "none"),
            // Accounts are not what is measured.
            ("EVENTFLOW_AUTH__HASH_MEMORY_KIB", "8"),
            ("EVENTFLOW_AUTH__HASH_PASSES", "1"),
        ])?;
        let signer = Signer::of(&server.data())?;
        let bodies = (0..count).map(|number| {
            let person = json!({
                "username": format!("person{number}"),
                "email": format!("person{number}@example.org"),
                "password": format!("plum-Tractor-{number}"),
            });
            person.to_string()
        });
        let people = generator.register(server.addr(), REGISTRARS, bodies.collect())?;
        server.settle()?;
        let resident_before = server.resident_bytes()?;
        let (rates, ratios, waiting, sent_after) = Default::default();
        Ok(Self {
            name,
            mood,
            post,
            server,
            signer,
            people,
            rates,
            ratios,
            waiting,
            sent_after,
            resident_before,
        })
    }

    /// Everybody books at a new event; bookings a second.
    fn round(&mut self, generator: &Generator) -> Result<f64> {
        let booked = self.book(generator, self.people.len())?;
        self.waiting.push(booked.waiting as f64);
        self.sent_after.extend(booked.sent_after);
        Ok(booked.rate)
    }

    /// So many of the people book at a new event. Returns when there is nothing left to do
    /// that could slow the next side.
    fn book(&self, generator: &Generator, count: usize) -> Result<Booked> {
        let addr = self.server.addr();
        let people = &self.people[..count];
        let tokens = Arc::new(self.signer.tokens_of(people)?);
        generator.run(addr, CONNECTIONS, reads(&tokens))?;
        let event = create_event(generator, addr, &self.signer, count)?;
        self.server.settle()?;
        let before = self.post.messages();
        let run = generator.run(addr, CONNECTIONS, bookings(&event, &tokens))?;
        let after = self.post.messages();
        let sent_after = if self.mood == Mood::Up {
            Some(self.post.wait_for(before + count, ROUND_LIMIT)?.as_secs_f64())
        } else {
            None
        };
        self.server.settle()?;
        Ok(Booked { rate: run.rate(), waiting: count - (after - before), sent_after })
    }

    /// Mail comes back, if it was away; everything is sent, and nothing twice.
    fn finish(&mut self, messages: usize) -> Result<()> {
        if self.mood != Mood::Up {
            self.post.come_back(self.mood)?;
            let took = self.post.wait_for(messages, ALL_LIMIT)?;
            self.sent_after.push(took.as_secs_f64());
        }
        self.server.settle()?;
        let taken = self.post.taken();
        ensure!(taken == messages, "{}: {taken} messages instead of {messages}", self.name);
        Ok(())
    }
}

fn print(count: usize, rounds: usize, sides: &[Side]) -> Result<()> {
    println!("\n## Bookings while mail is up, away, silent\n");
    println!("{count} bookings a round by people with accounts, {CONNECTIONS} connections,");
    println!("{rounds} rounds in turns; median (least–greatest). \"of up\" compares within a");
    println!("round. Where mail was away, \"sent after\" is the time from its return until all");
    let messages = count * rounds + count.div_ceil(WARM_UP);
    println!("{messages} messages, those of the warm-up among them, were sent.\n");
    println!(
        "| mail | bookings/s | of up | waiting after the last | sent after, s | MiB before | MiB at most |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for side in sides {
        println!(
            "| {} | {:.0} | **{:.2}** | {:.0} | {:.1} | {:.0} | {:.0} |",
            side.name,
            Spread::of(&side.rates),
            Spread::of(&side.ratios),
            Spread::of(&side.waiting),
            Spread::of(&side.sent_after),
            side.resident_before as f64 / MIB,
            side.server.peak_resident_bytes().context("its memory")? as f64 / MIB,
        );
    }
    Ok(())
}
