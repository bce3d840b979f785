//! Locks between processes: cargo runs several test binaries, and people run two shells.
//!
//! Each is a file in `target/locks` that the kernel unlocks when its holder ends, however it ends.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::paths;

const POLL: Duration = Duration::from_millis(25);

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing the file unlocks it")] File);

/// Waits for the lock `name`, at most `patience`.
pub fn exclusive(name: &str, patience: Duration) -> Result<Lock> {
    one_of(&[name], patience)
}

/// Waits for any one of the locks `names`, at most `patience`: a semaphore.
pub fn one_of<N: AsRef<str>>(names: &[N], patience: Duration) -> Result<Lock> {
    let directory = paths::target("locks")?;
    let start = Instant::now();
    loop {
        for name in names {
            let path = directory.join(name.as_ref());
            let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("locking {}", path.display()));
                }
            }
        }
        if start.elapsed() > patience {
            let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
            bail!(
                "target/locks/{}: held by another process for over {patience:?}",
                names.join(", ")
            );
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(60);

    #[test]
    fn a_semaphore_of_two_admits_two_and_a_third_after_one_left() {
        let names = ["self-test-0", "self-test-1"];
        let first = one_of(&names, SHORT).unwrap();
        let _second = one_of(&names, SHORT).unwrap();
        assert!(one_of(&names, SHORT).is_err());
        drop(first);
        assert!(one_of(&names, SHORT).is_ok());
    }
}
