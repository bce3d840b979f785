//! The functions on texts: CEL's strings extension and the encodings. Positions count code
//! points, as everywhere in CEL. Each pays for what it reads and writes before it does so.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::MAX_TEXT;
use super::error::EvaluationError;
use super::evaluate::{Budget, no_overload};
use super::node::{Function, Signature};
use super::value::Value;

type Result<T> = std::result::Result<T, EvaluationError>;

/// Padding is written, and read with or without, as CEL has it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A function of one argument.
pub(super) fn unary(signature: &Signature, value: &Value, budget: &mut Budget) -> Result<Value> {
    match (signature.function, value) {
        (Function::Join, Value::List(items)) => join(signature, items, "", budget),
        (Function::Base64Encode, Value::String(text)) => base64_encode(text.as_bytes(), budget),
        (Function::Base64Encode, Value::Bytes(bytes)) => base64_encode(bytes, budget),
        (_, Value::String(text)) => {
            budget.spend_bytes(text.len())?;
            match signature.function {
                Function::LowerAscii => Ok(text.to_ascii_lowercase().into()),
                Function::UpperAscii => Ok(text.to_ascii_uppercase().into()),
                Function::Trim => Ok(text.trim().into()),
                Function::UrlEncode => url_encode(text, budget),
                Function::UrlDecode => url_decode(text),
                Function::Base64Decode => BASE64
                    .decode(text.as_bytes())
                    .map(|bytes| Value::Bytes(bytes.into()))
                    .map_err(|_| EvaluationError::Unreadable(signature.title)),
                _ => Err(no_overload(signature.title, value)),
            }
        }
        _ => Err(no_overload(signature.title, value)),
    }
}

/// A function of two arguments or more; the first is what stands before the dot.
pub(super) fn call(
    signature: &Signature,
    arguments: &[Value],
    budget: &mut Budget,
) -> Result<Value> {
    let title = signature.title;
    if let (Function::Join, [Value::List(items), Value::String(separator)]) =
        (signature.function, arguments)
    {
        return join(signature, items, separator, budget);
    }
    let Some(Value::String(text)) = arguments.first() else {
        return Err(no_overload(
            title,
            arguments.first().unwrap_or(&Value::Null),
        ));
    };
    budget.spend_bytes(text.len())?;
    match (signature.function, arguments) {
        (Function::Contains, [_, Value::String(part)]) => {
            Ok(Value::Bool(text.contains(part.as_ref())))
        }
        (Function::StartsWith, [_, Value::String(part)]) => {
            Ok(Value::Bool(text.starts_with(part.as_ref())))
        }
        (Function::EndsWith, [_, Value::String(part)]) => {
            Ok(Value::Bool(text.ends_with(part.as_ref())))
        }
        (Function::Split, [_, Value::String(separator)]) => split(text, separator, -1, budget),
        (Function::Split, [_, Value::String(separator), Value::Int(most)]) => {
            split(text, separator, *most, budget)
        }
        (Function::Replace, [_, Value::String(from), Value::String(to)]) => {
            replace(text, from, to, -1, budget)
        }
        (Function::Replace, [_, Value::String(from), Value::String(to), Value::Int(most)]) => {
            replace(text, from, to, *most, budget)
        }
        (Function::Substring, [_, Value::Int(start)]) => substring(text, *start, None),
        (Function::Substring, [_, Value::Int(start), Value::Int(end)]) => {
            substring(text, *start, Some(*end))
        }
        (Function::IndexOf, [_, Value::String(part)]) => index_of(text, part, None),
        (Function::IndexOf, [_, Value::String(part), Value::Int(from)]) => {
            index_of(text, part, Some(*from))
        }
        (Function::LastIndexOf, [_, Value::String(part)]) => last_index_of(text, part, None),
        (Function::LastIndexOf, [_, Value::String(part), Value::Int(from)]) => {
            last_index_of(text, part, Some(*from))
        }
        (Function::CharAt, [_, Value::Int(at)]) => match byte_at(text, *at) {
            Some(start) => {
                let rest = text.get(start..).unwrap_or_default();
                Ok(rest
                    .chars()
                    .next()
                    .map_or_else(String::new, String::from)
                    .into())
            }
            None => Err(EvaluationError::OutOfRange),
        },
        (_, [_, first, rest @ ..]) => {
            let misfit = match first {
                Value::String(_) | Value::Int(_) => rest.last().unwrap_or(first),
                other => other,
            };
            Err(no_overload(title, misfit))
        }
        _ => Err(EvaluationError::Unreadable(title)),
    }
}

fn join(
    signature: &Signature,
    items: &[Value],
    separator: &str,
    budget: &mut Budget,
) -> Result<Value> {
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        let Value::String(item) = item else {
            return Err(no_overload(signature.title, item));
        };
        let separator = if index == 0 { "" } else { separator };
        budget.spend(1)?;
        pay(joined.len(), separator.len() + item.len(), budget)?;
        joined.push_str(separator);
        joined.push_str(item);
    }
    Ok(joined.into())
}

