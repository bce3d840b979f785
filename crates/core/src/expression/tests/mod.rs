//! What expressions yield, what they refuse, and that they stay within their bounds.

mod against_cel;
mod bounds;
mod compiling;
mod places;
mod values;

use serde_json::{Value as Json, json};

use super::{Expression, Place, Scope, Value, Variable};

/// A request of a known client, with a token.
fn scope() -> Scope {
    let mut scope = Scope::new();
    let set = |scope: &mut Scope, variable, json: Json| {
        scope.set(variable, Value::from_json(&json));
    };
    set(
        &mut scope,
        Variable::Request,
        json!({
            "method": "POST", "host": "acme.shop.example.com", "path": "/Orders/7",
            "query": {"q": "a b"}, "headers": {"x-id": "Ärger", "accept": "*/*"},
        }),
    );
    set(
        &mut scope,
        Variable::Path,
        json!({"clientName": "supplier-7"}),
    );
    set(
        &mut scope,
        Variable::Source,
        json!({"address": "203.0.113.9"}),
    );
    set(
        &mut scope,
        Variable::Client,
        json!({
            "id": "supplier-7", "tenant": "acme", "scopes": ["orders:read", "orders:write"],
            "metadata": {"plan": "gold"},
        }),
    );
    set(
        &mut scope,
        Variable::Claims,
        json!({
            "sub": "s-1", "iat": 1_700_000_000, "scope": "a b  c", "nothing": null,
            "list": [1, 2, 3], "ratio": 0.5, "big": 18_446_744_073_709_551_615_u64,
            "admin": true, "names": ["x", "y"], "mixed": ["x", 1], "secret": "hunter2",
        }),
    );
    set(&mut scope, Variable::Tenant, json!("acme"));
    set(
        &mut scope,
        Variable::Scopes,
        json!(["orders:read", "orders:write"]),
    );
    set(&mut scope, Variable::Metadata, json!({"enabled": true}));
    scope
}

/// A place with most of the variables that takes any map; the expression stands in one of it.
const FREE: Place = Place::SignClaims;

fn evaluate(source: &str) -> Result<Json, String> {
    let wrapped = format!("{{'it': {source}}}");
    let expression = Expression::compile(&wrapped, FREE).map_err(|error| error.to_string())?;
    let result = expression
        .evaluate_json(&scope())
        .map_err(|error| error.to_string())?;
    Ok(result["it"].clone())
}

fn refusal(source: &str, place: Place) -> String {
    Expression::compile(source, place)
        .map(|_| format!("`{source}` compiles"))
        .unwrap_or_else(|error| error.to_string())
}
