//! No text that a key didn't sign verifies, and reading any text never panics.
#![no_main]

use doorward_core::jose::{Claims, Compact, Key, KeySet, NoHost, verify};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use std::time::Duration;

/// A key that never signed anything.
fn keys() -> &'static KeySet {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    KEYS.get_or_init(|| {
        let key = Key::from_secret(b"a secret that nothing was ever signed with").unwrap();
        KeySet::from_keys(vec![key])
    })
}

fuzz_target!(|token: &[u8]| {
    let _ = Claims::parse(token);
    let Ok(compact) = Compact::parse(token, 8192) else {
        return;
    };
    let _ = compact.claims();
    for key in keys().candidates(compact.kid(), compact.algorithm(), Duration::from_secs(1)) {
        assert!(!verify(&compact, key, &NoHost));
    }
});
