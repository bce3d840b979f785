//! Many tokens, all different.

use std::io::{Read, Write};

use anyhow::{Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::json;

type Sign = Box<dyn Fn(&[u8]) -> Result<Vec<u8>>>;

pub fn run(algorithm: &str, count: u32) -> Result<()> {
    let mut key = Vec::new();
    std::io::stdin().read_to_end(&mut key)?;
    let sign = signer(algorithm, &key)?;
    let header = json!({"alg": algorithm, "kid": "a", "typ": "JWT"}).to_string();
    let mut out = std::io::stdout().lock();
    for number in 0..count {
        // As large as an access token of a common provider. From 2026 to 2100.
        let claims = json!({
            "iss": "https://idp.example.com",
            "aud": "https://api.example.com",
            "sub": format!("user-{number:08}"),
            "client_id": "orders-app",
            "iat": 1_767_225_600,
            "exp": 4_102_444_800_u64,
            "jti": format!("6f1d0c7e-53b0-4f0a-9d5e-{number:012x}"),
            "scope": "orders:read orders:write",
            "tenant": "acme",
        });
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = sign(text.as_bytes())?;
        writeln!(out, "{text}.{}", URL_SAFE_NO_PAD.encode(signature))?;
    }
    Ok(())
}

fn signer(algorithm: &str, key: &[u8]) -> Result<Sign> {
    let random = SystemRandom::new();
    Ok(match algorithm {
        "HS256" => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            Box::new(move |text| Ok(hmac::sign(&key, text).as_ref().to_vec()))
        }
        "ES256" => {
            let der = pem(key)?;
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random)
                .map_err(|error| anyhow!("the ES256 key: {error}"))?;
            Box::new(move |text| {
                let signature = key.sign(&random, text);
                Ok(signature.map_err(|_| anyhow!("signing"))?.as_ref().to_vec())
            })
        }
        "RS256" => {
            let der = pem(key)?;
            let key =
                RsaKeyPair::from_pkcs8(&der).map_err(|error| anyhow!("the RS256 key: {error}"))?;
            Box::new(move |text| {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .map_err(|_| anyhow!("signing"))?;
                Ok(signature)
            })
        }
        _ => bail!("{algorithm}: it mints HS256, ES256 and RS256"),
    })
}

fn pem(text: &[u8]) -> Result<Vec<u8>> {
    let (_, der) = pem_rfc7468::decode_vec(text).map_err(|error| anyhow!("the key: {error}"))?;
    Ok(der)
}
