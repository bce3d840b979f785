//! `rules`.

use super::publish::Endpoints;
use super::{Compiler, TokenKind, names};
use crate::authorize::{Authorize, Limit, Rate, Scopes};
use crate::expression::{Expression, Place, Variable, VariableSet};
use crate::policy::document::{MapOr, OneOrMany, Path};
use crate::policy::{Authenticate, Authorization, HeaderValue, Rule, Upstream, raw};
use crate::reply::ErrorFormat;
use crate::route::{Pattern, Router};
use crate::variables;
use std::rc::Rc;

/// The most limits that a policy has: each has its own buckets on the shared board.
const MAX_LIMITS: usize = 64;

/// What an identity brings along; a look-up's metadata may change under it.
const OF_IDENTITY: VariableSet = VariableSet::of(&[
    Variable::Client,
    Variable::Claims,
    Variable::Tenant,
    Variable::Scopes,
]);

impl Compiler<'_> {
    pub(super) fn rules(
        &mut self,
        rules: Vec<raw::Rule>,
        errors: &Rc<ErrorFormat>,
        identity: &[(String, HeaderValue)],
        router: &mut Router,
        path: &Path,
    ) -> Vec<Rule> {
        if rules.is_empty() {
            self.problem(
                path,
                "without a rule every request would be refused; write at least one",
            );
        }
        self.endpoints = Endpoints::of(&rules);
        let rules = rules.into_iter().enumerate();
        rules
            .filter_map(|(index, rule)| {
                self.rule(rule, errors, identity, router, &path.index(index))
            })
            .collect()
    }

    fn rule(
        &mut self,
        raw: raw::Rule,
        errors: &Rc<ErrorFormat>,
        identity: &[(String, HeaderValue)],
        router: &mut Router,
        path: &Path,
    ) -> Option<Rule> {
        let publish = raw.publish_keys.as_ref().and_then(|names| {
            self.publish_keys(names, &raw.matches.path, &path.key("publish_keys"))
        });
        let mut matches = raw.matches;
        if raw.publish_keys.is_some() {
            self.only_read(&mut matches.methods, &path.key("match").key("methods"));
            for (key, given) in [
                ("upstream", raw.upstream.is_some()),
                ("shadow", raw.shadow.is_some()),
            ] {
                if given {
                    self.problem(
                        &path.key(key),
                        "published keys are answered here and nothing goes on; leave this out",
                    );
                }
            }
        }
        let pattern = self.matches(matches, router, &path.key("match"));
        let answered_here = raw.issue.is_some() || raw.publish_keys.is_some();
        if raw.issue.is_some() && raw.publish_keys.is_some() {
            self.problem(path, "a rule either issues tokens or publishes keys");
        }
        if raw.publish_keys.is_some() && raw.authenticate.is_some() {
            self.problem(
                &path.key("authenticate"),
                "published keys are public; leave this out",
            );
        }
        let issues = raw.issue.is_some();
        if issues {
            for (key, given) in [
                ("upstream", raw.upstream.is_some()),
                ("shadow", raw.shadow.is_some()),
            ] {
                if given {
                    self.problem(
                        &path.key(key),
                        "a token endpoint is answered here and lets nothing through; leave this out",
                    );
                }
            }
        }
        let issue = match raw.issue {
            None => None,
            Some(issue) => self.issue(issue, &path.key("issue")),
        };
        let authenticate = match raw.authenticate {
            None if answered_here => Some(Authenticate::Public),
            Some(authenticate) => self.authenticate(authenticate, &path.key("authenticate")),
            None => {
                self.problem(path, "\"authenticate\" is required here: an authenticator's name, or `none` for everybody");
                None
            }
        };
        let public = authenticate == Some(Authenticate::Public);
        let variables: Vec<&str> = pattern.iter().flat_map(Pattern::variables).collect();
        let authorize = self.authorize(
            raw.authorize.unwrap_or_default(),
            public,
            &variables,
            &path.key("authorize"),
        );
        let upstream = self.upstream(
            raw.upstream.unwrap_or_default(),
            &variables,
            &path.key("upstream"),
        );
        let mut errors = self.errors(raw.errors, Some(errors), &path.key("errors"));
        if issues {
            Rc::make_mut(&mut errors).oauth = true;
        }
        // Beside `issue` it is the client that gets the token.
        let nobody = public && !issues;
        let limit = raw
            .limit
            .and_then(|limit| self.limit(limit, nobody, &variables, &path.key("limit")));
        let headers = upstream.headers.iter().map(|(_, value)| value);
        let identity = identity.iter().map(|(_, value)| value).filter(|_| !public);
        let expressions = headers.chain(identity).filter_map(HeaderValue::expression);
        let made_of = variables::used(expressions.clone());
        let limited = limit.as_ref().map(|limit| &limit.per);
        let uses = authorize
            .uses()
            .union(variables::used(expressions.chain(limited)));
        let uses = match upstream.authorization {
            Authorization::Sign(index) => self
                .signings
                .get(index)
                .map_or(uses, |signing| uses.union(signing.uses())),
            _ => uses,
        };
        Some(Rule {
            authenticate: authenticate?,
            issue,
            publish,
            authorize,
            upstream,
            errors,
            limit,
            shadow: raw.shadow.unwrap_or(false),
            headers_tell_identity_alone: OF_IDENTITY.union(made_of) == OF_IDENTITY,
            uses,
        })
    }

    /// Published keys are read, with GET and HEAD: other methods don't meet their rule.
    fn only_read(&mut self, methods: &mut Option<OneOrMany<String>>, path: &Path) {
        let read = ["GET", "HEAD"];
        let given = methods.get_or_insert_with(|| OneOrMany(read.map(str::to_owned).to_vec()));
        if !given.0.iter().all(|method| read.contains(&method.as_str())) {
            self.problem(path, "published keys are read with GET and HEAD only");
        }
    }

    fn limit(
        &mut self,
        raw: raw::Limit,
        public: bool,
        variables: &[&str],
        path: &Path,
    ) -> Option<Limit> {
        let failures_only = match raw.count.as_deref() {
            None => false,
            Some("failures") => true,
            Some(_) => {
                self.problem(
                    &path.key("count"),
                    "expected `failures`; leave it out to count every call",
                );
                false
            }
        };
        let place = path.key("per");
        let per = match public {
            true => Place::LimitBeforeClient,
            false => Place::LimitAfterClient,
        };
        let per = self.expression(&raw.per, per, &place);
        if let Some(expression) = &per {
            self.check_path_variables(expression, variables, &place);
        }
        if failures_only && per.as_ref().is_some_and(|per| per.uses(Variable::Client)) {
            self.problem(&place, "whoever fails to authenticate is no client: count failures by source.address or by what the request says");
        }
        let rate = raw.rate.parse::<Rate>();
        if let Err(mend) = &rate {
            self.problem(&path.key("rate"), *mend);
        }
        let ordinal = self.limits;
        self.limits += 1;
        if ordinal == MAX_LIMITS {
            self.problem(
                path,
                format!("a policy has at most {MAX_LIMITS} limits; join some rules"),
            );
        }
        Some(Limit {
            per: per?,
            rate: rate.ok()?,
            failures_only,
            ordinal,
        })
    }

    fn matches(&mut self, raw: raw::Match, router: &mut Router, path: &Path) -> Option<Pattern> {
        let methods = raw.methods.map(|list| list.0);
        let hosts = raw.hosts.map(|list| list.0);
        for (key, list) in [("methods", &methods), ("hosts", &hosts)] {
            if list.as_ref().is_some_and(Vec::is_empty) {
                self.problem(
                    &path.key(key),
                    "an empty list would match nothing; leave it out for all",
                );
            }
        }
        for (index, method) in methods.iter().flatten().enumerate() {
            if !names::is_token(method) {
                self.problem(
                    &path.key("methods").index(index),
                    "expected a method, as in GET",
                );
            }
        }
        for (index, host) in hosts.iter().flatten().enumerate() {
            if let Err(mend) = Router::check_host(host) {
                self.problem(&path.key("hosts").index(index), mend);
            }
        }
        match Pattern::parse(&raw.path) {
            Ok(pattern) => {
                router.add(
                    &pattern,
                    &methods.unwrap_or_default(),
                    &hosts.unwrap_or_default(),
                    raw.ignore_case.unwrap_or(false),
                );
                Some(pattern)
            }
            Err(mend) => {
                self.problem(&path.key("path"), mend);
                None
            }
        }
    }

    fn authenticate(&mut self, raw: raw::Authenticate, path: &Path) -> Option<Authenticate> {
        match raw {
            MapOr::Other(name) if name == "none" => Some(Authenticate::Public),
            MapOr::Other(name) => {
                let names = self.authenticator_names.clone();
                self.named("authenticator", &name, &names, path)
                    .map(Authenticate::One)
            }
            MapOr::Map(combination) => {
                let given = [
                    ("any", combination.any.is_some()),
                    ("all", combination.all.is_some()),
                ];
                if !self.exactly_one(path, &given) {
                    return None;
                }
                if let Some(members) = combination.any {
                    self.members(members, &path.key("any"))
                        .map(Authenticate::Any)
                } else {
                    let members = combination.all.unwrap_or_default();
                    self.members(members, &path.key("all"))
                        .map(Authenticate::All)
                }
            }
        }
    }

    fn members(&mut self, raw: Vec<raw::Authenticate>, path: &Path) -> Option<Vec<Authenticate>> {
        if raw.is_empty() {
            self.problem(path, "name at least one authenticator");
            return None;
        }
        let members: Vec<Option<Authenticate>> = raw
            .into_iter()
            .enumerate()
            .map(|(index, member)| {
                let place = path.index(index);
                let member = self.authenticate(member, &place);
                if member == Some(Authenticate::Public) {
                    self.problem(
                        &place,
                        "`none` stands alone: beside it every other member would be needless",
                    );
                }
                member
            })
            .collect();
        members.into_iter().collect()
    }

    fn authorize(
        &mut self,
        raw: raw::Authorize,
        public: bool,
        variables: &[&str],
        path: &Path,
    ) -> Authorize {
        let mut networks = Vec::new();
        let listed = raw.networks.map(|list| list.0);
        if listed.as_ref().is_some_and(Vec::is_empty) {
            self.problem(
                &path.key("networks"),
                "an empty list would refuse everybody; leave it out for all",
            );
        }
        for (index, network) in listed.into_iter().flatten().enumerate() {
            match network.parse() {
                Ok(network) => networks.push(network),
                Err(mend) => self.problem(&path.key("networks").index(index), mend),
            }
        }
        self.needs_source |= !networks.is_empty();
        let scopes = match raw.scopes {
            None => Scopes::default(),
            Some(MapOr::Other(all)) => Scopes::All(all.0),
            Some(MapOr::Map(any)) => Scopes::Any(any.any.0),
        };
        let (Scopes::All(list) | Scopes::Any(list)) = &scopes;
        if public && scopes != Scopes::default() {
            self.problem(
                &path.key("scopes"),
                "with `authenticate: none` nobody has scopes; name an authenticator",
            );
        }
        self.scope_tokens(list, &path.key("scopes"));
        if scopes == Scopes::Any(Vec::new()) {
            self.problem(&path.key("scopes"), "name at least one scope");
        }
        let mut bind = Vec::new();
        for (variable, source) in raw.bind {
            let place = path.key("bind").key(&variable);
            if !variables.contains(&variable.as_str()) {
                let message = format!("the rule's path has no variable {{{variable}}}");
                self.problem(&place, message);
            }
            if let Some(expression) = self.expression(&source, Place::Bind, &place) {
                self.check_path_variables(&expression, variables, &place);
                bind.push((variable, expression));
            }
        }
        let place = path.key("allow_if");
        let allow_if = raw
            .allow_if
            .and_then(|source| self.expression(&source, Place::AllowIf, &place));
        if let Some(condition) = &allow_if {
            self.check_path_variables(condition, variables, &place);
        }
        Authorize {
            networks,
            scopes,
            bind,
            allow_if,
        }
    }

    fn upstream(&mut self, raw: raw::Upstream, variables: &[&str], path: &Path) -> Upstream {
        let place = path.key("authorization");
        let authorization = match raw.authorization.as_deref() {
            None | Some("keep") => Authorization::Keep,
            Some("remove") => Authorization::Remove,
            Some(name) => self.injected(name, variables, &place),
        };
        let mut headers = Vec::new();
        for (name, source) in raw.headers {
            let place = path.key("headers").key(&name);
            let header = self.upstream_header(&name, &source, Place::UpstreamHeader, &place);
            if let Some((_, HeaderValue::Expression(expression))) = &header {
                self.check_path_variables(expression, variables, &place);
            }
            headers.extend(header);
        }
        Upstream {
            authorization,
            keep: raw
                .keep
                .into_iter()
                .flat_map(|names| names.0)
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            headers,
        }
    }

    /// A token that the upstream gets, by its name.
    fn injected(&mut self, name: &str, variables: &[&str], path: &Path) -> Authorization {
        let is_signed = self.token_names.iter().zip(&self.token_kinds);
        let is_signed = is_signed.into_iter().find_map(|(other, kind)| match kind {
            TokenKind::Sign(index) if other == name => Some(*index),
            _ => None,
        });
        let Some(index) = is_signed else {
            let index = self.exchange_token(name, true, path);
            return index.map_or(Authorization::Keep, Authorization::Inject);
        };
        let claims = self.signings.get(index).and_then(|one| one.claims.as_ref());
        let unknown: Vec<String> = claims
            .into_iter()
            .flat_map(|claims| unknown_path_variables(claims, variables))
            .collect();
        self.unknown_path_variables(unknown, path);
        Authorization::Sign(index)
    }

    /// `path.x` where the rule's path has no `{x}` would never hold anything.
    fn check_path_variables(&mut self, expression: &Expression, variables: &[&str], path: &Path) {
        self.unknown_path_variables(unknown_path_variables(expression, variables), path);
    }

    fn unknown_path_variables(&mut self, names: Vec<String>, path: &Path) {
        for name in names {
            self.problem(path, format!("the rule's path has no variable {{{name}}}"));
        }
    }
}

fn unknown_path_variables(expression: &Expression, variables: &[&str]) -> Vec<String> {
    expression
        .members_of(Variable::Path)
        .filter(|name| !variables.contains(name))
        .map(str::to_owned)
        .collect()
}
