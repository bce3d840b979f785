//! The operations.

use crate::host;
use std::cell::Cell;

thread_local! {
    static LAST_REQUEST: Cell<u32> = const { Cell::new(0) };
    static LAST_CAS: Cell<u32> = const { Cell::new(0) };
    static QUEUE: Cell<u32> = const { Cell::new(0) };
}

pub fn set_last_request(context: u32) {
    LAST_REQUEST.set(context);
}

pub fn run(script: &str, callback: &str, about: &str) -> u32 {
    let mut name = "";
    let mut action = 0;
    for line in script.lines() {
        let mut words = line.split_whitespace().map(|word| match word {
            "_" => "",
            word => word,
        });
        let (first, operation) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if first == "name" {
            name = operation;
        }
        if first != callback {
            continue;
        }
        let words: Vec<&str> = words.collect();
        let word = |at: usize| words.get(at).copied().unwrap_or("");
        let answer = match operation {
            "pause" => {
                action = 1;
                continue;
            }
            "seen" => about.to_owned(),
            "panic" => panic!("as told"),
            "panic-at" => {
                let (_, path) = host::header(0, ":path");
                let place = words.first().unwrap_or(&"");
                assert!(path != place.as_bytes(), "as told");
                continue;
            }
            other => perform(other, &word),
        };
        let mut told = vec![callback, operation];
        told.extend(&words);
        host::log(&format!("probe {name} {} -> {answer}", told.join(" ")));
    }
    action
}

/// An operation's status, and what it brought.
fn perform<'w>(operation: &str, word: &dyn Fn(usize) -> &'w str) -> String {
    let number = |at| word(at).parse::<u32>().unwrap_or(0);
    let text = |(status, bytes): (u32, Vec<u8>)| match status {
        0 => format!("0 {}", String::from_utf8_lossy(&bytes)),
        status => status.to_string(),
    };
    match operation {
        "dispatch" => {
            // The cluster, the timeout, and which pseudo headers are left out.
            let missing: Vec<&str> = word(2).split(',').collect();
            let pairs: Vec<(&str, &str)> = [
                (":method", "GET"),
                (":path", "/called"),
                (":authority", "called"),
            ]
            .into_iter()
            .filter(|(name, _)| !missing.contains(name))
            .collect();
            host::dispatch(word(0), &pairs, number(1)).to_string()
        }
        "resume" => host::resume().to_string(),
        "reply" => host::reply(number(0), word(1)).to_string(),
        "effective" => host::set_effective(LAST_REQUEST.get()).to_string(),
        "effective-unknown" => host::set_effective(9999).to_string(),
        "get-shared" => {
            let (status, value, cas) = host::get_shared(word(0));
            LAST_CAS.set(cas);
            text((status, value))
        }
        "set-shared" => {
            let cas = match word(2) {
                "read" => LAST_CAS.get(),
                "stale" => LAST_CAS.get().wrapping_add(1000),
                _ => number(2),
            };
            host::set_shared(word(0), word(1), cas).to_string()
        }
        "register" => {
            let (status, queue) = host::register(word(0));
            QUEUE.set(queue);
            status.to_string()
        }
        "enqueue" => host::enqueue(QUEUE.get(), word(0)).to_string(),
        "dequeue" => text(host::dequeue(QUEUE.get())),
        "tick" => host::set_tick(number(0)).to_string(),
        "header" => text(host::header(0, word(0))),
        "call-header" => text(host::header(6, word(0))),
        "call-has" => host::header(6, word(0)).0.to_string(),
        "call-body" => text(host::buffer(4, 1000)),
        "body-text" => text(host::buffer(0, 1000)),
        "pairs" => host::pairs().to_string(),
        "replace" => host::replace(word(0), word(1)).to_string(),
        "add" => host::add(word(0), word(1)).to_string(),
        "remove" => host::remove(word(0)).to_string(),
        "foreign" => text(host::foreign(word(0))),
        "property" => text(host::property(word(0))),
        "refuse" => String::new(),
        other => format!("no such operation: {other}"),
    }
}
