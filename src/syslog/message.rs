//! One line of syslog, whoever wrote it and however well. Pure.

use serde_json::Value;

use crate::fleet::timeline::Weight;

/// What is shown of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// By its severity.
    pub weight: Weight,
    /// Program and text, without time and host.
    pub text: String,
}

/// RFC 3164 §4.1: a packet has at most 1024 bytes. A timeline keeps fewer.
const LONGEST: usize = 1024;

/// RFC 3164 §4.3.3: what has no priority is user.notice.
const NOTICE: u8 = 5;

/// Reads a packet. None: there is nothing in it, or nothing that everybody may read.
pub fn parse(packet: &[u8]) -> Option<Message> {
    if let Some((severity, text)) = json(packet) {
        return message(severity, &text);
    }
    let packet = packet.get(..LONGEST).unwrap_or(packet);
    let line = String::from_utf8_lossy(packet);
    let line = line.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
    let (severity, rest) = priority(line).unwrap_or((NOTICE, line));
    let text = match rest.strip_prefix("1 ") {
        Some(rest) => structured(rest).unwrap_or_else(|| rest.to_owned()),
        None => plain(rest).to_owned(),
    };
    message(severity, &text)
}

fn message(severity: u8, text: &str) -> Option<Message> {
    let text = text.trim();
    if text.is_empty() || is_secret(text) {
        return None;
    }
    let weight = match severity {
        0..=3 => Weight::Error,
        4 => Weight::Warning,
        _ => Weight::Info,
    };
    Some(Message { weight, text: without_tokens(text) })
}

/// A line of Talos, its `json_lines`: of its kernel or of one of its services. Its packets are
/// whole, or nothing.
fn json(packet: &[u8]) -> Option<(u8, String)> {
    let text = std::str::from_utf8(packet).ok().filter(|text| text.starts_with('{'))?;
    let line: Value = serde_json::from_str(text).ok()?;
    let word = |key: &str| line.get(key).and_then(Value::as_str);
    // RFC 5424 §6.2.1, from what Talos made of that.
    let severity = match word("talos-level")? {
        "debug" | "info" => 6,
        "warn" => 4,
        _ => 3,
    };
    let text = cut(word("msg")?);
    // What Talos itself writes into the kernel's log begins with its name.
    let kernel = || (word("facility") == Some("kern")).then_some("kernel");
    Some(match word("talos-service").or_else(kernel) {
        Some(program) => (severity, format!("{program}: {text}")),
        None => (severity, text.to_owned()),
    })
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default()
}

/// `<13>…`: the severity, and what follows.
fn priority(line: &str) -> Option<(u8, &str)> {
    let (digits, rest) = line.strip_prefix('<')?.split_once('>')?;
    let value: u8 = digits.parse().ok().filter(|value| *value <= 191 && digits.len() <= 3)?;
    Some((value % 8, rest))
}

/// RFC 5424 behind its version: time, host, program, process, kind, data, text.
fn structured(rest: &str) -> Option<String> {
    let mut parts = rest.splitn(6, ' ');
    let (_time, _host, program) = (parts.next()?, parts.next()?, parts.next()?);
    let (_process, _kind) = (parts.next()?, parts.next()?);
    let text = behind_data(parts.next()?)?.trim_start().trim_start_matches('\u{feff}');
    Some(if program == "-" { text.to_owned() } else { format!("{program}: {text}") })
}

/// Behind `-` or `[id a="b \"]\" c"][…]`.
fn behind_data(data: &str) -> Option<&str> {
    if let Some(rest) = data.strip_prefix('-') {
        return Some(rest);
    }
    let (mut quoted, mut escaped, mut open) = (false, false, false);
    for (at, letter) in data.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => open = true,
            ']' if !quoted => open = false,
            _ if !open => return data.get(at..),
            _ => {}
        }
    }
    (!open).then_some("")
}

/// RFC 3164: `Nov 25 20:11:02 host program[1]: text`, of which busybox leaves the host out
/// and kernels more.
fn plain(rest: &str) -> &str {
    const TIME: usize = "Nov 25 20:11:02 ".len();
    let is_time = |time: &str| {
        let bytes = time.as_bytes();
        let at = |place: usize| bytes.get(place).copied().unwrap_or(0);
        at(3) == b' ' && at(6) == b' ' && at(9) == b':' && at(12) == b':' && at(15) == b' '
    };
    let Some((_, rest)) = rest.split_at_checked(TIME).filter(|(time, _)| is_time(time)) else {
        return rest;
    };
    // The program's name ends with a colon; a word before it is the host's.
    let is_program = |word: &str| word.ends_with(':');
    match rest.split_once(' ') {
        Some((first, behind)) if !is_program(first) => {
            let second = behind.split(' ').next().unwrap_or_default();
            if is_program(second) { behind } else { rest }
        }
        _ => rest,
    }
}

