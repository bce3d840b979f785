//! Telling problems of meaning beside problems of form, without those that only follow.

use crate::policy::document::{Node, Path, Problem, Segment, Value};
use crate::policy::raw;

/// The parts of a document (one client, authenticator, token, rule) whose form is broken.
/// What they mean can't be judged, and what others say of them can't be held against those.
#[derive(Debug)]
pub(super) enum Broken {
    /// So much that nothing else can be judged.
    All,
    /// These, by section and name or index.
    Parts(Vec<[Segment; 2]>),
}

impl Broken {
    /// What these problems of form break.
    pub(super) fn by(problems: &[Problem], document: &Node) -> Broken {
        let mut parts = Vec::new();
        for problem in problems {
            let segments = problem.place().segments();
            match segments {
                // An element that is no map is left out, which moves all that follow it.
                [Segment::Key(section), Segment::Index(index)]
                    if !is_map(document, section, *index) =>
                {
                    return Broken::All;
                }
                [section, part, ..] => parts.push([section.clone(), part.clone()]),
                _ => return Broken::All,
            }
        }
        Broken::Parts(parts)
    }

    /// Whether a member of a section is broken.
    pub(super) fn has(&self, section: &str, name: &str) -> bool {
        let part = [
            Segment::Key(section.to_owned()),
            Segment::Key(name.to_owned()),
        ];
        match self {
            Broken::All => true,
            Broken::Parts(parts) => parts.contains(&part),
        }
    }

    /// Gives members back that were left out: their names exist, whatever is wrong with them.
    pub(super) fn restore_names(&self, document: &mut raw::Document) {
        let Broken::Parts(parts) = self else {
            return;
        };
        for part in parts {
            let [Segment::Key(section), Segment::Key(name)] = part else {
                continue;
            };
            match section.as_str() {
                "authenticators" => {
                    let name = name.clone();
                    document.authenticators.entry(name).or_default();
                }
                "tokens" => {
                    document.tokens.entry(name.clone()).or_default();
                }
                _ => {}
            }
        }
    }

    /// All problems that are worth telling, in the order of the text.
    pub(super) fn join(&self, form: Vec<Problem>, meaning: Vec<Problem>) -> Vec<Problem> {
        let follows = |place: &Path| match (self, place.segments()) {
            (Broken::All, _) => true,
            (Broken::Parts(parts), [section, part, ..]) => parts
                .iter()
                .any(|[broken, name]| broken == section && name == part),
            (Broken::Parts(_), _) => false,
        };
        let mut all = form;
        all.extend(
            meaning
                .into_iter()
                .filter(|problem| !follows(problem.place())),
        );
        all.sort_by_key(|problem| problem.line.zip(problem.column));
        all
    }
}

fn is_map(document: &Node, section: &str, index: usize) -> bool {
    let element = match document.get(section).map(|list| &list.value) {
        Some(Value::List(elements)) => elements.get(index),
        _ => None,
    };
    matches!(element.map(|element| &element.value), Some(Value::Map(_)))
}
