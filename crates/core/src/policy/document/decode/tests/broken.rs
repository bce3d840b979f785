//! Broken documents, and every word of what is told about them.

use super::shown;

#[test]
fn broken_documents_are_told_with_their_places() {
    let table: &[(&str, &[&str])] = &[
        // Form.
        (
            "",
            &[
                "the policy is empty: the plugin configuration must hold it as YAML, JSON or a protobuf Struct",
            ],
        ),
        (
            "# nothing\n",
            &[
                "the policy is empty: the plugin configuration must hold it as YAML, JSON or a protobuf Struct",
            ],
        ),
        (
            "---\n",
            &[
                "the policy is empty: the plugin configuration must hold it as YAML, JSON or a protobuf Struct",
            ],
        ),
        (
            "hello",
            &["expected a map, found a string (line 1, column 1)"],
        ),
        ("- 1", &["expected a map, found a list (line 1, column 1)"]),
        // Syntax.
        (
            "version: 1\nrules: [",
            &["this '[' is never closed (line 2, column 8)"],
        ),
        (
            "version: 1\nrules: {a: ${B}}",
            &[
                "a ',' or the closing bracket is missing before this; text that holds one of , [ ] { } (such as ${NAME}) must stand in quotes here (line 2, column 13)",
            ],
        ),
        (
            "version: 1\n\trules: []",
            &["tabs can't indent YAML; use spaces (line 2, column 1)"],
        ),
        (
            "version: 1\nrules: \"x",
            &["this quote is never closed (line 2, column 8)"],
        ),
        (
            "version: 1\n rules: []",
            &[
                "a ':' can't stand here; put the text in quotes if it holds one, and check the indentation (line 2, column 7)",
            ],
        ),
        (
            "version: 1\nrules: ]",
            &["this closes a list or map that was never opened (line 2, column 8)"],
        ),
        (
            "version: 1\nrules: [a}",
            &["'[' is closed by '}' (line 2, column 8)"],
        ),
        (
            "version: @x",
            &["no value can begin with '@'; put the text in quotes (line 1, column 10)"],
        ),
        (
            "version: *x",
            &["no anchor (&name) before this alias (*name) has its name (line 1, column 10)"],
        ),
        (
            "version: 1\nrules",
            &["this line is no \"key: value\"; a key needs a ':' and a space (line 2, column 1)"],
        ),
        (
            "version: \"\\q\"",
            &[
                "this escape doesn't exist; write \\\\ for a backslash, or use single quotes (line 1, column 10)",
            ],
        ),
        (
            "version: a: b",
            &[
                "a ':' can't stand here; put the text in quotes if it holds one, and check the indentation (line 1, column 11)",
            ],
        ),
        (
            "version: \"a\" b",
            &[
                "nothing can follow the closing quote; put all of the text inside the quotes (line 1, column 14)",
            ],
        ),
        (
            "version: 1\n---\nversion: 1\n",
            &["a second document begins here; a policy is one document (line 2, column 1)"],
        ),
        (
            "{\"version\": 1",
            &["this '{' is never closed (line 1, column 1)"],
        ),
        (
            "{\"version\": 1}}",
            &["this closes a list or map that was never opened (line 1, column 15)"],
        ),
        // What is left out of YAML.
        (
            "version: !!int 1",
            &["version: tags (such as !!str) are not supported; leave it out (line 1, column 16)"],
        ),
        (
            "version: 1\nversion: 2\nversion: 3",
            &[
                "the key \"version\" is given twice; it first stands at line 1, column 1 (line 2, column 1)",
                "the key \"version\" is given twice; it first stands at line 1, column 1 (line 3, column 1)",
            ],
        ),
        (
            "version: 1\n<<: {a: 1}\n2: x\ntrue: y\n[a]: z\n? {b: 1}\n: w\n~: v",
            &[
                "merge keys (<<) are not supported; write the members out (line 2, column 1)",
                "a key must be a string, but this one is a whole number; put it in quotes (line 3, column 1)",
                "a key must be a string, but this one is true or false; put it in quotes (line 4, column 1)",
                "a key must be a string, but this one is a list (line 5, column 1)",
                "a key must be a string, but this one is a map (line 6, column 3)",
                "a key must be a string, but this one is nothing; put it in quotes (line 8, column 1)",
            ],
        ),
        (
            "version: .inf",
            &[
                "version: this is no finite number; put it in quotes if it is a text (line 1, column 10)",
            ],
        ),
        (
            "version: 1\nrules: &a [*a]",
            &["rules[0]: this alias stands inside what it refers to (line 2, column 12)"],
        ),
        // Keys.
        (
            "version: 1\nclients:\n  - id: a\n    scope: [x]",
            &[
                "clients[0]: there is no key \"scope\" here; did you mean \"scopes\"? (line 4, column 5)",
            ],
        ),
        (
            "version: 1\nzzzzz: 2",
            &[
                "there is no key \"zzzzz\" here; the keys are version, clients, authenticators, rules, identity_headers, status (line 2, column 1)",
            ],
        ),
        (
            "rules: []",
            &["\"version\" is required here (line 1, column 1)"],
        ),
        (
            "version: 1\nclients: [{}]",
            &["clients[0]: \"id\" is required here (line 2, column 11)"],
        ),
        (
            "version: 1\nclients: [{api_keys: [{}, {id: a}]}]",
            &[
                "clients[0]: \"id\" is required here (line 2, column 11)",
                "clients[0].api_keys[0]: \"id\" is required here (line 2, column 23)",
                "clients[0].api_keys[0]: \"sha256\" is required here (line 2, column 23)",
                "clients[0].api_keys[1]: \"sha256\" is required here (line 2, column 27)",
            ],
        ),
        (
            "version: 1\nstatus: {scope_missin: 403, token_expired: 401, x: 1}",
            &[
                "status: there is no key \"scope_missin\" here; did you mean \"scope_missing\"? (line 2, column 10)",
                "status: there is no key \"x\" here; the keys are scope_missing, token_expired (line 2, column 49)",
            ],
        ),
        // Values.
        (
            "version: one",
            &["version: expected a whole number, found a string (line 1, column 10)"],
        ),
        (
            "version: -1",
            &["version: expected a whole number from 0 to 4294967295 (line 1, column 10)"],
        ),
        (
            "version: 1.5",
            &[
                "version: expected a whole number, found a number with a fraction (line 1, column 10)",
            ],
        ),
        (
            "version: 99999999999",
            &["version: expected a whole number from 0 to 4294967295 (line 1, column 10)"],
        ),
        (
            "version: 1\nstatus: {scope_missing: 70000}",
            &["status.scope_missing: expected a whole number from 0 to 65535 (line 2, column 25)"],
        ),
        (
            "version: 1\nclients: {}",
            &["clients: expected a list, found a map (line 2, column 10)"],
        ),
        (
            "version: 1\nclients: hello",
            &["clients: expected a list, found a string (line 2, column 10)"],
        ),
        (
            "version: 1\nclients:",
            &["clients: expected a list, found nothing (line 2, column 8)"],
        ),
        (
            "version: 1\nclients: [{id: 123}, {id: true}, {id: [a]}, {id: {a: b}}, {id: }]",
            &[
                "clients[0].id: expected a string, found a whole number; put it in quotes (line 2, column 16)",
                "clients[1].id: expected a string, found true or false; put it in quotes (line 2, column 27)",
                "clients[2].id: expected a string, found a list (line 2, column 39)",
                "clients[3].id: expected a string, found a map (line 2, column 50)",
                "clients[4].id: expected a string, found nothing (line 2, column 62)",
            ],
        ),
        (
            "version: 1\nclients: [{id: a, enabled: yes}]",
            &["clients[0].enabled: expected true or false, found a string (line 2, column 28)"],
        ),
        (
            "version: 1\nclients: [{id: a, scopes: 5}, {id: b, scopes: {a: b}}, {id: c, scopes: [a, 1]}]",
            &[
                "clients[0].scopes: expected a string, found a whole number; put it in quotes (line 2, column 27)",
                "clients[1].scopes: expected a list, found a map (line 2, column 47)",
                "clients[2].scopes[1]: expected a string, found a whole number; put it in quotes (line 2, column 76)",
            ],
        ),
        (
            "version: 1\nclients: [{id: a, api_keys: [{id: k, sha256: x, expires: 2026-11-01}, {id: k, sha256: x, expires: 5}]}]",
            &[
                "clients[0].api_keys[0].expires: expected a time such as 2026-11-01T00:00:00Z (line 2, column 58)",
                "clients[0].api_keys[1].expires: expected a time such as 2026-11-01T00:00:00Z, found a whole number (line 2, column 99)",
            ],
        ),
        (
            "version: 1\nauthenticators:\n  a b: {jwt: {algorithms: [HS257, none, 5], leeway: 30}}\n  c: {jwt: {algorithms: [], leeway: 30sec}}",
            &[
                "authenticators.\"a b\".jwt.algorithms[0]: expected one of HS256, RS256, ES256; did you mean \"HS256\"? (line 3, column 28)",
                "authenticators.\"a b\".jwt.algorithms[1]: expected one of HS256, RS256, ES256 (line 3, column 35)",
                "authenticators.\"a b\".jwt.algorithms[2]: expected a string, found a whole number; put it in quotes (line 3, column 41)",
                "authenticators.\"a b\".jwt.leeway: expected a duration such as 500ms, 30s, 10m or 4h, found a whole number (line 3, column 53)",
                "authenticators.c.jwt.leeway: expected a duration such as 500ms, 30s, 10m or 4h (line 4, column 37)",
            ],
        ),
        (
            "version: 1\nauthenticators: {a: {jwt: {algorithms: [], leeway: 99999h, audience: [], client: [], ratio: x, size: 200}}}",
            &[
                "authenticators.a.jwt.leeway: this duration is too long: 8784h (366 days) is the most (line 2, column 52)",
                "authenticators.a.jwt.client: expected a CEL expression, found a list (line 2, column 82)",
                "authenticators.a.jwt.ratio: expected a number, found a string (line 2, column 93)",
                "authenticators.a.jwt.size: expected a whole number from -128 to 127 (line 2, column 102)",
            ],
        ),
        (
            "version: 1\nauthenticators: {a: 5, b: {jwt: []}}",
            &[
                "authenticators.a: expected a map, found a whole number (line 2, column 21)",
                "authenticators.b.jwt: expected a map, found a list (line 2, column 33)",
            ],
        ),
        // Variables.
        (
            "version: 1\nclients: [{id: \"${NO}\", tenant: \"${NEITHER\", metadata: {a: [\"${NO}\"], \"${KEY}\": 1}, secret: \"${}\"}]",
            &[
                "clients[0].id: the environment variable \"NO\" is not set; add it to vm_config.environment_variables (line 2, column 16)",
                "clients[0].tenant: a \"${\" is not closed; write ${NAME}, or $${ for a literal ${ (line 2, column 33)",
                "clients[0].metadata.a[0]: the environment variable \"NO\" is not set; add it to vm_config.environment_variables (line 2, column 61)",
                "clients[0].secret: between \"${\" and \"}\" stands no name of a variable; write ${NAME}, or $${ for a literal ${ (line 2, column 93)",
            ],
        ),
        // One problem doesn't hide another, nor bring about a second.
        (
            "version: x\nclients: [{id: 1, scopes: 2, x: 3}, {tenant: 5}]\nrules: [{path: 1, limit: {rate: 5, burst: x, foo: 1}}, {limit: {}}, {}]",
            &[
                "version: expected a whole number, found a string (line 1, column 10)",
                "clients[0].id: expected a string, found a whole number; put it in quotes (line 2, column 16)",
                "clients[0].scopes: expected a string, found a whole number; put it in quotes (line 2, column 27)",
                "clients[0]: there is no key \"x\" here; the keys are id, tenant, scopes, enabled, metadata, api_keys, secret (line 2, column 30)",
                "clients[1]: \"id\" is required here (line 2, column 37)",
                "clients[1].tenant: expected a string, found a whole number; put it in quotes (line 2, column 46)",
                "rules[0].path: expected a string, found a whole number; put it in quotes (line 3, column 16)",
                "rules[0].limit: \"per\" is required here (line 3, column 26)",
                "rules[0].limit.rate: expected a duration such as 500ms, 30s, 10m or 4h, found a whole number (line 3, column 33)",
                "rules[0].limit.burst: expected a whole number, found a string (line 3, column 43)",
                "rules[0].limit: there is no key \"foo\" here; the keys are rate, per, burst (line 3, column 46)",
                "rules[1]: \"path\" is required here (line 3, column 56)",
                "rules[1].limit: \"rate\" is required here (line 3, column 64)",
                "rules[1].limit: \"per\" is required here (line 3, column 64)",
                "rules[1].limit: \"burst\" is required here (line 3, column 64)",
                "rules[2]: \"path\" is required here (line 3, column 69)",
            ],
        ),
        (
            "version: 1\nrules: [{path: /, every: {}}]",
            &[
                "rules[0].every: \"flag\" is required here (line 2, column 26)",
                "rules[0].every: \"names\" is required here (line 2, column 26)",
                "rules[0].every: \"members\" is required here (line 2, column 26)",
                "rules[0].every: \"algorithm\" is required here (line 2, column 26)",
                "rules[0].every: \"inner\" is required here (line 2, column 26)",
                "rules[0].every: \"ratio\" is required here (line 2, column 26)",
            ],
        ),
        (
            "version: 1\nrules: [{path: /, every: {flag: 1, names: 2, members: 3, algorithm: 4, inner: 5, ratio: []}}]",
            &[
                "rules[0].every.flag: expected true or false, found a whole number (line 2, column 33)",
                "rules[0].every.names: expected a list, found a whole number (line 2, column 43)",
                "rules[0].every.members: expected a map, found a whole number (line 2, column 55)",
                "rules[0].every.algorithm: expected a string, found a whole number; put it in quotes (line 2, column 69)",
                "rules[0].every.inner: expected a map, found a whole number (line 2, column 79)",
                "rules[0].every.ratio: expected a number, found a list (line 2, column 89)",
            ],
        ),
        (
            "version: 1\nrules: [{path: /, every: {names: [1], members: {a: 1, b: c}, inner: {id: 1}}}]",
            &[
                "rules[0].every: \"flag\" is required here (line 2, column 26)",
                "rules[0].every: \"algorithm\" is required here (line 2, column 26)",
                "rules[0].every: \"ratio\" is required here (line 2, column 26)",
                "rules[0].every.names[0]: expected a string, found a whole number; put it in quotes (line 2, column 35)",
                "rules[0].every.members.a: expected a string, found a whole number; put it in quotes (line 2, column 52)",
                "rules[0].every.inner.id: expected a string, found a whole number; put it in quotes (line 2, column 74)",
            ],
        ),
        (
            "version: 1\nidentity_headers: {a: [], b: null, c: {}}",
            &[
                "identity_headers.a: expected a CEL expression, found a list (line 2, column 23)",
                "identity_headers.c: expected a CEL expression, found a map (line 2, column 39)",
            ],
        ),
        (
            "version: 1\nrules: &r [{path: 5}]\nclients: *r",
            &[
                "clients[0]: \"id\" is required here (line 2, column 12)",
                "clients[0]: there is no key \"path\" here; the keys are id, tenant, scopes, enabled, metadata, api_keys, secret (line 2, column 13)",
                "rules[0].path: expected a string, found a whole number; put it in quotes (line 2, column 19)",
            ],
        ),
        (
            "version: 1\nrules:\n- {path: /, authenticate: 5}\n- {path: /, authenticate: {any: [a, 1, {all: b}, {al: [], x: 1}]}}\n- {authenticate: []}",
            &[
                "rules[0].authenticate: expected a string, found a whole number; put it in quotes (line 3, column 27)",
                "rules[1].authenticate.any[1]: expected a string, found a whole number; put it in quotes (line 4, column 37)",
                "rules[1].authenticate.any[2].all: expected a list, found a string (line 4, column 46)",
                "rules[1].authenticate.any[3]: there is no key \"al\" here; did you mean \"all\"? (line 4, column 51)",
                "rules[1].authenticate.any[3]: there is no key \"x\" here; the keys are any, all (line 4, column 59)",
                "rules[2]: \"path\" is required here (line 5, column 3)",
                "rules[2].authenticate: expected a string, found a list (line 5, column 18)",
            ],
        ),
        (
            "version: 1\nrules:\n- {path: /, by_hand: 5}\n- {path: /, by_hand: infinite}\n- {path: /, by_hand: {rate: 1, pr: 2, burst: x, per: y}}\n- {path: /, by_hand: {}}",
            &[
                "rules[0].by_hand: expected unlimited or a limit, found a whole number (line 3, column 22)",
                "rules[1].by_hand: expected unlimited or a limit (line 4, column 22)",
                "rules[2].by_hand.rate: expected a duration such as 500ms, 30s, 10m or 4h, found a whole number (line 5, column 29)",
                "rules[2].by_hand: there is no key \"pr\" here; did you mean \"per\"? (line 5, column 32)",
                "rules[2].by_hand.burst: expected a whole number, found a string (line 5, column 46)",
                "rules[3].by_hand: \"rate\" is required here (line 6, column 22)",
            ],
        ),
        (
            "version: 1\nrules: [{path: \"${A}${B}${C}${D}${E}${F}${G}${H}${I}${J}\"}]",
            &[
                "rules[0].path: the environment variables \"A\", \"B\", \"C\", \"D\", \"E\", \"F\", \"G\", \"H\" are not set; add them to vm_config.environment_variables (line 2, column 16)",
            ],
        ),
        (
            "version: 1\nclients: [{id: a, \"no such\\nkey\": 1, secret: null, metadata: null}]\nidentity_headers: {\"a.b\": [1]}",
            &[
                "clients[0]: there is no key \"no such\\nkey\" here; the keys are id, tenant, scopes, enabled, metadata, api_keys, secret (line 2, column 19)",
                "identity_headers.\"a.b\": expected a CEL expression, found a list (line 3, column 27)",
            ],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(shown(text), *expected, "{text}");
    }
}
