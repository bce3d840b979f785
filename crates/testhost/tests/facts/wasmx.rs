//! What was observed of Kong's engine, in this host.

use testhost::{Builder, Gateway, Outcome, Personality, Reply, Span};

use crate::probe::FILTER;

fn kong(script: &[&str]) -> Builder {
    let script = format!("name kong\n{}\n", script.join("\n"));
    Gateway::builder(&FILTER, script)
        .personality(Personality::WasmX)
        .workers(1)
}

fn logged(gateway: &Gateway) -> Vec<String> {
    let log = gateway.log().into_iter();
    log.filter_map(|log| Some(log.line.strip_prefix("probe kong ")?.to_owned()))
        .collect()
}

#[test]
fn misuse_kills_the_worker() {
    for (name, script) in [
        (
            "an unknown foreign function",
            &["headers foreign no_such_function"][..],
        ),
        (
            "no route cache to clear",
            &["headers foreign clear_route_cache"],
        ),
        (
            "a second tick period",
            &["headers tick 100", "headers tick 200"],
        ),
        ("no method", &["headers dispatch good 1000 :method"]),
        ("no path", &["headers dispatch good 1000 :path"]),
        ("Continue after a dispatch", &["headers dispatch good 1000"]),
    ] {
        let mut gateway = kong(script).start().unwrap();
        let request = gateway.request("GET /").send();
        assert_eq!(gateway.crashes(), 1, "{name}\n{}", gateway.trace());
        assert_eq!(request.upstream(), None, "{name}");
    }
    for script in ["configure dispatch good 1000", "configure property a.b"] {
        let refused = kong(&[script]).start();
        assert!(refused.is_err(), "{script}");
    }
}

#[test]
fn the_tick_period_may_be_set_anew_after_0() {
    let script = [
        "headers tick 100",
        "headers tick 0",
        "headers tick 200",
        "tick seen",
    ];
    let mut gateway = kong(&script).start().unwrap();
    gateway.request("GET /").send();
    gateway.advance(1.s());
    let ticks = logged(&gateway)
        .iter()
        .filter(|line| *line == "tick seen -> ")
        .count();
    assert_eq!((ticks, gateway.crashes()), (5, 0));
}

#[test]
fn a_callback_that_ends_without_a_word_lets_the_request_through() {
    let script = ["headers dispatch good 1000", "headers pause", "call seen"];
    let mut gateway = kong(&script).start().unwrap();
    let request = gateway.request("GET /").send();
    assert_eq!(request.outcome(), Outcome::Waiting);
    gateway.callout().end(Reply::refused());
    assert!(request.upstream().is_some(), "{}", gateway.trace());
    assert_eq!(logged(&gateway)[1], "call seen -> headers=0 body=0");
}

#[test]
fn a_trap_in_a_callback_lets_the_request_through() {
    let script = ["headers dispatch good 1000", "headers pause", "call panic"];
    let mut gateway = kong(&script).start().unwrap();
    let request = gateway.request("GET /").send();
    gateway.callout().answer(200, "hi");
    assert_eq!(gateway.crashes(), 1);
    assert!(request.upstream().is_some(), "{}", gateway.trace());
}

#[test]
fn a_reply_cut_short_looks_whole_until_it_is_read() {
    let script = [
        "headers dispatch good 1000",
        "headers pause",
        "call call-header :status",
        "call call-header :dispatch_status",
        "call call-body",
        "call reply 403 no",
    ];
    let mut gateway = kong(&script).start().unwrap();
    let request = gateway.request("GET /").send();
    gateway.callout().end(Reply::cut_short(200));
    let expected = [
        "call call-header :status -> 0 200",
        "call call-header :dispatch_status -> 0 ok",
        "call call-body -> 2",
    ];
    assert_eq!(logged(&gateway)[1..4], expected);
    assert_eq!(
        request.reply().unwrap().body,
        b"no\n",
        "a line feed is added"
    );
}

#[test]
fn header_changes_hardly_reach_the_upstream() {
    let script = [
        "headers remove x-a",
        "headers header x-a",
        "headers replace x-b 9",
    ];
    let mut gateway = kong(&script).start().unwrap();
    let request = gateway.request("GET /");
    let request = request
        .header("x-a", "1")
        .header("x-b", "1")
        .header("x-b", "2");
    let upstream = request.send().upstream().unwrap();
    assert_eq!(upstream.headers.all("x-a"), ["1"]);
    assert_eq!(upstream.headers.all("x-b"), ["9", "2"]);
    assert_eq!(logged(&gateway)[1], "headers header x-a -> 1");
}

