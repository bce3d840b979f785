//! A policy in any form loads or is refused with problems, and never panics.
#![no_main]

use doorward_core::policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|configuration: &[u8]| {
    let environment = |name: &str| (name == "SECRET").then(|| "marker-of-a-secret-that-is-long-enough".to_owned());
    match policy::load(configuration, &environment) {
        Ok(policy) => assert!(!policy.rules.is_empty()),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(!problem.to_string().contains("marker-of-a-secret"));
            }
        }
    }
});
