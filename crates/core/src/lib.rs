//! All of Doorward's logic, with no proxy, no clock and no I/O in it.
#![forbid(unsafe_code)]

pub mod expression;
