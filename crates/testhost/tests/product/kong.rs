//! The module in Kong's engine, where nothing may pass by accident.

use testhost::{Personality, Reply, Span};

use crate::support::{assert_well, by, gateway};

#[test]
fn no_end_of_a_call_lets_a_request_pass_without_a_token() {
    for reply in [
        Reply::refused(),
        Reply::timeout(),
        Reply::reset(),
        Reply::cut_short(200),
        Reply::new(500),
        Reply::new(200),
    ] {
        let builder = gateway().personality(Personality::WasmX).workers(1);
        let mut gateway = builder.start().unwrap();
        let request = by(&mut gateway, "acme").send();
        gateway.advance(1.s());
        for call in gateway.callouts() {
            gateway.answer(call.id, reply.clone());
        }
        gateway.advance(10.s());
        assert_eq!(request.upstream(), None, "{}", gateway.trace());
    }
}

#[test]
fn the_tick_gets_another_period_without_a_trap() {
    let builder = gateway().personality(Personality::WasmX).workers(1);
    let mut gateway = builder.start().unwrap();
    by(&mut gateway, "acme").send();
    // It ticks fast until it is known that nothing waits for that.
    gateway.advance(3.s());
    assert_eq!(gateway.callouts().len(), 1);
    assert_well(&gateway);
}

#[test]
fn without_or_with_little_shared_memory_nothing_passes_without_a_token() {
    for bytes in [0, 512, 8 * 1024, 64 * 1024] {
        let builder = gateway().personality(Personality::WasmX).workers(1);
        // Where there is none, the module isn't loaded at all.
        let Ok(mut gateway) = builder.shared_memory(bytes).start() else {
            assert_eq!(bytes, 0);
            continue;
        };
        let request = by(&mut gateway, "acme").send();
        gateway.advance(1.s());
        for call in gateway.callouts() {
            let token = "t".repeat(600);
            let body = format!("{{\"access_token\": \"{token}\", \"expires_in\": 300}}");
            gateway.answer(call.id, Reply::new(200).body(body));
        }
        gateway.advance(10.s());
        assert_eq!(request.upstream(), None, "{bytes}\n{}", gateway.trace());
    }
}
