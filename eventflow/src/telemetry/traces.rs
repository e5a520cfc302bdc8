//! Traces by OpenTelemetry: spans become those of a trace, which goes on with what a request
//! tells of (`traceparent`, as the W3C writes it) and is told to other processes likewise.
//!
//! They are sent in batches as OTLP over HTTP, beside everything else: what the receiver does
//! not take in time is dropped, and no request ever waits for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::trail;
use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HeaderExtractor, HeaderInjector, HttpClient, HttpError};
use opentelemetry_http::{Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider,
};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

use crate::Config;

/// Most spans that wait to be sent; those beyond it are dropped.
const QUEUE: usize = 8_192;

/// Most spans sent at a time.
const BATCH: usize = 512;

/// How often what there is is sent.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the receiver may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Most bytes of its answer that are read.
const ANSWER_BYTES: usize = 64 * 1024;

/// What sends traces.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Send what is left, and no more from then on.
    pub(super) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LIMIT) {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// Begin to trace. What receives the spans is called on this runtime.
///
/// # Panics
/// When the exporter takes none of its settings, which are checked before.
pub(super) fn start<S>(
    config: &Config,
    runtime: &Handle,
) -> (Traces, OpenTelemetryLayer<S, SdkTracer>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Sender::new(runtime.clone()))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&config.trace.endpoint)
        .with_timeout(LIMIT)
        .build()
        .expect("an address that was checked is one");
    let bounds = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(PAUSE)
        .build();
    let name = match config.cluster.node.as_str() {
        "" => "front",
        node => node,
    };
    let resource = Resource::builder_empty()
        .with_service_name("eventflow")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", name.to_owned()))
        .build();
    let share = f64::from(config.trace.sample_percent) / 100.0;
    let provider = SdkTracerProvider::builder()
        .with_span_processor(
            BatchSpanProcessor::builder(exporter).with_batch_config(bounds).build(),
        )
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
        .with_resource(resource)
        .build();
    // A second start in one process changes nothing.
    let _first = trail::trace_by(Box::new(W3c(TraceContextPropagator::new())));
    let layer = OpenTelemetryLayer::new(provider.tracer("eventflow"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    (Traces(provider), layer)
}

/// Traces in the headers of requests.
struct W3c(TraceContextPropagator);

impl trail::Tracer for W3c {
    fn follow(&self, span: &Span, headers: &axum::http::HeaderMap) {
        let told = self.0.extract_with_context(&Context::new(), &HeaderExtractor(headers));
        if told.span().span_context().is_valid() {
            // It fails for a span that nobody traces, which is as well.
            let _ = span.set_parent(told);
        }
    }

    fn lead(&self, headers: &mut axum::http::HeaderMap) {
        self.0.inject_context(&Span::current().context(), &mut HeaderInjector(headers));
    }
}

/// Sends by the HTTP library that everything else is sent by. Whoever exports has a thread
/// of its own without a runtime, so the calls are made on the process' own.
struct Sender {
    runtime: Handle,
    client: legacy::Client<HttpConnector, Body>,
    fails: AtomicBool,
}

impl Sender {
    fn new(runtime: Handle) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(LIMIT));
        let client = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Self { runtime, client, fails: AtomicBool::new(false) }
    }
}

impl Sender {
    /// Once when it begins to fail and once when that is over, not each second.
    fn tell(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let fails = answer.as_ref().map_or(true, |answer| !answer.status().is_success());
        if self.fails.swap(fails, Ordering::AcqRel) == fails {
            return;
        }
        let error = match answer {
            Ok(answer) => answer.status().to_string(),
            Err(error) => error.to_string(),
        };
        if fails {
            tracing::warn!(error, "traces cannot be sent");
        } else {
            tracing::info!("traces are sent again");
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl HttpClient for Sender {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let call = async move {
            let answer = client.request(request.map(Body::from)).await?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(parts, body))
        };
        let called = self.runtime.spawn(async move { timeout(LIMIT, call).await });
        Box::pin(async move {
            let answer: Result<Response<Bytes>, HttpError> = match called.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(late)) => Err(late.into()),
                Err(ended) => Err(ended.into()),
            };
            self.tell(&answer);
            answer
        })
    }
}
