//! Templates of configs: a small part of Jinja, without a way to files, and bounded. Pure.
//!
//! Undefined variables are errors. What could make much out of little is refused when it is
//! read: macros, multiplication, lists that hold variables. What is left is bounded by the
//! engine's fuel, which pays for steps and for bytes.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt};
use minijinja::machinery::{Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::Facts;
use super::check::Fault;
use crate::inventory::machine::shell;

/// A template that was read and may be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Arc<str>);

/// A template is a text that a person wrote.
const LARGEST_SOURCE: usize = 256 * 1024;

/// A step, or 64 bytes: a config of some hundred kilobytes, and loops for it.
const FUEL: u64 = 20_000;

/// Loops that call themselves.
const DEEPEST: usize = 16;

/// Words in one pair of braces: the engine's stack grows with them.
const LONGEST_TAG: usize = 400;

/// `elif` in one template, for the same reason.
const MOST_ELIFS: usize = 400;

/// Those that make no more of what they get.
const FILTERS: [&str; 33] = [
    "abs",
    "b64encode",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "max",
    "min",
    "quote",
    "replace",
    "reverse",
    "round",
    "sort",
    "split",
    "string",
    "title",
    "tojson",
    "trim",
    "upper",
    "xml",
];

impl Template {
    /// Reads a template.
    pub fn new(source: &str) -> Result<Template, Fault> {
        if source.len() > LARGEST_SOURCE {
            return Err(Fault::new("is larger than 256 KiB; a template is a text"));
        }
        count_words(source)?;
        let tree = parse(source, NAME, syntax()).map_err(|error| fault(&error))?;
        statement(&tree)?;
        engine().template_from_named_str(NAME, source).map_err(|error| fault(&error))?;
        Ok(Template(source.into()))
    }

    /// What it makes of one machine.
    pub fn render(&self, facts: &Facts) -> Result<String, Fault> {
        self.try_out(facts).0
    }

    /// The same, and how much work it was with what follows, in microseconds of a slow board:
    /// to check what it made is more than to make it.
    pub fn try_out(&self, facts: &Facts) -> (Result<String, Fault>, u64) {
        let source = self.0.len() as u64 / 64;
        let made = engine().template_from_named_str(NAME, &self.0).and_then(|template| {
            let made = template.render_captured(Value::from(Serde(facts)))?;
            let steps = made.state().fuel_levels().map_or(FUEL, |(steps, _)| steps);
            Ok((made.into_output(), steps))
        });
        match made {
            Ok((text, steps)) => {
                let work = source + steps / 8 + text.len() as u64 / 16;
                (Ok(text), work)
            }
            Err(error) => (Err(fault(&error)), source + FUEL / 8),
        }
    }
}

/// The engine wants one; people see the file's.
const NAME: &str = "template";

fn engine() -> &'static Environment<'static> {
    static ENGINE: OnceLock<Environment<'static>> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        engine.set_syntax(syntax());
        engine.set_fuel(Some(FUEL));
        engine.set_recursion_limit(DEEPEST);
        engine.add_filter("quote", |text: &str| shell::quote(text));
        engine.add_filter("xml", xml);
        engine.add_filter("b64encode", base64);
        engine.add_filter("tojson", json);
        engine
    })
}

/// A text file ends with a line end, also when a template made it.
fn syntax() -> SyntaxConfig {
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    syntax.unwrap_or_default()
}

fn fault(error: &Error) -> Fault {
    let message = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "works too long, or makes too much text".to_owned(),
        (ErrorKind::UndefinedError, detail) => format!(
            "uses something that this machine does not have{} (for what may be missing: \
             {{{{ labels.x|default(\"y\") }}}})",
            detail.map(|detail| format!(": {detail}")).unwrap_or_default()
        ),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    Fault { line: error.line(), column: None, message }
}

/// Before anything that works on the stack sees the source.
fn count_words(source: &str) -> Result<(), Fault> {
    let (mut words, mut elifs) = (0, 0);
    for token in tokenize(source, false, syntax()) {
        let (token, span) = token.map_err(|error| fault(&error))?;
        match token {
            Token::VariableStart | Token::BlockStart => words = 0,
            Token::Ident("elif") => elifs += 1,
            _ => words += 1,
        }
        if words > LONGEST_TAG || elifs > MOST_ELIFS {
            return Err(Fault::at(usize::from(span.start_line), "is too long between its braces"));
        }
    }
    Ok(())
}

fn refuse(line: u16, what: &str) -> Result<(), Fault> {
    Err(Fault::at(usize::from(line), &format!("templates here have no {what}")))
}

fn statements(list: &[Stmt]) -> Result<(), Fault> {
    list.iter().try_for_each(statement)
}

