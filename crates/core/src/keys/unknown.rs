//! `kid`s that no key of a set has: each may be a key that is new, or an attacker's guess.

use std::collections::VecDeque;
use std::time::Duration;

/// How long after a fetch for an unknown `kid` the next one causes none. It doubles with
/// every fetch that brought nothing new, up to the set's own refresh time.
const COOLDOWN: Duration = Duration::from_secs(10);
/// How many `kid`s are remembered that a fetch didn't bring; the oldest is forgotten first.
const REMEMBERED: usize = 64;
/// A longer `kid` is not remembered, and causes no fetch: no key set is known to use such.
const MAX_KID: usize = 256;

/// One set's unknown `kid`s. A guess costs its server one call at most, and a storm of
/// guesses costs it fewer calls than time passes.
#[derive(Debug)]
pub struct UnknownKids {
    quiet_until: Duration,
    cooldown: Duration,
    known_bad: VecDeque<String>,
}

impl Default for UnknownKids {
    fn default() -> UnknownKids {
        UnknownKids {
            quiet_until: Duration::ZERO,
            cooldown: COOLDOWN,
            known_bad: VecDeque::new(),
        }
    }
}

impl UnknownKids {
    /// Whether this `kid` (empty for none) may cause a fetch now.
    pub fn may_fetch(&self, kid: &str, now: Duration) -> bool {
        self.quiet_until <= now
            && kid.len() <= MAX_KID
            && !self.known_bad.iter().any(|bad| bad == kid)
    }

    /// Tells that a fetch for this `kid` has ended, and whether the set changed by it.
    pub fn fetched(&mut self, kid: &str, changed: bool, refresh: Duration, now: Duration) {
        if changed {
            *self = UnknownKids::default();
        } else {
            if self.known_bad.len() >= REMEMBERED {
                self.known_bad.pop_front();
            }
            self.known_bad.push_back(kid.to_owned());
        }
        self.quiet_until = now.saturating_add(self.cooldown);
        self.cooldown = self.cooldown.saturating_mul(2).min(refresh.max(COOLDOWN));
    }

    /// The set changed by its own refresh: what was unknown may be known now.
    pub fn changed(&mut self) {
        self.known_bad.clear();
        self.cooldown = COOLDOWN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_storm_of_guesses_causes_ever_fewer_fetches() {
        let mut kids = UnknownKids::default();
        let mut fetches = 0;
        for second in 0..3600 {
            let kid = format!("guess-{second}");
            if kids.may_fetch(&kid, at(second)) {
                kids.fetched(&kid, false, at(600), at(second));
                fetches += 1;
            }
        }
        assert!(fetches <= 13, "{fetches}");
    }

    #[test]
    fn the_same_guess_causes_one_fetch_until_the_set_changes() {
        let mut kids = UnknownKids::default();
        kids.fetched("bad", false, at(600), at(0));
        assert!(!kids.may_fetch("bad", at(100_000)));
        assert!(!kids.may_fetch("new", at(9)));
        assert!(kids.may_fetch("new", at(10)));
        kids.changed();
        assert!(kids.may_fetch("bad", at(10)));
        assert!(!kids.may_fetch(&"x".repeat(257), at(10)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut kids = UnknownKids::default();
        for number in 0..1000 {
            kids.fetched(&number.to_string(), false, at(600), at(0));
        }
        assert_eq!(kids.known_bad.len(), REMEMBERED);
    }

    #[test]
    fn a_rotation_that_was_found_begins_anew() {
        let mut kids = UnknownKids::default();
        kids.fetched("bad", false, at(600), at(0));
        kids.fetched("new", true, at(600), at(10));
        assert!(kids.may_fetch("newer", at(20)));
    }
}
