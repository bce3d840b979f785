//! The same facts in a real Envoy: one for all of them, each with a listener and VMs of its own.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use xtask::client::Client;
use xtask::envoy::{Envoy, Options};
use xtask::upstream::Echo;

use crate::probe::MODULE;
use crate::table::{FACTS, Fact, Send};

/// How long a client waits for what never comes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last callbacks take to be logged.
const AFTERMATH: Duration = Duration::from_millis(1500);

/// A server that treats every connection alike: waits, writes, waits, closes.
fn serve(before: Duration, reply: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                std::thread::sleep(before);
                let _ = stream.write_all(reply.as_bytes());
            });
        }
    });
    port
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn cluster(name: &str, port: Option<u16>) -> Value {
    let endpoints: Vec<Value> = port
        .map(|port| {
            let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
            json!({"endpoint": {"address": address}})
        })
        .into_iter()
        .collect();
    json!({"name": name, "type": "STATIC", "load_assignment":
        {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}})
}

fn listener(fact: &Fact) -> Value {
    let configuration = json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue", "value": fact.configuration(),
    });
    let filter = json!({"name": "probe", "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {
        "name": fact.name, "root_id": "probe", "failure_policy": fact.again.map_or("FAIL_RELOAD", |(policy, _)| policy),
        "allow_on_headers_stop_iteration": fact.stop_iteration,
        "vm_config": {
            "vm_id": fact.name, "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": "{{probe}}"}},
        },
        "configuration": configuration,
    }}});
    let router = json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": fact.name,
        "http_protocol_options": {"enable_trailers": true},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]}]},
        "http_filters": [filter, router],
    });
    json!({
        "name": fact.name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
    })
}

/// Sends a fact's request and gives the status, 0 for none.
fn send(fact: &Fact, client: Client) -> u16 {
    let path = format!("/{}", fact.name);
    let (method, more, body) = match fact.send {
        Send::Get | Send::Leaves => ("GET", "", String::new()),
        Send::Post => ("POST", "content-length: 5\r\n", "hello".to_owned()),
        Send::Big => ("POST", "content-length: 3145728\r\n", "x".repeat(3 << 20)),
        Send::Trailers => {
            let body = "5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n";
            ("POST", "transfer-encoding: chunked\r\n", body.to_owned())
        }
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nx-a: 2\r\nauthorization: a\r\n\
         authorization: b\r\n{more}\r\n"
    );
    let mut connection = client.timeout(PATIENCE).connect().unwrap();
    connection.begin();
    // In one write, so that a slow machine doesn't come between head and body. An early answer
    // may close the connection under the body.
    let _ = connection.write((head + &body).as_bytes());
    if fact.send == Send::Leaves {
        std::thread::sleep(Duration::from_millis(200));
        return 0;
    }
    connection.read(method).map_or(0, |answer| answer.status)
}

/// What the probe logged under a name, by thread.
fn logged(log: &str, name: &str) -> BTreeMap<String, Vec<String>> {
    let mut threads: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let needle = format!("probe {name} ");
    for line in log.lines() {
        // [time][thread][level]…
        let thread = line.split(['[', ']']).nth(3).unwrap_or_default();
        if let Some((_, told)) = line.rsplit_once(&needle) {
            let lines = threads.entry(thread.to_owned()).or_default();
            lines.push(told.to_owned());
        }
    }
    threads
}

#[test]
fn every_fact_holds_in_envoy() {
    let upstream = Echo::start().unwrap();
    let hi = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome";
    let clusters = [
        cluster("upstream", Some(upstream.port())),
        cluster("good", Some(serve(Duration::ZERO, hi))),
        cluster("slow", Some(serve(Duration::from_millis(700), hi))),
        cluster("silent", Some(serve(Duration::from_secs(60), ""))),
        cluster("reset", Some(serve(Duration::ZERO, cut))),
        cluster("refused", Some(closed_port())),
        cluster("empty", None),
    ];
    let listeners: Vec<Value> = FACTS.iter().map(listener).collect();
    let resources = json!({"listeners": listeners, "clusters": clusters});
    let template = format!("static_resources: {resources}\n");
    let options = Options::default().workers(1).var("probe", MODULE.display());
    let envoy = Envoy::start(&template, options).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let statuses: Vec<u16> = FACTS
        .iter()
        .map(|fact| send(fact, Client::new(envoy.address_of(fact.name).unwrap())))
        .collect();
    std::thread::sleep(AFTERMATH);
    let log = envoy.log().unwrap();
    let (heads, requests) = (upstream.heads(), upstream.requests());
    // What crashes comes last, when all else is counted.
    let again: Vec<Option<[u16; 2]>> = FACTS
        .iter()
        .map(|fact| {
            let client = Client::new(envoy.address_of(fact.name).unwrap());
            let status = |path| client.get(path).send().unwrap().status;
            fact.again.map(|_| ["/again", "/"].map(status))
        })
        .collect();
    for (fact, seen) in FACTS.iter().zip(again) {
        assert_eq!(
            seen,
            fact.again.map(|(_, expected)| expected),
            "{}",
            fact.name
        );
    }
    let main = envoy.pid().to_string();
    let wrong: Vec<_> = FACTS
        .iter()
        .zip(statuses)
        .filter_map(|(fact, status)| {
            let threads = logged(&log, fact.name);
            // The canary runs on the main thread, whose id is the process's.
            let worker = threads.iter().find(|(thread, _)| **thread != main);
            let worker = worker.map(|(_, lines)| lines.clone()).unwrap_or_default();
            let all: Vec<String> = threads.into_values().flatten().collect();
            let path = format!("/{}", fact.name);
            let header = |name: &str| {
                heads.iter().find(|head| head.path == path)?;
                let request = requests.iter().find(|request| request.path == path);
                let values = request.map(|request| request.headers_named(name));
                let values = values.unwrap_or_default().into_iter();
                Some(values.map(str::to_owned).collect())
            };
            fact.check(&worker, &all, status, header).err()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
