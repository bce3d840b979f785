//! The module without a proxy, in node's V8: the parts of a token's check, the VM's start, and what a request asks of
//! its host. These figures hardly depend on what else the machine does.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{first_vm, inputs, policies};
use crate::{jwt, module, paths, process};

/// A part's turns in microseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Part {
    /// The middle turn.
    pub median: f64,
    /// The fastest.
    pub least: f64,
    /// The slowest.
    pub most: f64,
}

#[derive(Debug, Deserialize)]
struct Micro {
    node: String,
    parts: BTreeMap<String, Part>,
}

/// How a policy was taken.
#[derive(Debug, Deserialize)]
pub struct Configured {
    /// `on_configure` in microseconds.
    pub micros: f64,
    /// Linear memory afterwards, in bytes.
    pub memory: u64,
}

/// How a kind of request went.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// What it was.
    pub name: String,
    /// 200, or the refusal's status.
    pub status: u16,
    /// All of the module's work, in microseconds.
    pub micros: f64,
    /// Hostcalls by name.
    pub calls: BTreeMap<String, u32>,
    /// Linear memory after 20,000 of them, in bytes.
    pub memory: u64,
}

#[derive(Debug, Deserialize)]
struct Hosted {
    compile: f64,
    clone: f64,
    configured: BTreeMap<String, Configured>,
    requests: Vec<Asked>,
}

/// All of it.
#[derive(Debug)]
pub struct Alone {
    /// Node's version.
    pub node: String,
    /// The module's size in bytes.
    pub size: u64,
    /// The parts of a token's check, by name.
    pub parts: BTreeMap<String, Part>,
    /// The first VM in a real Envoy, in microseconds of wall-clock time.
    pub first_vm: f64,
    /// Compiling the module, in microseconds of CPU time.
    pub compile: f64,
    /// Another instance of it, in microseconds.
    pub clone: f64,
    /// Policies by name.
    pub configured: BTreeMap<String, Configured>,
    /// Requests.
    pub requests: Vec<Asked>,
}

/// Measures all of it, the first VM by so many starts of an Envoy; takes less than a minute.
pub fn measure(starts: usize) -> Result<Alone> {
    let doorward = module::build()?;
    let parts = module::build_beside("doorward-bench-micro")?;
    process::progress("timing the module's parts");
    let micro: Micro = node("micro/run.mjs", &[&parts])?;
    process::progress("timing the module in a host of its own");
    let input = paths::target("bench")?.join("host.json");
    std::fs::write(&input, host_input()?.to_string())?;
    let hosted: Hosted = node("host.mjs", &[&doorward, &input])?;
    Ok(Alone {
        node: micro.node,
        size: std::fs::metadata(&doorward)?.len(),
        parts: micro.parts,
        first_vm: first_vm::measure(starts)?,
        compile: hosted.compile,
        clone: hosted.clone,
        configured: hosted.configured,
        requests: hosted.requests,
    })
}

/// Without the baseline compiler, so that what is timed is what runs in the long term.
fn node<T: DeserializeOwned>(script: &str, arguments: &[&Path]) -> Result<T> {
    let output = Command::new("node")
        .args([
            "--no-warnings",
            "--no-liftoff",
            "--no-wasm-lazy-compilation",
        ])
        .arg(paths::root().join("bench").join(script))
        .args(arguments)
        .output()
        .context("running node")?;
    ensure!(
        output.status.success(),
        "bench/{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn host_input() -> Result<Value> {
    let texts = [
        ("ES256", policies::tokens("ES256")?),
        ("HS256", policies::tokens("HS256")?),
        ("expressions", policies::expressions("HS256")?),
        ("1,000 clients", policies::keys(1_000)),
        ("100 API keys", policies::keys(100)),
    ];
    let texts: serde_json::Map<String, Value> = texts
        .into_iter()
        .map(|(name, policy)| (name.to_owned(), json!(policy.to_string())))
        .collect();
    let head = |more: &[(&str, String)]| -> Value {
        let usual = [
            (":authority", "api.example.com"),
            (":path", "/"),
            (":method", "GET"),
            (":scheme", "http"),
            ("user-agent", "curl/8.5.0"),
            ("accept", "*/*"),
            ("x-forwarded-proto", "http"),
            ("x-request-id", "5b0c8f9e-2d75-4f0c-8f0a-0c5d6a0f7f10"),
        ];
        let usual = usual.map(|(name, value)| json!([name, value]));
        let more = more.iter().map(|(name, value)| json!([name, value]));
        usual.into_iter().chain(more).collect()
    };
    let token = |number: usize| -> Result<String> {
        let claims = json!({
            "iss": policies::ISSUER, "aud": policies::AUDIENCE, "sub": format!("user-{number:08}"),
            "client_id": "orders-app", "iat": 1_767_225_600, "exp": 4_102_444_800_u64,
            "jti": format!("6f1d0c7e-53b0-4f0a-9d5e-{number:012x}"),
            "scope": "orders:read orders:write", "tenant": "acme",
        });
        let token = jwt::sign_hs256(&claims, inputs::SECRET.as_bytes())?;
        Ok(format!("Bearer {token}"))
    };
    let with_token = |numbers: std::ops::Range<usize>| -> Result<Vec<Value>> {
        numbers
            .map(|number| Ok(head(&[("authorization", token(number)?)])))
            .collect()
    };
    let key = |number: usize| head(&[("x-api-key", inputs::api_key(number))]);
    let forged = token(0)?.replace("Bearer ", "Bearer e");
    let requests = json!([
        {"policy": "HS256", "name": "HS256 again", "headers": with_token(0..1)?},
        {"policy": "HS256", "name": "new HS256", "headers": with_token(0..20_000)?},
        {"policy": "expressions", "name": "new HS256, allow_if and 3 headers", "headers": with_token(0..20_000)?},
        {"policy": "100 API keys", "name": "API key of 100", "headers": (0..100).map(key).collect::<Vec<_>>()},
        {"policy": "1,000 clients", "name": "API key of 1,000", "headers": (0..1_000).map(key).collect::<Vec<_>>()},
        {"policy": "HS256", "name": "refused: no credential", "headers": [head(&[])]},
        {"policy": "HS256", "name": "refused: garbage", "headers": [head(&[("authorization", forged)])]},
        {"policy": "100 API keys", "name": "refused: unknown API key", "headers": [key(1_000_000)]},
    ]);
    Ok(json!({"policies": texts, "requests": requests}))
}
