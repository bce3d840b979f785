//! Operators and conversions; what works on texts is in `text`.

use std::cmp::Ordering;

use super::MAX_TEXT;
use super::error::EvaluationError;
use super::evaluate::{Budget, no_overload};
use super::node::{Function, Signature};
use super::text;
use super::value::{Key, Value};

type Result<T> = std::result::Result<T, EvaluationError>;

/// A function of one argument.
pub(super) fn unary(signature: &Signature, value: Value, budget: &mut Budget) -> Result<Value> {
    let name = signature.title;
    match (signature.function, &value) {
        (Function::Not, Value::Bool(value)) => Ok(Value::Bool(!value)),
        (Function::Negate, Value::Int(value)) => checked(value.checked_neg().map(Value::Int)),
        (Function::Negate, Value::Double(value)) => Ok(Value::Double(-value)),
        (Function::Size, value) => size(value, budget),
        (Function::Dyn, _) => Ok(value),
        (Function::ToInt, value) => to_int(value),
        (Function::ToUint, value) => to_uint(value),
        (Function::ToDouble, value) => to_double(value),
        (Function::ToString, _) => to_string(value, budget),
        (Function::ToBytes, Value::Bytes(_)) => Ok(value),
        (Function::ToBytes, Value::String(text)) => {
            budget.spend_bytes(text.len())?;
            Ok(Value::Bytes(text.as_bytes().into()))
        }
        (Function::ToBool, Value::Bool(_)) => Ok(value),
        (Function::ToBool, Value::String(text)) => match text.as_ref() {
            "1" | "t" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(EvaluationError::Unreadable(name)),
        },
        _ => text::unary(signature, &value, budget),
    }
}

/// A function of two arguments or more: `count` of the four values are there.
pub(super) fn call(
    signature: &Signature,
    values: &[Value; 4],
    count: usize,
    budget: &mut Budget,
) -> Result<Value> {
    let [left, right, ..] = values;
    let ordered = |test: fn(Ordering) -> bool, budget: &mut Budget| {
        Ok(Value::Bool(
            compare(signature, left, right, budget)?.is_some_and(test),
        ))
    };
    match signature.function {
        Function::Equal => Ok(Value::Bool(equal(left, right, budget)?)),
        Function::NotEqual => Ok(Value::Bool(!equal(left, right, budget)?)),
        Function::Less => ordered(Ordering::is_lt, budget),
        Function::LessOrEqual => ordered(Ordering::is_le, budget),
        Function::Greater => ordered(Ordering::is_gt, budget),
        Function::GreaterOrEqual => ordered(Ordering::is_ge, budget),
        Function::In => contains(signature, left, right, budget),
        Function::Index => index(signature, left, right, budget),
        Function::Add => add(signature, left, right, budget),
        Function::Subtract | Function::Multiply | Function::Divide | Function::Remainder => {
            arithmetic(signature, left, right)
        }
        _ => {
            let (arguments, _) = values.split_at(count.min(values.len()));
            text::call(signature, arguments, budget)
        }
    }
}

fn checked(value: Option<Value>) -> Result<Value> {
    value.ok_or(EvaluationError::Overflow)
}

/// Names the argument that doesn't fit the other: the second, unless the first never fits.
fn mismatch(
    signature: &Signature,
    left: &Value,
    right: &Value,
    left_fits: bool,
) -> EvaluationError {
    no_overload(signature.title, if left_fits { right } else { left })
}

fn arithmetic(signature: &Signature, left: &Value, right: &Value) -> Result<Value> {
    use Function::{Divide, Multiply, Remainder, Subtract};
    let function = signature.function;
    match (left, right) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0))
            if matches!(function, Divide | Remainder) =>
        {
            Err(EvaluationError::DivisionByZero)
        }
        (Value::Int(left), Value::Int(right)) => checked(
            match function {
                Subtract => left.checked_sub(*right),
                Multiply => left.checked_mul(*right),
                Divide => left.checked_div(*right),
                _ => left.checked_rem(*right),
            }
            .map(Value::Int),
        ),
        (Value::Uint(left), Value::Uint(right)) => checked(
            match function {
                Subtract => left.checked_sub(*right),
                Multiply => left.checked_mul(*right),
                Divide => left.checked_div(*right),
                _ => left.checked_rem(*right),
            }
            .map(Value::Uint),
        ),
        (Value::Double(left), Value::Double(right)) if function != Remainder => {
            Ok(Value::Double(match function {
                Subtract => left - right,
                Multiply => left * right,
                _ => left / right,
            }))
        }
        _ => {
            let number = matches!(left, Value::Int(_) | Value::Uint(_) | Value::Double(_));
            Err(mismatch(signature, left, right, number))
        }
    }
}

