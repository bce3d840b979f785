//! YAML 1.2 text, JSON included, to the tree. The parser gives events; the tree, its limits and
//! the meaning of plain scalars (the core schema) are ours.

mod scalar;
mod syntax;

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::{
    decode::MAX_PROBLEMS,
    node::{Entry, Mark, Node, Value},
    path::{Path, Segment, quoted},
    problem::Problem,
    read::{Budget, MAX_DEPTH, empty, mark, too_deep},
};

/// The tree of a text.
pub(super) fn read(text: &str) -> Result<Node, Vec<Problem>> {
    let mut options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    options.set_emit_comments(false);
    let mut builder = Builder::new();
    for event in Parser::<StrInput<'_>>::new_from_str_with_options(text, options) {
        let outcome = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                let place = error.marker();
                Err(Stop {
                    path: Path::root(),
                    mark: syntax::place(error.kind(), text, mark(place.line(), place.col())),
                    message: syntax::message(error.kind()),
                })
            }
        };
        if let Err(stop) = outcome {
            builder
                .problems
                .push(Problem::new(&stop.path, Some(stop.mark), stop.message));
            break;
        }
        if builder.problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    if !builder.problems.is_empty() {
        return Err(builder.problems);
    }
    builder.root.ok_or_else(|| vec![empty()])
}

/// A problem after which nothing sensible can be read.
struct Stop {
    path: Path,
    mark: Mark,
    message: String,
}

/// A list or map that isn't closed yet.
struct Open {
    mark: Mark,
    /// The parser's number for the node's anchor, 0 without one.
    anchor: usize,
    members: Members,
}

enum Members {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        keys: BTreeSet<String>,
        key: Key,
    },
}

/// What comes next in a map.
enum Key {
    /// A key.
    Awaited,
    /// The value of this key.
    Read(String, Mark),
    /// The value of a key that can't be used: it is read and dropped.
    Unusable,
}

struct Builder {
    budget: Budget,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
    problems: Vec<Problem>,
}

impl Builder {
    fn new() -> Self {
        Self {
            budget: Budget::new(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            root: None,
            documents: 0,
            problems: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let mark = mark(span.start.line(), span.start.col());
        match event {
            Event::DocumentStart(..) => {
                self.documents = self.documents.saturating_add(1);
                if self.documents > 1 {
                    return Err(Stop {
                        path: Path::root(),
                        mark,
                        message: "a second document begins here; a policy is one document"
                            .to_owned(),
                    });
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), mark);
                self.scalar(&text, style, anchor, mark)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), mark);
                self.begin(anchor, mark, Members::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), mark);
                let members = Members::Map {
                    entries: Vec::new(),
                    keys: BTreeSet::new(),
                    key: Key::Awaited,
                };
                self.begin(anchor, mark, members)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(anchor) => self.alias(anchor, mark)?,
            _ => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        mark: Mark,
    ) -> Result<(), Stop> {
        self.take(1, text.len(), mark)?;
        let plain = style == ScalarStyle::Plain;
        if self.awaits_key() && plain && text == "<<" {
            self.problem(
                mark,
                "merge keys (<<) are not supported; write the members out".to_owned(),
            );
            self.set_key(Key::Unusable);
            return Ok(());
        }
        let value = if plain {
            scalar::resolve(text).unwrap_or_else(|| {
                self.problem(
                    mark,
                    "this is no finite number; put it in quotes if it is a text".to_owned(),
                );
                Value::Null
            })
        } else {
            Value::String(text.to_owned().into())
        };
        self.add(
            Node {
                value,
                mark: Some(mark),
            },
            anchor,
            mark,
        )
    }

    fn begin(&mut self, anchor: usize, mark: Mark, members: Members) -> Result<(), Stop> {
        self.take(1, 0, mark)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(self.stop(mark, too_deep()));
        }
        self.open.push(Open {
            mark,
            anchor,
            members,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        let Some(Open {
            mark,
            anchor,
            members,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let value = match members {
            Members::List(mut items) => {
                items.shrink_to_fit();
                Value::List(items)
            }
            Members::Map { mut entries, .. } => {
                entries.shrink_to_fit();
                Value::Map(entries)
            }
        };
        self.add(
            Node {
                value,
                mark: Some(mark),
            },
            anchor,
            mark,
        )
    }

    /// Puts in a copy of what the alias stands for. The copy keeps its own marks: a problem in it
    /// is mended where it is written.
    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.stop(
                mark,
                "this alias stands inside what it refers to".to_owned(),
            ));
        };
        let size = Size::of(node);
        if self.open.len().saturating_add(size.depth) > MAX_DEPTH {
            return Err(self.stop(mark, too_deep()));
        }
        self.take(size.nodes, size.bytes, mark)?;
        let copy = self.anchors.get(&anchor).cloned();
        match copy {
            Some(copy) => self.add(copy, 0, mark),
            None => Ok(()),
        }
    }

