//! RSA signatures of RFC 8017: the public power by `crypto-bigint`, the paddings here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use der::asn1::AnyRef;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::der::{RSA_ENCRYPTION, Spki, two_integers};
use crate::jose::verify::HostVerifier;
use crate::jose::{Hash, KeyError, MAX_SIGNATURE_LEN};

/// Least length of a modulus in bits (RFC 7518 §3.3, §3.5).
const MIN_BITS: usize = 2048;

/// Greatest length of a modulus in bits: a check takes time with the square of it, and one of 8192
/// already sixteen times that of the usual key.
const MAX_BITS: usize = 8 * MAX_SIGNATURE_LEN;

/// Least public exponent (FIPS 186-5 §5.4: above 2^16, so 65537 is the first).
const MIN_EXPONENT: u64 = 65_537;

/// Greatest length of a public exponent in bits, as in BoringSSL: a longer one only costs time.
const MAX_EXPONENT_BITS: u32 = 33;

pub(super) struct RsaKey {
    modulus: Vec<u8>,
    exponent: u64,
    params: BoxedMontyParams,
    spki: Vec<u8>,
}

impl RsaKey {
    /// From modulus and exponent, big-endian in as few bytes as possible.
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        if modulus.first() == Some(&0) || exponent.first() == Some(&0) {
            return Err(KeyError::new(
                "the RSA modulus or exponent begins with a zero byte",
            ));
        }
        let bits = bit_len(modulus);
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(KeyError::new(format!(
                "the RSA key has {bits} bits; it needs at least {MIN_BITS} and at most {MAX_BITS}"
            )));
        }
        let spki = spki(modulus, exponent);
        let exponent = short_integer(exponent)
            .filter(|e| *e >= MIN_EXPONENT && e % 2 == 1 && e.ilog2() < MAX_EXPONENT_BITS)
            .ok_or_else(|| {
                KeyError::new(
                    "the RSA exponent must be odd, at least 65537 and at most 33 bits long",
                )
            })?;
        let odd = Odd::new(BoxedUint::from_be_slice_vartime(modulus)).into_option();
        let odd = odd.ok_or_else(|| KeyError::new("the RSA modulus is even"))?;
        Ok(Self {
            modulus: modulus.to_vec(),
            exponent,
            params: BoxedMontyParams::new_vartime(odd),
            spki: spki.map_err(|_| KeyError::new("the RSA key can't be written as DER"))?,
        })
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    pub(super) fn params(&self) -> &BoxedMontyParams {
        &self.params
    }

    pub(super) fn bits(&self) -> usize {
        bit_len(&self.modulus)
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.2): the expected encoding is made and compared, so there is
    /// no parser for a forger to lead astray.
    pub(super) fn verify_pkcs1(
        &self,
        hash: Hash,
        text: &[u8],
        signature: &[u8],
        host: &dyn HostVerifier,
    ) -> bool {
        if !self.is_representative(signature) {
            return false;
        }
        if let Some(verdict) = host.verify_signature(hash.name(), &self.spki, signature, text) {
            return verdict;
        }
        let expected = self.encode_pkcs1(hash, text);
        let found = self.power(signature);
        expected.is_some() && found == expected
    }

    /// What an RSASSA-PKCS1-v1_5 signature of `text` is the power of (RFC 8017 §9.2).
    pub(super) fn encode_pkcs1(&self, hash: Hash, text: &[u8]) -> Option<Vec<u8>> {
        let len = self.modulus.len();
        match hash {
            Hash::Sha256 => pkcs1_encoding(&SHA256_INFO, &Sha256::digest(text), len),
            Hash::Sha384 => pkcs1_encoding(&SHA384_INFO, &Sha384::digest(text), len),
            Hash::Sha512 => pkcs1_encoding(&SHA512_INFO, &Sha512::digest(text), len),
        }
    }

    /// RSASSA-PSS (RFC 8017 §8.1.2) with MGF1 of the same hash and a salt of its length
    /// (RFC 7518 §3.5).
    pub(super) fn verify_pss(&self, hash: Hash, text: &[u8], signature: &[u8]) -> bool {
        if !self.is_representative(signature) {
            return false;
        }
        let Some(encoded) = self.power(signature) else {
            return false;
        };
        let bits = self.bits().saturating_sub(1);
        let verdict = match hash {
            Hash::Sha256 => pss_is_consistent::<Sha256>(&encoded, bits, text),
            Hash::Sha384 => pss_is_consistent::<Sha384>(&encoded, bits, text),
            Hash::Sha512 => pss_is_consistent::<Sha512>(&encoded, bits, text),
        };
        verdict.unwrap_or(false)
    }

    /// Exactly as long as the modulus, and below it (RFC 8017 §5.2.2): else one signature would
    /// have several spellings. Of two numbers of one length the bytes decide.
    fn is_representative(&self, signature: &[u8]) -> bool {
        signature.len() == self.modulus.len() && signature < self.modulus.as_slice()
    }

    /// RSAVP1 (RFC 8017 §5.2.2), as long as the modulus. Nothing in it is secret, so the time it
    /// takes may depend on what it works on.
    fn power(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let base = BoxedUint::from_be_slice(signature, self.params.bits_precision()).ok()?;
        let base = BoxedMontyForm::new(base, &self.params);
        let mut power = base.clone();
        for bit in (0..self.exponent.ilog2()).rev() {
            power = power.square();
            if self.exponent >> bit & 1 == 1 {
                power = power.mul(&base);
            }
        }
        let bytes = power.retrieve().to_be_bytes();
        let padding = bytes.len().checked_sub(self.modulus.len())?;
        bytes.get(padding..).map(<[u8]>::to_vec)
    }

    pub(super) fn canonical_jwk(&self) -> String {
        let e = self.exponent.to_be_bytes();
        let zeros = (self.exponent.leading_zeros() / 8) as usize;
        format!(
            r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
            URL_SAFE_NO_PAD.encode(e.get(zeros..).unwrap_or_default()),
            URL_SAFE_NO_PAD.encode(&self.modulus)
        )
    }
}

