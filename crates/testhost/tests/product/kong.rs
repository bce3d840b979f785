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
