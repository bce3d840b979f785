//! An HTTP/1.1 client for tests: comfortable where that will do, exact to the byte where it must be.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! # let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
//! use xtask::client::Client;
//!
//! let client = Client::new(address);                       // a connection for each request
//! let answer = client.get("/Reseller/1").bearer("token").send()?;
//! assert_eq!(answer.status, 401);
//!
//! let mut connection = client.connect()?;                  // one connection, kept
//! let answer = connection.get("/a").header("ApiKey", "ak_live_x").send()?;
//! connection.write(b"GET / HTTP/1.1\r\nhost: \xff\r\n\r\n")?;
//! let answer = connection.read("GET")?;
//! # Ok(()) }
//! ```

mod answer;
mod connection;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

pub use answer::Answer;
pub use connection::Connection;

/// How long a request may take in all, unless it's told otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Where requests go.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
    timeout: Duration,
}

impl Client {
    /// A client of the server at this address, with [`TIMEOUT`].
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            timeout: TIMEOUT,
        }
    }

    /// The same with another bound for each request.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Where the requests go.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a connection that is kept between requests.
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(self.address, self.timeout)
    }

    /// Sends these bytes on a connection of their own and reads one answer.
    pub fn raw(&self, bytes: &[u8]) -> Result<Answer> {
        let mut connection = self.connect()?;
        connection.write(bytes)?;
        let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
        connection.read(&String::from_utf8_lossy(method))
    }

    /// Begins a `GET`.
    pub fn get(&self, path: &str) -> Request<'static> {
        self.request("GET", path)
    }

    /// Begins a `POST`.
    pub fn post(&self, path: &str) -> Request<'static> {
        self.request("POST", path)
    }

    /// Begins a request on a connection of its own.
    pub fn request(&self, method: &str, path: &str) -> Request<'static> {
        Request::new(Via::Fresh(*self), method, path)
    }
}

impl Connection {
    /// Begins a `GET` on this connection.
    pub fn get(&mut self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    /// Begins a `POST` on this connection.
    pub fn post(&mut self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    /// Begins a request on this connection.
    pub fn request(&mut self, method: &str, path: &str) -> Request<'_> {
        Request::new(Via::Kept(self), method, path)
    }
}

#[derive(Debug)]
enum Via<'a> {
    Fresh(Client),
    Kept(&'a mut Connection),
}

#[derive(Debug)]
enum Body {
    None,
    Whole(Vec<u8>),
    Chunks {
        chunks: Vec<Vec<u8>>,
        pause: Duration,
    },
}

/// A request that is being put together.
#[derive(Debug)]
#[must_use = "nothing happens before `send`"]
pub struct Request<'a> {
    via: Via<'a>,
    method: String,
    path: String,
    host: Option<String>,
    headers: Vec<u8>,
    body: Body,
}

impl<'a> Request<'a> {
    fn new(via: Via<'a>, method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self {
            via,
            method,
            path,
            host: None,
            headers: Vec::new(),
            body: Body::None,
        }
    }

    /// One more header line, name and value as they are: any letter case, any bytes, as often as wanted.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        for part in [name.as_ref(), b": ", value.as_ref(), b"\r\n"] {
            self.headers.extend_from_slice(part);
        }
        self
    }

    /// `Authorization: Bearer …`
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// The `Host`, instead of the address.
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// A body with its length.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    /// A body in JSON.
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// A body in chunks, with a pause before each and before the end.
    pub fn chunks(mut self, chunks: Vec<Vec<u8>>, pause: Duration) -> Self {
        self.body = Body::Chunks { chunks, pause };
        self
    }

    /// Sends it and reads the answer.
    pub fn send(self) -> Result<Answer> {
        let mut fresh;
        let connection = match self.via {
            Via::Fresh(client) => {
                fresh = client.connect()?;
                &mut fresh
            }
            Via::Kept(connection) => connection,
        };
        let host = self
            .host
            .unwrap_or_else(|| connection.address().to_string());
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.path).into_bytes();
        head.extend_from_slice(&self.headers);
        connection.begin();
        let (chunks, pause) = match self.body {
            Body::None => {
                head.extend_from_slice(b"\r\n");
                connection.write(&head)?;
                return connection.read(&self.method);
            }
            Body::Whole(body) => {
                head.extend_from_slice(
                    format!("content-length: {}\r\n\r\n", body.len()).as_bytes(),
                );
                (vec![head, body], Duration::ZERO)
            }
            Body::Chunks { chunks, pause } => {
                head.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
                let chunks = chunks
                    .iter()
                    .filter(|chunk| !chunk.is_empty())
                    .map(|chunk| chunked(chunk));
                (
                    std::iter::once(head)
                        .chain(chunks)
                        .chain([b"0\r\n\r\n".to_vec()])
                        .collect(),
                    pause,
                )
            }
        };
        connection.exchange(&self.method, move |sender| {
            for (number, chunk) in chunks.iter().enumerate() {
                if number > 0 {
                    std::thread::sleep(pause);
                }
                if !sender.write(chunk)? {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// A chunk as RFC 9112 section 7.1 frames it.
fn chunked(chunk: &[u8]) -> Vec<u8> {
    let mut framed = format!("{:x}\r\n", chunk.len()).into_bytes();
    framed.extend_from_slice(chunk);
    framed.extend_from_slice(b"\r\n");
    framed
}
