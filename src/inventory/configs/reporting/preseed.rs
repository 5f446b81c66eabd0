//! Preseed: `preseed/late_command`, the installer's last command before it restarts. There is
//! one, so the owner's runs inside ours.
//!
//! Lines are read as the installer's `debconf-set-selections` reads them: comments begin in
//! the first column and may stand inside a continued line, a backslash at the end continues,
//! the newest of two values counts, and nothing is escaped.

use super::{Left, PAUSES, Reports};

/// Its question, whoever is named as its owner.
const QUESTION: &str = "preseed/late_command";

/// With a report behind the last command.
pub fn add(text: &str, reports: &Reports) -> Result<String, Left> {
    let questions = questions(text)?;
    let mut own = None;
    for question in &questions {
        let name = question.words.get(1).copied().unwrap_or_default();
        if name.starts_with("preseed/include") || name.starts_with("preseed/run") {
            return Err("it takes in other files, which may hold a late_command");
        }
        let mentions = question.lines.iter().any(|line| line.text.contains("late_command"));
        match (name == QUESTION, mentions) {
            (true, _) if own.is_some() => return Err("it holds two late_commands"),
            (true, _) => own = Some(question),
            (false, true) => return Err("another line says something of a late_command"),
            (false, false) => {}
        }
    }
    let Some(own) = own else {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let tell = until_heard(&format!("'{}'", reports.installed));
        return Ok(format!("{text}{end}d-i {QUESTION} string {tell}; true\n"));
    };
    around(text, own, reports)
}

/// One line of the text.
struct Line<'a> {
    /// Where it begins.
    at: usize,
    /// Without its end.
    text: &'a str,
}

/// Lines that are one for the installer.
struct Question<'a> {
    lines: Vec<Line<'a>>,
    /// The first words of the first line.
    words: Vec<&'a str>,
}

fn questions(text: &str) -> Result<Vec<Question<'_>>, Left> {
    let mut all: Vec<Question> = Vec::new();
    let (mut at, mut open) = (0, false);
    for line in text.split_inclusive('\n') {
        let begin = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        if line.contains('\r') {
            return Err("it has line ends inside its lines");
        }
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let continues = line.ends_with('\\');
        let line = Line { at: begin, text: line };
        match all.last_mut().filter(|_| open) {
            Some(question) => question.lines.push(line),
            None => {
                let words = line.text.trim_end_matches('\\').split_whitespace().take(4).collect();
                all.push(Question { lines: vec![line], words });
            }
        }
        open = continues;
    }
    if open { Err("its last line goes on behind its end") } else { Ok(all) }
}

/// The owner's command as one quoted word: whatever it holds, a comment, an `exit` or half a
/// quotation, it is the whole of a shell's script, as before. How it ends is how ours ends.
fn around(text: &str, own: &Question, reports: &Reports) -> Result<String, Left> {
    let [_, _, "string", ..] = own.words.as_slice() else {
        return Err("its late_command is no string in one line with its name");
    };
    let (Some(first), Some(last)) = (own.lines.first(), own.lines.last()) else {
        return Err("its late_command has no line");
    };
    let value = behind_words(first.text, 3);
    let mut out = String::with_capacity(text.len() + 1024);
    let mut at = first.at + value;
    out.push_str(text.get(..at).unwrap_or_default());
    out.push_str(if first.text.get(..value).is_some_and(ends_in_blank) { "" } else { " " });
    out.push_str("sh -c '");
    for line in &own.lines {
        // Comments between the lines.
        out.push_str(text.get(at..line.at).unwrap_or_default());
        let begin = at.max(line.at);
        let end = line.at + line.text.len();
        let piece = text.get(begin..end).unwrap_or_default();
        // Without a backslash: this one may stand at the end of a line.
        out.push_str(&piece.replace('\'', "'\"'\"'"));
        at = end;
    }
    // The installer goes on behind a command that fails, and may end with a system that starts:
    // nothing is said then, and its disk is tried.
    out.push_str(&format!(
        "'; code=$?; [ $code = 0 ] || exit $code; {}; true",
        until_heard(&format!("'{}'", reports.installed))
    ));
    out.push_str(text.get(last.at + last.text.len()..).unwrap_or_default());
    Ok(out)
}

fn ends_in_blank(text: &str) -> bool {
    text.ends_with(char::is_whitespace)
}

/// Where the text behind so many words begins.
fn behind_words(line: &str, count: usize) -> usize {
    let mut rest = line;
    for _ in 0..count {
        rest = rest.trim_start();
        rest = rest.find(char::is_whitespace).and_then(|end| rest.get(end..)).unwrap_or_default();
    }
    line.len() - rest.trim_start().len()
}

