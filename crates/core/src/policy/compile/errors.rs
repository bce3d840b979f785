//! `errors`, for the document and for a rule.

use super::Compiler;
use crate::expression::Place;
use crate::policy::document::{Path, suggest};
use crate::policy::raw;
use crate::reply::{ErrorFormat, PUBLIC_REASONS};
use std::rc::Rc;

impl Compiler<'_> {
    /// What is written here over what stands for the whole document.
    pub(super) fn errors(
        &mut self,
        raw: Option<raw::Errors>,
        base: Option<&Rc<ErrorFormat>>,
        path: &Path,
    ) -> Rc<ErrorFormat> {
        let Some(raw) = raw else {
            return base.cloned().unwrap_or_default();
        };
        let mut format = base.map(|base| (**base).clone()).unwrap_or_default();
        if let Some(source) = raw.body {
            let body = self.expression(&source, Place::ErrorBody, &path.key("body"));
            format.body = body.map(Rc::new);
        }
        if let Some(content_type) = raw.content_type {
            if content_type.is_empty()
                || !content_type
                    .bytes()
                    .all(|byte| (b' '..0x7f).contains(&byte))
            {
                self.problem(
                    &path.key("content_type"),
                    "expected a media type, as in application/json",
                );
            }
            format.content_type = content_type;
        }
        if let Some(realm) = raw.realm {
            let plain = |byte: u8| (b' '..0x7f).contains(&byte) && !b"\"\\".contains(&byte);
            if !realm.bytes().all(plain) {
                self.problem(
                    &path.key("realm"),
                    "a realm is plain ASCII without quotes and backslashes",
                );
            }
            format.realm = realm;
        }
        for (reason, status) in raw.status {
            let place = path.key("status").key(&reason);
            self.check_reason(&reason, &place);
            match u16::try_from(status) {
                Ok(status @ 400..=599) => {
                    format.status.insert(reason, status);
                }
                _ => self.problem(&place, "a refusal's status lies between 400 and 599"),
            }
        }
        for (reason, message) in raw.message {
            self.check_reason(&reason, &path.key("message").key(&reason));
            format.message.insert(reason, message);
        }
        Rc::new(format)
    }

    fn check_reason(&mut self, reason: &str, path: &Path) {
        let names = || PUBLIC_REASONS.iter().map(|public| public.name);
        if names().any(|name| name == reason) {
            return;
        }
        let hint = suggest(reason, names())
            .map(|near| format!("; did you mean \"{near}\"?"))
            .unwrap_or_default();
        self.problem(
            path,
            format!("there is no public reason \"{reason}\"{hint}"),
        );
    }
}
