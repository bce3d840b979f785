//! Steps in words.

use super::names::Names;
use crate::offline::{Story, Told, What};
use doorward_core::authenticate::Identity;
use doorward_core::authorize::Scopes;
use doorward_core::http::Refusal;
use doorward_core::policy::{Policy, Rule};

/// Every step that says something, each in a line.
pub fn steps(policy: &Policy, names: &Names, story: &Story) -> Vec<String> {
    let matched = story.matched.as_ref();
    let rule = matched.and_then(|(index, _)| policy.rules.get(*index));
    let mut lines = Vec::new();
    if let Some((index, variables)) = matched {
        lines.push(format!("{} matches", place(names, *index)));
        for (name, value) in variables {
            lines.push(format!("path variable {name} is \"{value}\""));
        }
    }
    lines.extend(
        story
            .steps
            .iter()
            .filter_map(|told| step(rule, names, told)),
    );
    lines
}

/// A rule's place, line and path.
pub fn place(names: &Names, index: usize) -> String {
    let name = names.rule(index);
    let line = name.and_then(|name| name.line);
    let line = line
        .map(|line| format!(" (line {line})"))
        .unwrap_or_default();
    let path = name.map(|name| name.path.as_str()).unwrap_or_default();
    format!("rules[{index}]{line} {path}")
}

fn step(rule: Option<&Rule>, names: &Names, told: &Told) -> Option<String> {
    Some(match told {
        Told::Preflight => "a CORS preflight goes on without credentials".to_owned(),
        Told::Judged(what, met) => return judged(rule?, what, *met),
        Told::TokenRead(algorithm, kid) => {
            let kid = kid.as_ref().map(|kid| format!(", kid \"{kid}\""));
            format!(
                "the token says {}{}",
                algorithm.name(),
                kid.unwrap_or_default()
            )
        }
        Told::SignatureProven => "a key proves its signature".to_owned(),
        Told::Authenticated(index, Ok(identity)) => format!(
            "authenticator {} accepts: {}",
            names.authenticator(*index),
            who(identity)
        ),
        Told::Authenticated(index, Err(refusal)) => format!(
            "authenticator {} refuses: {}",
            names.authenticator(*index),
            why(refusal)
        ),
    })
}

/// A demand that the rule doesn't make is no step.
fn judged(rule: &Rule, what: &What, met: bool) -> Option<String> {
    let authorize = &rule.authorize;
    let choose = |yes: &str, no: &str| if met { yes.to_owned() } else { no.to_owned() };
    Some(match what {
        What::Network if authorize.networks.is_empty() => return None,
        What::Network => choose(
            "the caller's address lies in one of `networks`",
            "the caller's address lies in none of `networks`",
        ),
        What::Limit => choose("`limit` lets it in", "`limit` is used up"),
        What::Scopes => {
            let demanded = match &authorize.scopes {
                Scopes::All(all) if all.is_empty() => return None,
                Scopes::All(all) => all.join(", "),
                Scopes::Any(any) => format!("any of {}", any.join(", ")),
            };
            let outcome = choose("held", "missing");
            format!("scopes: {demanded}: {outcome}")
        }
        What::Binding(name) => {
            let outcome = choose("equals what it must", "is not what it must be");
            format!("`bind`: {name} {outcome}")
        }
        What::Condition => choose("`allow_if` holds", "`allow_if` doesn't hold"),
        What::LookupCondition => choose(
            "the look-up's `allow_if` holds",
            "the look-up's `allow_if` doesn't hold",
        ),
    })
}

fn who(identity: &Identity) -> String {
    let mut parts = Vec::new();
    if let Some(client) = &identity.client {
        parts.push(format!("client {}", client.id));
    }
    if let Some(tenant) = &identity.tenant {
        parts.push(format!("tenant {tenant}"));
    }
    match identity.scopes.is_empty() {
        true => parts.push("no scopes".to_owned()),
        false => parts.push(format!("scopes {}", identity.scopes.join(" "))),
    }
    parts.join(", ")
}

fn why(refusal: &Refusal) -> String {
    format!(
        "{}: {}",
        refusal.reason.name(),
        refusal.reason.description()
    )
}
