//! Whether a history, the journal on disk and what is served at the end can be the work
//! of a correct EventFlow.
//!
//! The journal proposes an order of everything that happened. The reference [`course`]
//! plays it from the beginning and judges every step by rules of its own; then every
//! answer, read and refusal of the history must fit into that order at some point
//! between its begin and its end, and whatever was answered must be in it. Nothing here
//! calls the engine: a mistake would have to be made twice to go unseen.
//!
//! All of it takes O(n log n) for n calls; a refusal or a read adds the number of
//! decisions that may have happened while it ran.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::history::Call;
use crate::journal::Journal;
use crate::served::Served;

pub mod course;
mod effects;
mod ending;
mod outside;
mod reads;
mod refusals;
pub mod report;
mod sequence;
mod windows;

pub use outside::check_from_outside;
pub use report::{Check, Report};

use course::Course;
use windows::Windows;

/// What there is to judge by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Every call, in the order in which they began.
    pub calls: &'a [Call],
    /// What lies on disk.
    pub journal: &'a Journal,
    /// What is answered at the end.
    pub served: &'a Served,
}

/// The course of each event.
type Courses = BTreeMap<Uuid, Course>;

/// Judges everything, by every check.
#[must_use]
pub fn check(evidence: &Evidence<'_>) -> Report {
    let mut report = Report::default();
    sequence::check(evidence.journal, &mut report);
    let courses = play(evidence.journal, &mut report);
    let effects = effects::match_calls(evidence, &courses, &mut report);
    let windows: BTreeMap<Uuid, Windows> = courses
        .iter()
        .map(|(event, course)| (*event, Windows::of(course, &effects, &mut report)))
        .collect();
    let scene = Scene { courses: &courses, windows: &windows, effects: &effects };
    reads::check(evidence.calls, &scene, &mut report);
    refusals::check(evidence.calls, &scene, &mut report);
    ending::check(evidence, &courses, &mut report);
    report
}

/// What reads and refusals are judged against.
struct Scene<'a> {
    courses: &'a Courses,
    windows: &'a BTreeMap<Uuid, Windows>,
    effects: &'a effects::Effects,
}

fn play(journal: &Journal, report: &mut Report) -> Courses {
    let mut courses = Courses::new();
    for batch in &journal.batches {
        let course = courses.entry(batch.event).or_insert_with(|| Course::new(batch.event));
        // Numbered as stored: where that contradicts the order, `sequence` has said so.
        let mut seq = batch.first_seq;
        for decision in &batch.decisions {
            course.decide(decision, seq, report);
            seq += decision.facts.len() as u64;
        }
    }
    courses
}
