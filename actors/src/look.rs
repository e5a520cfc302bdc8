//! Who owns what, read from the store once for all who ask at the same time.

use std::sync::Arc;

use parking_lot::Mutex;
use storage::{CommitStore, Holder, StorageError};
use tokio::sync::oneshot;

type Told = Result<Arc<Vec<Holder>>, StorageError>;

/// Whoever asks while a reading is under way waits for the next one: only a reading that
/// began after the question knows everything that was answered before it.
#[derive(Clone)]
pub(crate) struct Look {
    store: Arc<dyn CommitStore>,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<oneshot::Sender<Told>>,
    running: bool,
}

/// However the reading ends, the next who asks begins anew, and nobody waits for ever.
struct Ended(Arc<Mutex<Queue>>);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        if queue.running && std::thread::panicking() {
            *queue = Queue::default();
        }
    }
}

impl Look {
    pub(crate) fn new(store: Arc<dyn CommitStore>) -> Self {
        Self { store, queue: Arc::default() }
    }

    /// Every partition's holder, as of a reading that began after this call.
    pub(crate) async fn holders(&self) -> Told {
        let (tell, told) = oneshot::channel();
        let begins = {
            let mut queue = self.queue.lock();
            queue.waiting.push(tell);
            !std::mem::replace(&mut queue.running, true)
        };
        if begins {
            // A task of its own: whoever began it may leave before it is done.
            tokio::spawn(self.clone().run());
        }
        told.await.unwrap_or_else(|_| Err(StorageError::NotDone("the reading was given up".into())))
    }

    async fn run(self) {
        let _ended = Ended(Arc::clone(&self.queue));
        loop {
            let waiting = {
                let mut queue = self.queue.lock();
                if queue.waiting.is_empty() {
                    queue.running = false;
                    return;
                }
                std::mem::take(&mut queue.waiting)
            };
            let told = self.store.holders().await.map(Arc::new);
            for one in waiting {
                // Whoever has left does not mind.
                let _ = one.send(told.clone());
            }
        }
    }
}
