//! The journal as one chain: positions and seqs without gaps, epochs that never fall,
//! hashes that verify.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::report::{Check, Report};
use crate::journal::{Batch, Journal};

/// Where an event's journal stands.
#[derive(Clone, Copy, Default)]
struct Stand {
    seq: u64,
    epoch: u64,
    chain: [u8; 16],
    at: i64,
}

pub(super) fn check(journal: &Journal, report: &mut Report) {
    let mut stands = BTreeMap::new();
    let mut position = 0;
    for batch in &journal.batches {
        position += 1;
        if batch.position != position {
            report.add(Check::Sequence, || {
                format!("the batch after position {} has {}", position - 1, batch.position)
            });
            position = batch.position;
        }
        step(stands.entry(batch.event).or_default(), batch, report);
    }
}

fn step(stand: &mut Stand, batch: &Batch, report: &mut Report) {
    let (event, position) = (batch.event, batch.position);
    let facts: u64 = batch.decisions.iter().map(|decision| decision.facts.len() as u64).sum();
    if batch.first_seq != stand.seq + 1 || batch.last_seq + 1 != batch.first_seq + facts {
        report.add(Check::Sequence, || {
            format!(
                "event {event}, batch {position}: seqs {}..={} with {facts} booking events \
                 after seq {}",
                batch.first_seq, batch.last_seq, stand.seq
            )
        });
    }
    stand.seq = batch.first_seq.saturating_sub(1) + facts;
    if batch.epoch < stand.epoch {
        report.add(Check::Sequence, || {
            format!("event {event}, batch {position}: epoch {} after {}", batch.epoch, stand.epoch)
        });
    }
    stand.epoch = batch.epoch;
    let digest = Sha256::new().chain_update(stand.chain).chain_update(&batch.blob).finalize();
    if digest[..16] != batch.chain {
        report.add(Check::Sequence, || {
            format!("event {event}, batch {position}: the chain does not verify")
        });
    }
    stand.chain = batch.chain;
    for decision in &batch.decisions {
        if decision.at < stand.at {
            report.add(Check::Sequence, || {
                format!("event {event}, batch {position}: time goes back to {}", decision.at)
            });
        }
        stand.at = decision.at;
    }
}
