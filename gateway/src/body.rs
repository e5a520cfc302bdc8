//! Bodies of requests on their way through: never longer than allowed, and what nobody
//! wanted to read is read away, within bounds, so that its sender sees the answer. (A
//! connection that is closed while data arrives is reset, and the answer with it.)

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;

/// Most bytes that are read away.
const DRAIN_BYTES: usize = 32 * 1024 * 1024;

/// Longest time for that.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// What has become of a body that was passed on.
pub(crate) struct Watch(Arc<Mutex<State>>);

enum State {
    /// Somebody reads it, or will.
    Reading,
    /// It was read to its end.
    Read,
    /// Whoever had it stopped reading.
    Left(Body),
}

impl Watch {
    /// Pass a body on, of which at most `most` bytes are given out.
    pub(crate) fn over(body: Body, most: usize) -> (Body, Self) {
        let state = Arc::new(Mutex::new(State::Reading));
        let watched = Watched { body: Some(body), state: Arc::clone(&state) };
        (Body::new(Limited::new(watched, most)), Self(state))
    }

    /// Whether it has arrived completely.
    pub(crate) fn has_arrived(&self) -> bool {
        matches!(*self.lock(), State::Read)
    }

    /// Read away what was left of it.
    pub(crate) async fn drain(&self) {
        let left = std::mem::replace(&mut *self.lock(), State::Read);
        if let State::Left(body) = left {
            drain(body).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Read a body away, so much and so long as is reasonable; whether that was all of it.
pub(crate) async fn drain(body: Body) -> bool {
    let mut body = Limited::new(body, DRAIN_BYTES);
    let all = async {
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
                None => return true,
            }
        }
    };
    timeout(DRAIN_TIME, all).await.unwrap_or(false)
}

/// A body that tells how far it was read.
struct Watched {
    body: Option<Body>,
    state: Arc<Mutex<State>>,
}

impl Watched {
    fn becomes(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        let frame = match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(frame) => frame,
        };
        match frame {
            Some(Ok(frame)) => {
                if self.body.as_ref().is_some_and(HttpBody::is_end_stream) {
                    self.body = None;
                    self.becomes(State::Read);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                self.body = None;
                Poll::Ready(Some(Err(error.into())))
            }
            None => {
                self.body = None;
                self.becomes(State::Read);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            let state = if body.is_end_stream() { State::Read } else { State::Left(body) };
            self.becomes(state);
        }
    }
}
