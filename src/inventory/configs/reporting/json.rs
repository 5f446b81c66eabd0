//! JSON: Ignition gets a unit for the system that it makes, Agama a script. What is added is
//! put into the text; a writer of JSON would write the rest of it anew.

use serde_json::{Map, Value};

use super::{Left, Reports, quoted, until_heard};

/// What is added has this name; who has one of it has written it himself.
const NAME: &str = "pxeberry-report";

/// Ignition with a unit that reports at the first start from the disk.
pub fn add_unit(text: &str, reports: &Reports) -> Result<String, Left> {
    let before = read(text)?;
    if before.pointer("/ignition/config/replace").is_some_and(|replace| !replace.is_null()) {
        return Err("it is replaced by another one (ignition.config.replace)");
    }
    let name = format!("{NAME}.service");
    if has_name(before.pointer("/systemd/units"), &name) {
        return Err("it has a unit pxeberry-report.service");
    }
    let version = before.pointer("/ignition/version").and_then(Value::as_str).unwrap_or_default();
    let enable = if version.starts_with("2.0.") { "enable" } else { "enabled" };
    let contents = quoted(&unit(&reports.installed));
    let unit = format!("{{\"name\": \"{name}\", \"{enable}\": true, \"contents\": {contents}}}");
    append(text, &before, &["systemd", "units"], &unit)
}

/// Tried for two minutes, once: a machine that has moved on has nothing to report. Nothing
/// waits for it (`Type=exec`), and a start that nobody hears is no failure.
fn unit(url: &str) -> String {
    format!(
        "[Unit]\nDescription=Report to pxeberry that this machine runs from its disk\n\
         Wants=network-online.target\nAfter=network-online.target\n\
         ConditionPathExists=!/var/lib/{NAME}ed\n\n[Service]\nType=exec\n\
         ExecStart=-/usr/bin/curl -fsS -m 10 --retry 10 --retry-delay 12 --retry-connrefused \
         -o /dev/null \"{url}\"\nExecStopPost=/usr/bin/touch /var/lib/{NAME}ed\n\n\
         [Install]\nWantedBy=multi-user.target\n"
    )
}

/// Agama's profile with a script behind the installation.
pub fn add_script(text: &str, reports: &Reports) -> Result<String, Left> {
    let before = read(text)?;
    if has_name(before.pointer("/scripts/post"), NAME) {
        return Err("it has a script pxeberry-report");
    }
    let content = format!("#!/bin/sh\n{}\n", until_heard(&reports.installed));
    let content = quoted(&content);
    let script = format!("{{\"name\": \"{NAME}\", \"chroot\": false, \"content\": {content}}}");
    append(text, &before, &["scripts", "post"], &script)
}

fn read(text: &str) -> Result<Value, Left> {
    serde_json::from_str(text).map_err(|_| "it is no JSON")
}

fn has_name(list: Option<&Value>, name: &str) -> bool {
    let items = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().any(|item| item.get("name").and_then(Value::as_str) == Some(name))
}

/// Puts the item at the end of the list at `path`; what is missing on the way is made.
fn append(text: &str, before: &Value, path: &[&str], item: &str) -> Result<String, Left> {
    const ODD: Left = "what it holds there is something else than a list";
    let after = appended(text, path, item).ok_or(ODD)?;
    let mut expected = before.clone();
    let mut place = &mut expected;
    for (number, key) in path.iter().enumerate() {
        let is_last = number + 1 == path.len();
        let new = if is_last { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        place = place.as_object_mut().ok_or(ODD)?.entry(*key).or_insert(new);
    }
    place.as_array_mut().ok_or(ODD)?.push(read(item)?);
    match read(&after)? == expected {
        true => Ok(after),
        false => Err(ODD),
    }
}

fn appended(text: &str, path: &[&str], item: &str) -> Option<String> {
    let mut at = blank(text, 0);
    let mut rest = path;
    while let Some((key, behind)) = rest.split_first() {
        let object = members(text, at, b'{')?;
        let mut found = object.members.iter().filter(|member| member.key == *key);
        match (found.next(), found.next()) {
            (Some(member), None) => (at, rest) = (member.value, behind),
            (None, None) => {
                let wrap = |all: String, key: &&str| format!("{{\"{key}\": {all}}}");
                let nested = behind.iter().rev().fold(format!("[{item}]"), wrap);
                return Some(object.with(text, &format!("\"{key}\": {nested}")));
            }
            (_, Some(_)) => return None,
        }
    }
    let list = members(text, at, b'[')?;
    Some(list.with(text, item))
}

/// What is between two brackets.
struct Inside<'a> {
    members: Vec<Member<'a>>,
    /// Behind the last value, or behind the bracket that opens.
    end: usize,
}

struct Member<'a> {
    /// Empty in lists. One with an escape is none that is looked for.
    key: &'a str,
    /// Where its value begins.
    value: usize,
}

impl Inside<'_> {
    /// The text with one more member.
    fn with(&self, text: &str, member: &str) -> String {
        let comma = if self.members.is_empty() { "" } else { ", " };
        let (before, behind) = text.split_at_checked(self.end).unwrap_or((text, ""));
        format!("{before}{comma}{member}{behind}")
    }
}

