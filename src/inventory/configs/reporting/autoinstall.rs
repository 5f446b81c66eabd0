//! Ubuntu's autoinstall: the last of the late-commands reports, those of an error that it has
//! failed. Not a webhook for each step: the installer waits without end for who takes its step
//! and says nothing.
//!
//! Lines are put into the text. That is right if a reader of YAML then finds all that it found
//! before, and what was added, where it belongs.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Left, Reports, quoted, until_heard};

/// With the reports that are possible.
pub fn add(text: &str, reports: &Reports) -> Result<String, Left> {
    let nodes = nodes(text)?;
    let top = keys(&nodes, place_of_mapping(&nodes)?)?;
    let own = one(&top, "autoinstall")?.ok_or("it has no key autoinstall")?.value;
    let within = keys(&nodes, own)?;
    let mut edits = Vec::new();
    let mut missing = Vec::new();
    for (key, url) in [("late-commands", &reports.installed), ("error-commands", &reports.failed)] {
        let command = until_heard(url);
        match one(&within, key)? {
            Some(list) => edits.push(append(text, &nodes, (&top, &within), list, &command)?),
            None => missing.push(Key::list(key, &command)),
        }
    }
    if !missing.is_empty() {
        edits.push(insert(text, &nodes, own, &within, &missing)?);
    }
    let (mut added, mut expected) = (text.to_owned(), said(&nodes));
    // From the end on, so that places stay where they are.
    while let Some(last) = (0..edits.len()).max_by_key(|number| edits.get(*number).map(|e| e.at)) {
        let Edit { at, text, node, said } = edits.swap_remove(last);
        let (before, behind) = added.split_at_checked(at).ok_or(ODD)?;
        added = format!("{before}{text}{behind}");
        expected.splice(node..node, said);
    }
    match said(&self::nodes(&added)?) == expected {
        true => Ok(added),
        false => Err(ODD),
    }
}

const ODD: Left = "it is written in a way in which nothing can be put between its lines";

type Node<'a> = (Event<'a>, Span);

fn nodes(text: &str) -> Result<Vec<Node<'_>>, Left> {
    Parser::new_from_str(text).collect::<Result<_, _>>().map_err(|_| "it is no YAML")
}

/// All that a reader is told, but for the places.
fn said(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|(event, _)| word(event)).collect()
}

fn word(event: &Event) -> String {
    match event {
        Event::Scalar(text, style, anchor, tag) => {
            let is_plain = *style == ScalarStyle::Plain;
            format!("{text} {is_plain} {anchor}{}", tagged(tag))
        }
        Event::SequenceStart(anchor, tag) => format!("[ {anchor}{}", tagged(tag)),
        Event::MappingStart(anchor, tag) => format!("{{ {anchor}{}", tagged(tag)),
        Event::Alias(anchor) => format!("* {anchor}"),
        Event::SequenceEnd => "]".to_owned(),
        Event::MappingEnd => "}".to_owned(),
        Event::DocumentStart(_) => "---".to_owned(),
        Event::DocumentEnd => "...".to_owned(),
        Event::Nothing | Event::StreamStart | Event::StreamEnd => String::new(),
    }
}

fn tagged(tag: &Option<Cow<Tag>>) -> String {
    tag.as_ref().map(|tag| format!(" {}!{}", tag.handle, tag.suffix)).unwrap_or_default()
}

/// Where the only document's mapping begins.
fn place_of_mapping(nodes: &[Node]) -> Result<usize, Left> {
    let is_document = |(event, _): &&Node| matches!(event, Event::DocumentStart(_));
    match nodes.iter().position(|node| is_document(&node)) {
        Some(at) if nodes.iter().filter(is_document).count() == 1 => Ok(at + 1),
        _ => Err("it is not one document"),
    }
}

/// A key of a mapping.
struct Found<'a> {
    name: &'a str,
    /// Where it stands among the nodes, and its value.
    at: usize,
    value: usize,
}

/// The keys of the mapping that begins at `at`. One that is used elsewhere, too, or is made of
/// others is more than it seems.
fn keys<'a>(nodes: &'a [Node], at: usize) -> Result<Vec<Found<'a>>, Left> {
    const ELSEWHERE: Left = "a part of it is made of others (anchors, tags, <<)";
    match nodes.get(at) {
        Some((Event::MappingStart(0, None), _)) => {}
        Some((Event::MappingStart(..) | Event::Alias(_), _)) => return Err(ELSEWHERE),
        _ => return Err("its key autoinstall holds no keys"),
    }
    let mut keys = Vec::new();
    let mut next = at + 1;
    loop {
        let name = match nodes.get(next) {
            Some((Event::MappingEnd, _)) => return Ok(keys),
            Some((Event::Scalar(name, _, 0, None), _)) if name != "<<" => name.as_ref(),
            _ => return Err(ELSEWHERE),
        };
        keys.push(Found { name, at: next, value: next + 1 });
        next = behind(nodes, next + 1);
    }
}

