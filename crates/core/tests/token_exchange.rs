//! The life of an exchanged token over several workers: asked for once, shared, refused, lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doorward_core::host::Answer;
use doorward_core::observe::Event;
use serde_json::json;
use support::exchange::*;
use support::*;

#[test]
fn the_request_to_the_endpoint_has_the_shape_that_the_policy_says() {
    let odd = ("a:b/c d+é", "s%&=?*~ \"\\");
    let basic = |id: &str, secret: &str| {
        let text = format!("{id}:{secret}");
        Some(format!("Basic {}", STANDARD.encode(text)))
    };
    let encoded = ("a%3Ab%2Fc%20d%2B%C3%A9", "s%25%26%3D%3F*%7E%20%22%5C");
    let form = "application/x-www-form-urlencoded";
    let post = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        encoded.0, encoded.1
    );
    for (settings, authorization, content_type, body) in [
        (
            "",
            basic(encoded.0, encoded.1),
            form,
            "grant_type=client_credentials".to_owned(),
        ),
        (
            "scopes: [\"a/b\", c]",
            basic(encoded.0, encoded.1),
            form,
            "grant_type=client_credentials&scope=a%2Fb%20c".to_owned(),
        ),
        ("auth: client_secret_post", None, form, post.clone()),
        (
            "auth: client_secret_post, form: {audience: \"'https://api'\", grant_type: \"'x'\"}",
            None,
            form,
            format!("{}&audience=https%3A%2F%2Fapi&grant_type=x", &post["grant_type=client_credentials&".len()..]),
        ),
        (
            "auth: client_secret_json, scopes: c",
            None,
            "application/json",
            json!({"grant_type": "client_credentials", "client_id": odd.0, "client_secret": odd.1, "scope": "c"}).to_string(),
        ),
        (
            "auth: client_secret_json, json: '{\"appId\": client.id, \"n\": [1, client.secret]}'",
            None,
            "application/json",
            json!({"appId": odd.0, "n": [1, odd.1]}).to_string(),
        ),
        (
            "auth: client_secret_post, headers: {X-Key: k, Accept: text/plain, Content-Type: a/b}",
            None,
            "a/b",
            post.clone(),
        ),
    ] {
        let url = "url: https://idp.example.com/token";
        let policy = POLICY.replace(
            "    exchange:\n      cluster: idp\n      url: https://idp.example.com/token\n      retry: {attempts: 1}\n      breaker: {failures: 1000}",
            &format!("    exchange: {{cluster: idp, {}, {settings}}}", url.replace("https", "\"https") .replace("token", "token?x=y\"")),
        );
        let proxy = Proxy::new(1, &policy);
        proxy.ask(
            0,
            get("/", &[("x-client-id", odd.0), ("x-client-secret", odd.1)]),
        );
        let call = proxy.call();
        assert_eq!(call.call.cluster, "idp");
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "idp.example.com"),
            (":path", "/token?x=y"),
            ("content-type", content_type),
        ] {
            assert_eq!(call.header(name), Some(value), "{settings}: {name}");
        }
        assert_eq!(call.header("authorization"), authorization.as_deref(), "{settings}");
        assert_eq!(call.body(), body, "{settings}");
        let mut names: Vec<_> = call.call.headers.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), call.call.headers.len(), "{settings}: a header twice");
        let accept = if settings.contains("Accept") { "text/plain" } else { "application/json" };
        assert_eq!(call.header("accept"), Some(accept));
    }
}

#[test]
fn a_token_that_was_asked_for_with_a_requests_own_words_serves_such_requests_only() {
    let policy = POLICY.replace(
        "url: https://idp.example.com/token\n",
        "url: https://idp.example.com/token\n      form: {resource: 'request.headers[\"x-resource\"]'}\n",
    );
    assert_ne!(policy, POLICY);
    let proxy = Proxy::new(2, &policy);
    let with = |resource: &str| {
        let mut headers = vec![("x-client-id", "a"), ("x-client-secret", "s")];
        headers.extend((!resource.is_empty()).then_some(("x-resource", resource)));
        get("/", &headers)
    };
    for (number, resource) in ["one", "two"].into_iter().enumerate() {
        let ticket = proxy.ask(0, with(resource));
        let body = proxy.call().body().to_owned();
        assert!(body.ends_with(&format!("&resource={resource}")), "{body}");
        proxy.reply(200, &token(resource, 600));
        assert_eq!(proxy.said(ticket), "ok");
        assert_eq!(proxy.made(), number + 1);
    }
    for (worker, resource) in [(0, "one"), (1, "two"), (1, "one")] {
        let ticket = proxy.ask(worker, with(resource));
        let bearer = bearer(&proxy.verdict(ticket).unwrap());
        assert_eq!(bearer, format!("Bearer {resource}"));
    }
    assert_eq!(proxy.made(), 2);
    // A refused pair isn't asked about again with other words.
    let proxy = Proxy::new(1, &policy);
    let ticket = proxy.ask(0, with("one"));
    proxy.reply(401, "");
    assert_eq!(proxy.said(ticket), "401 exchange_refused");
    assert_eq!(short(&proxy.decide(with("two"))), "401 exchange_refused");
    assert_eq!(proxy.made(), 1);
    // Without what the policy asks for there is nothing to ask with.
    let proxy = Proxy::new(1, &policy);
    let told = short(&proxy.decide(with("")));
    assert_eq!(told, "503 exchange_unevaluable after 1");
}

