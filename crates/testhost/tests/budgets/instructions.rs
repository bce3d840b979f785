//! Instructions of the module's start and of a request on each main path.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use testhost::{Filter, Gateway, Outcome, Place};

use crate::policies;

/// By which share of a budget a figure may differ from it: what another compiler's build of the
/// same code comes to.
const SLACK: f64 = 0.03;
/// Requests that come first: caches and tables are filled then, and the second has no lines left
/// to write about refusals.
const BEFORE: usize = 32;
/// Requests that are counted.
const COUNTED: usize = 64;

/// Header pairs.
type Head = Vec<(&'static str, String)>;

/// A kind of request.
struct Kind {
    name: &'static str,
    policy: Value,
    /// The credentials of the request of this number.
    head: Box<dyn Fn(usize) -> Head>,
    /// What becomes of it: 200 for going on.
    status: u16,
    /// Whether the proxy checks signatures.
    helped: bool,
}

fn bearer(token: String) -> Head {
    vec![("authorization", format!("Bearer {token}"))]
}

fn kinds() -> Vec<Kind> {
    let path = |name, policy, status, head: Box<dyn Fn(usize) -> Head>| Kind {
        name,
        policy,
        head,
        status,
        helped: true,
    };
    let new = |algorithm: &'static str| move |number| bearer(policies::token(algorithm, number));
    let public = json!({"version": 1, "rules": [policies::rule("none")]});
    let forged = |number| {
        let token = policies::token("ES256", number);
        let (text, signature) = token.rsplit_once('.').unwrap();
        let (first, rest) = signature.split_at(40);
        let other = if rest.starts_with('A') { "B" } else { "A" };
        bearer(format!("{text}.{first}{other}{}", &rest[1..]))
    };
    vec![
        path("no authentication", public, 200, Box::new(|_| Vec::new())),
        path(
            "the same HS256 token",
            policies::tokens("HS256"),
            200,
            Box::new(|_| bearer(policies::token("HS256", 0))),
        ),
        path(
            "a new HS256 token",
            policies::tokens("HS256"),
            200,
            Box::new(new("HS256")),
        ),
        path(
            "a new HS256 token, allow_if, 3 headers",
            policies::expressions(),
            200,
            Box::new(new("HS256")),
        ),
        path(
            "a new ES256 token, checked by the proxy",
            policies::tokens("ES256"),
            200,
            Box::new(new("ES256")),
        ),
        Kind {
            helped: false,
            ..path(
                "a new ES256 token, checked by the module",
                policies::tokens("ES256"),
                200,
                Box::new(new("ES256")),
            )
        },
        path(
            "an API key of 1,000",
            policies::keys(),
            200,
            Box::new(|number| vec![("x-api-key", policies::api_key(number))]),
        ),
        path(
            "an API key, the last of 5,000 rules",
            policies::many_rules(),
            200,
            Box::new(|number| vec![("x-api-key", policies::api_key(number))]),
        ),
        path(
            "a pair whose token is held",
            policies::pairs(),
            200,
            Box::new(|number| {
                let id = format!("client-{:05}", number % BEFORE);
                vec![("x-client-id", id), ("x-client-secret", "s3cret".repeat(5))]
            }),
        ),
        path(
            "refused: no credential",
            policies::tokens("ES256"),
            401,
            Box::new(|_| Vec::new()),
        ),
        path(
            "refused: garbage",
            policies::tokens("ES256"),
            401,
            Box::new(|number| bearer(format!("garbage.{number}.of no meaning"))),
        ),
        path(
            "refused: another signature",
            policies::tokens("ES256"),
            401,
            Box::new(forged),
        ),
    ]
}

fn start(filter: &Filter, path: &Kind) -> Gateway {
    let mut builder = Gateway::builder(filter, path.policy.to_string()).workers(1);
    if !path.helped {
        builder = builder.without_foreign_function("verify_signature");
    }
    let mut gateway = builder.start().unwrap();
    gateway.endpoint(|call| policies::exchanged(&call.body));
    gateway
}

fn send(gateway: &mut Gateway, path: &Kind, number: usize) {
    let usual = [
        ("user-agent", "curl/8.5.0"),
        ("accept", "*/*"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "5b0c8f9e-2d75-4f0c-8f0a-0c5d6a0f7f10"),
    ];
    let mut request = gateway.request("GET /orders");
    for (name, value) in usual {
        request = request.header(name, value);
    }
    for (name, value) in (path.head)(number) {
        request = request.header(name, value);
    }
    let request = request.send();
    let status = match request.outcome() {
        Outcome::Upstream(_) => 200,
        Outcome::LocalReply(reply) => reply.status,
        other => panic!("{}: {other:?}", path.name),
    };
    assert_eq!(status, path.status, "{}: {}", path.name, gateway.trace());
}

fn executed(gateway: &Gateway) -> u64 {
    gateway.instructions()[&Place::Worker(0)]
}

fn measure(filter: &Filter) -> BTreeMap<String, u64> {
    let mut figures = BTreeMap::new();
    for path in kinds() {
        let mut gateway = start(filter, &path);
        if path.policy.get("clients").is_some() {
            figures.insert(format!("start: {}", path.name), executed(&gateway));
        }
        for number in 0..BEFORE {
            send(&mut gateway, &path, number);
        }
        let before = executed(&gateway);
        for number in BEFORE..BEFORE + COUNTED {
            send(&mut gateway, &path, number);
        }
        let each = (executed(&gateway) - before) / COUNTED as u64;
        figures.insert(path.name.to_owned(), each);
    }
    figures
}

fn written(figures: &BTreeMap<String, u64>) -> String {
    let mut text = String::from(
        "# WebAssembly instructions of a request, and of a VM's start with its policy. Written by\n\
         # UPDATE_BUDGETS=1 cargo test -p doorward-testhost --test budgets\n",
    );
    for (name, figure) in figures {
        writeln!(text, "{figure:>12} {name}").unwrap();
    }
    text
}

fn read(text: &str) -> BTreeMap<String, u64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let figures = lines.map(|line| line.trim().split_once(' ').unwrap());
    figures
        .map(|(figure, name)| (name.to_owned(), figure.parse().unwrap()))
        .collect()
}

#[test]
fn every_path_stays_within_its_budget() {
    let module = std::fs::read(xtask::module::build().unwrap()).unwrap();
    let figures = measure(&Filter::metered(&module).unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/budgets/instructions.txt");
    if std::env::var_os("UPDATE_BUDGETS").is_some() {
        std::fs::write(&file, written(&figures)).unwrap();
    }
    let budgets = read(&std::fs::read_to_string(&file).unwrap());
    let names = |figures: &BTreeMap<String, u64>| figures.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&figures), names(&budgets));
    let mut strayed = String::new();
    for (name, figure) in &figures {
        let budget = budgets[name];
        let share = *figure as f64 / budget as f64;
        if (share - 1.0).abs() > SLACK {
            writeln!(
                strayed,
                "{name}: {figure} instructions, the budget says {budget}"
            )
            .unwrap();
        }
    }
    assert!(
        strayed.is_empty(),
        "{strayed}If that is meant to be so, UPDATE_BUDGETS=1 writes the budgets anew; a path that became cheaper needs it, too."
    );
}
