//! VMs that die, start again and are configured anew while requests wait in them.

use testhost::{Level, Outcome, Span};

use crate::support::{POLICY, assert_well, bearer, by, gateway, token};

#[test]
fn a_lease_whose_worker_died_is_taken_over() {
    let mut gateway = gateway().workers(2).start().unwrap();
    let held = by(&mut gateway, "acme").worker(0).send();
    let waits = by(&mut gateway, "acme").worker(1).send();
    assert_eq!(gateway.calls_made(), 1);
    gateway.crash(0);
    assert_eq!(held.outcome(), Outcome::Hangs);
    assert!(gateway.callouts().is_empty(), "its call died with it");
    // The lease runs as long as its call may take, and the one who waits gives up no sooner.
    let mut passed = 0.s();
    while gateway.callouts().is_empty() && passed < 20.s() {
        gateway.advance(50.ms());
        passed += 50.ms();
    }
    if waits.outcome() == Outcome::Waiting {
        gateway.callout().answer(200, token("two"));
        assert_eq!(bearer(&gateway, &waits), "Bearer two");
    }
    assert_ne!(waits.outcome(), Outcome::Hangs, "{}", gateway.trace());
    assert_ne!(waits.outcome(), Outcome::Waiting, "{}", gateway.trace());
    // Whoever comes now is served, by the dead worker's successor too.
    gateway.endpoint(|_| {
        testhost::Answering::Now(testhost::Reply::new(200).body(crate::support::token("two")))
    });
    gateway.advance(5.s());
    for worker in 0..2 {
        let request = by(&mut gateway, "acme").worker(worker).send();
        gateway.advance(100.ms());
        assert_eq!(bearer(&gateway, &request), "Bearer two");
    }
}

#[test]
fn after_a_crash_the_worker_comes_back_with_its_policy() {
    let mut gateway = gateway().workers(1).start().unwrap();
    gateway.crash(0);
    let request = by(&mut gateway, "acme").send();
    gateway.callout().answer(200, token("one"));
    assert_eq!(bearer(&gateway, &request), "Bearer one");
    // Again at once: the proxy waits before it starts the VM another time.
    gateway.crash(0);
    let request = by(&mut gateway, "acme").send();
    assert_eq!(request.short(), "503 wasm_fail_stream");
    gateway.advance(2.s());
    let request = by(&mut gateway, "acme").send();
    assert_eq!(bearer(&gateway, &request), "Bearer one");
}

#[test]
fn a_new_policy_leaves_the_requests_of_the_old_one_their_answers() {
    let mut gateway = gateway().workers(1).start().unwrap();
    let old = by(&mut gateway, "acme").send();
    let other = POLICY.replace(
        "https://idp.example.com/token",
        "https://idp.example.com/new",
    );
    gateway.update_policy(0, other).unwrap();
    let new = by(&mut gateway, "acme").send();
    let paths: Vec<_> = gateway
        .callouts()
        .iter()
        .map(testhost::Callout::path)
        .collect();
    assert_eq!(paths, ["/token", "/new"]);
    for (call, name) in gateway.callouts().into_iter().zip(["old", "new"]) {
        gateway.answer(call.id, testhost::Reply::new(200).body(token(name)));
    }
    assert_eq!(bearer(&gateway, &old), "Bearer old");
    assert_eq!(bearer(&gateway, &new), "Bearer new");
    gateway.drain();
    gateway.advance(5.s());
    assert_well(&gateway);
}

#[test]
fn an_answer_to_a_root_context_that_ended_is_dropped() {
    let mut gateway = gateway().workers(1).start().unwrap();
    let held = by(&mut gateway, "acme").send();
    gateway.update_policy(0, POLICY).unwrap();
    gateway.drain();
    assert_eq!(held.outcome(), Outcome::Left);
    gateway.callout().answer(200, token("one"));
    assert_well(&gateway);
}

#[test]
fn a_root_context_that_is_configured_again_answers_whom_it_held() {
    let mut gateway = gateway().workers(1).start().unwrap();
    let held = by(&mut gateway, "acme").send();
    gateway.reconfigure(0, POLICY).unwrap();
    assert_eq!(held.short(), "503 doorward_denied{internal}");
    gateway.callout().answer(200, token("one"));
    let next = by(&mut gateway, "acme").send();
    gateway.advance(20.s());
    assert_ne!(next.outcome(), Outcome::Waiting, "{}", gateway.trace());
    assert_well(&gateway);
}

#[test]
fn a_bad_policy_is_refused_and_the_old_one_stays() {
    let refused = gateway().start().unwrap().update_policy(0, "version: 2");
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("the policy is refused")
    );
    let mut gateway = gateway().start().unwrap();
    gateway.update_policy(0, "rules: 1").unwrap_err();
    let request = by(&mut gateway, "acme").send();
    gateway.callout().answer(200, token("one"));
    assert_eq!(bearer(&gateway, &request), "Bearer one");
}

#[test]
fn two_listeners_of_one_vm_keep_apart() {
    let other = POLICY.replace("/token", "/elsewhere");
    let mut gateway = gateway().workers(1).listener(other).start().unwrap();
    let first = by(&mut gateway, "acme").listener(0).send();
    let second = by(&mut gateway, "acme").listener(1).send();
    let calls = gateway.callouts();
    assert_eq!(calls.len(), 2);
    for call in calls.into_iter().rev() {
        let name = call.path();
        gateway.answer(call.id, testhost::Reply::new(200).body(token(&name)));
    }
    assert_eq!(bearer(&gateway, &first), "Bearer /token");
    assert_eq!(bearer(&gateway, &second), "Bearer /elsewhere");
    assert_well(&gateway);
}

#[test]
fn a_clock_that_jumps_keeps_nobody_waiting_for_ever() {
    for (forward, back) in [(3600.s(), 0.s()), (0.s(), 3600.s())] {
        let mut gateway = gateway().workers(2).start().unwrap();
        let request = by(&mut gateway, "acme").send();
        gateway.jump_clock(forward);
        gateway.jump_clock_back(back);
        gateway.advance(10.s());
        assert_ne!(request.outcome(), Outcome::Waiting, "{}", gateway.trace());
        assert_well(&gateway);
    }
}

#[test]
fn signatures_are_checked_by_the_proxy_where_it_can() {
    for (without, by) in [(false, "proxy"), (true, "module")] {
        let mut builder = gateway().workers(1);
        if without {
            builder = builder.without_foreign_function("verify_signature");
        }
        let mut gateway = builder.start().unwrap();
        gateway.request("GET /").send();
        let line = format!("ECDSA checked by the {by}, RSA PKCS#1 by the {by}");
        assert!(gateway.logged(Level::Info, &line), "{}", gateway.trace());
    }
}
