//! RSA signatures of RFC 8017, by the private exponent alone.
//!
//! The Chinese remainder theorem would take a quarter of the time, and 30 KB of the module. It is
//! also what makes a single faulty signature tell the primes.

use crypto_bigint::BoxedUint;
use crypto_bigint::modular::BoxedMontyForm;
use zeroize::Zeroize;

use crate::jose::key::rsa::RsaKey;
use crate::jose::{Hash, KeyError, NoHost};

/// What is signed once to see whether the parts of a key belong together.
const PROBE: &[u8] = b"doorward";

/// The private half of an RSA key.
pub(super) struct RsaPrivate(BoxedUint);

impl RsaPrivate {
    /// From the private exponent, big-endian.
    pub(super) fn new(exponent: &[u8], public: &RsaKey) -> Result<Self, KeyError> {
        let mismatch = || KeyError::new("the parts of the RSA key don't belong together");
        let bits = public.params().bits_precision();
        let exponent = BoxedUint::from_be_slice(exponent, bits).map_err(|_| mismatch())?;
        // A short one can be found (FIPS 186-5 appendix A.1.1). Whoever could time this loads the
        // policy.
        if exponent.bits_vartime() as usize <= public.bits() / 2 {
            return Err(KeyError::new("the RSA key's private exponent is too short"));
        }
        let private = Self(exponent);
        match private.sign_pkcs1(public, Hash::Sha256, PROBE) {
            Some(_) => Ok(private),
            None => Err(mismatch()),
        }
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.1). What doesn't verify never leaves: a faulty signature
    /// may tell of the key.
    pub(super) fn sign_pkcs1(&self, public: &RsaKey, hash: Hash, text: &[u8]) -> Option<Vec<u8>> {
        let encoded = public.encode_pkcs1(hash, text)?;
        let signature = self.power(public, &encoded)?;
        let proven = public.verify_pkcs1(hash, text, &signature, &NoHost);
        proven.then_some(signature)
    }

    /// RSASP1 (RFC 8017 §5.2.1), as long as `message`. The power takes a time that doesn't depend
    /// on the exponent.
    fn power(&self, public: &RsaKey, message: &[u8]) -> Option<Vec<u8>> {
        let params = public.params();
        let base = BoxedUint::from_be_slice(message, params.bits_precision()).ok()?;
        let power = BoxedMontyForm::new(base, params).pow(&self.0).retrieve();
        let bytes = power.to_be_bytes();
        let padding = bytes.len().checked_sub(message.len())?;
        bytes.get(padding..).map(<[u8]>::to_vec)
    }
}

impl Drop for RsaPrivate {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
