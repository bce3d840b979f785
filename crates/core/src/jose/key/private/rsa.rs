//! RSA signatures of RFC 8017, by the Chinese remainder theorem.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, ConcatenatingMul, Odd};
use zeroize::Zeroize;

use crate::jose::key::rsa::RsaKey;
use crate::jose::{Hash, KeyError, NoHost};

/// What is signed once to see whether the parts of a key belong together.
const PROBE: &[u8] = b"doorward";

/// The numbers of an RSAPrivateKey (RFC 8017 appendix A.1.2) that are used, big-endian without
/// leading zeros. The private exponent isn't among them: the others say it all.
pub(super) struct RsaParts<'a> {
    pub(super) modulus: &'a [u8],
    pub(super) exponent: &'a [u8],
    pub(super) prime: &'a [u8],
    pub(super) other_prime: &'a [u8],
    pub(super) prime_exponent: &'a [u8],
    pub(super) other_exponent: &'a [u8],
    pub(super) coefficient: &'a [u8],
}

/// The private half of an RSA key: two primes, an exponent for each, and the inverse of the
/// second prime modulo the first.
pub(super) struct RsaPrivate {
    p: BoxedMontyParams,
    q: BoxedMontyParams,
    dp: BoxedUint,
    dq: BoxedUint,
    q_inverse: BoxedUint,
}

impl RsaPrivate {
    pub(super) fn new(parts: &RsaParts<'_>, public: &RsaKey) -> Result<Self, KeyError> {
        let mismatch = || KeyError::new("the parts of the RSA key don't belong together");
        // Of one length in limbs, so that numbers modulo the one can be taken modulo the other.
        let len = parts.prime.len().max(parts.other_prime.len());
        if len > parts.modulus.len() / 2 + 1 {
            return Err(KeyError::new(
                "the primes of the RSA key differ in length, which makes it weak",
            ));
        }
        let bits = u32::try_from(len * 8).map_err(|_| mismatch())?;
        let number = |bytes| BoxedUint::from_be_slice(bytes, bits).map_err(|_| mismatch());
        let (p, q) = (number(parts.prime)?, number(parts.other_prime)?);
        let product = p.concatenating_mul(&q).to_be_bytes();
        let zeros = product.iter().take_while(|byte| **byte == 0).count();
        if product.get(zeros..) != Some(parts.modulus) {
            return Err(mismatch());
        }
        // Whoever could time this loads the policy.
        let params = |prime: BoxedUint| {
            let odd = Odd::new(prime).into_option().ok_or_else(mismatch)?;
            Ok::<_, KeyError>(BoxedMontyParams::new_vartime(odd))
        };
        let private = Self {
            p: params(p)?,
            q: params(q)?,
            dp: number(parts.prime_exponent)?,
            dq: number(parts.other_exponent)?,
            q_inverse: number(parts.coefficient)?,
        };
        match private.sign_pkcs1(public, Hash::Sha256, PROBE) {
            Some(_) => Ok(private),
            None => Err(mismatch()),
        }
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.1). What doesn't verify never leaves: one faulty
    /// signature by the Chinese remainder theorem tells the primes (Boneh, DeMillo, Lipton).
    pub(super) fn sign_pkcs1(&self, public: &RsaKey, hash: Hash, text: &[u8]) -> Option<Vec<u8>> {
        let encoded = public.encode_pkcs1(hash, text)?;
        let signature = self.power(&encoded)?;
        let proven = public.verify_pkcs1(hash, text, &signature, &NoHost);
        proven.then_some(signature)
    }

    /// RSASP1 (RFC 8017 §5.2.1) in its second form, as long as `message`. Powers, products and
    /// remainders take a time that doesn't depend on the key.
    fn power(&self, message: &[u8]) -> Option<Vec<u8>> {
        let bits = u32::try_from(message.len() * 8).ok()?;
        let whole = BoxedUint::from_be_slice(message, bits).ok()?;
        let power = |params: &BoxedMontyParams, exponent: &BoxedUint| {
            let base = whole.rem(params.modulus().as_nz_ref());
            BoxedMontyForm::new(base, params).pow(exponent)
        };
        let second = power(&self.q, &self.dq).retrieve();
        let second_in_p = BoxedMontyForm::new(second.rem(self.p.modulus().as_nz_ref()), &self.p);
        let q_inverse = BoxedMontyForm::new(self.q_inverse.clone(), &self.p);
        let factor = power(&self.p, &self.dp).sub(&second_in_p).mul(&q_inverse);
        let sum = factor
            .retrieve()
            .concatenating_mul(self.q.modulus().as_ref())
            .wrapping_add(&second)
            .to_be_bytes();
        let padding = sum.len().checked_sub(message.len())?;
        sum.get(padding..).map(<[u8]>::to_vec)
    }
}

/// The library shares the moduli among its numbers and wipes none of them; the rest is wiped here.
impl Drop for RsaPrivate {
    fn drop(&mut self) {
        for secret in [&mut self.dp, &mut self.dq, &mut self.q_inverse] {
            secret.zeroize();
        }
    }
}
