//! The service: what the routes, the desk and the carrier share.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::{Clock, Entropy, Upstream, Verifier};
use axum::Router;
use axum::extract::FromRef;
use engine::Timestamp;
use storage::notices::{Announcement, AnnouncementLimit, NoticeId};
use storage::{MessageBus, NoticeStore, StorageError};
use tokio::sync::{Notify, watch};

use crate::carrier::Carrier;
use crate::desk;
use crate::mail::{Files, Mailer, Smtp, SmtpOptions};
use crate::meters::Meters;
use crate::options::{Options, Tls};
use crate::routes;
use crate::template::Templates;

/// Within how long a person, and the attendees of an event, are told so much and no more, in
/// milliseconds.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Why the service cannot start: a sentence for whoever started the program.
#[derive(Debug, thiserror::Error)]
#[error("notifications cannot start: {0}")]
pub struct StartError(String);

/// What the service is made of.
pub struct Parts {
    /// What people were told and are to be told.
    pub store: Arc<dyn NoticeStore>,
    /// The facts that it follows from.
    pub bus: Arc<dyn MessageBus>,
    /// The auth service's internal routes, for names and addresses.
    pub auth: Upstream,
    /// The catalog's internal routes, for who organizes what.
    pub catalog: Upstream,
    /// Checks tokens.
    pub verifier: Arc<Verifier>,
    /// The time. It must not be behind that of booking's actors by much: what happens is told
    /// from this clock's first start on.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub entropy: Arc<dyn Entropy>,
}

/// What everything here shares.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) parts: Parts,
    pub(crate) templates: Templates,
    pub(crate) meters: Meters,
    /// Told when there are new notices in the queue.
    pub(crate) queued: Notify,
    /// Told when an organizer has written.
    pub(crate) asked: Notify,
    /// Whether the mail server is away.
    pub(crate) mail_down: AtomicBool,
    /// Held while a template changes, so that what is stored is what is used.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(crate) fn store(&self) -> &dyn NoticeStore {
        &*self.parts.store
    }

    pub(crate) fn bus(&self) -> &dyn MessageBus {
        &*self.parts.bus
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(crate) fn mail_is_down(&self) -> bool {
        self.mail_down.load(Ordering::Relaxed)
    }

    pub(crate) fn new_id(&self) -> NoticeId {
        NoticeId(api::clock::uuid_v7(&*self.parts.clock, &*self.parts.entropy))
    }

    /// Store an organizer's message, so that the desk sends it.
    pub(crate) async fn announce(
        &self,
        announcement: Announcement,
    ) -> Result<storage::notices::Announced, StorageError> {
        let since = announcement.created_at.millis().saturating_sub(DAY_MS);
        let limit = AnnouncementLimit {
            most: self.options.messages_per_day,
            since: Timestamp::from_millis(since),
        };
        let announced = self.store().announce(announcement, limit).await?;
        self.asked.notify_one();
        Ok(announced)
    }
}

/// The notification service. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
    carrier: Arc<Carrier>,
    /// Held by whoever makes and sends.
    running: Arc<tokio::sync::Mutex<()>>,
}

impl Service {
    /// A service over its stores.
    ///
    /// # Errors
    /// If mail could never be sent with these options.
    pub fn new(options: Options, parts: Parts) -> Result<Self, StartError> {
        let (mailer, at_once) = mailer(&options).map_err(StartError)?;
        Ok(Self::with_mailer(options, parts, mailer, at_once))
    }

    pub(crate) fn with_mailer(
        options: Options,
        parts: Parts,
        mailer: Box<dyn Mailer>,
        at_once: usize,
    ) -> Self {
        let shared = Arc::new(Shared {
            options,
            parts,
            templates: Templates::new(),
            meters: Meters::new(),
            queued: Notify::new(),
            asked: Notify::new(),
            mail_down: AtomicBool::new(false),
            changing: tokio::sync::Mutex::default(),
        });
        let carrier = Carrier::new(Arc::clone(&shared), mailer, at_once);
        Self { shared, carrier: Arc::new(carrier), running: Arc::default() }
    }

    /// Learn which templates were set, and from when on people are told what happens. To be
    /// called before anything is served.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn prepare(&self) -> Result<(), StorageError> {
        self.shared.store().began(self.shared.now()).await?;
        for template in self.shared.store().templates().await? {
            if let Err(wrong) = self.shared.templates.set(&template) {
                // It was taken by an earlier version; the built-in one is used.
                let (kind, part, why) = (template.kind.as_str(), wrong.part, wrong.why);
                tracing::warn!(kind, part, why, "a template that was set cannot be used");
            }
        }
        Ok(())
    }

    /// The public routes.
    pub fn router(&self) -> Router {
        routes::public(self.clone())
    }

    /// Whether the store answers (no notice has an id of zeros), and mail goes out as far as is
    /// known.
    pub(crate) async fn works(&self) -> bool {
        !self.mail_is_down() && self.shared.store().get(NoticeId([0; 16])).await.is_ok()
    }

    /// Tell the recorder how many notices wait. A store that cannot tell leaves it as it was.
    pub async fn set_gauges(&self) {
        if let Ok((queued, failed)) = self.shared.store().waiting().await {
            self.shared.meters.set_waiting(queued, failed);
        }
    }

    /// Whether the mail server is away at the moment.
    #[must_use]
    pub fn mail_is_down(&self) -> bool {
        self.shared.mail_is_down()
    }

    /// Make and send notices until `shutdown` resolves. While that goes on, another call does
    /// nothing.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let Ok(_running) = self.running.try_lock() else { return };
        let (end, mut ended) = watch::channel(());
        let mut also_ended = end.subscribe();
        let until = async {
            shutdown.await;
            drop(end);
        };
        // A closed channel is the end.
        let desk = desk::run(Arc::clone(&self.shared), async move {
            let _closed = ended.changed().await;
        });
        let carrier = self.carrier.run(async move {
            let _closed = also_ended.changed().await;
        });
        tokio::join!(until, desk, carrier);
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The carrier, to be driven by hand.
    #[cfg(test)]
    pub(crate) fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    #[cfg(test)]
    pub(crate) fn shared_arc(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

/// What takes the mail, and how many hand-overs it bears at once.
fn mailer(options: &Options) -> Result<(Box<dyn Mailer>, usize), String> {
    let Some(smtp) = &options.smtp else {
        let files = Files::new(&options.mail_dir, &options.from)
            .map_err(|error| format!("{}: {error}", options.mail_dir.display()))?;
        return Ok((Box::new(files), 1));
    };
    let tls = match smtp.tls {
        Tls::None => crate::mail::Tls::None,
        Tls::StartTls => crate::mail::Tls::StartTls,
        Tls::Implicit => crate::mail::Tls::Implicit,
    };
    let smtp_options = SmtpOptions {
        host: smtp.host.clone(),
        port: smtp.port,
        tls,
        username: smtp.username.clone(),
        password: smtp.password.clone(),
        ca_pem: smtp.ca_pem.clone(),
        timeout: smtp.timeout,
        connections: smtp.connections,
        from: options.from.clone(),
        hello_name: None,
    };
    Ok((Box::new(Smtp::new(&smtp_options)?), smtp.connections))
}

impl FromRef<Service> for Arc<Verifier> {
    fn from_ref(service: &Service) -> Self {
        Self::clone(&service.shared.parts.verifier)
    }
}

impl FromRef<Service> for Arc<dyn Entropy> {
    fn from_ref(service: &Service) -> Self {
        Self::clone(&service.shared.parts.entropy)
    }
}
