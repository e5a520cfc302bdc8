//! The desk: facts, reminders and organizers' messages become notices.
//!
//! There is one, so nobody comes between what it reads and what it writes. Each step can be
//! repeated: a notice's id follows from what it tells and whom, an attendee's state from the
//! newest fact. Where a step is cut off, the bus brings its facts again.
//!
//! ```text
//! bookings    what became of one person's places
//! events      an event came into being, changed, or was cancelled
//! reminders   when they go out, and that they do
//! crowd       something that all attendees of an event are told
//! ```

mod bookings;
mod crowd;
mod events;
mod reminders;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use engine::{BookingId, EventId, Timestamp, UserId};
use sha2::{Digest, Sha256};
use storage::notices::{
    DeskStep, EventNote, NewNotice, NoticeId, NoticeKind, NoticeStatus, Preferences,
};
use storage::{Delivery, StorageError};
use tokio::time::{Instant, sleep};

use crate::contacts::{Contact, contacts};
use crate::facts::{Fact, What, facts};
use crate::letters::Letter;
use crate::pace::{Pace, outlived};
use crate::service::{DAY_MS, Shared};

pub(crate) use reminders::{due as reminder_due, id as reminder_id};

/// Under this name notices follow the bus.
pub(crate) const SUBSCRIBER: &str = "notification";

/// Most messages taken from the bus at a time.
const DELIVERIES: usize = 100;

/// Most facts about places, and most attendees, that become notices in one step.
const STEP: usize = 256;

/// How long to wait after a failure of bus, store or auth, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The clock is looked at this often at the latest: it may be set.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// How often what is old is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// How far behind the desk may be and send reminders, in milliseconds.
const LAG_MS: i64 = 60_000;

/// Most notices, messages, attendees and events forgotten in one step, of each kind.
const FORGOTTEN: usize = 500;

/// Most events that are remembered between messages.
const KNOWN: usize = 1_000;

/// The desk.
struct Desk {
    shared: Arc<Shared>,
    pace: Pace,
    /// What happened before is told to nobody.
    began: Timestamp,
    /// Events as they are stored.
    known: HashMap<EventId, EventNote>,
    /// When the next reminder goes out.
    next_reminder: Option<Timestamp>,
    forget_at: Instant,
}

