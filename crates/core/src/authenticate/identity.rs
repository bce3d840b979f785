//! What authentication found out.

use crate::cache::chunk;
use crate::credentials::Client;
use crate::expression::{Scope, Value, Variable, VariableSet};
use crate::http::ReadyHeaders;
use crate::jose::Claims;
use crate::tokens::Held;
use std::cell::OnceCell;
use std::rc::Rc;

/// Who calls.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The client, where one is known.
    pub client: Option<ClientFacts>,
    /// The tenant: the token's where its authenticator says so, else the client's.
    pub tenant: Option<Rc<str>>,
    /// What the credential allows.
    pub scopes: Rc<[String]>,
    /// The token's claims.
    pub claims: Option<Rc<Claims>>,
    /// What a look-up told: a JSON object.
    pub metadata: Option<Rc<serde_json::Value>>,
    /// Whether a token (jwt, client_credentials) told it.
    pub is_token: bool,
    /// The token that the caller's pair was exchanged for.
    pub exchanged: Option<Rc<Held>>,
    /// Where headers that are made of nothing but this identity are kept for its next
    /// request; `None` where the next one may be somebody else's.
    pub made: Option<Rc<MadeHeaders>>,
    /// Whether the JWT that stands in `Authorization` was verified.
    pub authorization_verified: bool,
}

/// The headers that were made of an identity, by the rule's index.
#[derive(Default)]
pub struct MadeHeaders {
    made: OnceCell<(usize, ReadyHeaders)>,
    more: OnceCell<Box<MadeHeaders>>,
}

/// How many rules' headers are kept for one identity: few callers use more of them.
const MAX_MADE: usize = 8;

impl MadeHeaders {
    /// Those of a rule.
    pub fn get(&self, rule: usize) -> Option<ReadyHeaders> {
        let mut made = self.iter();
        let found = made.find(|(other, _)| *other == rule);
        found.map(|(_, headers)| headers.clone())
    }

    /// Keeps those of a rule, if there is room.
    pub fn put(&self, rule: usize, headers: &ReadyHeaders) {
        let mut place = self;
        for _ in 1..MAX_MADE {
            if place.made.get().is_none() {
                break;
            }
            place = place.more.get_or_init(Box::default);
        }
        place.made.get_or_init(|| (rule, headers.clone()));
    }

    fn iter(&self) -> impl Iterator<Item = &(usize, ReadyHeaders)> {
        let places =
            std::iter::successors(Some(self), |place| place.more.get().map(|more| &**more));
        places.filter_map(|place| place.made.get())
    }

    /// What they take in the module.
    pub fn bytes(&self) -> usize {
        let made = self.made.get();
        let made = made.map_or(0, |(_, headers)| chunk(8 + headers.size()));
        chunk(24) + made + self.more.get().map_or(0, |more| more.bytes())
    }
}

/// They say who calls, and a policy may make them of anything.
impl std::fmt::Debug for MadeHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadeHeaders({})", self.iter().count())
    }
}

/// What is known of a client.
#[derive(Clone)]
pub struct ClientFacts {
    /// Its id.
    pub id: Rc<str>,
    /// Its own tenant.
    pub tenant: Option<Rc<str>>,
    /// What it may do by itself, whatever this credential narrows.
    pub scopes: Rc<[String]>,
    /// Free values of the policy.
    pub metadata: Rc<serde_json::Value>,
}

/// Metadata is free, so it may hold what must not show.
impl std::fmt::Debug for ClientFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientFacts")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl From<&Client> for ClientFacts {
    fn from(client: &Client) -> ClientFacts {
        ClientFacts {
            id: client.id.clone(),
            tenant: client.tenant.clone(),
            scopes: client.scopes.clone(),
            metadata: client.metadata.clone(),
        }
    }
}

impl ClientFacts {
    /// A client that only its id is known of.
    pub fn of_id(id: Rc<str>) -> ClientFacts {
        ClientFacts {
            id,
            tenant: None,
            scopes: Rc::new([]),
            metadata: Rc::new(serde_json::Value::Null),
        }
    }

    /// Whether only its id is known.
    pub fn is_bare(&self) -> bool {
        self.tenant.is_none() && self.scopes.is_empty() && self.metadata.is_null()
    }
}

impl Identity {
    /// A client of the store, by itself.
    pub fn of(client: &Client) -> Identity {
        Identity {
            tenant: client.tenant.clone(),
            scopes: client.scopes.clone(),
            client: Some(ClientFacts::from(client)),
            ..Identity::default()
        }
    }

    /// Sets those of `client`, `claims`, `tenant`, `scopes` and `metadata` that are used;
    /// what isn't known stays empty.
    pub fn set_variables(&self, uses: VariableSet, scope: &mut Scope) {
        if uses.contains(Variable::Client) {
            let client = self.client.as_ref();
            let text = |text: Option<&Rc<str>>| Value::from(text.map_or("", |text| text));
            let metadata = client
                .filter(|client| client.metadata.is_object())
                .map_or_else(
                    || Value::map::<&str>([]),
                    |client| Value::from_json(&client.metadata),
                );
            scope.set(
                Variable::Client,
                Value::map([
                    ("id", text(client.map(|client| &client.id))),
                    (
                        "tenant",
                        text(client.and_then(|client| client.tenant.as_ref())),
                    ),
                    (
                        "scopes",
                        Value::strings(client.map_or(&[][..], |client| &client.scopes)),
                    ),
                    ("metadata", metadata),
                ]),
            );
        }
        if uses.contains(Variable::Claims)
            && let Some(claims) = &self.claims
        {
            scope.set(Variable::Claims, Value::Map(claims.as_map().clone()));
        }
        if uses.contains(Variable::Metadata)
            && let Some(metadata) = &self.metadata
        {
            scope.set(Variable::Metadata, Value::from_json(metadata));
        }
        if uses.contains(Variable::Tenant)
            && let Some(tenant) = &self.tenant
        {
            scope.set(Variable::Tenant, tenant.as_ref().into());
        }
        if uses.contains(Variable::Scopes) {
            scope.set(Variable::Scopes, Value::strings(self.scopes.iter()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_kept_by_rule_and_for_a_few_rules_only() {
        let made = MadeHeaders::default();
        let headers = |rule: usize| -> ReadyHeaders {
            ReadyHeaders::of(&[("x-rule".to_owned(), rule.to_string().into_bytes())])
        };
        for rule in 0..MAX_MADE + 2 {
            made.put(rule, &headers(rule));
        }
        for rule in 0..MAX_MADE {
            assert_eq!(made.get(rule), Some(headers(rule)), "{rule}");
        }
        assert_eq!(made.get(MAX_MADE), None);
        assert_eq!(made.get(MAX_MADE + 1), None);
    }

    #[test]
    fn debug_shows_neither_headers_nor_metadata() {
        let made = MadeHeaders::default();
        let mail = [("x-mail".to_owned(), b"hunter2".to_vec())];
        made.put(0, &ReadyHeaders::of(&mail));
        assert_eq!(format!("{made:?}"), "MadeHeaders(1)");
        let facts = ClientFacts {
            metadata: Rc::new(serde_json::json!({"note": "hunter2"})),
            ..ClientFacts::of_id("shop".into())
        };
        let shown = format!("{facts:?}");
        assert!(
            shown.contains("shop") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
