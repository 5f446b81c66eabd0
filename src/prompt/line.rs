//! What was typed: from bytes to a command. Pure.
//!
//! A serial line to which nothing is wired hears noise. Nobody is told about it, or the
//! console would be full of answers to nobody.

/// Longer than every command with the longest name of a machine.
const LONGEST: usize = 256;

/// Lines in a row that mean nothing, of which somebody is told: a person who mistypes.
const MOST_MISTAKES: u32 = 5;

/// The commands, and whether they take a machine.
const COMMANDS: [(&str, Takes); 8] = [
    ("status", Takes::Nothing),
    ("machines", Takes::Nothing),
    ("images", Takes::Nothing),
    ("log", Takes::MaybeMachine),
    ("arm", Takes::Machine),
    ("disarm", Takes::Machine),
    ("wake", Takes::Machine),
    ("rescan", Takes::Nothing),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Machine,
    MaybeMachine,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Not worth a word.
    Noise,
    /// Nothing but Enter: somebody is there.
    Nothing,
    /// Which commands there are.
    Help,
    /// The words of a command.
    Command(Vec<String>),
    /// What is wrong.
    Refused(String),
}

/// What came up to now.
#[derive(Debug, Default)]
pub struct Listener {
    line: Vec<u8>,
    too_long: bool,
    mistakes: u32,
}

impl Listener {
    /// The lines that these bytes complete.
    pub fn hear(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut typed = Vec::new();
        for byte in bytes {
            if !matches!(byte, b'\n' | b'\r') {
                self.too_long |= self.line.len() >= LONGEST;
                if !self.too_long {
                    self.line.push(*byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let is_whole = !std::mem::take(&mut self.too_long);
            typed.push(self.take(if is_whole { &line } else { &[0] }));
        }
        typed
    }

    fn take(&mut self, line: &[u8]) -> Typed {
        let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
        let text = std::str::from_utf8(line).ok().filter(|_| line.iter().all(is_text));
        let Some(text) = text else { return Typed::Noise };
        let typed = parse(text);
        match typed {
            Typed::Refused(_) => {
                self.mistakes = self.mistakes.saturating_add(1);
                if self.mistakes > MOST_MISTAKES {
                    return Typed::Noise;
                }
            }
            Typed::Command(_) | Typed::Help => self.mistakes = 0,
            Typed::Nothing | Typed::Noise => {}
        }
        typed
    }
}

fn parse(text: &str) -> Typed {
    let mut words = text.split_whitespace().peekable();
    // As on a workstation.
    words.next_if_eq(&"pxeberry");
    let Some(name) = words.next() else {
        let only_name = !text.trim().is_empty();
        return if only_name { Typed::Help } else { Typed::Nothing };
    };
    if matches!(name, "help" | "?" | "--help") {
        return Typed::Help;
    }
    let Some((name, takes)) = COMMANDS.iter().find(|(known, _)| *known == name) else {
        return Typed::Refused(format!("there is no command {name:?}; type help"));
    };
    let mut command = vec![(*name).to_owned()];
    // A name may have spaces in it.
    let machine = words.collect::<Vec<&str>>().join(" ");
    match (takes, machine.as_str()) {
        (Takes::Nothing | Takes::MaybeMachine, "") => {}
        (Takes::Machine, "") => {
            return Typed::Refused(format!("{name} which machine? \"machines\" lists them"));
        }
        (Takes::Nothing, _) => return Typed::Refused(format!("{name} stands alone")),
        // No options here: a command must end by itself.
        (_, other) if other.starts_with('-') => {
            return Typed::Refused(format!("{other:?} is no machine"));
        }
        (_, _) => command.push(machine),
    }
    Typed::Command(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(text: &str) -> Vec<Typed> {
        Listener::default().hear(text.as_bytes())
    }

    fn command(words: &[&str]) -> Typed {
        Typed::Command(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn commands_are_taken_with_or_without_the_programs_name() {
        assert_eq!(hear("status\n"), [command(&["status"])]);
        assert_eq!(hear("  pxeberry  arm  node-1 \r"), [command(&["arm", "node-1"])]);
        assert_eq!(hear("log\n"), [command(&["log"])]);
        assert_eq!(hear("log my pc\n"), [command(&["log", "my pc"])]);
        assert_eq!(hear("\nhelp\npxeberry\n"), [Typed::Nothing, Typed::Help, Typed::Help]);
    }

    #[test]
    fn a_line_may_come_in_pieces_and_several_at_once() {
        let mut listener = Listener::default();
        assert_eq!(listener.hear(b"sta"), []);
        assert_eq!(listener.hear(b"tus\nima"), [command(&["status"])]);
        assert_eq!(listener.hear(b"ges\n"), [command(&["images"])]);
    }

    #[test]
    fn what_a_person_mistypes_is_told_with_what_to_do() {
        for (line, says) in [
            ("instal\n", "type help"),
            ("arm\n", "which machine"),
            ("status now\n", "stands alone"),
            ("log --follow\n", "is no machine"),
            ("capture node-1\n", "no command"),
        ] {
            let typed = hear(line);
            let [Typed::Refused(why)] = &typed[..] else { panic!("{line}: {typed:?}") };
            assert!(why.contains(says), "{line}: {why}");
        }
    }

    #[test]
    fn noise_on_a_line_to_which_nothing_is_wired_gets_no_answer() {
        let mut listener = Listener::default();
        let mut noise: Vec<u8> = (0..=255).collect();
        noise.extend([b'x'; 100_000]);
        noise.push(b'\n');
        for _ in 0..100 {
            assert!(listener.hear(&noise).iter().all(|typed| *typed == Typed::Noise));
        }
        assert!(listener.line.capacity() <= 2 * LONGEST);
        // Letters, too: of the first few somebody is told.
        let answers = listener.hear(&b"ab\n".repeat(1000));
        let told = answers.iter().filter(|typed| **typed != Typed::Noise).count();
        assert_eq!(told, MOST_MISTAKES as usize);
        // A person is heard all the same.
        assert_eq!(listener.hear(b"status\n"), [command(&["status"])]);
        assert!(matches!(listener.hear(b"ab\n")[..], [Typed::Refused(_)]));
    }
}
