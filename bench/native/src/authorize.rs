//! An external authorization server as somebody would write it who cares for speed: one thread, no framework,
//! BoringSSL's P-256.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use tokio::net::TcpListener;

type PublicKey = UnparsedPublicKey<Vec<u8>>;

pub fn run() -> Result<()> {
    let mut point = String::new();
    std::io::stdin().read_to_string(&mut point)?;
    let bytes = (0..point.trim().len() / 2).map(|place| {
        let digits = point.get(2 * place..2 * place + 2).unwrap_or_default();
        u8::from_str_radix(digits, 16)
    });
    let point = bytes
        .collect::<Result<Vec<_>, _>>()
        .context("the point in hex")?;
    let key = Arc::new(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(serve(key))
}

async fn serve(key: Arc<PublicKey>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let key = Arc::clone(&key);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let status = match check(&request, &key) {
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

/// The signature, issuer, audience and time: what the other listeners check.
fn check(request: &Request<Incoming>, key: &PublicKey) -> Option<()> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let token = value.strip_prefix("Bearer ")?;
    let (text, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    key.verify(text.as_bytes(), &signature).ok()?;
    let (_, payload) = text.split_once('.')?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let good = claims.get("iss")? == "https://idp.example.com"
        && claims.get("aud")? == "https://api.example.com"
        && claims.get("exp")?.as_u64()? > now;
    good.then_some(())
}
