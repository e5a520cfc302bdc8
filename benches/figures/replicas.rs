//! Bookings through the gateway to booking replicas, divided by the same on one process with
//! its folder of files, both in one run, in turns. The replicas run already: `cargo xtask
//! cluster --no-limits`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use benches::load::{Generator, Run};
use benches::people::Signer;
use benches::spread::Spread;

use crate::Options;
use crate::sides::{self, bookings, bookings_at, create_event};

/// The numbers of connections that are measured.
const CONNECTIONS: [usize; 2] = [64, 256];

/// Events of the second kind of run.
const EVENTS: usize = 100;

/// The machine is at rest when it is idle for more than this share of a look.
const REST: f64 = 0.85;

/// How long a look takes.
const LOOK: Duration = Duration::from_millis(500);

/// How long a rest is waited for: lists are brought up to date meanwhile.
const REST_LIMIT: Duration = Duration::from_secs(60);

/// One side of the comparison.
struct Side {
    addr: SocketAddr,
    signer: Signer,
}

impl Side {
    fn run(&self, generator: &Generator, n: usize, events: usize, count: usize) -> Result<Run> {
        let tokens = self.signer.tokens(count)?;
        let made = (0..events).map(|_| create_event(generator, self.addr, &self.signer, count));
        let made = made.collect::<Result<Vec<_>>>()?;
        rest()?;
        let plan = match &made[..] {
            [one] => bookings(one, &tokens),
            many => bookings_at(many, &tokens),
        };
        generator.run(self.addr, n, plan)
    }
}

/// Both kinds of run, for both numbers of connections.
pub(crate) fn measure(addr: &str, data: &str, options: &Options) -> Result<()> {
    let addr = addr.parse().with_context(|| format!("{addr} is no address"))?;
    let cluster = Side { addr, signer: Signer::of(Path::new(data))? };
    let ours = sides::eventflow()?;
    let alone = Side { addr: ours.addr(), signer: Signer::of(&ours.data())? };
    println!("\n## Replicas over one process\n");
    println!("{} rounds per row, in turns, of {} bookings each;", options.rounds, options.fresh);
    println!("tokens never seen before on both sides; median (least–greatest)\n");
    println!("| events | connections | replicas, bookings/s | one process, bookings/s | ratio |");
    println!("| --- | --- | --- | --- | --- |");
    let generator = Generator::new()?;
    for events in [1, EVENTS] {
        for connections in CONNECTIONS {
            let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..options.rounds {
                let many = cluster.run(&generator, connections, events, options.fresh)?;
                let one = alone.run(&generator, connections, events, options.fresh)?;
                a.push(many.rate());
                b.push(one.rate());
                ratios.push(many.rate() / one.rate());
            }
            println!(
                "| {events} | {connections} | {:.0} | {:.0} | **{:.2}** |",
                Spread::of(&a),
                Spread::of(&b),
                Spread::of(&ratios)
            );
        }
    }
    ours.stop()?;
    Ok(())
}

/// Wait until the machine has nothing to do: what one side still works off must not slow the
/// other one down.
fn rest() -> Result<()> {
    let until = Instant::now() + REST_LIMIT;
    loop {
        let before = ticks()?;
        // Nobody wakes it earlier; if somebody did, the look would be shorter.
        thread::park_timeout(LOOK);
        let after = ticks()?;
        let (all, idle) = (after.0 - before.0, after.1 - before.1);
        if idle / all.max(1.0) > REST {
            return Ok(());
        }
        if Instant::now() >= until {
            bail!("the machine does not come to rest: something else runs on it");
        }
    }
}

/// Ticks of all processors, and the idle ones among them.
fn ticks() -> Result<(f64, f64)> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let numbers: Vec<f64> = line.split_whitespace().skip(1).flat_map(str::parse).collect();
    ensure!(numbers.len() > 4, "/proc/stat is not as expected");
    Ok((numbers.iter().sum(), numbers[3] + numbers[4]))
}
