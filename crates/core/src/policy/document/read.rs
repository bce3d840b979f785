//! Which form the bytes have, and what bounds every form.

use super::{
    node::{Mark, Node, Value},
    path::Path,
    problem::Problem,
    protobuf, yaml,
};

/// The longest document, in bytes, and the most that its texts may come to once aliases are
/// followed. A store of ten thousand clients has some MiB.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The most values that a document may have once aliases are followed: far more than fit in
/// [`MAX_BYTES`] of sensible text, few enough that a hostile one costs some ten MiB.
pub const MAX_NODES: usize = 500_000;

/// How deep lists and maps may nest. The language itself needs about ten levels, metadata and JWKs
/// a few more; what walks the tree recursively leans on this.
pub const MAX_DEPTH: usize = 64;

/// The plugin configuration as a tree: YAML or JSON text in UTF-8, or a binary
/// `google.protobuf.Struct`, as Envoy hands over a policy written natively inside its own
/// configuration.
///
/// # Errors
/// All problems of the form at once, except that a syntax error ends the reading: empty or too
/// long input, what is neither text nor a Struct, YAML syntax, duplicate keys, and what this
/// language leaves out of YAML (several documents, tags, merge keys, keys that aren't strings).
pub fn read(bytes: &[u8]) -> Result<Node, Vec<Problem>> {
    if bytes.len() > MAX_BYTES {
        return Err(vec![whole(format!(
            "the policy has {} bytes; {MAX_BYTES} are the most",
            bytes.len()
        ))]);
    }
    if bytes.is_empty() {
        return Err(vec![empty()]);
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let tree = match text(bytes) {
        Ok(text) => yaml::read(text)?,
        // A Struct begins with the tag of its first field. No text is one: each of its entries
        // holds the byte 0x12 (the tag of the value), a control character.
        Err(_)
            if bytes.starts_with(&[protobuf::FIRST_BYTE])
                && bytes.contains(&protobuf::VALUE_TAG) =>
        {
            protobuf::read(bytes)?
        }
        Err(problem) => return Err(vec![problem]),
    };
    match tree.value {
        Value::Null => Err(vec![empty()]),
        _ => Ok(tree),
    }
}

fn whole(message: impl Into<String>) -> Problem {
    Problem::new(&Path::root(), None, message)
}

pub(super) fn empty() -> Problem {
    whole(
        "the policy is empty: the plugin configuration must hold it as YAML, JSON or a protobuf Struct",
    )
}

/// The bytes as text, or where and why they aren't.
fn text(bytes: &[u8]) -> Result<&str, Problem> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let message = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
                "the policy is UTF-16 text; save it as UTF-8"
            } else {
                "this is not UTF-8; the policy must be text in UTF-8, or a binary google.protobuf.Struct"
            };
            return Err(Problem::new(&Path::root(), Some(end_of(valid)), message));
        }
    };
    match bytes
        .iter()
        .position(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r'))
    {
        None => Ok(text),
        Some(position) => {
            let code = bytes.get(position).copied().unwrap_or_default();
            let before = bytes.get(..position).unwrap_or_default();
            Err(Problem::new(
                &Path::root(),
                Some(end_of(before)),
                format!(
                    "the control character U+{code:04X} can't stand here; inside double quotes write \"\\x{code:02x}\""
                ),
            ))
        }
    }
}

/// The place right after `text`.
fn end_of(text: &[u8]) -> Mark {
    let text = String::from_utf8_lossy(text);
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    let last = text.rsplit('\n').next().unwrap_or_default();
    mark(lines.saturating_add(1), last.chars().count())
}

/// A mark from a line counted from 1 and a column counted from 0.
pub(super) fn mark(line: usize, column: usize) -> Mark {
    Mark {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column.saturating_add(1)).unwrap_or(u32::MAX),
    }
}

/// What may still be built.
pub(super) struct Budget {
    nodes: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            nodes: MAX_NODES,
            bytes: MAX_BYTES,
        }
    }

    /// Takes the cost of some nodes and of the texts in them.
    pub(super) fn take(&mut self, nodes: usize, bytes: usize) -> Result<(), String> {
        self.nodes = self.nodes.checked_sub(nodes).ok_or_else(|| {
            format!("the policy has more than {MAX_NODES} values, aliases followed")
        })?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| {
            format!("the policy's texts have more than {MAX_BYTES} bytes, aliases followed")
        })?;
        Ok(())
    }
}

pub(super) fn too_deep() -> String {
    format!("lists and maps nest deeper than {MAX_DEPTH} levels here")
}
