//! What came back.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::server::Received;

/// An answer with its whole body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Every header line in its order, as it arrived; a value that is no UTF-8 has U+FFFD in it.
    pub headers: Vec<(String, String)>,
    /// The body, its transfer coding undone.
    pub body: Vec<u8>,
    /// From the request's first byte to the answer's last.
    pub elapsed: Duration,
}

impl Answer {
    /// The value of the first header of this name, in any letter case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(each, _)| each.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is no UTF-8 has U+FFFD in it.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("status {}, no JSON: {}", self.status, self.text()))
    }

    /// What stands at this JSON pointer of the body; null where nothing does.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Value {
        self.json()
            .ok()
            .and_then(|json| json.pointer(pointer).cloned())
            .unwrap_or_default()
    }

    /// What the echo upstream received; an error where it wasn't the upstream that answered.
    pub fn upstream(&self) -> Result<Received> {
        serde_json::from_slice(&self.body).with_context(|| {
            format!(
                "status {}, not from the echo upstream: {}",
                self.status,
                self.text()
            )
        })
    }
}
