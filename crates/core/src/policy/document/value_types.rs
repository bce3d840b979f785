//! The small value types that the raw structs share: durations, times, "one or many".

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The longest duration a policy may name, in hours: 366 days. Nothing in the language needs more,
/// and sums with it can't overflow.
pub const MAX_DURATION: std::time::Duration = std::time::Duration::from_secs(366 * 24 * 60 * 60);

/// A list for which one string may stand: `audience: api` means `audience: [api]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename = "doorward::OneOrMany")]
pub struct OneOrMany<T>(pub Vec<T>);

/// How the deserializer recognises a [`OneOrMany`]: the name it is renamed to above.
pub(super) const ONE_OR_MANY: &str = "doorward::OneOrMany";

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A value that may be a map or something else: `authenticate: supplier-key` or
/// `authenticate: {any: […]}`. Each alternative tells its own problems. For [`decode`] only: other
/// deserializers see `T`.
///
/// [`decode`]: super::decode()
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapOr<M, T> {
    /// It is a map.
    Map(M),
    /// It is anything else.
    Other(T),
}

/// How the deserializer recognises a [`MapOr`]: it answers by `visit_some` for a map, else by
/// `visit_newtype_struct`.
pub(super) const MAP_OR: &str = "doorward::MapOr";

impl<'de, M: Deserialize<'de>, T: Deserialize<'de>> Deserialize<'de> for MapOr<M, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<M, T>(PhantomData<(M, T)>);
        impl<'de, M: Deserialize<'de>, T: Deserialize<'de>> de::Visitor<'de> for Visitor<M, T> {
            type Value = MapOr<M, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map or another value")
            }

            fn visit_some<D: Deserializer<'de>>(self, map: D) -> Result<Self::Value, D::Error> {
                M::deserialize(map).map(MapOr::Map)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                other: D,
            ) -> Result<Self::Value, D::Error> {
                T::deserialize(other).map(MapOr::Other)
            }
        }
        deserializer.deserialize_newtype_struct(MAP_OR, Visitor(PhantomData))
    }
}

/// A span of time: a whole number with `ms`, `s`, `m` or `h`, at most [`MAX_DURATION`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

const DURATION: &str = "a duration such as 500ms, 30s, 10m or 4h";

impl std::str::FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let unit: u64 = match text.get(digits..) {
            Some("ms") => 1,
            Some("s") => 1_000,
            Some("m") => 60_000,
            Some("h") => 3_600_000,
            _ => return Err(format!("expected {DURATION}")),
        };
        let digits = text.get(..digits).filter(|digits| !digits.is_empty());
        let Some(digits) = digits else {
            return Err(format!("expected {DURATION}"));
        };
        digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit))
            .map(std::time::Duration::from_millis)
            .filter(|duration| *duration <= MAX_DURATION)
            .map(Self)
            .ok_or_else(|| "this duration is too long: 8784h (366 days) is the most".to_owned())
    }
}

/// A point in time: RFC 3339, with `Z` or an offset; parts of a second are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z, negative before it.
    pub unix_seconds: i64,
}

const TIMESTAMP: &str = "a time such as 2026-11-01T00:00:00Z";

impl std::str::FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OffsetDateTime::parse(text, &Rfc3339)
            .map(|time| Self {
                unix_seconds: time.unix_timestamp(),
            })
            .map_err(|_| format!("expected {TIMESTAMP}"))
    }
}

/// Deserializes what is written as one string and parsed by `FromStr`.
struct Parsed<T> {
    expected: &'static str,
    /// What `decode` goes on with after a problem.
    stand_in: T,
}

impl<T: std::str::FromStr<Err = String>> de::Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_none<E: de::Error>(self) -> Result<T, E> {
        Ok(self.stand_in)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parsed {
            expected: DURATION,
            stand_in: Self(std::time::Duration::ZERO),
        })
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parsed {
            expected: TIMESTAMP,
            stand_in: Self { unix_seconds: 0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let good = [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("4h", 14_400_000),
            ("0s", 0),
            ("8784h", 8784 * 3_600_000),
        ];
        for (text, millis) in good {
            assert_eq!(
                text.parse::<Duration>().unwrap().0.as_millis(),
                millis,
                "{text}"
            );
        }
        for text in [
            "", "s", "5", "5 s", "-5s", "+5s", "1.5h", "5S", "1d", "1h30m", "5sec", "٣s", "s5",
        ] {
            assert_eq!(
                text.parse::<Duration>().unwrap_err(),
                format!("expected {DURATION}"),
                "{text}"
            );
        }
        for text in ["8785h", "99999999999999999999s", "18446744073709551615h"] {
            let message = text.parse::<Duration>().unwrap_err();
            assert_eq!(
                message, "this duration is too long: 8784h (366 days) is the most",
                "{text}"
            );
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        let good = [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-01T00:00:00Z", 1_793_491_200),
            ("2026-11-01T02:00:00+02:00", 1_793_491_200),
            ("2026-11-01T00:00:00.999Z", 1_793_491_200),
            ("2026-11-01t00:00:00z", 1_793_491_200),
            ("1969-12-31T23:59:59Z", -1),
        ];
        for (text, seconds) in good {
            assert_eq!(
                text.parse::<Timestamp>().unwrap().unix_seconds,
                seconds,
                "{text}"
            );
        }
        for text in [
            "",
            "2026-11-01",
            "2026-11-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-01T24:00:00Z",
            "2026-11-01T00:00Z",
            "2026-11-01T00:00:00Z ",
            "12026-11-01T00:00:00Z",
            "1793491200",
        ] {
            assert_eq!(
                text.parse::<Timestamp>().unwrap_err(),
                format!("expected {TIMESTAMP}"),
                "{text}"
            );
        }
    }
}
