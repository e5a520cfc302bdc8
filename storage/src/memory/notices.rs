//! Notices in memory.

use std::collections::{BTreeMap, BTreeSet};

use engine::{BookingStatus, EventId, Timestamp, UserId};
use parking_lot::Mutex;

use super::now as at_once;
use crate::notices::{
    Announced, Announcement, AnnouncementLimit, Answer, Attendee, DeskStep, EventNote, NewNotice,
    Notice, NoticeId, NoticeKind, NoticePage, NoticeStatus, NoticeStore, Preferences,
    PreferencesChange, Reach, Reminder, Settled, StoredTemplate, Tried,
};

/// Notices in memory.
#[derive(Debug, Default)]
pub struct MemoryNotices {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    began: Option<Timestamp>,
    /// In the order in which they were made.
    notices: Vec<Notice>,
    events: BTreeMap<EventId, EventNote>,
    /// Those whose attendees and reminders are forgotten.
    forgotten: BTreeSet<EventId>,
    attendees: BTreeMap<(EventId, UserId), Attendee>,
    reminders: BTreeMap<(EventId, u32), Reminder>,
    preferences: BTreeMap<UserId, Preferences>,
    templates: BTreeMap<NoticeKind, StoredTemplate>,
    /// With whether everybody has it.
    announcements: Vec<(Announcement, bool)>,
}

impl State {
    fn find(&mut self, id: NoticeId) -> Option<&mut Notice> {
        self.notices.iter_mut().find(|notice| notice.id == id)
    }

    fn queued(&self) -> impl Iterator<Item = &Notice> {
        self.notices.iter().filter(|notice| notice.status == NoticeStatus::Queued)
    }

    /// Attendees first, at most `limit` in all; an event without any is done with.
    fn forget_events(&mut self, before: Timestamp, limit: usize) -> usize {
        let over = self.events.values().filter(|event| event.ends_at < before);
        let over = over.map(|event| (event.id, event.cancelled));
        let over: Vec<_> = over.filter(|(id, _)| !self.forgotten.contains(id)).collect();
        let mut count = 0;
        for (event, cancelled) in over {
            self.attendees.retain(|(at, _), _| {
                let forget = *at == event && count < limit;
                count += usize::from(forget);
                !forget
            });
            if count >= limit {
                break;
            }
            self.reminders.retain(|(of, _), _| *of != event);
            if cancelled {
                self.events.remove(&event);
            } else {
                self.forgotten.insert(event);
            }
            count += 1;
        }
        count
    }

    fn take(&mut self, step: DeskStep) {
        for new in step.notices {
            if self.find(new.id).is_none() {
                self.notices.push(stored(new));
            }
        }
        for attendee in step.attendees {
            let place = (attendee.event, attendee.user);
            let newer = |old: &Attendee| (attendee.era, attendee.stamp) > (old.era, old.stamp);
            if self.attendees.get(&place).is_none_or(newer) {
                self.attendees.insert(place, attendee);
            }
        }
        if let Some(event) = step.event {
            self.forgotten.remove(&event.id);
            self.events.insert(event.id, event);
        }
        for reminder in step.reminders {
            self.reminders.insert((reminder.event, reminder.span_s), reminder);
        }
        for (announcement, done) in &mut self.announcements {
            *done |= step.announced == Some(announcement.id);
        }
    }
}

fn stored(new: NewNotice) -> Notice {
    let status = match &new.suppressed {
        Some(_) => NoticeStatus::Suppressed,
        None => NoticeStatus::Queued,
    };
    Notice {
        id: new.id,
        user: new.user,
        kind: new.kind,
        event: new.event,
        booking: new.booking,
        subject: new.subject,
        text: new.text,
        html: new.html,
        status,
        reason: new.suppressed,
        attempts: 0,
        unclear: 0,
        tried_since: new.queued_at,
        created_at: new.created_at,
        next_at: new.created_at,
        sent_at: None,
    }
}

fn settle(notice: &mut Notice, outcome: Settled) {
    match outcome {
        Settled::Sent { at } => {
            notice.status = NoticeStatus::Sent;
            notice.sent_at = Some(at);
            notice.reason = None;
            notice.attempts += 1;
        }
        Settled::Later { at, next_at, reason, tried } => {
            notice.next_at = next_at;
            notice.reason = Some(reason);
            if tried != Tried::Away {
                notice.tried_since = if notice.attempts == 0 { at } else { notice.tried_since };
                notice.attempts += 1;
            }
            notice.unclear += u32::from(tried == Tried::Unclear);
        }
        Settled::Failed { reason } => {
            notice.status = NoticeStatus::Failed;
            notice.reason = Some(reason);
            notice.attempts += 1;
        }
        Settled::Suppressed { reason } => {
            notice.status = NoticeStatus::Suppressed;
            notice.reason = Some(reason);
        }
    }
}