/// The installer's wget is GNU's or busybox's, which may know no limits: its help says so.
fn until_heard(url: &str) -> String {
    format!(
        "wget='wget -q'; case $(wget --help 2>&1) in *--tries*) wget='wget -q -T 10 -t 1';; \
         *-T?SEC*) wget='wget -q -T 10';; esac; \
         for pause in {PAUSES}; do $wget -O /dev/null {url} && break; sleep $pause; done"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Ran, reports, runs, runs_with, tells};
    use super::*;

    /// The value of the question, as the installer would make it of the file.
    fn value(text: &str) -> String {
        let mut joined: Option<String> = None;
        let mut values = Vec::new();
        for line in text.replace('\r', "").lines() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let line = line.trim_start();
            let before = joined.take().map(|before| before + " ").unwrap_or_default();
            match line.strip_suffix('\\') {
                Some(line) => joined = Some(before + line.trim_end()),
                None => values.push(before + line),
            }
        }
        let of_question = |line: &String| line.split_whitespace().nth(1) == Some(QUESTION);
        let line = values.into_iter().rfind(of_question).unwrap();
        line[behind_words(&line, 3)..].to_owned()
    }

    fn ran(text: &str) -> Ran {
        let added = add(text, &reports()).unwrap();
        let owners = runs("sh", &value(&added));
        let bash = runs("bash", &value(&added));
        assert_eq!((owners.code, &owners.told), (bash.code, &bash.told));
        owners
    }

    #[test]
    fn without_a_last_command_the_report_is_one() {
        for text in ["d-i a/b string c\n", "d-i a/b string c", "# d-i x \\\nd-i a/b select\r\n"] {
            let added = add(text, &reports()).unwrap();
            assert!(added.starts_with(text), "{added}");
            assert_eq!(added.lines().count(), text.lines().count() + 1);
            let ran = ran(text);
            assert_eq!((ran.code, ran.told), (0, tells("installed")), "{text}");
        }
    }

    #[test]
    fn the_owners_command_does_what_it_did_and_the_report_says_how_it_ended() {
        for (command, code, out) in [
            ("echo a", 0, "a\n"),
            ("echo \"it's\" 'here' # and no report", 0, "it's here\n"),
            ("echo a; exit 3; echo b", 3, "a\n"),
            ("set -e; false; echo b", 1, ""),
            ("echo a && \\\n    \techo b || \\\r\n# echo c; \\\n\n  echo d", 0, "a\nb\n"),
            ("\\\n  echo 'a' \\\n  'b'", 0, "a b\n"),
            ("printf '%s\\n' 'a\\1' \"$((1 + 1))\" \\;", 0, "a\\1\n2\n;\n"),
            ("code=5; url=x; (exit 2)", 2, ""),
            ("if", 2, ""),
        ] {
            let text = format!("d-i a/b string c\nd-i preseed/late_command string {command}\nx");
            let plain = runs("sh", &value(&text));
            assert_eq!((plain.code, plain.out.as_str()), (code, out), "{command}");
            let told = if code == 0 { tells("installed") } else { Vec::new() };
            for text in [text.as_str(), &text.replace('\n', "\r\n").replace("\r\r", "\r")] {
                let ran = ran(text);
                assert_eq!((ran.code, ran.out.as_str()), (code, out), "{text}");
                assert_eq!(ran.told, told, "{text}");
            }
        }
        let any_owner = "ubiquity\tpreseed/late_command  string\techo a";
        assert_eq!(ran(any_owner).out, "a\n");
    }

    #[test]
    fn what_nobody_hears_changes_nothing_of_how_the_owners_command_ends() {
        for (command, code, tries) in [("true", 0, 9), ("exit 7", 7, 0)] {
            let text = format!("d-i preseed/late_command string {command}");
            let ran = runs_with("sh", &value(&add(&text, &reports()).unwrap()), 99);
            assert_eq!((ran.code, ran.told.len()), (code, tries));
        }
    }

    #[test]
    fn a_last_command_that_may_come_from_elsewhere_is_left_alone() {
        let own = "d-i preseed/late_command string true";
        for text in [
            &format!("{own}\n{own}\n"),
            "d-i preseed/include string other.cfg\n",
            "d-i preseed/include_command string echo x\n",
            "d-i preseed/run string x.sh\n",
            "d-i preseed/early_command string debconf-set preseed/late_command true\n",
            "d-i preseed/late_command \\\n string true\n",
            "d-i preseed/late_command\n",
            "d-i preseed/late_command seen false\n",
            &format!("{own} \\"),
            "d-i a/b string c \\\n# nothing\n",
            "d-i a/b string c\rd-i c/d string e\n",
        ] {
            assert!(add(text, &reports()).is_err(), "{text}");
        }
        // What is a comment for the installer is none of its business.
        let comment = "#d-i preseed/late_command string \\\n# true \\\nd-i a/b string c\n";
        assert_eq!(ran(comment).told, tells("installed"));
    }
}
