//! Goal: a process that ends at any point of a create, change or delete leaves documents
//! and events equal in the end, and the client's repeat is told the one success.
//!
//! Method: the store stops answering at the n-th call, before it has done anything or
//! right afterwards, for every n until the write passes. Then a new service over what is
//! left, with the facts from the bus, before or after the client repeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use api::Verifier;
use axum::http::Method;
use engine::{EventId, Timestamp, UserId};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use storage::memory::MemoryStore;
use storage::{
    CatalogEntry, CatalogFilter, CatalogStore, CreateKey, KeptAnswer, Order, Parked, SearchWords,
    Slice, StorageError, Stored,
};

use super::{FakeBooking, Hand, Stage, fair};

/// When the store stops answering: at its call of this number, from 1.
#[derive(Clone, Copy, Debug)]
struct Crash {
    at_call: u32,
    /// Whether that call is done all the same.
    done: bool,
}

/// A store that stops answering.
struct Dying {
    inner: Arc<dyn CatalogStore>,
    crash: Crash,
    calls: AtomicU32,
}

impl Dying {
    fn reached(&self) -> bool {
        self.calls.load(Ordering::Relaxed) >= self.crash.at_call
    }

    /// The call, unless the end came before it; its answer, unless the end came after it.
    fn call<'a, T: Send + 'a>(
        &'a self,
        work: BoxFuture<'a, Result<T, StorageError>>,
    ) -> BoxFuture<'a, Result<T, StorageError>> {
        Box::pin(async move {
            let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
            if number < self.crash.at_call {
                return work.await;
            }
            if number == self.crash.at_call && self.crash.done {
                work.await?;
            }
            Err(StorageError::Unknown("the process has ended".into()))
        })
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl CatalogStore for Dying {
    fn put(&self, entry: CatalogEntry) -> Answer<'_, Stored> {
        self.call(self.inner.put(entry))
    }
    fn get(&self, id: EventId) -> Answer<'_, Option<CatalogEntry>> {
        self.call(self.inner.get(id))
    }
    fn get_many(&self, ids: Vec<EventId>) -> Answer<'_, Vec<Option<CatalogEntry>>> {
        self.call(self.inner.get_many(ids))
    }
    fn list(&self, f: CatalogFilter, o: Order, s: Slice) -> Answer<'_, Vec<CatalogEntry>> {
        self.call(self.inner.list(f, o, s))
    }
    fn search(&self, w: SearchWords, s: usize, l: usize) -> Answer<'_, Vec<CatalogEntry>> {
        self.call(self.inner.search(w, s, l))
    }
    fn all(&self, after: Option<EventId>, limit: usize) -> Answer<'_, Vec<CatalogEntry>> {
        self.call(self.inner.all(after, limit))
    }
    fn replace(&self, entry: CatalogEntry) -> Answer<'_, ()> {
        self.call(self.inner.replace(entry))
    }
    fn park(&self, parked: Parked) -> Answer<'_, ()> {
        self.call(self.inner.park(parked))
    }
    fn parked(&self, limit: usize) -> Answer<'_, Vec<Parked>> {
        self.call(self.inner.parked(limit))
    }
    fn remember_key(&self, key: CreateKey, now: Timestamp) -> Answer<'_, CreateKey> {
        self.call(self.inner.remember_key(key, now))
    }
    fn forget_key(&self, organizer: UserId, digest: [u8; 16]) -> Answer<'_, ()> {
        self.call(self.inner.forget_key(organizer, digest))
    }
    fn keep_answer(&self, answer: KeptAnswer, now: Timestamp) -> Answer<'_, ()> {
        self.call(self.inner.keep_answer(answer, now))
    }
    fn kept_answer(
        &self,
        principal: UserId,
        digest: [u8; 16],
        now: Timestamp,
    ) -> Answer<'_, Option<KeptAnswer>> {
        self.call(self.inner.kept_answer(principal, digest, now))
    }
}

/// What a client writes, and what it must be told in the end.
struct Write {
    method: Method,
    path: String,
    body: Value,
    success: u16,
}

/// What stays when the process ends.
struct World {
    booking: FakeBooking,
    verifier: Arc<Verifier>,
    clock: Arc<Hand>,
    store: Arc<dyn CatalogStore>,
}

