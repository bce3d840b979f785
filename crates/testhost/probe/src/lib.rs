//! A filter that does what its configuration tells it, and logs what the host answered.
//!
//! Each line of the configuration is a callback's short name and one operation with its
//! arguments; `_` is an empty argument. The same configuration in this repository's test host
//! and in a real proxy must log the same lines.
#![cfg(target_arch = "wasm32")]

mod host;
mod script;

use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    /// The script of each root context.
    static SCRIPTS: RefCell<BTreeMap<u32, String>> = const { RefCell::new(BTreeMap::new()) };
    /// The root context of each other one.
    static ROOTS: RefCell<BTreeMap<u32, u32>> = const { RefCell::new(BTreeMap::new()) };
}

/// Runs the lines of a callback; what it returns: 0 to continue, 1 to pause.
fn run(context: u32, callback: &str, about: &str) -> u32 {
    let root = ROOTS.with_borrow(|roots| roots.get(&context).copied().unwrap_or(context));
    let script = SCRIPTS.with_borrow(|scripts| scripts.get(&root).cloned());
    script::run(&script.unwrap_or_default(), callback, about)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::leak(vec![0; size].into_boxed_slice()).as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    if root != 0 {
        ROOTS.with_borrow_mut(|roots| roots.insert(context, root));
        script::set_last_request(context);
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_: u32, _: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, size: usize) -> u32 {
    let (_, script) = host::buffer(7, size);
    let script = String::from_utf8_lossy(&script).into_owned();
    let refuses = script.contains("configure refuse");
    SCRIPTS.with_borrow_mut(|scripts| scripts.insert(context, script));
    run(context, "configure", "");
    u32::from(!refuses)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context: u32) {
    run(context, "tick", "");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(context: u32, _: u32) {
    run(context, "queue", "");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, count: usize, end: u32) -> u32 {
    run(context, "headers", &format!("end={end} count={count}"))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> u32 {
    run(context, "body", &format!("size={size} end={end}"))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, count: usize) -> u32 {
    run(context, "trailers", &format!("count={count}"))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    context: u32,
    _: u32,
    count: usize,
    size: usize,
    _: usize,
) {
    let has_headers = u32::from(count > 0);
    let has_body = u32::from(size > 0);
    run(
        context,
        "call",
        &format!("headers={has_headers} body={has_body}"),
    );
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    run(context, "log", "");
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(context: u32) -> u32 {
    run(context, "done", "");
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    run(context, "delete", "");
    ROOTS.with_borrow_mut(|roots| roots.remove(&context));
}
