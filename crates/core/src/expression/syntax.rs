//! What the parser finds wrong, in words that tell the mend of the usual slips.

use super::error::CompileError;

pub(super) fn syntax_error(source: &str, errors: &cel::ParseErrors) -> CompileError {
    let Some(first) = errors.errors.first() else {
        return CompileError::new("this is no CEL expression");
    };
    let message = first.msg.strip_prefix("Syntax error: ");
    let message = format!(
        "this is no CEL expression: {}",
        in_words(source, message.unwrap_or(&first.msg))
    );
    match (usize::try_from(first.pos.0), usize::try_from(first.pos.1)) {
        (Ok(line @ 1..), Ok(column @ 1..)) => CompileError::at(line, column, message),
        _ => CompileError::new(message),
    }
}

fn in_words(source: &str, message: &str) -> String {
    // Literal strings of a policy take `${NAME}`, so it is tried here too.
    if source.contains("${") && message == "unexpected character" {
        return "`${NAME}` is replaced in literal strings only, never in an expression".to_owned();
    }
    let follows = message
        .strip_prefix("mismatched input '")
        .and_then(|rest| rest.strip_suffix("' expecting <EOF>"));
    match follows {
        Some("=") => "equality is written `==`".to_owned(),
        Some("and") => "`and` is written `&&`".to_owned(),
        Some("or") => "`or` is written `||`".to_owned(),
        Some(other) => format!("`{other}` can't follow here"),
        None => match message {
            "mismatched input '<EOF>' expecting expression" => "it ends too early".to_owned(),
            "invalid argument to has() macro" => {
                "`has` asks for a member: `has(claims.sub)`, or `'x-y' in claims`".to_owned()
            }
            other => other.to_owned(),
        },
    }
}
