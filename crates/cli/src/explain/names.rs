//! What the policy calls its parts, and where they stand.

use doorward_core::policy::document::{Node, Value};

/// Names and lines, by the indices that the compiled policy has.
#[derive(Debug)]
pub struct Names {
    authenticators: Vec<String>,
    rules: Vec<RuleName>,
}

/// One rule.
#[derive(Debug, Default)]
pub struct RuleName {
    /// Its `match.path`.
    pub path: String,
    /// Its line, where the policy is text.
    pub line: Option<u32>,
}

impl Names {
    /// Reads them from the document of a policy that loads.
    pub fn read(document: &Node) -> Names {
        let mut authenticators = match document.get("authenticators").map(|node| &node.value) {
            Some(Value::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
            _ => Vec::new(),
        };
        // The policy numbers them in this order.
        authenticators.sort_unstable();
        let rules = match document.get("rules").map(|node| &node.value) {
            Some(Value::List(items)) => items.iter().map(rule).collect(),
            _ => Vec::new(),
        };
        Names {
            authenticators,
            rules,
        }
    }

    /// An authenticator's name.
    pub fn authenticator(&self, index: usize) -> &str {
        self.authenticators.get(index).map_or("?", String::as_str)
    }

    /// A rule.
    pub fn rule(&self, index: usize) -> Option<&RuleName> {
        self.rules.get(index)
    }
}

fn rule(node: &Node) -> RuleName {
    let path = node.get("match").and_then(|matches| matches.get("path"));
    RuleName {
        path: match path.map(|node| &node.value) {
            Some(Value::String(text)) => text.to_string(),
            _ => String::new(),
        },
        line: node.mark.map(|mark| mark.line),
    }
}
