//! Writes `docs/reasons.md` from the reasons themselves, and fails where it is stale:
//! `UPDATE_DOCS=1 cargo test -p doorward-core --test reasons` writes it anew.

use doorward_core::reply::{PUBLIC_REASONS, PublicReason, Reason};
use std::path::Path;

const HEAD: &str = "\
# Reasons

<!-- Generated from `Reason` in crates/core/src/reply/reason.rs; edit it there, then run
     UPDATE_DOCS=1 cargo test -p doorward-core --test reasons -->

Every refusal has one **reason**, which the caller reads in the body, and one **detailed reason**,
which only the operator sees: in the access log (`doorward_denied{…}` in `%RESPONSE_CODE_DETAILS%`),
in the counter `doorward.refused.…`, and in the filter's log at level debug, which has a few such lines a
second. They differ only where telling would help an attacker. Reasons are stable names; a policy may give each of them another
status and another message ([`errors`](policy.md#errors)).

Where the filter can't even read a request's head, or edit it, the answer has no body and no refusal is
counted: 400 with `header_forbidden`, 503 with `internal`, in the access log.
";

fn detailed(public: &PublicReason) -> impl Iterator<Item = Reason> {
    let name = public.name;
    let all = Reason::ALL.iter().copied();
    all.filter(move |reason| reason.public().name == name)
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str(
        "\n| status | reason | message | detailed reason | when |\n|---|---|---|---|---|\n",
    );
    for public in PUBLIC_REASONS {
        for (index, reason) in detailed(public).enumerate() {
            let first = match index {
                0 => format!("{} | `{}` | {}", public.status, public.name, public.message),
                _ => " | | ".to_owned(),
            };
            text.push_str(&format!(
                "| {first} | `{}` | {} |\n",
                reason.name(),
                reason.description()
            ));
        }
    }
    text
}

#[test]
fn every_reason_of_the_policy_language_is_given() {
    for public in PUBLIC_REASONS {
        assert!(detailed(public).next().is_some(), "{}", public.name);
    }
}

#[test]
fn the_table_of_reasons_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reasons.md");
    let document = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, document).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(&path).is_ok_and(|written| written == document),
        "docs/reasons.md is stale; UPDATE_DOCS=1 cargo test -p doorward-core --test reasons writes it anew"
    );
}
