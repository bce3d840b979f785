//! `doorward test`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong panics"
)]

mod common;

use common::{Run, Scratch, doorward, repository};
use serde_json::{Value, json};

const POLICY: &str = r#"
version: 1
clients:
  - {id: shop, tenant: acme, scopes: [orders]}
authenticators:
  token:
    jwt:
      algorithms: [HS256]
      issuer: https://idp.example.com
      keys: [{secret: {value: "${SECRET}"}}]
  remote:
    jwt: {algorithms: [ES256], keys: [{remote: {cluster: keys, url: https://idp.example.com/jwks}}]}
  pair:
    client_credentials:
      from: {id: {header: x-id}, secret: {header: x-secret}}
      exchange: endpoint
tokens:
  endpoint: {exchange: {cluster: idp, url: https://idp.example.com/token, timeout: 3s}}
rules:
  - {match: {path: /public}, authenticate: none, limit: {per: source.address, rate: 3/m}}
  - {match: {path: /token/**}, authenticate: token}
  - {match: {path: /remote/**}, authenticate: remote}
  - {match: {path: /pair/**}, authenticate: pair}
"#;

const ENVIRONMENT: &str = "environment: {SECRET: thirty-two-bytes-are-the-least-it-takes}\n";

fn run(name: &str, cases: &str) -> Run {
    let scratch = Scratch::new(name);
    let policy = scratch.write("policy.yaml", POLICY);
    let cases = scratch.write("cases.yaml", &format!("{ENVIRONMENT}{cases}"));
    doorward(&["test", &policy, &cases], "")
}

#[track_caller]
fn holds(name: &str, cases: &str) {
    let run = run(name, cases);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn the_cases_of_every_example_hold_for_the_policy_and_where_it_stands_in_envoy() {
    let mut count = 0;
    for entry in std::fs::read_dir(repository("examples")).unwrap() {
        let file = |name: &str| entry.as_ref().unwrap().path().join(name);
        let text = |name: &str| file(name).to_str().unwrap().to_owned();
        let (policy, cases) = (text("policy.yaml"), text("cases.yaml"));
        let alone = ["test", "--env-file", &text("policy.env"), &policy, &cases];
        let in_envoy = ["test", "--envoy", &text("envoy.yaml"), &cases];
        for arguments in [&alone[..], &in_envoy[..]] {
            let run = doorward(arguments, "");
            assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
            assert!(run.stdout.ends_with("all hold\n"), "{}", run.stdout);
        }
        count += 1;
    }
    assert!(count >= 2);
}

/// The text of the first fence of this kind.
fn fenced<'t>(text: &'t str, info: &str) -> &'t str {
    let (_, rest) = text.split_once(&format!("```{info}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_cases_in_the_documentation_hold_for_the_policy_beside_them() {
    let text = std::fs::read_to_string(repository("docs/testing.md")).unwrap();
    let scratch = Scratch::new("cases-documentation");
    let policy = scratch.write("policy.yaml", fenced(&text, "yaml policy"));
    let cases = scratch.write("cases.yaml", fenced(&text, "yaml cases"));
    let run = doorward(&["test", &policy, &cases], "");
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

const WRONG: &str = r#"cases:
  - name: right
    when: {request: GET /public}
    then: {upstream: {}}
  - name: wrong in every way
    when: {request: GET /token/x}
    then:
      status: 403
      reason: scope_missing
      headers: {www-authenticate: other}
      body: {status: 403}
      callouts: 1
  - name: goes on
    when: {request: "GET /public?a=1", headers: {x-a: [one, two]}}
    then:
      upstream:
        headers: {x-a: one, x-b: two}
        without: x-a
        path: /other
  - name: doesn't go on
    when: {request: GET /nowhere}
    then: {upstream: {}}
  - name: goes on though it shouldn't
    when: {request: GET /public}
    then: {status: 401, reason: credentials_missing}
"#;

#[test]
fn every_mismatch_is_told_with_its_line_and_what_was_expected_and_got() {
    let run = run("cases-wrong", WRONG);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let told = run.stdout.replace(
        &Scratch::new("cases-wrong-other")
            .path("cases.yaml")
            .replace("cases-wrong-other", "cases-wrong"),
        "cases.yaml",
    );
    for expected in [
        "\u{2713} right ",
        "\u{2717} wrong in every way",
        "cases.yaml:9: status\n      expected 403\n      got      401",
        "cases.yaml:10: reason\n      expected scope_missing\n      got      credentials_missing",
        "cases.yaml:11: headers.www-authenticate\n      expected \"other\"\n      got      \"Bearer realm=\"api\"\"",
        "cases.yaml:12: body\n      expected {\"status\":403}\n      got      {\"detail\"",
        "cases.yaml:13: callouts\n      expected 1\n      got      none",
        "cases.yaml:18: upstream.headers.x-a\n      expected \"one\"\n      got      [\"one\", \"two\"]",
        "cases.yaml:18: upstream.headers.x-b\n      expected \"two\"\n      got      nothing",
        "cases.yaml:19: upstream.without\n      expected no x-a\n      got      [\"one\", \"two\"]",
        "cases.yaml:20: upstream.path\n      expected /other\n      got      \"/public?a=1\"",
        "cases.yaml:23: upstream\n      expected the request goes on\n      got      403 no_rule",
        "cases.yaml:26: outcome\n      expected 401 credentials_missing\n      got      goes on to the upstream",
        "cases.yaml: 5 case(s), 4 failed\n",
    ] {
        assert!(told.contains(expected), "{expected}\n---\n{told}");
    }
}

#[test]
fn mistakes_in_the_cases_are_told_with_their_places_and_nothing_runs() {
    let case = |when_and_then: &str| format!("cases: [{{name: a, {when_and_then}}}]");
    let get = "when: {request: GET /public}";
    for (cases, told) in [
        ("cases: []".to_owned(), "cases: expected at least one case"),
        ("case: []".to_owned(), "did you mean \"cases\"?"),
        (
            case(&format!("{get}, then: {{stauts: 401}}")),
            "did you mean \"status\"?",
        ),
        (case(get), "cases[0]: a case without `then` proves nothing"),
        (
            case("when: {}, then: {upstream: {}}"),
            "cases[0].when: expected either",
        ),
        (
            case("when: [], then: {upstream: {}}"),
            "cases[0].when: expected at least one step",
        ),
        (
            case("when: {request: GET /, advance: 1s}, then: {upstream: {}}"),
            "expected either `request` or `advance`",
        ),
        (
            case("when: {request: /}, then: {upstream: {}}"),
            "expected a method and a target",
        ),
        (
            case("when: {request: GET /, source: here}, then: {upstream: {}}"),
            "expected an address",
        ),
        (
            case("when: {advance: 1s}, then: {status: 200}"),
            "nothing is answered where only time passes",
        ),
        (
            case(&format!("{get}, then: {{upstream: {{}}, status: 200}}")),
            "never both",
        ),
        (case(&format!("{get}, then: {{}}")), "nothing is asked for"),
        (
            case(&format!(
                "{get}, then: {{reason: \"${{NOBODY_SET_THIS}}\"}}"
            )),
            "cases[0].then.reason: ",
        ),
        (
            case(&format!(
                "given: {{callouts: [{{cluster: a}}]}}, {get}, then: {{upstream: {{}}}}"
            )),
            "cases[0].given.callouts[0]: expected exactly one of `answer`",
        ),
        (
            format!(
                "callouts: [{{fails: true}}, {{cluster: a}}]\n{}",
                case(&format!(
                    "given: {{callouts: [{{fails: true}}]}}, {get}, then: {{upstream: {{}}}}"
                ))
            ),
            "cases.yaml: callouts[1]: expected exactly one of `answer`",
        ),
        (
            case(&format!("{get}, then: {{callouts: {{}}}}")),
            "nothing is asked for",
        ),
        (
            case(&format!(
                "given: {{callouts: [{{answer: {{jwks: ipd}}}}]}}, {get}, then: {{upstream: {{}}}}"
            )),
            "no key of `keys` is called \"ipd\"",
        ),
        (
            case(&format!(
                "given: {{tokens: {{T: {{key: ipd}}}}}}, {get}, then: {{upstream: {{}}}}"
            )),
            "cases[0].given.tokens.T: no key of `keys` is called \"ipd\"",
        ),
        (
            format!(
                "tokens: {{T: {{authenticator: tokn}}}}\n{}",
                case(&format!("{get}, then: {{upstream: {{}}}}"))
            ),
            "tokens.T: no jwt authenticator is called \"tokn\"; did you mean \"token\"?",
        ),
        (
            format!(
                "keys: {{k: {{generate: RS256}}}}\n{}",
                case(&format!("{get}, then: {{upstream: {{}}}}"))
            ),
            "keys.k: generate: expected ES256",
        ),
    ] {
        let run = run("cases-mistakes", &cases);
        assert_eq!(run.code, 2, "{cases}\n{}", run.stdout);
        assert!(run.stderr.contains(told), "{cases}\n{}", run.stderr);
        assert_eq!(run.stdout, "", "{cases}");
    }
}

#[test]
fn tokens_are_minted_for_the_cases_clock_with_generated_keys_secrets_and_files() {
    let file = repository("crates/xtask/testdata/es256-a.pem");
    holds(
        "cases-tokens",
        &format!(
            r#"keys:
  idp: {{generate: ES256}}
  other: {{generate: ES256, kid: idp}}
  filed: {{file: "{file}"}}
  shared: {{secret: "${{SECRET}}"}}
tokens:
  OWN: {{authenticator: token, claims: {{sub: me}}}}
  SHARED: {{key: shared, authenticator: token}}
  NO_ISSUER: {{authenticator: token, claims: {{iss: null}}}}
  REMOTE: {{key: idp, claims: {{sub: me}}}}
  STRANGE: {{key: other, claims: {{sub: me}}}}
  FILED: {{key: filed, claims: {{sub: me}}}}
callouts:
  - {{cluster: keys, method: GET, times: always, answer: {{jwks: [idp, filed]}}}}
cases:
  - name: signed with the policy's secret, and with one given
    given: {{clock: 2031-01-01T00:00:00Z}}
    when:
      - {{request: GET /token/x, headers: {{authorization: "Bearer ${{OWN}}"}}, then: {{upstream: {{}}}}}}
      - {{request: GET /token/x, headers: {{authorization: "Bearer ${{SHARED}}"}}}}
    then: {{upstream: {{headers: {{authorization: "Bearer ${{SHARED}}"}}}}}}
  - name: without what the authenticator demands
    when: {{request: GET /token/x, headers: {{authorization: "Bearer ${{NO_ISSUER}}"}}}}
    then: {{status: 401}}
  - name: keys of a set
    when:
      - {{request: GET /remote/x, headers: {{authorization: "Bearer ${{REMOTE}}"}}, then: {{upstream: {{}}}}}}
      - {{request: GET /remote/x, headers: {{authorization: "Bearer ${{FILED}}"}}}}
    then: {{upstream: {{}}}}
  - name: a strange key under a known id
    when: {{request: GET /remote/x, headers: {{authorization: "Bearer ${{STRANGE}}"}}}}
    then: {{status: 401, reason: token_signature}}
  - name: a case's own token goes before everybody's
    given: {{tokens: {{OWN: {{authenticator: token, expires_in: 1m, issued_ago: 1h}}}}}}
    when: {{request: GET /token/x, headers: {{authorization: "Bearer ${{OWN}}"}}}}
    then: {{status: 401, reason: token_expired}}
"#
        ),
    );
}

#[test]
fn callouts_answer_in_order_late_never_or_not_at_all() {
    let ask = "request: GET /pair/x, headers: {x-id: a, x-secret: s}";
    let token = "{json: {access_token: abc, token_type: Bearer}}";
    holds(
        "cases-callouts",
        &format!(
            r#"cases:
  - name: the first that fits serves, so often
    given:
      callouts:
        - {{cluster: other, times: always, fails: true}}
        - {{url: "https://idp.example.com/token", times: 2, answer: {{status: 500}}}}
        - {{cluster: idp, method: POST, after: 200ms, answer: {token}}}
    when:
      - {{{ask}, then: {{status: 503, reason: exchange_unavailable, callouts: 2}}}}
      - {{advance: 2s, then: {{callouts: 0}}}}
      - {{{ask}, then: {{upstream: {{headers: {{authorization: Bearer abc}}}}, callouts: {{idp: 1, other: 0}}}}}}
  - name: no answer in time
    given: {{callouts: [{{times_out: true, times: always}}]}}
    when: {{{ask}}}
    then: {{status: 503, reason: exchange_timeout, callouts: {{idp: 2}}}}
  - name: an answer that comes too late
    given: {{callouts: [{{cluster: idp, after: 3s, times: always, answer: {token}}}]}}
    when: {{{ask}}}
    then: {{status: 503, reason: exchange_timeout}}
  - name: an answer that comes just in time
    given: {{callouts: [{{cluster: idp, after: 2999ms, answer: {token}}}]}}
    when: {{{ask}}}
    then: {{upstream: {{}}}}
  - name: answers a year late hold nobody up
    given: {{callouts: [{{cluster: idp, after: 8784h, times: always, answer: {token}}}]}}
    when:
      - {{{ask}}}
      - {{advance: 8784h, then: {{callouts: {{idp: 0}}}}}}
  - name: no answer ever
    given: {{callouts: [{{never: true, times: always}}]}}
    when: {{{ask}}}
    then: {{status: 503}}
  - name: a call that nobody gave
    when: {{{ask}}}
    then: {{status: 503, reason: exchange_unavailable}}
"#
        ),
    );
}

#[test]
fn limits_count_by_address_and_fill_as_time_passes() {
    holds(
        "cases-limits",
        r#"cases:
  - name: three a minute for each address
    when:
      - {request: GET /public, source: 203.0.113.7, times: 3, then: {upstream: {}}}
      - {request: GET /public, source: 203.0.113.7, then: {status: 429, reason: rate_limited}}
      - {request: GET /public, source: 203.0.113.8, then: {upstream: {}}}
      - {advance: 20s}
      - {request: GET /public, source: 203.0.113.7, then: {upstream: {}}}
"#,
    );
}

const ISSUING: &str = r#"
version: 1
clients:
  - {id: shop, secrets: [{value: s3cret}]}
authenticators:
  session-token: {jwt: {algorithms: [HS256], keys: [{token: session}], client: claims.sub}}
tokens:
  session: {sign: {algorithm: HS256, keys: [{secret: {value: thirty-two-bytes-are-the-least-it-takes}}], lifetime: 1h, claims: '{"sub": client.id}'}}
rules:
  - {match: {path: "/api/**"}, authenticate: session-token}
  - match: {path: /login}
    issue: {token: session, client_auth: client_secret_post, request: {client_id: /id, client_secret: /secret}}
"#;

#[test]
fn a_token_endpoint_reads_bodies_and_its_token_serves_later_steps() {
    let scratch = Scratch::new("cases-issue");
    let policy = scratch.write("policy.yaml", ISSUING);
    let cases = scratch.write(
        "cases.yaml",
        r#"cases:
  - name: a good pair gets a token
    when: {request: POST /login, json: {id: shop, secret: s3cret}}
    then: {status: 200, headers: {cache-control: no-store}, body: {token_type: Bearer, expires_in: 3600}}
  - name: a bad one doesn't
    when: {request: POST /login, json: {id: shop, secret: guess}}
    then: {status: 401, callouts: 0}
  - name: the token opens the rest, until its end
    when:
      - {request: POST /login, json: {id: shop, secret: s3cret}, then: {status: 200, keep: {SESSION: /access_token}}}
      - request: GET /api/x
        headers: {authorization: "Bearer ${SESSION}"}
        then: {upstream: {headers: {authorization: "Bearer ${SESSION}", x-auth-client: shop}}}
      - {advance: 61m}
      - {request: GET /api/x, headers: {authorization: "Bearer ${SESSION}"}}
    then: {status: 401, reason: token_expired}
"#,
    );
    let run = doorward(&["test", &policy, &cases], "");
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let cases = scratch.write(
        "cases.yaml",
        r#"cases:
  - name: what isn't there can't be kept
    when:
      - {request: POST /login, json: {id: shop, secret: guess}, then: {keep: {SESSION: /access_token}}}
      - {request: GET /api/x, headers: {authorization: "Bearer ${SESSION}"}}
    then: {upstream: {}}
"#,
    );
    let run = doorward(&["test", &policy, &cases], "");
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let told = "keep.SESSION\n      expected a text or number at /access_token of the body";
    assert!(run.stdout.contains(told), "{}", run.stdout);
}

#[test]
fn json_tells_programs_the_same() {
    let scratch = Scratch::new("cases-json");
    let policy = scratch.write("policy.yaml", POLICY);
    let cases = scratch.write("cases.yaml", &format!("{ENVIRONMENT}{WRONG}"));
    let run = doorward(&["test", "--json", &policy, &cases], "");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["good"], json!(false));
    assert_eq!(report["cases"][0]["good"], json!(true));
    assert_eq!(
        report["cases"][1]["mismatches"][0],
        json!({"line": 9, "what": "status", "expected": "403", "actual": "401"})
    );
}

#[test]
fn a_policy_that_would_not_load_is_told_and_nothing_runs() {
    let scratch = Scratch::new("cases-policy");
    let policy = scratch.write("policy.yaml", "version: 1\nruls: []\n");
    let cases = scratch.write("cases.yaml", WRONG);
    let run = doorward(&["test", &policy, &cases], "");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("did you mean \"rules\"?"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_mismatch_names_some_of_many_calls() {
    let cases = "cases: [{name: a, when: {advance: 8784h, then: {callouts: 0}}}]";
    let run = run("cases-many-calls", cases);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains(" more"), "{}", run.stdout);
    assert!(run.stdout.len() < 3000, "{}", run.stdout);
}
