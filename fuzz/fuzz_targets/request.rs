//! Any header map of a request is read without a panic, and what is taken out of it is the
//! one credential that stands there.
#![no_main]

use doorward_core::credentials::{Source, extract, read_basic};
use doorward_core::http::{Headers, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|wire: &[u8]| {
    let Some(headers) = Headers::from_wire(wire.to_vec()) else {
        return;
    };
    let request = Request {
        headers,
        source_address: None,
    };
    let _ = request.host();
    let _ = request.is_preflight();
    let target = request.target();
    if let Ok(target) = &target {
        // What was normalised once is normal.
        let again = doorward_core::route::Target::parse(target.path.as_bytes());
        assert_eq!(again.map(|target| target.rewritten), Ok(false));
    }
    let query = target.ok().and_then(|target| target.query);
    let sources = [
        Source::Header {
            name: "authorization".to_owned(),
            scheme: Some("Bearer".to_owned()),
        },
        Source::Query("t".to_owned()),
        Source::Cookie("t".to_owned()),
    ];
    if let Ok(Some(credential)) = extract(&sources, &request, query.as_deref()) {
        assert!(!credential.is_empty());
        let _ = read_basic(&credential);
    }
});
