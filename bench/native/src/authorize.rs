//! An external authorization server as somebody would write it who cares for speed: one thread, no framework,
//! BoringSSL's P-256, and a cache of the tokens that were good.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::io::Write;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use tokio::net::TcpListener;

/// Tokens that are remembered; then the cache begins anew.
const REMEMBERED: usize = 10_000;

/// What the server knows.
struct Knowledge {
    key: UnparsedPublicKey<Vec<u8>>,
    /// SHA-256 of every API key.
    api_keys: HashSet<Vec<u8>>,
    /// Tokens that were good, with their end.
    good: RefCell<HashMap<String, u64>>,
}

pub fn run() -> Result<()> {
    let mut lines = std::io::stdin().lines();
    let point = lines.next().context("no point")??;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, from_hex(&point)?);
    let digests = lines.map(|line| from_hex(&line?));
    let knowledge = Rc::new(Knowledge {
        key,
        api_keys: digests.collect::<Result<_>>()?,
        good: RefCell::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(knowledge))
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    ensure!(
        text.is_ascii() && text.len().is_multiple_of(2),
        "{text}: no hex"
    );
    (0..text.len() / 2)
        .map(|place| {
            let digits = text.get(2 * place..2 * place + 2).unwrap_or_default();
            Ok(u8::from_str_radix(digits, 16)?)
        })
        .collect()
}

async fn serve(knowledge: Rc<Knowledge>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let knowledge = Rc::clone(&knowledge);
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| {
                let status = match knowledge.check(&request) {
                    Some(()) => StatusCode::OK,
                    None => StatusCode::UNAUTHORIZED,
                };
                std::future::ready(answer(status))
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A connection that breaks is Envoy's to notice.
            let _ = connection.await;
        });
    }
}

fn answer(status: StatusCode) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}

impl Knowledge {
    fn check(&self, request: &Request<Incoming>) -> Option<()> {
        if let Some(api_key) = request.headers().get("x-api-key") {
            let digest = digest(&SHA256, api_key.as_bytes());
            return self.api_keys.contains(digest.as_ref()).then_some(());
        }
        let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
        let token = value.strip_prefix("Bearer ")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        if let Some(end) = self.good.borrow().get(token) {
            return (*end > now).then_some(());
        }
        let end = self.verify(token).filter(|end| *end > now)?;
        let mut good = self.good.borrow_mut();
        if good.len() >= REMEMBERED {
            good.clear();
        }
        good.insert(token.to_owned(), end);
        Some(())
    }

    /// The signature, issuer and audience: what the other listeners check. Returns the token's end.
    fn verify(&self, token: &str) -> Option<u64> {
        let (text, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.key.verify(text.as_bytes(), &signature).ok()?;
        let (_, payload) = text.split_once('.')?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let good = claims.get("iss")? == "https://idp.example.com"
            && claims.get("aud")? == "https://api.example.com";
        claims.get("exp")?.as_u64().filter(|_| good)
    }
}
