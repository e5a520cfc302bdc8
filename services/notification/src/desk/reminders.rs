//! Reminders: when they go out, and that they do, once.
//!
//! They are rows beside the event, so they survive a restart. A start that moves moves those
//! that have not gone out; one that has gone out goes out again only if the new time for it
//! is after the start that it announced: whoever came by it would have come in vain.

use engine::{BookingStatus, EventId, Timestamp, UserId};
use storage::StorageError;
use storage::notices::{Attendee, DeskStep, EventNote, NoticeId, NoticeKind, Reminder};

use super::crowd::News;
use super::{About, Desk};
use crate::letters::{self, Letter};

/// Most events, and most reminders, looked at in one step.
const PAGE: usize = 100;

/// What an event's reminders are from now on, as far as they differ from what is stored.
/// Nobody is reminded at a time that is past when the event gets its start.
pub(super) fn planned(
    event: &EventNote,
    stored: &[Reminder],
    spans_s: &[u32],
    now: Timestamp,
) -> Vec<Reminder> {
    spans_s
        .iter()
        .filter_map(|&span_s| {
            let old = stored.iter().find(|reminder| reminder.span_s == span_s).copied();
            let due_at = due(event, span_s);
            let comes = due_at > now && !event.cancelled;
            let new = Reminder {
                event: event.id,
                span_s,
                due_at,
                starts_at: event.starts_at,
                done: false,
            };
            match old {
                None => comes.then_some(new),
                Some(old) if old.done => (comes && due_at > old.starts_at).then_some(new),
                Some(_) if comes => Some(new),
                // It never goes out, and announced no start.
                Some(_) => Some(Reminder { done: true, starts_at: Timestamp::EPOCH, ..new }),
            }
        })
        .filter(|new| !stored.contains(new))
        .collect()
}

/// When a reminder so long before the start is due.
pub(crate) fn due(event: &EventNote, span_s: u32) -> Timestamp {
    Timestamp::from_millis(event.starts_at.millis().saturating_sub(i64::from(span_s) * 1_000))
}

/// The id of the notice that reminds somebody so long before the start that the event has.
pub(crate) fn id(event: &EventNote, span_s: u32, user: UserId) -> NoticeId {
    let about = About {
        user,
        kind: NoticeKind::EventReminder,
        event: event.id,
        booking: None,
        at: due(event, span_s),
        from: &[&span_s.to_be_bytes(), &event.starts_at.millis().to_be_bytes()],
    };
    about.id()
}

/// From when on a reminder is late, in milliseconds: it says how long it is then really.
const LATE_MS: i64 = 5 * 60 * 1_000;