impl World {
    fn new() -> Self {
        let stage = Stage::new();
        let store = MemoryStore::new(1).stores().catalog;
        let (booking, verifier) = (stage.booking.clone(), stage.verifier.clone());
        Self { booking, verifier, clock: stage.clock, store }
    }

    fn start(&self, store: Arc<dyn CatalogStore>) -> Stage {
        Stage::over(store, self.booking.clone(), self.verifier.clone(), self.clock.clone())
    }
}

const KEY: (&str, &str) = ("idempotency-key", "k");

/// Ends the process at every point of a write that `make` prepares.
async fn everywhere(make: impl AsyncFn(&Stage) -> Write) {
    for done in [false, true] {
        for repeat_first in [false, true] {
            let mut at_call = 1;
            while crashed(&make, Crash { at_call, done }, repeat_first).await {
                at_call += 1;
            }
            assert!(at_call > 3, "a write asks the store more often than that");
        }
    }
}

/// One end of the process and the start after it; `false` if the write passed before.
async fn crashed(make: &impl AsyncFn(&Stage) -> Write, crash: Crash, repeat_first: bool) -> bool {
    let world = World::new();
    let before = world.start(Arc::clone(&world.store));
    let write = make(&before).await;
    before.booking.publish_all(&before.service).await;

    let dying = Arc::new(Dying { inner: world.store.clone(), crash, calls: AtomicU32::new(0) });
    let first = world.start(dying.clone());
    let send = async |stage: &Stage| {
        stage.write(1, write.method.clone(), &write.path, &[KEY], &write.body).await
    };
    let answer = send(&first).await;
    let hit = dying.reached();

    let second = world.start(Arc::clone(&world.store));
    if !repeat_first {
        second.booking.publish_all(&second.service).await;
    }
    let mut again = send(&second).await;
    if repeat_first && again.json()["code"] == "catalog_behind" {
        // Honest: it is done, and the bus has not been here yet.
        second.booking.publish_all(&second.service).await;
        again = send(&second).await;
    }
    assert_eq!(again.status, write.success, "{crash:?}: {:?}", again.json());
    if answer.status == write.success {
        assert_eq!(again.bytes, answer.bytes, "{crash:?}: byte for byte");
    }
    let third = send(&second).await;
    assert_eq!((third.status, &third.bytes), (again.status, &again.bytes), "{crash:?}");
    assert_eq!(third.header("idempotency-replayed"), Some("true"), "{crash:?}");
    second.booking.publish_all(&second.service).await;
    equal(&world, &second, crash).await;
    hit
}

/// Documents and events say the same.
async fn equal(world: &World, stage: &Stage, crash: Crash) {
    let documents = world.store.all(None, 100).await.unwrap();
    assert_eq!(documents.len(), stage.booking.events(), "{crash:?}");
    for document in documents {
        let (version, capacity, cancelled) = stage.booking.state(document.id);
        assert_eq!(
            (document.version, document.capacity, document.deleted),
            (version, capacity, cancelled),
            "{crash:?}"
        );
    }
}

#[tokio::test]
async fn of_a_create() {
    everywhere(async |_: &Stage| Write {
        method: Method::POST,
        path: "/events".to_owned(),
        body: fair(),
        success: 201,
    })
    .await;
}

#[tokio::test]
async fn of_a_change() {
    everywhere(async |stage: &Stage| Write {
        method: Method::PATCH,
        path: stage.fair().await,
        body: json!({ "capacity": 120, "title": "Greater Fair" }),
        success: 200,
    })
    .await;
}

#[tokio::test]
async fn of_a_delete() {
    everywhere(async |stage: &Stage| Write {
        method: Method::DELETE,
        path: stage.fair().await,
        body: Value::Null,
        success: 200,
    })
    .await;
}

#[tokio::test]
async fn a_key_of_a_refused_create_is_free_for_another_body() {
    let stage = Stage::new();
    stage.booking.refuse_next_open();
    let refused = stage.write(1, Method::POST, "/events", &[KEY], &fair()).await;
    assert_eq!(refused.status, 409, "{:?}", refused.json());
    let mut other = fair();
    other["capacity"] = json!(7);
    let accepted = stage.write(1, Method::POST, "/events", &[KEY], &other).await;
    assert_eq!(accepted.status, 201, "{:?}", accepted.json());
    assert_eq!(accepted.header("idempotency-replayed"), None);
}