fn add(signature: &Signature, left: &Value, right: &Value, budget: &mut Budget) -> Result<Value> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => checked(left.checked_add(*right).map(Value::Int)),
        (Value::Uint(left), Value::Uint(right)) => {
            checked(left.checked_add(*right).map(Value::Uint))
        }
        (Value::Double(left), Value::Double(right)) => Ok(Value::Double(left + right)),
        (Value::String(left), Value::String(right)) => {
            room(left.len(), right.len(), budget)?;
            Ok([left.as_ref(), right.as_ref()].concat().into())
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            room(left.len(), right.len(), budget)?;
            Ok(Value::Bytes(
                [left.as_ref(), right.as_ref()].concat().into(),
            ))
        }
        (Value::List(left), Value::List(right)) => {
            budget.spend(left.len().saturating_add(right.len()))?;
            Ok(Value::List(
                left.iter().chain(right.iter()).cloned().collect(),
            ))
        }
        _ => {
            let fits = !matches!(left, Value::Null | Value::Bool(_) | Value::Map(_));
            Err(mismatch(signature, left, right, fits))
        }
    }
}

/// Pays for a text of both lengths, if it is not too long.
fn room(left: usize, right: usize, budget: &mut Budget) -> Result<()> {
    let length = left.saturating_add(right);
    if length > MAX_TEXT {
        return Err(EvaluationError::TooLong);
    }
    budget.spend_bytes(length)
}

/// Equality of CEL: numbers by their value, different types are different. Values are as deep as
/// JSON and the expression allow.
fn equal(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool> {
    budget.spend(1)?;
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::String(left), Value::String(right)) => {
            budget.spend_bytes(left.len().min(right.len()))?;
            left == right
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            budget.spend_bytes(left.len().min(right.len()))?;
            left == right
        }
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right.iter()) {
                if !equal(left, right, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(left), Value::Map(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.entries().iter().zip(right.entries()) {
                budget.spend(key_steps(&left.0))?;
                if left.0 != right.0 || !equal(&left.1, &right.1, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => compare_numbers(left, right).is_some_and(|order| order == Some(Ordering::Equal)),
    })
}

fn key_steps(key: &Key) -> usize {
    match key {
        Key::String(text) => text.len() / 32,
        Key::Bool(_) | Key::Int(_) | Key::Uint(_) => 0,
    }
}

/// None if these are not both numbers; within it none if one is no number (NaN).
fn compare_numbers(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    Some(match (left, right) {
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::Double(left), right) => compare_double(*left, integer(right)?),
        (left, Value::Double(right)) => {
            compare_double(*right, integer(left)?).map(Ordering::reverse)
        }
        (left, right) => Some(integer(left)?.cmp(&integer(right)?)),
    })
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::Uint(value) => Some(i128::from(*value)),
        _ => None,
    }
}

/// Exact: the integer isn't rounded to a double, since ids beyond 2^53 must not become equal.
fn compare_double(double: f64, integer: i128) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // The cast saturates, which keeps the order: no 64-bit integer is near i128's ends.
    let whole = double.trunc() as i128;
    Some(whole.cmp(&integer).then_with(|| {
        double
            .fract()
            .partial_cmp(&0.0)
            .filter(|_| double.is_finite())
            .unwrap_or(Ordering::Equal)
    }))
}

fn compare(
    signature: &Signature,
    left: &Value,
    right: &Value,
    budget: &mut Budget,
) -> Result<Option<Ordering>> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
        (Value::String(left), Value::String(right)) => {
            budget.spend_bytes(left.len().min(right.len()))?;
            Ok(Some(left.cmp(right)))
        }
        (Value::Bytes(left), Value::Bytes(right)) => {
            budget.spend_bytes(left.len().min(right.len()))?;
            Ok(Some(left.cmp(right)))
        }
        _ => compare_numbers(left, right).ok_or_else(|| {
            let fits = !matches!(left, Value::Null | Value::List(_) | Value::Map(_));
            mismatch(signature, left, right, fits)
        }),
    }
}

