//! The few ASN.1 structures around keys and signatures.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode, Reader, SliceReader, Tag};

pub(super) const RSA_ENCRYPTION: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const EC_PUBLIC_KEY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// SubjectPublicKeyInfo (RFC 5280 §4.1).
pub(super) struct Spki<'a> {
    pub(super) algorithm: ObjectIdentifier,
    pub(super) parameters: Option<AnyRef<'a>>,
    pub(super) key: &'a [u8],
}

/// AlgorithmIdentifier (RFC 5280 §4.1.1.2).
pub(super) struct Algorithm<'a> {
    pub(super) algorithm: ObjectIdentifier,
    pub(super) parameters: Option<AnyRef<'a>>,
}

impl<'a> Algorithm<'a> {
    pub(super) fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        reader.sequence(|identifier: &mut SliceReader<'a>| {
            Ok(Self {
                algorithm: ObjectIdentifier::decode(identifier)?,
                parameters: Option::<AnyRef<'a>>::decode(identifier)?,
            })
        })
    }
}

impl<'a> Spki<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let spki = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(spki)
    }

    /// The key of a certificate (RFC 5280 §4.1). Its other fields are skipped: nothing hangs on them.
    pub(super) fn parse_certificate(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let spki = reader.sequence(|certificate: &mut SliceReader<'a>| {
            let spki = certificate.sequence(Self::read_tbs)?;
            // signatureAlgorithm, signatureValue
            AnyRef::decode(certificate)?;
            AnyRef::decode(certificate)?;
            Ok::<_, der::Error>(spki)
        })?;
        reader.finish()?;
        Ok(spki)
    }

    fn read_tbs(tbs: &mut SliceReader<'a>) -> der::Result<Self> {
        if Tag::peek(tbs)? != Tag::Integer {
            AnyRef::decode(tbs)?; // [0] version
        }
        // serialNumber, signature, issuer, validity, subject
        for _ in 0..5 {
            AnyRef::decode(tbs)?;
        }
        let spki = Self::read(tbs)?;
        tbs.drain(tbs.remaining_len())?;
        Ok(spki)
    }

    fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        reader.sequence(|spki: &mut SliceReader<'a>| {
            let Algorithm {
                algorithm,
                parameters,
            } = Algorithm::read(spki)?;
            let key = BitStringRef::decode(spki)?;
            let key = key.as_bytes().ok_or(Tag::BitString.value_error())?;
            Ok(Self {
                algorithm,
                parameters,
                key,
            })
        })
    }

    pub(super) fn to_der(&self) -> der::Result<Vec<u8>> {
        let parameters = self.parameters.as_ref().map(AnyRef::to_der).transpose()?;
        sequence(&[
            sequence(&[self.algorithm.to_der()?, parameters.unwrap_or_default()])?,
            BitStringRef::from_bytes(self.key)?.to_der()?,
        ])
    }
}

/// RSAPublicKey (RFC 8017 appendix A.1.1) and ECDSA-Sig-Value (RFC 3279 §2.2.3) are both this:
/// two unsigned integers, written in as few bytes as possible.
pub(super) fn two_integers(first: &[u8], second: &[u8]) -> der::Result<Vec<u8>> {
    sequence(&[
        UintRef::new(first)?.to_der()?,
        UintRef::new(second)?.to_der()?,
    ])
}

/// Modulus and exponent of an RSAPublicKey, big-endian without leading zeros.
pub(super) fn read_two_integers(bytes: &[u8]) -> der::Result<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(bytes)?;
    let (first, second) = reader.sequence(|pair: &mut SliceReader<'_>| {
        Ok::<_, der::Error>((UintRef::decode(pair)?, UintRef::decode(pair)?))
    })?;
    reader.finish()?;
    Ok((first.as_bytes(), second.as_bytes()))
}

fn sequence(parts: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    AnyRef::new(Tag::Sequence, &parts.concat())?.to_der()
}
