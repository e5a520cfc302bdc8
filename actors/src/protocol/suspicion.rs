//! Which replicas live, as far as one of them can tell. Advisory: a wrong verdict costs a
//! reload, never a booking. Everything is judged by the observer's own monotonic clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use storage::{Member, MemberState};

use super::{Moment, Replica};

/// How often every peer is pinged, in milliseconds.
pub const PING_EVERY: Moment = 100;

/// A peer that has been silent for this long is dead if there is one more sign of it.
pub const SILENCE: Moment = 600;

/// A row of `members` that has not changed for this long is such a sign.
pub const STALE_ROW: Moment = 1_000;

/// A peer whose last word from the store is older than this has lost it.
pub const STORE_LOST: Moment = 600;

/// A store that has come back is everybody's after this.
pub const STORE_SETTLED: Moment = 2_000;

/// How long a replica that sees more than half of all silent takes itself for the cause.
pub const SELF_DOUBT: Moment = 3_000;

/// Members silent for this long count no more.
pub const FORGOTTEN: Moment = 30_000;

/// If so much time lies between two looks, it was the observer that did not run: nobody's
/// silence of that time means anything.
pub const OWN_PAUSE: Moment = 300;

/// What a ping is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pong {
    /// Who answers.
    pub from: Replica,
    /// How far it is.
    pub state: MemberState,
    /// How long ago the store last answered it, in milliseconds.
    pub store_age: Moment,
    /// The peers that it does not hear.
    pub silent: Vec<Replica>,
}

/// How a peer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answers, or has answered a moment ago.
    Alive,
    /// It is gone: its partitions may be claimed.
    Dead,
    /// It answers, but has lost the store, which this replica has.
    Unfit,
}

/// The other replicas, as seen by one.
#[derive(Debug)]
pub struct Peers {
    me: Replica,
    peers: BTreeMap<Arc<str>, Peer>,
    /// When the last look was.
    looked: Moment,
    /// When the store last answered.
    store_answered: Moment,
    /// Since when it answers again, if it had been silent for long.
    store_back: Option<Moment>,
    /// Since when more than half of all look silent.
    doubt: Option<Moment>,
}

#[derive(Debug)]
struct Peer {
    replica: Replica,
    address: String,
    state: MemberState,
    tick: u64,
    /// When its row was last seen to have changed.
    ticked: Moment,
    /// When it last answered a ping, or was first seen.
    answered: Moment,
    /// Since when it has been ready.
    ready_since: Option<Moment>,
    /// Its connection was reset and a new one refused: the process is gone.
    refused: bool,
    /// How old its store's last word was when it answered.
    store_age: Moment,
    /// Whom it does not hear.
    silent: BTreeSet<Replica>,
}

impl Peers {
    /// Nobody is known yet.
    #[must_use]
    pub fn new(me: Replica, now: Moment) -> Self {
        let peers = BTreeMap::new();
        Self { me, peers, looked: now, store_answered: now, store_back: None, doubt: None }
    }

    /// The table of members was read.
    pub fn members(&mut self, now: Moment, rows: &[Member]) {
        self.store_answered(now);
        for row in rows.iter().filter(|row| *row.node != *self.me.node) {
            let incarnation = u64::from_be_bytes(row.incarnation);
            match self.peers.get_mut(row.node.as_str()) {
                Some(peer) if peer.replica.incarnation == incarnation => {
                    if peer.tick != row.tick {
                        (peer.tick, peer.ticked) = (row.tick, now);
                    }
                    peer.address.clone_from(&row.address);
                    peer.has_state(row.state, now);
                }
                _ => {
                    let peer = Peer::new(row, incarnation, now);
                    self.peers.insert(Arc::clone(&peer.replica.node), peer);
                }
            }
        }
        // Whoever has left has taken its row along.
        self.peers.retain(|node, _| rows.iter().any(|row| row.node == **node));
    }

    /// A ping was answered.
    pub fn pong(&mut self, now: Moment, pong: Pong) {
        let Some(peer) = self.peers.get_mut(&pong.from.node) else { return };
        if peer.replica != pong.from {
            return;
        }
        peer.answered = now;
        peer.refused = false;
        peer.store_age = pong.store_age;
        peer.silent = pong.silent.into_iter().collect();
        peer.has_state(pong.state, now);
    }

