//! ECDSA on the three curves of RFC 7518 §3.4.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Encode};
use p256::ecdsa::signature::Verifier;

use super::comb::{self, Counted};
use super::der::{EC_PUBLIC_KEY, Spki, two_integers};
use crate::jose::verify::HostVerifier;
use crate::jose::{Algorithm, KeyError};

/// A point on one of the curves, with the form in which a host takes it.
pub(super) struct EcKey {
    point: Point,
    /// x and y, each as long as a coordinate.
    coordinates: Vec<u8>,
    spki: Vec<u8>,
}

enum Point {
    P256(P256Key),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

/// A point on P-256, with its table once that is worth its making.
struct P256Key {
    key: p256::ecdsa::VerifyingKey,
    /// Whether a signature was proven without the table. A forger proves none, so no flood of forged
    /// tokens takes the tables from the keys that are in use.
    proven: AtomicBool,
    table: OnceLock<Counted>,
}

impl P256Key {
    fn new(key: p256::ecdsa::VerifyingKey) -> Self {
        Self {
            key,
            proven: AtomicBool::new(false),
            table: OnceLock::new(),
        }
    }

    /// A key that proves one signature only never gets a table.
    fn verify(&self, text: &[u8], signature: &p256::ecdsa::Signature) -> bool {
        if let Some(table) = self.table() {
            return comb::verify(table.comb(), text, signature);
        }
        let good = self.key.verify(text, signature).is_ok();
        if good {
            self.proven.store(true, Ordering::Relaxed);
        }
        good
    }

    fn table(&self) -> Option<&Counted> {
        if self.table.get().is_none() && self.proven.load(Ordering::Relaxed) {
            let table = Counted::new(&self.key.as_affine().into())?;
            // Where another thread was faster, its table stays.
            let _ = self.table.set(table);
        }
        self.table.get()
    }
}

#[derive(Clone, Copy)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    pub(super) fn from_parameters(parameters: AnyRef<'_>) -> Option<Self> {
        let oid: ObjectIdentifier = parameters.decode_as().ok()?;
        Self::ALL.into_iter().find(|curve| curve.oid() == oid)
    }

    fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
            Self::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
            Self::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        }
    }

    /// Length of a coordinate, and of r and s, in bytes.
    fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl EcKey {
    /// From the two coordinates of a JWK (RFC 7518 §6.2.1).
    pub(super) fn from_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        if x.len() != curve.size() || y.len() != curve.size() {
            return Err(KeyError::new(format!(
                "x and y must have {} bytes each on {}",
                curve.size(),
                curve.name()
            )));
        }
        Self::from_sec1(curve, &[&[4], x, y].concat())
    }

    /// From an encoded point (SEC 1 §2.3.3, RFC 5480 §2.2), compressed or not.
    pub(super) fn from_sec1(curve: Curve, bytes: &[u8]) -> Result<Self, KeyError> {
        let off_curve = |_| KeyError::new(format!("the key is no point on {}", curve.name()));
        let (point, sec1) = match curve {
            Curve::P256 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(off_curve)?;
                (
                    Point::P256(P256Key::new(key)),
                    key.to_sec1_point(false).as_bytes().to_vec(),
                )
            }
            Curve::P384 => {
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(off_curve)?;
                (
                    Point::P384(key),
                    key.to_sec1_point(false).as_bytes().to_vec(),
                )
            }
            Curve::P521 => {
                let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(off_curve)?;
                (
                    Point::P521(key),
                    key.to_sec1_point(false).as_bytes().to_vec(),
                )
            }
        };
        let oid = curve.oid().to_der();
        let spki = oid.and_then(|oid| {
            let spki = Spki {
                algorithm: EC_PUBLIC_KEY,
                parameters: Some(AnyRef::from_der(&oid)?),
                key: &sec1,
            };
            spki.to_der()
        });
        Ok(Self {
            point,
            coordinates: sec1.get(1..).unwrap_or_default().to_vec(),
            spki: spki.map_err(|_| KeyError::new("the EC key can't be written as DER"))?,
        })
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self.point {
            Point::P256(_) => Algorithm::Es256,
            Point::P384(_) => Algorithm::Es384,
            Point::P521(_) => Algorithm::Es512,
        }
    }

    pub(super) fn curve(&self) -> &'static str {
        self.curve_of().name()
    }

    fn curve_of(&self) -> Curve {
        match self.point {
            Point::P256(_) => Curve::P256,
            Point::P384(_) => Curve::P384,
            Point::P521(_) => Curve::P521,
        }
    }

    /// `signature` is r‖s in exactly twice the length of a coordinate (RFC 7518 §3.4). `from_slice`
    /// refuses other lengths, zero, and what isn't below the group's order, before a host is asked.
    pub(super) fn verify(&self, text: &[u8], signature: &[u8], host: &dyn HostVerifier) -> bool {
        match &self.point {
            Point::P256(key) => p256::ecdsa::Signature::from_slice(signature).is_ok_and(|parsed| {
                self.ask(host, text, signature)
                    .unwrap_or_else(|| key.verify(text, &parsed))
            }),
            Point::P384(key) => p384::ecdsa::Signature::from_slice(signature).is_ok_and(|parsed| {
                self.ask(host, text, signature)
                    .unwrap_or_else(|| key.verify(text, &parsed).is_ok())
            }),
            Point::P521(key) => p521::ecdsa::Signature::from_slice(signature).is_ok_and(|parsed| {
                self.ask(host, text, signature)
                    .unwrap_or_else(|| key.verify(text, &parsed).is_ok())
            }),
        }
    }

    fn ask(&self, host: &dyn HostVerifier, text: &[u8], signature: &[u8]) -> Option<bool> {
        let (r, s) = signature.split_at_checked(self.curve_of().size())?;
        let der = two_integers(r, s).ok()?;
        host.verify_signature(self.algorithm().hash().name(), &self.spki, &der, text)
    }

    pub(super) fn canonical_jwk(&self) -> String {
        let curve = self.curve_of();
        let (x, y) = self
            .coordinates
            .split_at_checked(curve.size())
            .unwrap_or_default();
        format!(
            r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
            curve.name(),
            URL_SAFE_NO_PAD.encode(x),
            URL_SAFE_NO_PAD.encode(y)
        )
    }
}

