//! Key sets that are fetched: kept fresh, kept while their server is down, and fetched
//! anew, but seldom, when a token names a key that isn't there.

mod fetch;
mod sets;
mod unknown;

pub use unknown::UnknownKids;

pub use sets::{KeysState, RemoteKeys, RemoteSets};
