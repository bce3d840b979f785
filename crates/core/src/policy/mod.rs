//! The policy: one document that says who may call what.

pub mod document;