/// Work at the desk until `shutdown` resolves. A failing bus, store or auth service is tried
/// again with growing pauses.
pub(crate) async fn run(shared: Arc<Shared>, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let mut pause = PAUSE_MIN;
    let mut desk = None;
    // Looks at every event that is to come, so not after each failure again.
    let mut planned = false;
    loop {
        let step = async {
            if desk.is_none() {
                desk = Some(Desk::begin(Arc::clone(&shared), !planned).await?);
                planned = true;
            }
            match &mut desk {
                Some(desk) => desk.step().await,
                None => Ok(()),
            }
        };
        let step = tokio::select! {
            () = &mut shutdown => return,
            step = outlived(step) => step,
        };
        if let Err(error) = step {
            tracing::warn!(%error, "notices have to wait");
            // What it remembers may be of a step that was not written.
            desk = None;
            tokio::select! {
                () = &mut shutdown => return,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
        } else {
            pause = PAUSE_MIN;
        }
    }
}

impl Desk {
    /// With `plan`, spans that were configured since are planned for all events.
    async fn begin(shared: Arc<Shared>, plan: bool) -> Result<Self, StorageError> {
        let began = shared.store().began(shared.now()).await?;
        let pace = Pace::new(shared.options.share_percent);
        let mut desk = Self {
            shared,
            pace,
            began,
            known: HashMap::new(),
            next_reminder: None,
            forget_at: Instant::now(),
        };
        if plan {
            desk.plan_reminders().await?;
        }
        desk.learn_next_reminder().await?;
        Ok(desk)
    }

    /// What comes next, and what its time has come for.
    async fn step(&mut self) -> Result<(), StorageError> {
        let shared = Arc::clone(&self.shared);
        let mut seen = shared.now();
        let mut deliveries = tokio::select! {
            // What was booked before an organizer writes is known when that is sent.
            biased;
            deliveries = shared.bus().next(SUBSCRIBER, DELIVERIES) => deliveries?,
            () = shared.asked.notified() => Vec::new(),
            () = sleep(self.until_reminder()) => Vec::new(),
        };
        // What woke it may have come before what the bus has.
        if deliveries.is_empty() {
            seen = shared.now();
            if shared.bus().has_next(SUBSCRIBER).await? {
                deliveries = shared.bus().next(SUBSCRIBER, DELIVERIES).await?;
            }
        }
        if !deliveries.is_empty() {
            self.take(&deliveries).await?;
        }
        // Who is told, and what, is known when all has come by that happened until then. So a
        // backlog is worked off first; what was taken meanwhile is looked at by the next step.
        if deliveries.len() < DELIVERIES {
            self.remind(seen).await?;
            if self.announce(seen).await? && !deliveries.is_empty() {
                // Written meanwhile, and who booked before that may be on the bus by now.
                shared.asked.notify_one();
            }
        } else if let Some(until) = keeps_up(&deliveries, shared.now()) {
            self.remind(until).await?;
        }
        self.forget().await
    }

    async fn take(&mut self, deliveries: &[Delivery]) -> Result<(), StorageError> {
        let mut places = Vec::new();
        for delivery in deliveries {
            let facts = match facts(delivery) {
                Ok(facts) => facts,
                Err(StorageError::Damaged(cause)) => {
                    let (event, seq) = (delivery.event, delivery.seq.0);
                    tracing::error!(%event, seq, cause, "a message that nobody can be told of");
                    continue;
                }
                Err(error) => return Err(error),
            };
            for fact in facts {
                if matches!(fact.what, What::Places(_)) {
                    places.push(fact);
                    if places.len() == STEP {
                        self.tell_of_places(std::mem::take(&mut places)).await?;
                    }
                } else {
                    self.tell_of_places(std::mem::take(&mut places)).await?;
                    self.tell_of_event(fact).await?;
                }
            }
        }
        self.tell_of_places(places).await?;
        match deliveries.last() {
            Some(last) => self.shared.bus().acknowledge(SUBSCRIBER, last.number).await,
            None => Ok(()),
        }
    }

    /// An event as it is stored.
    async fn event(&mut self, id: EventId) -> Result<Option<EventNote>, StorageError> {
        if let Some(event) = self.known.get(&id) {
            return Ok(Some(event.clone()));
        }
        let event = self.shared.store().event(id).await?;
        if let Some(event) = &event {
            self.remember(event.clone());
        }
        Ok(event)
    }

    fn remember(&mut self, event: EventNote) {
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert(event.id, event);
    }

    /// Write a step; then its notices can go.
    async fn write(&self, step: DeskStep) -> Result<(), StorageError> {
        let any = !step.notices.is_empty();
        let quiet = step.notices.iter().filter(|notice| notice.suppressed.is_some());
        let quiet: Vec<NoticeKind> = quiet.map(|notice| notice.kind).collect();
        self.shared.store().take(step).await?;
        for kind in quiet {
            self.shared.meters.count(kind, NoticeStatus::Suppressed);
        }
        if any {
            self.shared.queued.notify_one();
        }
        Ok(())
    }

    /// Whether what happened then is told at all.
    fn is_told(&self, at: Timestamp) -> bool {
        at >= self.began
    }

    fn until_reminder(&self) -> Duration {
        let Some(at) = self.next_reminder else { return LOOK_EVERY };
        let millis = at.millis().saturating_sub(self.shared.now().millis());
        Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(LOOK_EVERY)
    }

    async fn forget(&mut self) -> Result<(), StorageError> {
        if Instant::now() < self.forget_at {
            return Ok(());
        }
        let kept = i64::try_from(self.shared.options.keep.as_millis()).unwrap_or(i64::MAX);
        let before = self.shared.now().millis().saturating_sub(kept);
        let before = Timestamp::from_millis(before);
        let forgotten = self.shared.store().forget(before, FORGOTTEN).await?;
        if forgotten > 0 {
            self.known.clear();
        }
        // While there is more, the next step goes on.
        let done = forgotten < FORGOTTEN;
        self.forget_at = Instant::now() + if done { FORGET_EVERY } else { Duration::ZERO };
        Ok(())
    }
}

/// Until when all is known that happened, if there is more on the bus, but nothing that is old:
/// where there is always more, reminders are sent all the same.
fn keeps_up(deliveries: &[Delivery], now: Timestamp) -> Option<Timestamp> {
    let last = facts(deliveries.last()?).ok()?.last()?.at;
    (now.millis().saturating_sub(last.millis()) < LAG_MS).then_some(last)
}

/// People who are told something, as far as that matters for whether and how.
struct People {
    contacts: HashMap<UserId, Contact>,
    preferences: HashMap<UserId, Preferences>,
    /// How many notices they were sent of the last day, with those that are made here.
    told: HashMap<UserId, u32>,
}

/// Why somebody is not sent what would be one too many.
const TOO_MANY: &str = "There were too many within a day.";

impl People {
    async fn ask(shared: &Shared, mut users: Vec<UserId>) -> Result<Self, StorageError> {
        users.sort_unstable();
        users.dedup();
        let contacts = contacts(&shared.parts.auth, &users).await?;
        let preferences = shared.store().preferences(users.clone()).await?;
        let most = shared.options.notices_per_day;
        let told = if most == 0 {
            HashMap::new()
        } else {
            let since = Timestamp::from_millis(shared.now().millis().saturating_sub(DAY_MS));
            let told = shared.store().told_since(users.clone(), since, most).await?;
            users.iter().copied().zip(told).collect()
        };
        Ok(Self { contacts, preferences: users.into_iter().zip(preferences).collect(), told })
    }

    /// Whether this one would be one too many. What organizers cause reaches half of the bound
    /// only: none of them can keep a person from hearing of their own bookings.
    fn has_enough(&self, user: UserId, kind: NoticeKind, most: u32) -> bool {
        let by_organizers = matches!(
            kind,
            NoticeKind::EventChanged | NoticeKind::EventCancelled | NoticeKind::OrganizerMessage
        );
        let most_of_it = if by_organizers { most.div_ceil(2) } else { most };
        most > 0 && self.told.get(&user).is_some_and(|told| *told >= most_of_it)
    }

    /// A notice for one of them.
    fn notice(&mut self, shared: &Shared, about: &About<'_>, mut letter: Letter) -> NewNotice {
        let enough = self.has_enough(about.user, about.kind, shared.options.notices_per_day);
        let contact = self.contacts.get(&about.user);
        letter.name = contact.map(|contact| contact.name.clone()).unwrap_or_default();
        let mut texts = shared.templates.render(about.kind, &letter);
        let mut suppressed = unwanted(contact, self.preferences.get(&about.user), about.kind);
        if suppressed.is_none() && enough {
            suppressed = Some(TOO_MANY);
            // It is read on the person's list, and not sent; somebody may make as many as they
            // can.
            texts.html = String::new();
        }
        if suppressed.is_none() {
            // One that is told again is counted twice, and is stored already.
            *self.told.entry(about.user).or_default() += 1;
        }
        NewNotice {
            id: about.id(),
            user: about.user,
            kind: about.kind,
            event: about.event,
            booking: about.booking,
            subject: texts.subject,
            text: texts.text,
            html: texts.html,
            suppressed: suppressed.map(ToOwned::to_owned),
            created_at: about.at,
            queued_at: shared.now(),
        }
    }
}

/// Why somebody is not told of this kind, if so.
pub(crate) fn unwanted(
    contact: Option<&Contact>,
    preferences: Option<&Preferences>,
    kind: NoticeKind,
) -> Option<&'static str> {
    match (contact, preferences) {
        (None, _) => Some("There is no such account."),
        (Some(contact), _) if !contact.is_active => Some("The account is closed."),
        (_, Some(preferences)) if preferences.no_mail => Some("No mail is wanted."),
        (_, Some(preferences)) if preferences.refused.contains(&kind) => {
            Some("This kind of notification is not wanted.")
        }
        _ => None,
    }
}

/// Whom a notice tells what.
struct About<'a> {
    user: UserId,
    kind: NoticeKind,
    event: EventId,
    booking: Option<BookingId>,
    at: Timestamp,
    /// What makes it another one than all others of its kind for this person.
    from: &'a [&'a [u8]],
}

impl About<'_> {
    /// The same for the same fact and the same person, at every try.
    fn id(&self) -> NoticeId {
        let mut digest = Sha256::new();
        for part in [self.kind.as_str().as_bytes(), &self.user.bytes(), &self.event.bytes()] {
            digest.update(part);
        }
        for part in self.from {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut random = [0; 10];
        random.copy_from_slice(&digest.finalize()[..10]);
        let millis = u64::try_from(self.at.millis()).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        NoticeId(id.into_bytes())
    }
}

impl Fact {
    /// What makes a notice of it, with its time, another one than all others. Without the era:
    /// after a repair the same fact is told again, in the next one.
    const fn identity(&self) -> [u8; 8] {
        self.seq.0.to_be_bytes()
    }
}