#[test]
fn only_a_hundred_pairs_are_shown() {
    let script = ["headers pairs", "headers seen"];
    let mut gateway = kong(&script).start().unwrap();
    let mut request = gateway.request("GET /");
    for number in 0..116 {
        request = request.header(format!("x-{number}"), "1");
    }
    let upstream = request.send().upstream().unwrap();
    assert_eq!(upstream.headers.len(), 120);
    assert_eq!(
        logged(&gateway),
        ["headers pairs -> 100", "headers seen -> end=1 count=121"]
    );
}

#[test]
fn shared_data_is_created_with_0_and_looked_up_by_its_sum() {
    let script = [
        "headers set-shared plumless 1 0",
        "headers set-shared plumless 2 0",
        "headers get-shared plumless",
        "headers set-shared plumless 2 read",
        "headers get-shared buckeroo",
    ];
    let mut gateway = kong(&script).start().unwrap();
    gateway.request("GET /").send();
    let answers: Vec<_> = logged(&gateway)
        .iter()
        .map(|line| line.rsplit_once("-> ").unwrap().1.to_owned())
        .collect();
    assert_eq!(answers, ["0", "8", "0 1", "0", "0 2"]);
}

#[test]
fn shared_memory_is_bounded_and_missing_unless_it_is_configured() {
    let value = "v".repeat(40);
    let set = |key: &str| format!("headers set-shared {key} {value} 0");
    let (a, b, c) = (set("a"), set("b"), set("c"));
    let script = [&a, &b, "headers get-shared a", &c, "headers get-shared b"];
    let mut gateway = kong(&script).shared_memory(100).start().unwrap();
    gateway.request("GET /").send();
    let last = logged(&gateway).pop().unwrap();
    assert_eq!(
        last, "headers get-shared b -> 1",
        "the one that nobody read is gone"
    );
    assert_eq!(gateway.crashes(), 0, "{}", gateway.trace());
    for (bytes, script) in [(40, &a[..]), (0, &a), (0, "headers get-shared a")] {
        let mut gateway = kong(&[script]).shared_memory(bytes).start().unwrap();
        let request = gateway.request("GET /").send();
        assert_eq!(gateway.crashes(), 1, "{bytes} {script}");
        assert_eq!(request.upstream(), None);
    }
}

#[test]
fn another_requests_context_cannot_be_used() {
    let script = [
        "configure tick 100",
        "tick effective",
        "tick resume",
        "headers dispatch good 0",
        "headers pause",
    ];
    let mut gateway = kong(&script).start().unwrap();
    let request = gateway.request("GET /").send();
    gateway.advance(150.ms());
    assert_eq!(gateway.crashes(), 1, "{}", gateway.trace());
    assert_eq!(request.upstream(), None);
    assert!(logged(&gateway).contains(&"tick effective -> 0".to_owned()));
}

#[test]
fn a_clients_calls_end_with_it() {
    let script = ["headers dispatch good 0", "headers pause", "call seen"];
    let mut gateway = kong(&script).start().unwrap();
    let request = gateway.request("GET /").send();
    gateway.leave(&request);
    assert!(gateway.callouts().is_empty());
}

#[test]
fn the_path_is_shown_decoded_and_the_authority_is_the_servers() {
    let script = [
        "headers header :path",
        "headers property request.path",
        "headers header :authority",
        "headers header host",
        "headers property ngx.nginx_version",
    ];
    let mut gateway = kong(&script).start().unwrap();
    let upstream = gateway.request("GET /a%2e/..").send().upstream().unwrap();
    assert_eq!(upstream.headers.all(":path"), ["/a%2e/.."]);
    assert_eq!(
        logged(&gateway),
        [
            "headers header :path -> 0 /",
            "headers property request.path -> 0 /a%2e/..",
            "headers header :authority -> 0 kong",
            "headers header host -> 0 api.example.com",
            "headers property ngx.nginx_version -> 0 1027001",
        ]
    );
}
