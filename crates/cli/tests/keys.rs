//! `hash-key`, `new-key`, `new-client`, `fingerprint`, `jwks`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong panics"
)]

mod common;

use common::{doorward, output, repository};
use serde_json::Value;

fn pem(name: &str) -> String {
    repository(&format!("crates/core/src/jose/tests/pem/{name}.pem"))
}

fn json(arguments: &[&str], input: &str) -> Value {
    serde_json::from_str(&output(arguments, input)).unwrap()
}

#[test]
fn a_key_is_hashed_without_its_line_end() {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n";
    for input in ["test", "test\n", "test\r\nmore\n"] {
        assert_eq!(output(&["hash-key"], input), digest);
    }
    assert_eq!(doorward(&["hash-key"], "").code, 2);
}

#[test]
fn a_new_key_has_its_shape_and_its_digest() {
    use doorward_core::credentials::key_shape::{Shape, shape};
    let made = json(&["new-key", "--prefix", "ak_live_", "--json"], "");
    let key = made["key"].as_str().unwrap();
    assert_eq!(shape("ak_live_", key), Shape::Whole);
    assert_eq!(output(&["hash-key"], key).trim(), made["sha256"]);
    assert_ne!(
        json(&["new-key", "--json"], "")["key"],
        json(&["new-key", "--json"], "")["key"]
    );
    let text = output(
        &[
            "new-key",
            "--id",
            "k: 1",
            "--expires",
            "2027-06-30T00:00:00Z",
        ],
        "",
    );
    assert!(text.contains(r#"{id: "k: 1", sha256: "#), "{text}");
    assert!(text.contains(", expires: 2027-06-30T00:00:00Z}"), "{text}");
    for wrong in [["--prefix", "a b"], ["--expires", "tomorrow"]] {
        assert_eq!(doorward(&["new-key", wrong[0], wrong[1]], "").code, 2);
    }
}

#[test]
fn a_new_client_fits_into_a_policy() {
    for (signs, environment) in [(false, false), (true, true)] {
        let mut arguments = vec![
            "new-client",
            "--id",
            "shop: 1",
            "--tenant",
            "acme",
            "--scope",
            "a",
            "--scope",
            "b",
        ];
        if signs {
            arguments.extend(["--signs", "SHOP_SECRET"]);
        }
        let text = output(&arguments, "");
        let (_, client) = text.split_once("for `clients` in the policy:\n").unwrap();
        let policy = format!(
            "version: 1\nclients:\n{client}rules:\n  - {{match: {{path: /x}}, authenticate: none}}\n"
        );
        let secret = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("secret:"))
            .unwrap()
            .trim();
        let variable = format!("SHOP_SECRET={secret}");
        assert_eq!(text.contains(&variable), environment);
        let run = doorward(&["check", "-", "--env", &variable], &policy);
        assert_eq!(run.code, 0, "{policy}{run:?}");
    }
    let made = json(&["new-client", "--json"], "");
    assert!(made["id"].as_str().unwrap().starts_with("c-"));
    assert_eq!(
        output(&["hash-key"], made["secret"].as_str().unwrap()).trim(),
        made["sha256"]
    );
}

/// What `openssl pkey -pubin -outform DER | sha256sum` and `ssh-keygen -l` say of the same keys.
const FINGERPRINTS: [(&str, &str, &str); 5] = [
    (
        "rsa.pub",
        "824e575878cb9b7a7be589bf8980c2467d3f92513156b0cc2a558dc154be76f6",
        "SHA256:b/G8XpGmgNYknZjoqPqIAw3+9JiBB++jAQU2ZWimGGM",
    ),
    (
        "p256.pub",
        "4c1d079595f4386e077fd93afa44280e6f5d5a1d526e849bcb2acddb495d7cf5",
        "SHA256:Fk90c8PHanHzYfUu4Yu+IREh/xL/IrwwBA4J5IRWcWE",
    ),
    (
        "p384.pub",
        "bd0e0e44febfccabd510490318865d745d8ca37eabcaa89039a45c480fd016aa",
        "SHA256:0zK/ziTzDFqSTzEcZQWCFL+viJbEer6tjNW0LUXq/tk",
    ),
    (
        "p521.pub",
        "d3e53d3803eeb05e18b2d89905d036c44ca51b9d99a2a2dc4dbfc508f3ad0218",
        "SHA256:ynC3KCckvoB1/QPmHO1WgFV8UnIARcFb5HpNB+LFCq4",
    ),
    (
        "ed25519.pub",
        "59ca17b949272b20ca6c060a238140873d314ff1ed1dddd805225445cd6f1625",
        "SHA256:SVtAxt9/UY8ITsDiGzrhgY9t22st1km0LBt7squFOag",
    ),
];

#[test]
fn fingerprints_are_those_of_other_tools() {
    for (name, spki, openssh) in FINGERPRINTS {
        let prints = &json(&["fingerprint", "--json", &pem(name)], "")[0];
        assert_eq!(prints["spki_sha256_hex"], spki, "{name}");
        assert_eq!(prints["openssh"], openssh, "{name}");
    }
}

#[test]
fn one_key_has_one_fingerprint_in_every_form() {
    let table = json(&["jwks", &pem("p256.pub")], "");
    let jwk = table["keys"][0].to_string();
    let forms = [
        output(&["fingerprint", &pem("p256.pub")], ""),
        output(&["fingerprint", &pem("p256.cert")], ""),
        output(&["fingerprint"], &jwk),
        output(&["fingerprint", "-"], &table.to_string()),
    ];
    assert!(forms.iter().all(|form| *form == forms[0]), "{forms:?}");
    assert!(forms[0].contains(table["keys"][0]["kid"].as_str().unwrap()));
}

#[test]
fn what_has_no_public_key_is_refused() {
    for (file, named) in [
        (pem("rsa"), "private key"),
        (pem("rsa1024.pub"), "1024 bits"),
        (pem("ed448.pub"), "another kind"),
        (repository("Cargo.toml"), "no key"),
        (repository("no-such-file"), "No such file"),
    ] {
        for command in ["fingerprint", "jwks"] {
            let run = doorward(&[command, &file], "");
            assert_eq!(run.code, 2, "{command} {file}");
            assert!(run.stderr.contains(named), "{}", run.stderr);
        }
    }
    let secret = r#"{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    for command in ["fingerprint", "jwks"] {
        let run = doorward(&[command, "-"], secret);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
        assert!(!run.stderr.contains("AyM1"));
    }
}