    /// Its connection was reset, and connecting again refused. Nothing else says so for
    /// certain: a host that refuses is there, and the process is not.
    pub fn refused(&mut self, replica: &Replica) {
        if let Some(peer) = self.peers.get_mut(&replica.node)
            && peer.replica == *replica
        {
            peer.refused = true;
        }
    }

    /// The store answered something.
    pub fn store_answered(&mut self, now: Moment) {
        if self.store_age(now) >= STORE_LOST {
            self.store_back = Some(now);
        }
        self.store_answered = now;
    }

    /// How long ago the store last answered.
    #[must_use]
    pub fn store_age(&self, now: Moment) -> Moment {
        now.saturating_sub(self.store_answered)
    }

    /// To be called at least every [`PING_EVERY`]: notices one's own pauses, and whether
    /// one has to doubt oneself.
    pub fn look(&mut self, now: Moment) {
        if now.saturating_sub(self.looked) > OWN_PAUSE {
            for peer in self.peers.values_mut() {
                peer.answered = now;
                peer.ticked = now;
            }
        }
        self.looked = now;
        let silent = self.peers.values().filter(|peer| self.looks_silent(peer, now)).count();
        let counted = self.peers.values().filter(|peer| !peer.is_forgotten(now)).count();
        if silent * 2 > counted + 1 {
            self.doubt.get_or_insert(now);
        } else {
            self.doubt = None;
        }
    }

    /// Whether what looks dead may be claimed: not while the cause is more probably here.
    #[must_use]
    pub fn trusts_itself(&self, now: Moment) -> bool {
        let has_store = self.store_age(now) < STORE_LOST;
        let doubts = self.doubt.is_some_and(|since| now.saturating_sub(since) < SELF_DOUBT);
        has_store && !doubts
    }

    /// How a replica looks; one that is not a member any more, or was another life of a
    /// member, is dead.
    #[must_use]
    pub fn verdict(&self, replica: &Replica, now: Moment) -> Verdict {
        match self.peers.get(&replica.node) {
            Some(peer) if peer.replica == *replica => self.judge(peer, now),
            _ => Verdict::Dead,
        }
    }

    /// The names of the living that take partitions, without this replica.
    pub fn takers(&self, now: Moment) -> impl Iterator<Item = &str> {
        self.peers.iter().filter(move |(_, peer)| self.takes(peer, now)).map(|(node, _)| &**node)
    }

    /// The names of those among them that have been ready for so long.
    pub fn settled(&self, now: Moment, since: Moment) -> impl Iterator<Item = &str> {
        let settled = move |peer: &Peer| {
            peer.ready_since.is_some_and(|ready| now.saturating_sub(ready) >= since)
        };
        let peers = self.peers.iter().filter(move |(_, p)| self.takes(p, now) && settled(p));
        peers.map(|(node, _)| &**node)
    }

    /// Everybody to ping: who counts, with the address.
    pub fn to_ping(&self, now: Moment) -> impl Iterator<Item = (&Replica, &str)> {
        let counted = self.peers.values().filter(move |peer| !peer.is_forgotten(now));
        counted.map(|peer| (&peer.replica, peer.address.as_str()))
    }

    /// How many others there are in the table of members.
    #[must_use]
    pub fn known(&self) -> usize {
        self.peers.len()
    }

    /// The address of a member by its name.
    #[must_use]
    pub fn address(&self, node: &str) -> Option<&str> {
        self.peers.get(node).map(|peer| peer.address.as_str())
    }

    /// The peers that this replica does not hear: what its pongs tell others.
    #[must_use]
    pub fn silent(&self, now: Moment) -> Vec<Replica> {
        let silent = self.peers.values().filter(|peer| peer.is_silent(now));
        silent.map(|peer| peer.replica.clone()).collect()
    }

    fn takes(&self, peer: &Peer, now: Moment) -> bool {
        peer.state == MemberState::Ready && self.judge(peer, now) == Verdict::Alive
    }

    fn judge(&self, peer: &Peer, now: Moment) -> Verdict {
        if peer.refused {
            return Verdict::Dead;
        }
        if peer.is_silent(now) {
            let row_is_stale = now.saturating_sub(peer.ticked) > STALE_ROW;
            let sign = row_is_stale || self.somebody_else_misses(peer, now);
            return if sign { Verdict::Dead } else { Verdict::Alive };
        }
        if peer.store_age > STORE_LOST && self.has_store(now) {
            return Verdict::Unfit;
        }
        Verdict::Alive
    }

