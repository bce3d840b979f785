//! Names in messages: the one that was meant, or those there are.

/// The nearest of some names, or all of them where none is near.
pub(super) fn hint<'n>(name: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    match closest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", listed(names)),
    }
}

pub(super) fn did_you_mean<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    closest(name, names).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn closest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    /// Above it people recognise their slip; below it the suggestion is a guess.
    const ALIKE: f64 = 0.6;
    let name = name.to_lowercase();
    names
        .map(|candidate| {
            let alike = strsim::normalized_damerau_levenshtein(&name, &candidate.to_lowercase());
            (alike, candidate)
        })
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

pub(super) fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
