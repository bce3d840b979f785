//! What the module may cost: instructions of its start and of each main path through it, and
//! memory after very many requests.
//!
//! Instructions are counted, not timed, so they are the same on every machine. `instructions.txt`
//! says how many there may be, within 3 %; `UPDATE_BUDGETS=1 cargo test -p doorward-testhost
//! --test budgets` writes it anew, and the change is to be looked at.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is test code, which Clippy sees only in functions that are tests themselves"
)]

mod instructions;
mod memory;
mod policies;