    /// Whether the store answers, and has for so long that it would have answered others too:
    /// who is the first to hear of it after a restart has not outlived anybody.
    fn has_store(&self, now: Moment) -> bool {
        let settled = self.store_back.is_none_or(|back| now.saturating_sub(back) >= STORE_SETTLED);
        self.store_age(now) < STORE_LOST && settled
    }

    /// What counts for self-doubt: silence may be one's own. A refusal cannot.
    fn looks_silent(&self, peer: &Peer, now: Moment) -> bool {
        !peer.refused && !peer.is_forgotten(now) && self.judge(peer, now) != Verdict::Alive
    }

    fn somebody_else_misses(&self, missed: &Peer, now: Moment) -> bool {
        let mut others = self.peers.values().filter(|other| {
            other.replica != missed.replica && !other.refused && !other.is_silent(now)
        });
        others.any(|other| other.silent.contains(&missed.replica))
    }
}

impl Peer {
    fn new(row: &Member, incarnation: u64, now: Moment) -> Self {
        Self {
            replica: Replica::new(&row.node, incarnation),
            address: row.address.clone(),
            state: row.state,
            tick: row.tick,
            ticked: now,
            answered: now,
            ready_since: (row.state == MemberState::Ready).then_some(now),
            refused: false,
            store_age: 0,
            silent: BTreeSet::new(),
        }
    }

    fn has_state(&mut self, state: MemberState, now: Moment) {
        self.state = state;
        if state == MemberState::Ready {
            self.ready_since.get_or_insert(now);
        } else {
            self.ready_since = None;
        }
    }

    fn is_silent(&self, now: Moment) -> bool {
        now.saturating_sub(self.answered) >= SILENCE
    }

