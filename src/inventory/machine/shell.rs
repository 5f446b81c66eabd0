//! The one place where text becomes a word of a shell script. Pure.

/// `text` as one word that every POSIX shell takes literally.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A glob with `*` and `?` as a pattern of `case`: all else is literal.
pub fn case_pattern(glob: &str) -> String {
    let mut pattern = String::new();
    let mut literal = String::new();
    for letter in glob.chars() {
        if matches!(letter, '*' | '?') {
            if !literal.is_empty() {
                pattern.push_str(&quote(&std::mem::take(&mut literal)));
            }
            pattern.push(letter);
        } else {
            literal.push(letter);
        }
    }
    if !literal.is_empty() || pattern.is_empty() {
        pattern.push_str(&quote(&literal));
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn nothing_breaks_out_of_a_quoted_word() {
        for text in ["", "a b", "it's", "';reboot;'", "$(id) `id` \\ \"", "a\nb", "*?[!]"] {
            for shell in ["sh", "bash"] {
                let script = format!("printf %s {}", quote(text));
                let out = Command::new(shell).args(["-c", &script]).output().unwrap();
                assert_eq!(String::from_utf8(out.stdout).unwrap(), text, "{shell}");
            }
        }
    }

    #[test]
    fn only_stars_and_question_marks_are_patterns() {
        assert_eq!(case_pattern("S5*x?"), "'S5'*'x'?");
        assert_eq!(case_pattern("it's[1]"), r"'it'\''s[1]'");
        assert_eq!(case_pattern(""), "''");
    }
}
