//! What is told of a broken policy: every problem at once, each with its place and the mend,
//! and never a secret.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::policy;
use support::START;
use support::jwt;

/// Each with `version: 1` before it, unless it names a version itself.
#[rustfmt::skip]
const BROKEN: &[(&str, &[&str])] = &[
        ("version: 2
rules: [{match: {path: /}, authenticate: none}]", &["version: this Doorward reads version 1 of the policy language (line 1, column 10)"]),
        ("version: 1", &[r#""rules" is required here (line 1, column 1)"#]),
        ("rules: []", &["rules: without a rule every request would be refused; write at least one (line 2, column 8)"]),
        ("rules: [{match: {path: /}}]", &[r#"rules[0]: "authenticate" is required here: an authenticator's name, or `none` for everybody (line 2, column 9)"#]),
        ("rules: [{authenticate: none}]", &[r#"rules[0]: "match" is required here (line 2, column 9)"#]),
        ("rules: [{match: {path: x}, authenticate: none}]", &["rules[0].match.path: a path begins with `/` (line 2, column 24)"]),
        (r#"rules: [{match: {path: "/a/**/b"}, authenticate: none}]"#, &["rules[0].match.path: `**` stands at the end, and `{name}` is a whole segment; there is no other wildcard (line 2, column 24)"]),
        (r#"rules: [{match: {path: "/a//b"}, authenticate: none}]"#, &["rules[0].match.path: a path has no empty segment (line 2, column 24)"]),
        (r#"rules: [{match: {path: "/{a}/{a}"}, authenticate: none}]"#, &["rules[0].match.path: a path variable's name stands once in a path (line 2, column 24)"]),
        (r#"rules: [{match: {path: "/{}"}, authenticate: none}]"#, &["rules[0].match.path: a path variable's name has letters, digits and `_`, and no digit first (line 2, column 24)"]),
        (r#"rules: [{match: {path: "/a/../b"}, authenticate: none}]"#, &["rules[0].match.path: a path has no dot segment (line 2, column 24)"]),
        (r#"rules: [{match: {path: "/a?b"}, authenticate: none}]"#, &["rules[0].match.path: a path has no query, fragment, backslash or control character (line 2, column 24)"]),
        ("rules: [{match: {path: /, methods: []}, authenticate: none}]", &["rules[0].match.methods: an empty list would match nothing; leave it out for all (line 2, column 36)"]),
        (r#"rules: [{match: {path: /, methods: ["GET POST"]}, authenticate: none}]"#, &["rules[0].match.methods[0]: expected a method, as in GET (line 2, column 37)"]),
        ("rules: [{match: {path: /, hosts: []}, authenticate: none}]", &["rules[0].match.hosts: an empty list would match nothing; leave it out for all (line 2, column 34)"]),
        (r#"rules: [{match: {path: /, hosts: ["a:80", "*", "https://a", "a."]}, authenticate: none}]"#, &["rules[0].match.hosts[0]: hosts are compared as `a`: write it so (line 2, column 35)", "rules[0].match.hosts[1]: a host is a name like `api.example.com`, or `*.example.com` for all below it (line 2, column 43)", "rules[0].match.hosts[2]: a host is a name like `api.example.com`, or `*.example.com` for all below it (line 2, column 48)", "rules[0].match.hosts[3]: hosts are compared as `a`: write it so (line 2, column 61)"]),
        ("authenticators: {supplier-key: {api_key: {from: [{header: a}]}}}
rules: [{match: {path: /}, authenticate: suplier-key}]", &[r#"rules[0].authenticate: no authenticator is called "suplier-key"; did you mean "supplier-key"? (line 3, column 42)"#]),
        ("rules: [{match: {path: /}, authenticate: key}]", &[r#"rules[0].authenticate: no authenticator is called "key"; the policy has none (line 2, column 42)"#]),
        ("authenticators: {aa: {api_key: {from: [{header: a}]}}, bb: {api_key: {from: [{header: b}]}}}
rules: [{match: {path: /}, authenticate: unheard-of}]", &[r#"rules[0].authenticate: no authenticator is called "unheard-of"; there are: aa, bb (line 3, column 42)"#]),
        ("rules: [{match: {path: /}, authenticate: {any: []}}]", &["rules[0].authenticate.any: name at least one authenticator (line 2, column 48)"]),
        ("rules: [{match: {path: /}, authenticate: {}}]", &["rules[0].authenticate: give exactly one of any, all; none is here (line 2, column 42)"]),
        ("authenticators: {a: {api_key: {from: [{header: a}]}}}
rules: [{match: {path: /}, authenticate: {any: [a], all: [a]}}]", &["rules[0].authenticate: give exactly one of any, all; more than one is here (line 3, column 42)"]),
        ("authenticators: {a: {api_key: {from: [{header: a}]}}}
rules: [{match: {path: /}, authenticate: {all: [a, none]}}]", &["rules[0].authenticate.all[1]: `none` stands alone: beside it every other member would be needless (line 3, column 52)"]),
        ("authenticators: {a: {api_key: {from: [{header: a}]}}}
rules: [{match: {path: /}, authenticate: {all: [a, {any: [b]}]}}]", &[r#"rules[0].authenticate.all[1].any[0]: no authenticator is called "b"; there are: a (line 3, column 59)"#]),
        ("rules: [{match: {path: /}, authenticate: none, authorize: {networks: []}}]", &["rules[0].authorize.networks: an empty list would refuse everybody; leave it out for all (line 2, column 70)"]),
        (r#"rules: [{match: {path: /}, authenticate: none, authorize: {networks: ["10.0.0.1/8", "10/8", "::/129"]}}]"#, &["rules[0].authorize.networks[0]: the address has bits set beyond the network's length; write it without them (line 2, column 71)", "rules[0].authorize.networks[1]: a network is an address, or an address, `/` and the number of leading bits, as in 10.0.0.0/8 or 2001:db8::/32 (line 2, column 85)", "rules[0].authorize.networks[2]: a network is an address, or an address, `/` and the number of leading bits, as in 10.0.0.0/8 or 2001:db8::/32 (line 2, column 93)"]),
        ("rules: [{match: {path: /}, authenticate: none, authorize: {scopes: [a]}}]", &["rules[0].authorize.scopes: with `authenticate: none` nobody has scopes; name an authenticator (line 2, column 68)"]),
        ("authenticators: {a: {api_key: {from: [{header: a}]}}}
rules: [{match: {path: /}, authenticate: a, authorize: {scopes: {any: []}}}]", &["rules[0].authorize.scopes: name at least one scope (line 3, column 65)"]),
        (r#"authenticators: {a: {api_key: {from: [{header: a}]}}}
rules: [{match: {path: /}, authenticate: a, authorize: {scopes: ["a b", "", "a\""]}}]"#, &["rules[0].authorize.scopes[0]: a scope is visible ASCII without spaces, quotes and backslashes (line 3, column 66)", "rules[0].authorize.scopes[1]: a scope is visible ASCII without spaces, quotes and backslashes (line 3, column 73)", "rules[0].authorize.scopes[2]: a scope is visible ASCII without spaces, quotes and backslashes (line 3, column 77)"]),
        (r#"rules: [{match: {path: "/{name}"}, authenticate: none, authorize: {bind: {nam: "'x'"}}}]"#, &["rules[0].authorize.bind.nam: the rule's path has no variable {nam} (line 2, column 80)"]),
        (r#"rules: [{match: {path: "/{name}"}, authenticate: none, authorize: {bind: {name: path.nam}}}]"#, &["rules[0].authorize.bind.name: the rule's path has no variable {nam} (line 2, column 81)"]),
        (r#"rules: [{match: {path: /}, authenticate: none, authorize: {allow_if: "claims.a =="}}]"#, &["rules[0].authorize.allow_if: this is no CEL expression: it ends too early (at column 12 of the expression) (line 2, column 70)"]),
        (r#"rules: [{match: {path: /}, authenticate: none, authorize: {allow_if: "clams.a == 1"}}]"#, &["rules[0].authorize.allow_if: there is no variable `clams` here; did you mean `claims`? (line 2, column 70)"]),
        (r#"rules: [{match: {path: /}, authenticate: none, authorize: {allow_if: "'text'"}}]"#, &["rules[0].authorize.allow_if: `allow_if` must be true or false, this expression is a string (line 2, column 70)"]),
        (r#"rules: [{match: {path: /}, authenticate: none, authorize: {allow_if: "token.value == ''"}}]"#, &["rules[0].authorize.allow_if: `token` is not available in `allow_if`; here you can use request, path, source, client, claims, tenant, scopes, metadata (line 2, column 70)"]),
        ("rules: [{match: {path: /}, authenticate: none, upstream: {authorization: cognit}}]", &[r#"rules[0].upstream.authorization: no token is called "cognit"; the policy has none (line 2, column 74)"#]),
        (r#"tokens: {cognito: {exchange: {cluster: c, url: "http://c/t"}}}
rules: [{match: {path: /}, authenticate: none, upstream: {authorization: cognito}}]"#, &["rules[0].upstream.authorization: this token needs a `client` of its own: nobody else's pair is there to be exchanged (line 3, column 74)"]),
        (r#"rules: [{match: {path: /}, authenticate: none, upstream: {headers: {"x y": "'a'"}}}]"#, &[r#"rules[0].upstream.headers."x y": a header's name has letters, digits and `-` (line 2, column 76)"#]),
        (r#"rules: [{match: {path: /}, authenticate: none, upstream: {headers: {Authorization: "'a'", Content-Length: "'1'", Cookie: "'a'"}}}]"#, &["rules[0].upstream.headers.Authorization: what becomes of Authorization is said by `upstream.authorization` (line 2, column 84)", "rules[0].upstream.headers.Content-Length: this header belongs to the connection or the body; choose another name (line 2, column 107)", "rules[0].upstream.headers.Cookie: this header belongs to the connection or the body; choose another name (line 2, column 122)"]),
        ("rules: [{match: {path: /}, authenticate: none, upstream: {headers: {x-a: path.b}}}]", &["rules[0].upstream.headers.x-a: the rule's path has no variable {b} (line 2, column 74)"]),
        (r#"rules: [{match: {path: /}, authenticate: none}]
identity_headers: {host: "'a'", "": "'a'", x-a: "secret"}"#, &[r#"identity_headers."": a header's name has letters, digits and `-` (line 3, column 37)"#, "identity_headers.host: this header belongs to the connection or the body; choose another name (line 3, column 26)", "identity_headers.x-a: there is no variable `secret` here; known are request, path, source, client, claims, tenant, scopes, metadata; for the text itself write `'secret'` (line 3, column 49)"]),
        (r#"rules: [{match: {path: /}, authenticate: none}]
errors: {status: {no_rul: 404, no_rule: 200, rate_limited: 70000}, message: {nothing: x}, realm: "a\"b", content_type: ""}"#, &["errors.content_type: expected a media type, as in application/json (line 3, column 120)", "errors.realm: a realm is plain ASCII without quotes and backslashes (line 3, column 98)", r#"errors.status.no_rul: there is no public reason "no_rul"; did you mean "no_rule"? (line 3, column 27)"#, "errors.status.no_rule: a refusal's status lies between 400 and 599 (line 3, column 41)", "errors.status.rate_limited: a refusal's status lies between 400 and 599 (line 3, column 60)", r#"errors.message.nothing: there is no public reason "nothing" (line 3, column 87)"#]),
        (r#"rules: [{match: {path: /}, authenticate: none, errors: {body: "claims", content_type: "a\nb"}}]"#, &["rules[0].errors.body: `claims` is not available in `errors.body`; here you can use request, status, reason, message, error_id, detail, retry_after (line 2, column 63)", "rules[0].errors.content_type: expected a media type, as in application/json (line 2, column 87)"]),
        ("authenticators: {a: {}}
rules: [{match: {path: /}, authenticate: a}]", &["authenticators.a: give exactly one of jwt, api_key, client_credentials; none is here (line 2, column 21)"]),
        ("authenticators: {a: {jwt: {algorithms: ES256, keys: []}, api_key: {from: [{header: a}]}}}
rules: [{match: {path: /}, authenticate: a}]", &["authenticators.a: give exactly one of jwt, api_key, client_credentials; more than one is here (line 2, column 21)"]),
        ("authenticators: {none: {api_key: {from: [{header: a}]}}}
rules: [{match: {path: /}, authenticate: none}]", &["authenticators.none: this word has a meaning of its own; choose another name (line 2, column 24)"]),
        ("authenticators: {a: {api_key: {from: []}}}
rules: [{match: {path: /}, authenticate: a}]", &["authenticators.a.api_key.from: name at least one place that may hold the credential (line 2, column 38)"]),
        (r#"authenticators: {a: {api_key: {from: [{header: a, query: b}, {}, {header: "a b"}, {query: ""}, {cookie: "a;b"}, {query: a, scheme: Bearer}, {header: a, scheme: "a b"}]}}}
rules: [{match: {path: /}, authenticate: a}]"#, &["authenticators.a.api_key.from[0]: give exactly one of header, query, cookie; more than one is here (line 2, column 39)", "authenticators.a.api_key.from[1]: give exactly one of header, query, cookie; none is here (line 2, column 62)", "authenticators.a.api_key.from[2].header: a header's name has letters, digits and `-` (line 2, column 75)", "authenticators.a.api_key.from[3]: the name can't stand in a request; mend it (line 2, column 83)", "authenticators.a.api_key.from[4]: the name can't stand in a request; mend it (line 2, column 96)", "authenticators.a.api_key.from[5].scheme: a scheme stands in headers only; leave it out (line 2, column 132)", "authenticators.a.api_key.from[6].scheme: a scheme is one word, as in `Bearer` (line 2, column 161)"]),
        ("authenticators: {a: {api_key: {from: [{header: a}], require_tenant: claims.tenant}}}
rules: [{match: {path: /}, authenticate: a}]", &["authenticators.a.api_key.require_tenant: `claims` is not available in `require_tenant`; here you can use request, path, source (line 2, column 69)"]),
        ("authenticators: {a: {jwt: {algorithms: [], keys: []}}}
rules: [{match: {path: /}, authenticate: a}]", &["authenticators.a.jwt.algorithms: name at least one algorithm, for instance ES256 (line 2, column 40)", "authenticators.a.jwt.keys: give at least one key (line 2, column 50)"]),
        ("authenticators: {a: {jwt: {algorithms: [ES256K, none, es256], keys: [{jwk: {kty: EC}}]}}}
rules: [{match: {path: /}, authenticate: a}]", &[r#"authenticators.a.jwt.algorithms[0]: no signature algorithm is called "ES256K"; there are: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA (line 2, column 41)"#, r#"authenticators.a.jwt.algorithms[1]: no signature algorithm is called "none"; there are: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA (line 2, column 49)"#, r#"authenticators.a.jwt.algorithms[2]: no signature algorithm is called "es256"; there are: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA (line 2, column 55)"#]),
        (r#"authenticators: {a: {jwt: {algorithms: [HS256], keys: [{}, {secret: {}}, {secret: {value: a, hex: aa}}, {secret: {hex: xyz}}, {secret: {base64: "a"}}, {secret: {base64url: "a="}}, {secret: {value: short}}]}}}
rules: [{match: {path: /}, authenticate: a}]"#, &["authenticators.a.jwt.keys[0]: give exactly one of secret, pem, jwk, jwks, remote, token; none is here (line 2, column 56)", "authenticators.a.jwt.keys[1].secret: give exactly one of value, base64, base64url, hex; none is here (line 2, column 69)", "authenticators.a.jwt.keys[2].secret: give exactly one of value, base64, base64url, hex; more than one is here (line 2, column 83)", "authenticators.a.jwt.keys[3].secret: the secret is no hex (line 2, column 114)", "authenticators.a.jwt.keys[4].secret: the secret is no base64 with padding (line 2, column 136)", "authenticators.a.jwt.keys[5].secret: the secret is no base64url without padding (line 2, column 161)", "authenticators.a.jwt.keys[6].secret: the secret has 5 bytes; HS256 needs at least 32, HS384 48, HS512 64 (line 2, column 190)"]),
        ("authenticators: {a: {jwt: {algorithms: [ES256], keys: [{pem: nonsense}, {jwk: {kty: RSA, n: AQAB, e: AQAB}}, {jwk: {kty: oct, k: AAAA}}, {jwks: {keys: []}}, {jwks: {keys: [{kty: EC, crv: P-256, x: AA, y: AA}]}}, {jwks: 7}]}}}
rules: [{match: {path: /}, authenticate: a}]", &["authenticators.a.jwt.keys[0].pem: no PEM block `PUBLIC KEY` or `CERTIFICATE` can be read (line 2, column 62)", "authenticators.a.jwt.keys[1].jwk: the RSA key has 17 bits; it needs at least 2048 and at most 8192 (line 2, column 79)", "authenticators.a.jwt.keys[2].jwk: the secret has 3 bytes; HS256 needs at least 32, HS384 48, HS512 64 (line 2, column 116)", "authenticators.a.jwt.keys[3].jwks: the set has no key (line 2, column 145)", "authenticators.a.jwt.keys[4].jwks.keys[0]: x and y must have 32 bytes each on P-256 (line 2, column 173)", "authenticators.a.jwt.keys[5].jwks: the JWKS must be a JSON object without duplicate members (line 2, column 220)"]),
        (r#"authenticators: {a: {jwt: {algorithms: [ES256], keys: [{remote: {cluster: c, url: "ftp://a", refresh: 10ms, timeout: 0s}}, {remote: {cluster: c, url: "http://a"}, kid: x}, {remote: {cluster: c, url: "http://a", refresh: 500ms, timeout: 0s}}]}}}
rules: [{match: {path: /}, authenticate: a}]"#, &["authenticators.a.jwt.keys[0].remote.url: expected a URL, as in https://idp.example.com/oauth2/token (line 2, column 83)", "authenticators.a.jwt.keys[1]: kid, not_before and expires stand beside one key, not beside a set (line 2, column 124)", "authenticators.a.jwt.keys[2].remote.refresh: keys are fetched once a second at the most (line 2, column 221)", "authenticators.a.jwt.keys[2].remote.timeout: a call needs some time; 2s is the default (line 2, column 237)"]),
        ("authenticators: {a: {jwt: {algorithms: [HS256], audience: [], max_length: 0, keys: [{secret: {value: a-secret-of-thirty-two-bytes-yes}, not_before: 2027-01-01T00:00:00Z, expires: 2026-01-01T00:00:00Z}]}}}
rules: [{match: {path: /}, authenticate: a}]", &["authenticators.a.jwt.keys[0].expires: this ends before it begins (`not_before`) (line 2, column 180)", "authenticators.a.jwt.max_length: a token's length lies between 1 and 61440 bytes (line 2, column 75)", "authenticators.a.jwt.audience: name at least one audience, or leave it out (line 2, column 59)"]),
        (r#"authenticators: {a: {jwt: {algorithms: [HS256], keys: [{secret: {value: a-secret-of-thirty-two-bytes-yes}}], client: client.id, scopes: "1 +", tenant: tenant}}}
rules: [{match: {path: /}, authenticate: a}]"#, &["authenticators.a.jwt.client: `client` is not available in `jwt.client`; here you can use request, path, source, claims (line 2, column 118)", "authenticators.a.jwt.scopes: this is no CEL expression: it ends too early (at column 4 of the expression) (line 2, column 137)", "authenticators.a.jwt.tenant: `tenant` is not available in `jwt.tenant`; here you can use request, path, source, claims (line 2, column 152)"]),
        ("authenticators: {a: {client_credentials: {from: {}, exchange: b}}}
rules: [{match: {path: /}, authenticate: a}]", &["authenticators.a.client_credentials.from: give either `id` and `secret`, or `basic: true` (line 2, column 49)", r#"authenticators.a.client_credentials.exchange: no token is called "b"; the policy has none (line 2, column 63)"#]),
        (r#"authenticators: {a: {client_credentials: {from: {basic: true, id: {header: x}}, exchange: own, verify: a, client_claim: x}}}
tokens: {own: {exchange: {cluster: c, url: "http://c", client: {id: a, secret: b}}}}
rules: [{match: {path: /}, authenticate: a}]"#, &["authenticators.a.client_credentials.from: give either `id` and `secret`, or `basic: true` (line 2, column 49)", "authenticators.a.client_credentials.exchange: this token has a `client` of its own; leave that out, or name another token: here the caller's pair is exchanged (line 2, column 91)", "authenticators.a.client_credentials.verify: a token is verified by a jwt authenticator; name one (line 2, column 104)"]),
        (r#"authenticators: {a: {client_credentials: {from: {id: {header: x}, secret: {}}, exchange: t, client_claim: x, verify: nobody}}}
tokens: {t: {exchange: {cluster: c, url: "http://c"}}}
rules: [{match: {path: /}, authenticate: a}]"#, &["authenticators.a.client_credentials.from.secret: give exactly one of header, query, cookie; none is here (line 2, column 75)", r#"authenticators.a.client_credentials.verify: no authenticator is called "nobody"; there are: a (line 2, column 118)"#]),
        (r#"authenticators: {a: {client_credentials: {from: {basic: true}, exchange: t, client_claim: x}}}
tokens: {t: {exchange: {cluster: c, url: "http://c"}}}
rules: [{match: {path: /}, authenticate: a}]"#, &["authenticators.a.client_credentials.client_claim: a claim is only known of a verified token: give `verify` too (line 2, column 91)"]),
        (r#"authenticators: {a: {client_credentials: {from: {basic: true}, exchange: broken}}}
tokens: {broken: {exchange: {cluster: c, url: "nowhere"}}, own: {exchange: {cluster: c, url: "http://c", client: {id: a, secret: b}}}}
rules: [{match: {path: /}, authenticate: a, upstream: {authorization: own}}]"#, &["tokens.broken.exchange.url: expected a URL, as in https://idp.example.com/oauth2/token (line 3, column 47)"]),
        (r#"tokens: {keep: {exchange: {cluster: c, url: "http://c"}}, empty: {}}
rules: [{match: {path: /}, authenticate: none}]"#, &["tokens.empty: give exactly one of exchange, sign; none is here (line 2, column 66)", "tokens.keep: this word has a meaning of its own; choose another name (line 2, column 16)"]),
        (r#"tokens: {t: {exchange: {cluster: c, url: "https://user@host/x", auth: basic, client: {id: "", secret: b}, timeout: 0s, default_lifetime: 0s, cache_failures: 0s}}}
rules: [{match: {path: /}, authenticate: none}]"#, &["tokens.t.exchange.url: expected a URL, as in https://idp.example.com/oauth2/token (line 2, column 42)", "tokens.t.exchange.auth: expected client_secret_basic, client_secret_post, client_secret_json or private_key_jwt (line 2, column 71)", "tokens.t.exchange.client: id and secret are texts that are neither empty nor very long (line 2, column 86)", "tokens.t.exchange.timeout: this needs some time; leave it out for the default (line 2, column 116)", "tokens.t.exchange.default_lifetime: this needs some time; leave it out for the default (line 2, column 138)", "tokens.t.exchange.cache_failures: this needs some time; leave it out for the default (line 2, column 158)"]),
        (r#"tokens: {t: {exchange: {cluster: c, url: "https://h/x", form: {a: claims.x, b: "1 +"}}}}
rules: [{match: {path: /}, authenticate: none}]"#, &["tokens.t.exchange.form.a: `claims` is not available in `exchange.form`; here you can use request, path, client, assertion (line 2, column 67)", "tokens.t.exchange.form.b: this is no CEL expression: it ends too early (at column 4 of the expression) (line 2, column 80)"]),
        (r#"tokens: {t: {exchange: {cluster: c, url: "https://h/x", json: "'a' +"}}}
rules: [{match: {path: /}, authenticate: none}]"#, &["tokens.t.exchange.json: this is no CEL expression: it ends too early (at column 6 of the expression) (line 2, column 63)"]),
        (r#"tokens: {t: {exchange: {cluster: c, url: "https://h/x", retry: {attempts: 3}, breaker: {failures: 1}}}, s: {sign: {algorithm: ES256}}}
rules: [{match: {path: /}, authenticate: none, limit: {rate: 1/s}, shadow: true}, {match: {path: /k}, publish_keys: [s]}, {match: {path: /i}, issue: {token: s}}]"#, &[r#"tokens.s.sign: "keys" is required here (line 2, column 115)"#, r#"tokens.s.sign: "lifetime" is required here (line 2, column 115)"#, r#"rules[0].limit: "per" is required here (line 3, column 55)"#, r#"rules[2].issue: "client_auth" is required here (line 3, column 150)"#]),
        (r#"clients: [{id: ""}, {id: a}, {id: a}, {id: b, metadata: [1]}]
rules: [{match: {path: /}, authenticate: none}]"#, &["clients[0].id: a client's id is a text that isn't empty and has no control characters (line 2, column 16)", r#"clients[2].id: another client is called "a" already (line 2, column 35)"#, "clients[3].metadata: metadata is a map (line 2, column 57)"]),
        (r#"clients: [{id: a, scopes: [x], api_keys: [{sha256: abc}, {sha256: "0000000000000000000000000000000000000000000000000000000000000000", scopes: [y]}, {sha256: "0000000000000000000000000000000000000000000000000000000000000000"}, {sha256: "1111111111111111111111111111111111111111111111111111111111111111", not_before: 2026-02-01T00:00:00Z, expires: 2026-02-01T00:00:00Z}, {sha256: "2222222222222222222222222222222222222222222222222222222222222222", expires: 2026-01-01T00:00:00Z}]}]
rules: [{match: {path: /}, authenticate: none}]"#, &["clients[0].api_keys[0].sha256: expected a SHA-256 as 64 hex digits; `doorward hash-key` prints it (line 2, column 52)", r#"clients[0].api_keys[1].scopes: a key narrows its client's scopes, and "y" is none of them; add it to the client or leave it out (line 2, column 143)"#, "clients[0].api_keys[2].sha256: another client or key has this digest already (line 2, column 158)", "clients[0].api_keys[3].expires: this ends before it begins (`not_before`) (line 2, column 347)"]),
        ("clients: [{id: a, secrets: [{}, {sha256: a}, {sha256: a, value: b}], public_keys: [{pem: x}]}]
rules: [{match: {path: /}, authenticate: none}]", &["clients[0].secrets[0]: give exactly one of sha256, value; none is here (line 2, column 29)", "clients[0].secrets[1].sha256: expected a SHA-256 as 64 hex digits; `doorward hash-key` prints it (line 2, column 42)", "clients[0].secrets[2]: give exactly one of sha256, value; more than one is here (line 2, column 46)", "clients[0].public_keys[0].pem: no PEM block `PUBLIC KEY` or `CERTIFICATE` can be read (line 2, column 90)"]),
        ("clients: [{id: a, api_keys: [{id: k}], enabled: maybe, colour: blue}]
rules: [{match: {path: /}, authenticate: none, authentic: x}]
corse: {}", &[r#"clients[0].api_keys[0]: "sha256" is required here (line 2, column 30)"#, "clients[0].enabled: expected true or false, found a string (line 2, column 49)", r#"clients[0]: there is no key "colour" here; the keys are id, tenant, scopes, enabled, metadata, secrets, api_keys, public_keys (line 2, column 56)"#, r#"rules[0]: there is no key "authentic" here; did you mean "authenticate"? (line 3, column 48)"#, r#"there is no key "corse" here; did you mean "cors"? (line 4, column 1)"#]),
        ("cors: {bypass_preflight: yes}
rules: [{match: {path: /, ignore_case: 1}, authenticate: [a]}]", &["cors.bypass_preflight: expected true or false, found a string (line 2, column 26)", "rules[0].match.ignore_case: expected true or false, found a whole number (line 3, column 40)", "rules[0].authenticate: expected a string, found a list (line 3, column 58)"]),
        (r#"tokens: {t: {exchange: {cluster: c, url: "https://h/x", form: {a: assertion}}}}
rules: [{match: {path: /}, authenticate: none}]"#, &["tokens.t.exchange.form.a: `assertion` is signed with `auth: private_key_jwt` only (line 2, column 67)"]),
        ("clients: [{id: c, tenant: 7, api_keys: {sha256: 1111111111111111111111111111111111111111111111111111111111111111}}]
authenticators: {a: {jwt: {leeway: fast, max_lifetime: 9999h, keys: {remote: 1}}}}
rules: [{match: {path: /}, authenticate: none}]", &["clients[0].tenant: expected a string, found a whole number; put it in quotes (line 2, column 27)", "clients[0].api_keys: expected a list, found a map (line 2, column 40)", r#"authenticators.a.jwt: "algorithms" is required here (line 3, column 27)"#, "authenticators.a.jwt.leeway: expected a duration such as 500ms, 30s, 10m or 4h (line 3, column 36)", "authenticators.a.jwt.max_lifetime: this duration is too long: 8784h (366 days) is the most (line 3, column 56)", r#"authenticators.a.jwt.keys: "client" is required here (line 3, column 69)"#, r#"authenticators.a.jwt.keys: there is no key "remote" here; the keys are client (line 3, column 70)"#]),
        (r#"tokens: {t: {exchange: {cluster: c, url: "http://c"}}, empty: {}}
authenticators: {a: {client_credentials: {from: {basic: true}, exchange: empty}}}
rules: [{match: {path: /}, authenticate: a, upstream: {authorization: empty}}]"#, &["tokens.empty: give exactly one of exchange, sign; none is here (line 2, column 63)"]),
        (r#"tokens: {t: {exchange: {cluster: c, url: "https://h/x", retry: {attempts: 0}, breaker: {failures: 0}}}, u: {exchange: {cluster: c, url: "https://h/x", retry: {attempts: 1000}}}}
rules: [{match: {path: /}, authenticate: none}]"#, &["tokens.t.exchange.retry.attempts: an endpoint is tried 1 to 10 times (line 2, column 75)", "tokens.t.exchange.breaker.failures: a breaker opens after one failure at the earliest (line 2, column 99)", "tokens.u.exchange.retry.attempts: an endpoint is tried 1 to 10 times (line 2, column 170)"]),
        ("rules: [{match: {path: /}, authenticate: none, limit: {per: source.address, rate: fast}}]", &["rules[0].limit.rate: a rate is a number of calls and a span, as in 100/s, 10/m or 1000/h (line 2, column 83)"]),
        ("rules: [{match: {path: /}, authenticate: none, limit: {per: client.id, rate: 0/s, count: successes}}]", &["rules[0].limit.count: expected `failures`; leave it out to count every call (line 2, column 90)", "rules[0].limit.per: `client` is not available in `limit.per`; here you can use request, path, source (line 2, column 61)", "rules[0].limit.rate: a rate of 0 would refuse everybody; leave the rule out instead (line 2, column 78)"]),
        ("rules: [{match: {path: /}, authenticate: none, limit: {per: claims.sub, rate: 10/s}}]", &["rules[0].limit.per: `claims` is not available in `limit.per`; here you can use request, path, source (line 2, column 61)"]),
        (r#"tokens: {t: {exchange: {cluster: c, url: "http://c"}}}
authenticators: {a: {client_credentials: {from: {basic: true}, exchange: t, lookup: {cluster: r, url: "http://registry/x", timeout: 0s, headers: {"a b": x}, allow_if: "'yes'"}}}}
rules: [{match: {path: /}, authenticate: a}]"#, &["authenticators.a.client_credentials.lookup.url: this is no CEL expression: `:` can't follow here (at column 5 of the expression) (line 3, column 103)", "authenticators.a.client_credentials.lookup.allow_if: `lookup.allow_if` must be true or false, this expression is a string (line 3, column 168)", r#"authenticators.a.client_credentials.lookup.headers."a b": a header's name has letters, digits and `-` (line 3, column 154)"#, "authenticators.a.client_credentials.lookup.timeout: a call needs some time; 1s is the default (line 3, column 133)"]),
        ("rules: [{match: {path: /k}, publish_keys: [nobody]}, {match: {path: /i}, issue: {token: nobody}}, {match: {path: /j}, authenticate: none, publish_keys: []}]", &[ r#"rules[0].publish_keys[0]: no token is called "nobody"; the policy has none (line 2, column 44)"#, r#"rules[1].issue: "client_auth" is required here (line 2, column 81)"#, "rules[2].authenticate: published keys are public; leave this out (line 2, column 133)", "rules[2].publish_keys: an empty list says nothing; leave it out (line 2, column 153)"]),
];

#[test]
fn every_problem_is_told_with_its_place_and_the_mend() {
    for (text, expected) in BROKEN {
        let policy = match text.starts_with("version:") {
            true => (*text).to_owned(),
            false => format!("version: 1\n{text}"),
        };
        let problems = policy::load(policy.as_bytes(), &|_| None).err();
        let mut told: Vec<String> = problems
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect();
        // Rows list them by what they are about; that they come in the text's order is
        // proven below.
        told.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(told, expected, "{policy}");
    }
}

#[test]
fn problems_of_all_parts_come_at_once() {
    let policy = r#"
version: 2
clients: [{id: ""}]
tokens: {t: {exchange: {cluster: c, url: x}}}
authenticators: {a: {api_key: {from: []}}}
identity_headers: {host: "'x'"}
errors: {realm: '"'}
rules: [{match: {path: x}, authenticate: b}, {match: {path: /}}]
"#;
    let problems = policy::load(policy.as_bytes(), &|_| None).err().unwrap();
    let places: Vec<&str> = problems.iter().map(|problem| &*problem.path).collect();
    assert_eq!(
        places,
        [
            "version",
            "clients[0].id",
            "tokens.t.exchange.url",
            "authenticators.a.api_key.from",
            "identity_headers.host",
            "errors.realm",
            "rules[0].match.path",
            "rules[0].authenticate",
            "rules[1]",
        ]
    );
}

#[test]
fn problems_of_form_hide_no_problem_of_meaning_elsewhere() {
    for (policy, places) in [
        // An unknown key in one rule, an unknown name in another.
        (
            r#"version: 1
authenticators: {key: {api_key: {from: [{header: k}]}}}
rules:
  - {match: {path: /a}, authenticate: key, authorise: {}}
  - {match: {path: /b}, authenticate: kye}"#,
            &["rules[0]", "rules[1].authenticate"][..],
        ),
        // What is broken by form is still there by name, and isn't judged twice.
        (
            r#"version: 1
authenticators:
  token: {jwt: {algorithms: 5, keys: []}}
  odd: 7
  pair: {client_credentials: {from: {basic: true}, exchange: idp, verify: token}}
tokens: {idp: {exchange: {cluster: c, url: "https://x/", client: {id: 5}}}}
rules:
  - {match: {path: /a}, authenticate: {any: [token, odd, pair]}, upstream: {authorization: idp}}
  - {match: {path: b}, authenticate: none}"#,
            &[
                "authenticators.token.jwt.algorithms",
                "authenticators.odd",
                "tokens.idp.exchange.client.id",
                "rules[1].match.path",
            ],
        ),
        // Where the very list is broken, what others say of it can't be judged.
        (
            "version: 1\nauthenticators: []\nrules: [{match: {path: /}, authenticate: x}]",
            &["authenticators"],
        ),
        (
            "version: 1\nclients: [5, {id: a}, {id: a}]\nrules: [{match: {path: /}, authenticate: none}]",
            &["clients[0]"],
        ),
    ] {
        let problems = policy::load(policy.as_bytes(), &|_| None).err().unwrap();
        let found: Vec<&str> = problems.iter().map(|problem| &*problem.path).collect();
        assert_eq!(found, places, "{policy}");
    }
}

/// A secret in every place that can hold one, all of them from the environment.
const SECRETIVE: &str = r#"version: 1
clients:
  - id: acme
    metadata: {note: "${S}", deep: [{er: "${S}"}]}
    secrets: [{value: "${S}"}]
authenticators:
  hs:
    jwt:
      algorithms: [HS256]
      keys: [{secret: {value: "${S}"}, kid: k1}, {jwk: {kty: oct, k: "${K}"}}, {jwks: {keys: [{kty: oct, k: "${K}"}]}}]
      claims: {use: "${S}", nested: ["${S}"]}
  pair:
    client_credentials: {from: {basic: true}, exchange: idp}
tokens:
  idp:
    exchange:
      cluster: idp
      url: https://idp.example.com/token
      headers: {x-key: "${S}"}
  own:
    exchange:
      cluster: idp
      url: https://idp.example.com/token
      client: {id: gw, secret: "${S}"}
rules:
  - match: {path: /a}
    authenticate: hs
    upstream: {authorization: own}
  - match: {path: /b}
    authenticate: pair
"#;
const MARKER: &str = "topsecret-topsecret-topsecret-topsecret";

fn environment(name: &str) -> Option<String> {
    match name {
        "S" => Some(MARKER.to_owned()),
        "K" => Some("dG9wc2VjcmV0".repeat(4)),
        _ => None,
    }
}

/// Whether a text shows the marker, also in base64 or as the bytes that Debug prints.
fn shows(text: &str) -> bool {
    ["topsecret", "dG9wc2VjcmV0", "116, 111, 112, 115"]
        .iter()
        .any(|form| text.contains(form))
}

#[test]
fn no_debug_output_of_a_policy_shows_a_secret() {
    let policy = policy::load(SECRETIVE.as_bytes(), &environment).unwrap();
    let shown = format!("{policy:?} {policy:#?}");
    assert!(!shows(&shown), "{shown}");
}

#[test]
fn no_problem_shows_a_secret_however_the_policy_is_broken() {
    let mut random = START;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 8) as usize % below
    };
    let marks = b":{}[]\"',#&*!|>%@ \t\n-$x0";
    let mut broken = 0;
    for _ in 0..3000 {
        let mut text = SECRETIVE.as_bytes().to_vec();
        for _ in 0..=next(2) {
            let at = next(text.len());
            match next(4) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, marks[next(marks.len())]),
                2 => text[at] = marks[next(marks.len())],
                _ => {
                    // One line gone.
                    let start = text[..at].iter().rposition(|byte| *byte == b'\n');
                    let end = text[at..].iter().position(|byte| *byte == b'\n');
                    text.drain(
                        start.map_or(0, |start| start + 1)..at + end.map_or(0, |end| end + 1),
                    );
                }
            }
        }
        match policy::load(&text, &environment) {
            Ok(policy) => assert!(!shows(&format!("{policy:?}"))),
            Err(problems) => {
                broken += 1;
                assert!(!problems.is_empty());
                for problem in problems {
                    let text = String::from_utf8_lossy(&text);
                    assert!(!shows(&problem.to_string()), "{problem}\n{text}");
                }
            }
        }
    }
    assert!(broken > 1000, "only {broken} broke");
}

#[test]
fn a_private_key_in_a_public_place_is_not_shown() {
    let mut jwk = jwt::jwk(Some("k"));
    jwk["d"] = "topsecret".into();
    for key in [
        format!("{{jwk: {jwk}}}"),
        format!("{{jwks: {{keys: [{jwk}]}}}}"),
        "{pem: \"-----BEGIN PRIVATE KEY-----\\ndG9wc2VjcmV0\\n-----END PRIVATE KEY-----\"}"
            .to_owned(),
        "{secret: {hex: topsecret}}".to_owned(),
        "{secret: {base64: topsecret!}}".to_owned(),
    ] {
        let text = format!(
            "version: 1\nauthenticators: {{a: {{jwt: {{algorithms: ES256, keys: [{key}]}}}}}}\nrules: [{{match: {{path: /}}, authenticate: a}}]"
        );
        match policy::load(text.as_bytes(), &|_| None) {
            Ok(policy) => assert!(!shows(&format!("{policy:?}"))),
            Err(problems) => assert!(
                problems.iter().all(|one| !shows(&one.to_string())),
                "{problems:?}"
            ),
        }
    }
}
