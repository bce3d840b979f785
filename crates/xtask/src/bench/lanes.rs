//! What is compared: listeners that differ in their HTTP filters, and what is sent to each.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::inputs::api_key;
use super::policies::{self, AUDIENCE, ISSUER};
use crate::paths;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What any filter pays.
    Floor,
    /// Envoy's own filters.
    Native,
    /// Doorward.
    Doorward,
}

/// A listener and its load.
#[derive(Debug)]
pub struct Lane {
    /// The listener's name.
    pub name: &'static str,
    /// What people read.
    pub label: &'static str,
    /// Who does the work.
    pub kind: Kind,
    /// Its HTTP filters before the router.
    pub filters: Vec<Value>,
    /// The file of requests.
    pub input: &'static str,
    /// Whether all is refused, instead of nothing.
    pub refuses: bool,
}

/// What the lanes need to know.
pub struct Parts<'a> {
    /// Doorward.
    pub module: &'a Path,
    /// The filter that does nothing.
    pub noop: &'a Path,
    /// The token endpoint's URL.
    pub idp: String,
    /// The issuer of its tokens.
    pub issuer: &'a str,
    /// The port of the external authorization server.
    pub authorizer: u16,
}

/// Doorward's exports and imports, for a host that withholds one of them.
fn capabilities_without(module: &Path, withheld: &str) -> Result<Value> {
    let mut allowed = serde_json::Map::new();
    for name in crate::module::names(module)? {
        if name != withheld {
            allowed.insert(name, json!({}));
        }
    }
    Ok(json!({"allowed_capabilities": allowed}))
}

/// A filter of this module.
pub fn wasm(name: &str, vm: &str, module: &Path, configuration: &str) -> Result<Value> {
    let config = json!({
        "name": name,
        "root_id": name,
        "failure_policy": "FAIL_RELOAD",
        "vm_config": {
            "vm_id": vm,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": paths::text(module)?}},
        },
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": configuration,
        },
    });
    Ok(json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": config,
        },
    }))
}

fn native(name: &str, version: &str, mut config: Value) -> Value {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{name}.v3.{version}");
    if let Some(config) = config.as_object_mut() {
        config.insert("@type".to_owned(), json!(kind));
    }
    json!({"name": format!("envoy.filters.http.{name}"), "typed_config": config})
}

fn jwt_authn(algorithm: &str, cached: bool) -> Result<Value> {
    let keys = json!({"keys": [policies::jwk(algorithm)?]});
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": keys.to_string()},
    });
    if let (Some(provider), true) = (provider.as_object_mut(), cached) {
        provider.insert(
            "jwt_cache_config".to_owned(),
            json!({"jwt_cache_size": 10_000}),
        );
    }
    Ok(native(
        "jwt_authn",
        "JwtAuthentication",
        json!({
            "providers": {"idp": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "idp"}}],
        }),
    ))
}

fn api_key_auth(keys: usize) -> Value {
    let credentials: Vec<_> = (0..keys)
        .map(|number| json!({"key": api_key(number), "client": format!("c{number}")}))
        .collect();
    native(
        "api_key_auth",
        "ApiKeyAuth",
        json!({"credentials": credentials, "key_sources": [{"header": "x-api-key"}]}),
    )
}

fn ext_authz(port: u16) -> Value {
    let uri = format!("http://127.0.0.1:{port}");
    native(
        "ext_authz",
        "ExtAuthz",
        json!({
            "transport_api_version": "V3",
            "allowed_headers": {"patterns": [{"exact": "authorization"}, {"exact": "x-api-key"}]},
            "http_service": {"server_uri": {"uri": uri, "cluster": "authorizer", "timeout": "1s"}},
        }),
    )
}