/// Pays for so many more bytes, if the text doesn't get too long by them.
fn pay(length: usize, more: usize, budget: &mut Budget) -> Result<()> {
    if length.saturating_add(more) > MAX_TEXT {
        return Err(EvaluationError::TooLong);
    }
    budget.spend_bytes(more)
}

/// At most so many parts, the last with all that is left; none for 0, all for less.
fn split(text: &str, separator: &str, most: i64, budget: &mut Budget) -> Result<Value> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut push = |part: &str, budget: &mut Budget| {
        budget.spend(1)?;
        parts.push(Value::from(part));
        Ok(())
    };
    if separator.is_empty() {
        let mut rest = text;
        let mut count = 0_usize;
        while let Some(first) = rest.chars().next()
            && count < most
        {
            count += 1;
            let end = if count == most {
                rest.len()
            } else {
                first.len_utf8()
            };
            let (part, left) = rest.split_at(end);
            push(part, budget)?;
            rest = left;
        }
    } else {
        for part in text.splitn(most, separator) {
            push(part, budget)?;
        }
    }
    Ok(parts.into())
}

/// The first so many of them, all for less than 0.
fn replace(text: &str, from: &str, to: &str, most: i64, budget: &mut Budget) -> Result<Value> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let found = text.matches(from).take(most).count();
    budget.spend(found)?;
    let removed = found.saturating_mul(from.len());
    let added = found.saturating_mul(to.len());
    pay(text.len().saturating_sub(removed), added, budget)?;
    Ok(text.replacen(from, to, most).into())
}

/// Where the code point with this index begins; also just behind the last.
fn byte_at(text: &str, index: i64) -> Option<usize> {
    let index = usize::try_from(index).ok()?;
    text.char_indices()
        .map(|(at, _)| at)
        .chain(std::iter::once(text.len()))
        .nth(index)
}

fn substring(text: &str, start: i64, end: Option<i64>) -> Result<Value> {
    let from = byte_at(text, start).ok_or(EvaluationError::OutOfRange)?;
    let to = match end {
        Some(end) => byte_at(text, end).ok_or(EvaluationError::OutOfRange)?,
        None => text.len(),
    };
    // None where the end is before the start.
    text.get(from..to)
        .map(Value::from)
        .ok_or(EvaluationError::OutOfRange)
}

/// The index of the code point that begins at this byte.
fn index_at(text: &str, byte: usize) -> Result<Value> {
    let before = text.get(..byte).unwrap_or(text);
    i64::try_from(before.chars().count())
        .map(Value::Int)
        .map_err(|_| EvaluationError::Overflow)
}

fn index_of(text: &str, part: &str, from: Option<i64>) -> Result<Value> {
    let start = match from {
        Some(from) => match start_of_search(text, part, from)? {
            Some(start) => start,
            None => return index_at(text, text.len()),
        },
        None => 0,
    };
    let rest = text.get(start..).unwrap_or_default();
    match rest.find(part) {
        Some(found) => index_at(text, start + found),
        None => Ok(Value::Int(-1)),
    }
}

fn last_index_of(text: &str, part: &str, from: Option<i64>) -> Result<Value> {
    let end = match from {
        Some(from) => match start_of_search(text, part, from)? {
            // The match may begin at `from` and reach beyond it.
            Some(start) => start.saturating_add(part.len()).min(text.len()),
            None => return index_at(text, text.len()),
        },
        None => text.len(),
    };
    let searched = text
        .get(..text.floor_char_boundary(end))
        .unwrap_or_default();
    match searched.rfind(part) {
        Some(found) => index_at(text, found),
        None => Ok(Value::Int(-1)),
    }
}

/// The byte at which a search from this code point begins. From the end on there is only the
/// empty text to be found, which is told by none.
fn start_of_search(text: &str, part: &str, from: i64) -> Result<Option<usize>> {
    match byte_at(text, from) {
        Some(start) if start < text.len() => Ok(Some(start)),
        _ if from >= 0 && part.is_empty() => Ok(None),
        _ => Err(EvaluationError::OutOfRange),
    }
}

/// RFC 3986: everything but the unreserved characters is escaped, so the result is safe in a
/// path segment, a query and a form.
fn url_encode(text: &str, budget: &mut Budget) -> Result<Value> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escaped = text.bytes().filter(|byte| !unreserved(*byte)).count();
    pay(text.len(), escaped.saturating_mul(2), budget)?;
    let mut encoded = String::with_capacity(text.len() + 2 * escaped);
    for byte in text.bytes() {
        if unreserved(byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").map_err(|_| EvaluationError::Unprintable)?;
        }
    }
    Ok(encoded.into())
}

/// The inverse of `url_encode`; `+` stays, since it is a space in forms only.
fn url_decode(text: &str) -> Result<Value> {
    let unreadable = EvaluationError::Unreadable("url_decode");
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err(unreadable);
        };
        decoded.push(u8::try_from(high * 16 + low).map_err(|_| unreadable.clone())?);
    }
    String::from_utf8(decoded)
        .map(Value::from)
        .map_err(|_| unreadable)
}

fn base64_encode(bytes: &[u8], budget: &mut Budget) -> Result<Value> {
    pay(0, bytes.len().div_ceil(3).saturating_mul(4), budget)?;
    Ok(BASE64.encode(bytes).into())
}
