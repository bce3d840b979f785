//! What a token says, read strictly (RFC 7519 §4).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::TokenError;
use super::json::{self, Json};
use crate::cache::chunk;
use crate::expression::{Key, Map, Value};

/// The latest time that a claim may name, in seconds since 1970: the end of the year 9999. A later
/// one is no time but a mistake, most often milliseconds taken for seconds.
pub const MAX_NUMERIC_DATE: u64 = 253_402_300_799;

/// Room for how many members is made at once for an object that is read: most tokens have no more.
const MEMBERS: usize = 12;

/// The claims set of a token.
///
/// Registered claims have the types of RFC 7519 or the token is refused; all others are as they
/// came. A claim that is `null` stands there, with a wrong type. They are read at once into what
/// expressions see, so that nothing has to be made of them later.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    map: Map,
    exp: Option<Duration>,
    nbf: Option<Duration>,
    iat: Option<Duration>,
}

impl Claims {
    /// Reads a decoded payload.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] where it is no strict JSON object (duplicate members and deep
    /// nesting included); [`TokenError::Claims`] where a registered claim has a wrong type.
    pub fn parse(payload: &[u8]) -> Result<Self, TokenError> {
        let map = json::object::<Value>(payload).map_err(|_| TokenError::Malformed)?;
        for name in ["iss", "sub"] {
            if map.get(name).is_some_and(|value| value.as_text().is_none()) {
                return Err(TokenError::Claims);
            }
        }
        match map.get("aud") {
            None | Some(Value::String(_)) => {}
            Some(Value::List(list)) if list.iter().all(|item| item.as_text().is_some()) => {}
            Some(_) => return Err(TokenError::Claims),
        }
        let date = |name| map.get(name).map(numeric_date).transpose();
        Ok(Self {
            exp: date("exp")?,
            nbf: date("nbf")?,
            iat: date("iat")?,
            map,
        })
    }

    /// What they take on the module's heap behind an `Rc`, in bytes.
    pub fn bytes(&self) -> usize {
        chunk(size_of::<Self>() + 2 * size_of::<usize>()) + self.map.bytes()
    }

    /// Any claim, by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    /// All claims, as expressions see them.
    pub fn as_map(&self) -> &Map {
        &self.map
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.map.get("iss").and_then(Value::as_text)
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.map.get("sub").and_then(Value::as_text)
    }

    /// `aud`: a single string counts as a list of one, an absent one as none.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        let list = match self.map.get("aud") {
            Some(Value::List(list)) => list,
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        list.iter().filter_map(Value::as_text)
    }

    /// `exp`, since 1970.
    pub fn expires(&self) -> Option<Duration> {
        self.exp
    }

    /// `nbf`, since 1970.
    pub fn not_before(&self) -> Option<Duration> {
        self.nbf
    }

    /// `iat`, since 1970.
    pub fn issued_at(&self) -> Option<Duration> {
        self.iat
    }
}