fn spki(modulus: &[u8], exponent: &[u8]) -> der::Result<Vec<u8>> {
    let spki = Spki {
        algorithm: RSA_ENCRYPTION,
        parameters: Some(AnyRef::NULL),
        key: &two_integers(modulus, exponent)?,
    };
    spki.to_der()
}

fn bit_len(bytes: &[u8]) -> usize {
    let zeros = bytes
        .first()
        .map_or(0, |byte| byte.leading_zeros() as usize);
    (bytes.len() * 8).saturating_sub(zeros)
}

fn short_integer(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > size_of::<u64>() {
        return None;
    }
    Some(
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

// DigestInfo up to the digest itself (RFC 8017 §9.2, note 1).
const SHA256_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];
const SHA384_INFO: [u8; 19] = [
    0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05,
    0x00, 0x04, 0x30,
];
const SHA512_INFO: [u8; 19] = [
    0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05,
    0x00, 0x04, 0x40,
];

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2): 0, 1, at least eight 255, 0, DigestInfo.
fn pkcs1_encoding(info: &[u8], digest: &[u8], len: usize) -> Option<Vec<u8>> {
    let fill = len.checked_sub(3 + info.len() + digest.len())?;
    if fill < 8 {
        return None;
    }
    let fill = vec![0xff; fill];
    Some([&[0, 1], fill.as_slice(), &[0], info, digest].concat())
}

/// EMSA-PSS-VERIFY (RFC 8017 §9.1.2). `None` and false both mean inconsistent.
fn pss_is_consistent<D: Digest>(encoded: &[u8], bits: usize, text: &[u8]) -> Option<bool> {
    let hash_len = <D as Digest>::output_size();
    let salt_len = hash_len;
    // Where the modulus has a bit more than whole bytes, its first byte is beyond the encoding.
    let len = bits.div_ceil(8);
    let (beyond, encoded) = encoded.split_at_checked(encoded.len().checked_sub(len)?)?;
    let (masked, rest) = encoded.split_at_checked(len.checked_sub(hash_len + 1)?)?;
    let (hash, trailer) = rest.split_at_checked(hash_len)?;
    let unused = !(0xff_u8 >> (8 * len - bits));
    if beyond.iter().any(|byte| *byte != 0) || trailer != [0xbc] || masked.first()? & unused != 0 {
        return Some(false);
    }
    let mut data: Vec<u8> = mgf1::<D>(hash, masked.len())
        .iter()
        .zip(masked)
        .map(|(mask, byte)| mask ^ byte)
        .collect();
    *data.first_mut()? &= !unused;
    let (padding, salt) = data.split_at_checked(data.len().checked_sub(salt_len)?)?;
    let (one, zeros) = padding.split_last()?;
    if *one != 1 || zeros.iter().any(|byte| *byte != 0) {
        return Some(false);
    }
    let expected = D::new()
        .chain_update([0; 8])
        .chain_update(D::digest(text))
        .chain_update(salt)
        .finalize();
    Some(expected.as_slice() == hash)
}

/// MGF1 (RFC 8017 appendix B.2.1).
fn mgf1<D: Digest>(seed: &[u8], len: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(len + <D as Digest>::output_size());
    let mut counter = 0_u32;
    while mask.len() < len {
        let block = D::new()
            .chain_update(seed)
            .chain_update(counter.to_be_bytes());
        mask.extend_from_slice(&block.finalize());
        counter = counter.saturating_add(1);
    }
    mask.truncate(len);
    mask
}
