//! "Did you mean …?"

/// A longer name isn't compared: the comparison costs the product of both lengths.
const MAX_COMPARED: usize = 64;

/// The candidate that `name` most likely meant, if one is near: at most one slip (a letter wrong,
/// missing, too many or swapped) in three letters, letter case aside.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let lower = name.to_lowercase();
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_COMPARED)
        .map(|candidate| {
            (
                strsim::osa_distance(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        // A name of one or two letters is near to everything: it must share a letter.
        .filter(|(distance, candidate)| {
            *distance <= allowed && *distance < candidate.chars().count()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The suffix for a message: `; did you mean "x"?`, or nothing.
pub(super) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    suggest(name, candidates)
        .map(|candidate| format!("; did you mean {}?", super::path::quoted(candidate)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let keys = ["scopes", "supplier-key", "jwt", "id", "api_key"];
        let table = [
            ("scope", Some("scopes")),
            ("suplier-key", Some("supplier-key")),
            ("JWT", Some("jwt")),
            ("jtw", Some("jwt")),
            ("apikey", Some("api_key")),
            ("api-key", Some("api_key")),
            ("ids", Some("id")),
            ("zz", None),
            ("password", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(suggest(name, keys), expected, "{name}");
        }
        assert_eq!(suggest(&"a".repeat(100_000), keys), None);
    }
}
