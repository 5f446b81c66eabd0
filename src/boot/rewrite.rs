//! A file of `key=value` lines as one machine gets it: a loader's configuration that was
//! written for a CD, with our URLs in it. Pure.

use super::args::Source;
use crate::inventory::profile::Rewrite;

/// The image's file, rewritten. None: its layout has none.
pub fn rewritten(source: &Source) -> Option<String> {
    let layout = source.image.profile.layout.get(source.start.layout)?;
    let rewrite = layout.rewrite.as_ref()?;
    let (_, text) = source.start.rewrite.as_ref()?;
    let mut lines: Vec<String> = Vec::new();
    let mut written: Vec<&String> = Vec::new();
    for line in text.lines() {
        let key = line.split_once('=').map_or(line, |(key, _)| key).trim();
        match rewrite.set.get_key_value(key) {
            // One that stood there twice is set once.
            Some((key, _)) if written.contains(&key) => {}
            Some((key, arguments)) => {
                written.push(key);
                lines.push(format!("{key}={}", source.words(arguments).join(" ")));
            }
            None => lines.push(line_without_slashes(rewrite, key, line)),
        }
    }
    for (key, arguments) in rewrite.set.iter().filter(|(key, _)| !written.contains(key)) {
        lines.push(format!("{key}={}", source.words(arguments).join(" ")));
    }
    Some(lines.join("\n") + "\n")
}

/// `modules=/a.b00 --- /b.v00`: names that begin with a slash are looked for elsewhere.
fn line_without_slashes(rewrite: &Rewrite, key: &str, line: &str) -> String {
    if !rewrite.relative.iter().any(|relative| relative == key) {
        return line.to_owned();
    }
    let words = line.split(' ').map(|word| match word.strip_prefix(&format!("{key}=")) {
        Some(first) => format!("{key}={}", first.trim_start_matches('/')),
        None => word.trim_start_matches('/').to_owned(),
    });
    words.collect::<Vec<String>>().join(" ")
}