#[test]
fn a_set_has_every_key_with_its_id() {
    let set = json(
        &[
            "jwks",
            &pem("p256.pub"),
            &pem("rsa.cert"),
            &pem("ed25519.pub"),
        ],
        "",
    );
    let keys = set["keys"].as_array().unwrap();
    let kinds: Vec<_> = keys
        .iter()
        .map(|key| key["kty"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["EC", "RSA", "OKP"]);
    assert!(
        keys.iter()
            .all(|key| key["use"] == "sig" && key["d"].is_null())
    );
    let one = json(
        &[
            "jwks",
            "--kid",
            "k1",
            "--algorithm",
            "PS256",
            &pem("rsa.pub"),
        ],
        "",
    );
    assert_eq!(
        (&one["keys"][0]["kid"], &one["keys"][0]["alg"]),
        (&"k1".into(), &"PS256".into())
    );
    for wrong in [
        vec!["jwks", "--algorithm", "ES256", &pem("rsa.pub")],
        vec!["jwks", "--algorithm", "none", &pem("rsa.pub")],
        vec!["jwks", "--kid", "k1", &pem("rsa.pub"), &pem("p256.pub")],
        vec!["jwks"],
    ] {
        assert_eq!(doorward(&wrong, "").code, 2, "{wrong:?}");
    }
}