/// A NumericDate of RFC 7519 §2: seconds, with or without a fraction.
fn numeric_date(value: &Value) -> Result<Duration, TokenError> {
    let date = match value {
        Value::Int(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
        Value::Double(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
        // Only what is far beyond the latest date is unsigned.
        _ => None,
    };
    date.filter(|date| date.as_secs() <= MAX_NUMERIC_DATE)
        .ok_or(TokenError::Claims)
}

/// The names that stand in most tokens (RFC 7519 §4.1, RFC 9068 §2.2, OpenID Connect Core §2):
/// shared, so that reading one costs no allocation.
static COMMON_NAMES: LazyLock<[Arc<str>; 16]> = LazyLock::new(|| {
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "scope",
        "scp",
        "client_id",
        "azp",
        "sid",
        "roles",
        "groups",
        "email",
        "tenant",
    ]
    .map(Arc::from)
});

/// What a token says is read at once into what expressions see.
impl Json for Value {
    type Members = Vec<(Key, Self)>;
    type Object = Map;

    fn null() -> Self {
        Self::Null
    }

    fn boolean(value: bool) -> Self {
        Self::Bool(value)
    }

    fn signed(value: i64) -> Self {
        Self::Int(value)
    }

    fn unsigned(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Uint(value), Self::Int)
    }

    fn double(value: f64) -> Self {
        Self::Double(value)
    }

    fn text(value: &str) -> Self {
        value.into()
    }

    fn list(items: Vec<Self>) -> Self {
        items.into()
    }

    fn add(members: &mut Self::Members, name: &str, value: Self) {
        if members.is_empty() {
            members.reserve(MEMBERS);
        }
        let common = COMMON_NAMES.iter().find(|common| &***common == name);
        let name = common.map_or_else(|| name.into(), Arc::clone);
        members.push((Key::String(name), value));
    }

    fn object(members: Self::Members) -> Option<Map> {
        Map::from_entries(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_whole_or_fractional_seconds_and_nothing_else() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("1700000000", Some(1_700_000_000_000)),
            ("1700000000.5", Some(1_700_000_000_500)),
            ("17e8", Some(1_700_000_000_000)),
            ("253402300799", Some(253_402_300_799_000)),
            ("253402300800", None),
            ("1700000000000", None),
            ("18446744073709551616", None),
            ("1e300", None),
            ("-1", None),
            ("-0.5", None),
            ("\"1700000000\"", None),
            ("null", None),
            ("true", None),
            ("[1700000000]", None),
            ("{}", None),
        ] {
            for name in ["exp", "nbf", "iat"] {
                let claims = Claims::parse(format!("{{\"{name}\":{text}}}").as_bytes());
                let date = claims.as_ref().ok().map(|claims| {
                    let dates = [claims.expires(), claims.not_before(), claims.issued_at()];
                    let mut there = dates.into_iter().flatten();
                    (there.next().unwrap().as_millis() as u64, there.next())
                });
                assert_eq!(date, expected.map(|millis| (millis, None)), "{name} {text}");
                if claims.is_err() {
                    assert_eq!(claims, Err(TokenError::Claims));
                }
            }
        }
    }

    #[test]
    fn registered_claims_have_their_types() {
        for text in [
            r#"{"iss":1}"#,
            r#"{"iss":null}"#,
            r#"{"iss":["a"]}"#,
            r#"{"sub":{}}"#,
            r#"{"aud":1}"#,
            r#"{"aud":null}"#,
            r#"{"aud":["a",1]}"#,
            r#"{"aud":[["a"]]}"#,
            r#"{"aud":{"a":"a"}}"#,
        ] {
            assert_eq!(
                Claims::parse(text.as_bytes()),
                Err(TokenError::Claims),
                "{text}"
            );
        }
        let claims =
            Claims::parse(br#"{"iss":"i","sub":"s","aud":["a","b"],"x":{"y":1}}"#).unwrap();
        assert_eq!(claims.issuer(), Some("i"));
        assert_eq!(claims.subject(), Some("s"));
        assert_eq!(claims.audience().collect::<Vec<_>>(), ["a", "b"]);
        let x = Value::from_json(&serde_json::json!({"y": 1}));
        assert_eq!(claims.get("x"), Some(&x));
        assert_eq!(claims.as_map().len(), 4);
        let claims = Claims::parse(br#"{"aud":"a"}"#).unwrap();
        assert_eq!(claims.audience().collect::<Vec<_>>(), ["a"]);
        assert_eq!(Claims::parse(b"{}").unwrap().audience().count(), 0);
    }

    #[test]
    fn empty_lists_and_objects_take_no_memory_of_their_own() {
        let claims = Claims::parse(br#"{"a":[[],[]],"b":[{},{}]}"#).unwrap();
        let pair = |name| match claims.get(name) {
            Some(Value::List(items)) => (items[0].clone(), items[1].clone()),
            _ => panic!("{name} is a list"),
        };
        let (Value::List(one), Value::List(other)) = pair("a") else {
            panic!("two lists");
        };
        assert!(Arc::ptr_eq(&one, &other));
        let (Value::Map(one), Value::Map(other)) = pair("b") else {
            panic!("two objects");
        };
        assert!(std::ptr::eq(one.entries(), other.entries()));
    }

    #[test]
    fn a_payload_that_is_no_strict_object_is_malformed() {
        for text in ["", "[]", "\"a\"", "1", "{\"a\":1,\"a\":2}", "{} {}"] {
            assert_eq!(
                Claims::parse(text.as_bytes()),
                Err(TokenError::Malformed),
                "{text}"
            );
        }
    }
}