fn one<'a, 'b>(keys: &'b [Found<'a>], name: &str) -> Result<Option<&'b Found<'a>>, Left> {
    let mut found = keys.iter().filter(|key| key.name == name);
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        _ => Err("one of its keys stands there twice"),
    }
}

/// The node behind the value that begins at `at`.
fn behind(nodes: &[Node], at: usize) -> usize {
    let mut depth = 0;
    for (number, (event, _)) in nodes.iter().enumerate().skip(at) {
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return number + 1;
        }
    }
    nodes.len()
}

/// Text for one place, and what a reader is told of it behind so many nodes.
struct Edit {
    at: usize,
    text: String,
    node: usize,
    said: Vec<String>,
}

/// A key that is added.
struct Key {
    /// As a block, one line each.
    block: Vec<String>,
    /// Within braces.
    flow: String,
    said: Vec<String>,
}

impl Key {
    fn list(name: &str, command: &str) -> Key {
        let quoted = quoted(command);
        Key {
            block: vec![format!("{name}:"), format!("  - {quoted}")],
            flow: format!("{name}: [{quoted}]"),
            said: told(&[
                plain(name),
                Event::SequenceStart(0, None),
                double(command),
                Event::SequenceEnd,
            ]),
        }
    }
}

fn plain(text: &str) -> Event<'_> {
    Event::Scalar(text.into(), ScalarStyle::Plain, 0, None)
}

fn double(text: &str) -> Event<'_> {
    Event::Scalar(text.into(), ScalarStyle::DoubleQuoted, 0, None)
}

fn told(events: &[Event]) -> Vec<String> {
    events.iter().map(word).collect()
}

/// Keys before the first one of the mapping at `own`.
fn insert(
    text: &str,
    nodes: &[Node],
    own: usize,
    within: &[Found],
    missing: &[Key],
) -> Result<Edit, Left> {
    let said = missing.iter().flat_map(|key| key.said.iter().cloned()).collect();
    let begin = offset(text, nodes, own)?;
    if text.get(begin..).is_some_and(|rest| rest.starts_with('{')) {
        let keys: Vec<&str> = missing.iter().map(|key| key.flow.as_str()).collect();
        let comma = if within.is_empty() { "" } else { ", " };
        let text = format!("{}{comma}", keys.join(", "));
        return Ok(Edit { at: begin + 1, text, node: own + 1, said });
    }
    let first = within.first().ok_or(ODD)?;
    let (at, indent) = line_of(text, offset(text, nodes, first.at)?)?;
    let lines = missing.iter().flat_map(|key| &key.block);
    let text = lines.map(|line| format!("{indent}{line}\n")).collect();
    Ok(Edit { at, text, node: own + 1, said })
}

/// A command behind the last one of a list.
fn append(
    text: &str,
    nodes: &[Node],
    (top, within): (&[Found], &[Found]),
    list: &Found,
    command: &str,
) -> Result<Edit, Left> {
    let quoted = quoted(command);
    let said = told(&[double(command)]);
    let Some((Event::SequenceStart(0, None), _)) = nodes.get(list.value) else {
        return Err("its late-commands or error-commands are no plain list");
    };
    let end = behind(nodes, list.value) - 1;
    let begin = offset(text, nodes, list.value)?;
    let Some(indent) = indent_of_item(text, begin) else {
        let is_flow = text.get(begin..).is_some_and(|rest| rest.starts_with('['));
        let at = offset(text, nodes, end)?;
        let comma = if end == list.value + 1 { "" } else { ", " };
        let text = format!("{comma}{quoted}");
        return if is_flow { Ok(Edit { at, text, node: end, said }) } else { Err(ODD) };
    };
    // Comments and blank lines before the next key may be behind it, or above.
    let next = within.iter().chain(top).filter(|key| key.at > list.at).map(|key| key.at).min();
    let at = match next {
        Some(next) => line_of(text, offset(text, nodes, next)?)?.0,
        None => text.len(),
    };
    let line_end = if at == text.len() && !text.ends_with('\n') { "\n" } else { "" };
    Ok(Edit { at, text: format!("{line_end}{indent}- {quoted}\n"), node: end, said })
}

/// Where a node begins, in bytes.
fn offset(text: &str, nodes: &[Node], at: usize) -> Result<usize, Left> {
    let place = nodes.get(at).ok_or(ODD)?.1.start.index();
    let mut letters = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    letters.nth(place).ok_or(ODD)
}

/// Where the line of a place begins, and the blanks that are all that stands before it.
fn line_of(text: &str, at: usize) -> Result<(usize, &str), Left> {
    let before = text.get(..at).ok_or(ODD)?;
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    let indent = before.get(begin..).ok_or(ODD)?;
    if indent.bytes().all(|byte| byte == b' ') { Ok((begin, indent)) } else { Err(ODD) }
}