    fn is_forgotten(&self, now: Moment) -> bool {
        let quiet = |since: Moment| now.saturating_sub(since) >= FORGOTTEN;
        quiet(self.answered) && quiet(self.ticked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(node: &str, incarnation: u64, tick: u64) -> Member {
        Member {
            node: node.into(),
            incarnation: incarnation.to_be_bytes(),
            address: format!("{node}:1"),
            state: MemberState::Ready,
            tick,
        }
    }

    /// `b1` among others, looking every 100 ms, until it has seen them all once.
    fn peers(others: &[&str]) -> Peers {
        let mut peers = Peers::new(Replica::new("b1", 1), 0);
        peers.members(0, &others.iter().map(|node| row(node, 1, 1)).collect::<Vec<_>>());
        peers
    }

    fn pong(node: &str, store_age: Moment, silent: &[&str]) -> Pong {
        Pong {
            from: Replica::new(node, 1),
            state: MemberState::Ready,
            store_age,
            silent: silent.iter().map(|node| Replica::new(node, 1)).collect(),
        }
    }

    /// Time passes; those named answer all the while.
    fn pass(peers: &mut Peers, from: Moment, to: Moment, answering: &[Pong]) {
        for now in (from..=to).step_by(100) {
            for pong in answering {
                peers.pong(now, pong.clone());
            }
            peers.store_answered(now);
            peers.look(now);
        }
    }

    fn verdict(peers: &Peers, node: &str, now: Moment) -> Verdict {
        peers.verdict(&Replica::new(node, 1), now)
    }

    #[test]
    fn silence_alone_is_no_death() {
        let mut peers = peers(&["b2", "b3"]);
        pass(&mut peers, 0, 900, &[pong("b3", 0, &[])]);
        assert_eq!(verdict(&peers, "b2", 900), Verdict::Alive, "only I miss it, its row is young");
        pass(&mut peers, 1_000, 1_000, &[pong("b3", 0, &["b2"])]);
        assert_eq!(verdict(&peers, "b2", 1_000), Verdict::Dead, "another misses it as well");
        assert_eq!(verdict(&peers, "b3", 1_000), Verdict::Alive);
    }

    #[test]
    fn a_row_that_stands_still_is_the_other_sign() {
        let mut peers = peers(&["b2"]);
        pass(&mut peers, 0, 1_000, &[]);
        assert_eq!(verdict(&peers, "b2", 1_000), Verdict::Alive);
        pass(&mut peers, 1_100, 1_100, &[]);
        assert_eq!(verdict(&peers, "b2", 1_100), Verdict::Dead);
        peers.members(1_200, &[row("b2", 1, 2)]);
        assert_eq!(verdict(&peers, "b2", 1_200), Verdict::Alive, "it ticks after all");
    }

    #[test]
    fn a_refused_connection_is_death_at_once_until_it_answers() {
        let mut peers = peers(&["b2", "b3"]);
        peers.refused(&Replica::new("b2", 9));
        assert_eq!(verdict(&peers, "b2", 10), Verdict::Alive, "that was another life");
        peers.refused(&Replica::new("b2", 1));
        assert_eq!(verdict(&peers, "b2", 10), Verdict::Dead);
        assert!(peers.trusts_itself(10), "a refusal is nobody's imagination");
        peers.pong(20, pong("b2", 0, &[]));
        assert_eq!(verdict(&peers, "b2", 20), Verdict::Alive);
    }

    #[test]
    fn who_lost_the_store_is_unfit_unless_everybody_has() {
        let mut peers = peers(&["b2", "b3"]);
        let lost = [pong("b2", 700, &[]), pong("b3", 0, &[])];
        pass(&mut peers, 0, 100, &lost);
        assert_eq!(verdict(&peers, "b2", 100), Verdict::Unfit);
        // Now this replica has not heard of the store either.
        for now in (200..=1_000).step_by(100) {
            peers.pong(now, lost[0].clone());
            peers.look(now);
        }
        assert_eq!(verdict(&peers, "b2", 1_000), Verdict::Alive, "the store is down for all");
        assert!(!peers.trusts_itself(1_000));
    }

    #[test]
    fn the_first_to_hear_of_a_store_that_is_back_takes_nothing_from_anybody() {
        let mut peers = peers(&["b2", "b3"]);
        let lost = [pong("b2", 5_000, &[]), pong("b3", 5_000, &[])];
        for now in (100..=5_000).step_by(100) {
            lost.iter().for_each(|lost| peers.pong(now, lost.clone()));
            peers.look(now);
        }
        pass(&mut peers, 5_100, 5_500, &lost);
        assert_eq!(verdict(&peers, "b2", 5_500), Verdict::Alive, "they will hear of it too");
        pass(&mut peers, 5_600, 5_100 + STORE_SETTLED, &lost);
        assert_eq!(verdict(&peers, "b2", 5_100 + STORE_SETTLED), Verdict::Unfit, "they did not");
    }

    #[test]
    fn who_sees_most_others_dead_doubts_itself_for_a_while() {
        let mut peers = peers(&["b2", "b3"]);
        pass(&mut peers, 0, 1_100, &[]);
        assert_eq!(verdict(&peers, "b2", 1_100), Verdict::Dead);
        assert!(!peers.trusts_itself(1_100), "two of three at once");
        pass(&mut peers, 1_200, 4_100, &[]);
        assert!(peers.trusts_itself(4_100), "nobody else will do it");
    }

    #[test]
    fn one_of_two_that_is_gone_is_no_reason_for_doubt() {
        let mut peers = peers(&["b2"]);
        pass(&mut peers, 0, 1_100, &[]);
        assert_eq!(verdict(&peers, "b2", 1_100), Verdict::Dead);
        assert!(peers.trusts_itself(1_100));
    }

    #[test]
    fn who_was_paused_itself_blames_nobody() {
        let mut peers = peers(&["b2", "b3"]);
        pass(&mut peers, 0, 500, &[pong("b2", 0, &[]), pong("b3", 0, &["b2"])]);
        peers.store_answered(6_000);
        peers.look(6_000);
        assert_eq!(verdict(&peers, "b2", 6_000), Verdict::Alive);
    }

    #[test]
    fn a_new_life_is_somebody_else_and_who_left_is_gone() {
        let mut peers = peers(&["b2"]);
        peers.members(10, &[row("b2", 2, 1)]);
        assert_eq!(peers.verdict(&Replica::new("b2", 1), 10), Verdict::Dead);
        assert_eq!(peers.verdict(&Replica::new("b2", 2), 10), Verdict::Alive);
        peers.members(20, &[]);
        assert_eq!(peers.verdict(&Replica::new("b2", 2), 20), Verdict::Dead);
    }

    #[test]
    fn the_long_silent_count_no_more() {
        let mut peers = peers(&["b2", "b3", "b4"]);
        pass(&mut peers, 0, FORGOTTEN, &[]);
        assert_eq!(peers.to_ping(FORGOTTEN).count(), 0);
        assert!(peers.trusts_itself(FORGOTTEN), "they are no majority any more");
    }
}
