//! What is seen of every call: a line in the log, and the usual `grpc_server_*` metrics. The line never holds a
//! caller's words.

use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use metrics::{Counter, Histogram, counter, histogram};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

/// What a call says of itself, for the log; the default one is not listened to.
#[derive(Clone, Debug, Default)]
pub struct Note(Option<Arc<Mutex<Fields>>>);

#[derive(Debug, Default)]
struct Fields {
    lead: String,
    request: String,
    outcome: &'static str,
}

impl Note {
    /// The note of a call.
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    fn with(&self, set: impl FnOnce(&mut Fields)) {
        if let Some(fields) = &self.0 {
            set(&mut fields.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub fn lead(&self, lead_id: &str) {
        // A caller may send anything: what is no lead id is cut before it reaches the log.
        self.with(|fields| fields.lead = lead_id.chars().take(64).collect());
    }

    /// What a write is about.
    pub fn about(&self, lead_id: &str, request_id: &str) {
        self.lead(lead_id);
        self.with(|fields| fields.request = request_id.into());
    }

    pub fn outcome(&self, outcome: &'static str) {
        self.with(|fields| fields.outcome = outcome);
    }
}

/// When a call came in.
#[derive(Clone, Copy, Debug)]
pub struct Arrived(pub Instant);

/// Wraps every call.
#[derive(Clone, Copy, Debug)]
pub struct Observe;

/// A service whose calls are seen.
#[derive(Clone, Debug)]
pub struct Observed<S>(S);

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed(inner)
    }
}

impl<S, B> Service<Request<B>> for Observed<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = Call::begin(request.uri().path());
        request.extensions_mut().insert(call.note.clone());
        request.extensions_mut().insert(Arrived(call.began));
        let response = self.0.call(request);
        Box::pin(async move {
            let (parts, body) = response.await?.into_parts();
            let mut call = Some(call);
            if let Some(code) = code(&parts.headers)
                && let Some(call) = call.take()
            {
                call.end(code);
            }
            Ok(Response::from_parts(parts, Body::new(ObservedBody { body, call })))
        })
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|status| Code::from_bytes(status.as_bytes()))
}

/// A call under way. Dropped before its end: the caller went away.
struct Call {
    method: &'static Method,
    began: Instant,
    note: Note,
    ended: bool,
}

/// The calls that are counted by name; any other path is a stranger's invention.
const CALLS: [(&str, &str, &str, &str); 24] = [
    ("/leadpipeline.v1.LeadPipeline/CreateLead", "leadpipeline.v1.LeadPipeline", "CreateLead", "unary"),
    ("/leadpipeline.v1.LeadPipeline/BatchCreateLeads", "leadpipeline.v1.LeadPipeline", "BatchCreateLeads", "unary"),
    ("/leadpipeline.v1.LeadPipeline/GetLead", "leadpipeline.v1.LeadPipeline", "GetLead", "unary"),
    ("/leadpipeline.v1.LeadPipeline/ListLeads", "leadpipeline.v1.LeadPipeline", "ListLeads", "unary"),
    ("/leadpipeline.v1.LeadPipeline/ApplyTrigger", "leadpipeline.v1.LeadPipeline", "ApplyTrigger", "unary"),
    ("/leadpipeline.v1.LeadPipeline/ApplyTriggers", "leadpipeline.v1.LeadPipeline", "ApplyTriggers", "bidi_stream"),
    ("/leadpipeline.v1.LeadPipeline/OverrideStage", "leadpipeline.v1.LeadPipeline", "OverrideStage", "unary"),
    ("/leadpipeline.v1.LeadPipeline/ListStageChanges", "leadpipeline.v1.LeadPipeline", "ListStageChanges", "unary"),
    ("/leadpipeline.v1.LeadPipeline/ExplainLead", "leadpipeline.v1.LeadPipeline", "ExplainLead", "unary"),
    ("/leadpipeline.v1.LeadPipeline/DescribePipeline", "leadpipeline.v1.LeadPipeline", "DescribePipeline", "unary"),
    ("/leadpipeline.v1.LeadPipeline/GetRevival", "leadpipeline.v1.LeadPipeline", "GetRevival", "unary"),
    ("/leadpipeline.v1.LeadPipeline/ListRevivals", "leadpipeline.v1.LeadPipeline", "ListRevivals", "unary"),
    ("/leadpipeline.v1.LeadPipeline/GetAgent", "leadpipeline.v1.LeadPipeline", "GetAgent", "unary"),
    ("/leadpipeline.v1.LeadPipeline/ListAgents", "leadpipeline.v1.LeadPipeline", "ListAgents", "unary"),
    ("/leadpipeline.v1.LeadPipeline/LeaseFollowUps", "leadpipeline.v1.LeadPipeline", "LeaseFollowUps", "unary"),
    ("/leadpipeline.v1.LeadPipeline/CompleteFollowUp", "leadpipeline.v1.LeadPipeline", "CompleteFollowUp", "unary"),
    ("/leadpipeline.v1.LeadPipeline/GetFunnel", "leadpipeline.v1.LeadPipeline", "GetFunnel", "unary"),
    ("/leadpipeline.v1.LeadPipeline/ReviveForMode", "leadpipeline.v1.LeadPipeline", "ReviveForMode", "server_stream"),
    ("/leadpipeline.v1.LeadPipeline/ListWatchers", "leadpipeline.v1.LeadPipeline", "ListWatchers", "unary"),
    (
        "/leadpipeline.v1.LeadPipeline/WatchStageChanges",
        "leadpipeline.v1.LeadPipeline",
        "WatchStageChanges",
        "server_stream",
    ),
    ("/grpc.health.v1.Health/Check", "grpc.health.v1.Health", "Check", "unary"),
    ("/grpc.health.v1.Health/Watch", "grpc.health.v1.Health", "Watch", "server_stream"),
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "grpc.reflection.v1.ServerReflection",
        "ServerReflectionInfo",
        "bidi_stream",
    ),
    (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "grpc.reflection.v1alpha.ServerReflection",
        "ServerReflectionInfo",
        "bidi_stream",
    ),
];

