//! What a token endpoint's reply means (RFC 6749 §5).

use super::{Exchange, Pointers};
use crate::host::Answer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::time::Duration;

/// The longest token that is taken, in bytes.
const MAX_TOKEN: usize = 16 * 1024;
/// The longest reply that is read, in bytes: a token and what stands around it.
const MAX_REPLY: usize = 64 * 1024;
/// The longest life that is believed. What claims more is asked for anew after it.
const MAX_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest pause that a `Retry-After` is granted.
const MAX_PAUSE: u64 = 3600;

/// A token that was obtained.
#[derive(Clone, PartialEq, Eq)]
pub struct Obtained {
    /// The token itself: visible ASCII.
    pub token: String,
    /// How long it lives from now.
    pub life: Duration,
}

/// Tokens aren't shown.
impl std::fmt::Debug for Obtained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Obtained(life {:?})", self.life)
    }
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeFailure {
    /// The endpoint refuses this pair.
    Refused,
    /// The endpoint wants to be left alone for some seconds (429).
    Limited(u64),
    /// The endpoint can't be reached or fails; it may have said for how many seconds.
    Unavailable(Option<u64>),
    /// The endpoint's reply is no usable token.
    Unusable,
    /// The endpoint failed so often that it is left alone for this long.
    Open(Duration),
}

/// Reads a reply.
pub fn read(
    exchange: &Exchange,
    answer: &Answer,
    now: Duration,
) -> Result<Obtained, ExchangeFailure> {
    let Answer::Reply {
        status,
        retry_after,
        body,
    } = answer
    else {
        return Err(ExchangeFailure::Unavailable(None));
    };
    let pause = retry_after.map(|seconds| seconds.min(MAX_PAUSE));
    match status {
        200 => obtained(exchange, body, now).ok_or(ExchangeFailure::Unusable),
        400 | 401 if is_refusal(*status, body) => Err(ExchangeFailure::Refused),
        429 => Err(ExchangeFailure::Limited(pause.unwrap_or(1).max(1))),
        _ => Err(ExchangeFailure::Unavailable(pause)),
    }
}

/// Whether the endpoint speaks about the pair. A 401 always does; a 400 may also mean that
/// our own request is wrong, which is no caller's fault.
fn is_refusal(status: u16, body: &[u8]) -> bool {
    let error = object(body).and_then(|reply| {
        reply
            .get("error")
            .and_then(Value::as_str)
            .map(str::to_owned)
    });
    match error.as_deref() {
        Some("invalid_client" | "invalid_grant" | "unauthorized_client" | "access_denied") => true,
        _ => status == 401,
    }
}

fn object(body: &[u8]) -> Option<Value> {
    if body.len() > MAX_REPLY {
        return None;
    }
    serde_json::from_slice(body).ok().filter(Value::is_object)
}

fn obtained(exchange: &Exchange, body: &[u8], now: Duration) -> Option<Obtained> {
    let reply = object(body)?;
    let Pointers {
        token,
        expires_in,
        token_type,
    } = &exchange.pointers;
    let token = reply.pointer(token)?.as_str()?;
    let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.is_empty() || token.len() > MAX_TOKEN || !visible {
        return None;
    }
    // The type is required (RFC 6749 §5.1), but endpoints with shapes of their own leave it
    // out; what must not happen is that another type passes for Bearer.
    match reply.pointer(token_type) {
        None | Some(Value::Null) => {}
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
        Some(_) => return None,
    }
    let told = match reply.pointer(expires_in) {
        None | Some(Value::Null) => None,
        Some(value) => Some(seconds(value)?),
    };
    let written = expiry(token).map(|end| end.saturating_sub(now));
    let life = match (told, written) {
        (Some(told), Some(written)) => told.min(written),
        (Some(life), None) | (None, Some(life)) => life,
        (None, None) => exchange.default_lifetime,
    };
    (!life.is_zero()).then(|| Obtained {
        token: token.to_owned(),
        life: life.min(MAX_LIFE),
    })
}

/// A life in seconds, as a number or as text.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.parse::<u64>().ok()? as f64,
        _ => return None,
    };
    (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(MAX_LIFE))
}

/// `exp` of a JWT, unverified: it can only shorten how long the token is kept.
fn expiry(token: &str) -> Option<Duration> {
    let payload = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Duration::try_from_secs_f64(claims.get("exp")?.as_f64()?).ok()
}