/// Installers' logs hold no passwords, but people's scripts may write what they like, and
/// everybody on the LAN can read a timeline.
fn is_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["passw", "secret", "private key", "authorization:", "bearer "]
        .iter()
        .any(|word| lower.contains(word))
}

/// Our own tokens, and whatever else is as long a number, by which something is proven.
fn without_tokens(text: &str) -> String {
    const TOKEN: usize = 32;
    let mut out = String::with_capacity(text.len());
    let mut number = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_hexdigit() {
            number.push(letter);
            continue;
        }
        match number.len() >= TOKEN {
            true => out.push('…'),
            false => out.push_str(&number),
        }
        number.clear();
        if letter != '\0' {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Weight, String) {
        let message = parse(line.as_bytes()).unwrap_or_else(|| panic!("nothing in {line:?}"));
        (message.weight, message.text)
    }

    #[test]
    fn lines_of_every_installer_are_read_without_time_and_host() {
        use Weight::{Error, Info, Warning};
        for (line, weight, text) in [
            ("<13>Nov 25 20:11:02 main-menu[250]: menu item", Info, "main-menu[250]: menu item"),
            ("<30>Nov  5 20:11:02 node-1 anna: retrieving", Info, "anna: retrieving"),
            ("<3>Nov 25 20:11:02 kernel: sda: I/O error", Error, "kernel: sda: I/O error"),
            ("<12>partman: no disk", Warning, "partman: no disk"),
            ("<14>Nov 25 20:11:02 two words only", Info, "two words only"),
            (
                "<165>1 2026-11-25T20:11:02.003Z node-1 anaconda 17 ID47 - \u{feff}it begins",
                Info,
                "anaconda: it begins",
            ),
            (
                "<163>1 - - subiquity - - [x@1 a=\"b \\\"] c\"][y] it failed",
                Error,
                "subiquity: it failed",
            ),
            ("<34>1 - - - - - nobody", Error, "nobody"),
            ("no priority at all", Info, "no priority at all"),
            ("<999>strange", Info, "<999>strange"),
            ("<13>1 broken", Info, "broken"),
            ("<13>text\n\0", Info, "text"),
        ] {
            let expected = if line.starts_with("<34>") { Error } else { weight };
            assert_eq!(read(line), (expected, text.to_owned()), "{line}");
        }
    }

    #[test]
    fn lines_of_talos_are_read_as_json() {
        use Weight::{Error, Info, Warning};
        for (line, weight, text) in [
            (
                r#"{"clock": 8576583, "facility": "user", "msg": "[talos] task a (1/1): done\n",
                    "priority": "warning", "seq": 665, "talos-level": "warn",
                    "talos-time": "2026-02-11T12:42:02.74807823Z"}"#,
                Warning,
                "[talos] task a (1/1): done",
            ),
            (
                r#"{"facility":"kern","msg":"sda: I/O error","talos-level":"error"}"#,
                Error,
                "kernel: sda: I/O error",
            ),
            (r#"{"msg":"up","talos-level":"info","talos-service":"etcd"}"#, Info, "etcd: up"),
            // What is no such line is shown as it came.
            (r#"{"msg":"up"}"#, Info, r#"{"msg":"up"}"#),
            (r#"{"msg":"#, Info, r#"{"msg":"#),
        ] {
            assert_eq!(read(line), (weight, text.to_owned()), "{line}");
        }
        let line = |text: &str| format!(r#"{{"msg": "{text}", "talos-level": "info"}}"#);
        assert_eq!(parse(line("the \\u0070assword is x").as_bytes()), None);
        assert_eq!(read(&line(&"0".repeat(32))).1, "…");
        assert_eq!(read(&line(&"xü".repeat(1000))).1.len(), LONGEST);
    }

    #[test]
    fn nothing_that_proves_something_gets_into_a_timeline() {
        let token = "0123456789abcdef0123456789ABCDEF";
        let line = format!("<13>wget: http://10.10.10.1:8080/v1/event?token={token}&event=failed");
        assert_eq!(read(&line).1, "wget: http://10.10.10.1:8080/v1/event?token=…&event=failed");
        assert_eq!(read(&format!("<13>{token}")).1, "…");
        for line in ["<13>passwd: Password is x", "d-i passwd/root-password-crypted", "a SECRET"] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn whatever_comes_is_read_or_refused_and_never_more() {
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"<13>"), None);
        assert_eq!(parse(b"\0\0\n"), None);
        let long = parse(&[b'x'; 60_000]).unwrap();
        assert_eq!(long.text.len(), LONGEST);
        // Every byte at every place of a good line, and every beginning of it.
        let good = b"<165>1 - host app - - [a b=\"c\"] Nov 25 20:11:02 text";
        for at in 0..good.len() {
            let _ = parse(&good[..at]);
            for byte in 0..=255 {
                let mut line = good.to_vec();
                line[at] = byte;
                let _ = parse(&line);
            }
        }
    }
}
