//! What the demo sends. The policy is the one in the repository's `envoy.yaml`; the credentials here are its own.

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

use super::step::Step;
use crate::idp::OidcClient;
use crate::jwt;
use crate::registry::ApiToken;

/// One of the systems in `examples/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// A client id and secret in headers become a token
    ClientExchange,
    /// Two surfaces with bearer tokens, two with API keys
    FourSurfaces,
    /// An ES256 assertion buys a session token
    SignedAssertion,
    /// An API key and a token from a login
    KeyAndToken,
    /// HS256 with the client's own secret
    ClientSigned,
}

impl Scenario {
    /// All of them, in the order they run.
    pub const ALL: [Self; 5] = [
        Self::ClientExchange,
        Self::FourSurfaces,
        Self::SignedAssertion,
        Self::KeyAndToken,
        Self::ClientSigned,
    ];

    /// Its name, also on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientExchange => "client-exchange",
            Self::FourSurfaces => "four-surfaces",
            Self::SignedAssertion => "signed-assertion",
            Self::KeyAndToken => "key-and-token",
            Self::ClientSigned => "client-signed",
        }
    }

    /// Whether the repository's `envoy.yaml` holds it; else its example's is added, as a listener of its own.
    #[must_use]
    pub fn is_in_the_root(self) -> bool {
        matches!(self, Self::ClientExchange | Self::FourSurfaces)
    }

    /// Its requests.
    pub fn steps(self) -> Result<Vec<Step>> {
        match self {
            Self::ClientExchange => Ok(client_exchange()),
            Self::FourSurfaces => four_surfaces(),
            Self::SignedAssertion => super::signed_assertion::steps(),
            Self::KeyAndToken => Ok(super::key_and_token::steps()),
            Self::ClientSigned => super::client_signed::steps(),
        }
    }
}

/// The `iss` of the OAuth server's tokens: its address in `docker-compose.yaml`, which the policy knows.
pub const ISSUER: &str = "http://idp:9000";

/// The clients of the OAuth server.
#[must_use]
pub fn idp_clients() -> Vec<OidcClient> {
    vec![
        OidcClient::new("orders-app", "orders-secret"),
        OidcClient::new("mobile-app", "mobile-secret").es256(),
        OidcClient::new("late-app", "late-secret"),
        OidcClient::new("paused-app", "paused-secret"),
        OidcClient::new("stray-app", "stray-secret"),
    ]
}

/// What the registry knows of them: `paused-app` was disabled there, and `stray-app` it never heard of.
#[must_use]
pub fn registry_rows() -> Vec<ApiToken> {
    vec![
        ApiToken::new("orders-app", "gold"),
        ApiToken::new("mobile-app", "silver"),
        ApiToken::new("late-app", "silver"),
        ApiToken::new("paused-app", "gold").disabled(),
    ]
}

fn client_exchange() -> Vec<Step> {
    let order = |title: &str| {
        let step = Step::new(title, "POST", "/api/sales-orders/create");
        step.json(json!({"item": "door", "quantity": 2}))
    };
    let pair = |title: &str, id: &str, secret: &str| {
        order(title)
            .header("X-Client-Id", id)
            .header("X-Client-Secret", secret)
    };
    let passes = |step: Step, client: &str, plan: &str| {
        step.upstream_sees_prefix("authorization", "Bearer eyJ")
            .upstream_sees("x-auth-client", client)
            .upstream_sees("x-plan", plan)
            .upstream_sees_no("x-client-id")
            .upstream_sees_no("x-client-secret")
    };
    let good = |title: &str| {
        let step = pair(title, "orders-app", "orders-secret");
        passes(step, "orders-app", "gold")
    };
    vec![
        good("good pair: exchanged").exchanges(1),
        good("the same pair, 100 more: one token")
            .times(100)
            .exchanges(0),
        good("with a forged identity header").header("X-Auth-Client", "admin"),
        passes(
            pair("good pair, ES256 token", "mobile-app", "mobile-secret"),
            "mobile-app",
            "silver",
        )
        .exchanges(1),
        order("without the secret")
            .header("X-Client-Id", "orders-app")
            .refused(401, "credentials_missing"),
        order("without the id")
            .header("X-Client-Secret", "orders-secret")
            .refused(401, "credentials_missing"),
        pair("wrong secret", "orders-app", "guess")
            .refused(401, "exchange_refused")
            .exchanges(1),
        pair("wrong secret again: not asked", "orders-app", "guess")
            .refused(401, "exchange_refused")
            .exchanges(0),
        pair("metadata says disabled", "paused-app", "paused-secret").refused(403, "lookup_denied"),
        pair("unknown to the database", "stray-app", "stray-secret").refused(403, "lookup_denied"),
        good("OAuth server down, token held").without_idp(),
        pair("OAuth server down, new pair", "late-app", "late-secret")
            .refused(503, "exchange_unavailable")
            .without_idp(),
    ]
}

