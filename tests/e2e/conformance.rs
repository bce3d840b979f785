//! `docs/conformance.md`: what the tests hold Doorward to, counted.
//!
//! The page is made from the tables that the tests run through, without an Envoy of its own; that the tables are
//! true is what those tests prove.

use std::fmt::Write as _;

use xtask::paths;

use crate::attacks;
use crate::differential::{self, Expected, native};
use crate::forge::ALGORITHMS;

const HEAD: &str = "\
# Conformance

<!-- Generated from the tables of tests/e2e and crates/core/src/jose/tests; edit those, then run
     UPDATE_DOCS=1 cargo test --test e2e conformance -->

What the tests hold Doorward to, counted. Each figure is asserted by a test of `cargo test`, and this
page is held to the figures.
";

const VECTORS: &str = "
## Vectors

Through the same check as a token's signature (`crates/core/src/jose/tests`). Wycheproof's vectors
that are only \"acceptable\" count as refused, as do truncated tags and salts that JOSE doesn't know. A
key that JOSE doesn't allow, such as a secret shorter than the hash, is refused itself.

| vectors | algorithms | accepted | refused | key refused |
|---|---|---|---|---|
";

const VECTORS_END: &str = "
No vector is judged otherwise than its source says. Besides, of a good token of each of the 13
algorithms every single changed bit is refused, and what `jsonwebtoken` signs is accepted.
";

const ATTACKS: &str = "
## Attacks

Requests through a real Envoy, byte for byte (`tests/e2e/attacks`). Each is answered with the status and
the public reason of its table, and nothing of it reaches the upstream; what may pass, such as a good
token beside a forged identity header, arrives without the forgery.

| group | requests |
|---|---|
";

const DIFFERENTIAL: &str = "
## Beside Envoy's `jwt_authn`

The same tokens to Doorward and to Envoy's own filter, with the same keys, issuer and audience, `exp`
asked for, and 30 s of clock skew (`tests/e2e/differential`). Neither is the other's judge: what must
become of a token is said by the section of an RFC. The keys' JWKs have a `kid` and no `alg`.
";

const OPEN: &str = "
### What the RFCs leave open

Doorward refuses all of these; `jwt_authn` accepts some.

| family | tokens | source | why Doorward refuses | `jwt_authn` accepts |
|---|---|---|---|---|
";

fn vectors(text: &mut String) {
    text.push_str(VECTORS);
    let rows = include_str!("../../crates/core/src/jose/tests/vectors.csv");
    for row in rows.lines().skip(1) {
        writeln!(text, "| {} |", row.replace(',', " | ")).unwrap();
    }
    text.push_str(VECTORS_END);
}

fn attacks(text: &mut String) {
    text.push_str(ATTACKS);
    let mut all = 0;
    for (group, attacks) in attacks::groups() {
        writeln!(text, "| {group} | {} |", attacks.len()).unwrap();
        all += attacks.len();
    }
    let good = attacks::good_requests().len();
    writeln!(
        text,
        "| all | {all} |\n\nBeside them {good} requests that look odd and are good must pass."
    )
    .unwrap();
}

fn beside_native(text: &mut String) {
    text.push_str(DIFFERENTIAL);
    let families = differential::families();
    let count = |expected: fn(Expected) -> bool| -> usize {
        let those = families
            .iter()
            .filter(|(family, _)| expected(family.expected));
        those.map(|(_, tokens)| tokens).sum()
    };
    let all = count(|_| true);
    let good = count(|expected| expected == Expected::Accept);
    let bad = count(|expected| expected == Expected::Refuse);
    let wrong: usize = native::DEVIATIONS.iter().map(|each| each.tokens).sum();
    let algorithms: Vec<_> = ALGORITHMS.iter().map(|each| format!("{each:?}")).collect();
    write!(
        text,
        "\n- {all} tokens of {}: {good} must be accepted, {bad} must be refused, {} the RFCs leave open.\n\
         - Doorward accepts all that must be accepted, and nothing else.\n\
         - `jwt_authn` of Envoy {} judges {wrong} tokens otherwise than the RFCs ask.\n\n\
         | family | tokens | must be | source | `jwt_authn` |\n|---|---|---|---|---|\n",
        algorithms.join(", "),
        all - good - bad,
        xtask::envoy::VERSION,
    )
    .unwrap();
    for (family, tokens) in &families {
        let (must, does) = match family.expected {
            Expected::Accept => ("accepted", "refuses"),
            Expected::Refuse => ("refused", "accepts"),
            Expected::Open(_) => continue,
        };
        let deviation = native::DEVIATIONS
            .iter()
            .find(|each| each.family == family.name);
        let differs = deviation.map_or(String::new(), |each| {
            format!("{does} {}: {}", each.tokens, each.why)
        });
        let (name, source) = (family.name, family.source);
        writeln!(
            text,
            "| {name} | {tokens} | {must} | {source} | {differs} |"
        )
        .unwrap();
    }
    text.push_str(OPEN);
    for (family, tokens) in &families {
        let Expected::Open(why) = family.expected else {
            continue;
        };
        let accepted = native::OPEN.iter().find(|(name, _)| *name == family.name);
        let accepted = accepted.map_or(0, |(_, accepted)| *accepted);
        let (name, source) = (family.name, family.source);
        writeln!(
            text,
            "| {name} | {tokens} | {source} | {why} | {accepted} |"
        )
        .unwrap();
    }
}

#[test]
fn the_conformance_page_says_what_the_tests_hold() {
    let mut text = HEAD.to_owned();
    vectors(&mut text);
    attacks(&mut text);
    beside_native(&mut text);
    let path = paths::root().join("docs/conformance.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/conformance.md is stale: run UPDATE_DOCS=1 cargo test --test e2e conformance, and look at what changed"
    );
}
