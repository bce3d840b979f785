//! ES256 by tables of a key's multiples, for where no host checks it.
//!
//! The arithmetic is `p256`'s own, by its complete formulas: no pair of points is an exception, be
//! they equal, opposite, or the identity. Only the order of the additions is ours: Lim and Lee's comb
//! (CRYPTO '94). A scalar is written in eight words, and one bit of each makes a digit, for which the
//! table holds the sum of those words' multiples. So 256 doublings become 16.
//!
//! Everything here is public, so the time it takes may depend on what it works on.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use p256::ecdsa::Signature;
use p256::elliptic_curve::CurveGroup;
use p256::elliptic_curve::ops::{Double, Invert, Reduce};
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use sha2::{Digest, Sha256};

/// Bits of a digit: one of each 32-bit word of a scalar.
const TEETH: usize = 8;
/// Parts of a word, each with a table of its own. Two halve the doublings; four would save another
/// tenth of the time for twice the memory.
const BLOCKS: usize = 2;
/// Bits of a part, and so doublings.
const STEPS: usize = 32 / BLOCKS;
/// Entries of a part's table: all digits but zero, for which nothing is added.
const DIGITS: usize = (1 << TEETH) - 1;

/// Keys that may have a table at once, in all policies of a worker. One takes 36 KiB, so these take
/// 576 KiB. Few sets have more keys in use than that, and those beyond are checked at the pace without.
const MAX_TABLES: usize = 16;

/// How many tables there are.
static TABLES: Count = Count(AtomicUsize::new(0));

/// The multiples of one point.
pub(super) struct Comb {
    /// Block by block, from digit 1 on.
    multiples: Vec<AffinePoint>,
}

/// The words of a scalar, the least significant first.
type Words = [u32; TEETH];

impl Comb {
    /// The point must not be the identity. None of the multiples then is: each is by a number above
    /// zero and below the group's prime order.
    pub(super) fn new(point: &ProjectivePoint) -> Self {
        let mut multiples: Vec<ProjectivePoint> = Vec::with_capacity(BLOCKS * DIGITS);
        for block in 0..BLOCKS {
            let mut tooth = *point;
            for _ in 0..block * STEPS {
                tooth = tooth.double();
            }
            let begin = multiples.len();
            for bit in 0..TEETH {
                // Digits with this bit and lower ones: the tooth alone, then on top of each before it.
                let end = multiples.len();
                multiples.push(tooth);
                for index in begin..end {
                    let sum = multiples.get(index).map(|lower| *lower + tooth);
                    multiples.extend(sum);
                }
                for _ in 0..if bit + 1 < TEETH { 32 } else { 0 } {
                    tooth = tooth.double();
                }
            }
        }
        let mut affine = vec![AffinePoint::IDENTITY; multiples.len()];
        ProjectivePoint::batch_normalize(&multiples, &mut affine);
        Self { multiples: affine }
    }

    /// The entry for one bit of each word; `None` where all of them are zero.
    fn entry(&self, words: &Words, block: usize, step: usize) -> Option<&AffinePoint> {
        let shift = block * STEPS + step;
        let digit = (0..).zip(words).fold(0, |digit, (tooth, word)| {
            digit | ((word >> shift & 1) as usize) << tooth
        });
        self.multiples.get(block * DIGITS + digit.checked_sub(1)?)
    }
}

/// A key's table, which counts among [`MAX_TABLES`] as long as it lives.
pub(super) struct Counted {
    comb: Comb,
    _place: Place,
}

impl Counted {
    /// `None` where as many keys as may have one already do. It takes as long to make as three checks
    /// without it.
    pub(super) fn new(point: &ProjectivePoint) -> Option<Self> {
        let place = TABLES.take()?;
        Some(Self {
            comb: Comb::new(point),
            _place: place,
        })
    }

    pub(super) fn comb(&self) -> &Comb {
        &self.comb
    }
}

struct Count(AtomicUsize);

impl Count {
    fn take(&'static self) -> Option<Place> {
        let more = |count| (count < MAX_TABLES).then_some(count + 1);
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then_some(Place(self))
    }
}

