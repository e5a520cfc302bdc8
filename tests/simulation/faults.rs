//! What breaks in a run, and when it is whole again.

use harness::random::Random;

use crate::world::{HEALED, MILLI, Micros, REPLICAS, STORE, World};

/// Something that breaks, or is mended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// `kill -9` of a replica; it is started again after so long.
    Kill(usize, Micros),
    Start(usize),
    /// A stopped process goes on after so long.
    Pause(usize, Micros),
    /// A replica is told to stop; it is killed and started again after so long.
    Drain(usize, Micros),
    /// The store's machine loses its power, or only its process is killed.
    Store {
        power: bool,
        down: Micros,
    },
    StoreUp,
    /// Two of replicas and store do not reach each other for so long.
    Cut(usize, usize, Micros),
    Mend(usize, usize),
    /// Everything is mended.
    Heal,
}

/// Plans faults.
pub(crate) struct Faults;

impl Faults {
    /// The faults of a run, in no order.
    pub(crate) fn plan(random: &mut Random) -> Vec<(Micros, Fault)> {
        let mut plan = vec![(HEALED, Fault::Heal)];
        for _ in 0..random.below(9) {
            let at = 700 * MILLI + random.below(HEALED - 1_000 * MILLI);
            let which = usize::try_from(random.below(REPLICAS as u64)).expect("few");
            let other = usize::try_from(random.below(REPLICAS as u64)).expect("few");
            let short = (20 + random.below(900)) * MILLI;
            let long = (100 + random.below(4_000)) * MILLI;
            plan.push((
                at,
                match random.below(10) {
                    0 | 1 => Fault::Kill(which, short),
                    2 => Fault::Kill(which, long),
                    3 => Fault::Pause(which, short),
                    4 => Fault::Pause(which, long),
                    5 => Fault::Drain(which, long),
                    6 => Fault::Store { power: true, down: short },
                    7 => Fault::Store { power: random.chance(50), down: short },
                    8 => Fault::Cut(which, STORE, long),
                    _ if which != other => Fault::Cut(which, other, long),
                    _ => Fault::Cut(which, STORE, short),
                },
            ));
        }
        plan
    }
}

impl World {
    pub(crate) fn strike(&mut self, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::Kill(which, down) => {
                self.hosts[which].up = false;
                self.fault_at(now + down, Fault::Start(which));
            }
            Fault::Start(which) => {
                if !self.hosts[which].up {
                    self.hosts[which] = self.new_host(which);
                }
            }
            Fault::Pause(which, span) => self.hosts[which].paused_until = now + span,
            Fault::Drain(which, span) => {
                self.hosts[which].ownership.drain();
                self.fault_at(now + span, Fault::Kill(which, MILLI));
            }
            Fault::Store { power, down } => {
                if self.store_up {
                    self.store_dies(power);
                    self.fault_at(now + down, Fault::StoreUp);
                }
            }
            Fault::StoreUp => self.store_up = true,
            Fault::Cut(one, other, span) => {
                self.cut.insert((one.min(other), one.max(other)));
                self.fault_at(now + span, Fault::Mend(one, other));
            }
            Fault::Mend(one, other) => {
                self.cut.remove(&(one.min(other), one.max(other)));
            }
            Fault::Heal => {
                self.cut.clear();
                self.store_up = true;
                for which in 0..REPLICAS {
                    self.hosts[which].paused_until = now;
                    if !self.hosts[which].up {
                        self.hosts[which] = self.new_host(which);
                    }
                }
            }
        }
    }
}
