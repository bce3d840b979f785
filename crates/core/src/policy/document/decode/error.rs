//! What serde tells about a failure, kept apart by what is to be done about it.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::policy::document::{node::Mark, path::Path, path::quoted, suggest::did_you_mean};

/// A failure on its way up; boxed because it is rare and the way is long.
#[derive(Debug)]
pub(super) struct Error(pub(super) Box<Failure>);

#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    /// Attached by the first cursor on the way up.
    pub(super) place: Option<Place>,
}

#[derive(Debug)]
pub(super) enum Cause {
    /// Wrong at the place itself; the message is complete.
    Wrong(String),
    /// The struct at the place lacks this key.
    Missing(&'static str),
    /// A key of the map that isn't a name it takes; the place is the key's value.
    UnknownKey(String),
    /// No stand-in can be made for the place; the problem itself was recorded earlier.
    NoStandIn,
    /// No stand-in can be made for this missing key of the struct at the place.
    NoStandInFor(&'static str),
}

/// Where a failure belongs.
#[derive(Debug)]
pub(super) struct Place {
    /// The node's identity: see `recovery::identity`.
    pub(super) node: usize,
    pub(super) path: Path,
    pub(super) mark: Option<Mark>,
}

impl Error {
    pub(super) fn new(cause: Cause) -> Self {
        Self(Box::new(Failure { cause, place: None }))
    }

    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self::new(Cause::Wrong(message.into()))
    }

    /// Attaches the place, unless one deeper down is known.
    pub(super) fn or_at(mut self, place: impl FnOnce() -> Place) -> Self {
        self.0.place.get_or_insert_with(place);
        self
    }
}

/// `there is no key "scope" here; did you mean "scopes"?`
pub(super) fn unknown_key(name: &str, known: &[&str]) -> String {
    let mut message = format!("there is no key {} here", quoted(name));
    let hint = did_you_mean(name, known.iter().copied());
    if !hint.is_empty() {
        message.push_str(&hint);
    } else if !known.is_empty() {
        message.push_str("; the keys are ");
        message.push_str(&known.join(", "));
    }
    message
}

/// What serde calls a value, without showing it.
fn kind(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        _ => "something else",
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::wrong(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::wrong(format!("expected {expected}, found {}", kind(&unexpected)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::wrong(format!("expected {expected}"))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::wrong(format!("expected {expected}, found {length} of them"))
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Cause::UnknownKey(unknown_key(name, known)))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Cause::UnknownKey(unknown_key(name, known)))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Cause::Missing(name))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::wrong(format!(
            "{} is given twice here, once by another name",
            quoted(name)
        ))
    }
}

/// Never shown: the recovery turns it into a problem.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.cause {
            Cause::Wrong(message) | Cause::UnknownKey(message) => f.write_str(message),
            Cause::Missing(name) => write!(f, "{} is required here", quoted(name)),
            Cause::NoStandIn | Cause::NoStandInFor(_) => f.write_str("no stand-in"),
        }
    }
}

impl std::error::Error for Error {}