struct Place(&'static Count);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Verifies an ES256 signature by the table of the key.
pub(super) fn verify(key: &Comb, text: &[u8], signature: &Signature) -> bool {
    verify_digest(key, &Sha256::digest(text), signature)
}

/// FIPS 186-5 §6.4.2. That r and s are in their range is of [`Signature`]'s making.
fn verify_digest(key: &Comb, digest: &FieldBytes, signature: &Signature) -> bool {
    static GENERATOR: OnceLock<Comb> = OnceLock::new();

    let generator = GENERATOR.get_or_init(|| Comb::new(&ProjectivePoint::GENERATOR));
    let (r, s) = signature.split_scalars();
    let inverse = *s.invert_vartime();
    let u = reduced(digest) * inverse;
    let v = *r * inverse;
    let point = combination([(generator, words(&u)), (key, words(&v))]);
    // Of the identity the affine x is given as 0, which r never is.
    reduced(&point.to_affine().x()) == *r
}

/// Modulo the group's order: any 32 bytes, for they are below twice that.
fn reduced(bytes: &FieldBytes) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(bytes)
}

/// The sum of both points times their scalars.
fn combination(terms: [(&Comb, Words); 2]) -> ProjectivePoint {
    let mut sum = ProjectivePoint::IDENTITY;
    for step in (0..STEPS).rev() {
        sum = sum.double();
        for (comb, words) in &terms {
            for block in 0..BLOCKS {
                if let Some(multiple) = comb.entry(words, block, step) {
                    sum += multiple;
                }
            }
        }
    }
    sum
}

