//! A small HTTP/1.1 server inside this process, for the servers that stand around Envoy in a test.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Wake, Poll};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};

/// Larger than any body a test sends.
const BODY_LIMIT: usize = 64 << 20;
/// Envoy stops at 100 by default; a test may raise that.
const HEADER_LIMIT: usize = 4096;
/// How long [`Outcome::Hang`] hangs: longer than any timeout under test, shorter than a person's patience.
const HANG: Duration = Duration::from_secs(120);

static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
});

fn runtime() -> Result<&'static Runtime> {
    RUNTIME
        .as_ref()
        .map_err(|error| anyhow!("starting the servers' runtime: {error}"))
}

/// A panicking test must not make every later look at the same state panic too.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request as a server received it. Serde's form is the JSON with which [`crate::upstream::Echo`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// `GET`, `POST`, …
    pub method: String,
    /// The request target as it arrived: path and query, not decoded.
    pub path: String,
    /// Every header line in its order, names in lower case; a value that is no UTF-8 has U+FFFD in it.
    pub headers: Vec<(String, String)>,
    /// The body where it is UTF-8 and at most 64 KiB.
    pub body: Option<String>,
    /// The body in base64 where it is not UTF-8 and at most 64 KiB.
    pub body_base64: Option<String>,
    /// The body's length in bytes.
    pub body_len: usize,
    /// The body's SHA-256 in lower-case hex.
    pub body_sha256: String,
}

impl Received {
    /// The values of all headers of this name, in any letter case.
    pub fn headers_named(&self, name: &str) -> Vec<&str> {
        let same = self
            .headers
            .iter()
            .filter(|(each, _)| each.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of the first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).first().copied()
    }
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is answered.
    Reply(Reply),
    /// It is answered with the length of the whole body and only half of it; then the connection is closed.
    CutShort(Reply),
    /// The connection is closed without an answer.
    Close,
    /// No answer comes, and the connection stays (two minutes at most).
    Hang,
}

/// An answer, and how long it takes.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header lines beside content-length and date.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How long the server thinks before it answers.
    pub delay: Duration,
}

impl Reply {
    /// An answer with a body of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            headers,
            body: body.into(),
            delay: Duration::ZERO,
        }
    }

    /// An answer in JSON.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// One more header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Answers only after this long.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// The head of a request as it arrived, before any of its body.
#[derive(Debug, Clone)]
pub struct Head {
    /// The request target as it arrived.
    pub path: String,
    /// When it arrived.
    pub at: Instant,
}

/// What a server does.
pub(crate) trait Handler: Send + Sync + 'static {
    /// A request's head is here, its body may never come.
    fn head(&self, _: Head) {}

    /// A request is here as a whole.
    fn request(&self, request: Received) -> Outcome;
}

impl<F: Fn(Received) -> Outcome + Send + Sync + 'static> Handler for F {
    fn request(&self, request: Received) -> Outcome {
        self(request)
    }
}

/// A server on a port of its own on 127.0.0.1, which can go away and come back on the same port.
pub(crate) struct Listening {
    address: SocketAddr,
    handler: Arc<dyn Handler>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl Listening {
    pub(crate) fn start(handler: impl Handler) -> Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = runtime()?
            .block_on(TcpListener::bind(any))
            .context("listening on 127.0.0.1")?;
        let server = Self {
            address: listener.local_addr()?,
            handler: Arc::new(handler),
            accepting: Mutex::new(None),
        };
        server.accept(listener)?;
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and every connection: who calls is refused.
    pub(crate) fn stop(&self) -> Result<()> {
        if let Some(task) = locked(&self.accepting).take() {
            task.abort();
            // Aborting is what makes it end, with an error that says so.
            let _ = runtime()?.block_on(task);
        }
        Ok(())
    }

    /// Listens again after [`Self::stop`].
    pub(crate) fn resume(&self) -> Result<()> {
        let listener = runtime()?.block_on(TcpListener::bind(self.address));
        self.accept(listener.with_context(|| format!("listening on {} again", self.address))?)
    }

    fn accept(&self, listener: TcpListener) -> Result<()> {
        let handler = Arc::clone(&self.handler);
        let task = runtime()?.spawn(async move {
            // Ends with this task, and so do all connections.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let handler = Arc::clone(&handler);
                connections.spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        answer(Arc::clone(&handler), request)
                    });
                    let mut http = hyper::server::conn::http1::Builder::new();
                    http.timer(TokioTimer::new()).max_headers(HEADER_LIMIT);
                    // Fails where the other side goes away or we close on purpose: both are part of tests.
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        *locked(&self.accepting) = Some(task);
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(task) = locked(&self.accepting).take() {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Listening({})", self.address)
    }
}

/// An answer's body, perhaps one that breaks off.
#[derive(Debug)]
struct Sending {
    bytes: Bytes,
    length: u64,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = anyhow::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Wake<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let bytes = std::mem::take(&mut self.bytes);
        let sent = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if sent > 0 {
            self.length = self.length.saturating_sub(sent);
            Poll::Ready(Some(Ok(Frame::data(bytes))))
        } else if self.length > 0 {
            Poll::Ready(Some(Err(anyhow!("cut short on purpose"))))
        } else {
            Poll::Ready(None)
        }
    }

    fn is_end_stream(&self) -> bool {
        self.length == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<hyper::Response<Sending>>> + Send>>;

/// An error closes the connection without an answer.
fn answer(handler: Arc<dyn Handler>, request: hyper::Request<Incoming>) -> Answering {
    Box::pin(async move {
        handler.head(Head {
            path: request.uri().to_string(),
            at: Instant::now(),
        });
        match handler.request(arrive(request).await?) {
            Outcome::Reply(reply) => {
                let shown = reply.body.len();
                respond(reply, shown).await
            }
            Outcome::CutShort(reply) => {
                let shown = reply.body.len() / 2;
                respond(reply, shown).await
            }
            Outcome::Close => Err(anyhow!("closed on purpose")),
            Outcome::Hang => {
                tokio::time::sleep(HANG).await;
                Err(anyhow!("hung on purpose"))
            }
        }
    })
}

/// The answer, with only so many bytes of its body.
async fn respond(reply: Reply, shown: usize) -> Result<hyper::Response<Sending>> {
    tokio::time::sleep(reply.delay).await;
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let length = u64::try_from(reply.body.len())?;
    let bytes = reply.body.slice(..shown.min(reply.body.len()));
    Ok(response.body(Sending { bytes, length })?)
}

async fn arrive(request: hyper::Request<Incoming>) -> Result<Received> {
    const SHOWN: usize = 64 << 10;

    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|error| anyhow!(error))?
        .to_bytes();
    let shown = body.get(..).filter(|body| body.len() <= SHOWN);
    let text = shown.and_then(|body| std::str::from_utf8(body).ok());
    let encoded = shown.filter(|_| text.is_none()).map(|body| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(body)
    });
    let headers = head.headers.iter().map(|(name, value)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    Ok(Received {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: headers.collect(),
        body: text.map(str::to_owned),
        body_base64: encoded,
        body_len: body.len(),
        body_sha256: crate::module::hash(&body),
    })
}
