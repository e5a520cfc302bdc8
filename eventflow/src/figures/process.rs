//! What the system knows of this process, under the names that Prometheus gives it. Read from
//! `/proc`; elsewhere there is nothing.

use std::sync::OnceLock;

use metrics::{Counter, Gauge, counter, gauge};

/// Ticks of the clock by which Linux tells processor time to programs: always a hundred a
/// second.
const TICKS: u64 = 100;

/// What is told here.
pub(super) const NAMES: &[&str] = &[
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
];

struct Handles {
    start: Gauge,
    cpu: Counter,
    memory: Gauge,
    open: Gauge,
    most: Gauge,
}

static HANDLES: OnceLock<Handles> = OnceLock::new();

/// Look it up. This reads files.
pub(super) fn set_gauges() {
    let handles = HANDLES.get_or_init(|| Handles {
        start: gauge!("process_start_time_seconds"),
        cpu: counter!("process_cpu_seconds_total"),
        memory: gauge!("process_resident_memory_bytes"),
        open: gauge!("process_open_fds"),
        most: gauge!("process_max_fds"),
    });
    let Some(seen) = Seen::now() else { return };
    handles.start.set(seen.started as f64);
    // A counter is a whole number here: full seconds.
    handles.cpu.absolute(seen.cpu);
    handles.memory.set(seen.memory as f64);
    handles.open.set(seen.open as f64);
    handles.most.set(seen.most as f64);
}

struct Seen {
    /// Seconds since 1970.
    started: u64,
    /// Seconds.
    cpu: u64,
    /// Bytes.
    memory: u64,
    open: u64,
    most: u64,
}

impl Seen {
    fn now() -> Option<Self> {
        let read = |name: &str| std::fs::read_to_string(name).ok();
        let stat = read("/proc/self/stat")?;
        // The second field is the program's name, in which anything may be.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
        let boot = read("/proc/stat")?;
        let boot = boot.lines().find_map(|line| line.strip_prefix("btime "))?;
        let boot: u64 = boot.trim().parse().ok()?;
        let status = read("/proc/self/status")?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let memory: u64 = memory.split_whitespace().next()?.parse().ok()?;
        let limits = read("/proc/self/limits")?;
        let most = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        let most = most.split_whitespace().next()?.parse().unwrap_or(u64::MAX);
        Some(Self {
            started: boot + field(22)? / TICKS,
            cpu: (field(14)? + field(15)?) / TICKS,
            memory: memory * 1024,
            open: std::fs::read_dir("/proc/self/fd").ok()?.count() as u64,
            most,
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_seen() {
        let seen = super::Seen::now().expect("/proc can be read");
        assert!(seen.memory > 100_000 && seen.open > 2 && seen.most >= seen.open);
        assert!(seen.started > 1_500_000_000, "{}", seen.started);
    }
}
