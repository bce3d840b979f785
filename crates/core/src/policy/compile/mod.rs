//! From the document to a [`Policy`]: everything is checked here, and all problems are told
//! at once.

mod authenticators;
mod broken;
mod clients;
mod errors;
mod issue;
mod names;
mod publish;
mod rules;
mod signings;
mod tokens;

pub use names::{Url, url as absolute_url};

use super::document::{self, ExpressionSource, Node, Path, Problem, problem_at, suggest};
use super::{HeaderValue, Policy, raw};
use crate::authenticate::Authenticator;
use crate::authorize::is_scope_token;
use crate::credentials::{Clients, Places, Source};
use crate::expression::{Expression, Place, Variable};
use crate::http::HeaderNames;
use crate::keys::RemoteKeys;
use crate::route::Router;
use crate::tokens::{Exchange, Signing};
use broken::Broken;
use publish::Endpoints;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How a token comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    /// By an exchange, of this index.
    Exchange(usize),
    /// Signed here, by this index.
    Sign(usize),
    /// Its own problem was told.
    Broken,
}

/// Loads a policy from the proxy's plugin configuration: YAML, JSON or a binary
/// `google.protobuf.Struct`.
///
/// `environment` tells the variables that `${NAME}` may name.
///
/// # Errors
/// Every problem of the document with its place and the mend; none of them holds a value
/// that could be a secret.
pub fn load(
    configuration: &[u8],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Policy, Vec<Problem>> {
    load_owned(configuration.to_vec(), environment)
}

/// The same, of a document that is freed before the policy is built. A VM's memory never
/// shrinks, so what is there at once counts.
///
/// # Errors
/// Those of [`load`].
// Its one caller would have it inlined, and compiled for speed.
#[inline(never)]
pub fn load_owned(
    configuration: Vec<u8>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Policy, Vec<Problem>> {
    let node = document::read(&configuration)?;
    let digest_of_text = Sha256::digest(&configuration);
    drop(configuration);
    let taken = RefCell::new(BTreeMap::new());
    let recorded = |name: &str| {
        let value = environment(name)?;
        taken
            .borrow_mut()
            .insert(name.to_owned(), Sha256::digest(&value));
        Some(value)
    };
    let (document, problems) = document::recover(&node, &recorded);
    let Some(document) = document else {
        return Err(problems);
    };
    let mut digest = Sha256::new();
    digest.update(digest_of_text);
    for (name, value) in taken.take() {
        digest.update(Sha256::digest(name));
        digest.update(value);
    }
    Compiler::new(&node, Broken::by(&problems, &node)).compile(
        document,
        digest.finalize().into(),
        problems,
    )
}

/// What is known while a document is compiled. A part with a problem still gets a place in
/// the lists, so that others can name it without a problem of their own.
struct Compiler<'n> {
    broken: Broken,
    node: &'n Node,
    problems: Vec<Problem>,
    clients: Clients,
    authenticator_names: Vec<String>,
    authenticators: Vec<Authenticator>,
    token_names: Vec<String>,
    token_kinds: Vec<TokenKind>,
    exchanges: Vec<Exchange>,
    signings: Vec<Signing>,
    /// Where the clients' secrets stand that are given as a `value`, and their lengths in bytes.
    client_values: Vec<(Path, usize)>,
    remotes: Vec<RemoteKeys>,
    places: Places,
    reserved: HeaderNames,
    needs_source: bool,
    limits: usize,
    endpoints: Endpoints,
}

impl<'n> Compiler<'n> {
    fn new(node: &'n Node, broken: Broken) -> Compiler<'n> {
        Compiler {
            broken,
            node,
            problems: Vec::new(),
            clients: Clients::default(),
            authenticator_names: Vec::new(),
            authenticators: Vec::new(),
            token_names: Vec::new(),
            token_kinds: Vec::new(),
            exchanges: Vec::new(),
            signings: Vec::new(),
            client_values: Vec::new(),
            remotes: Vec::new(),
            places: Places::default(),
            reserved: HeaderNames::of_any_spelling(),
            needs_source: false,
            limits: 0,
            endpoints: Endpoints::default(),
        }
    }

    /// `problems` are those of the document's form.
    fn compile(
        mut self,
        mut document: raw::Document,
        digest: [u8; 32],
        problems: Vec<Problem>,
    ) -> Result<Policy, Vec<Problem>> {
        self.broken.restore_names(&mut document);
        let root = Path::root();
        if document.version != 1 {
            self.problem(
                &root.key("version"),
                "this Doorward reads version 1 of the policy language",
            );
        }
        self.clients(document.clients, &root.key("clients"));
        self.tokens(document.tokens, &root.key("tokens"));
        self.authenticators(document.authenticators, &root.key("authenticators"));
        let errors = self.errors(document.errors, None, &root.key("errors"));
        let identity = self.identity(document.identity_headers, &root.key("identity_headers"));
        let mut router = Router::default();
        let rules = self.rules(
            document.rules,
            &errors,
            &identity,
            &mut router,
            &root.key("rules"),
        );
        if !(self.problems.is_empty() && problems.is_empty()) {
            return Err(self.broken.join(problems, self.problems));
        }
        Ok(Policy {
            digest,
            clients: self.clients,
            authenticators: self.authenticators,
            exchanges: self.exchanges,
            signings: self.signings,
            remotes: self.remotes,
            router,
            rules,
            places: self.places,
            identity,
            reserved: self.reserved,
            bypass_preflight: document
                .cors
                .and_then(|cors| cors.bypass_preflight)
                .unwrap_or(false),
            errors,
            needs_source: self.needs_source,
        })
    }

    fn problem(&mut self, path: &Path, message: impl Into<String>) {
        self.problems.push(problem_at(self.node, path, message));
    }

    /// The index of a name in a list of names, or a problem that tells the names.
    fn named(&mut self, kind: &str, name: &str, names: &[String], path: &Path) -> Option<usize> {
        let index = names.iter().position(|other| other == name);
        if index.is_none() {
            let hint = match suggest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("; did you mean \"{near}\"?"),
                None if names.is_empty() => "; the policy has none".to_owned(),
                None => format!("; there are: {}", names.join(", ")),
            };
            self.problem(path, format!("no {kind} is called \"{name}\"{hint}"));
        }
        index
    }

    /// A token by its name.
    fn token(&mut self, name: &str, path: &Path) -> Option<TokenKind> {
        let names = self.token_names.clone();
        let index = self.named("token", name, &names, path)?;
        self.token_kinds.get(index).copied()
    }

    /// An exchange by its token's name; `own` says whether it must have a client of its own.
    fn exchange_token(&mut self, name: &str, own: bool, path: &Path) -> Option<usize> {
        match self.token(name, path)? {
            TokenKind::Exchange(index) => {
                let has = self
                    .exchanges
                    .get(index)
                    .is_some_and(|exchange| exchange.own.is_some());
                match (own, has) {
                    (true, false) => self.problem(
                        path,
                        "this token needs a `client` of its own: nobody else's pair is there to be exchanged",
                    ),
                    (false, true) => self.problem(
                        path,
                        "this token has a `client` of its own; leave that out, or name another token: here the caller's pair is exchanged",
                    ),
                    _ => {}
                }
                Some(index)
            }
            TokenKind::Sign(_) => {
                self.problem(
                    path,
                    "this token is signed here; name one that is obtained (`exchange`)",
                );
                None
            }
            TokenKind::Broken => None,
        }
    }

    /// Of several alternatives exactly one must be given.
    fn exactly_one(&mut self, path: &Path, given: &[(&str, bool)]) -> bool {
        let count = given.iter().filter(|(_, given)| *given).count();
        if count != 1 {
            let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
            let found = if count == 0 {
                "none is"
            } else {
                "more than one is"
            };
            self.problem(
                path,
                format!("give exactly one of {}; {found} here", names.join(", ")),
            );
        }
        count == 1
    }

    fn expression(
        &mut self,
        source: &ExpressionSource,
        place: Place,
        path: &Path,
    ) -> Option<Expression> {
        match Expression::compile(&source.0, place) {
            Ok(expression) => {
                self.needs_source |= expression.uses(Variable::Source);
                Some(expression)
            }
            Err(error) => {
                self.problem(path, error.to_string());
                None
            }
        }
    }

    /// Scopes stand in lists that are divided by spaces, and in challenges between quotes.
    fn scope_tokens(&mut self, scopes: &[String], path: &Path) {
        for (index, scope) in scopes.iter().enumerate() {
            if !is_scope_token(scope) {
                self.problem(
                    &path.index(index),
                    "a scope is visible ASCII without spaces, quotes and backslashes",
                );
            }
        }
    }

    fn source(&mut self, raw: raw::Source, path: &Path) -> Option<Source> {
        let given = [
            ("header", raw.header.is_some()),
            ("query", raw.query.is_some()),
            ("cookie", raw.cookie.is_some()),
        ];
        if !self.exactly_one(path, &given) {
            return None;
        }
        if raw.scheme.is_some() && raw.header.is_none() {
            self.problem(
                &path.key("scheme"),
                "a scheme stands in headers only; leave it out",
            );
        }
        let source = match (raw.header, raw.query, raw.cookie) {
            (Some(name), ..) => Source::Header {
                name: self.header_name(&name, &path.key("header"))?,
                scheme: match raw.scheme {
                    Some(scheme) if names::is_token(&scheme) => Some(scheme),
                    Some(_) => {
                        self.problem(&path.key("scheme"), "a scheme is one word, as in `Bearer`");
                        None
                    }
                    None => None,
                },
            },
            (_, Some(name), _) if !name.is_empty() => Source::Query(name),
            (_, _, Some(name)) if names::is_token(&name) => Source::Cookie(name),
            _ => {
                self.problem(path, "the name can't stand in a request; mend it");
                return None;
            }
        };
        self.places.add(&source);
        Some(source)
    }

    /// A header's name in lower case.
    fn header_name(&mut self, name: &str, path: &Path) -> Option<String> {
        if names::is_token(name) {
            return Some(name.to_ascii_lowercase());
        }
        self.problem(path, "a header's name has letters, digits and `-`");
        None
    }

    /// Headers that are set for the upstream; their names are reserved from now on.
    fn upstream_header(
        &mut self,
        name: &str,
        source: &ExpressionSource,
        place: Place,
        path: &Path,
    ) -> Option<(String, HeaderValue)> {
        let name = self.header_name(name, path)?;
        if let Some(mend) = names::unsettable(&name) {
            self.problem(path, mend);
            return None;
        }
        self.reserved.insert(&name);
        let value = match source.0.trim() {
            "client.id" => HeaderValue::ClientId,
            "tenant" => HeaderValue::Tenant,
            "scopes.join(\" \")" | "scopes.join(' ')" => HeaderValue::Scopes,
            _ => HeaderValue::Expression(self.expression(source, place, path)?),
        };
        Some((name, value))
    }

    fn identity(
        &mut self,
        headers: BTreeMap<String, Option<ExpressionSource>>,
        path: &Path,
    ) -> Vec<(String, HeaderValue)> {
        let mut identity = vec![
            ("x-auth-client".to_owned(), HeaderValue::ClientId),
            ("x-auth-tenant".to_owned(), HeaderValue::Tenant),
            ("x-auth-scopes".to_owned(), HeaderValue::Scopes),
        ];
        // A default that is switched off stays reserved: an upstream may still read it.
        for (name, _) in &identity {
            self.reserved.insert(name);
        }
        for (name, source) in headers {
            let place = path.key(&name);
            identity.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
            if let Some(source) = source {
                identity.extend(self.upstream_header(
                    &name,
                    &source,
                    Place::IdentityHeader,
                    &place,
                ));
            }
        }
        identity
    }
}