/// Signs the tokens of Reseller and Storefront; `PARTNER_SECRET` in `envoy.yaml`.
pub const PARTNER_SECRET: &str = "doorward-demo-secret-of-the-partners";
/// The `iss` of those tokens.
pub const PARTNER_ISSUER: &str = "https://login.example.com";

const ACME: &str = "acme.example.com";
const KEY: &str = "ak_live_acme_2026_11";
const OLD_KEY: &str = "ak_live_acme_2026_05";
const EXPIRED_KEY: &str = "ak_live_acme_2025_01";
const REVOKED_KEY: &str = "ak_live_acme_revoked";
const OTHER_TENANTS_KEY: &str = "ak_live_globex_2026_11";

/// A token of Reseller and Storefront for a tenant, which lives this long (below 0: expired so long ago).
fn partner_token(tenant: &str, scope: &str, lifetime: i64) -> Result<String> {
    let now = jwt::now()?;
    let claims = json!({
        "iss": PARTNER_ISSUER, "sub": "partner-1", "customer": "c-42", "tenant": tenant, "scope": scope,
        "iat": now.saturating_sub(3600), "exp": now.saturating_add(lifetime),
    });
    jwt::sign_hs256(&claims, PARTNER_SECRET.as_bytes())
}

fn four_surfaces() -> Result<Vec<Step>> {
    let good = partner_token("acme", "reseller storefront", 600)?;
    let get = |title: &str, path: &str| Step::new(title, "GET", path).host(ACME);
    let with_token = |title: &str, path: &str, token: &str| {
        get(title, path).header("Authorization", &format!("Bearer {token}"))
    };
    let reseller = |title: &str, token: &str| with_token(title, "/Reseller/orders", token);
    let payment = |title: &str, key: &str| get(title, "/Payment/charges").header("ApiKey", key);
    let no_valid_key = |step: Step| step.refused(401, None).answers("/code", json!(-23));
    let forbidden_key = |step: Step, reason| step.refused(403, reason).answers("/code", json!(403));
    Ok(vec![
        reseller("Reseller: good token", &good)
            .upstream_sees("x-auth-customer", "c-42")
            .upstream_sees("x-auth-tenant", "acme")
            .upstream_sees("x-auth-scopes", "reseller storefront"),
        with_token("Storefront: good token", "/Storefront/cart", &good)
            .upstream_sees("x-auth-tenant", "acme"),
        get("Reseller: token without Bearer", "/Reseller/orders")
            .header("Authorization", &good)
            .refused(401, None),
        get("Reseller: no token", "/Reseller/orders").refused(401, "credentials_missing"),
        reseller("Reseller: malformed token", "not.a.token").refused(401, "token_malformed"),
        reseller(
            "Reseller: expired token",
            &partner_token("acme", "reseller", -600)?,
        )
        .refused(401, "token_expired"),
        reseller(
            "Reseller: lacks the scope",
            &partner_token("acme", "storefront", 600)?,
        )
        .refused(403, "scope_missing"),
        reseller(
            "Reseller: another tenant's token",
            &partner_token("globex", "reseller", 600)?,
        )
        .refused(403, "not_allowed"),
        payment("Payment: good key", KEY)
            .upstream_sees("x-auth-client", "acme-shop")
            .upstream_sees_no("apikey"),
        get("Payment: header in small letters", "/Payment/charges")
            .header("apikey", KEY)
            .upstream_sees_no("apikey"),
        payment("Payment: the old key, rotating", OLD_KEY)
            .upstream_sees("x-auth-client", "acme-shop"),
        no_valid_key(get("Payment: no key", "/Payment/charges")),
        no_valid_key(payment("Payment: malformed key", "sk_live_1")),
        no_valid_key(payment("Payment: unknown key", "ak_live_unknown")),
        no_valid_key(payment("Payment: expired key", EXPIRED_KEY)),
        no_valid_key(payment("Payment: revoked key", REVOKED_KEY)),
        no_valid_key(payment("Payment: another tenant's key", OTHER_TENANTS_KEY)),
        forbidden_key(
            get("Supplier: key without that scope", "/Supplier/stock").header("ApiKey", KEY),
            None,
        ),
        payment("Payment: good key, bad token", KEY).header("Authorization", "Bearer x"),
        reseller("Reseller: good token, bad key", &good).header("ApiKey", "x"),
    ])
}
