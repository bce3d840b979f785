//! `kid`s that no key of a set has: each may be a key that is new, or an attacker's guess.

use std::collections::VecDeque;
use std::time::Duration;

/// How long after a fetch for an unknown `kid` the next one causes none. It doubles with
/// every fetch that brought nothing new, up to the set's own refresh time.
const COOLDOWN: Duration = Duration::from_secs(10);
/// How many `kid`s are remembered that a fetch didn't bring; the oldest is forgotten first.
const REMEMBERED: usize = 64;
/// How long a `kid` is remembered: its key may be published a little later than it signs.
const BAD_FOR: Duration = Duration::from_secs(60);
/// A longer `kid` is not remembered, and causes no fetch: no key set is known to use such.
const MAX_KID: usize = 256;

/// One set's unknown `kid`s. A guess costs its server one call at most, and a storm of
/// guesses costs it fewer calls than time passes.
#[derive(Debug)]
pub struct UnknownKids {
    quiet_until: Duration,
    cooldown: Duration,
    known_bad: VecDeque<(String, Duration)>,
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
            && !self
                .known_bad
                .iter()
                .any(|(bad, end)| bad == kid && *end > now)
    }

    /// Tells that a fetch for this `kid` has ended. `changed` says whether the set did; `None`
    /// where nobody knows: the fetch failed, or another worker's word was taken for it.
    pub fn fetched(&mut self, kid: &str, changed: Option<bool>, refresh: Duration, now: Duration) {
        let mut quiet = COOLDOWN;
        match changed {
            Some(true) => self.changed(),
            Some(false) => {
                quiet = self.cooldown;
                if self.known_bad.len() >= REMEMBERED {
                    self.known_bad.pop_front();
                }
                let end = now.saturating_add(BAD_FOR);
                self.known_bad.push_back((kid.to_owned(), end));
                self.cooldown = self.cooldown.saturating_mul(2).min(refresh.max(COOLDOWN));
            }
            None => {}
        }
        self.quiet_until = now.saturating_add(quiet);
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
                kids.fetched(&kid, Some(false), at(600), at(second));
                fetches += 1;
            }
        }
        assert!(fetches <= 13, "{fetches}");
    }

    #[test]
    fn the_same_guess_causes_one_fetch_a_minute_until_the_set_changes() {
        let mut kids = UnknownKids::default();
        kids.fetched("bad", Some(false), at(600), at(0));
        assert!(!kids.may_fetch("bad", at(59)));
        assert!(kids.may_fetch("bad", at(60)), "it may be published by now");
        assert!(!kids.may_fetch("new", at(9)));
        assert!(kids.may_fetch("new", at(10)));
        kids.changed();
        assert!(kids.may_fetch("bad", at(10)));
        assert!(!kids.may_fetch(&"x".repeat(257), at(10)));
    }

    #[test]
    fn a_fetch_that_failed_says_nothing_of_a_kid() {
        let mut kids = UnknownKids::default();
        kids.fetched("new", None, at(600), at(0));
        assert!(!kids.may_fetch("new", at(9)));
        assert!(kids.may_fetch("new", at(10)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut kids = UnknownKids::default();
        for number in 0..1000 {
            kids.fetched(&number.to_string(), Some(false), at(600), at(0));
        }
        assert_eq!(kids.known_bad.len(), REMEMBERED);
    }

    #[test]
    fn a_rotation_that_was_found_begins_anew() {
        let mut kids = UnknownKids::default();
        kids.fetched("bad", Some(false), at(600), at(0));
        kids.fetched("new", Some(true), at(600), at(10));
        assert!(kids.may_fetch("newer", at(20)));
    }
}
