//! One request's story, from top to bottom.
//!
//! [`decide`] tells it without waiting. Where something must be asked first, it stops with a
//! [`Plan`], which owns the request; [`Plan::resume`] asks, and tells the story again from
//! its beginning with what is then known. So there is one story, and no state that could be
//! half of one.

use crate::authenticate::{Identity, Need, Stop, authenticate, mismatch};
use crate::authorize::Limit;
use crate::budget::{Place, Waiters};
use crate::engine::Gateway;
use crate::expression::Scope;
use crate::forward::{forward, without_credentials};
use crate::host::{Host, Level};
use crate::http::{Body, Forward, Refusal, Request, Verdict};
use crate::issue::Issue;
use crate::lookup::Outcome;
use crate::observe::{Demand, Event, Step};
use crate::policy::Rule;
use crate::reply::{ErrorFormat, Reason};
use crate::route::Target;
use crate::tokens::{Failed, Held, Pair};
use crate::variables;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// How many things one request may ask before it is refused. A policy's combinations ask
/// each of theirs once, so this is only met by policies that combine very many.
const MAX_ANSWERS: usize = 32;

/// What a decision looks at.
pub struct Context<'d, H> {
    /// The gateway.
    pub gateway: &'d Rc<Gateway<H>>,
    /// The request.
    pub request: &'d Request,
    /// Its target.
    pub target: &'d Target,
    /// The rule that the request meets, by its index.
    pub rule: usize,
    /// Names and values of the path variables.
    pub variables: &'d [(String, String)],
    /// The time of the decision since the epoch.
    pub now: Duration,
    /// What was asked for this request so far.
    pub answers: &'d Answers,
}

/// What was asked for one request, and what came of it.
#[derive(Debug, Default)]
pub struct Answers {
    asked: Vec<(Need, Told)>,
    /// Whether the request was counted against its limit: the story is told more than once,
    /// but the request came once.
    counted: Cell<bool>,
}

/// What came of asking.
#[derive(Debug, Clone)]
enum Told {
    /// Whatever it was is in its place now.
    Done,
    /// A token, or why there is none.
    Token(Result<Rc<Held>, Failed>),
    /// What the database said.
    Lookup(Outcome),
    /// The request's whole body, or why it isn't known.
    Body(Result<Body, Reason>),
}

impl Answers {
    /// Whether this was asked.
    pub fn has(&self, need: &Need) -> bool {
        self.asked.iter().any(|(asked, _)| asked == need)
    }

    /// The request's body, once it was asked for, or why it isn't known.
    pub fn body(&self) -> Option<Result<&Body, Reason>> {
        self.asked.iter().find_map(|(_, told)| match told {
            Told::Body(body) => Some(body.as_ref().map_err(|reason| *reason)),
            _ => None,
        })
    }

    /// What came of asking for a token.
    pub fn token(&self, exchange: usize, pair: &Pair) -> Option<Result<Rc<Held>, Failed>> {
        self.asked
            .iter()
            .find_map(|(asked, told)| match (asked, told) {
                (Need::Token(index, owner), Told::Token(outcome))
                    if *index == exchange && owner == pair =>
                {
                    Some(outcome.clone())
                }
                _ => None,
            })
    }

    /// What came of asking the database.
    pub fn lookup(&self, authenticator: usize, url: &str) -> Option<Outcome> {
        self.asked
            .iter()
            .find_map(|(asked, told)| match (asked, told) {
                (Need::Lookup(index, asked), Told::Lookup(outcome))
                    if *index == authenticator && asked == url =>
                {
                    Some(outcome.clone())
                }
                _ => None,
            })
    }
}

/// A request that waits for something.
#[derive(Debug)]
pub struct Plan {
    request: Request,
    /// The rule that the request meets, by its index.
    rule: usize,
    answers: Answers,
    need: Need,
    /// Its place among those that wait for the same server.
    place: Option<Place>,
}

/// Decides a request at once, or says what must be asked first.
pub fn decide<H: Host + 'static>(
    gateway: &Rc<Gateway<H>>,
    request: Request,
) -> Result<Verdict, Box<Plan>> {
    let answers = Answers::default();
    match attempt(gateway, &request, &answers) {
        Ok(verdict) => Ok(verdict),
        Err((rule, need)) => Err(Box::new(Plan {
            request,
            rule,
            answers,
            need,
            place: None,
        })),
    }
}