#[test]
fn two_hundred_requests_on_four_workers_make_one_call() {
    let proxy = Proxy::new(4, POLICY);
    let tickets: Vec<_> = (0..200)
        .map(|number| proxy.ask(number % 4, by("a")))
        .collect();
    assert_eq!(proxy.made(), 1);
    proxy.pass(seconds(1));
    assert_eq!(proxy.made(), 1);
    proxy.reply(200, &token("one", 3600));
    proxy.pass(seconds(1));
    for ticket in tickets {
        assert_eq!(bearer(&proxy.verdict(ticket).unwrap()), "Bearer one");
    }
    for worker in 0..4 {
        assert_eq!(proxy.said(proxy.ask(worker, by("a"))), "ok");
    }
    assert_eq!(proxy.made(), 1);
}

#[test]
fn pairs_and_secrets_have_tokens_of_their_own() {
    let proxy = holding(1, POLICY, 3600);
    let rotated = proxy.ask(
        0,
        get("/", &[("x-client-id", "a"), ("x-client-secret", "other")]),
    );
    proxy.reply(401, "{}");
    assert_eq!(proxy.said(rotated), "401 exchange_refused");
    let other = proxy.ask(0, by("b"));
    proxy.reply(200, &token("two", 3600));
    assert_eq!(bearer(&proxy.verdict(other).unwrap()), "Bearer two");
    assert_eq!(bearer(&proxy.decide(by("a"))), "Bearer one");
}