fn words(scalar: &Scalar) -> Words {
    let bytes = scalar.to_bytes();
    let mut words = [0; TEETH];
    for (word, bytes) in words.iter_mut().rev().zip(bytes.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    use p256::elliptic_curve::PrimeField;
    use p256::elliptic_curve::point::DecompressPoint;
    use p256::elliptic_curve::subtle::Choice;

    use super::*;

    const G: ProjectivePoint = ProjectivePoint::GENERATOR;

    /// The `n`th of a row of numbers without a pattern.
    fn number(n: u64) -> Scalar {
        reduced(&Sha256::digest(n.to_be_bytes()))
    }

    fn power_of_two(exponent: u32) -> Scalar {
        (0..exponent).fold(Scalar::ONE, |power, _| power.double())
    }

    /// Scalars whose digits are odd in some way: few ones, few zeros, the borders of words and parts.
    fn scalars() -> Vec<Scalar> {
        let mut scalars = vec![
            Scalar::ZERO,
            Scalar::ONE,
            -Scalar::ONE,
            -Scalar::from(2_u64),
        ];
        for exponent in [
            1, 15, 16, 17, 31, 32, 33, 47, 48, 127, 128, 223, 224, 239, 240, 254, 255,
        ] {
            let power = power_of_two(exponent);
            scalars.extend([power, power - Scalar::ONE, power + Scalar::ONE, -power]);
        }
        // One digit is all ones, then all digits are.
        scalars.push(
            (0..TEETH as u32)
                .map(|tooth| power_of_two(32 * tooth))
                .sum(),
        );
        scalars.push(reduced(&[0x7f; 32].into()));
        scalars.push(reduced(&[0xff; 32].into()));
        scalars.extend((0..8).map(number));
        scalars
    }

    /// What `p256` itself says.
    fn judged(point: &ProjectivePoint, digest: &FieldBytes, signature: &Signature) -> bool {
        VerifyingKey::from_affine(point.to_affine())
            .unwrap()
            .verify_prehash(digest, signature)
            .is_ok()
    }

    /// The verdict, which is `p256`'s too.
    fn verdict(point: &ProjectivePoint, digest: &FieldBytes, [r, s]: [Scalar; 2]) -> bool {
        let signature = Signature::from_scalars(r, s).unwrap();
        let verdict = verify_digest(&Comb::new(point), digest, &signature);
        assert_eq!(verdict, judged(point, digest, &signature));
        verdict
    }

    #[test]
    fn every_sum_is_that_of_plain_multiplication() {
        let scalars = scalars();
        let generator = Comb::new(&G);
        // Equal and opposite points make sums of equal and of opposite points on the way.
        for point in [G, -G, G.double(), G * number(1), G * -power_of_two(16)] {
            let comb = Comb::new(&point);
            for (index, u) in scalars.iter().enumerate() {
                let mut other = [*u, -*u, scalars[(index * 7 + 3) % scalars.len()]];
                other[0] += Scalar::from(index as u64 % 2);
                for v in other.into_iter().chain([Scalar::ZERO]) {
                    let sum = combination([(&generator, words(u)), (&comb, words(&v))]);
                    assert_eq!(sum, G * *u + point * v, "{u:?} {v:?}");
                }
            }
        }
    }

    #[test]
    fn no_multiple_is_the_identity_and_each_is_the_digits() {
        let point = G * number(2);
        let comb = Comb::new(&point);
        assert_eq!(comb.multiples.len(), BLOCKS * DIGITS);
        for (index, multiple) in comb.multiples.iter().enumerate() {
            let (block, digit) = (index / DIGITS, index % DIGITS + 1);
            let teeth = (0..TEETH as u32).filter(|tooth| digit >> tooth & 1 == 1);
            let factor: Scalar = teeth
                .map(|tooth| power_of_two(32 * tooth + (block * STEPS) as u32))
                .sum();
            assert_eq!(ProjectivePoint::from(*multiple), point * factor);
            assert!(!bool::from(multiple.is_identity()));
        }
    }

    #[test]
    fn a_good_signature_passes_and_any_other_number_in_it_does_not() {
        for n in 0..6 {
            let (secret, nonce) = (number(3 * n), number(3 * n + 1));
            let digest = Sha256::digest(n.to_be_bytes());
            let r = reduced(&(G * nonce).to_affine().x());
            let s = nonce.invert().unwrap() * (reduced(&digest) + r * secret);
            let point = G * secret;
            assert!(verdict(&point, &digest, [r, s]));
            // JOSE allows both forms of s.
            assert!(verdict(&point, &digest, [r, -s]));
            assert!(!verdict(&point, &digest, [r + Scalar::ONE, s]));
            assert!(!verdict(&point, &digest, [-r, s]));
            assert!(!verdict(&point, &digest, [r, s + Scalar::ONE]));
            assert!(!verdict(&point, &digest, [s, r]));
            assert!(!verdict(&-point, &digest, [r, s]));
            assert!(!verdict(&G, &digest, [r, s]));
            assert!(!verdict(&point, &Sha256::digest(b"another"), [r, s]));
        }
    }

    #[test]
    fn a_digest_of_zero_leaves_the_key_alone_in_the_sum() {
        let order = -Scalar::ONE;
        let mut order: FieldBytes = order.to_bytes();
        order[31] += 1;
        for digest in [FieldBytes::default(), order] {
            for secret in [Scalar::ONE, -Scalar::ONE, number(1)] {
                let nonce = number(2);
                let r = reduced(&(G * nonce).to_affine().x());
                let s = nonce.invert().unwrap() * r * secret;
                assert!(verdict(&(G * secret), &digest, [r, s]));
                assert!(!verdict(&(G * secret), &digest, [r, r]));
            }
        }
    }

    #[test]
    fn a_sum_at_infinity_is_refused() {
        for secret in [Scalar::ONE, -Scalar::ONE, number(1)] {
            for r in [Scalar::ONE, number(2), -Scalar::ONE] {
                let digest = (-r * secret).to_bytes();
                for s in [Scalar::ONE, r, number(3)] {
                    assert!(!verdict(&(G * secret), &digest, [r, s]));
                }
            }
        }
    }

    #[test]
    fn the_sum_of_equal_points_is_right() {
        // The key is the generator and both scalars are one: R is twice the generator.
        let r = reduced(&G.double().to_affine().x());
        assert!(verdict(&G, &r.to_bytes(), [r, r]));
        // With the opposite key R is the identity.
        assert!(!verdict(&-G, &r.to_bytes(), [r, r]));
    }

    #[test]
    fn an_x_above_the_order_counts_modulo_the_order() {
        // The order is below the field's prime by about 2^128, so few numbers are such an x.
        let mut found = 0;
        for small in 1_u64..32 {
            let mut x = (-Scalar::ONE).to_bytes();
            let low = u64::from_be_bytes(x[24..].try_into().unwrap());
            x[24..].copy_from_slice(&low.checked_add(1 + small).unwrap().to_be_bytes());
            let Some(point) = AffinePoint::decompress(&x, Choice::from(0)).into_option() else {
                continue;
            };
            found += 1;
            let (r, s) = (Scalar::from(small), number(small));
            assert!(bool::from(Scalar::from_repr(x).is_none()));
            let digest = Sha256::digest(small.to_be_bytes());
            // The key for which R is that point.
            let rest = ProjectivePoint::from(point) - G * (reduced(&digest) * s.invert().unwrap());
            let key = rest * (s * r.invert().unwrap());
            assert!(verdict(&key, &digest, [r, s]));
            assert!(!verdict(&key, &digest, [r + Scalar::ONE, s]));
        }
        assert!(found > 5);
    }

    #[test]
    fn there_are_so_many_tables_and_the_end_of_one_makes_room() {
        static COUNT: Count = Count(AtomicUsize::new(0));

        let mut places: Vec<_> = (0..MAX_TABLES).map(|_| COUNT.take().unwrap()).collect();
        assert!(COUNT.take().is_none());
        places.pop();
        assert!(COUNT.take().is_some());
    }
}
