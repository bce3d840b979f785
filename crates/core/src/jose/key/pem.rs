//! Public keys in PEM (RFC 7468).

use super::der::{EC_PUBLIC_KEY, ED25519, RSA_ENCRYPTION, Spki, read_two_integers};
use super::ec::{Curve, EcKey};
use super::ed::EdKey;
use super::rsa::RsaKey;
use super::{KeyError, Material};

/// Length that a PEM text may have, in bytes: certificates with long chains stay below.
pub(super) const MAX_LEN: usize = 64 * 1024;

const END: &str = "-----END ";

pub(super) fn parse(text: &str) -> Result<Material, KeyError> {
    if text.len() > MAX_LEN {
        return Err(KeyError::new(format!(
            "the PEM text is longer than {MAX_LEN} bytes"
        )));
    }
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyError::new(
            "this is a private key, and only its public key belongs here: \
             `openssl pkey -pubout` writes it",
        ));
    }
    let broken = |_| KeyError::new("no PEM block `PUBLIC KEY` or `CERTIFICATE` can be read");
    let block = first_block(text);
    let (label, der) = pem_rfc7468::Decoder::new_detect_wrap(block.as_bytes())
        .and_then(|mut decoder| {
            let mut der = Vec::new();
            decoder.decode_to_end(&mut der)?;
            Ok((decoder.type_label(), der))
        })
        .map_err(broken)?;
    let spki = match label {
        "PUBLIC KEY" => Spki::parse(&der),
        "CERTIFICATE" => Spki::parse_certificate(&der),
        "RSA PUBLIC KEY" => {
            return Err(KeyError::new(
                "`RSA PUBLIC KEY` is the older form of PKCS#1: \
                 `openssl rsa -RSAPublicKey_in -pubout` writes the one that is read here",
            ));
        }
        _ => {
            return Err(KeyError::new(
                "the PEM block is neither `PUBLIC KEY` nor `CERTIFICATE`",
            ));
        }
    };
    let spki = spki.map_err(|_| KeyError::new(format!("the DER inside the {label} is broken")))?;
    from_spki(&spki)
}

/// Up to the end of the first block: more may follow it, as in a certificate's chain.
pub(super) fn first_block(text: &str) -> &str {
    let end = text.find(END).and_then(|at| {
        let line = text.get(at..)?;
        Some(at + line.find('\n').map_or(line.len(), |newline| newline + 1))
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

fn from_spki(spki: &Spki<'_>) -> Result<Material, KeyError> {
    match (spki.algorithm, spki.parameters) {
        (RSA_ENCRYPTION, Some(parameters)) if parameters.is_null() => {
            let (modulus, exponent) = read_two_integers(spki.key)
                .map_err(|_| KeyError::new("the RSA key inside is broken"))?;
            Ok(Material::Rsa(Box::new(RsaKey::new(modulus, exponent)?)))
        }
        (EC_PUBLIC_KEY, Some(parameters)) => {
            let curve = Curve::from_parameters(parameters).ok_or_else(|| {
                KeyError::new("the EC key is on another curve than P-256, P-384, P-521")
            })?;
            Ok(Material::Ec(Box::new(EcKey::from_sec1(curve, spki.key)?)))
        }
        (ED25519, None) => Ok(Material::Ed(Box::new(EdKey::new(spki.key)?))),
        _ => Err(KeyError::new(
            "the key is of another kind than RSA, EC and Ed25519",
        )),
    }
}
