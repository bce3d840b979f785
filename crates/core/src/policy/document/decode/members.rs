//! The elements of a list and the members of a map, as serde asks for them.

use serde::de::{self, DeserializeSeed, value::StrDeserializer};

use super::{
    cursor::{Cursor, Track},
    error::{Cause, Error, Place},
    recovery::{Aside, identity},
    stand_in::StandIn,
};
use crate::policy::document::node::{Entry, Node};

/// The elements of a list that aren't set aside.
pub(super) struct Elements<'a> {
    list: Cursor<'a>,
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'a> Elements<'a> {
    pub(super) fn new(list: Cursor<'a>, items: &'a [Node]) -> Self {
        Self {
            list,
            items: items.iter().enumerate(),
        }
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let next = self
            .items
            .find(|(_, item)| self.list.recovery.aside(item).is_none());
        let Some((index, item)) = next else {
            return Ok(None);
        };
        let track = Track::Index(self.list.track, index);
        seed.deserialize(self.list.member(item, &track)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// A string that stands for a list of one.
pub(super) struct OneElement<'a>(pub(super) Option<Cursor<'a>>);

impl<'de> de::SeqAccess<'de> for OneElement<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.0
            .take()
            .map(|element| seed.deserialize(element))
            .transpose()
    }
}

/// The members of a map or a struct.
pub(super) struct Members<'a> {
    map: Cursor<'a>,
    entries: std::slice::Iter<'a, Entry>,
    /// The keys of a struct; `None` for a free map.
    fields: Option<&'static [&'static str]>,
    /// Missing keys of a struct that something stands in for.
    missing: std::vec::IntoIter<&'static str>,
    next: Option<Next<'a>>,
}

enum Next<'a> {
    Entry(&'a Entry),
    Missing(&'static str),
}

impl<'a> Members<'a> {
    pub(super) fn new(
        map: Cursor<'a>,
        entries: &'a [Entry],
        fields: Option<&'static [&'static str]>,
    ) -> Self {
        let missing = match fields {
            None => Vec::new(),
            Some(known) => {
                map.recovery
                    .survey(map.node, entries, known, || map.track.path());
                map.recovery.stand_ins(map.node)
            }
        };
        Self {
            map,
            entries: entries.iter(),
            fields,
            missing: missing.into_iter(),
            next: None,
        }
    }

    fn leaves_out(&self, entry: &Entry) -> bool {
        let out = match self.map.recovery.aside(&entry.value) {
            None => false,
            Some(Aside::StandIn) => self.fields.is_none(),
            Some(Aside::LeftOut) => true,
        };
        if out {
            self.map.recovery.leave_out(self.map.node, &entry.key);
        }
        out
    }
}

impl<'de> de::MapAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        while let Some(entry) = self.entries.next() {
            if self.leaves_out(entry) {
                continue;
            }
            self.next = Some(Next::Entry(entry));
            return seed
                .deserialize(StrDeserializer::<Error>::new(&entry.key))
                .map(Some)
                .map_err(|mut error| {
                    // A key that a free map's key type refuses: its value goes with it.
                    if let Cause::Wrong(message) = &mut error.0.cause {
                        error.0.cause = Cause::UnknownKey(std::mem::take(message));
                    }
                    error.or_at(|| Place {
                        node: identity(&entry.value),
                        path: self.map.track.path(),
                        mark: entry.key_mark,
                    })
                });
        }
        let Some(name) = self.missing.next() else {
            return Ok(None);
        };
        self.next = Some(Next::Missing(name));
        seed.deserialize(StrDeserializer::<Error>::new(name))
            .map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        match self.next.take() {
            Some(Next::Entry(entry)) => {
                let track = Track::Key(self.map.track, &entry.key);
                let value = self.map.member(&entry.value, &track);
                match self.map.recovery.aside(&entry.value) {
                    None => seed.deserialize(value),
                    Some(_) => seed
                        .deserialize(StandIn::new())
                        .map_err(|_| Error::new(Cause::NoStandIn).or_at(|| value.place())),
                }
            }
            Some(Next::Missing(name)) => seed
                .deserialize(StandIn::new())
                .map_err(|_| Error::new(Cause::NoStandInFor(name)).or_at(|| self.map.place())),
            None => Err(Error::wrong("a value was asked for without its key")),
        }
    }
}
