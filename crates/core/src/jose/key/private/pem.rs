//! Private keys in PEM (RFC 7468).

use der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use zeroize::Zeroizing;

use super::PrivateKey;
use crate::jose::KeyError;
use crate::jose::key::Key;
use crate::jose::key::der::{Algorithm, EC_PUBLIC_KEY, ED25519, RSA_ENCRYPTION};
use crate::jose::key::ec::{Curve, EcKey};
use crate::jose::key::pem::MAX_LEN;

const BEGIN: &str = "-----BEGIN ";

pub(super) fn parse(text: &str) -> Result<PrivateKey, KeyError> {
    if text.len() > MAX_LEN {
        return Err(KeyError::new(format!(
            "the PEM text is longer than {MAX_LEN} bytes"
        )));
    }
    if text.contains("ENCRYPTED") {
        return Err(KeyError::new(
            "the private key is encrypted: `openssl pkey` writes it without a password",
        ));
    }
    // Others may stand before it: `openssl ecparam -genkey` writes the curve first.
    let block = text
        .match_indices(BEGIN)
        .filter_map(|(at, _)| text.get(at..))
        .find(|block| {
            let label = block.lines().next().unwrap_or_default();
            label.ends_with("PRIVATE KEY-----")
        });
    let Some(block) = block else {
        return Err(KeyError::new(match text.contains(BEGIN) {
            true => "this PEM holds no private key, and only one can sign",
            false => "no PEM block `PRIVATE KEY` can be read",
        }));
    };
    let block = crate::jose::key::pem::first_block(block);
    let mut der = Zeroizing::new(Vec::new());
    let label = pem_rfc7468::Decoder::new_detect_wrap(block.as_bytes())
        .and_then(|mut decoder| {
            decoder.decode_to_end(&mut der)?;
            Ok(decoder.type_label())
        })
        .map_err(|_| KeyError::new("no PEM block `PRIVATE KEY` can be read"))?;
    match label {
        "PRIVATE KEY" => pkcs8(&der),
        "EC PRIVATE KEY" => sec1(&der, None),
        "RSA PRIVATE KEY" => pkcs1(&der),
        _ => Err(KeyError::new(
            "the PEM block is none of `PRIVATE KEY`, `EC PRIVATE KEY` and `RSA PRIVATE KEY`",
        )),
    }
}

fn broken(_: der::Error) -> KeyError {
    KeyError::new("the DER inside the private key is broken")
}

/// PrivateKeyInfo (RFC 5208 §5) and OneAsymmetricKey (RFC 5958 §2).
fn pkcs8(bytes: &[u8]) -> Result<PrivateKey, KeyError> {
    let (algorithm, key) = whole(bytes, |info| {
        UintRef::decode(info)?;
        let algorithm = Algorithm::read(info)?;
        let key = <&OctetStringRef>::decode(info)?.as_bytes();
        // Attributes, and a public key that is told by the private one.
        info.drain(info.remaining_len())?;
        Ok((algorithm, key))
    })?;
    match (algorithm.algorithm, algorithm.parameters) {
        (RSA_ENCRYPTION, Some(parameters)) if parameters.is_null() => pkcs1(key),
        (EC_PUBLIC_KEY, Some(parameters)) => sec1(key, Some(parameters)),
        (ED25519, None) => {
            let seed = <&OctetStringRef>::from_der(key).map_err(broken)?;
            PrivateKey::from_seed(seed.as_bytes())
        }
        _ => Err(KeyError::new(
            "the key is of another kind than RSA, EC and Ed25519",
        )),
    }
}

/// ECPrivateKey (RFC 5915 §3); its curve is said around it, inside, or both.
fn sec1(bytes: &[u8], around: Option<AnyRef<'_>>) -> Result<PrivateKey, KeyError> {
    let (scalar, inside, point) = whole(bytes, |key| {
        UintRef::decode(key)?;
        let scalar = <&OctetStringRef>::decode(key)?.as_bytes();
        let (mut curve, mut point) = (None, None);
        while !key.is_finished() {
            let field = AnyRef::decode(key)?;
            match field.tag() {
                Tag::ContextSpecific {
                    number: TagNumber(0),
                    ..
                } => curve = Some(AnyRef::from_der(field.value())?),
                Tag::ContextSpecific {
                    number: TagNumber(1),
                    ..
                } => point = BitStringRef::from_der(field.value())?.as_bytes(),
                tag => return Err(tag.value_error().into()),
            }
        }
        Ok((scalar, curve, point))
    })?;
    let parameters = around
        .or(inside)
        .ok_or_else(|| KeyError::new("the EC key doesn't say its curve"))?;
    let curve = Curve::from_parameters(parameters)
        .ok_or_else(|| KeyError::new("the EC key is on another curve than P-256 and P-384"))?;
    let key = PrivateKey::from_scalar(curve, scalar)?;
    if let Some(point) = point {
        let public = Key::new(super::Material::Ec(Box::new(EcKey::from_sec1(
            curve, point,
        )?)));
        if public.thumbprint() != key.key.thumbprint() {
            return Err(KeyError::new(
                "the private and the public half of the EC key don't belong together",
            ));
        }
    }
    Ok(key)
}

/// RSAPrivateKey (RFC 8017 appendix A.1.2), of which the primes and what belongs to them aren't
/// used.
fn pkcs1(bytes: &[u8]) -> Result<PrivateKey, KeyError> {
    let [modulus, exponent, private] = whole(bytes, |key| {
        UintRef::decode(key)?;
        let mut numbers = [&[][..]; 3];
        for number in &mut numbers {
            *number = UintRef::decode(key)?.as_bytes();
        }
        key.drain(key.remaining_len())?;
        Ok(numbers)
    })?;
    PrivateKey::from_rsa(modulus, exponent, private)
}

/// Reads one sequence that fills all of `bytes`.
fn whole<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut SliceReader<'a>) -> der::Result<T>,
) -> Result<T, KeyError> {
    let mut reader = SliceReader::new(bytes).map_err(broken)?;
    let value = reader.sequence(read).map_err(broken)?;
    reader.finish().map_err(broken)?;
    Ok(value)
}