impl Desk {
    /// Events that were there before a span was configured get it too.
    pub(super) async fn plan_reminders(&self) -> Result<(), StorageError> {
        let (mut after, now) = (None, self.shared.now());
        loop {
            let events = self.shared.store().upcoming(now, after, PAGE).await?;
            let Some(last) = events.last() else { break };
            after = Some(last.id);
            let mut missing = Vec::new();
            for event in &events {
                let stored = self.shared.store().reminders(event.id).await?;
                let planned = planned(event, &stored, &self.shared.options.reminders_s, now);
                let is_new = |new: &Reminder| stored.iter().all(|old| old.span_s != new.span_s);
                missing.extend(planned.into_iter().filter(is_new));
            }
            if !missing.is_empty() {
                let step = DeskStep { reminders: missing, ..DeskStep::default() };
                self.write(step).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn learn_next_reminder(&mut self) -> Result<(), StorageError> {
        let next = self.shared.store().next_reminders(1).await?;
        self.next_reminder = next.first().map(|reminder| reminder.due_at);
        Ok(())
    }

    /// Send the reminders whose time has come and is not after `until`.
    pub(super) async fn remind(&mut self, until: Timestamp) -> Result<(), StorageError> {
        let until = until.min(self.shared.now());
        while self.next_reminder.is_some_and(|at| at <= until) {
            let next = self.shared.store().next_reminders(1).await?;
            let Some(first) = next.first().filter(|next| next.due_at <= until) else {
                break;
            };
            self.remind_of(first.event).await?;
            self.learn_next_reminder().await?;
        }
        Ok(())
    }

    /// Of several that are due at once, as after a long rest, the last one says it all.
    async fn remind_of(&mut self, event: EventId) -> Result<(), StorageError> {
        let now = self.shared.now();
        let mut due = self.shared.store().reminders(event).await?;
        due.retain(|reminder| !reminder.done && reminder.due_at <= now);
        let configured = &self.shared.options.reminders_s;
        let last = due.iter().filter(|due| configured.contains(&due.span_s));
        let last = last.min_by_key(|reminder| reminder.span_s).copied();
        let note = self.event(event).await?;
        let note = note.filter(|event| !event.cancelled && event.starts_at > now);
        if let (Some(reminder), Some(event)) = (last, note) {
            self.send(&event, reminder).await?;
        }
        let done = due.into_iter().map(|reminder| Reminder { done: true, ..reminder });
        self.write(DeskStep { reminders: done.collect(), ..DeskStep::default() }).await
    }

    async fn send(&self, event: &EventNote, reminder: Reminder) -> Result<(), StorageError> {
        let mut letter = Letter::about(event, &self.shared.options.pages_url);
        let late = self.shared.now().millis().saturating_sub(reminder.due_at.millis());
        letter.until = if late < LATE_MS {
            letters::span(reminder.span_s)
        } else {
            letters::about(event.starts_at.millis() - self.shared.now().millis())
        };
        let start = reminder.starts_at.millis().to_be_bytes();
        let news = News {
            kind: NoticeKind::EventReminder,
            at: reminder.due_at,
            from: &[&reminder.span_s.to_be_bytes(), &start],
            letter,
        };
        // Who booked later knows when it is.
        let concerned = |attendee: &Attendee| {
            attendee.status == BookingStatus::Confirmed && attendee.since < reminder.due_at
        };
        self.tell_attendees(event, &news, concerned).await
    }
}

#[cfg(test)]
mod tests {
    use engine::UserId;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const SPANS: [u32; 2] = [86_400, 3_600];

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + hours * HOUR)
    }

    fn event(starts: i64) -> EventNote {
        EventNote {
            id: EventId([1; 16]),
            organizer: UserId([2; 16]),
            version: 1,
            title: "Tea".to_owned(),
            location: "Bern".to_owned(),
            starts_at: at(starts),
            ends_at: at(starts + 1),
            timezone: None,
            cancelled: false,
        }
    }

    fn reminder(hours_before: i64, starts: i64, done: bool) -> Reminder {
        Reminder {
            event: EventId([1; 16]),
            span_s: u32::try_from(hours_before * 3_600).unwrap(),
            due_at: at(starts - hours_before),
            starts_at: at(starts),
            done,
        }
    }

    #[test]
    fn only_what_is_still_to_come_is_planned() {
        let plan = |starts, now| planned(&event(starts), &[], &SPANS, at(now));
        assert_eq!(plan(100, 0), [reminder(24, 100, false), reminder(1, 100, false)]);
        assert_eq!(plan(100, 76), [reminder(1, 100, false)], "at that very time it is past");
        assert_eq!(plan(100, 99), []);
    }

    #[test]
    fn a_start_that_moves_moves_what_has_not_gone_out() {
        let stored = [reminder(24, 100, false), reminder(1, 100, false)];
        let plan = planned(&event(200), &stored, &SPANS, at(10));
        assert_eq!(plan, [reminder(24, 200, false), reminder(1, 200, false)]);
        assert_eq!(planned(&event(100), &stored, &SPANS, at(10)), [], "nothing is different");
        // So near that the first one's time is past: who was told of the new time knows.
        let plan = planned(&event(12), &stored, &SPANS, at(10));
        let never = Reminder { starts_at: Timestamp::EPOCH, ..reminder(24, 12, true) };
        assert_eq!(plan, [never, reminder(1, 12, false)]);
        // And far again: it has announced nothing yet.
        let plan = planned(&event(300), &plan, &SPANS, at(11));
        assert_eq!(plan, [reminder(24, 300, false), reminder(1, 300, false)]);
    }

    #[test]
    fn what_has_gone_out_goes_out_again_only_when_it_had_been_in_vain() {
        let stored = [reminder(24, 100, true), reminder(1, 100, false)];
        for (starts, again) in [(101, false), (124, false), (125, true), (300, true)] {
            let plan = planned(&event(starts), &stored, &SPANS, at(80));
            let day = plan.iter().find(|reminder| reminder.span_s == 86_400);
            assert_eq!(day.is_some(), again, "{starts}");
            assert!(plan.contains(&reminder(1, starts, false)), "{starts}");
        }
    }

    #[test]
    fn a_cancelled_event_reminds_nobody() {
        let stored = [reminder(24, 100, true), reminder(1, 100, false)];
        let cancelled = EventNote { cancelled: true, ..event(100) };
        let plan = planned(&cancelled, &stored, &SPANS, at(80));
        assert_eq!(plan.len(), 1);
        assert!(plan[0].done && plan[0].span_s == 3_600);
    }
}
