//! Answers without an end that is known beforehand: as long as they are read, their
//! connection is not idle.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

/// How far the streams of one connection are.
#[derive(Default)]
pub(super) struct Streaming(AtomicU32);

impl Streaming {
    /// How many frames the client's reading has made room for.
    pub(super) fn frames(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The response with a body that counts its frames, if its length isn't known: what is
/// handed over whole needs no counting.
pub(super) fn watched(response: Response, streaming: &Arc<Streaming>) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| Body::new(Watched { body, streaming: Arc::clone(streaming) }))
}

struct Watched {
    body: Body,
    streaming: Arc<Streaming>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            self.streaming.0.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