fn contains(
    signature: &Signature,
    wanted: &Value,
    container: &Value,
    budget: &mut Budget,
) -> Result<Value> {
    match container {
        Value::List(items) => {
            for item in items.iter() {
                if equal(wanted, item, budget)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        Value::Map(map) => Ok(Value::Bool(match whole(wanted) {
            Some(key) => {
                budget.spend(key_steps(&key))?;
                map.get_key(&key).is_some()
            }
            None => false,
        })),
        other => Err(no_overload(signature.title, other)),
    }
}

/// A key, also from a double that is a whole number.
fn whole(value: &Value) -> Option<Key> {
    match value {
        Value::Double(double) => match to_int(value) {
            Ok(Value::Int(int)) if double.fract() == 0.0 => Some(Key::Int(int)),
            _ => None,
        },
        value => Key::from_value(value),
    }
}

fn index(signature: &Signature, left: &Value, at: &Value, budget: &mut Budget) -> Result<Value> {
    match left {
        Value::Map(map) => {
            let key = whole(at).ok_or_else(|| no_overload(signature.title, at))?;
            budget.spend(key_steps(&key))?;
            map.get_key(&key).cloned().ok_or(EvaluationError::NoKey)
        }
        Value::List(items) => match whole(at) {
            Some(Key::Int(at)) => usize::try_from(at)
                .ok()
                .and_then(|at| items.get(at))
                .cloned()
                .ok_or(EvaluationError::OutOfRange),
            _ => Err(no_overload(signature.title, at)),
        },
        other => Err(no_overload(signature.title, other)),
    }
}

fn size(value: &Value, budget: &mut Budget) -> Result<Value> {
    let size = match value {
        Value::String(text) => {
            budget.spend_bytes(text.len())?;
            text.chars().count()
        }
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        other => return Err(no_overload("size", other)),
    };
    checked(i64::try_from(size).ok().map(Value::Int))
}

fn to_int(value: &Value) -> Result<Value> {
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Uint(value) => checked(i64::try_from(*value).ok().map(Value::Int)),
        // Strictly inside, as CEL has it: 2^63 is the nearest double above the largest Int.
        Value::Double(value) if *value > i64::MIN as f64 && *value < i64::MAX as f64 => {
            Ok(Value::Int(*value as i64))
        }
        Value::Double(_) => Err(EvaluationError::Overflow),
        Value::String(text) => text
            .parse()
            .map(Value::Int)
            .map_err(|_| EvaluationError::Unreadable("int")),
        other => Err(no_overload("int", other)),
    }
}

fn to_uint(value: &Value) -> Result<Value> {
    match value {
        Value::Uint(_) => Ok(value.clone()),
        Value::Int(value) => checked(u64::try_from(*value).ok().map(Value::Uint)),
        Value::Double(value) if *value >= 0.0 && *value < u64::MAX as f64 => {
            Ok(Value::Uint(*value as u64))
        }
        Value::Double(_) => Err(EvaluationError::Overflow),
        Value::String(text) => text
            .parse()
            .map(Value::Uint)
            .map_err(|_| EvaluationError::Unreadable("uint")),
        other => Err(no_overload("uint", other)),
    }
}

fn to_double(value: &Value) -> Result<Value> {
    Ok(Value::Double(match value {
        Value::Double(value) => *value,
        Value::Int(value) => *value as f64,
        Value::Uint(value) => *value as f64,
        Value::String(text) => text
            .parse()
            .map_err(|_| EvaluationError::Unreadable("double"))?,
        other => return Err(no_overload("double", other)),
    }))
}

fn to_string(value: Value, budget: &mut Budget) -> Result<Value> {
    Ok(match value {
        Value::String(_) => value,
        Value::Bool(value) => value.to_string().into(),
        Value::Int(value) => value.to_string().into(),
        Value::Uint(value) => value.to_string().into(),
        Value::Double(value) => value.to_string().into(),
        Value::Bytes(bytes) => {
            budget.spend_bytes(bytes.len())?;
            std::str::from_utf8(&bytes)
                .map_err(|_| EvaluationError::Unreadable("string"))?
                .into()
        }
        other => return Err(no_overload("string", &other)),
    })
}