impl Plan {
    /// Asks and decides, until there is a verdict.
    pub async fn resume<H: Host + 'static>(self, gateway: &Rc<Gateway<H>>) -> Verdict {
        let mut plan = self;
        loop {
            let told = ask(gateway, &plan.need).await;
            plan.answers.asked.push((plan.need, told));
            plan.need = match attempt(gateway, &plan.request, &plan.answers) {
                Ok(verdict) => return verdict,
                Err((_, need)) => need,
            };
            // Each need is met once, so this ends by itself; the bound makes it certain.
            if plan.answers.has(&plan.need) || plan.answers.asked.len() >= MAX_ANSWERS {
                return plan.refuse(gateway, Refusal::of(Reason::Internal));
            }
            if !plan.take_place(&gateway.waiters) {
                return plan.refuse(gateway, Refusal::for_now(Reason::Overloaded, 1));
            }
        }
    }

    /// Takes a place among those that wait for the same server; whether there was one.
    pub fn take_place(&mut self, waiters: &Waiters) -> bool {
        self.place = None;
        let Some(endpoint) = self.need.endpoint() else {
            return true;
        };
        self.place = waiters.enter(endpoint, self.size());
        self.place.is_some()
    }

    /// Whether it is the request's body that must be known first.
    pub fn needs_body(&self) -> bool {
        self.need == Need::Body
    }

    /// Decides with the request's body, or why it isn't known, or says what must be asked next.
    pub fn with_body<H: Host + 'static>(
        mut self: Box<Self>,
        gateway: &Rc<Gateway<H>>,
        body: Result<Body, Reason>,
    ) -> Result<Verdict, Box<Plan>> {
        self.answers.asked.push((Need::Body, Told::Body(body)));
        match attempt(gateway, &self.request, &self.answers) {
            Ok(verdict) => Ok(verdict),
            Err((_, need)) => {
                self.need = need;
                Err(self)
            }
        }
    }

    /// How many bytes of the request it holds.
    pub fn size(&self) -> usize {
        let body = self.answers.body().and_then(Result::ok);
        self.request.headers.size() + body.map_or(0, |body| body.bytes().len())
    }

    /// Refuses instead of waiting.
    pub fn refuse<H: Host>(&self, gateway: &Gateway<H>, refusal: Refusal) -> Verdict {
        let policy = &gateway.policy;
        let rule = policy.rules.get(self.rule);
        if let (Some(rule), Ok(target)) = (rule.filter(|rule| rule.shadow), self.request.target()) {
            return shadow(gateway, &self.request, &target, rule, self.rule, &refusal);
        }
        let errors = rule.map_or(&policy.errors, |rule| &rule.errors);
        refuse(gateway, &self.request, errors, Some(self.rule), refusal)
    }
}

async fn ask<H: Host + 'static>(gateway: &Rc<Gateway<H>>, need: &Need) -> Told {
    gateway.host.trace(Step::Asked(need));
    match need {
        Need::Keys(remote) => gateway.fetch_keys(*remote).await,
        Need::FreshKeys(remote, kid) => gateway.refetch_keys(*remote, kid).await,
        Need::Token(exchange, pair) => {
            return Told::Token(gateway.await_token(*exchange, pair).await);
        }
        Need::Lookup(authenticator, url) => {
            return Told::Lookup(gateway.look_up(*authenticator, url).await);
        }
        // It is given, not asked for; see `Plan::with_body`.
        Need::Body => {}
    }
    Told::Done
}

