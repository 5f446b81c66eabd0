//! YAML, read only as far as to say that it is some, and what stands at its top. Pure.
//!
//! Nothing is built from it, so nothing can grow; what an installer would build from its
//! aliases is counted.

use saphyr_parser::{Event, Parser};

use super::check::Fault;

/// What stands at the top of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Top {
    /// Documents with content.
    pub documents: usize,
    /// Whether each of them holds keys.
    pub is_mapping: bool,
    /// The outermost keys of all documents.
    pub keys: Vec<String>,
}

/// Values and keys that an installer would hold, with each alias counted as what it stands
/// for. Ten lines of aliases can mean a million million.
const MOST_NODES: u64 = 200_000;

/// Nobody indents further; readers that call themselves have their limits.
const DEEPEST: usize = 100;

/// Values whose anchors are not closed, and those that are.
#[derive(Default)]
struct Count {
    top: Top,
    /// Of each open list or mapping: its anchor, the nodes before it, and for a mapping
    /// whether a key comes next.
    open: Vec<Open>,
    sizes: std::collections::HashMap<usize, u64>,
    nodes: u64,
}

struct Open {
    anchor: usize,
    before: u64,
    /// None: a list.
    key_next: Option<bool>,
}

/// Checks `text`.
pub fn check(text: &str) -> Result<Top, Fault> {
    let mut count = Count { top: Top { is_mapping: true, ..Top::default() }, ..Count::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Fault {
            line: Some(error.marker().line()),
            column: Some(error.marker().col() + 1),
            message: format!("YAML: {}", error.info()),
        })?;
        count.take(&event).map_err(|message| Fault::at(span.start.line(), message))?;
    }
    count.top.is_mapping &= count.top.documents > 0;
    Ok(count.top)
}

impl Count {
    fn take(&mut self, event: &Event) -> Result<(), &'static str> {
        match event {
            Event::Scalar(text, _, anchor, tag) => {
                // What "---" alone, or a comment alone, leaves.
                let nothing = text.is_empty() && tag.is_none() && self.open.is_empty();
                if !nothing {
                    self.begins(false);
                }
                if let [Open { key_next: Some(true), .. }] = self.open.as_slice() {
                    self.top.keys.push(text.to_string());
                }
                self.nodes += 1;
                self.ends(*anchor, self.nodes - 1);
            }
            Event::Alias(anchor) => {
                self.begins(false);
                // An alias inside its own anchor has no size yet: it would never end.
                let size = self.sizes.get(anchor).ok_or("an alias stands for itself")?;
                self.nodes = self.nodes.saturating_add(*size);
                self.ends(0, 0);
            }
            Event::SequenceStart(anchor, _) => self.opens(*anchor, None)?,
            Event::MappingStart(anchor, _) => self.opens(*anchor, Some(true))?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { anchor, before, .. }) = self.open.pop() {
                    self.ends(anchor, before);
                }
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        if self.nodes > MOST_NODES {
            return Err("holds more than 200,000 values, aliases counted");
        }
        Ok(())
    }

    fn begins(&mut self, mapping: bool) {
        if self.open.is_empty() {
            self.top.documents += 1;
            self.top.is_mapping &= mapping;
        }
    }

    fn opens(&mut self, anchor: usize, key_next: Option<bool>) -> Result<(), &'static str> {
        self.begins(key_next.is_some());
        if self.open.len() >= DEEPEST {
            return Err("is nested deeper than 100");
        }
        self.open.push(Open { anchor, before: self.nodes, key_next });
        self.nodes += 1;
        Ok(())
    }

    /// A value is whole; the mapping around it goes on with a value, or the next key.
    fn ends(&mut self, anchor: usize, before: u64) {
        if anchor != 0 {
            self.sizes.insert(anchor, self.nodes - before);
        }
        if let Some(Open { key_next: Some(next), .. }) = self.open.last_mut() {
            *next = !*next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_at_the_top_are_those_of_every_document_and_of_none_below() {
        let text = "a: {x: 1}\nb: [c, d]\n? e\n: f\n---\ng: h\n";
        let top = check(text).unwrap();
        assert_eq!(top.keys, ["a", "b", "e", "g"]);
        assert_eq!((top.documents, top.is_mapping), (2, true));
        assert_eq!(check("# nothing\n").unwrap().documents, 0);
        assert_eq!(check("---\n").unwrap().documents, 0);
        assert!(!check("- a\n").unwrap().is_mapping);
        assert!(!check("just text\n").unwrap().is_mapping);
    }

    #[test]
    fn a_mistake_has_a_line_and_a_column() {
        let fault = check("a: b\nc: [d\ne: f\n").unwrap_err();
        assert!(fault.line.is_some_and(|line| line >= 2) && fault.column.is_some(), "{fault:?}");
        assert!(check("a: b\n\tc: d\n").is_err());
        assert!(check("a: *nobody\n").is_err());
    }

    #[test]
    fn aliases_are_counted_as_what_they_stand_for() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let list = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        assert!(check(&bomb).unwrap_err().message.contains("200,000"));
        assert!(check("a: &a [*a]\n").is_err());
        let fine = "base: &base {a: 1}\none: *base\ntwo: {<<: *base}\n";
        assert_eq!(check(fine).unwrap().keys, ["base", "one", "two"]);
    }

    #[test]
    fn depth_and_size_are_bounded() {
        for text in ["[".repeat(1_000_000), "- ".repeat(200_000), "{a: ".repeat(200_000)] {
            assert!(check(&text).is_err());
        }
    }
}