fn put_back(notice: &mut Notice, now: Timestamp) {
    notice.status = NoticeStatus::Queued;
    notice.next_at = now;
    notice.tried_since = now;
    notice.attempts = 0;
    notice.unclear = 0;
    notice.reason = None;
    notice.sent_at = None;
}

impl NoticeStore for MemoryNotices {
    fn began(&self, now: Timestamp) -> Answer<'_, Timestamp> {
        at_once(*self.state.lock().began.get_or_insert(now))
    }

    fn take(&self, step: DeskStep) -> Answer<'_, ()> {
        self.state.lock().take(step);
        at_once(())
    }

    fn event(&self, id: EventId) -> Answer<'_, Option<EventNote>> {
        at_once(self.state.lock().events.get(&id).cloned())
    }

    fn upcoming(
        &self,
        now: Timestamp,
        after: Option<EventId>,
        limit: usize,
    ) -> Answer<'_, Vec<EventNote>> {
        let state = self.state.lock();
        let events = state
            .events
            .values()
            .filter(|event| Some(event.id) > after && event.starts_at > now && !event.cancelled);
        at_once(events.take(limit).cloned().collect())
    }

    fn attendees(
        &self,
        event: EventId,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<Attendee>> {
        let state = self.state.lock();
        let there = state.attendees.values().filter(|attendee| {
            attendee.event == event
                && Some(attendee.user) > after
                && attendee.status != BookingStatus::Cancelled
        });
        at_once(there.take(limit).copied().collect())
    }

    fn attendee(&self, event: EventId, user: UserId) -> Answer<'_, Option<Attendee>> {
        at_once(self.state.lock().attendees.get(&(event, user)).copied())
    }

    fn reminders(&self, event: EventId) -> Answer<'_, Vec<Reminder>> {
        let state = self.state.lock();
        at_once(
            state.reminders.values().filter(|reminder| reminder.event == event).copied().collect(),
        )
    }

    fn next_reminders(&self, limit: usize) -> Answer<'_, Vec<Reminder>> {
        let state = self.state.lock();
        let mut next: Vec<_> = state.reminders.values().filter(|r| !r.done).copied().collect();
        next.sort_by_key(|reminder| (reminder.due_at, reminder.event, reminder.span_s));
        next.truncate(limit);
        at_once(next)
    }

    fn due(&self, now: Timestamp, reach: Reach, limit: usize) -> Answer<'_, Vec<Notice>> {
        let state = self.state.lock();
        let mut seen = BTreeSet::new();
        let first = state.queued().filter(|notice| seen.insert(notice.user));
        let due = first.filter(|notice| notice.next_at <= now && notice.kind.reach() == reach);
        let mut due: Vec<_> = due.cloned().collect();
        due.sort_by_key(|notice| notice.next_at);
        due.truncate(limit);
        at_once(due)
    }

    fn next_due(&self) -> Answer<'_, Option<Timestamp>> {
        let state = self.state.lock();
        let mut seen = BTreeSet::new();
        let first = state.queued().filter(|notice| seen.insert(notice.user));
        at_once(first.map(|notice| notice.next_at).min())
    }

    fn settle(&self, outcomes: Vec<(NoticeId, Settled)>) -> Answer<'_, ()> {
        let mut state = self.state.lock();
        for (id, outcome) in outcomes {
            let queued = state.find(id).filter(|notice| notice.status == NoticeStatus::Queued);
            if let Some(notice) = queued {
                settle(notice, outcome);
            }
        }
        at_once(())
    }

    fn get(&self, id: NoticeId) -> Answer<'_, Option<Notice>> {
        at_once(self.state.lock().find(id).cloned())
    }

    fn list(&self, user: UserId, page: NoticePage) -> Answer<'_, Vec<Notice>> {
        let state = self.state.lock();
        let mut own: Vec<Notice> = state
            .notices
            .iter()
            .filter(|notice| {
                notice.user == user
                    && page.before.is_none_or(|before| notice.id < before)
                    && page.kind.is_none_or(|kind| notice.kind == kind)
                    && page.status.is_none_or(|status| notice.status == status)
            })
            .cloned()
            .collect();
        own.sort_by_key(|notice| std::cmp::Reverse(notice.id));
        own.truncate(page.limit);
        at_once(own)
    }

    fn requeue(
        &self,
        id: NoticeId,
        now: Timestamp,
        only_failed: bool,
    ) -> Answer<'_, Option<Notice>> {
        let mut state = self.state.lock();
        let notice = state.find(id);
        let fits = |n: &&mut Notice| !only_failed || n.status == NoticeStatus::Failed;
        let notice = notice
            .filter(fits)
            .filter(|n| n.status != NoticeStatus::Suppressed || !n.html.is_empty());
        at_once(notice.map(|notice| {
            put_back(notice, now);
            notice.clone()
        }))
    }

    fn requeue_failed(&self, now: Timestamp, limit: usize) -> Answer<'_, usize> {
        let mut state = self.state.lock();
        let failed = state.notices.iter_mut().filter(|n| n.status == NoticeStatus::Failed);
        at_once(failed.take(limit).map(|notice| put_back(notice, now)).count())
    }

    fn waiting(&self) -> Answer<'_, (u64, u64)> {
        let state = self.state.lock();
        let failed = state.notices.iter().filter(|n| n.status == NoticeStatus::Failed).count();
        at_once((state.queued().count() as u64, failed as u64))
    }

    fn told_since(&self, users: Vec<UserId>, since: Timestamp, most: u32) -> Answer<'_, Vec<u32>> {
        let state = self.state.lock();
        let of = |user| {
            let own = state.notices.iter().filter(|n| {
                n.user == user && n.created_at >= since && n.status != NoticeStatus::Suppressed
            });
            u32::try_from(own.take(most as usize).count()).unwrap_or(most)
        };
        at_once(users.into_iter().map(of).collect())
    }

    fn preferences(&self, users: Vec<UserId>) -> Answer<'_, Vec<Preferences>> {
        let state = self.state.lock();
        let of = |user| state.preferences.get(&user).cloned().unwrap_or_default();
        at_once(users.into_iter().map(of).collect())
    }

    fn change_preferences(
        &self,
        user: UserId,
        change: PreferencesChange,
    ) -> Answer<'_, Preferences> {
        let mut state = self.state.lock();
        let stored = state.preferences.entry(user).or_default();
        *stored = std::mem::take(stored).changed(&change);
        at_once(stored.clone())
    }

    fn templates(&self) -> Answer<'_, Vec<StoredTemplate>> {
        at_once(self.state.lock().templates.values().cloned().collect())
    }

    fn set_template(&self, template: StoredTemplate) -> Answer<'_, ()> {
        self.state.lock().templates.insert(template.kind, template);
        at_once(())
    }

    fn remove_template(&self, kind: NoticeKind) -> Answer<'_, bool> {
        at_once(self.state.lock().templates.remove(&kind).is_some())
    }

    fn announce(
        &self,
        mut announcement: Announcement,
        limit: AnnouncementLimit,
    ) -> Answer<'_, Announced> {
        let mut state = self.state.lock();
        let known = state.announcements.iter().find(|(known, _)| known.key == announcement.key);
        if let Some((known, _)) = known {
            return at_once(Announced::Known(known.clone()));
        }
        let recent = state
            .announcements
            .iter()
            .filter(|(a, _)| a.event == announcement.event && a.created_at >= limit.since)
            .count();
        if recent >= limit.most as usize {
            return at_once(Announced::TooMany);
        }
        let concerned = state.attendees.values().filter(|attendee| {
            attendee.event == announcement.event && announcement.to.includes(attendee.status)
        });
        announcement.recipients = u32::try_from(concerned.count()).unwrap_or(u32::MAX);
        state.announcements.push((announcement.clone(), false));
        at_once(Announced::Stored(announcement))
    }

    fn announcements(&self, limit: usize) -> Answer<'_, Vec<Announcement>> {
        let state = self.state.lock();
        let open = state.announcements.iter().filter(|(_, done)| !done);
        at_once(open.take(limit).map(|(announcement, _)| announcement.clone()).collect())
    }

    fn forget(&self, before: Timestamp, limit: usize) -> Answer<'_, usize> {
        let mut state = self.state.lock();
        let mut forgotten = 0;
        state.notices.retain(|notice| {
            let old = notice.status != NoticeStatus::Queued && notice.created_at < before;
            let forget = old && forgotten < limit;
            forgotten += usize::from(forget);
            !forget
        });
        let mut messages = 0;
        state.announcements.retain(|(announcement, done)| {
            let forget = *done && announcement.created_at < before && messages < limit;
            messages += usize::from(forget);
            !forget
        });
        at_once(forgotten + messages + state.forget_events(before, limit))
    }
}