/// The story. What must be asked first comes with the index of the rule.
fn attempt<H: Host + 'static>(
    gateway: &Rc<Gateway<H>>,
    request: &Request,
    answers: &Answers,
) -> Result<Verdict, (usize, Need)> {
    let policy = &gateway.policy;
    gateway.host.trace(Step::Began);
    let Ok(target) = request.target() else {
        let refusal = Refusal::of(Reason::PathInvalid);
        return Ok(refuse(gateway, request, &policy.errors, None, refusal));
    };
    let Some(host) = request.host() else {
        let refusal = Refusal::of(Reason::HostInvalid);
        return Ok(refuse(gateway, request, &policy.errors, None, refusal));
    };
    // A preflight asks on behalf of a request to come: that one's rule is the one that counts.
    let preflight = policy.bypass_preflight && request.is_preflight();
    let method = match preflight {
        true => request.requested_method(),
        false => request.method(),
    };
    let matched = policy.router.find(method, &host, &target);
    let Some((index, variables, rule)) = matched.and_then(|matched| {
        let rule = policy.rules.get(matched.rule)?;
        Some((matched.rule, matched.variables, rule))
    }) else {
        let refusal = Refusal::of(Reason::NoRule);
        return Ok(refuse(gateway, request, &policy.errors, None, refusal));
    };
    gateway.host.trace(Step::Matched {
        rule: index,
        variables: &variables,
    });
    let context = Context {
        gateway,
        request,
        target: &target,
        rule: index,
        variables: &variables,
        now: gateway.host.now(),
        answers,
    };
    let judged = match preflight {
        true => preflight_head(&context, rule),
        false => judge(&context, rule),
    };
    match judged {
        Ok(verdict) => Ok(verdict),
        Err(Stop::Refuse(refusal)) if rule.shadow => {
            Ok(shadow(gateway, request, &target, rule, index, &refusal))
        }
        Err(Stop::Refuse(refusal)) => {
            Ok(refuse(gateway, request, &rule.errors, Some(index), refusal))
        }
        Err(Stop::Need(need)) => Err((index, need)),
    }
}

/// The head of a CORS preflight, which carries no credentials by its nature (Fetch standard):
/// what looks like some goes no further.
fn preflight_head<H: Host>(context: &Context<'_, H>, rule: &Rule) -> Result<Verdict, Stop> {
    let gateway = context.gateway;
    // The upstream has nothing to say about what isn't its own.
    if rule.is_answered_here() {
        return Err(Refusal::of(Reason::NoRule).into());
    }
    gateway.host.trace(Step::Preflight);
    admit(context, rule)?;
    let forward = without_credentials(gateway, context.request, context.target, rule);
    Ok(allow(gateway, forward))
}

/// What a rule says about a request that it matches.
fn judge<H: Host + 'static>(context: &Context<'_, H>, rule: &Rule) -> Result<Verdict, Stop> {
    admit(context, rule)?;
    // Built once for all of the rule's expressions, and not at all where there is none.
    let mut scope = Scope::new();
    variables::of_request(context, rule.uses, &mut scope);
    let judged = match &rule.issue {
        None => judge_caller(context, rule, &mut scope),
        Some(issue) => judge_client(context, rule, issue, &mut scope),
    };
    if let (Some(limit), Err(Stop::Refuse(refusal))) = (&rule.limit, &judged)
        && refusal.is_callers_fault()
    {
        limit.failed(context, &scope);
    }
    judged
}

/// Judges the caller's address.
fn admit<H: Host>(context: &Context<'_, H>, rule: &Rule) -> Result<(), Refusal> {
    let address = context.request.source_address.as_deref();
    let admitted = rule.authorize.check_network(address);
    let host = &context.gateway.host;
    host.trace(Step::Judged(Demand::Network, admitted.is_ok()));
    admitted
}

fn judge_caller<H: Host + 'static>(
    context: &Context<'_, H>,
    rule: &Rule,
    scope: &mut Scope,
) -> Result<Verdict, Stop> {
    let limit = rule.limit.as_ref();
    if let Some(limit) = limit.filter(|limit| !limit.needs_client()) {
        count(context, limit, scope)?;
    }
    let identity = authenticate(context, &rule.authenticate)?;
    identity.set_variables(rule.uses, scope);
    if let Some(limit) = limit.filter(|limit| limit.needs_client()) {
        count(context, limit, scope)?;
    }
    rule.authorize.check(context, &identity, scope)?;
    if let Some(publication) = &rule.publish {
        context.gateway.host.count(Event::Answered);
        let response = publication.respond(context.request, context.now);
        return Ok(Verdict::Answer(response));
    }
    let forward = forward(context, rule, &identity, scope)?;
    Ok(allow(context.gateway, forward))
}

