//! What a policy asks of a token whose signature is proven.

use std::time::Duration;

use super::{Claims, TokenError};
use crate::expression::Value;

/// The claims that a policy asks for. The default asks for `exp` only.
#[derive(Clone, PartialEq)]
pub struct ClaimRules {
    /// `iss` must be exactly this one. Default: any or none.
    pub issuer: Option<String>,
    /// `aud` must hold one of these, compared exactly. Default, empty: any or none.
    pub audience: Vec<String>,
    /// How far the clocks may differ. Default 30 s.
    pub leeway: Duration,
    /// Whether a token without `exp` is refused. Default true.
    pub require_exp: bool,
    /// How long a token may be valid: `exp` − `iat`, or `exp` − now without `iat`; the leeway comes
    /// on top. A token without `exp` never ends and is refused. Default: any length.
    pub max_lifetime: Option<Duration>,
    /// The header's `typ` must be one of these, compared without case and with or without
    /// `application/` in front (RFC 7515 §4.1.9). Default, empty: any or none.
    pub typ: Vec<String>,
    /// Each claim must equal its value, or be a list that holds it. Default: none.
    pub claims: Vec<(String, Value)>,
}

/// The values of `claims` are free, so they may hold what must not show.
impl std::fmt::Debug for ClaimRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.claims.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ClaimRules")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("leeway", &self.leeway)
            .field("require_exp", &self.require_exp)
            .field("max_lifetime", &self.max_lifetime)
            .field("typ", &self.typ)
            .field("claims", &names)
            .finish()
    }
}

impl Default for ClaimRules {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: Vec::new(),
            leeway: Duration::from_secs(30),
            require_exp: true,
            max_lifetime: None,
            typ: Vec::new(),
            claims: Vec::new(),
        }
    }
}

impl ClaimRules {
    /// Judges the claims of a token whose header says `typ`, at `now` since 1970.
    ///
    /// # Errors
    /// The first rule that the token breaks: type, issuer, audience, times, lifetime, claims.
    pub fn check(
        &self,
        typ: Option<&str>,
        claims: &Claims,
        now: Duration,
    ) -> Result<(), TokenError> {
        self.check_type(typ)?;
        if let Some(issuer) = &self.issuer
            && claims.issuer() != Some(issuer)
        {
            return Err(TokenError::Issuer);
        }
        if !self.audience.is_empty()
            && !claims
                .audience()
                .any(|aud| self.audience.iter().any(|a| a == aud))
        {
            return Err(TokenError::Audience);
        }
        self.check_times(claims, now)?;
        let fulfilled = |(name, value): &(String, Value)| {
            claims.get(name).is_some_and(|claim| holds(claim, value))
        };
        if !self.claims.iter().all(fulfilled) {
            return Err(TokenError::Claims);
        }
        Ok(())
    }

    fn check_type(&self, typ: Option<&str>) -> Result<(), TokenError> {
        if self.typ.is_empty() {
            return Ok(());
        }
        let typ = media_type(typ.ok_or(TokenError::Type)?);
        let same = |wanted: &String| media_type(wanted).eq_ignore_ascii_case(typ);
        if self.typ.iter().any(same) {
            Ok(())
        } else {
            Err(TokenError::Type)
        }
    }

    /// From when and until when claims that pass [`ClaimRules::check`] now do so, by their times.
    pub fn span(&self, claims: &Claims) -> (Duration, Duration) {
        let begins = [claims.not_before(), claims.issued_at()];
        let begin = begins.into_iter().flatten().max().unwrap_or_default();
        let mut begin = begin.saturating_sub(self.leeway);
        let Some(exp) = claims.expires() else {
            return (begin, Duration::MAX);
        };
        if let (Some(max), None) = (self.max_lifetime, claims.issued_at()) {
            let most = max.saturating_add(self.leeway);
            begin = begin.max(exp.saturating_sub(most));
        }
        (begin, exp.saturating_add(self.leeway))
    }

    fn check_times(&self, claims: &Claims, now: Duration) -> Result<(), TokenError> {
        let latest = now.saturating_add(self.leeway);
        if let Some(exp) = claims.expires() {
            // RFC 7519 §4.1.4: valid before exp, no longer at it.
            if now >= exp.saturating_add(self.leeway) {
                return Err(TokenError::Expired);
            }
        } else if self.require_exp {
            return Err(TokenError::Claims);
        }
        let begins = [claims.not_before(), claims.issued_at()];
        if begins.into_iter().flatten().any(|begin| begin > latest) {
            return Err(TokenError::NotYetValid);
        }
        if let Some(max) = self.max_lifetime {
            let exp = claims.expires().ok_or(TokenError::Lifetime)?;
            let lifetime = exp.saturating_sub(claims.issued_at().unwrap_or(now));
            if lifetime > max.saturating_add(self.leeway) {
                return Err(TokenError::Lifetime);
            }
        }
        Ok(())
    }
}