    /// Puts a finished node where it belongs. `mark` is where it is written, which for an alias
    /// isn't its own mark.
    fn add(&mut self, node: Node, anchor: usize, mark: Mark) -> Result<(), Stop> {
        if anchor != 0 {
            let size = Size::of(&node);
            self.take(size.nodes, size.bytes, mark)?;
            self.anchors.insert(anchor, node.clone());
        }
        if self.awaits_key() {
            let key = self.key(node, mark);
            self.set_key(key);
            return Ok(());
        }
        match self.open.last_mut().map(|open| &mut open.members) {
            None => self.root = Some(node),
            Some(Members::List(items)) => items.push(node),
            Some(Members::Map { entries, key, .. }) => {
                if let Key::Read(key, key_mark) = std::mem::replace(key, Key::Awaited) {
                    entries.push(Entry {
                        key,
                        key_mark: Some(key_mark),
                        value: node,
                    });
                }
            }
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                members: Members::Map {
                    key: Key::Awaited,
                    ..
                },
                ..
            })
        )
    }

    fn set_key(&mut self, next: Key) {
        if let Some(Open {
            members: Members::Map { key, .. },
            ..
        }) = self.open.last_mut()
        {
            *key = next;
        }
    }

    fn key(&mut self, node: Node, mark: Mark) -> Key {
        let Value::String(name) = node.value else {
            let kind = node.value.kind();
            let mend = match node.value {
                Value::List(_) | Value::Map(_) => "",
                _ => "; put it in quotes",
            };
            self.problem(
                mark,
                format!("a key must be a string, but this one is {kind}{mend}"),
            );
            return Key::Unusable;
        };
        let name = name.as_str().to_owned();
        let Some(Open {
            members: Members::Map { entries, keys, .. },
            ..
        }) = self.open.last_mut()
        else {
            return Key::Unusable;
        };
        if keys.insert(name.clone()) {
            return Key::Read(name, mark);
        }
        let first = entries
            .iter()
            .find(|entry| entry.key == name)
            .and_then(|entry| entry.key_mark)
            .map(|mark| {
                format!(
                    "; it first stands at line {}, column {}",
                    mark.line, mark.column
                )
            })
            .unwrap_or_default();
        self.problem(
            mark,
            format!("the key {} is given twice{first}", quoted(&name)),
        );
        Key::Unusable
    }

    fn refuse_tag(&mut self, tagged: bool, mark: Mark) {
        if tagged {
            self.problem(
                mark,
                "tags (such as !!str) are not supported; leave it out".to_owned(),
            );
        }
    }

    fn take(&mut self, nodes: usize, bytes: usize, mark: Mark) -> Result<(), Stop> {
        self.budget
            .take(nodes, bytes)
            .map_err(|message| self.stop(mark, message))
    }

    fn problem(&mut self, mark: Mark, message: String) {
        self.problems
            .push(Problem::new(&self.path(), Some(mark), message));
    }

    fn stop(&self, mark: Mark, message: String) -> Stop {
        Stop {
            path: self.path(),
            mark,
            message,
        }
    }

    /// Where the next node goes.
    fn path(&self) -> Path {
        let segments = self.open.iter().filter_map(|open| match &open.members {
            Members::List(items) => Some(Segment::Index(items.len())),
            Members::Map {
                key: Key::Read(key, _),
                ..
            } => Some(Segment::Key(key.clone())),
            Members::Map { .. } => None,
        });
        Path::from_segments(segments.collect())
    }
}

/// What a copy of a node costs.
#[derive(Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    /// Levels of lists and maps.
    depth: usize,
}

impl Size {
    /// The recursion is as deep as the tree, which is at most `MAX_DEPTH`.
    fn of(node: &Node) -> Self {
        let mut size = Self {
            nodes: 1,
            ..Self::default()
        };
        match &node.value {
            Value::String(text) => size.bytes = text.len(),
            Value::List(items) => items.iter().for_each(|item| size.hold(&Self::of(item))),
            Value::Map(entries) => {
                for entry in entries {
                    size.bytes = size.bytes.saturating_add(entry.key.len());
                    size.hold(&Self::of(&entry.value));
                }
            }
            _ => {}
        }
        if matches!(node.value, Value::List(_) | Value::Map(_)) {
            size.depth = size.depth.saturating_add(1);
        }
        size
    }

    fn hold(&mut self, member: &Self) {
        self.nodes = self.nodes.saturating_add(member.nodes);
        self.bytes = self.bytes.saturating_add(member.bytes);
        self.depth = self.depth.max(member.depth);
    }
}