/// What a token endpoint says. Whoever isn't let as far as the endpoint is refused before the
/// body is waited for.
fn judge_client<H: Host + 'static>(
    context: &Context<'_, H>,
    rule: &Rule,
    issue: &Issue,
    scope: &mut Scope,
) -> Result<Verdict, Stop> {
    let limit = rule.limit.as_ref();
    if let Some(limit) = limit.filter(|limit| !limit.needs_client()) {
        count(context, limit, scope)?;
    }
    issue.check_length(context)?;
    let body = context.answers.body().transpose();
    let body = body.map_err(|reason| Refusal::of(reason).in_a_moment())?;
    let needs_body = issue.reads_body() && body.is_none();
    let caller = match authenticate(context, &rule.authenticate) {
        // The body comes by itself meanwhile, so it is the first thing to wait for.
        Err(Stop::Need(_)) if needs_body => return Err(Stop::Need(Need::Body)),
        caller => caller?,
    };
    caller.set_variables(rule.uses, scope);
    rule.authorize.check(context, &caller, scope)?;
    if needs_body {
        return Err(Stop::Need(Need::Body));
    }
    let proven = issue.prove(context, body)?;
    let identity = Identity::of(proven.client);
    if caller.tenant.is_some() && caller.tenant != identity.tenant {
        let behind = std::slice::from_ref(&rule.authenticate);
        return Err(mismatch(context, behind).into());
    }
    if let Some(limit) = limit.filter(|limit| limit.needs_client()) {
        identity.set_variables(rule.uses, scope);
        count(context, limit, scope)?;
    }
    proven.spend(context)?;
    let response = issue.respond(context, &identity, proven.client)?;
    context.gateway.host.count(Event::Answered);
    Ok(Verdict::Answer(response))
}

fn count<H: Host>(context: &Context<'_, H>, limit: &Limit, scope: &Scope) -> Result<(), Refusal> {
    // A look takes nothing, so where only failures count every telling looks: else many requests
    // could begin while there is room, and send their guesses one by one afterwards.
    if context.answers.counted.replace(true) && !limit.failures_only {
        return Ok(());
    }
    let admitted = limit.enter(context, scope);
    let host = &context.gateway.host;
    host.trace(Step::Judged(Demand::Limit, admitted.is_ok()));
    admitted
}

fn allow<H: Host>(gateway: &Gateway<H>, forward: Forward) -> Verdict {
    gateway.host.count(Event::Allowed);
    Verdict::Forward(forward)
}

/// Tells of a refusal that is not carried out, and lets the request go on.
fn shadow<H: Host>(
    gateway: &Gateway<H>,
    request: &Request,
    target: &Target,
    rule: &Rule,
    index: usize,
    refusal: &Refusal,
) -> Verdict {
    gateway.host.count(Event::Shadowed(refusal.reason));
    let reason = refusal.reason.name();
    tell(gateway, || {
        format!("shadowed: would be refused: reason {reason} rule rules[{index}]")
    });
    allow(gateway, without_credentials(gateway, request, target, rule))
}

fn refuse<H: Host>(
    gateway: &Gateway<H>,
    request: &Request,
    format: &ErrorFormat,
    rule: Option<usize>,
    refusal: Refusal,
) -> Verdict {
    let host = &gateway.host;
    host.count(Event::Refused(refusal.reason));
    let reply = format.render(&refusal, request, || random_id(host));
    tell(gateway, || {
        let rule = rule.map_or_else(|| "none".to_owned(), |rule| format!("rules[{rule}]"));
        let note = refusal.note.as_deref().unwrap_or_default();
        let colon = if note.is_empty() { "" } else { ": " };
        let reason = refusal.reason.name();
        format!(
            "refused: status {} reason {reason} rule {rule}{colon}{note}",
            reply.status
        )
    });
    Verdict::Refuse(reply)
}

/// Writes a line about one request. Nobody can ask the proxy whether it wants lines of this
/// level (in Kong's engine a filter that asks isn't loaded), so a flood of refusals writes a few
/// each second and counts the rest: refusing must not cost more than letting in.
fn tell<H: Host>(gateway: &Gateway<H>, line: impl FnOnce() -> String) {
    let host = &gateway.host;
    match gateway.lines.pass() {
        Some(0) => host.log(Level::Debug, &line()),
        Some(more) => {
            let line = line();
            host.log(
                Level::Debug,
                &format!("{line}; {more} lines kept back before it"),
            );
        }
        None => {}
    }
}

/// An id for an error's report; nothing rests on its being secret.
fn random_id(host: &impl Host) -> String {
    let mut bytes = [0; 16];
    host.random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