/// All lanes, in the order of the report.
pub fn all(parts: &Parts<'_>) -> Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    let mut add = |name, label, kind, filters, input, refuses| {
        lanes.push(Lane {
            name,
            label,
            kind,
            filters,
            input,
            refuses,
        });
    };
    add("bare", "Envoy alone", Kind::Floor, vec![], "plain", false);
    // What Doorward asks of the proxy for such requests, and nothing done with the answers.
    for (name, label, asks, input) in [
        ("noop", "a filter that does nothing", "", "plain"),
        (
            "noop-token",
            "the same, with a token in the request",
            "",
            "es256-again",
        ),
        (
            "asks-token",
            "a filter that only asks: token",
            "head time set",
            "es256-again",
        ),
        (
            "asks-key",
            "a filter that only asks: API key",
            "head time remove set",
            "keys-1000",
        ),
        (
            "asks-pair",
            "a filter that only asks: pair",
            "head time remove remove set set",
            "pairs",
        ),
    ] {
        let filter = wasm(name, "noop", parts.noop, asks)?;
        add(name, label, Kind::Floor, vec![filter], input, false);
    }

    let mut peer = |name, label, filter, input, refuses| {
        add(name, label, Kind::Native, vec![filter], input, refuses);
    };
    peer(
        "jwt_authn-es256",
        "jwt_authn, new ES256",
        jwt_authn("ES256", false)?,
        "es256-new",
        false,
    );
    peer(
        "jwt_authn-rs256",
        "jwt_authn, new RS256",
        jwt_authn("RS256", false)?,
        "rs256-new",
        false,
    );
    peer(
        "jwt_authn-cache",
        "jwt_authn with its cache, ES256 again",
        jwt_authn("ES256", true)?,
        "es256-again",
        false,
    );
    peer(
        "jwt_authn-forged",
        "jwt_authn, forged ES256",
        jwt_authn("ES256", false)?,
        "es256-forged",
        true,
    );
    peer(
        "api_key_auth",
        "api_key_auth, 1,000 keys",
        api_key_auth(1_000),
        "keys-1000",
        false,
    );
    for (name, label, input) in [
        (
            "ext_authz-new",
            "ext_authz to a native server, new ES256",
            "es256-new",
        ),
        (
            "ext_authz-again",
            "ext_authz, ES256 again, cached there",
            "es256-again",
        ),
        ("ext_authz-keys", "ext_authz, 1,000 API keys", "keys-1000"),
    ] {
        peer(name, label, ext_authz(parts.authorizer), input, false);
    }

    // One VM for all, as for the listeners of one gateway; the last has one of its own, since what a host allows
    // is part of the VM.
    let mut doorward = |name, label, policy: &Value, input, refuses| -> Result<()> {
        let filter = wasm(name, "doorward", parts.module, &policy.to_string())?;
        add(name, label, Kind::Doorward, vec![filter], input, refuses);
        Ok(())
    };
    let es256 = policies::tokens("ES256")?;
    let rs256 = policies::tokens("RS256")?;
    let hs256 = policies::tokens("HS256")?;
    doorward("es256-again", "ES256 again", &es256, "es256-again", false)?;
    doorward("es256-new", "new ES256", &es256, "es256-new", false)?;
    doorward("rs256-new", "new RS256", &rs256, "rs256-new", false)?;
    doorward("hs256-new", "new HS256", &hs256, "hs256-new", false)?;
    let expressions = policies::expressions("HS256")?;
    doorward(
        "expressions",
        "new HS256, allow_if and 3 headers",
        &expressions,
        "hs256-new",
        false,
    )?;
    doorward(
        "keys-100",
        "100 API keys",
        &policies::keys(100),
        "keys-100",
        false,
    )?;
    doorward(
        "keys-1000",
        "1,000 API keys",
        &policies::keys(1_000),
        "keys-1000",
        false,
    )?;
    doorward(
        "keys-100000",
        "100,000 API keys",
        &policies::keys(100_000),
        "keys-100000",
        false,
    )?;
    let exchange = policies::exchange(&parts.idp, parts.issuer);
    doorward(
        "pairs",
        "10,000 pairs, tokens held",
        &exchange,
        "pairs",
        false,
    )?;
    doorward(
        "rules-5",
        "5 rules, API key",
        &policies::rules(5),
        "rules-5",
        false,
    )?;
    doorward(
        "rules-5000",
        "5,000 rules, API key",
        &policies::rules(5_000),
        "rules-5000",
        false,
    )?;
    doorward(
        "no-credential",
        "refused: no credential",
        &es256,
        "plain",
        true,
    )?;
    doorward(
        "garbage",
        "refused: no token at all",
        &es256,
        "garbage",
        true,
    )?;
    doorward(
        "es256-forged",
        "refused: forged ES256",
        &es256,
        "es256-forged",
        true,
    )?;
    doorward(
        "rs256-forged",
        "refused: forged RS256",
        &rs256,
        "rs256-forged",
        true,
    )?;
    doorward(
        "hs256-forged",
        "refused: forged HS256",
        &hs256,
        "hs256-forged",
        true,
    )?;
    doorward(
        "es256-kid",
        "refused: ES256 by an unknown key",
        &es256,
        "es256-kid",
        true,
    )?;
    doorward(
        "keys-unknown",
        "refused: unknown API key",
        &policies::keys(1_000),
        "keys-unknown",
        true,
    )?;

    let restriction = capabilities_without(parts.module, "proxy_call_foreign_function")?;
    for (name, label, policy, input) in [
        (
            "alone-es256",
            "without the host's help, new ES256",
            &es256,
            "es256-new",
        ),
        (
            "alone-rs256",
            "without the host's help, new RS256",
            &rs256,
            "rs256-new",
        ),
    ] {
        let mut filter = wasm(name, "doorward-alone", parts.module, &policy.to_string())?;
        let config = filter.pointer_mut("/typed_config/config");
        if let Some(config) = config.and_then(Value::as_object_mut) {
            config.insert(
                "capability_restriction_config".to_owned(),
                restriction.clone(),
            );
        }
        add(name, label, Kind::Doorward, vec![filter], input, false);
    }
    Ok(lanes)
}
