//! Random characters from the operating system.

use doorward_core::credentials::key_shape::ALPHABET;

/// Letters and digits, each as likely as the other: a byte that would favour some is drawn
/// again.
pub fn alphanumeric(length: usize) -> Result<String, String> {
    let letters = ALPHABET.len();
    let fair = 256 / letters * letters;
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes)
            .map_err(|error| format!("the system gives no random bytes: {error}"))?;
        let drawn = bytes.iter().map(|byte| usize::from(*byte));
        let letters = drawn.filter(|number| *number < fair).filter_map(|number| {
            let letter = ALPHABET.get(number % letters)?;
            Some(char::from(*letter))
        });
        text.extend(letters.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_comes_and_about_as_often() {
        let text = alphanumeric(62 * 1000).unwrap();
        assert_eq!(text.len(), 62_000);
        for letter in ALPHABET {
            let count = text.bytes().filter(|other| other == letter).count();
            // The standard deviation is 31: ten of them away is no chance.
            assert!(
                (690..1310).contains(&count),
                "{} {count}",
                char::from(*letter)
            );
        }
    }
}
