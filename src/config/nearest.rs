//! What a person meant who wrote a key that does not exist. Pure.

/// Of the keys that serde lists after "expected one of", the one a typo away.
pub fn nearest_key(message: &str) -> Option<&str> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    if !message.starts_with("unknown") {
        return None;
    }
    quoted
        .map(|right| (distance(wrong, right), right))
        .min()
        .filter(|(typos, right)| *typos <= right.len().div_ceil(3))
        .map(|(_, right)| right)
}

/// Levenshtein distance: how many letters to change, add or drop.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((other, above), left_above) in b.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or(usize::MAX);
            let changed = left_above + usize::from(letter != *other);
            next.push(changed.min(above + 1).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_leads_to_the_key_and_another_word_to_none() {
        let message = "unknown field `immage`, expected one of `name`, `image`";
        assert_eq!(nearest_key(message), Some("image"));
        assert_eq!(nearest_key("unknown field `colour`, expected `name`"), None);
    }
}