/// Of the object or the list that begins at `at`, in a text that is JSON.
fn members(text: &str, at: usize, open: u8) -> Option<Inside<'_>> {
    let byte = |at: usize| text.as_bytes().get(at).copied();
    let is_object = open == b'{';
    if byte(at)? != open {
        return None;
    }
    let mut inside = Inside { members: Vec::new(), end: at + 1 };
    let mut at = blank(text, at + 1);
    while !matches!(byte(at)?, b'}' | b']') {
        let mut key = "";
        if is_object {
            let end = behind_value(text, at)?;
            key = text.get(at + 1..end - 1)?;
            at = blank(text, blank(text, end) + 1);
        }
        let end = behind_value(text, at)?;
        inside.members.push(Member { key, value: at });
        inside.end = end;
        at = blank(text, end);
        if byte(at)? == b',' {
            at = blank(text, at + 1);
        }
    }
    Some(inside)
}

/// The first place from `at` on that is no blank.
fn blank(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    text.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len()
}

fn behind_value(text: &str, at: usize) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (number, byte) in text.bytes().enumerate().skip(at) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if quoted && depth == 0 => return Some(number + 1),
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return Some(number + 1),
            // Behind a number, or a word.
            b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return Some(number),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{INSTALLED, reports, runs, tells};
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    const PLAIN: &str = "{\"ignition\": {\"version\": \"3.4.0\"}}";

    #[test]
    fn a_unit_is_added_and_nothing_else_is_changed_in_the_text() {
        for text in [
            PLAIN,
            "{\"ignition\":{\"version\":\"3.3.0\"},\"systemd\":{}}\n",
            "{\r\n\t\"systemd\": {\"units\": [ ]},\r\n\t\"ignition\": {\"version\": \"3.0.0\"}\r\n}\r\n",
            "{\"systemd\": {\"units\": [{\"name\": \"a]}\\\"\\\\\", \"x\": 1e3}, {\"name\": \"b\"} ] , \
             \"z\": 9007199254740993}, \"ignition\": {\"version\": \"3.4.0\"}, \"a\": 1, \"a\": 2 }",
        ] {
            let added = add_unit(text, &reports()).unwrap();
            let units = value(&added)["systemd"]["units"].as_array().unwrap().clone();
            let unit = units.last().unwrap();
            assert_eq!(
                (&unit["name"], &unit["enabled"]),
                (&json!("pxeberry-report.service"), &json!(true))
            );
            assert!(unit["contents"].as_str().unwrap().contains(&format!("\"{INSTALLED}\"")));
            // The text as it was is there, around what is new.
            let same = text.bytes().zip(added.bytes()).take_while(|(a, b)| a == b).count();
            assert!(added.ends_with(&text[same..]), "{added}");
        }
    }

    #[test]
    fn the_oldest_ignition_is_told_in_its_own_words() {
        let text = "{\"ignition\": {\"version\": \"2.0.0\"}}";
        let unit = value(&add_unit(text, &reports()).unwrap())["systemd"]["units"][0].clone();
        assert_eq!((&unit["enable"], unit.get("enabled")), (&json!(true), None));
    }

    #[test]
    fn a_config_that_has_such_a_unit_or_is_replaced_is_left_as_it_is() {
        let with = |more: &str| PLAIN.replace("}}", more);
        for text in [
            with("}, \"systemd\": {\"units\": [{\"name\": \"pxeberry-report.service\"}]}}"),
            with(", \"config\": {\"replace\": {\"source\": \"http://x/y.ign\"}}}}"),
            with("}, \"systemd\": null}"),
            with("}, \"systemd\": []}"),
            with("}, \"systemd\": {\"units\": {}}}"),
            with("}, \"systemd\": {}, \"systemd\": {\"units\": []}}"),
            with("}, \"sys\\u0074emd\": {\"units\": [{}]}}"),
            "[]".to_owned(),
            "{".to_owned(),
        ] {
            assert!(add_unit(&text, &reports()).is_err(), "{text}");
        }
        let appends = with(", \"config\": {\"replace\": null, \"merge\": [{\"source\": \"x\"}]}}}");
        assert!(add_unit(&appends, &reports()).is_ok());
    }

    #[test]
    fn agamas_last_script_reports() {
        let own = "{\"scripts\": {\"post\": [{\"name\": \"a\"}], \"pre\": []}, \"b\": [{}]}";
        for text in ["{}", "{}\n", own, "{ \"scripts\" : { } }"] {
            let added = add_script(text, &reports()).unwrap();
            let scripts = value(&added)["scripts"]["post"].as_array().unwrap().clone();
            assert_eq!(scripts.len(), if text == own { 2 } else { 1 });
            let script = scripts.last().unwrap();
            let ran = runs("sh", script["content"].as_str().unwrap());
            assert_eq!((ran.code, ran.told), (0, tells("installed")));
            assert_eq!(script["chroot"], false);
            assert!(add_script(&added, &reports()).is_err(), "twice");
        }
    }
}
