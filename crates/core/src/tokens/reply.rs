//! What a token endpoint's reply means (RFC 6749 §5).

use super::{Exchange, Pointers};
use crate::host::Answer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::time::Duration;
use zeroize::Zeroizing;

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
    pub token: Zeroizing<String>,
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
    /// The endpoint failed so often that it is left alone.
    Open,
    /// The proxy could not reach the endpoint.
    Unreachable,
    /// The endpoint did not answer in time.
    TimedOut,
}

/// Reads a reply.
pub fn read(
    exchange: &Exchange,
    answer: &Answer,
    now: Duration,
) -> Result<Obtained, ExchangeFailure> {
    let (status, retry_after, body) = match answer {
        Answer::Reply {
            status,
            retry_after,
            body,
        } => (status, retry_after, body),
        Answer::NotSent => return Err(ExchangeFailure::Open),
        Answer::Failed => return Err(ExchangeFailure::Unavailable(None)),
        Answer::Unreachable => return Err(ExchangeFailure::Unreachable),
        Answer::TimedOut => return Err(ExchangeFailure::TimedOut),
    };
    let pause = retry_after.map(|seconds| seconds.min(MAX_PAUSE));
    match status {
        200 => obtained(exchange, body, now).ok_or(ExchangeFailure::Unusable),
        400 | 401 if is_refusal(*status, body) => Err(ExchangeFailure::Refused),
        429 => Err(ExchangeFailure::Limited(pause.unwrap_or(1).max(1))),
        500.. => Err(ExchangeFailure::Unavailable(pause)),
        // It speaks about one request, so it makes no pause for others.
        _ => Err(ExchangeFailure::Unavailable(None)),
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
        token: Zeroizing::new(token.to_owned()),
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
    let end = claims.get("exp")?.as_f64()?;
    Some(Duration::try_from_secs_f64(end.max(0.0)).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{BreakerSettings, ClientAuth, Retry};

    const NOW: u64 = 1_700_000_000;
    const DEFAULT: u64 = 300;
    const LONGEST: u64 = MAX_LIFE.as_secs();

    fn exchange(pointers: Pointers) -> Exchange {
        Exchange {
            name: "idp".into(),
            cluster: "idp".into(),
            scheme: "https",
            authority: "idp.example.com".into(),
            path: "/token".into(),
            own: None,
            auth: ClientAuth::Basic,
            assertion: None,
            scope: String::new(),
            form: Vec::new(),
            json: None,
            headers: Vec::new(),
            pointers,
            default_lifetime: Duration::from_secs(DEFAULT),
            timeout: Duration::from_secs(3),
            refresh_before: Duration::from_secs(60),
            cache_failures: Duration::from_secs(5),
            retry: Retry::default(),
            breaker: BreakerSettings::default(),
        }
    }

    #[test]
    fn debug_shows_the_life_and_not_the_token() {
        let obtained = Obtained {
            token: Zeroizing::new("hunter2".into()),
            life: Duration::from_secs(60),
        };
        assert_eq!(format!("{obtained:?}"), "Obtained(life 60s)");
    }

    fn read_body(pointers: Pointers, body: &str) -> Result<Obtained, ExchangeFailure> {
        let answer = Answer::Reply {
            status: 200,
            retry_after: None,
            body: body.as_bytes().to_vec(),
        };
        read(&exchange(pointers), &answer, Duration::from_secs(NOW))
    }

    /// The life in seconds that a reply with these members gives its token, if it is usable.
    fn life(members: &str) -> Option<f64> {
        let body = format!("{{\"access_token\":\"t\"{members}}}");
        let obtained = read_body(Pointers::default(), &body).ok()?;
        assert_eq!(*obtained.token, "t");
        Some(obtained.life.as_secs_f64())
    }

    #[test]
    fn a_token_is_taken_up_to_its_bound() {
        for (length, taken) in [
            (0, false),
            (1, true),
            (16 * 1024, true),
            (16 * 1024 + 1, false),
        ] {
            let body = format!("{{\"access_token\":\"{}\"}}", "t".repeat(length));
            let read = read_body(Pointers::default(), &body);
            assert_eq!(read.is_ok(), taken, "{length}");
        }
    }

    #[test]
    fn a_life_is_a_positive_number_or_text() {
        for (value, expected) in [
            ("60", Some(60.0)),
            ("60.5", Some(60.5)),
            ("6e1", Some(60.0)),
            ("\"60\"", Some(60.0)),
            ("null", Some(DEFAULT as f64)),
            ("0", None),
            ("-0.0", None),
            ("-1", None),
            ("\"0\"", None),
            ("\"-1\"", None),
            ("\"\"", None),
            ("\"60.5\"", None),
            ("\"soon\"", None),
            ("true", None),
            ("[60]", None),
            ("{}", None),
            // A life of less than a nanosecond is none.
            ("1e-12", None),
            // More than is believed is asked for anew.
            ("2592001", Some(LONGEST as f64)),
            ("1e18", Some(LONGEST as f64)),
            ("1e300", Some(LONGEST as f64)),
            ("18446744073709551615", Some(LONGEST as f64)),
            ("18446744073709551616", Some(LONGEST as f64)),
            ("\"18446744073709551615\"", Some(LONGEST as f64)),
            ("\"18446744073709551616\"", None),
        ] {
            assert_eq!(
                life(&format!(",\"expires_in\":{value}")),
                expected,
                "{value}"
            );
        }
        assert_eq!(life(""), Some(DEFAULT as f64));
    }

    #[test]
    fn what_a_token_says_of_its_end_only_shortens_its_life() {
        let jwt = |claims: &str| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
        for (claims, told, expected) in [
            (r#"{"exp":1700000060}"#, None, Some(60)),
            (r#"{"exp":1700000060}"#, Some(3600), Some(60)),
            (r#"{"exp":1700003600}"#, Some(60), Some(60)),
            (r#"{"exp":1700000060.9}"#, None, Some(60)),
            // Over already, or just now.
            (r#"{"exp":1700000000}"#, Some(60), None),
            (r#"{"exp":0}"#, None, None),
            (r#"{"exp":-1}"#, Some(60), None),
            (r#"{"exp":-1}"#, None, None),
            // Nothing that can be read: as if it said nothing.
            (r#"{"exp":"1700000060"}"#, Some(90), Some(90)),
            (r#"{"exp":null}"#, None, Some(DEFAULT)),
            (r#"{"exp":1e300}"#, Some(90), Some(90)),
            (r#"[]"#, Some(90), Some(90)),
            (r#"nonsense"#, None, Some(DEFAULT)),
        ] {
            let token = jwt(claims);
            let told = told.map_or(String::new(), |told| format!(",\"expires_in\":{told}"));
            let body = format!("{{\"access_token\":\"{token}\"{told}}}");
            let obtained = read_body(Pointers::default(), &body).ok();
            let life = obtained.map(|obtained| obtained.life.as_secs());
            assert_eq!(life, expected, "{claims} {told}");
        }
    }

    #[test]
    fn only_a_visible_bearer_token_of_bounded_length_is_one() {
        let longest = "t".repeat(MAX_TOKEN);
        for (token, usable) in [
            ("t", true),
            ("a.b-c_d~e+f/g==", true),
            (longest.as_str(), true),
            (&format!("{longest}t"), false),
            ("", false),
            ("a b", false),
            (r"a\nb", false),
            (r"a\u0000", false),
            ("é", false),
            ("a\u{7f}", false),
        ] {
            let body = format!("{{\"access_token\":\"{token}\"}}");
            let read = read_body(Pointers::default(), &body);
            assert_eq!(read.is_ok(), usable, "{:.20}", token);
        }
        for (kind, usable) in [
            ("null", true),
            ("\"Bearer\"", true),
            ("\"bearer\"", true),
            ("\"BEARER\"", true),
            ("\"\"", false),
            ("\"Bearer \"", false),
            ("\"DPoP\"", false),
            ("\"mac\"", false),
            ("1", false),
            ("[\"Bearer\"]", false),
        ] {
            let read = life(&format!(",\"token_type\":{kind}"));
            assert_eq!(read.is_some(), usable, "{kind}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_of_bounded_length_holds_no_token() {
        let padded = |length: usize| {
            let body = r#"{"access_token":"t"}"#;
            format!("{body}{}", " ".repeat(length - body.len()))
        };
        assert!(read_body(Pointers::default(), &padded(MAX_REPLY)).is_ok());
        for body in [
            "",
            "{",
            "null",
            "\"t\"",
            "[]",
            r#"[{"access_token":"t"}]"#,
            r#"{"access_token":{"access_token":"t"}}"#,
            r#"{"access_token":["t"]}"#,
            r#"{"access_token":1}"#,
            r#"{"access_token":null}"#,
            r#"{"Access_Token":"t"}"#,
            r#"{"access_token":"t"} x"#,
            "access_token=t&expires_in=60",
            &padded(MAX_REPLY + 1),
            &"[".repeat(50_000),
        ] {
            let read = read_body(Pointers::default(), body);
            assert_eq!(read, Err(ExchangeFailure::Unusable), "{body:.40}");
        }
    }

    #[test]
    fn pointers_lead_into_objects_and_lists() {
        let at = |token: &str, expires_in: &str, body: &str| {
            let pointers = Pointers {
                token: token.into(),
                expires_in: expires_in.into(),
                token_type: "/meta/type".into(),
            };
            let obtained = read_body(pointers, body).ok()?;
            Some((obtained.token.to_string(), obtained.life.as_secs()))
        };
        let body = r#"{"data":[{"a/b":"one","~":"two","life":"60"}],"meta":{"type":"Bearer"}}"#;
        for (token, expires_in, expected) in [
            ("/data/0/a~1b", "/data/0/life", Some(("one", 60))),
            ("/data/0/~0", "/none", Some(("two", DEFAULT))),
            ("/data/0/~0", "/data/7/life", Some(("two", DEFAULT))),
            ("/data/1/a~1b", "/data/0/life", None),
            ("/data/-1/a~1b", "/data/0/life", None),
            ("/data/0", "/data/0/life", None),
            ("/data/0/~0", "/data", None),
            ("/", "/data/0/life", None),
        ] {
            let expected = expected.map(|(token, life)| (token.to_owned(), life));
            assert_eq!(
                at(token, expires_in, body),
                expected,
                "{token} {expires_in}"
            );
        }
        let other = r#"{"data":"t","meta":{"type":"mac"}}"#;
        assert_eq!(at("/data", "/none", other), None);
    }

    #[test]
    fn a_status_says_whose_fault_it_is() {
        use ExchangeFailure::*;
        let error = |name: &str| format!("{{\"error\":\"{name}\"}}");
        for (status, retry_after, body, expected) in [
            (200, None, String::new(), Unusable),
            (400, None, error("invalid_client"), Refused),
            (400, None, error("invalid_grant"), Refused),
            (400, None, error("unauthorized_client"), Refused),
            (400, None, error("access_denied"), Refused),
            (400, None, error("invalid_request"), Unavailable(None)),
            (400, None, error("invalid_scope"), Unavailable(None)),
            (
                400,
                None,
                error("unsupported_grant_type"),
                Unavailable(None),
            ),
            (400, None, error("INVALID_CLIENT"), Unavailable(None)),
            (
                400,
                None,
                "{\"error\":[\"invalid_client\"]}".into(),
                Unavailable(None),
            ),
            (400, None, "<html>".into(), Unavailable(None)),
            (400, Some(9), String::new(), Unavailable(None)),
            (403, Some(9), String::new(), Unavailable(None)),
            (401, None, error("invalid_client"), Refused),
            (401, None, "<html>".into(), Refused),
            (401, None, " ".repeat(MAX_REPLY + 1), Refused),
            (403, None, error("invalid_client"), Unavailable(None)),
            (429, None, String::new(), Limited(1)),
            (429, Some(0), String::new(), Limited(1)),
            (429, Some(7), String::new(), Limited(7)),
            (429, Some(u64::MAX), String::new(), Limited(MAX_PAUSE)),
            (500, None, error("invalid_client"), Unavailable(None)),
            (503, Some(7), String::new(), Unavailable(Some(7))),
            (
                503,
                Some(u64::MAX),
                String::new(),
                Unavailable(Some(MAX_PAUSE)),
            ),
            (0, None, String::new(), Unavailable(None)),
            (u16::MAX, None, String::new(), Unavailable(None)),
        ] {
            let answer = Answer::Reply {
                status,
                retry_after,
                body: body.clone().into_bytes(),
            };
            let read = read(&exchange(Pointers::default()), &answer, Duration::ZERO);
            assert_eq!(read, Err(expected), "{status} {body:.40}");
        }
        let read = read(
            &exchange(Pointers::default()),
            &Answer::Failed,
            Duration::MAX,
        );
        assert_eq!(read, Err(Unavailable(None)));
    }
}