#[cfg(test)]
impl EcKey {
    /// An ES256 verdict without the table and with it.
    pub(super) fn verify_both_ways(&self, text: &[u8], signature: &[u8]) -> Option<[bool; 2]> {
        thread_local! {
            /// The last key's table, for tests ask many times about one.
            static LAST: std::cell::RefCell<(Vec<u8>, Option<comb::Comb>)> = const {
                std::cell::RefCell::new((Vec::new(), None))
            };
        }

        let Point::P256(point) = &self.point else {
            return None;
        };
        let Ok(signature) = p256::ecdsa::Signature::from_slice(signature) else {
            return Some([false, false]);
        };
        LAST.with_borrow_mut(|(coordinates, table)| {
            if *coordinates != self.coordinates {
                *coordinates = self.coordinates.clone();
                *table = None;
            }
            let table = table.get_or_insert_with(|| comb::Comb::new(&point.key.as_affine().into()));
            let plain = point.key.verify(text, &signature).is_ok();
            Some([plain, comb::verify(table, text, &signature)])
        })
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Signer;

    use super::*;
    use crate::jose::NoHost;

    #[test]
    fn a_key_gets_its_table_once_it_has_proven_a_signature() {
        let private = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let public = private.verifying_key().to_sec1_point(false);
        let key = EcKey::from_sec1(Curve::P256, public.as_bytes()).unwrap();
        let signature: p256::ecdsa::Signature = private.sign(b"text");
        let has_table = |key: &EcKey| match &key.point {
            Point::P256(point) => point.table.get().is_some(),
            _ => false,
        };
        let verify = |text: &[u8]| key.verify(text, &signature.to_bytes(), &NoHost);
        for _ in 0..3 {
            assert!(!verify(b"another text"));
            assert!(!has_table(&key));
        }
        assert!(verify(b"text"));
        assert!(!has_table(&key));
        assert!(verify(b"text"));
        assert!(has_table(&key));
        assert!(verify(b"text"));
        assert!(!verify(b"another text"));
    }
}
