//! The servers behind the policy's calls: each path has one answer.

use crate::table::{Server, fill};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

type Tokens = Arc<Mutex<BTreeMap<String, String>>>;

/// Where the servers are, and the tokens in their answers: they are signed when the first
/// request comes, for until then Envoy may take long.
pub struct Servers {
    pub port: u16,
    pub tokens: Tokens,
}

/// Starts one server for all of them. It ends with the process.
pub fn start(servers: Vec<Server>) -> Servers {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let tokens = Tokens::default();
    let shared = Arc::clone(&tokens);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A proxy that goes away in mid-request is no concern of the server's.
            let _ = stream.and_then(|stream| answer(stream, &servers, &shared));
        }
    });
    Servers { port, tokens }
}

/// One request a connection, which is then closed.
fn answer(stream: TcpStream, servers: &[Server], tokens: &Tokens) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().to_ascii_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
            Some(_) => {}
            None => break,
        }
    }
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    let target = first.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let (status, body) = match servers.iter().find(|server| server.path == path) {
        Some(server) => {
            let body = server.body.as_deref().unwrap_or_default();
            (
                server.status.unwrap_or(200),
                fill(body, &tokens.lock().unwrap()),
            )
        }
        None => (404, String::new()),
    };
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