/// Nothing that is not named here gets through.
fn statement(statement: &Stmt) -> Result<(), Fault> {
    match statement {
        Stmt::Template(it) => statements(&it.children),
        Stmt::EmitRaw(_) => Ok(()),
        Stmt::EmitExpr(it) => expression(&it.expr),
        Stmt::ForLoop(it) => {
            if it.recursive {
                return refuse(it.span().start_line, "recursive loops");
            }
            expression(&it.iter)?;
            it.filter_expr.iter().try_for_each(expression)?;
            statements(&it.body)?;
            statements(&it.else_body)
        }
        Stmt::IfCond(it) => {
            expression(&it.expr)?;
            statements(&it.true_body)?;
            statements(&it.false_body)
        }
        Stmt::Set(it) => expression(&it.expr),
        Stmt::SetBlock(it) => {
            it.filter.iter().try_for_each(expression)?;
            statements(&it.body)
        }
        Stmt::WithBlock(it) => refuse(it.span().start_line, "with"),
        Stmt::AutoEscape(it) => refuse(it.span().start_line, "autoescape"),
        Stmt::FilterBlock(it) => refuse(it.span().start_line, "filter blocks"),
        Stmt::Do(it) => refuse(it.span().start_line, "do"),
    }
}

fn expressions<'a>(mut list: impl Iterator<Item = &'a Expr<'a>>) -> Result<(), Fault> {
    list.try_for_each(expression)
}

fn expression(expr: &Expr) -> Result<(), Fault> {
    match expr {
        Expr::Var(_) | Expr::Const(_) => Ok(()),
        Expr::Slice(it) => {
            expression(&it.expr)?;
            expressions([&it.start, &it.stop, &it.step].into_iter().flatten())
        }
        Expr::UnaryOp(it) => expression(&it.expr),
        Expr::BinOp(it) => {
            let number = |expr: &Expr| matches!(expr, Expr::Const(it) if it.value.is_integer());
            match it.op {
                BinOpKind::Mul | BinOpKind::Pow => return refuse(it.span().start_line, "* and **"),
                // Of texts and lists it would make longer ones; `~` is counted.
                BinOpKind::Add if !number(&it.left) && !number(&it.right) => {
                    return refuse(
                        it.span().start_line,
                        "+ but with a number, as in x + 1; texts \
                                                         are joined with ~",
                    );
                }
                _ => {}
            }
            expression(&it.left)?;
            expression(&it.right)
        }
        Expr::Compare(it) => {
            expression(&it.expr)?;
            expressions(it.ops.iter().map(|op| &op.expr))
        }
        Expr::IfExpr(it) => {
            expression(&it.test_expr)?;
            expression(&it.true_expr)?;
            it.false_expr.iter().try_for_each(expression)
        }
        Expr::Filter(it) => {
            if !FILTERS.contains(&it.name) {
                let what = format!("filter {}; they have {}", it.name, FILTERS.join(", "));
                return refuse(it.span().start_line, &what);
            }
            it.expr.iter().try_for_each(expression)?;
            arguments(&it.args, it.span().start_line)
        }
        Expr::Test(it) => {
            expression(&it.expr)?;
            arguments(&it.args, it.span().start_line)
        }
        Expr::GetAttr(it) => expression(&it.expr),
        Expr::GetItem(it) => {
            expression(&it.expr)?;
            expression(&it.subscript_expr)
        }
        Expr::Call(it) => match &it.expr {
            Expr::Var(name) if name.id == "range" => arguments(&it.args, it.span().start_line),
            _ => refuse(it.span().start_line, "function but range"),
        },
        Expr::List(it) => constants(it.items.iter(), it.span().start_line),
        Expr::Tuple(it) => constants(it.items.iter(), it.span().start_line),
        Expr::Map(it) => constants(it.keys.iter().chain(&it.values), it.span().start_line),
    }
}

/// A list that held lists could double with each word of the template.
fn constants<'a>(mut items: impl Iterator<Item = &'a Expr<'a>>, line: u16) -> Result<(), Fault> {
    let plain = |item: &Expr| match item {
        Expr::Const(_) => true,
        Expr::UnaryOp(it) => matches!(it.expr, Expr::Const(_)),
        Expr::List(it) => constants(it.items.iter(), line).is_ok(),
        Expr::Map(it) => constants(it.keys.iter().chain(&it.values), line).is_ok(),
        _ => false,
    };
    match items.all(plain) {
        true => Ok(()),
        false => refuse(line, "lists or maps with variables in them"),
    }
}

fn arguments(list: &[CallArg], line: u16) -> Result<(), Fault> {
    list.iter().try_for_each(|argument| match argument {
        CallArg::Pos(expr) | CallArg::Kwarg(_, expr) => expression(expr),
        CallArg::PosSplat(_) | CallArg::KwargSplat(_) => refuse(line, "* and **"),
    })
}

/// JSON, which is YAML, too.
fn json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// Text for XML, between tags and in attributes.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' | '\'' => {
                let _ = write!(escaped, "&#{};", u32::from(letter));
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// RFC 4648 §4, for Ignition's `data:;base64,` URLs.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::with_capacity(text.len().div_ceil(3) * 4);
    for group in text.as_bytes().chunks(3) {
        let bits = (0..3)
            .fold(0, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or_default()));
        for at in 0..4 {
            let index = bits >> (18 - 6 * at) & 63;
            let letter = LETTERS.get(index as usize).filter(|_| at <= group.len());
            encoded.push(letter.copied().map_or('=', char::from));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
