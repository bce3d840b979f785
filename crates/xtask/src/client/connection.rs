//! One connection: bytes out, answers in.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Answer;

const MAX_HEADERS: usize = 256;
/// No test expects more; a server that sends without end must not fill the memory.
const MAX_ANSWER: usize = 64 << 20;

/// How long the last bytes of a request may take after its answer is there.
const LAST_BYTES: Duration = Duration::from_millis(50);

/// A connection that is kept until it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    timeout: Duration,
    start: Instant,
    /// What arrived and belongs to no answer yet.
    unread: Vec<u8>,
    closed: bool,
}

/// The sending side of a connection.
pub(super) struct Sender<'a>(&'a TcpStream);

impl Sender<'_> {
    /// Sends these bytes. False where the server has closed, so that nothing more need be sent.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<bool> {
        match self.0.write_all(bytes) {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error).context("sending a request"),
        }
    }
}

struct Head {
    status: u16,
    headers: Vec<(String, String)>,
    length: usize,
}

impl Connection {
    pub(super) fn open(address: SocketAddr, timeout: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, timeout)
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self {
            stream,
            address,
            timeout,
            start: Instant::now(),
            unread: Vec::new(),
            closed: false,
        })
    }

    /// The server's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the clock of [`Answer::elapsed`] and of the timeout anew.
    pub fn begin(&mut self) {
        self.start = Instant::now();
    }

    /// Sends these bytes as they are. A server that already answered and closed is no error here: its answer is
    /// there to be read.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Sender(&self.stream).write(bytes).map(drop)
    }

    /// Reads the answer while `send` still sends: a server may refuse before it has read all, and its answer is
    /// lost to who only reads after writing. Then the rest isn't sent, and the connection is closed.
    pub(super) fn exchange(
        &mut self,
        method: &str,
        send: impl FnOnce(&mut Sender<'_>) -> Result<()> + Send,
    ) -> Result<Answer> {
        let stream = self.stream.try_clone()?;
        std::thread::scope(|scope| {
            let (done, sent) = mpsc::channel();
            scope.spawn(move || {
                // Fails only where nobody waits any more.
                let _ = done.send(send(&mut Sender(&stream)));
            });
            let answer = self.read(method);
            if answer.is_err() {
                self.close();
            }
            match sent.recv_timeout(LAST_BYTES) {
                Ok(sent) => sent?,
                Err(_) => self.close(),
            }
            answer
        })
    }

    fn close(&mut self) {
        self.closed = true;
        // Fails only where the connection is gone already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Reads the answer to a request of this method (`HEAD` has no body), `100 Continue` passed over.
    pub fn read(&mut self, method: &str) -> Result<Answer> {
        loop {
            let answer = self.read_any(method)?;
            if answer.status >= 200 || answer.status == 101 {
                return Ok(answer);
            }
        }
    }

    /// Reads the next answer, an interim one (1xx) too.
    pub fn read_any(&mut self, method: &str) -> Result<Answer> {
        let head = self.head()?;
        self.unread.drain(..head.length);
        let field = |name: &str| {
            head.headers
                .iter()
                .find(|(each, _)| each.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        let bodiless = method == "HEAD" || head.status < 200 || matches!(head.status, 204 | 304);
        let body = if bodiless {
            Vec::new()
        } else if field("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            self.chunked()?
        } else if let Some(length) = field("content-length") {
            self.exactly(
                length
                    .parse()
                    .with_context(|| format!("content-length {length:?}"))?,
            )?
        } else {
            while self.more()? {}
            std::mem::take(&mut self.unread)
        };
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            elapsed: self.start.elapsed(),
        })
    }

    fn head(&mut self) -> Result<Head> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut response = httparse::Response::new(&mut fields);
            if let httparse::Status::Complete(length) =
                response.parse(&self.unread).context("the answer's head")?
            {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let headers = response
                    .headers
                    .iter()
                    .map(|field| (field.name.to_owned(), text(field.value)));
                let headers = headers.collect();
                return Ok(Head {
                    status: response.code.context("no status")?,
                    headers,
                    length,
                });
            }
            self.must_have_more("the end of the answer's head")?;
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.unread.len() < length {
            self.must_have_more("the whole body")?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    fn chunked(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let digits = size.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(digits, 16)
                .with_context(|| format!("chunk size {size:?}"))?;
            if length == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.exactly(length)?);
            self.line()?;
        }
    }

    fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.exactly(end)?).into_owned();
                self.unread.drain(..2);
                return Ok(line);
            }
            self.must_have_more("the end of a line")?;
        }
    }

    fn must_have_more(&mut self, wanted: &str) -> Result<()> {
        if !self.more()? {
            bail!(
                "{} closed the connection before {wanted}; so far: {:?}",
                self.address,
                String::from_utf8_lossy(&self.unread)
            );
        }
        Ok(())
    }

    /// False where the server has closed.
    fn more(&mut self) -> Result<bool> {
        let left = self.timeout.saturating_sub(self.start.elapsed());
        if left.is_zero() {
            bail!("{}: no answer within {:?}", self.address, self.timeout);
        }
        if self.closed || self.unread.len() > MAX_ANSWER {
            return Ok(false);
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.closed = true,
            Ok(count) => self.unread.extend(buffer.iter().take(count)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                bail!("{}: no answer within {:?}", self.address, self.timeout);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.closed = true,
            Err(error) => {
                return Err(error).with_context(|| format!("reading from {}", self.address));
            }
        }
        Ok(!self.closed)
    }
}

