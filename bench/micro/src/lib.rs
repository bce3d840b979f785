//! What a token's check is made of, each part a function that repeats it, built as the module is.
//!
//! `bench/micro/run.mjs` gives keys and tokens and takes the time.

use std::cell::RefCell;
use std::hint::black_box;

use doorward_core::jose::{Compact, DEFAULT_MAX_TOKEN_LEN, Key, NoHost, verify};

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static KEY: RefCell<Option<Key>> = const { RefCell::new(None) };
}

/// Makes room for an input of this length and tells where.
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        *input = vec![0; length];
        input.as_mut_ptr()
    })
}

/// Takes the input as a JWK; 1 where it is a good one.
#[unsafe(no_mangle)]
pub extern "C" fn key() -> u32 {
    let key = INPUT.with_borrow(|input| Key::from_jwk(&serde_json::from_slice(input).ok()?).ok());
    let good = key.is_some();
    KEY.set(key);
    good.into()
}

/// Checks the signature of the input, a token, `count` times without a host's help. Returns how often it was good.
#[unsafe(no_mangle)]
pub extern "C" fn signature(count: u32) -> u32 {
    repeat(count, |token, key| {
        let compact = Compact::parse(token, DEFAULT_MAX_TOKEN_LEN).ok()?;
        verify(&compact, key, &NoHost).then_some(())
    })
}

/// All of a token's check but the signature: taking it apart and reading the claims.
#[unsafe(no_mangle)]
pub extern "C" fn parse(count: u32) -> u32 {
    repeat(count, |token, _| {
        let compact = Compact::parse(token, DEFAULT_MAX_TOKEN_LEN).ok()?;
        black_box(compact.claims()).ok().map(drop)
    })
}

fn repeat(count: u32, check: impl Fn(&[u8], &Key) -> Option<()>) -> u32 {
    INPUT.with_borrow(|token| {
        KEY.with_borrow(|key| {
            let Some(key) = key else { return 0 };
            let good = (0..count).filter(|_| check(black_box(token), black_box(key)).is_some());
            u32::try_from(good.count()).unwrap_or(u32::MAX)
        })
    })
}