/// A method, and its metrics: looked up once, not with each call.
struct Method {
    labels: [(&'static str, &'static str); 3],
    started: Counter,
    seconds: Histogram,
    ok: Counter,
}

impl Method {
    fn new(service: &'static str, method: &'static str, kind: &'static str) -> Self {
        let labels = [("grpc_service", service), ("grpc_method", method), ("grpc_type", kind)];
        let started = counter!("grpc_server_started_total", &labels);
        let seconds = histogram!("grpc_server_handling_seconds", &labels);
        let mut method = Self { labels, started, seconds, ok: Counter::noop() };
        method.ok = method.handled(Code::Ok);
        method
    }

    fn handled(&self, code: Code) -> Counter {
        let [service, method, kind] = self.labels;
        counter!("grpc_server_handled_total", &[service, method, kind, ("grpc_code", code_name(code))])
    }

    fn of(path: &str) -> &'static Self {
        static METHODS: LazyLock<HashMap<&str, Method>> = LazyLock::new(|| {
            CALLS.iter().map(|&(path, service, method, kind)| (path, Method::new(service, method, kind))).collect()
        });
        static UNKNOWN: LazyLock<Method> = LazyLock::new(|| Method::new("unknown", "unknown", "unary"));
        METHODS.get(path).unwrap_or_else(|| &UNKNOWN)
    }
}

impl Call {
    fn begin(path: &str) -> Self {
        let method = Method::of(path);
        method.started.increment(1);
        let listening = tracing::enabled!(tracing::Level::DEBUG);
        let note = Note(listening.then(Arc::default));
        Self { method, began: Instant::now(), note, ended: false }
    }

    fn end(mut self, code: Code) {
        self.finish(code);
    }

    fn finish(&mut self, code: Code) {
        self.ended = true;
        let duration = self.began.elapsed();
        match code {
            Code::Ok => self.method.ok.increment(1),
            code => self.method.handled(code).increment(1),
        }
        self.method.seconds.record(duration.as_secs_f64());
        self.note.with(|note| {
            tracing::debug!(
                call = self.method.labels[1].1,
                lead = note.lead,
                request_id = note.request,
                code = code_name(code),
                outcome = note.outcome,
                duration_us = duration.as_micros() as u64,
                "call"
            );
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.finish(Code::Cancelled);
        }
    }
}

/// The name of a code, as metrics of gRPC servers have it.
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

/// A response on its way; its trailers end the call.
struct ObservedBody {
    body: Body,
    call: Option<Call>,
}

impl HttpBody for ObservedBody {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(code) = frame.trailers_ref().and_then(code)
            && let Some(call) = self.call.take()
        {
            call.end(code);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
