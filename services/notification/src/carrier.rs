//! The carrier: notices go out, are tried again, and end.
//!
//! Of each person one at a time, in the order in which they were made. A notice is written as
//! sent after it was handed over: cut off in between, it goes again, as the same message under
//! the same `Message-ID`. Into a folder that is the same file; at an SMTP server it is the one
//! window in which somebody may get a message twice. So there a connection takes its next
//! message only after the one before is written as sent: the window is one message wide per
//! connection in use. When nothing can be written, nothing more is handed over.
//!
//! A server that is away says nothing of a message: then all wait. How long they wait in all
//! is bounded by [`crate::Options::give_up`].

use std::collections::HashSet;
use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::{BookingStatus, Timestamp, UserId};
use futures_util::StreamExt;
use futures_util::stream;
use parking_lot::Mutex;
use storage::StorageError;
use storage::notices::{Notice, NoticeId, NoticeKind, NoticeStatus, Reach, Settled, Tried};
use tokio::time::{Instant, sleep, timeout};

use crate::contacts::contacts;
use crate::desk::{reminder_due, reminder_id, unwanted};
use crate::mail::{Mail, Mailer, NotSent};
use crate::pace::{Pace, outlived};
use crate::service::Shared;

/// Most notices taken up at a time.
const PAGE: usize = 100;

/// The clock is looked at this often at the latest: it may be set.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// How long to wait for a server that is away, or a store that fails, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Begins the reason of one that was given up.
pub(crate) const GIVEN_UP: &str = "Given up: ";

/// How often a message may be handed over so that it may have arrived each time. Somebody may
/// have that many of the same.
const UNCLEAR_MAX: u32 = 5;

/// How long what is under way may take when the process is told to stop.
const END: Duration = Duration::from_secs(5);

/// The carrier.
pub(crate) struct Carrier {
    shared: Arc<Shared>,
    mailer: Box<dyn Mailer>,
    /// Most hand-overs at once.
    at_once: usize,
    pace: Pace,
    /// What became of notices and could not be written yet; no more than a page.
    unwritten: Mutex<Vec<(NoticeId, Settled)>>,
    /// No more hand-overs are begun.
    ending: AtomicBool,
    /// Whether the server that is away could not be reached, so that knocking tells.
    knocks: AtomicBool,
}

/// What became of a round.
enum Round {
    /// Nothing was due.
    Idle,
    /// Something was settled.
    Worked(Heard),
    /// The server is away.
    Down(String),
}

/// What a round says of whoever takes mail.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    /// Nothing: nothing was handed over.
    Nothing,
    /// It answered for a message, whatever it said.
    Answered,
    /// It answered for none, and broke off or fell silent.
    Silent(String),
}

/// Why a round ended before its end.
enum Cut {
    Store(StorageError),
    Down(String),
}

impl From<StorageError> for Cut {
    fn from(error: StorageError) -> Self {
        Self::Store(error)
    }
}

impl Carrier {
    pub(crate) fn new(shared: Arc<Shared>, mailer: Box<dyn Mailer>, at_once: usize) -> Self {
        let pace = Pace::new(shared.options.share_percent);
        Self {
            shared,
            mailer,
            at_once: at_once.max(1),
            pace,
            unwritten: Mutex::default(),
            ending: AtomicBool::new(false),
            knocks: AtomicBool::new(false),
        }
    }

