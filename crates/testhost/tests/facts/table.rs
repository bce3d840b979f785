//! The facts about Envoy.

/// One script, one request, and what must be seen in the model and in Envoy alike.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    pub name: &'static str,
    /// The configuration's lines; see the probe.
    pub script: &'static [&'static str],
    pub stop_iteration: bool,
    pub send: Send,
    /// What the worker's VM logs once the request came.
    pub log: &'static [&'static str],
    /// What the client gets; 0 for nothing.
    pub status: u16,
    /// Whether the request's head reaches the upstream.
    pub upstream: bool,
    /// A request header, and its values at the upstream.
    pub header: Option<(&'static str, &'static [&'static str])>,
    /// A line, and how many VMs log it.
    pub everywhere: Option<(&'static str, usize)>,
    /// A failure policy, and what two more requests get: one for `/again`, where the script
    /// panics, and one that is like the first.
    pub again: Option<(&'static str, [u16; 2])>,
}

/// What the client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Send {
    /// A request without body, with two of `x-a` and two of `authorization`.
    Get,
    /// A body of five bytes.
    Post,
    /// A body of 3 MB.
    Big,
    /// Five bytes and a trailer.
    Trailers,
    /// No body, and the client leaves before the call's end.
    Leaves,
}

pub const FACTS: &[Fact] = &[
    Fact {
        name: "real-reply",
        script: &[
            "headers dispatch good 2000",
            "headers pause",
            "call seen",
            "call call-header :status",
            "call call-has x-envoy-upstream-service-time",
            "call call-body",
            "call effective",
            "call resume",
        ],
        log: &[
            "headers dispatch good 2000 -> 0",
            "call seen -> headers=1 body=1",
            "call call-header :status -> 0 200",
            "call call-has x-envoy-upstream-service-time -> 0",
            "call call-body -> 0 hi",
            "call effective -> 0",
            "call resume -> 0",
        ],
        status: 200,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "connection-refused",
        script: &[
            "headers dispatch refused 2000",
            "headers pause",
            "call seen",
            "call call-header :status",
            "call call-has x-envoy-upstream-service-time",
            "call effective",
            "call reply 403 no",
        ],
        log: &[
            "headers dispatch refused 2000 -> 0",
            "call seen -> headers=1 body=1",
            "call call-header :status -> 0 503",
            "call call-has x-envoy-upstream-service-time -> 1",
            "call effective -> 0",
            "call reply 403 no -> 0",
        ],
        status: 403,
        ..EMPTY
    },
    Fact {
        name: "call-times-out",
        script: &[
            "headers dispatch silent 300",
            "headers pause",
            "call seen",
            "call call-header :status",
            "call call-has x-envoy-upstream-service-time",
            "call effective",
            "call reply 403 no",
        ],
        log: &[
            "headers dispatch silent 300 -> 0",
            "call seen -> headers=1 body=1",
            "call call-header :status -> 0 504",
            "call call-has x-envoy-upstream-service-time -> 1",
            "call effective -> 0",
            "call reply 403 no -> 0",
        ],
        status: 403,
        ..EMPTY
    },
    Fact {
        name: "reset-in-mid-body",
        script: &[
            "headers dispatch reset 2000",
            "headers pause",
            "call seen",
            "call effective",
            "call reply 403 no",
        ],
        log: &[
            "headers dispatch reset 2000 -> 0",
            "call seen -> headers=0 body=0",
            "call effective -> 0",
            "call reply 403 no -> 0",
        ],
        status: 403,
        ..EMPTY
    },
    Fact {
        name: "dispatch-that-fails",
        script: &[
            "headers dispatch missing 2000",
            "headers dispatch empty 2000",
            "headers dispatch good 2000 :method",
            "headers dispatch good 2000 :path",
            "headers dispatch good 2000 :authority",
            "headers reply 403 no",
            "call seen",
        ],
        log: &[
            "headers dispatch missing 2000 -> 2",
            "headers dispatch empty 2000 -> 10",
            "headers dispatch good 2000 :method -> 2",
            "headers dispatch good 2000 :path -> 2",
            "headers dispatch good 2000 :authority -> 2",
            "headers reply 403 no -> 0",
        ],
        status: 403,
        ..EMPTY
    },
    Fact {
        name: "versions-guard-only-what-exists",
        script: &[
            "headers get-shared k",
            "headers set-shared k 1 77",
            "headers get-shared k",
            "headers set-shared k 2 stale",
            "headers set-shared k 2 read",
            "headers set-shared k 3 read",
            "headers set-shared k 3 0",
            "headers get-shared k",
        ],
        log: &[
            "headers get-shared k -> 1",
            "headers set-shared k 1 77 -> 0",
            "headers get-shared k -> 0 1",
            "headers set-shared k 2 stale -> 8",
            "headers set-shared k 2 read -> 0",
            "headers set-shared k 3 read -> 8",
            "headers set-shared k 3 0 -> 0",
            "headers get-shared k -> 0 3",
        ],
        status: 200,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "unknown-names",
        script: &[
            "headers foreign no_such_function",
            "headers foreign clear_route_cache",
            "headers effective-unknown",
            "headers property no.such",
            "headers property request.method",
        ],
        log: &[
            "headers foreign no_such_function -> 1",
            "headers foreign clear_route_cache -> 0 ",
            "headers effective-unknown -> 2",
            "headers property no.such -> 1",
            "headers property request.method -> 0 GET",
        ],
        status: 200,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "one-reply-and-it-stops-the-request",
        script: &["headers reply 403 a", "headers reply 404 b"],
        log: &["headers reply 403 a -> 0", "headers reply 404 b -> 0"],
        status: 403,
        ..EMPTY
    },
    Fact {
        name: "the-end-of-a-request",
        script: &["log seen", "done seen", "delete seen"],
        log: &ENDS,
        status: 200,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "the-end-of-a-refused-request",
        script: &[
            "headers reply 403 a",
            "log seen",
            "done seen",
            "delete seen",
        ],
        log: &["headers reply 403 a -> 0", ENDS[0], ENDS[1], ENDS[2]],
        status: 403,
        ..EMPTY
    },
    Fact {
        name: "names-that-repeat",
        script: &[
            "headers header authorization",
            "headers header x-a",
            "headers replace x-a 9",
            "headers header x-a",
        ],
        log: &[
            "headers header authorization -> 0 a,b",
            "headers header x-a -> 0 1",
            "headers replace x-a 9 -> 0",
            "headers header x-a -> 0 9",
        ],
        status: 200,
        upstream: true,
        header: Some(("x-a", &["9"])),
        ..EMPTY
    },
    Fact {
        name: "removing-takes-all-of-a-name",
        script: &[
            "headers remove x-a",
            "headers header x-a",
            "headers add x-b 1",
            "headers add x-b 2",
        ],
        log: &[
            "headers remove x-a -> 0",
            "headers header x-a -> 1",
            "headers add x-b 1 -> 0",
            "headers add x-b 2 -> 0",
        ],
        status: 200,
        upstream: true,
        header: Some(("x-a", &[])),
        ..EMPTY
    },
    Fact {
        name: "a-resumed-head-is-closed",
        script: &[
            "headers dispatch good 2000",
            "headers pause",
            "call effective",
            "call header x-a",
            "call resume",
            "call header x-a",
            "call replace x-a 9",
        ],
        log: &[
            "headers dispatch good 2000 -> 0",
            "call effective -> 0",
            "call header x-a -> 0 1",
            "call resume -> 0",
            "call header x-a -> 2",
            "call replace x-a 9 -> 2",
        ],
        status: 200,
        upstream: true,
        header: Some(("x-a", &["1", "2"])),
        ..EMPTY
    },
    Fact {
        name: "a-call-outlives-its-client",
        script: &[
            "headers dispatch slow 5000",
            "headers pause",
            "call seen",
            "call effective",
        ],
        send: Send::Leaves,
        log: &[
            "headers dispatch slow 5000 -> 0",
            "call seen -> headers=1 body=1",
            "call effective -> 2",
        ],
        ..EMPTY
    },
    Fact {
        name: "no-body-callback-while-all-is-paused",
        script: &[
            "headers dispatch silent 300",
            "headers pause",
            "body seen",
            "call effective",
            "call resume",
        ],
        send: Send::Post,
        log: &[
            "headers dispatch silent 300 -> 0",
            "call effective -> 0",
            "call resume -> 0",
            "body seen -> size=5 end=1",
        ],
        status: 200,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "body-callbacks-while-the-head-is-paused",
        script: &[
            "headers dispatch silent 300",
            "headers pause",
            "body seen",
            "body body-text",
            "body pause",
            "call effective",
            "call resume",
        ],
        stop_iteration: true,
        send: Send::Post,
        log: &[
            "headers dispatch silent 300 -> 0",
            "body seen -> size=5 end=0",
            "body body-text -> 0 hello",
            "body seen -> size=5 end=1",
            "body body-text -> 0 hello",
            "call effective -> 0",
            "call resume -> 0",
        ],
        status: 200,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "a-body-callback-that-continues-is-a-bypass",
        script: &["headers dispatch silent 1000", "headers pause", "body seen"],
        stop_iteration: true,
        send: Send::Post,
        log: &[
            "headers dispatch silent 1000 -> 0",
            "body seen -> size=5 end=0",
            "body seen -> size=0 end=1",
        ],
        status: 200,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "a-trailer-callback-that-continues-is-a-bypass",
        script: &[
            "headers dispatch silent 1000",
            "headers pause",
            "body pause",
            "trailers seen",
        ],
        stop_iteration: true,
        send: Send::Trailers,
        log: &[
            "headers dispatch silent 1000 -> 0",
            "trailers seen -> count=1",
        ],
        status: 200,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "more-than-the-buffer-holds",
        script: &[
            "headers dispatch silent 1000",
            "headers pause",
            "body pause",
        ],
        stop_iteration: true,
        send: Send::Big,
        log: &["headers dispatch silent 1000 -> 0"],
        status: 413,
        ..EMPTY
    },
    Fact {
        name: "a-head-that-went-is-gone",
        script: &[
            "headers dispatch silent 300",
            "body pause",
            "call effective",
            "call reply 403 no",
        ],
        send: Send::Post,
        log: &[
            "headers dispatch silent 300 -> 0",
            "call effective -> 0",
            "call reply 403 no -> 0",
        ],
        status: 403,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "a-queue-wakes-its-root-context",
        script: &[
            "configure register q",
            "headers enqueue hello",
            "headers pause",
            "queue dequeue",
            "queue dequeue",
            "queue effective",
            "queue resume",
        ],
        log: &[
            "configure register q -> 0",
            "headers enqueue hello -> 0",
            "queue dequeue -> 0 hello",
            "queue dequeue -> 7",
            "queue effective -> 0",
            "queue resume -> 0",
        ],
        status: 200,
        upstream: true,
        ..EMPTY
    },
    Fact {
        name: "a-trap-is-a-503-and-the-vm-comes-back",
        script: &["headers panic-at /again", "log seen"],
        log: &["log seen -> "],
        status: 200,
        upstream: true,
        again: Some(("FAIL_RELOAD", [503, 200])),
        ..EMPTY
    },
    Fact {
        name: "fail-closed-stays-closed",
        script: &["headers panic-at /again"],
        status: 200,
        upstream: true,
        again: Some(("FAIL_CLOSED", [503, 503])),
        ..EMPTY
    },
    Fact {
        name: "fail-open-lets-later-requests-pass",
        script: &["headers panic-at /again", "headers reply 403 no"],
        log: &["headers reply 403 no -> 0"],
        status: 403,
        again: Some(("FAIL_OPEN", [503, 200])),
        ..EMPTY
    },
    Fact {
        name: "configured-in-canary-main-and-worker",
        script: &["configure seen"],
        log: &["configure seen -> "],
        status: 200,
        upstream: true,
        everywhere: Some(("configure seen", 3)),
        ..EMPTY
    },
    Fact {
        name: "the-main-thread-ticks-too",
        script: &["configure tick 50", "tick tick 0"],
        log: &["configure tick 50 -> 0", "tick tick 0 -> 0"],
        status: 200,
        upstream: true,
        everywhere: Some(("tick tick 0", 2)),
        ..EMPTY
    },
];

const ENDS: [&str; 3] = ["log seen -> ", "done seen -> ", "delete seen -> "];

const EMPTY: Fact = Fact {
    name: "",
    script: &[],
    stop_iteration: false,
    send: Send::Get,
    log: &[],
    status: 0,
    upstream: false,
    header: None,
    everywhere: None,
    again: None,
};

impl Fact {
    /// The probe's configuration.
    pub fn configuration(&self) -> String {
        format!("name {}\n{}\n", self.name, self.script.join("\n"))
    }
}
