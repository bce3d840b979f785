//! `${NAME}` in literal strings.

use std::{borrow::Cow, fmt::Write as _};

use zeroize::Zeroize as _;

use super::path::quoted;

/// What all strings of one document may grow to by replacement, in bytes. A certificate chain has
/// some KiB; a short document must not fill the memory by repeating one long variable.
pub const MAX_REPLACED_BYTES: usize = 8 * 1024 * 1024;

/// The most unset variables of one string that are told.
const MAX_TOLD_NAMES: usize = 8;

/// What is wrong with a string; the message is complete.
pub(super) type Fault = String;

/// `text` with each `${NAME}` replaced and each `$${` made a literal `${`. What was put in is not
/// scanned again. `budget` is what may still be put in; it shrinks.
pub(super) fn replace<'a>(
    text: &'a str,
    environment: &dyn Fn(&str) -> Option<String>,
    budget: &mut usize,
) -> Result<Cow<'a, str>, Fault> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut replaced = String::with_capacity(text.len());
    let mut unset: Vec<&str> = Vec::new();
    let mut rest = text;
    let outcome = loop {
        let Some((before, after)) = rest.split_once("${") else {
            replaced.push_str(rest);
            break Ok(());
        };
        if let Some(literal) = before.strip_suffix('$') {
            replaced.push_str(literal);
            replaced.push_str("${");
            rest = after;
            continue;
        }
        replaced.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            break Err("a \"${\" is not closed; write ${NAME}, or $${ for a literal ${".to_owned());
        };
        if !is_name(name) {
            break Err("between \"${\" and \"}\" stands no name of a variable; \
                 write ${NAME}, or $${ for a literal ${"
                .to_owned());
        }
        match environment(name) {
            Some(mut value) => {
                let Some(left) = budget.checked_sub(value.len()) else {
                    value.zeroize();
                    break Err(format!(
                        "the environment variables put in here and before are longer than \
                         {MAX_REPLACED_BYTES} bytes together"
                    ));
                };
                *budget = left;
                replaced.push_str(&value);
                value.zeroize();
            }
            None if unset.contains(&name) || unset.len() >= MAX_TOLD_NAMES => {}
            None => unset.push(name),
        }
        rest = after;
    };
    let outcome = outcome.and_then(|()| {
        if unset.is_empty() {
            Ok(())
        } else {
            Err(unset_message(&unset))
        }
    });
    match outcome {
        Ok(()) => Ok(Cow::Owned(replaced)),
        Err(fault) => {
            replaced.zeroize();
            Err(fault)
        }
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn unset_message(names: &[&str]) -> String {
    if let [name] = names {
        return format!(
            "the environment variable {} is not set; add it to vm_config.environment_variables",
            quoted(name)
        );
    }
    let mut message = "the environment variables ".to_owned();
    for (position, name) in names.iter().enumerate() {
        let separator = if position == 0 { "" } else { ", " };
        // Writing to a String can't fail.
        let _ = write!(message, "{separator}{}", quoted(name));
    }
    message.push_str(" are not set; add them to vm_config.environment_variables");
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "A" => Some("alpha".into()),
            "B_2" => Some("${A}".into()),
            "EMPTY" => Some(String::new()),
            "LONG" => Some("x".repeat(600)),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_once_and_literals_kept() {
        let table = [
            ("plain $ { } text", "plain $ { } text"),
            ("${A}", "alpha"),
            ("x${A}y${A}z", "xalphayalphaz"),
            ("${B_2}", "${A}"),
            ("$${A}", "${A}"),
            ("$${A}${A}", "${A}alpha"),
            ("$$${A}", "$${A}"),
            ("${EMPTY}", ""),
            ("$${", "${"),
            ("é${A}é", "éalphaé"),
        ];
        for (text, expected) in table {
            assert_eq!(
                replace(text, &environment, &mut 1000).unwrap(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_told_with_its_mend() {
        let table = [
            (
                "${NO}",
                "the environment variable \"NO\" is not set; add it to vm_config.environment_variables",
            ),
            (
                "${NO}${A}${NEITHER}${NO}",
                "the environment variables \"NO\", \"NEITHER\" are not set; add them to vm_config.environment_variables",
            ),
            (
                "${A",
                "a \"${\" is not closed; write ${NAME}, or $${ for a literal ${",
            ),
            (
                "${}",
                "between \"${\" and \"}\" stands no name of a variable; write ${NAME}, or $${ for a literal ${",
            ),
            (
                "${A:-b}",
                "between \"${\" and \"}\" stands no name of a variable; write ${NAME}, or $${ for a literal ${",
            ),
            (
                "${LONG}${LONG}",
                "the environment variables put in here and before are longer than 8388608 bytes together",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(
                replace(text, &environment, &mut 1000).unwrap_err(),
                expected,
                "{text}"
            );
        }
    }
}