    /// Carry until `shutdown` resolves; what is under way then comes to its end, within
    /// [`END`].
    pub(crate) async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut pause = PAUSE_MIN;
        loop {
            let began = Instant::now();
            let round = {
                let mut round = pin!(outlived(self.round()));
                tokio::select! {
                    () = &mut shutdown => {
                        self.ending.store(true, Ordering::Relaxed);
                        // Dropped before its end, a message may have arrived and goes again.
                        let _ = timeout(END, round).await;
                        return;
                    }
                    round = &mut round => round,
                }
            };
            let wait = match round {
                Ok(Round::Worked(heard @ (Heard::Nothing | Heard::Answered))) => {
                    if heard == Heard::Answered {
                        self.is_down(None);
                    }
                    pause = PAUSE_MIN;
                    tokio::select! {
                        () = &mut shutdown => return,
                        () = self.pace.rest(began) => continue,
                    }
                }
                Ok(Round::Idle) => {
                    pause = PAUSE_MIN;
                    tokio::select! {
                        () = &mut shutdown => return,
                        () = self.knock() => {}
                    }
                    self.until_next().await
                }
                Ok(Round::Down(why) | Round::Worked(Heard::Silent(why))) => {
                    self.is_down(Some(&why));
                    let wait = pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                    wait
                }
                Err(error) => {
                    tracing::warn!(%error, "notices cannot be sent");
                    let wait = pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                    wait
                }
            };
            let idle = wait > Duration::ZERO && pause == PAUSE_MIN;
            tokio::select! {
                () = &mut shutdown => return,
                () = self.shared.queued.notified(), if idle => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Say once that the server is away, and once that it is back.
    fn is_down(&self, why: Option<&str>) {
        let was = self.shared.mail_down.swap(why.is_some(), Ordering::Relaxed);
        if let Some(why) = why.filter(|_| !was) {
            tracing::warn!(why, "mail cannot be sent; it waits");
        } else if why.is_none() && was {
            tracing::info!("mail can be sent again");
        }
    }

    /// Learn that a server is back for which no message waits just now: else it would be told
    /// to be away until there is one.
    async fn knock(&self) {
        let asks = self.shared.mail_is_down() && self.knocks.load(Ordering::Relaxed);
        if !asks {
            return;
        }
        let opened = outlived(async { Ok(self.mailer.knock().await.is_ok()) });
        if opened.await.unwrap_or(false) {
            self.is_down(None);
        }
    }

    async fn until_next(&self) -> Duration {
        // A failure is told by the next round.
        let next = self.shared.store().next_due().await.ok().flatten();
        let Some(next) = next else { return LOOK_EVERY };
        let millis = next.millis().saturating_sub(self.shared.now().millis());
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
            .clamp(Duration::from_millis(100), LOOK_EVERY)
    }

    async fn round(&self) -> Result<Round, StorageError> {
        // Until this is written they would be handed over again.
        self.write(Vec::new()).await?;
        let due = self.due().await?;
        if due.is_empty() {
            return Ok(Round::Idle);
        }
        let carried = self.carry(due).await;
        // Whether it answers for a message is not found out by knocking.
        let knocks = matches!(carried, Err(Cut::Down(_)));
        self.knocks.store(knocks, Ordering::Relaxed);
        match carried {
            Ok(heard) => Ok(Round::Worked(heard)),
            Err(Cut::Down(why)) => Ok(Round::Down(why)),
            Err(Cut::Store(error)) => Err(error),
        }
    }

    /// What is tried next.
    async fn due(&self) -> Result<Vec<Notice>, StorageError> {
        let (store, now) = (self.shared.store(), self.shared.now());
        let person = store.due(now, Reach::Person, PAGE).await?;
        let crowd = store.due(now, Reach::Crowd, PAGE).await?;
        Ok(page(person, crowd))
    }

    async fn carry(&self, due: Vec<Notice>) -> Result<Heard, Cut> {
        let users: Vec<UserId> = due.iter().map(|notice| notice.user).collect();
        let contacts = contacts(&self.shared.parts.auth, &users).await?;
        let preferences = self.shared.store().preferences(users).await?;
        let mut outcomes = Vec::new();
        let mut ready = Vec::new();
        for (notice, preferences) in due.into_iter().zip(&preferences) {
            let contact = contacts.get(&notice.user);
            let mut why = unwanted(contact, Some(preferences), notice.kind);
            if why.is_none() {
                why = self.is_out_of_date(&notice).await?;
            }
            match (why, contact) {
                (None, Some(contact)) => {
                    let mail = mail_of(&notice, &contact.name, &contact.email);
                    ready.push((notice, mail));
                }
                (why, _) => {
                    self.shared.meters.count(notice.kind, NoticeStatus::Suppressed);
                    let reason = why.unwrap_or("There is no such account.").to_owned();
                    outcomes.push((notice.id, Settled::Suppressed { reason }));
                }
            }
        }
        let heard = Mutex::new(Heard::Nothing);
        let (handed, ended) = self.hand_over(ready, &heard).await;
        // Before anything is written as sent, it has to be safe where it was handed over to.
        let safe = self.mailer.settle().await;
        if safe.is_ok() {
            outcomes.extend(handed);
        }
        self.write(outcomes).await?;
        ended?;
        safe.map_err(Cut::Down)?;
        Ok(heard.into_inner())
    }

    /// Why a reminder is of no use any more or says what is not true any more, if it waited
    /// that long, as for a server that was away.
    async fn is_out_of_date(&self, notice: &Notice) -> Result<Option<&'static str>, StorageError> {
        if notice.kind != NoticeKind::EventReminder {
            return Ok(None);
        }
        let store = self.shared.store();
        let event = match store.event(notice.event).await? {
            Some(event) if event.cancelled => return Ok(Some("The event does not take place.")),
            Some(event) if event.starts_at > self.shared.now() => event,
            _ => return Ok(Some("The event has begun.")),
        };
        let spans: Vec<u32> =
            store.reminders(event.id).await?.into_iter().map(|reminder| reminder.span_s).collect();
        let is_of = |span_s: &&u32| reminder_id(&event, **span_s, notice.user) == notice.id;
        let Some(span_s) = spans.iter().find(is_of) else {
            return Ok(Some("The event starts at another time."));
        };
        let is_due = |span_s: u32| reminder_due(&event, span_s) <= self.shared.now();
        if spans.iter().any(|later| later < span_s && is_due(*later)) {
            return Ok(Some("A later reminder is due."));
        }
        let attendee = store.attendee(event.id, notice.user).await?;
        let comes = attendee.is_some_and(|one| {
            one.status == BookingStatus::Confirmed && Some(one.booking) == notice.booking
        });
        Ok((!comes).then_some("The places were given up."))
    }

    /// Hand these over, some at once. What became of those that were tried and is not written
    /// yet, and why no more were begun.
    async fn hand_over(
        &self,
        ready: Vec<(Notice, Mail)>,
        heard: &Mutex<Heard>,
    ) -> (Vec<(NoticeId, Settled)>, Result<(), Cut>) {
        let mut outcomes = Vec::new();
        let mut ended = Ok(());
        let mut waiting = ready.into_iter();
        let hand_over = |(notice, mail): (Notice, Mail)| async move {
            let began = Instant::now();
            let sent = self.mailer.send(&mail).await;
            self.shared.meters.handed_over(began.elapsed());
            hear(&mut heard.lock(), &sent);
            let down = if let Err(NotSent::Down(why)) = &sent { Some(why.clone()) } else { None };
            let outcome = (notice.id, self.outcome(&notice, sent));
            if !self.mailer.takes_twice() {
                return (Some(outcome), down.map_or(Ok(()), |why| Err(Cut::Down(why))));
            }
            let written = self.write(vec![outcome]).await.map_err(Cut::Store);
            (None, written.and(down.map_or(Ok(()), |why| Err(Cut::Down(why)))))
        };
        let mut under_way: stream::FuturesUnordered<_> =
            waiting.by_ref().take(self.at_once).map(hand_over).collect();
        while let Some((outcome, cut)) = under_way.next().await {
            outcomes.extend(outcome);
            if cut.is_err() {
                ended = cut;
            }
            // Those that are under way come to their end. No more are begun, also where nobody
            // has answered so far: silence takes minutes for each.
            let silent = matches!(*heard.lock(), Heard::Silent(_));
            if ended.is_ok() && !silent && !self.ending.load(Ordering::Relaxed) {
                under_way.extend(waiting.next().map(hand_over));
            }
        }
        (outcomes, ended)
    }

    /// Write what became of notices, with what could not be written before.
    async fn write(&self, outcomes: Vec<(NoticeId, Settled)>) -> Result<(), StorageError> {
        self.count(&outcomes);
        let mut all = mem::take(&mut *self.unwritten.lock());
        all.extend(outcomes);
        if all.is_empty() {
            return Ok(());
        }
        let written = self.shared.store().settle(all.clone()).await;
        if written.is_err() {
            self.unwritten.lock().extend(all);
        }
        written
    }

    /// What becomes of a notice. One that met a server that is away goes to the end of the
    /// queue: a server may say so because of this very message. It is no try, but it is not
    /// waited for such a server for ever.
    fn outcome(&self, notice: &Notice, sent: Result<(), NotSent>) -> Settled {
        let now = self.shared.now();
        let (reason, tried) = match sent {
            Ok(()) => return self.counted(notice, Settled::Sent { at: now }),
            Err(NotSent::Never(reason) | NotSent::Unfit(reason)) => {
                return self.counted(notice, Settled::Failed { reason });
            }
            Err(NotSent::Later(reason) | NotSent::Silent(reason)) => (reason, Tried::Refused),
            Err(NotSent::Unknown(reason)) => (reason, Tried::Unclear),
            Err(NotSent::Down(reason)) => (reason, Tried::Away),
        };
        // The first try is never the last one, however long it had to wait for that.
        let first = notice.attempts == 0 && tried != Tried::Away;
        let age = now.millis().saturating_sub(notice.tried_since.millis());
        let give_up = self.shared.options.give_up.as_millis();
        let too_long = !first && u128::try_from(age).unwrap_or(0) >= give_up;
        let too_often = tried == Tried::Unclear && notice.unclear + 1 >= UNCLEAR_MAX;
        if too_long || too_often {
            let reason = format!("{GIVEN_UP}{reason}");
            return self.counted(notice, Settled::Failed { reason });
        }
        let pause = match tried {
            Tried::Away => self.shared.options.retry,
            Tried::Refused | Tried::Unclear => self.back_off(notice.attempts),
        };
        tracing::debug!(reason, "a notice is tried again");
        Settled::Later { at: now, next_at: later(now, pause), reason, tried }
    }

    fn counted(&self, notice: &Notice, settled: Settled) -> Settled {
        match settled {
            Settled::Sent { .. } => self.shared.meters.count(notice.kind, NoticeStatus::Sent),
            Settled::Failed { .. } => self.shared.meters.count(notice.kind, NoticeStatus::Failed),
            Settled::Later { .. } | Settled::Suppressed { .. } => {}
        }
        settled
    }

    /// The pause after so many tries that failed.
    fn back_off(&self, attempts: u32) -> Duration {
        let options = &self.shared.options;
        let factor = 1u32.checked_shl(attempts.min(20)).unwrap_or(u32::MAX);
        options.retry.saturating_mul(factor).min(options.retry_max)
    }

    fn count(&self, outcomes: &[(NoticeId, Settled)]) {
        for (_, outcome) in outcomes {
            if let Settled::Failed { reason } = outcome {
                tracing::warn!(reason, "a notice could not be sent");
            }
        }
    }
}

/// Of a page each reach has half, and what the other does not need: a letter to thousands holds
/// up what a person did, and the other way round, by a round at most.
///
/// Both come from reads of their own. What somebody put back between these may be of a person
/// who has one in the other: it waits for the next page, as of each person one goes at a time.
fn page(mut person: Vec<Notice>, mut crowd: Vec<Notice>) -> Vec<Notice> {
    let taken: HashSet<UserId> = person.iter().map(|notice| notice.user).collect();
    crowd.retain(|notice| !taken.contains(&notice.user));
    crowd.truncate((PAGE / 2).max(PAGE - person.len()));
    person.truncate(PAGE - crowd.len());
    person.append(&mut crowd);
    person
}

/// What one hand-over says of whoever takes mail, after those before it in this round.
fn hear(heard: &mut Heard, sent: &Result<(), NotSent>) {
    match sent {
        Ok(()) | Err(NotSent::Never(_) | NotSent::Later(_)) => *heard = Heard::Answered,
        Err(NotSent::Unknown(why) | NotSent::Silent(why)) if *heard != Heard::Answered => {
            *heard = Heard::Silent(why.clone());
        }
        // One that is away ends the round.
        Err(NotSent::Unknown(_) | NotSent::Silent(_) | NotSent::Down(_) | NotSent::Unfit(_)) => {}
    }
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.millis().saturating_add(millis))
}

fn mail_of(notice: &Notice, name: &str, address: &str) -> Mail {
    Mail {
        id: notice.id.0,
        to_address: address.to_owned(),
        to_name: Some(name.to_owned()).filter(|name| !name.is_empty()),
        subject: notice.subject.clone(),
        text: notice.text.clone(),
        html: notice.html.clone(),
        created_at: notice.created_at,
    }
}

#[cfg(test)]
mod tests;
