//! The key that signs changes by policy updates, while callers go on: no token is refused that should be good.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use xtask::client::Client;
use xtask::demo::signed_assertion::{CLIENT, CLIENT_KID, CLIENT_PEM, claims};
use xtask::envoy::{Envoy, Options};
use xtask::upstream::Echo;
use xtask::{jwt, module, paths};

use crate::config::{self, Listener};
use crate::gateway::{await_until, own_envoy};

/// How long callers go on in each phase: both workers serve many requests meanwhile.
const PHASE: Duration = Duration::from_millis(500);
const OLD: &str = "s-2026-05";
const NEW: &str = "s-2026-11";

/// The example's listener, whose session token has these keys, in this order.
fn listener(kids: &[&str]) -> Listener {
    let path = paths::root().join("examples/signed-assertion/policy.yaml");
    let policy = std::fs::read_to_string(path).unwrap();
    let is_key = |line: &&str| line.starts_with("        - {kid: s-");
    let keys: Vec<&str> = policy.lines().filter(is_key).collect();
    assert_eq!(keys.len(), 2);
    let (before, rest) = policy.split_once(keys[0]).unwrap();
    let (_, after) = rest.split_once(keys[1]).unwrap();
    let chosen = kids
        .iter()
        .map(|kid| *keys.iter().find(|line| line.contains(kid)).unwrap());
    let chosen: Vec<_> = chosen.collect();
    let policy = format!("{before}{}{after}", chosen.join("\n"));
    Listener::example("signed-assertion").with_policy(&policy)
}

/// Lets the callers end, also where the test goes wrong meanwhile.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A new token, and the id of the key that signed it.
fn token(client: &Client) -> (String, String) {
    let assertion =
        jwt::sign_es256(&claims(&json!({})).unwrap(), CLIENT_PEM, Some(CLIENT_KID)).unwrap();
    let body = json!({"appId": CLIENT, "token": assertion, "grantType": "client_credentials"});
    let answer = client.post("/oauth/app/token").json(&body).send().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let token = answer.at("/accessToken").as_str().unwrap().to_owned();
    let header = jsonwebtoken::decode_header(&token).unwrap();
    (token, header.kid.unwrap())
}

fn published(client: &Client) -> Vec<String> {
    let keys = client
        .get("/.well-known/jwks.json")
        .send()
        .unwrap()
        .at("/keys");
    let keys = keys.as_array().cloned().unwrap_or_default();
    let kid = |key: &Value| key["kid"].as_str().unwrap_or_default().to_owned();
    keys.iter().map(kid).collect()
}

#[test]
fn a_key_rotation_by_policy_updates_refuses_no_token() {
    let _turn = own_envoy();
    let module = module::build().unwrap();
    let directory = paths::target(&format!("run/rotation-{}", std::process::id())).unwrap();
    let file = directory.join("listeners.json");
    let update = |kids: &[&str]| config::update(&file, &module, &[listener(kids)]);
    update(&[OLD]);
    let upstream = Echo::start().unwrap();
    let clusters = [("upstream", upstream.port()), ("partner", upstream.port())];
    let envoy = Envoy::start(
        &config::envoy_with_updates(&file, &clusters),
        Options::default(),
    );
    let envoy = envoy.unwrap();
    let client = envoy.client();

    let tokens = Mutex::new(vec![token(&client)]);
    let (done, passed) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let caller = || {
            while !done.load(Ordering::Relaxed) {
                // Every token so far goes on to be good, whenever and by whichever key it was signed.
                let all = tokens.lock().unwrap().clone();
                for (token, kid) in all {
                    let answer = client.get("/api/x").bearer(&token).send().unwrap();
                    assert_eq!(answer.status, 200, "{kid}: {}", answer.text());
                    passed.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let callers = [scope.spawn(caller), scope.spawn(caller)];
        let ending = Ending(&done);
        for kids in [[OLD, NEW], [NEW, OLD]] {
            update(&kids);
            // Fresh connections go to either worker: both have it when many in a row say so.
            await_until("the new policy", || {
                (0..10).all(|_| published(&client) == kids)
            });
            let signed = token(&client);
            assert_eq!(signed.1, kids[0]);
            tokens.lock().unwrap().push(signed);
            std::thread::sleep(PHASE);
        }
        drop(ending);
        for caller in callers {
            caller.join().unwrap();
        }
    });
    assert!(passed.load(Ordering::Relaxed) > 20);

    // The old key goes, and with it what it signed.
    update(&[NEW]);
    await_until("the old key's end", || {
        (0..10).all(|_| published(&client) == [NEW])
    });
    for (token, kid) in tokens.into_inner().unwrap() {
        let answer = client.get("/api/x").bearer(&token).send().unwrap();
        let expected = if kid == NEW { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{kid}: {}", answer.text());
    }
    assert_eq!(envoy.wasm_failures().unwrap(), []);
    std::fs::remove_dir_all(directory).unwrap();
}
