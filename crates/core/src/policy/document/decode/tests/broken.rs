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
            &["line 1, column 1: expected a map, found a string"],
        ),
        ("- 1", &["line 1, column 1: expected a map, found a list"]),
        // Syntax.
        (
            "version: 1\nrules: [",
            &["line 2, column 8: this '[' is never closed"],
        ),
        (
            "version: 1\nrules: {a: ${B}}",
            &[
                "line 2, column 13: a ',' or the closing bracket is missing before this; text that holds one of , [ ] { } (such as ${NAME}) must stand in quotes here",
            ],
        ),
        (
            "version: 1\n\trules: []",
            &["line 2, column 1: tabs can't indent YAML; use spaces"],
        ),
        (
            "version: 1\nrules: \"x",
            &["line 2, column 8: this quote is never closed"],
        ),
        (
            "version: 1\n rules: []",
            &[
                "line 2, column 7: a ':' can't stand here; put the text in quotes if it holds one, and check the indentation",
            ],
        ),
        (
            "version: 1\nrules: ]",
            &["line 2, column 8: this closes a list or map that was never opened"],
        ),
        (
            "version: 1\nrules: [a}",
            &["line 2, column 8: '[' is closed by '}'"],
        ),
        (
            "version: @x",
            &["line 1, column 10: no value can begin with '@'; put the text in quotes"],
        ),
        (
            "version: *x",
            &["line 1, column 10: no anchor (&name) before this alias (*name) has its name"],
        ),
        (
            "version: 1\nrules",
            &["line 2, column 1: this line is no \"key: value\"; a key needs a ':' and a space"],
        ),
        (
            "version: \"\\q\"",
            &[
                "line 1, column 10: this escape doesn't exist; write \\\\ for a backslash, or use single quotes",
            ],
        ),
        (
            "version: a: b",
            &[
                "line 1, column 11: a ':' can't stand here; put the text in quotes if it holds one, and check the indentation",
            ],
        ),
        (
            "version: \"a\" b",
            &[
                "line 1, column 14: nothing can follow the closing quote; put all of the text inside the quotes",
            ],
        ),
        (
            "version: 1\n---\nversion: 1\n",
            &["line 2, column 1: a second document begins here; a policy is one document"],
        ),
        (
            "{\"version\": 1",
            &["line 1, column 1: this '{' is never closed"],
        ),
        (
            "{\"version\": 1}}",
            &["line 1, column 15: this closes a list or map that was never opened"],
        ),
        // What is left out of YAML.
        (
            "version: !!int 1",
            &["version (line 1, column 16): tags (such as !!str) are not supported; leave it out"],
        ),
        (
            "version: 1\nversion: 2\nversion: 3",
            &[
                "line 2, column 1: the key \"version\" is given twice; it first stands at line 1, column 1",
                "line 3, column 1: the key \"version\" is given twice; it first stands at line 1, column 1",
            ],
        ),
        (
            "version: 1\n<<: {a: 1}\n2: x\ntrue: y\n[a]: z\n? {b: 1}\n: w\n~: v",
            &[
                "line 2, column 1: merge keys (<<) are not supported; write the members out",
                "line 3, column 1: a key must be a string, but this one is a whole number; put it in quotes",
                "line 4, column 1: a key must be a string, but this one is true or false; put it in quotes",
                "line 5, column 1: a key must be a string, but this one is a list",
                "line 6, column 3: a key must be a string, but this one is a map",
                "line 8, column 1: a key must be a string, but this one is nothing; put it in quotes",
            ],
        ),
        (
            "version: .inf",
            &[
                "version (line 1, column 10): this is no finite number; put it in quotes if it is a text",
            ],
        ),
        (
            "version: 1\nrules: &a [*a]",
            &["rules[0] (line 2, column 12): this alias stands inside what it refers to"],
        ),
        // Keys.
        (
            "version: 1\nclients:\n  - id: a\n    scope: [x]",
            &[
                "clients[0] (line 4, column 5): there is no key \"scope\" here; did you mean \"scopes\"?",
            ],
        ),
        (
            "version: 1\nzzzzz: 2",
            &[
                "line 2, column 1: there is no key \"zzzzz\" here; the keys are version, clients, authenticators, rules, identity_headers, status",
            ],
        ),
        (
            "rules: []",
            &["line 1, column 1: \"version\" is required here"],
        ),
        (
            "version: 1\nclients: [{}]",
            &["clients[0] (line 2, column 11): \"id\" is required here"],
        ),
        (
            "version: 1\nclients: [{api_keys: [{}, {id: a}]}]",
            &[
                "clients[0] (line 2, column 11): \"id\" is required here",
                "clients[0].api_keys[0] (line 2, column 23): \"id\" is required here",
                "clients[0].api_keys[0] (line 2, column 23): \"sha256\" is required here",
                "clients[0].api_keys[1] (line 2, column 27): \"sha256\" is required here",
            ],
        ),
        (
            "version: 1\nstatus: {scope_missin: 403, token_expired: 401, x: 1}",
            &[
                "status (line 2, column 10): there is no key \"scope_missin\" here; did you mean \"scope_missing\"?",
                "status (line 2, column 49): there is no key \"x\" here; the keys are scope_missing, token_expired",
            ],
        ),
        // Values.
        (
            "version: one",
            &["version (line 1, column 10): expected a whole number, found a string"],
        ),
        (
            "version: -1",
            &["version (line 1, column 10): expected a whole number from 0 to 4294967295"],
        ),
        (
            "version: 1.5",
            &[
                "version (line 1, column 10): expected a whole number, found a number with a fraction",
            ],
        ),
        (
            "version: 99999999999",
            &["version (line 1, column 10): expected a whole number from 0 to 4294967295"],
        ),
        (
            "version: 1\nstatus: {scope_missing: 70000}",
            &["status.scope_missing (line 2, column 25): expected a whole number from 0 to 65535"],
        ),
        (
            "version: 1\nclients: {}",
            &["clients (line 2, column 10): expected a list, found a map"],
        ),
        (
            "version: 1\nclients: hello",
            &["clients (line 2, column 10): expected a list, found a string"],
        ),
        (
            "version: 1\nclients:",
            &["clients (line 2, column 8): expected a list, found nothing"],
        ),
        (
            "version: 1\nclients: [{id: 123}, {id: true}, {id: [a]}, {id: {a: b}}, {id: }]",
            &[
                "clients[0].id (line 2, column 16): expected a string, found a whole number; put it in quotes",
                "clients[1].id (line 2, column 27): expected a string, found true or false; put it in quotes",
                "clients[2].id (line 2, column 39): expected a string, found a list",
                "clients[3].id (line 2, column 50): expected a string, found a map",
                "clients[4].id (line 2, column 62): expected a string, found nothing",
            ],
        ),
        (
            "version: 1\nclients: [{id: a, enabled: yes}]",
            &["clients[0].enabled (line 2, column 28): expected true or false, found a string"],
        ),
        (
            "version: 1\nclients: [{id: a, scopes: 5}, {id: b, scopes: {a: b}}, {id: c, scopes: [a, 1]}]",
            &[
                "clients[0].scopes (line 2, column 27): expected a string, found a whole number; put it in quotes",
                "clients[1].scopes (line 2, column 47): expected a list, found a map",
                "clients[2].scopes[1] (line 2, column 76): expected a string, found a whole number; put it in quotes",
            ],
        ),
        (
            "version: 1\nclients: [{id: a, api_keys: [{id: k, sha256: x, expires: 2026-11-01}, {id: k, sha256: x, expires: 5}]}]",
            &[
                "clients[0].api_keys[0].expires (line 2, column 58): expected a time such as 2026-11-01T00:00:00Z",
                "clients[0].api_keys[1].expires (line 2, column 99): expected a time such as 2026-11-01T00:00:00Z, found a whole number",
            ],
        ),
        (
            "version: 1\nauthenticators:\n  a b: {jwt: {algorithms: [HS257, none, 5], leeway: 30}}\n  c: {jwt: {algorithms: [], leeway: 30sec}}",
            &[
                "authenticators.\"a b\".jwt.algorithms[0] (line 3, column 28): expected one of HS256, RS256, ES256; did you mean \"HS256\"?",
                "authenticators.\"a b\".jwt.algorithms[1] (line 3, column 35): expected one of HS256, RS256, ES256",
                "authenticators.\"a b\".jwt.algorithms[2] (line 3, column 41): expected a string, found a whole number; put it in quotes",
                "authenticators.\"a b\".jwt.leeway (line 3, column 53): expected a duration such as 500ms, 30s, 10m or 4h, found a whole number",
                "authenticators.c.jwt.leeway (line 4, column 37): expected a duration such as 500ms, 30s, 10m or 4h",
            ],
        ),
        (
            "version: 1\nauthenticators: {a: {jwt: {algorithms: [], leeway: 99999h, audience: [], client: [], ratio: x, size: 200}}}",
            &[
                "authenticators.a.jwt.leeway (line 2, column 52): this duration is too long: 8784h (366 days) is the most",
                "authenticators.a.jwt.client (line 2, column 82): expected a CEL expression, found a list",
                "authenticators.a.jwt.ratio (line 2, column 93): expected a number, found a string",
                "authenticators.a.jwt.size (line 2, column 102): expected a whole number from -128 to 127",
            ],
        ),
        (
            "version: 1\nauthenticators: {a: 5, b: {jwt: []}}",
            &[
                "authenticators.a (line 2, column 21): expected a map, found a whole number",
                "authenticators.b.jwt (line 2, column 33): expected a map, found a list",
            ],
        ),
        // Variables.
        (
            "version: 1\nclients: [{id: \"${NO}\", tenant: \"${NEITHER\", metadata: {a: [\"${NO}\"], \"${KEY}\": 1}, secret: \"${}\"}]",
            &[
                "clients[0].id (line 2, column 16): the environment variable \"NO\" is not set; add it to vm_config.environment_variables",
                "clients[0].tenant (line 2, column 33): a \"${\" is not closed; write ${NAME}, or $${ for a literal ${",
                "clients[0].metadata.a[0] (line 2, column 61): the environment variable \"NO\" is not set; add it to vm_config.environment_variables",
                "clients[0].secret (line 2, column 93): between \"${\" and \"}\" stands no name of a variable; write ${NAME}, or $${ for a literal ${",
            ],
        ),
        // One problem doesn't hide another, nor bring about a second.
        (
            "version: x\nclients: [{id: 1, scopes: 2, x: 3}, {tenant: 5}]\nrules: [{path: 1, limit: {rate: 5, burst: x, foo: 1}}, {limit: {}}, {}]",
            &[
                "version (line 1, column 10): expected a whole number, found a string",
                "clients[0].id (line 2, column 16): expected a string, found a whole number; put it in quotes",
                "clients[0].scopes (line 2, column 27): expected a string, found a whole number; put it in quotes",
                "clients[0] (line 2, column 30): there is no key \"x\" here; the keys are id, tenant, scopes, enabled, metadata, api_keys, secret",
                "clients[1] (line 2, column 37): \"id\" is required here",
                "clients[1].tenant (line 2, column 46): expected a string, found a whole number; put it in quotes",
                "rules[0].path (line 3, column 16): expected a string, found a whole number; put it in quotes",
                "rules[0].limit (line 3, column 26): \"per\" is required here",
                "rules[0].limit.rate (line 3, column 33): expected a duration such as 500ms, 30s, 10m or 4h, found a whole number",
                "rules[0].limit.burst (line 3, column 43): expected a whole number, found a string",
                "rules[0].limit (line 3, column 46): there is no key \"foo\" here; the keys are rate, per, burst",
                "rules[1] (line 3, column 56): \"path\" is required here",
                "rules[1].limit (line 3, column 64): \"rate\" is required here",
                "rules[1].limit (line 3, column 64): \"per\" is required here",
                "rules[1].limit (line 3, column 64): \"burst\" is required here",
                "rules[2] (line 3, column 69): \"path\" is required here",
            ],
        ),
        (
            "version: 1\nrules: [{path: /, every: {}}]",
            &[
                "rules[0].every (line 2, column 26): \"flag\" is required here",
                "rules[0].every (line 2, column 26): \"names\" is required here",
                "rules[0].every (line 2, column 26): \"members\" is required here",
                "rules[0].every (line 2, column 26): \"algorithm\" is required here",
                "rules[0].every (line 2, column 26): \"inner\" is required here",
                "rules[0].every (line 2, column 26): \"ratio\" is required here",
            ],
        ),
        (
            "version: 1\nrules: [{path: /, every: {flag: 1, names: 2, members: 3, algorithm: 4, inner: 5, ratio: []}}]",
            &[
                "rules[0].every.flag (line 2, column 33): expected true or false, found a whole number",
                "rules[0].every.names (line 2, column 43): expected a list, found a whole number",
                "rules[0].every.members (line 2, column 55): expected a map, found a whole number",
                "rules[0].every.algorithm (line 2, column 69): expected a string, found a whole number; put it in quotes",
                "rules[0].every.inner (line 2, column 79): expected a map, found a whole number",
                "rules[0].every.ratio (line 2, column 89): expected a number, found a list",
            ],
        ),
        (
            "version: 1\nrules: [{path: /, every: {names: [1], members: {a: 1, b: c}, inner: {id: 1}}}]",
            &[
                "rules[0].every (line 2, column 26): \"flag\" is required here",
                "rules[0].every (line 2, column 26): \"algorithm\" is required here",
                "rules[0].every (line 2, column 26): \"ratio\" is required here",
                "rules[0].every.names[0] (line 2, column 35): expected a string, found a whole number; put it in quotes",
                "rules[0].every.members.a (line 2, column 52): expected a string, found a whole number; put it in quotes",
                "rules[0].every.inner.id (line 2, column 74): expected a string, found a whole number; put it in quotes",
            ],
        ),
        (
            "version: 1\nidentity_headers: {a: [], b: null, c: {}}",
            &[
                "identity_headers.a (line 2, column 23): expected a CEL expression, found a list",
                "identity_headers.c (line 2, column 39): expected a CEL expression, found a map",
            ],
        ),
        (
            "version: 1\nrules: &r [{path: 5}]\nclients: *r",
            &[
                "clients[0] (line 2, column 12): \"id\" is required here",
                "clients[0] (line 2, column 13): there is no key \"path\" here; the keys are id, tenant, scopes, enabled, metadata, api_keys, secret",
                "rules[0].path (line 2, column 19): expected a string, found a whole number; put it in quotes",
            ],
        ),
        (
            "version: 1\nrules:\n- {path: /, authenticate: 5}\n- {path: /, authenticate: {any: [a, 1, {all: b}, {al: [], x: 1}]}}\n- {authenticate: []}",
            &[
                "rules[0].authenticate (line 3, column 27): expected a string, found a whole number; put it in quotes",
                "rules[1].authenticate.any[1] (line 4, column 37): expected a string, found a whole number; put it in quotes",
                "rules[1].authenticate.any[2].all (line 4, column 46): expected a list, found a string",
                "rules[1].authenticate.any[3] (line 4, column 51): there is no key \"al\" here; did you mean \"all\"?",
                "rules[1].authenticate.any[3] (line 4, column 59): there is no key \"x\" here; the keys are any, all",
                "rules[2] (line 5, column 3): \"path\" is required here",
                "rules[2].authenticate (line 5, column 18): expected a string, found a list",
            ],
        ),
        (
            "version: 1\nrules:\n- {path: /, by_hand: 5}\n- {path: /, by_hand: infinite}\n- {path: /, by_hand: {rate: 1, pr: 2, burst: x, per: y}}\n- {path: /, by_hand: {}}",
            &[
                "rules[0].by_hand (line 3, column 22): expected unlimited or a limit, found a whole number",
                "rules[1].by_hand (line 4, column 22): expected unlimited or a limit",
                "rules[2].by_hand.rate (line 5, column 29): expected a duration such as 500ms, 30s, 10m or 4h, found a whole number",
                "rules[2].by_hand (line 5, column 32): there is no key \"pr\" here; did you mean \"per\"?",
                "rules[2].by_hand.burst (line 5, column 46): expected a whole number, found a string",
                "rules[3].by_hand (line 6, column 22): \"rate\" is required here",
            ],
        ),
        (
            "version: 1\nrules: [{path: \"${A}${B}${C}${D}${E}${F}${G}${H}${I}${J}\"}]",
            &[
                "rules[0].path (line 2, column 16): the environment variables \"A\", \"B\", \"C\", \"D\", \"E\", \"F\", \"G\", \"H\" are not set; add them to vm_config.environment_variables",
            ],
        ),
        (
            "version: 1\nclients: [{id: a, \"no such\\nkey\": 1, secret: null, metadata: null}]\nidentity_headers: {\"a.b\": [1]}",
            &[
                "clients[0] (line 2, column 19): there is no key \"no such\\nkey\" here; the keys are id, tenant, scopes, enabled, metadata, api_keys, secret",
                "identity_headers.\"a.b\" (line 3, column 27): expected a CEL expression, found a list",
            ],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(shown(text), *expected, "{text}");
    }
}
