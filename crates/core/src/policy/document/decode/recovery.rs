//! What has been found wrong so far, and how to get past it.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use super::{
    MAX_PROBLEMS,
    error::{Cause, Error, Place, unknown_key},
};
use crate::policy::document::{
    environment::{self, MAX_REPLACED_BYTES},
    node::{Entry, Node},
    path::{Path, quoted},
    problem::Problem,
};
use std::borrow::Cow;

/// What tells one node of a borrowed tree from another: its address, never followed.
pub(super) fn identity(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

/// How a node that has a problem is got past. Elements of lists and members of free maps are left
/// out either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    /// An empty value of the wanted type stands in for it.
    StandIn,
    /// It is left out.
    LeftOut,
}

/// What stands in for a key that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    StandIn,
    /// No stand-in could be made.
    Hopeless,
}

/// The state that all attempts of one decoding share.
pub(super) struct Recovery<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    replaceable: Cell<usize>,
    problems: RefCell<Vec<Problem>>,
    aside: RefCell<BTreeMap<usize, Aside>>,
    lacking: RefCell<BTreeMap<usize, BTreeMap<&'static str, Lack>>>,
    /// Members that their maps are shown without.
    left_out: RefCell<BTreeSet<(usize, String)>>,
    /// Maps whose unknown keys were told already: they are seen anew in each attempt.
    surveyed: RefCell<BTreeSet<usize>>,
}

impl<'a> Recovery<'a> {
    pub(super) fn new(environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            environment,
            replaceable: Cell::new(MAX_REPLACED_BYTES),
            problems: RefCell::default(),
            aside: RefCell::default(),
            lacking: RefCell::default(),
            left_out: RefCell::default(),
            surveyed: RefCell::default(),
        }
    }

    pub(super) fn begin_attempt(&self) {
        self.replaceable.set(MAX_REPLACED_BYTES);
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    pub(super) fn aside(&self, node: &Node) -> Option<Aside> {
        self.aside.borrow().get(&identity(node)).copied()
    }

    /// The missing keys of a struct that something is to stand in for.
    pub(super) fn stand_ins(&self, map: &Node) -> Vec<&'static str> {
        self.lacking
            .borrow()
            .get(&identity(map))
            .into_iter()
            .flatten()
            .filter(|(_, lack)| **lack == Lack::StandIn)
            .map(|(name, _)| *name)
            .collect()
    }

    pub(super) fn replace<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Error> {
        let mut budget = self.replaceable.get();
        let replaced = environment::replace(text, self.environment, &mut budget);
        self.replaceable.set(budget);
        replaced.map_err(Error::wrong)
    }

    /// Records and leaves out the keys of a struct that it doesn't have. Unlike all else this needs
    /// no further attempt, since the names are known beforehand.
    pub(super) fn survey(
        &self,
        map: &Node,
        entries: &[Entry],
        known: &[&str],
        path: impl Fn() -> Path,
    ) {
        if entries
            .iter()
            .all(|entry| known.contains(&entry.key.as_str()))
            || !self.surveyed.borrow_mut().insert(identity(map))
        {
            return;
        }
        for entry in entries {
            if known.contains(&entry.key.as_str()) {
                continue;
            }
            self.record(Problem::new(
                &path(),
                entry.key_mark,
                unknown_key(&entry.key, known),
            ));
            self.aside
                .borrow_mut()
                .insert(identity(&entry.value), Aside::LeftOut);
        }
    }

    fn record(&self, problem: Problem) -> bool {
        let mut problems = self.problems.borrow_mut();
        if problems.len() >= MAX_PROBLEMS {
            return false;
        }
        problems.push(problem);
        true
    }

    /// Takes note of a failure so that the next attempt gets past it; false if there is no way on.
    pub(super) fn set_aside(&self, error: Error) -> bool {
        let failure = *error.0;
        let Some(place) = failure.place else {
            return false;
        };
        match failure.cause {
            // What is aside already is looked at again only where nothing can leave it out: at
            // the root.
            Cause::Wrong(_) if self.aside.borrow().contains_key(&place.node) => false,
            Cause::Wrong(message) => {
                self.record(place.problem(message)) && self.further(place.node)
            }
            Cause::UnknownKey(message) => {
                self.aside.borrow_mut().insert(place.node, Aside::LeftOut);
                self.record(place.problem(message))
            }
            Cause::Missing(name) if self.is_told(place.node, name) => self.further(place.node),
            Cause::Missing(name) => {
                self.set_lack(place.node, name, Lack::StandIn);
                self.record(place.problem(format!("{} is required here", quoted(name))))
            }
            Cause::NoStandIn => self.further(place.node),
            Cause::NoStandInFor(name) => {
                let before = self.lack(place.node, name);
                self.set_lack(place.node, name, Lack::Hopeless);
                before != Some(Lack::Hopeless)
            }
        }
    }

    /// Takes note that a map is shown without this member, so that its absence isn't told.
    pub(super) fn leave_out(&self, map: &Node, key: &str) {
        self.left_out
            .borrow_mut()
            .insert((identity(map), key.to_owned()));
    }

    fn lack(&self, map: usize, name: &str) -> Option<Lack> {
        self.lacking
            .borrow()
            .get(&map)
            .and_then(|names| names.get(name))
            .copied()
    }

    /// Whether it is known that, or why, the map lacks this key.
    fn is_told(&self, map: usize, name: &str) -> bool {
        self.lack(map, name).is_some() || self.left_out.borrow().contains(&(map, name.to_owned()))
    }

    fn set_lack(&self, map: usize, name: &'static str, lack: Lack) {
        self.lacking
            .borrow_mut()
            .entry(map)
            .or_default()
            .insert(name, lack);
    }

    /// Sets the node aside, or more firmly so.
    fn further(&self, node: usize) -> bool {
        let mut aside = self.aside.borrow_mut();
        let next = match aside.get(&node) {
            None => Aside::StandIn,
            Some(Aside::StandIn) => Aside::LeftOut,
            Some(Aside::LeftOut) => return false,
        };
        aside.insert(node, next);
        true
    }
}

impl Place {
    fn problem(&self, message: String) -> Problem {
        Problem::new(&self.path, self.mark, message)
    }
}
