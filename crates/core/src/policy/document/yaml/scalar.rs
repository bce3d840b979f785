//! What a plain scalar means: the core schema of YAML 1.2, section 10.3.2.

use crate::policy::document::node::Value;

/// The value of a scalar without quotes; `None` for infinity, not-a-number and what overflows.
/// `yes`, `on` and times are strings.
pub(super) fn resolve(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match number(text) {
            Some(number) => return number,
            None => Value::String(text.to_owned().into()),
        },
    })
}

/// `None` if this is no number, `Some(None)` if it is one that the tree can't hold.
fn number(text: &str) -> Option<Option<Value>> {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(None);
    }
    if !is_decimal(unsigned) {
        return None;
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(Some(Value::Int(number)));
    }
    Some(text.parse::<f64>().ok().and_then(Value::number))
}

fn radix(digits: &str, radix: u32) -> Option<Option<Value>> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    Some(i64::from_str_radix(digits, radix).ok().map(Value::Int))
}

/// Digits with an optional fraction and exponent: `1`, `1.`, `.5`, `1.5e-3`.
fn is_decimal(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_is_good = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent_is_good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let string = |text: &str| Some(Value::String(text.to_owned().into()));
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(resolve(text), Some(Value::Null), "{text}");
        }
        for (text, value) in [("true", true), ("True", true), ("FALSE", false)] {
            assert_eq!(resolve(text), Some(Value::Bool(value)), "{text}");
        }
        let whole = [
            ("0", 0),
            ("-17", -17),
            ("+3", 3),
            ("007", 7),
            ("0x1F", 31),
            ("0o17", 15),
            ("1.0", 1),
            ("1e3", 1000),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, value) in whole {
            assert_eq!(resolve(text), Some(Value::Int(value)), "{text}");
        }
        for (text, value) in [
            ("1.5", 1.5),
            (".5", 0.5),
            ("-2.5e-1", -0.25),
            ("18446744073709551616", 18446744073709551616.0),
        ] {
            assert_eq!(resolve(text), Some(Value::Float(value)), "{text}");
        }
        for text in [".inf", "-.INF", ".nan", "1e999", "0xFFFFFFFFFFFFFFFFF"] {
            assert_eq!(resolve(text), None, "{text}");
        }
        for text in [
            "yes",
            "on",
            "nULL",
            "tRUE",
            "2026-11-01T00:00:00Z",
            "2026-11-01",
            "12:30",
            "1_000",
            "0b1",
            "0x",
            "0o8",
            ".",
            "-",
            "+",
            "e5",
            "1e",
            "1e+",
            "--1",
            "+.nan",
            "1.2.3",
            "10.0.0.0/8",
            "inf",
            "nan",
            "infinity",
            "0xg",
        ] {
            assert_eq!(resolve(text), string(text), "{text}");
        }
    }
}