/// A media type without its `application/`, which may be left out where no other slash follows.
fn media_type(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match (typ.get(..PREFIX.len()), typ.get(PREFIX.len()..)) {
        (Some(prefix), Some(rest))
            if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') =>
        {
            rest
        }
        _ => typ,
    }
}

fn holds(claim: &Value, wanted: &Value) -> bool {
    let held = match claim {
        Value::List(items) => items.iter().any(|item| equal(item, wanted)),
        _ => false,
    };
    held || equal(claim, wanted)
}

/// As JSON sees it: `1` and `1.0` are one number, whichever of them the policy and the token wrote.
fn equal(claim: &Value, wanted: &Value) -> bool {
    match (claim, wanted) {
        (Value::Double(double), Value::Int(int)) | (Value::Int(int), Value::Double(double)) => {
            *int as f64 == *double
        }
        (Value::Double(double), Value::Uint(uint)) | (Value::Uint(uint), Value::Double(double)) => {
            *uint as f64 == *double
        }
        _ => claim == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Json = serde_json::Value;

    const NOW: u64 = 1_700_000_000;

    fn check(rules: &ClaimRules, claims: Json) -> Result<(), TokenError> {
        let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
        rules.check(None, &claims, Duration::from_secs(NOW))
    }

    #[test]
    fn the_span_is_when_the_times_pass() {
        let times = |max_lifetime: Option<u64>, claims: Json| {
            let rules = ClaimRules {
                require_exp: max_lifetime.is_some(),
                max_lifetime: max_lifetime.map(Duration::from_secs),
                ..ClaimRules::default()
            };
            let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
            let (begin, end) = rules.span(&claims);
            let passing: Vec<u64> = (0..500)
                .filter(|now| {
                    rules
                        .check_times(&claims, Duration::from_secs(*now))
                        .is_ok()
                })
                .collect();
            let within: Vec<u64> = (0..500)
                .filter(|now| (begin..end).contains(&Duration::from_secs(*now)))
                .collect();
            assert_eq!(passing, within, "{claims:?}");
            assert!(!passing.is_empty());
        };
        times(None, json!({}));
        times(None, json!({"exp": 300}));
        times(None, json!({"exp": 300, "iat": 100}));
        times(None, json!({"exp": 300, "iat": 100, "nbf": 120}));
        times(None, json!({"nbf": 200, "iat": 10}));
        times(Some(100), json!({"exp": 300}));
        times(Some(100), json!({"exp": 300, "nbf": 250}));
        times(Some(100), json!({"exp": 300, "iat": 200}));
        times(Some(1000), json!({"exp": 300}));
    }

    #[test]
    fn times_are_judged_with_leeway_to_the_second() {
        let rules = ClaimRules::default();
        for (claims, expected) in [
            (json!({}), Err(TokenError::Claims)),
            (json!({"exp": NOW + 1}), Ok(())),
            (json!({"exp": NOW - 29}), Ok(())),
            (json!({"exp": NOW - 30}), Err(TokenError::Expired)),
            (json!({"exp": NOW as f64 - 29.5}), Ok(())),
            (json!({"exp": NOW as f64 - 30.5}), Err(TokenError::Expired)),
            (json!({"exp": 0}), Err(TokenError::Expired)),
            (json!({"exp": NOW + 60, "nbf": NOW + 30}), Ok(())),
            (
                json!({"exp": NOW + 60, "nbf": NOW + 31}),
                Err(TokenError::NotYetValid),
            ),
            (json!({"exp": NOW + 60, "nbf": 0}), Ok(())),
            (json!({"exp": NOW + 60, "iat": NOW + 30}), Ok(())),
            (
                json!({"exp": NOW + 60, "iat": NOW + 31}),
                Err(TokenError::NotYetValid),
            ),
            (json!({"exp": NOW + 60, "iat": 0}), Ok(())),
        ] {
            assert_eq!(check(&rules, claims.clone()), expected, "{claims}");
        }
        let rules = ClaimRules {
            require_exp: false,
            ..rules
        };
        assert_eq!(check(&rules, json!({})), Ok(()));
        assert_eq!(check(&rules, json!({"exp": 0})), Err(TokenError::Expired));
    }

    #[test]
    fn lifetime_counts_from_iat_else_from_now_with_leeway_on_top() {
        let rules = ClaimRules {
            max_lifetime: Some(Duration::from_secs(3600)),
            require_exp: false,
            ..ClaimRules::default()
        };
        for (claims, expected) in [
            (json!({"iat": NOW, "exp": NOW + 3630}), Ok(())),
            (
                json!({"iat": NOW, "exp": NOW + 3631}),
                Err(TokenError::Lifetime),
            ),
            (
                json!({"iat": NOW - 3600, "exp": NOW + 60}),
                Err(TokenError::Lifetime),
            ),
            (json!({"exp": NOW + 3630}), Ok(())),
            (json!({"exp": NOW + 3631}), Err(TokenError::Lifetime)),
            (json!({"iat": NOW + 30, "exp": NOW}), Ok(())),
            (json!({}), Err(TokenError::Lifetime)),
            (json!({"iat": NOW}), Err(TokenError::Lifetime)),
        ] {
            assert_eq!(check(&rules, claims.clone()), expected, "{claims}");
        }
    }

    #[test]
    fn issuer_and_audience_are_compared_exactly() {
        let rules = ClaimRules {
            issuer: Some("https://a.example".into()),
            audience: vec!["x".into(), "y".into()],
            require_exp: false,
            ..ClaimRules::default()
        };
        for (claims, expected) in [
            (json!({"iss": "https://a.example", "aud": "y"}), Ok(())),
            (
                json!({"iss": "https://a.example", "aud": ["z", "x"]}),
                Ok(()),
            ),
            (
                json!({"iss": "https://a.example", "aud": ["z"]}),
                Err(TokenError::Audience),
            ),
            (
                json!({"iss": "https://a.example", "aud": "X"}),
                Err(TokenError::Audience),
            ),
            (
                json!({"iss": "https://a.example", "aud": "x y"}),
                Err(TokenError::Audience),
            ),
            (
                json!({"iss": "https://a.example", "aud": []}),
                Err(TokenError::Audience),
            ),
            (
                json!({"iss": "https://a.example"}),
                Err(TokenError::Audience),
            ),
            (
                json!({"iss": "https://a.example/", "aud": "x"}),
                Err(TokenError::Issuer),
            ),
            (
                json!({"iss": "https://A.example", "aud": "x"}),
                Err(TokenError::Issuer),
            ),
            (json!({"aud": "x"}), Err(TokenError::Issuer)),
        ] {
            assert_eq!(check(&rules, claims.clone()), expected, "{claims}");
        }
    }

    #[test]
    fn claims_equal_their_value_or_hold_it() {
        for (claim, wanted, expected) in [
            (json!("access"), json!("access"), true),
            (json!(["id", "access"]), json!("access"), true),
            (json!("Access"), json!("access"), false),
            (json!("access id"), json!("access"), false),
            (json!({"access": 1}), json!("access"), false),
            (json!(1.0), json!(1), true),
            (json!("1"), json!(1), false),
            // A double can't tell these two apart.
            (json!((1_u64 << 53) + 1), json!(1_u64 << 53), false),
            (json!((1_u64 << 53) + 1), json!((1_u64 << 53) + 1), true),
            (json!(-1), json!(1), false),
            (json!(true), json!(true), true),
            (json!("true"), json!(true), false),
            (json!(null), json!(null), true),
            (json!(["a", "b"]), json!(["a", "b"]), true),
            (json!([["a"]]), json!(["a"]), true),
            (json!(["b", "a"]), json!(["a", "b"]), false),
            (json!([]), json!("access"), false),
        ] {
            let rules = ClaimRules {
                require_exp: false,
                claims: vec![("use".into(), Value::from_json(&wanted))],
                ..ClaimRules::default()
            };
            let held = check(&rules, json!({"use": claim})).is_ok();
            assert_eq!(held, expected, "{claim} for {wanted}");
            assert_eq!(check(&rules, json!({})), Err(TokenError::Claims));
        }
    }

    #[test]
    fn types_are_compared_as_media_types() {
        for (typ, wanted, expected) in [
            (Some("at+jwt"), "at+jwt", true),
            (Some("AT+JWT"), "at+jwt", true),
            (Some("application/at+jwt"), "at+jwt", true),
            (Some("Application/At+jwt"), "at+jwt", true),
            (Some("at+jwt"), "application/at+jwt", true),
            (Some("JWT"), "at+jwt", false),
            (Some("application/at+jwt/x"), "at+jwt/x", false),
            (Some("text/at+jwt"), "at+jwt", false),
            (Some("é"), "at+jwt", false),
            (Some(""), "at+jwt", false),
            (None, "at+jwt", false),
        ] {
            let rules = ClaimRules {
                typ: vec!["other".into(), wanted.into()],
                ..ClaimRules::default()
            };
            assert_eq!(
                rules.check_type(typ).is_ok(),
                expected,
                "{typ:?} for {wanted}"
            );
        }
    }

    #[test]
    fn debug_names_the_claims_and_shows_none_of_their_values() {
        let rules = ClaimRules {
            issuer: Some("https://a.example".into()),
            claims: vec![("code".into(), "hunter2".into())],
            ..ClaimRules::default()
        };
        let shown = format!("{rules:?}");
        assert!(
            shown.contains("https://a.example") && shown.contains("code"),
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