#[cfg(test)]
mod tests {
    use crate::client::Client;
    use crate::upstream::Echo;

    use super::*;

    /// Answers one connection with these bytes.
    fn answering(bytes: &'static [u8]) -> Client {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(listener.local_addr().unwrap()).timeout(Duration::from_secs(5));
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(bytes).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            std::thread::sleep(Duration::from_millis(300));
        });
        client
    }

    #[test]
    fn every_way_to_end_a_body_is_understood() {
        for (case, bytes) in [
            ("length", &b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"[..]),
            ("chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x\r\nbo\r\n2\r\ndy\r\n0\r\nt: 1\r\n\r\n"),
            ("close", b"HTTP/1.1 200 OK\r\n\r\nbody"),
            ("interim", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"),
        ] {
            let answer = answering(bytes).get("/").send().unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, "body"), "{case}");
        }
    }

    #[test]
    fn a_body_cut_short_is_an_error() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nbody"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n",
            b"HTTP/1.1 200 OK\r\n",
        ] {
            assert!(
                answering(bytes).get("/").send().is_err(),
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn an_early_refusal_is_read_while_the_body_is_still_being_sent() {
        let client = answering(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
        let answer = client.post("/").body(vec![b'x'; 32 << 20]).send().unwrap();
        assert_eq!(answer.status, 413);
        let client = answering(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
        let slow = client
            .post("/")
            .chunks(vec![b"x".to_vec(); 100], Duration::from_millis(20));
        let answer = slow.send().unwrap();
        assert_eq!(answer.status, 401);
        assert!(answer.elapsed < Duration::from_secs(1));
    }

    #[test]
    fn the_echo_tells_what_was_sent() {
        let echo = Echo::start().unwrap();
        let mut connection = Client::new(echo.address()).connect().unwrap();
        let chunks = vec![b"a".to_vec(), b"\xff".to_vec()];
        let request = connection
            .post("/p%20q?x=1")
            .header("X-Twice", "1")
            .header("x-twice", b"\xfe");
        let seen = request
            .chunks(chunks, Duration::ZERO)
            .send()
            .unwrap()
            .upstream()
            .unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str()),
            ("POST", "/p%20q?x=1")
        );
        assert_eq!(seen.headers_named("x-twice"), ["1", "\u{fffd}"]);
        assert_eq!(
            (seen.body, seen.body_base64.as_deref(), seen.body_len),
            (None, Some("Yf8="), 2)
        );
        assert_eq!(connection.get("/again").send().unwrap().status, 200);
        assert_eq!(echo.requests().len(), 2);
    }

    #[test]
    fn a_stopped_server_refuses_and_comes_back_on_its_port() {
        let echo = Echo::start().unwrap();
        let client = Client::new(echo.address());
        echo.stop().unwrap();
        assert!(client.get("/").send().is_err());
        echo.resume().unwrap();
        assert_eq!(client.get("/").send().unwrap().status, 200);
    }
}