#[test]
fn replies_of_every_kind_have_their_verdict() {
    let bad = "503 exchange_reply after 5";
    let down = "503 exchange_unavailable after 1";
    for (answer, expected) in [
        (reply(200, &token("t", 60)), "ok"),
        (reply(200, "{}"), bad),
        (reply(200, "<html>"), bad),
        (reply(200, &token("", 60)), bad),
        (reply(200, &token("a\nb", 60)), bad),
        (reply(201, &token("t", 60)), down),
        (reply(302, ""), down),
        (
            reply(400, r#"{"error":"invalid_client"}"#),
            "401 exchange_refused",
        ),
        (reply(400, r#"{"error":"invalid_request"}"#), down),
        (reply(400, ""), down),
        (reply(401, ""), "401 exchange_refused"),
        (reply(403, ""), down),
        (reply(404, ""), down),
        (reply(429, ""), "429 exchange_limited after 1"),
        (reply_after(429, 30), "429 exchange_limited after 30"),
        (
            reply_after(429, u64::MAX),
            "429 exchange_limited after 3600",
        ),
        (reply(500, ""), down),
        (reply_after(503, 30), "503 exchange_unavailable after 30"),
        (reply_after(503, 0), "503 exchange_unavailable after 1"),
        (Answer::Failed, down),
        (Answer::Unreachable, "503 exchange_unreachable after 1"),
        (Answer::TimedOut, "503 exchange_timeout after 1"),
    ] {
        let proxy = Proxy::new(1, POLICY);
        let ticket = proxy.ask(0, by("a"));
        proxy.answer(&proxy.call(), answer.clone());
        assert_eq!(proxy.said(ticket), expected, "{answer:?}");
        // What was learnt is remembered.
        assert_eq!(short(&proxy.decide(by("a"))), expected, "{answer:?} again");
        assert_eq!(proxy.made(), 1);
    }
}

#[test]
fn a_refused_pair_is_remembered_by_every_worker_for_a_while() {
    let proxy = Proxy::new(2, POLICY);
    proxy.ask(0, by("a"));
    proxy.reply(401, "");
    for worker in [0, 1] {
        let ticket = proxy.ask(worker, by("a"));
        assert_eq!(proxy.said(ticket), "401 exchange_refused");
        let challenge = challenges(&proxy.verdict(ticket).unwrap());
        assert_eq!(challenge, ["ApiKey realm=\"api\""]);
    }
    proxy.jump(seconds(5));
    let ticket = proxy.ask(1, by("a"));
    assert_eq!(proxy.made(), 2);
    proxy.reply(200, &token("one", 60));
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn a_worker_that_dies_with_the_lease_is_replaced_after_its_end() {
    let mut proxy = Proxy::new(3, POLICY);
    proxy.ask(0, by("a"));
    assert_eq!(proxy.made(), 1);
    // The worker's VM is gone, and its call with it; a new one takes its place.
    proxy.workers[0] = engine(&proxy.world, 0, POLICY);
    let waiting = [
        proxy.ask(1, by("a")),
        proxy.ask(2, by("a")),
        proxy.ask(0, by("a")),
    ];
    // The lease is given the call's timeout of 3 s and three more.
    proxy.pass(seconds(5));
    assert_eq!(proxy.made(), 1);
    proxy.pass(seconds(2));
    assert_eq!(proxy.made(), 2);
    let call = proxy.calls().pop().unwrap();
    proxy.answer(&call, reply(200, &token("two", 60)));
    proxy.pass(seconds(1));
    for ticket in waiting {
        assert_eq!(proxy.said(ticket), "ok");
    }
    assert_eq!(proxy.made(), 2);
}

#[test]
fn nobody_waits_for_ever_where_no_call_is_answered() {
    let mut proxy = Proxy::new(3, POLICY);
    proxy.ask(0, by("a"));
    proxy.workers[0] = engine(&proxy.world, 0, POLICY);
    let last = proxy.ask(2, by("a"));
    let heir = proxy.ask(1, by("a"));
    // Two leases of 4 s, and the lost call of whoever took the second one over, 5 s.
    proxy.pass(seconds(14));
    for ticket in [last, heir] {
        assert!(
            proxy.said(ticket).starts_with("503"),
            "{}",
            proxy.said(ticket)
        );
    }
}

#[test]
fn a_lost_call_ends_after_its_deadline() {
    let proxy = Proxy::new(1, POLICY);
    let ticket = proxy.ask(0, by("a"));
    let call = proxy.call();
    proxy.pass(seconds(4));
    assert_eq!(proxy.said(ticket), "waits");
    proxy.pass(seconds(1));
    assert_eq!(proxy.said(ticket), "503 exchange_unavailable after 1");
    // An answer that comes at last is nobody's.
    proxy.answer(&call, reply(200, &token("one", 60)));
    proxy.pass(seconds(2));
    let ticket = proxy.ask(0, by("a"));
    assert_eq!(proxy.said(ticket), "waits");
    proxy.reply(200, &token("two", 60));
    assert_eq!(bearer(&proxy.verdict(ticket).unwrap()), "Bearer two");
}

#[test]
fn answers_to_unknown_calls_change_nothing() {
    let proxy = Proxy::new(1, POLICY);
    let ticket = proxy.ask(0, by("a"));
    for id in [0, 2, 99, u32::MAX] {
        proxy.workers[0].answer(id, reply(200, &token("forged", 60)));
    }
    assert!(proxy.workers[0].turn().is_empty());
    proxy.reply(200, &token("one", 60));
    assert_eq!(bearer(&proxy.verdict(ticket).unwrap()), "Bearer one");
}

#[test]
fn a_call_that_cannot_start_is_a_failure_at_once() {
    let proxy = Proxy::new(1, POLICY);
    proxy.world.reachable.set(false);
    let ticket = proxy.ask(0, by("a"));
    assert_eq!(proxy.said(ticket), "503 exchange_unavailable after 1");
    proxy.world.reachable.set(true);
    proxy.jump(seconds(1));
    let ticket = proxy.ask(0, by("a"));
    proxy.reply(200, &token("one", 60));
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn more_waiting_requests_than_the_bound_are_refused() {
    let policy = POLICY.replace(
        "    authenticate: pair\n",
        "    authenticate: pair\n    errors: {status: {overloaded: 529}}\n",
    );
    let proxy = Proxy::new(1, &policy);
    let waiting: Vec<_> = (0..2048).map(|_| proxy.ask(0, by("a"))).collect();
    let over = proxy.ask(0, by("a"));
    assert_eq!(proxy.said(over), "529 overloaded after 1");
    proxy.reply(200, &token("one", 3600));
    assert!(waiting.iter().all(|ticket| proxy.said(*ticket) == "ok"));
    assert_eq!(proxy.said(proxy.ask(0, by("a"))), "ok");
    // The places are free again.
    let other = proxy.ask(0, by("b"));
    assert_eq!(proxy.said(other), "waits");
}

#[test]
fn two_workers_that_see_no_token_at_once_ask_once() {
    interleaved(|rewind| {
        let proxy = Proxy::new(2, POLICY);
        let before = proxy.world.board.borrow().clone();
        proxy.ask(1, by("a"));
        rewind(&proxy, before);
        let ticket = proxy.ask(0, by("a"));
        proxy.pass(seconds(1));
        assert_eq!(proxy.made(), 1);
        proxy.reply(200, &token("one", 60));
        proxy.pass(seconds(1));
        assert_eq!(bearer(&proxy.verdict(ticket).unwrap()), "Bearer one");
    });
}

#[test]
fn a_board_that_cannot_be_written_hangs_nobody() {
    let proxy = Proxy::new(2, POLICY);
    proxy.world.writable.set(false);
    let ticket = proxy.ask(0, by("a"));
    for _ in 0..20 {
        proxy.pass(seconds(1));
        for call in proxy.calls() {
            proxy.answer(&call, reply(200, &token("one", 60)));
        }
    }
    assert_ne!(proxy.said(ticket), "waits");
}

#[test]
fn without_a_board_every_worker_goes_on_by_itself() {
    let proxy = Proxy::new(2, POLICY);
    proxy.world.board.borrow_mut().clear();
    proxy.world.writable.set(false);
    for worker in [0, 1] {
        let tickets = [proxy.ask(worker, by("a")), proxy.ask(worker, by("a"))];
        proxy.reply(200, &token("one", 600));
        for ticket in tickets {
            assert_eq!(proxy.said(ticket), "ok");
        }
        assert_eq!(proxy.said(proxy.ask(worker, by("a"))), "ok");
    }
    assert_eq!(proxy.made(), 2);
}

#[test]
fn garbage_on_the_board_is_no_token() {
    let proxy = holding(2, POLICY, 600);
    let names: Vec<String> = proxy.world.board.borrow().keys().cloned().collect();
    let mut board = proxy.world.board.borrow_mut();
    for name in &names {
        let (value, _) = board.get_mut(name).unwrap();
        match value.len() {
            // Whoever may write to the board may write a token of any pair; this one writes
            // the true token for everybody.
            0 => *value = vec![1; 60],
            _ => value.truncate(value.len() / 2),
        }
    }
    drop(board);
    let ticket = proxy.ask(1, by("a"));
    assert_eq!(proxy.said(ticket), "waits");
    proxy.reply(200, &token("two", 600));
    assert_eq!(bearer(&proxy.verdict(ticket).unwrap()), "Bearer two");
}

#[test]
fn a_clock_at_its_end_panics_nowhere() {
    let proxy = Proxy::new(1, POLICY);
    proxy.world.now.set(std::time::Duration::MAX);
    let ticket = proxy.ask(0, by("a"));
    for call in proxy.calls() {
        proxy.answer(&call, reply(200, &token("one", 60)));
    }
    proxy.tick();
    assert_ne!(proxy.said(ticket), "waits");
}

#[test]
fn own_tokens_are_injected_or_the_gateway_is_to_blame() {
    let policy = r#"
version: 1
tokens:
  own:
    exchange:
      cluster: idp
      url: https://idp.example.com/token
      client: {id: gw, secret: gateway-secret}
      retry: {attempts: 1}
rules:
  - match: {path: /**}
    authenticate: none
    upstream: {authorization: own}
"#;
    for (answer, expected) in [
        (reply(200, &token("gateway", 60)), "ok"),
        (reply(401, ""), "502 credential_unavailable"),
        (reply(500, ""), "503 exchange_unavailable after 1"),
        (Answer::Failed, "503 exchange_unavailable after 1"),
        (reply(200, "{}"), "503 exchange_reply after 5"),
        (reply_after(429, 9), "429 exchange_limited after 9"),
    ] {
        let proxy = Proxy::new(1, policy);
        let request = get("/", &[("authorization", "Bearer the-callers")]);
        let ticket = proxy.ask(0, request.clone());
        proxy.answer(&proxy.call(), answer.clone());
        assert_eq!(proxy.said(ticket), expected);
        let verdict = proxy.verdict(ticket).unwrap();
        assert!(challenges(&verdict).is_empty());
        if expected == "ok" {
            let head = upstream(&request, &verdict);
            assert_eq!(values(&head, "authorization"), ["Bearer gateway"]);
        }
        let refused = usize::from(expected.starts_with("502"));
        assert_eq!(proxy.count(Event::OwnPairRefused), refused);
        let log = proxy.world.log.borrow();
        assert!(log.iter().all(|(_, line)| !line.contains("gateway-secret")));
    }
}