/// The blanks before the first item of a list that begins in this item's line: at its dash, or
/// behind that.
fn indent_of_item(text: &str, at: usize) -> Option<&str> {
    let begin = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(begin..)?;
    let item = line.trim_start_matches(' ');
    line.get(..line.len() - item.len()).filter(|_| item.starts_with("- "))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{reports, runs, tells};
    use super::*;

    /// The commands of both lists.
    fn lists(text: &str) -> (Vec<String>, Vec<String>) {
        let nodes = nodes(text).unwrap();
        let top = keys(&nodes, place_of_mapping(&nodes).unwrap()).unwrap();
        let within = keys(&nodes, one(&top, "autoinstall").unwrap().unwrap().value).unwrap();
        let list = |name: &str| {
            let value = one(&within, name).unwrap().unwrap().value;
            let items = nodes[value..behind(&nodes, value)].iter();
            let scalars = items.filter_map(|(event, _)| match event {
                Event::Scalar(text, ..) => Some(text.to_string()),
                _ => None,
            });
            scalars.collect::<Vec<_>>()
        };
        (list("late-commands"), list("error-commands"))
    }

    const HEAD: &str = "#cloud-config\n";

    #[test]
    fn a_file_without_commands_gets_both_lists() {
        for rest in [
            "autoinstall:\n  version: 1\n",
            "autoinstall:\r\n    # x\r\n    version: 1\r\n    ssh: {install-server: true}",
            "autoinstall: {version: 1}\n",
            "autoinstall: {}",
            "autoinstall:\n  {\n  \"version\": 1 }\nusers: []\n",
            "a: ü€\nautoinstall:\n version: 1\n b: |\n  late-commands:\n   - x\n...\n",
        ] {
            let text = format!("{HEAD}{rest}");
            let added = add(&text, &reports()).unwrap_or_else(|why| panic!("{why}: {text}"));
            let (late, error) = lists(&added);
            for (list, event) in [(late, "installed"), (error, "failed")] {
                let ran = runs("sh", &list.concat());
                assert_eq!((list.len(), ran.code, ran.told), (1, 0, tells(event)), "{added}");
            }
        }
    }

    #[test]
    fn the_report_is_the_last_of_the_owners_commands() {
        for (rest, own) in [
            ("autoinstall:\n  late-commands:\n    - a\n    - b\n", 2),
            ("autoinstall:\n  late-commands:\n  - a: b\n  # c\n\n  # d\n  version: 1\nx: y\n", 2),
            (
                "autoinstall:\n  version: 1\n  late-commands:\n    - |\n      a\n\n      # b\n\nx: 1",
                1,
            ),
            ("autoinstall:\n  late-commands:\n  - [a, 'b']\n  -   \"c\"", 3),
            ("autoinstall:\n  late-commands: [a, \"b\"]\n  version: 1\n", 2),
            ("autoinstall:\n  late-commands: []\n", 0),
            ("autoinstall:\n  late-commands:\n    - |+\n      a\n\n  x: 1\n", 1),
        ] {
            let text = format!("{HEAD}{rest}");
            let before = lists(&add(&text.replace("late-c", "x-c"), &reports()).unwrap()).0.len();
            let added = add(&text, &reports()).unwrap_or_else(|why| panic!("{why}: {text}"));
            let (late, error) = lists(&added);
            assert_eq!((late.len(), error.len(), before), (own + 1, 1, 1), "{added}");
            assert_eq!(runs("sh", late.last().unwrap()).told, tells("installed"), "{added}");
        }
    }

    #[test]
    fn what_is_written_in_a_way_that_may_mean_more_is_left_as_it_is() {
        for rest in [
            "a: &a {b: c}\nautoinstall:\n  <<: *a\n  version: 1\n",
            "autoinstall: &a\n  version: 1\nb: *a\n",
            "a: &a {b: c}\nautoinstall: *a\n",
            "autoinstall: !x {a: b}\n",
            "autoinstall:\n",
            "autoinstall: text\n",
            "autoinstall:\n  late-commands:\n  version: 1\n",
            "autoinstall:\n  late-commands: a\n",
            "autoinstall:\n  late-commands: &a [b]\n  error-commands: *a\n",
            "autoinstall:\n  late-commands: [a, ]\n",
            "autoinstall: {late-commands: [a], b: [c",
            "autoinstall: {a: b}\nautoinstall: {a: b}\n",
            "autoinstall:\n  late-commands: [a]\n  late-commands: [b]\n",
            "autoinstall: {a: b}\n---\nc: d\n",
            "autoinstall:\n  version: 1\n  late-commands:\n  - a\n...\n",
            "? a\n: b\n? [c]\n: d\nautoinstall: {a: b}\n",
        ] {
            assert!(add(&format!("{HEAD}{rest}"), &reports()).is_err(), "{rest}");
        }
    }
}
