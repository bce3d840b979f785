//! The tree to typed raw structs, all problems at once.
//!
//! serde stops at the first error. So a problem is recorded, its place is set aside, and the
//! tree is decoded again, until it decodes or nothing more can be set aside. What was set aside is
//! stood in for by an empty value of the wanted type, so that one problem doesn't hide another
//! or bring about a second one.

mod cursor;
mod error;
mod members;
mod recovery;
mod stand_in;

use serde::de::DeserializeOwned;

use super::{node::Node, path::Path, problem::Problem};
use cursor::Cursor;
use recovery::Recovery;

/// The most problems that are told at once; whoever has more mends these first.
pub const MAX_PROBLEMS: usize = 100;

/// Each problem may take a few attempts: one to find it, and one each to learn that neither a
/// stand-in nor leaving it out is enough.
const MAX_ATTEMPTS: usize = 4 * MAX_PROBLEMS;

/// Decodes `T` from the tree, replacing `${NAME}` in strings by what `environment` has for the
/// name.
///
/// A type with a hand-written `Deserialize` asks by `deserialize_any`, names what it takes in
/// `expecting`, and may offer a stand-in for itself by `visit_none`: with it, its absence doesn't
/// hide what else the struct around it lacks. Its own errors must not show the value.
///
/// Structs take their own keys only.
///
/// The result is what could be decoded, with empty values in the place of what could not, and
/// every problem of the document, at most [`MAX_PROBLEMS`], in the order of the text: unknown and
/// missing keys, values of a wrong type, strings that can't be replaced, and what the types
/// themselves refuse. Elements of lists that are of a wrong type are left out.
pub fn recover<T: DeserializeOwned>(
    document: &Node,
    environment: &dyn Fn(&str) -> Option<String>,
) -> (Option<T>, Vec<Problem>) {
    let recovery = Recovery::new(environment);
    let mut whole = None;
    for _ in 0..MAX_ATTEMPTS {
        recovery.begin_attempt();
        match T::deserialize(Cursor::root(document, &recovery)) {
            Ok(decoded) => {
                whole = Some(decoded);
                break;
            }
            Err(error) => {
                if !recovery.set_aside(error) {
                    break;
                }
            }
        }
    }
    let mut problems = recovery.into_problems();
    if problems.is_empty() && whole.is_none() {
        // Only a type whose `Deserialize` fails without a reason gets here.
        problems.push(Problem::new(
            &Path::root(),
            document.mark,
            "this can't be read as a policy",
        ));
    }
    problems.sort_by_key(|problem| problem.line.zip(problem.column));
    (whole, problems)
}

/// As [`recover`], for those who want all or nothing.
///
/// # Errors
/// Every problem, where there is any.
pub fn decode<T: DeserializeOwned>(
    document: &Node,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<T, Vec<Problem>> {
    match recover(document, environment) {
        (Some(decoded), problems) if problems.is_empty() => Ok(decoded),
        (_, problems) => Err(problems),
    }
}

#[cfg(test)]
mod tests;
